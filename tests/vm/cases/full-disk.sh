# SPDX-License-Identifier: GPL-2.0-only
# The disk of the trail is full: the gate decides as before, and what cannot be recorded
# is counted. Once there is room the trail says what is missing, and tells what that hid;
# and what is said only once, of policies and of what the looks at guests find, is there.
# kernels: 6.12 6.12-16k 7.3 series
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
mkdir "$work/disk"
mount -t tmpfs -o size=1m trail "$work/disk"
ln -s disk/audit.jsonl "$work/audit.jsonl"
daemon --audit "$work/disk/audit.jsonl"
guest before --device $bochs --bar 0 --store aligned
equal "$(result before)" ok "a guest before"
wait_for 10 audit_has '.type == "stage2_first" and .guest.pid == '$guest_pid
end "$guest_pid"
wait_for 10 audit_has '.type == "vm_destroy"'

errors() { metrics; sample ncgate_audit_write_errors_total; }
errors_are() { [ "$(errors)" -ge "$1" ]; }
! cat /dev/zero > "$work/disk/fill" 2> /dev/null || fail "the disk takes everything"
# The trail's last page has room yet: until it takes not even the record of a reload.
generation=1
generation_is() { metrics; [ "$(sample ncgate_policy_generation)" = "$1" ]; }
until errors_are 1; do
	[ "$generation" -lt 100 ] || fail "there is always room" # some 50 in a page of 16 KiB
	echo "# $generation" >> "$work/policy.conf"
	kill -HUP "$daemon_pid"
	wait_for 10 generation_is $((generation += 1))
done
already=$(errors)
guest full --device $ivshmem --bar 2 --store unaligned
full=$guest_pid
equal "$(result full)" ok "allowed, with a full disk"
equal "$(oracle $ivshmem | memory_types $ivshmem 2)" '["normal_nc"]' "by the oracle"
guest denied --device $bochs --bar 0 --store unaligned
equal "$(result denied)" kvm-error "denied, with a full disk"
wait_for 10 errors_are $((already + 4)) # a decision, a BAR mmap, first mappings
! audit_has '.type == "stage2_first" and .guest.pid == '$full || fail "recorded on a full disk"
has "$work/ncgated.log" "cannot be written; records are lost"

# Found by looks while nothing can be written: what that guest has is denied by now.
sed -i 's/^allow/deny/' "$work/policy.conf"
kill -HUP "$daemon_pid"
wait_for 10 generation_is $((generation += 1))
stale_is() { metrics; [ "$(sample 'ncgate_mismatches{mismatch="stale"}')" = "$1" ]; }
wait_for 30 stale_is 1

rm "$work/disk/fill"
wait_for 30 audit_has '.type == "gap" and .cause == "not_written"'
wait_for 30 audit_has '.type == "found_mapped" and .guest.pid == '$full'
	and .device.slot == "'$ivshmem'" and .memory_type == "normal_nc"'
wait_for 30 audit_has '.type == "mismatch" and .mismatch == "stale" and .guest.pid == '$full
equal "$(audit '.type == "mismatch"' | wc -l)" 1 "the mismatch"
equal "$(audit '.type == "policy_load"' | jq -s 'map(.generation) == [range(1; '$((generation + 1))')]')" \
	true "every policy that was in force"
# Those before the guests were all of policies; of those after, two were kept.
equal "$(audit '.type == "gap"' | jq .lost | jq -s add)" $(($(errors) - already - 2)) \
	"records that are missing"
equal "$(audit '.type == "gap"' | jq -c '[.cause, .since <= .until]' | sort -u)" \
	'["not_written",true]' "what the gaps say"
end "$full"
wait_for 30 audit_has '.type == "vm_destroy" and .guest.pid == '$full'
	and .mapped[0].memory_type == "normal_nc"'
daemon_stop
whole_trail
