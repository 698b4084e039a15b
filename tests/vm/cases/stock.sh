# SPDX-License-Identifier: GPL-2.0-only
# A kernel without any part of ncgate gives every vfio-pci device Normal-NC: the
# control without which the other cases prove nothing.
# kernels: 6.12 6.12-16k 7.3
# hook: no
passthrough $ivshmem
guest a --device $ivshmem --bar 2 --store unaligned
equal "$(result a)" ok "unaligned store on a stock kernel"
seen=$(oracle $ivshmem)
equal "$(echo "$seen" | jq -c '[.devices[] | select(.slot=="'$ivshmem'" and .bar==2) | .mapped | keys[]]')" \
	'["normal_nc"]' "memory type in the tables"
