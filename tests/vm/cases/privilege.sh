# SPDX-License-Identifier: GPL-2.0-only
# The capabilities that the unit leaves are enough, on a host that hides kernel
# addresses and restricts BPF as Debian does; without CAP_SYSLOG the walk says what
# it misses and the rest goes on.
# kernels: 6.12
passthrough $ivshmem
policy <<-END
	mode enforce
	default deny
END
caps=$(sed -n 's/^CapabilityBoundingSet=//p' /ncg/ncgated.service | tr 'A-Z' 'a-z' |
	sed 's/cap_/+/g; s/ /,/g')
[ -n "$caps" ] || fail "the unit names no capabilities"
echo 3 > /proc/sys/kernel/perf_event_paranoid
echo 1 > /proc/sys/kernel/kptr_restrict
args="--config $work/policy.conf --audit $work/audit.jsonl --listen 127.0.0.1:9188"
answers() { busybox wget -q -O /dev/null "$url/"; }

setpriv --bounding-set="-all,$caps" --inh-caps=-all ncgated $args >> "$work/ncgated.log" 2>&1 &
daemon_pid=$!
pids="$pids $daemon_pid"
wait_for 40 answers
guest a --device $ivshmem --bar 2 --store aligned
walked "$guest_pid"
equal "$(ncgate guests --json | jq -c '[.guests[].devices[].type]')" '["device_nGnRE"]' \
	"what the walk shows with the unit's capabilities"
equal "$(ncgate status --json | jq -r .grade)" hook "grade with the unit's capabilities"
end "$guest_pid"
daemon_stop
ncgated --remove-state

setpriv --bounding-set="-all,$(echo "$caps" | sed 's/,+syslog//')" --inh-caps=-all \
	ncgated $args > "$work/second.log" 2>&1 &
daemon_pid=$!
pids="$pids $daemon_pid"
wait_for 40 answers
has "$work/second.log" "CAP_SYSLOG is needed"
metrics
equal "$(sample ncgate_guests)" "" "guests where they cannot be seen"
equal "$(sample 'ncgate_enforcement_grade{grade="hook"}')" 1 "grade without the walk"
echo 0 > /proc/sys/kernel/kptr_restrict
