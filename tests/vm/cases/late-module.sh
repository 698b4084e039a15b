# SPDX-License-Identifier: GPL-2.0-only
# vfio-pci loaded after ncgated: the hook is attached once it is there.
# kernels: 6.12 6.12-16k 7.3 series
vfio_unload # another case of this boot may have loaded it
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
