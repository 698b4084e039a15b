# SPDX-License-Identifier: GPL-2.0-only
# Another build's programs are pinned. A start that fails half-way does not make them pass
# for this build's; where this build's cannot be attached they go on deciding, and are
# shown as what they are.
# kernels: 6.12
# limit: 400
passthrough $bochs
policy <<-END
	mode enforce
	default deny
END
pins=/sys/fs/bpf/ncgate
program_of() { bpftool -j link show pinned "$pins/links/$1" | jq .prog_id; }
# What is pinned counts as another build's from here on: another digest in `layout`.
of_another_build() {
	local bytes
	bytes=$(bpftool -j map dump pinned $pins/layout | jq -r '.[0].value[:8] | .[][2:]')
	bpftool map update pinned $pins/layout key hex 00 00 00 00 value hex $bytes \
		$(for i in $(seq 32); do printf 'ee '; done)
}
hook_is() { ncgate status --json | jq -c ".programs[] | select(.name == \"decide_hook\") | $1"; }
denied() { # denied NAME
	guest "$1" --device $bochs --bar 0 --store unaligned
	equal "$(result "$1")" kvm-error "denied, $1"
}

daemon
first=$(program_of decide_hook)
daemon_stop KILL

# A build's first start that ends before anything is attached: it may not read the policy
# in force, which needs CAP_SYS_ADMIN.
of_another_build
got=0
timeout 100 setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin ncgated \
	--config "$work/policy.conf" --audit "$work/audit.jsonl" > "$work/half.log" 2>&1 || got=$?
equal "$got" 15 "exit status of a start that fails half-way"
equal "$(program_of decide_hook)" "$first" "what decides after a start that failed"
daemon
second=$(program_of decide_hook)
[ "$second" != "$first" ] || fail "another build's program was taken over as this build's"
equal "$(hook_is '[.state, .adopted, .older_build]')" '["attached",false,false]' "the hook"
daemon_stop
daemon
equal "$(program_of decide_hook)" "$second" "what this build attached itself"
equal "$(hook_is .adopted)" true "taken over by the same build"
daemon_stop

# A link of a name that this build does not know goes once this build decides.
of_another_build
prog=$(program_of vm_create)
mv $pins/links/vm_create $pins/links/of_old
daemon
[ ! -e $pins/links/of_old ] || fail "an unknown link stays"
[ "$(program_of vm_create)" != "$prog" ] || fail "vm_create is the old one"
daemon_stop

# This build's cannot be attached: there is no room on the hook for another program.
of_another_build
second=$(program_of decide_hook)
bpftool prog loadall /ncg/bin/crowd.bpf.o /sys/fs/bpf/crowd autoattach
at_end=disperse # before another case wants to attach something
disperse() { rm -rf /sys/fs/bpf/crowd; }
daemon
metrics
equal "$(program_of decide_hook)" "$second" "what decides"
equal "$(hook_is '[.state, .older_build, .error]')" '["attached",true,"E2BIG"]' "the hook"
equal "$(ncgate status --json | jq -r .grade)" hook "grade of what really decides"
ncgate status | grep -q 'decide_hook.*older build' || fail "status does not name the older build"
equal "$(sample 'ncgate_program_older_build{program="decide_hook"}')" 1 "metric"
equal "$(sample 'ncgate_enforcement_grade{grade="hook"}')" 1 "grade in metrics"
has "$work/ncgated.log" "the one of another build stays attached in its place"
audit_has '.type == "daemon_start" and .programs.decide_hook == "older-build"' ||
	fail "the record of the start does not tell"
denied old
equal "$(audit '.type == "decision"' | wc -l)" 1 "decisions on one mmap"
daemon_stop

# With room for it, this build's takes its place, at a reload as well.
of_another_build
daemon
equal "$(hook_is .older_build)" true "the hook of another build"
disperse
room() { [ "$(bpftool -j link list | jq '[.[] | select(.attach_type == "modify_return")] | length')" = 1 ]; }
wait_for 10 room
kill -HUP "$daemon_pid"
ours() { [ "$(hook_is .older_build)" = false ]; }
wait_for 20 ours
[ "$(program_of decide_hook)" != "$second" ] || fail "the older program stays"
metrics
equal "$(sample 'ncgate_program_older_build{program="decide_hook"}')" 0 "metric afterwards"
denied new
