# SPDX-License-Identifier: GPL-2.0-only
# A grant does not outlive fork: uid 0 maps a BAR that it may have Normal-NC, and a child
# with another uid makes the VM with what it inherits. With the hook it gets Device-nGnRE;
# the parent keeps its own, and so does who only moves the mapping. Where the policy only
# records, fork changes nothing.
# kernels: 6.12 6.12-16k 6.12-64k 7.3 series
passthrough $ivshmem $ivshmem2
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110 uid=0
END
daemon
types() { oracle $ivshmem | memory_types $ivshmem 2; }

# What it is held against: who maps for itself, and who moves what it mapped.
guest own --device $ivshmem --bar 2 --store unaligned
equal "$(result own)" ok "an allowed task's guest"
equal "$(types)" '["normal_nc"]' "what it has"
end "$guest_pid"
guest moved --move --device $ivshmem --bar 2 --store unaligned
equal "$(result moved)" ok "an allowed task's guest, the mapping moved"
equal "$(types)" '["normal_nc"]' "what it has"
end "$guest_pid"

guest child --inherit 65534 --device $ivshmem --bar 2 --store unaligned
equal "$(result child)" kvm-error "an unaligned store of the child's guest"
guest child --inherit 65534 --device $ivshmem --bar 2 --store aligned
equal "$(result child)" ok "an aligned store of the child's guest"
equal "$(types)" '["device_nGnRE"]' "what the child's guest has"
child=$(child_of child)
equal "$(awk '/^Uid:/ { print $2 }' "/proc/$child/status")" 65534 "the child's uid"
wait_for 10 audit_has '.type == "stage2_first" and .guest.pid == '"$child"' and .guest.uid == 65534
	and .memory_type == "device_nGnRE"'
walked "$child"
metrics
equal "$(sample 'ncgate_mismatches{mismatch="unexpected"}')" 0 "what nobody granted"
# Nothing was decided about the child, and what was about its parent stands.
equal "$(audit '.type == "decision" and .guest.pid == '"$child" | wc -l)" 0 "decisions for the child"
equal "$(audit '.type == "decision" and .guest.pid == '"$guest_pid" | jq -c '[.verdict, .guest.uid]')" \
	'["allow",0]' "the decision for the parent"
end "$guest_pid"

# As root, too: a child that wants Normal-NC maps for itself.
guest root --inherit 0 --device $ivshmem --bar 2 --store aligned
equal "$(types)" '["device_nGnRE"]' "what a child with the same uid has"
root=$(child_of root)
walked "$root"
metrics
equal "$(sample 'ncgate_mismatches{mismatch="absent"}')" 1 "that it is less than the policy allows"
end "$guest_pid"

# A policy that only records: what the kernel does by itself.
sed -i 's/^mode enforce/mode audit/' "$work/policy.conf"
kill -HUP "$daemon_pid"
wait_for 10 audit_has '.type == "policy_load" and .generation == 2'
guest audit --inherit 65534 --device $ivshmem --bar 2 --store unaligned
equal "$(result audit)" ok "an unaligned store of the child's guest in audit mode"
equal "$(types)" '["normal_nc"]' "what the child's guest has in audit mode"
end "$guest_pid"
daemon_stop
ncgated --remove-state

# Without ncgate the parameter answers, at fork as at mmap.
parameter=/sys/module/vfio_pci_core/parameters/uncached_default
guest default --inherit 65534 --device $ivshmem --bar 2 --store unaligned
equal "$(result default)" ok "an unaligned store of the child's guest without ncgate"
end "$guest_pid"
at_end="eval echo allow > $parameter"
echo deny > $parameter
guest default --inherit 65534 --device $ivshmem --bar 2 --store unaligned
equal "$(result default)" kvm-error "the same under uncached_default=deny"
echo allow > $parameter
