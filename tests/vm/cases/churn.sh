# SPDX-License-Identifier: GPL-2.0-only
# A thousand guests come and go, some with a device, some killed, across two daemons:
# nothing is left of them in any map, and all are counted.
# kernels: 6.12 7.3
# limit: 1500
# alone: it takes minutes, so it is run in a boot of its own and only by its name
guests=$(rounds 1000 100)
passthrough $ivshmem
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
daemon
left() { bpftool -j map dump pinned "/sys/fs/bpf/ncgate/maps/$1" | jq length; }
maps="vm_ids uses recorded vm_notes decided"
none_left() { [ "$(left "$1")" = 0 ]; }
some_left() { [ "$(left "$1")" -gt 0 ]; }

for i in $(seq $guests); do
	if [ $((i % 10)) = 0 ]; then
		minivmm --device $ivshmem --bar 2 --store unaligned > "$work/one.json"
		grep -q '"ok"' "$work/one.json" || fail "guest $i with a device"
	else
		minivmm --store none > "$work/one.json"
	fi
	if [ "$i" = $((guests / 2)) ]; then
		daemon_stop KILL
		daemon
	fi
done
# One that is killed while it runs, and is seen in every map before.
guest killed --device $ivshmem --bar 2 --store unaligned
equal "$(result killed)" ok "the last guest"
for map in $maps; do
	wait_for 10 some_left $map # of a guest that runs
done
kill -KILL "$guest_pid"
wait "$guest_pid" 2> /dev/null || :
for map in $maps; do
	wait_for 60 none_left $map
done
metrics
equal "$(sample ncgate_vms_created_total)" $((guests + 1)) "guests created"
equal "$(sample ncgate_vms_destroyed_total)" $((guests + 1)) "guests destroyed"
equal "$(sample ncgate_guests)" 0 "guests"
! grep '^ncgate_guest_info' "$work/metrics" || fail "a guest is still shown"
