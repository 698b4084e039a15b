# SPDX-License-Identifier: GPL-2.0-only
# Another vfio-pci-core takes the place of the one that has no hook, between two looks of
# a running daemon: the hook is attached to it all the same, and denies.
# kernels: 6.12 7.3
# hook: no
passthrough $bochs
policy <<-END
	mode enforce
	default deny
END
daemon
hook_state() { ncgate status --json | jq -r '.programs[] | select(.name == "decide_hook") | .state'; }
equal "$(hook_state)" failed "the hook, with a module that has none"
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" ok "nothing enforces yet"
end "$guest_pid"
# The kernel lets go of it in its own time.
wait_for 10 unheld

at_end=vfio_unload # other cases of this boot want the stock module
kill -STOP "$daemon_pid"
rmmod vfio-pci vfio-pci-core
insmod /ncg/hook.ko
modprobe vfio-pci
kill -CONT "$daemon_pid"
hooked || fail "the module has no hook"
passthrough $bochs
hook_attached() { [ "$(hook_state)" = attached ]; }
wait_for 30 hook_attached
equal "$(ncgate status --json | jq -r .grade)" hook "grade"
guest b --device $bochs --bar 0 --store unaligned
equal "$(result b)" kvm-error "denied"

# Attached, it holds the module: nobody takes the gate away by that.
! rmmod vfio-pci vfio-pci-core 2> "$work/held.err" || fail "the module went with the hook"
daemon_stop
ncgated --remove-state
