# SPDX-License-Identifier: GPL-2.0-only
# A VMM that opens devices by their own files and an iommufd, not by their groups, is
# decided about in the same way.
# kernels: series
modprobe iommufd
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110 slot=$ivshmem
END
daemon
guest allowed --iommufd --device $ivshmem --bar 2 --store unaligned
equal "$(result allowed)" ok "unaligned store to the allowed device"
equal "$(oracle $ivshmem | memory_types $ivshmem 2)" '["normal_nc"]' "allowed device, by the oracle"
readlink /proc/$guest_pid/fd/* | grep -q '^/dev/vfio/devices/' || fail "not by the device's file"
! readlink /proc/$guest_pid/fd/* | grep -q '^/dev/vfio/vfio$' || fail "a container is open"
guest denied --iommufd --device $bochs --bar 0 --store unaligned
equal "$(result denied)" kvm-error "unaligned store to the denied device"
wait_for 10 audit_has '.type == "decision" and .verdict == "deny" and .grade == "hook"
	and .device.slot == "'$bochs'" and .guest.name == "denied"'
wait_for 10 audit_has '.type == "stage2_first" and .memory_type == "normal_nc"
	and .device.slot == "'$ivshmem'" and .guest.name == "allowed"'
