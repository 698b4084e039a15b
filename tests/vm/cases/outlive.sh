# SPDX-License-Identifier: GPL-2.0-only
# What is attached outlives the daemon: killed, it goes on deciding, events wait,
# and the next daemon takes over with no record missing and none twice.
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
daemon
guest a --device $ivshmem --bar 2 --store unaligned
equal "$(result a)" ok "allowed, with the daemon"
end "$guest_pid"
daemon_stop KILL

guest b --device $bochs --bar 0 --store unaligned
equal "$(result b)" kvm-error "denied, without a daemon"
guest c --device $ivshmem --bar 2 --store unaligned
equal "$(result c)" ok "allowed, without a daemon"
end "$guest_pid"
! audit_has '.type == "decision" and .verdict == "deny"' || fail "recorded by nobody"

daemon
wait_for 10 audit_has '.type == "decision" and .verdict == "deny" and .device.slot == "'$bochs'"'
ncgate status --json > "$work/status.json"
equal "$(jq -c '[.programs[] | select(.state == "attached") | .adopted] | unique' "$work/status.json")" \
	'[true]' "programs taken over"
equal "$(jq '.policy.generation' "$work/status.json")" 1 "generation of an unchanged policy"

# From the first event to the last, each number once.
audit '.seq' > "$work/events"
jq .seq "$work/events" | sort -n > "$work/seqs"
seq 1 "$(tail -n 1 "$work/seqs")" | diff - "$work/seqs" || fail "event numbers have gaps or repeats"
! audit_has '.type == "gap"' || fail "a gap was recorded"

daemon_stop
equal "$(tail -n 1 "$work/audit.jsonl" | jq -r .type)" daemon_stop "last record after SIGTERM"
[ -e /sys/fs/bpf/ncgate/links/decide_hook ] || fail "the decision did not outlive SIGTERM"

ncgated --remove-state
[ ! -e /sys/fs/bpf/ncgate ] || fail "state is left after --remove-state"
guest d --device $bochs --bar 0 --store unaligned
equal "$(result d)" ok "the kernel's default, after --remove-state"
