# SPDX-License-Identifier: GPL-2.0-only
# A grant that is inherited, on a kernel without the hook: fork hands it on, and nobody is
# asked. It is Normal-NC that the policy denies to who has it and that no decision granted
# him: in log, trail and metrics as unexpected, until the guest ends. The same without the
# fork is none.
# kernels: 6.12 6.12-16k 7.3
# hook: no
passthrough $ivshmem
policy <<-END
	mode enforce
	default deny
	without-hook trap
	allow 1af4:1110 uid=0
END
daemon
unexpected() {
	metrics
	sample 'ncgate_mismatches{mismatch="unexpected"}'
}

guest own --device $ivshmem --bar 2 --store unaligned
equal "$(result own)" ok "an allowed task's guest"
walked "$guest_pid"
equal "$(unexpected)" 0 "what an allowed task's guest has"
end "$guest_pid"

guest child --inherit 65534 --device $ivshmem --bar 2 --store unaligned
equal "$(result child)" ok "an unaligned store of the child's guest"
equal "$(oracle $ivshmem | memory_types $ivshmem 2)" '["normal_nc"]' "what the child's guest has"
child=$(child_of child)
id="$child-$(sed 's/.*) //' "/proc/$child/stat" | awk '{ print $20 }')"
walked "$child"
equal "$(unexpected)" 1 "what nobody granted the child"
bytes=$(sample "ncgate_device_stage2_bytes{guest=\"$id\",device=\"$ivshmem\",bar=\"2\",type=\"normal_nc\"}")
[ -n "$bytes" ] || fail "the child's guest is not shown"
equal "$(sample "ncgate_mismatch_bytes{guest=\"$id\",device=\"$ivshmem\",bar=\"2\",mismatch=\"unexpected\"}")" \
	"$bytes" "the bytes of it"
equal "$(audit '.type == "mismatch"' | jq -c '[.mismatch, .guest.pid, .guest.uid, .device.slot,
	.device.bar, .verdict, .decided]')" \
	'["unexpected",'"$child"',65534,"'$ivshmem'",2,"deny",null]' "the record"
has "$work/ncgated.log" "guest $id $ivshmem BAR 2 unexpected: Normal-NC that the policy denies"
end "$guest_pid"
wait_for 30 audit_has '.type == "mismatch_over" and .mismatch == "unexpected" and .guest.pid == '"$child"
