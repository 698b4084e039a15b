# SPDX-License-Identifier: GPL-2.0-only
# Neither the metrics' address, nor the command's socket, nor the audit trail keeps the
# gate from standing; each is there as soon as it can be had.
# kernels: 6.12
passthrough $bochs
policy <<-END
	mode enforce
	default deny
END
address=192.0.2.7 # RFC 5737: no interface has it
at_end=address_away
address_away() { ip addr del $address/32 dev lo 2> /dev/null || :; }
mkdir "$work/run"
: > "$work/run/control.sock" # not a socket
ncgated --config "$work/policy.conf" --audit "$work/trail/audit.jsonl" --hazards "$hazards_conf" \
	--listen $address:9188 --control "$work/run/control.sock" > "$work/ncgated.log" 2>&1 &
daemon_pid=$!
pids="$pids $daemon_pid"
stands() { grep -q "enforcement grade: hook" "$work/ncgated.log"; }
wait_for 60 stands
grep "metrics cannot be served at $address:9188" "$work/ncgated.log" | grep -q EADDRNOTAVAIL ||
	fail "the address is not said to be missing"
grep "cannot be served at $work/run/control.sock" "$work/ncgated.log" | grep -q EEXIST ||
	fail "the socket is not said to be something else"
has "$work/ncgated.log" "$work/trail/audit.jsonl cannot be written"
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" kvm-error "denied"

ip addr add $address/32 dev lo
serves() { busybox wget -q -O "$work/metrics" "http://$address:9188/metrics"; }
wait_for 30 serves
equal "$(sample 'ncgate_enforcement_grade{grade="hook"}')" 1 "grade"
rm "$work/run/control.sock"
answers() { ncgate --control "$work/run/control.sock" status --json > "$work/status"; }
wait_for 30 answers
equal "$(grep -c 'cannot be served' "$work/ncgated.log")" 2 "how often that was said"
mkdir "$work/trail"
in_trail() { [ -n "$(jq -c "select($1)" "$work/trail/audit.jsonl" 2> /dev/null)" ]; }
wait_for 30 in_trail '.type == "gap" and .cause == "not_written"'
daemon_stop
cp "$work/trail/audit.jsonl" "$work" # where the runner finds it
