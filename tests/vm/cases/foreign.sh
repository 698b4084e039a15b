# SPDX-License-Identifier: GPL-2.0-only
# Another tool's program on the hook: asked before ncgate's it grants what ncgate denies,
# and status, doctor, metrics, log and trail name it while it is there; asked after
# ncgate's it changes nothing.
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
passthrough $bochs $ivshmem
policy <<-END
	mode enforce
	default deny
END

# attach NAME: as another tool would; detach NAME: until it is gone.
attach() {
	bpftool prog load "/ncg/bin/foreign-$1.bpf.o" "/sys/fs/bpf/foreign-$1" autoattach \
		> "$work/bpftool.log" 2>&1 || { cat "$work/bpftool.log" >&2; fail "$1 cannot be attached"; }
}
detach() { rm "/sys/fs/bpf/foreign-$1"; }
take_away() { rm -f /sys/fs/bpf/foreign-*; }
at_end=take_away

# foreign: the programs of others in status, as [name, when asked].
foreign() { ncgate status --json | jq -c '[.foreign_programs[] | [.program, .asked]]'; }
shows() { [ "$(foreign)" = "$1" ]; }
count_is() { metrics; [ "$(sample ncgate_hook_foreign_programs)" = "$1" ]; }
# records TYPE: how many records of a foreign program there are.
records() { audit '.type == "'"$1"'"' | wc -l; }

# What ncgate denies is denied, and nobody else is there.
daemon
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" kvm-error "denied, and nobody else on the hook"
equal "$(foreign)" '[]' "programs of others, at first"
count_is 0 || fail "the metric is not 0 at first"
# Who only looks on does not answer.
attach watch
equal "$(foreign)" '[]' "with a program that looks on"
detach watch

# The newest is asked first: ncgate's denial is not even asked for.
attach grant
wait_for 30 audit_has '.type == "foreign_program"' # without a question or a scrape
equal "$(foreign)" '[["foreign_grant","before"]]' "a program that came later"
count_is 1 || fail "the metric does not count it"
id=$(ncgate status --json | jq '.foreign_programs[0].program_id')
equal "$(bpftool -j prog show id "$id" | jq -r .name)" foreign_grant "the program of that id"
equal "$(ncgate status --json | jq -c '.foreign_programs[0] | [.tag, .uid]')" \
	"$(bpftool -j prog show id "$id" | jq -c '[.tag, .uid]')" "its tag and who loaded it"
equal "$(audit '.type == "foreign_program"' | jq -c '[.program, .program_id, .asked]')" \
	'["foreign_grant",'"$id"',"before"]' "the record"
[ -n "$(sample "ncgate_hook_foreign_program_info{program=\"foreign_grant\",id=\"$id\",tag=\"$(
	bpftool -j prog show id "$id" | jq -r .tag)\",link=\"$(
	bpftool -j link show | jq ".[] | select(.prog_id == $id) | .id")\",asked=\"before\"}")" ] ||
	fail "the metric does not name it"
ncgate status > "$work/status"
has "$work/status" "foreign program 'foreign_grant' (id $id"
ncgate doctor --policy "$work/policy.conf" --hazards /ncg/hazards.conf > "$work/doctor" || :
has "$work/doctor" "'foreign_grant' (id $id"
has "$work/ncgated.log" "'foreign_grant' (id $id"
guest b --device $bochs --bar 0 --store unaligned
equal "$(result b)" ok "denied by ncgate, granted by another"
wait_for 10 audit_has '.type == "bar_mmap" and .guest.name == "b" and .granted'
equal "$(audit '.type == "decision" and .guest.name == "b"')" "" "decisions of ncgate about it"
end "$guest_pid"

# A newer daemon is no newer program; one that attaches its own anew is.
daemon_stop
daemon
equal "$(foreign)" '[["foreign_grant","before"]]' "after ncgated's restart"
daemon_stop
ncgated --remove-state
daemon
equal "$(foreign)" '[["foreign_grant","after"]]' "a program that was there first"
guest c --device $bochs --bar 0 --store unaligned
equal "$(result c)" kvm-error "denied by ncgate, which is asked first"

# It goes, and all say so, once.
had=$(records foreign_program)
detach grant
wait_for 30 shows '[]'
count_is 0 || fail "the metric does not forget it"
equal "$(records foreign_program)" "$had" "records of programs that came"
equal "$(records foreign_program_gone)" 1 "records of programs that went"
has "$work/ncgated.log" "'foreign_grant' (link"
ncgate doctor --json --policy "$work/policy.conf" --hazards /ncg/hazards.conf > "$work/doctor" || :
equal "$(jq -r '.checks[] | select(.check == "hook users") | .state' "$work/doctor")" found \
	"doctor, once it is gone"
guest d --device $bochs --bar 0 --store unaligned
equal "$(result d)" kvm-error "denied once the other is gone"
