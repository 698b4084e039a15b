# SPDX-License-Identifier: GPL-2.0-only
# Without the hook and with `without-hook trap`: a denied device's BAR is not mapped
# at all, so its guest's accesses trap and even an unaligned store works; an allowed
# one of the same guest is Normal-NC. One decision for each; all say grade trap.
# kernels: 6.12 6.12-16k 7.3
# hook: no
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	without-hook trap
	allow 1af4:1110 slot=$ivshmem
END
daemon
metrics
equal "$(sample 'ncgate_enforcement_grade{grade="trap"}')" 1 "grade"
equal "$(sample 'ncgate_program_attached{program="decide_trap"}')" 1 "decide_trap"
equal "$(sample 'ncgate_program_attached{program="decide_only"}')" 0 "decide_only"

guest a --device $ivshmem --bar 2 --device $bochs --bar 0 --store unaligned
equal "$(result a)" ok "unaligned stores to both devices"
equal "$(grep trapped "$work/a.json")" '{"trapped":"'$bochs'","bar":0,"errno":1}' "what is trapped"
oracle $ivshmem > "$work/seen"
equal "$(memory_types $ivshmem 2 < "$work/seen")" '["normal_nc"]' "allowed device, by the oracle"
equal "$(memory_types $bochs 0 < "$work/seen")" '[]' "denied device, by the oracle"
walked "$guest_pid"
ncgate devices --json > "$work/devices"
jq -e '.devices[] | select(.device == "'$ivshmem'") | .bars[] | select(.bar == 2)
	| .guests[0].type == "normal_nc"' "$work/devices" || fail "the allowed BAR is not shown"
jq -e '.devices[] | select(.device == "'$bochs'") | .bars[] | select(.bar == 0)
	| .verdict == "deny" and .guests == []' "$work/devices" || fail "the denied BAR is not shown"

decided() { audit '.type == "decision" and .device.slot == "'"$1"'"' |
	jq -c '[.verdict, .reason, .mode, .grade, .device.bar, .length, .guest.pid]'; }
both_decided() { [ -n "$(decided $ivshmem)" ] && [ -n "$(decided $bochs)" ]; }
wait_for 10 both_decided
equal "$(decided $ivshmem)" '["allow","rule","enforce","trap",2,16777216,'$guest_pid']' "allowed"
equal "$(decided $bochs)" '["deny","default","enforce","trap",0,16777216,'$guest_pid']' "denied"
equal "$(audit '.type == "bar_mmap"' | jq -c '[.device.slot, .granted]')" \
	'["'$ivshmem'",true]' "what the driver saw"
equal "$(ncgate status --json | jq -r .grade)" trap "grade in status"
equal "$(audit '.type == "daemon_start"' | jq -r .grade)" trap "grade in the audit trail"
