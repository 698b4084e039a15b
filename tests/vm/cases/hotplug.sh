# SPDX-License-Identifier: GPL-2.0-only
# A device that is plugged in while ncgated runs is decided by the policy in force,
# shown by `ncgate devices`, and gone from there when it is pulled out.
# kernels: 6.12 7.3
# hook: yes no
vfio_load
policy <<-END
	mode enforce
	default deny
	without-hook trap
	allow 1af4:1110
END
daemon
equal "$(oracle plug)" '{}' "plugging in"
port=/sys/bus/pci/devices/0000:00:09.0
plugged() { ls -d $port/????:??:00.0/resource2; }
wait_for 60 plugged
new=$(basename "$(dirname "$(plugged)")")
passthrough $new
shown() { ncgate devices --json | jq -c --arg d "$new" \
	'.devices[] | select(.device == $d) | .bars[] | select(.bar == 2)
	| [.verdict, .guests[].type]'; }
equal "$(shown)" '["deny"]' "what ncgate devices says of a new device"

guest a --device $new --bar 2 --store aligned
equal "$(result a)" ok "a new device, denied"
if hooked; then
	equal "$(oracle $new | memory_types $new 2)" '["device_nGnRE"]' "denied by the hook"
else
	has "$work/a.json" '"trapped":"'$new'"'
fi
end "$guest_pid"
wait_for 10 audit_has '.type == "decision" and .verdict == "deny" and .device.slot == "'$new'"'

echo "allow 1b36:0010 slot=$new" >> "$work/policy.conf"
kill -HUP "$daemon_pid"
wait_for 10 audit_has '.type == "policy_load" and .generation == 2'
guest b --device $new --bar 2 --store aligned
equal "$(result b)" ok "a new device, allowed"
equal "$(grep -c trapped "$work/b.json")" 0 "trapped, allowed"
equal "$(oracle $new | memory_types $new 2)" '["normal_nc"]' "a new device, by the oracle"
walked "$guest_pid"
equal "$(shown)" '["allow","normal_nc"]' "what ncgate devices says of it in use"
end "$guest_pid"

echo $new > /sys/bus/pci/drivers/vfio-pci/unbind
equal "$(oracle unplug)" '{}' "pulling out"
gone() { ! plugged; }
wait_for 60 gone
equal "$(ncgate devices --json | jq -c --arg d "$new" '[.devices[] | select(.device == $d)]')" \
	'[]' "what ncgate devices says of a device that is gone"
