# SPDX-License-Identifier: GPL-2.0-only
# The wall clock is set back while a guest runs, and once more while no daemon does: the
# trail says so each time, before anything has a time of the new clock, and who had what is
# answered by either clock.
# kernels: 6.12 7.3
passthrough $ivshmem
policy <<-END
	mode enforce
	default allow
END
booted=$(($(date +%s) - $(cut -d . -f 1 /proc/uptime)))
right_clock() { date -s "@$((booted + $(cut -d . -f 1 /proc/uptime)))" > /dev/null; }
at_end=right_clock
set_clock() { date -s "@$(($(date +%s) + $1))" > /dev/null; } # set_clock SECONDS: by so much
# In tens of seconds: date(1) sets whole ones.
moves() { audit '.type == "clock_changed"' | jq -s -c 'map(.moved_by_ns / 1e10 | round * 10)'; }
moves_are() { [ "$(moves)" = "$1" ]; }
had() {
	ncgate audit --audit "$work/audit.jsonl" --had normal_nc --json "$@" 2>> "$work/ncgate.err" |
		jq -r '[.had[].guest.name] | join(" ")'
}
hour() { date -u -d "@$(($(date +%s) + $1))" +%FT%TZ; } # hour SECONDS: so far from now

daemon
guest a --device $ivshmem --bar 2 --store unaligned
a=$guest_pid
equal "$(result a)" ok "allowed"
wait_for 10 audit_has '.type == "stage2_first" and .guest.name == "a"'
before="--since $(hour 0) --until $(hour 60)"
set_clock -7200
wait_for 10 moves_are '[-7200]' # by the daemon itself: nothing else happens
equal "$(moves)" '[-7200]' "the clock is set back once"
end "$a"
wait_for 10 audit_has '.type == "vm_destroy" and .guest.name == "a"'

# It ends before it begins, and is found by every time at which it was there.
equal "$(had)" a "without a time"
equal "$(had --since "$(hour -1)" --until "$(hour 60)")" a "by the clock as it is now"
equal "$(had $before)" a "by what it showed before"
equal "$(had --since "$(hour 600)" --until "$(hour 1200)")" "" "while it showed neither"
equal "$(had --until "$(hour -3600)")" "" "before all that"

daemon_stop KILL
set_clock 3600
daemon
wait_for 10 moves_are '[-7200,3600]'
daemon_stop
daemon
daemon_stop
equal "$(moves)" '[-7200,3600]' "told once"
# In the order of the file nothing has a time of the new clock before that is said.
jq -s -c '[.[] | .time[0:19] + "Z" | fromdateiso8601] as $t | [.[].type] as $types |
	[range(1; length) | select((($t[.] - $t[. - 1]) | fabs) > 1000) | $types[.]]' \
	"$work/audit.jsonl" > "$work/jumps"
equal "$(cat "$work/jumps")" '["clock_changed","clock_changed"]' "where times jump"
whole_trail
