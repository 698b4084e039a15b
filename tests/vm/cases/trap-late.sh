# SPDX-License-Identifier: GPL-2.0-only
# vfio-pci loaded after ncgated: the trap stands already. The programs hold vfio-pci-core,
# so it stays where it is while they are attached; without them it can be loaded anew, and
# the trap alone, with no daemon, knows its files as before.
# kernels: 6.12 7.3
# hook: no
vfio_unload # another case of this boot may have loaded it
policy <<-END
	mode enforce
	default deny
	without-hook trap
	allow 1af4:1110
END
daemon
metrics
equal "$(sample 'ncgate_enforcement_grade{grade="trap"}')" 1 "grade before vfio-pci is loaded"
vfio_load
observed() { metrics; [ "$(sample 'ncgate_program_attached{program="bar_mmap"}')" = 1 ]; }
wait_for 20 observed
equal "$(sample 'ncgate_enforcement_grade{grade="trap"}')" 1 "grade after vfio-pci is loaded"
equal "$(sample ncgate_bar_mmaps_before_gate)" 0 "mappings before the gate"

trapped() { # trapped NAME
	passthrough $bochs $ivshmem
	guest "$1" --device $ivshmem --bar 2 --device $bochs --bar 0 --store unaligned
	equal "$(result "$1")" ok "guest $1"
	equal "$(grep -c trapped "$work/$1.json")" 1 "devices that are trapped"
	has "$work/$1.json" "$bochs"
	end "$guest_pid"
}
trapped a

where() { grep ' vfio_device_fops\b' /proc/kallsyms; }
where > "$work/first"
! modprobe -r vfio_pci_core 2> "$work/held.err" || fail "vfio-pci-core went with programs attached"
daemon_stop KILL
detach_all_but decide_trap
vfio_unload
vfio_load
where > "$work/second"
cat "$work/first" "$work/second"
trapped b
