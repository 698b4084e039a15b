# SPDX-License-Identifier: GPL-2.0-only
# SIGHUP puts a new policy in force for the next mmap; a bad one is refused whole
# and the old one stays.
# kernels: 6.12
passthrough $ivshmem
policy <<-END
	mode enforce
	default deny
END
daemon
guest a --device $ivshmem --bar 2 --store unaligned
equal "$(result a)" kvm-error "denied by default"

policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
kill -HUP "$daemon_pid"
wait_for 10 audit_has '.type == "policy_load" and .generation == 2 and .rules == 1'
guest b --device $ivshmem --bar 2 --store unaligned
equal "$(result b)" ok "allowed after the reload"
end "$guest_pid"

policy <<-END
	mode enforce
	alow 1af4:1110
END
kill -HUP "$daemon_pid"
wait_for 10 audit_has '.type == "policy_refused"'
has "$work/ncgated.log" "policy.conf:2:1: 'alow'"
has "$work/ncgated.log" "the policy in force stays"
metrics
equal "$(sample ncgate_policy_last_reload_successful)" 0 "last reload"
equal "$(sample ncgate_policy_generation)" 2 "generation after a refusal"
guest c --device $ivshmem --bar 2 --store unaligned
equal "$(result c)" ok "still allowed after a refused reload"
wait_for 10 audit_has '.type == "decision" and .policy.generation == 2 and .rule.line == 3'

# A policy whose rules cannot all decide is put in force, and warned of in a few lines.
{
	printf 'mode enforce\ndefault deny\nallow 1af4:1110\n'
	for i in $(seq 12); do echo "deny 1af4:1110 bar=$((i % 6))"; done
} > "$work/policy.conf"
kill -HUP "$daemon_pid"
wait_for 10 audit_has '.type == "policy_load" and .generation == 3'
has "$work/ncgated.log" "policy.conf:4: never decides: $work/policy.conf:3 stands before it"
has "$work/ncgated.log" "2 more rules can never decide; see \`ncgate check $work/policy.conf\`"
equal "$(grep -c 'never decides' "$work/ncgated.log")" 10 "lines about single rules"

# A policy of 65,536 rules is read beside the loop: the daemon answers meanwhile, and what
# was asked for while one was being read is read after it.
large() { # large ANSWER: every rule but the last is for a device that is not there
	printf 'mode enforce\ndefault deny\n'
	awk -v last="$1" 'BEGIN { for (i = 0; i < 65535; i++) printf "deny %04x:%04x\n",
		61440 + i / 256, i % 256; print last " 1af4:1110" }'
}
large deny > "$work/policy.conf"
kill -HUP "$daemon_pid"
metrics
large allow > "$work/policy.new"
mv "$work/policy.new" "$work/policy.conf"
kill -HUP "$daemon_pid"
metrics
wanted=$(sha256sum < "$work/policy.conf")
is_in_force() { [ "$(ncgate status --json | jq -r .policy.sha256)" = "${wanted%% *}" ]; }
wait_for 60 is_in_force
guest d --device $ivshmem --bar 2 --store unaligned
equal "$(result d)" ok "by the last of 65,536 rules"
metrics
equal "$(sample ncgate_policy_last_reload_successful)" 1 "last reload"
equal "$(sample ncgate_policy_rules)" 65536 "rules"
