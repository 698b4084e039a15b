# SPDX-License-Identifier: GPL-2.0-only
# Scrapes without a pause while guests begin, run, end and are killed: each scrape is
# whole, and what it says of a guest is possible. No VM is hidden or unreadable in any
# of its states, none has another type or more memory than it can have.
# kernels: 6.12 7.3 series
passthrough $ivshmem
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
daemon
ram=$((4 << 20))

churn() { # churn ARG...: one guest after the other, until the file is there
	local n=0
	while [ ! -e "$work/enough" ]; do
		n=$((n + 1))
		minivmm --ram-mib 4 --touch-pages 50 "$@" > /dev/null 2>&1 &
		[ $((n % 3)) != 0 ] || kill -KILL $! 2> /dev/null || :
		wait $! 2> /dev/null || :
	done
	echo "$n" >> "$work/churned"
}
churn --store none &
pids="$pids $!"
churn --device $ivshmem --bar 2 --store aligned &
pids="$pids $!"

seen=0
for i in $(seq 50); do
	metrics
	awk -v ram=$ram '
		/^ncgate_guest_tables/ && !/state="(visible|pending)"/ { print; bad = 1 }
		/^ncgate_guests_not_visible/ && $NF > 2 { print; bad = 1 }
		/^ncgate_guest_info/ && /pid="0"/ { print; bad = 1 }
		/^ncgate_guest_stage2_bytes/ && /type="normal_wb"/ && $NF > ram { print; bad = 1 }
		/^ncgate_guest_stage2_bytes/ && /type="normal_nc"/ && $NF > 16777216 { print; bad = 1 }
		/^ncgate_guest_stage2_(bytes|leaves)/ && !/type="normal_(wb|nc)"/ && $NF > 0 { print; bad = 1 }
		/^ncgate_device_stage2_difference_bytes/ && $NF > 0 { print; bad = 1 }
		/^ncgate_mismatches/ && $NF > 0 { print; bad = 1 }
		/^ncgate_guests / && $NF > 2 { print; bad = 1 }
		END { exit bad }' "$work/metrics" || fail "scrape $i says what cannot be"
	[ "$(sample ncgate_guests)" = 0 ] || seen=$((seen + 1))
done
touch "$work/enough"
both_ended() { [ "$(wc -l < "$work/churned")" = 2 ]; }
wait_for 60 both_ended
cat "$work/churned"
echo "guests in $seen of 50 scrapes"
[ $seen -gt 0 ] || fail "no scrape met a guest"
metrics
equal "$(sample ncgate_guests)" 0 "guests after all have ended"
equal "$(sample ncgate_guests_difference)" 0 "guests, by walk and by count"
equal "$(sample ncgate_vms_created_total)" "$(sample ncgate_vms_destroyed_total)" "begun and ended"
