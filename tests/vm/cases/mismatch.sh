# SPDX-License-Identifier: GPL-2.0-only
# What guests have against what the policy says: stale, unexpected and absent are
# found, recorded, and over with their guest. What was decided is known to a daemon
# that starts later; an allowed guest is none of these.
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
passthrough $ivshmem $bochs
guest early --device $bochs --bar 0 --store aligned
equal "$(result early)" ok "a guest before ncgated"
early=$guest_pid
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
daemon
guest granted --device $ivshmem --bar 2 --store unaligned
equal "$(result granted)" ok "the allowed device's guest"
granted=$guest_pid

id() { echo "$1-$(sed 's/.*) //' "/proc/$1/stat" | awk '{ print $20 }')"; }
early_id=$(id $early)
granted_id=$(id $granted)
bytes() { # bytes GUEST DEVICE BAR KIND
	metrics
	sample "ncgate_mismatch_bytes{guest=\"$1\",device=\"$2\",bar=\"$3\",mismatch=\"$4\"}"
}
observed() { # observed GUEST DEVICE BAR TYPE, of the last scrape
	sample "ncgate_device_stage2_bytes{guest=\"$1\",device=\"$2\",bar=\"$3\",type=\"$4\"}"
}
is() { [ -n "$(bytes "$@")" ]; }

wait_for 60 is $early_id $bochs 0 unexpected
equal "$(bytes $early_id $bochs 0 unexpected)" "$(observed $early_id $bochs 0 normal_nc)" \
	"bytes that nobody granted"
metrics
equal "$(sample 'ncgate_mismatches{mismatch="unexpected"}')" 1 "unexpected"
equal "$(sample 'ncgate_mismatches{mismatch="stale"}')" 0 "stale, under the policy that granted"
equal "$(sample 'ncgate_mismatches{mismatch="absent"}')" 0 "absent"
equal "$(audit '.type == "mismatch"' | jq -c '[.mismatch, .guest.pid, .device.slot, .device.bar,
	.verdict, .decided]')" '["unexpected",'$early',"'$bochs'",0,"deny",null]' "the record"

# The programs counted nothing of what was there before them; of the rest, all.
difference() { # difference GUEST DEVICE BAR TYPE, of the last scrape
	sample "ncgate_device_stage2_difference_bytes{guest=\"$1\",device=\"$2\",bar=\"$3\",type=\"$4\"}"
}
equal "$(sample ncgate_guests_difference)" 1 "guests from before the programs"
equal "$(difference $early_id $bochs 0 normal_nc)" "$(observed $early_id $bochs 0 normal_nc)" \
	"bytes that were never counted"
equal "$(difference $granted_id $ivshmem 2 normal_nc)" 0 "what was counted, against the walk"

# A newer policy turns it round, and a newer daemon finds out.
daemon_stop KILL
policy <<-END
	mode enforce
	default deny
	allow 1234:1111
END
daemon
wait_for 60 is $granted_id $ivshmem 2 stale
equal "$(bytes $granted_id $ivshmem 2 stale)" "$(observed $granted_id $ivshmem 2 normal_nc)" \
	"bytes of the older grant"
equal "$(audit '.type == "mismatch" and .mismatch == "stale"' | jq -c '[.guest.pid, .device.slot,
	.verdict, .policy_generation, .decided.verdict, .decided.generation]')" \
	'['$granted',"'$ivshmem'","deny",2,"allow",1]' "the record of the stale one"
metrics
equal "$(sample 'ncgate_mismatches{mismatch="unexpected"}')" 0 "allowed by now"
ncgate status | grep -q "1 mappings keep a Normal-NC" || fail "status does not say so"

# Denied now, then allowed: what is there is not what is allowed.
end $early
end $granted
wait_for 30 audit_has '.type == "mismatch_over" and .mismatch == "stale" and .guest.pid == '$granted
guest denied --device $ivshmem --bar 2 --store aligned
equal "$(result denied)" ok "the denied device's guest"
denied_id=$(id $guest_pid)
walked "$guest_pid"
metrics
equal "$(sample 'ncgate_mismatches{mismatch="stale"}')" 0 "stale after its guest ended"
equal "$(sample ncgate_guests_difference)" 1 "guests that were never seen to begin"
equal "$(difference $denied_id $ivshmem 2 device_nGnRE)" 0 "what is mapped anew, against the walk"
policy <<-END
	mode enforce
	default allow
END
kill -HUP "$daemon_pid"
wait_for 60 is $denied_id $ivshmem 2 absent
equal "$(bytes $denied_id $ivshmem 2 absent)" "$(observed $denied_id $ivshmem 2 device_nGnRE)" \
	"bytes that lack Normal-NC"

# On trial or in audit mode nobody's word is broken.
policy <<-END
	mode audit
	default allow
END
kill -HUP "$daemon_pid"
wait_for 30 audit_has '.type == "mismatch_over" and .mismatch == "absent"'
