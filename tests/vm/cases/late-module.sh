# SPDX-License-Identifier: GPL-2.0-only
# vfio-pci loaded after ncgated: the hook is attached once it is there. A VMM that loads it
# by itself and is quicker than the daemon is not ahead of the gate: until then the BAR
# mmaps of a denied device are refused, those of an allowed one are not.
# kernels: 6.12 6.12-16k 7.3 series
vfio_unload # another case of this boot may have loaded it
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
daemon
metrics
equal "$(sample 'ncgate_enforcement_grade{grade="hook"}')" 0 "grade before vfio-pci is loaded"
equal "$(sample 'ncgate_program_attached{program="stage2_map"}')" 1 "what needs no module"
equal "$(sample 'ncgate_enforcement_grade{grade="trap"}')" 1 "grade until it is"
equal "$(sample ncgate_bar_mmaps_before_gate)" 0 "mappings before the gate, without vfio"
ncgate status | grep -q "not loaded; until it is known" || fail "status does not say what it waits for"

# The daemon does not get to look.
kill -STOP "$daemon_pid"
passthrough $bochs $ivshmem
guest early --device $ivshmem --bar 2 --device $bochs --bar 0 --store unaligned
equal "$(result early)" ok "quicker than the daemon"
equal "$(grep -c trapped "$work/early.json")" 1 "devices that are trapped"
has "$work/early.json" "$bochs"
equal "$(oracle $ivshmem | memory_types $ivshmem 2)" '["normal_nc"]' "the allowed one"
equal "$(oracle $bochs | memory_types $bochs 0)" '[]' "the denied one"
end "$guest_pid"
kill -CONT "$daemon_pid"

hook_attached() { metrics; [ "$(sample 'ncgate_enforcement_grade{grade="hook"}')" = 1 ]; }
wait_for 20 hook_attached
passthrough $bochs
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" kvm-error "denied after a late attach"
saw "module loaded after the program, denied" "$(result a)"
wait_for 10 audit_has '.type == "decision" and .grade == "trap" and .verdict == "deny"'
