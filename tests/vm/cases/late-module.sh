# SPDX-License-Identifier: GPL-2.0-only
# vfio-pci loaded after ncgated: the hook is attached once it is there.
# kernels: 6.12 7.3 series
! [ -e /sys/module/vfio_pci_core ] || {
	# Other cases of this boot may have loaded it: unload for a late start.
	for d in $ivshmem $bochs $ivshmem2; do
		[ ! -e "/sys/bus/pci/drivers/vfio-pci/$d" ] ||
			echo "$d" > /sys/bus/pci/drivers/vfio-pci/unbind
	done
	modprobe -r vfio-pci
}
[ ! -e /sys/module/vfio_pci_core ] || fail "vfio-pci-core cannot be unloaded"
policy <<-END
	mode enforce
	default deny
END
daemon
metrics
equal "$(sample 'ncgate_enforcement_grade{grade="hook"}')" 0 "grade before vfio-pci is loaded"
equal "$(sample 'ncgate_program_attached{program="stage2_map"}')" 1 "what needs no module"
vfio_load
hook_attached() { metrics; [ "$(sample 'ncgate_enforcement_grade{grade="hook"}')" = 1 ]; }
wait_for 20 hook_attached
passthrough $bochs
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" kvm-error "denied after a late attach"
saw "module loaded after the program, denied" "$(result a)"
