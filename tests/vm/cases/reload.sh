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
