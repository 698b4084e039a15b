# SPDX-License-Identifier: GPL-2.0-only
# The records in their other places, with the real programs: journald has each one with
# its fields, and auditd's log has what became of guests and devices, as ausearch and
# auvirt show it.
# needs: auvirt
# kernels: 6.12 7.3
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END

# As systemd would start them. What they leave would keep later cases busy.
no_sinks() {
	auditctl -e 0 > /dev/null
	rm -rf /run/systemd /run/log/journal /etc/machine-id
}
at_end=no_sinks
mkdir -p /run/systemd/journal /run/log/journal
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
/usr/lib/systemd/systemd-journald > "$work/journald.log" 2>&1 &
pids="$pids $!"
mkdir -p "$work/auditd/plugins.d"
log=$work/auditd/audit.log
cat > "$work/auditd/auditd.conf" <<-END
	local_events = yes
	write_logs = yes
	log_file = $log
	log_group = root
	log_format = RAW
	flush = SYNC
	priority_boost = 0
	max_log_file_action = IGNORE
	space_left = 2
	space_left_action = IGNORE
	admin_space_left = 1
	admin_space_left_action = IGNORE
	plugin_dir = $work/auditd/plugins.d
END
auditd -n -c "$work/auditd" > "$work/auditd.log" 2>&1 &
auditd=$!
pids="$pids $auditd"
audited() { auditctl -s | grep -qx "enabled 1" && auditctl -s | grep -qx "pid $auditd"; }
wait_for 30 audited
wait_for 30 test -S /run/systemd/journal/socket

daemon
! grep -q "no journal\|gets no records" "$work/ncgated.log" || fail "a sink is not there"
guest a --device $ivshmem --bar 2 --store unaligned
a=$guest_pid
guest 'b "quoted"' --device $bochs --bar 0 --store unaligned
equal "$(result a)" ok "allowed"
end "$a"
wait_for 10 audit_has '.type == "vm_destroy" and .guest.name == "a"'
metrics
for sink in journal kernel; do
	equal "$(sample "ncgate_audit_sink_errors_total{sink=\"$sink\"}")" 0 "what the $sink missed"
done
daemon_stop

# The journal has every record as it stands in the trail, and its parts as fields.
journal() { journalctl --no-pager -q -o json "$@"; }
in_journal() {
	journal SYSLOG_IDENTIFIER=ncgated > "$work/journal"
	[ "$(grep -c NCGATE_RECORD "$work/journal")" = "$(wc -l < "$work/audit.jsonl")" ]
}
wait_for 20 in_journal
jq -r 'select(.NCGATE_RECORD).NCGATE_RECORD' "$work/journal" | diff "$work/audit.jsonl" - >&2 ||
	fail "the journal's records are others"
equal "$(journal NCGATE_TYPE=decision NCGATE_VERDICT=allow | jq -r '[.NCGATE_GUEST_NAME,
	.NCGATE_DEVICE, .NCGATE_BAR, .NCGATE_RULE_LINE, .NCGATE_POLICY_GENERATION, .NCGATE_GRADE,
	._PID] | join(" ")')" \
	"a $ivshmem 2 3 1 hook $(audit '.type == "daemon_start"' | jq .pid)" "fields of a decision"
equal "$(journal NCGATE_TYPE=stage2_first NCGATE_DEVICE=$bochs | jq -r .MESSAGE)" \
	"b \"quoted\": device_nGnRE mapping of $bochs BAR 0" "a sentence"
equal "$(journal NCGATE_GUEST_NAME=a NCGATE_MEMORY_TYPE=normal_nc |
	jq -r '.NCGATE_TYPE + " " + .PRIORITY')" "stage2_first 6" "a search by memory type"

# The audit subsystem: a decision, a mapping and an end of each guest, by auditd's log.
search() { ausearch -if "$log" -m VIRT_RESOURCE "$@" < /dev/null 2>> "$work/ausearch.err"; }
found() { search "$@" | grep -c '^type=VIRT_RESOURCE'; }
six() { [ "$(found)" = 6 ]; }
wait_for 20 six
equal "$(found -sv no)" 1 "what failed"
search -sv no --raw > "$work/failed"
has "$work/failed" "resrc=dev reason=decide"
has "$work/failed" "verdict=deny mode=enforce grade=hook generation=1"
has "$work/failed" "device=\"$bochs\""
equal "$(found -vm a)" 3 "what is about one guest, by its name"
search -i -vm 'b "quoted"' > "$work/quoted"
has "$work/quoted" "vm=b \"quoted\""
search --raw -vm a > "$work/of_a"
has "$work/of_a" "resrc=dev reason=decide vm=\"a\""
has "$work/of_a" "old-mem=? new-mem=normal_nc:$ivshmem:2"
has "$work/of_a" "old-mem=normal_nc:$ivshmem:2 new-mem=?"
has "$work/of_a" "exe=\"/ncg/bin/ncgated\""
equal "$(search -x /ncg/bin/ncgated | grep -c '^type=VIRT_RESOURCE')" 6 "by who told it"
auvirt() { LD_LIBRARY_PATH=/ncg/auvirt /ncg/auvirt/auvirt --file "$log" "$@"; }
auvirt --all-events > "$work/auvirt"
cat "$work/auvirt"
# From the map to the end of the VM, what of which BAR.
shown() { tr -s ' \t' ' ' < "$work/auvirt" | grep -Eq "^resrc $1 root .* - .*mem map $2\$"; }
shown a "normal_nc:$ivshmem:2" || fail "auvirt does not show what was allowed"
shown 'b "quoted"' "device_nGnRE:$bochs:0" || fail "auvirt does not show what was denied"
auvirt --all-events --vm a > "$work/auvirt"
equal "$(grep -c . "$work/auvirt")" 1 "what auvirt shows of one guest"
