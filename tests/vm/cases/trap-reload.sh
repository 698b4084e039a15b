# SPDX-License-Identifier: GPL-2.0-only
# A reload goes from `without-hook audit` to trap and back, for the next mmap; guests
# that run keep what they have, and one program decides at any time.
# kernels: 6.12
# hook: no
passthrough $bochs
by() { # by audit|trap GENERATION: puts a policy in force
	policy <<-END
		mode enforce
		default deny
		without-hook $1
	END
	[ -z "$daemon_pid" ] || kill -HUP "$daemon_pid"
	[ -z "$daemon_pid" ] || wait_for 10 audit_has '.type == "policy_load" and .generation == '"$2"
}
grade_is() { metrics; [ "$(sample "ncgate_enforcement_grade{grade=\"$1\"}")" = 1 ]; }
deciders() { ncgate status --json | jq -c '[.programs[] | select(.name | startswith("decide_"))
	| select(.state == "attached") | .name]'; }

by audit 1
daemon
grade_is none || fail "grade with audit"
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" ok "mapped, with audit"
a_pid=$guest_pid

by trap 2
wait_for 10 grade_is trap
equal "$(deciders)" '["decide_trap"]' "who decides with trap"
# The device is taken, so its next guest has to wait for the first one to end.
equal "$(oracle $bochs | memory_types $bochs 0)" '["normal_nc"]' "a guest from before"
equal "$(sample ncgate_bar_mmaps_before_gate)" 1 "mappings before the trap"
end "$a_pid"
guest b --device $bochs --bar 0 --store unaligned
equal "$(result b)" ok "trapped"
has "$work/b.json" '"trapped"'
end "$guest_pid"

by audit 3
wait_for 10 grade_is none
equal "$(deciders)" '["decide_only"]' "who decides with audit again"
guest c --device $bochs --bar 0 --store unaligned
equal "$(grep -c trapped "$work/c.json")" 0 "trapped after going back"

three() { [ "$(audit '.type == "decision"' | wc -l)" = 3 ]; }
wait_for 10 three
equal "$(audit '.type == "decision"' | jq -c '[.policy.generation, .grade]' | tr '\n' ' ')" \
	'[1,"none"] [2,"trap"] [3,"none"] ' "one decision for each mmap"
