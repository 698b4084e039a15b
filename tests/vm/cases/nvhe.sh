# SPDX-License-Identifier: GPL-2.0-only
# KVM that does not run in the host's own exception level: the tables are the same, and
# so is what ncgate says of them.
# alone: it needs a boot of its own
# append: kvm-arm.mode=nvhe
# kernels: 6.12 6.12-16k 6.12-64k 7.3 series
. /ncg/inside/lib-oracle.sh
dmesg | grep -q 'kvm.*nVHE mode initialized' || fail "KVM is not in nVHE mode"
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
daemon
guest a --device $ivshmem --bar 2 --device $bochs --bar 0 --store aligned --touch-pages 100
equal "$(result a)" ok "a guest under nVHE"
same_as_oracle "$guest_pid" $ivshmem "nVHE"
cat "$work/oracle-counts"
equal "$(cut -d' ' -f1 "$work/oracle-counts" | tr '\n' ' ')" "device_nGnRE normal_nc normal_wb " "types"
