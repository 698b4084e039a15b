# SPDX-License-Identifier: GPL-2.0-only
# What a kernel gives every vfio-pci device when nobody decides: the control without
# which the other cases prove nothing. Debian's own 6.1 and, under a guest that
# stores unaligned, its end; 6.1 with the series, and later kernels: Normal-NC.
# kernels: 6.12 6.12-16k 7.3 6.1 6.1-series
# hook: no
passthrough $ivshmem
guest a --device $ivshmem --bar 2 --store unaligned
equal "$(result a)" $unasked_store "unaligned store when nobody decides"
end "$guest_pid"
guest b --device $ivshmem --bar 2 --store aligned
equal "$(result b)" ok "aligned store"
seen=$(oracle $ivshmem | memory_types $ivshmem 2)
equal "$seen" "[\"$unasked\"]" "memory type in the tables"
saw "nobody decides" "$(result a)" "$seen"
