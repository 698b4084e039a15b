# SPDX-License-Identifier: GPL-2.0-only
# The trap by a device's own file (iommufd): the BAR of a denied device is not mapped,
# an allowed one is; whoever opens the group is told the same. The driver is one
# without the hook.
# kernels: series
vfio_unload # another case of this boot may have loaded it
modprobe vfio_iommu_type1
modprobe iommufd
modprobe vfio-pci-core --show-depends | sed '/vfio-pci-core/d; s/^insmod //' > "$work/depends"
while read -r module; do insmod $module 2> /dev/null || :; done < "$work/depends"
at_end=vfio_unload # this driver goes with the case
insmod /ncg/hookless.ko
! hooked || fail "the driver has the hook"
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	without-hook trap
	allow 1af4:1110 slot=$ivshmem
END
# What the kernel allows by itself.
minivmm --iommufd --device $bochs --bar 0 --store unaligned > "$work/before.json"
! grep trapped "$work/before.json" || fail "the BAR cannot be mapped without ncgate either"
daemon
metrics
equal "$(sample 'ncgate_enforcement_grade{grade="trap"}')" 1 "grade"
for how in --iommufd ""; do
	guest a $how --device $ivshmem --bar 2 --device $bochs --bar 0 --store unaligned
	equal "$(result a)" ok "unaligned stores to both devices ($how)"
	equal "$(grep trapped "$work/a.json")" \
		'{"trapped":"'$bochs'","bar":0,"errno":1}' "what is trapped ($how)"
	equal "$(oracle $ivshmem | memory_types $ivshmem 2)" '["normal_nc"]' "allowed device ($how)"
	equal "$(oracle $bochs | memory_types $bochs 0)" '[]' "denied device ($how)"
	end $guest_pid
done
audit_count() { audit '.type == "decision" and .verdict == "deny" and .grade == "trap"
	and .device.slot == "'$bochs'" and .device.bar == 0' | wc -l; }
both() { [ "$(audit_count)" = 2 ]; }
wait_for 10 both
