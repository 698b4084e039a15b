# SPDX-License-Identifier: GPL-2.0-only
# The trap outlives the daemon, killed as well; the next one takes it over, with no
# decision lost, and steps it back once vfio-pci-core has the hook. --remove-state
# ends it.
# kernels: 6.12 7.3
# hook: no
passthrough $bochs
policy <<-END
	mode enforce
	default deny
	without-hook trap
END
daemon
daemon_stop KILL
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" ok "without a daemon"
has "$work/a.json" '"trapped"'
end "$guest_pid"

daemon
wait_for 10 audit_has '.type == "decision" and .verdict == "deny" and .grade == "trap"'
ncgate status --json > "$work/status"
jq -e '.programs[] | select(.name == "decide_trap") | .state == "attached" and .adopted' \
	"$work/status" || fail "the trap is not taken over"
equal "$(jq -r .grade "$work/status")" trap "grade of a daemon that took over"
! audit_has '.type == "gap"' || fail "a gap was recorded"
daemon_stop

# The hook comes: the trap is still pinned when the next daemon starts.
detach_all_but decide_trap
vfio_unload
at_end=vfio_unload # other cases of this boot want the stock module
modprobe vfio_iommu_type1
for m in $(modinfo -F depends vfio-pci-core | tr , ' '); do
	modprobe "$m"
done
insmod /ncg/hook.ko
hooked || fail "the module has no hook"
passthrough $bochs
daemon
equal "$(ncgate status --json | jq -c '[.grade, (.programs[] | select(.name == "decide_trap") | .state)]')" \
	'["hook","not-needed"]' "with the hook"
[ ! -e /sys/fs/bpf/ncgate/links/decide_trap ] || fail "the trap is still pinned"
guest b --device $bochs --bar 0 --store aligned
equal "$(grep -c trapped "$work/b.json")" 0 "trapped with the hook"
equal "$(oracle $bochs | memory_types $bochs 0)" '["device_nGnRE"]' "denied by the hook"
end "$guest_pid"
daemon_stop

ncgated --remove-state
guest c --device $bochs --bar 0 --store unaligned
equal "$(result c)" ok "after --remove-state"
equal "$(grep -c trapped "$work/c.json")" 0 "trapped after --remove-state"
end "$guest_pid"
