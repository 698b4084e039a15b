# SPDX-License-Identifier: GPL-2.0-only
# The audit trail says who had what: every field of a decision and of a VM's end. It is
# put aside by size with no record lost; a daemon is killed, more happens than the ring
# buffer holds, and the next one says how much is missing and what is there.
# kernels: 6.12 6.12-16k 7.3 series
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
# All files of the trail, in order.
trail() { cat $(ls "$work"/audit.jsonl.* 2> /dev/null) "$work/audit.jsonl"; }
audit() { trail | jq -c "select($1)"; }

small="--audit-max-size 4K --audit-keep 0"
daemon $small
guest a --device $ivshmem --bar 2 --store unaligned
a=$guest_pid
equal "$(result a)" ok "allowed"
guest b --device $bochs --bar 0 --store unaligned
equal "$(result b)" kvm-error "denied"
wait_for 10 audit_has '.type == "vm_destroy" and .guest.name == "b"'

decision=$(audit '.type == "decision" and .verdict == "allow"')
equal "$(jq -r '[.guest.name, .guest.uid, .device.slot, .device.vendor_id, .device.device_id,
	.device.bar, .device.driver, .reason, .rule.line, .mode, .grade, .policy.generation] |
	join(" ")' <<< "$decision")" \
	"a 0 $ivshmem 1af4 1110 2 vfio-pci rule 3 enforce hook 1" "a decision"
equal "$(jq -r .policy.sha256 <<< "$decision")" \
	"$(sha256sum < "$work/policy.conf" | cut -d ' ' -f 1)" "the policy's digest"
equal "$(jq -r .guest.pid <<< "$decision")" "$a" "the guest's process"
equal "$(jq -r .guest.vmm <<< "$decision")" minivmm "the VMM's program"
equal "$(jq -r .device.iommu_group <<< "$decision")" \
	"$(basename "$(readlink /sys/bus/pci/devices/$ivshmem/iommu_group)")" "the IOMMU group"
equal "$(audit '.type == "stage2_first" and .guest.name == "a"' |
	jq -r '[.device.slot, .device.bar, .memory_type] | join(" ")')" \
	"$ivshmem 2 normal_nc" "a first mapping"
equal "$(audit '.type == "vm_destroy" and .guest.name == "b"' |
	jq -r '[.mapped[] | .device.slot, .device.bar, .memory_type] | join(" ")')" \
	"$bochs 0 device_nGnRE" "what a VM had that ended"
end "$a"

# Killed; then so much happens that it does not fit, and after that a VM begins.
daemon_stop KILL
minivmm --device $bochs --bar 0 --remap 3000 > "$work/remap.json"
guest c --device $ivshmem --bar 2 --store unaligned
c=$guest_pid
equal "$(result c)" ok "allowed, with nobody to record it"
daemon $small
metrics
lost=$(sample ncgate_events_lost_total)
[ "$lost" -gt 0 ] || fail "nothing was lost, so this tests nothing"
wait_for 20 audit_has '.type == "found_mapped" and .guest.name == "c"'
equal "$(audit '.type == "gap"' | jq .lost | jq -s add)" "$lost" "how many are missing"
audit_has '.type == "gap" and .cause == "not_received" and .since < .until' || fail "a gap without a window"
audit_has '.type == "vm_found" and .guest.name == "c"' || fail "the VM was not found"
equal "$(audit '.type == "found_mapped" and .guest.name == "c"' |
	jq -r '[.device.slot, .device.bar, .memory_type, .source] | join(" ")')" \
	"$ivshmem 2 normal_nc walk" "what the loss hid"
equal "$(audit '.type == "vm_destroy" and .guest.name == "a"' |
	jq -r '[.mapped[] | .device.slot, .memory_type] | join(" ")')" \
	"$ivshmem normal_nc" "the end of a VM that another daemon knew"
end "$c"
wait_for 10 audit_has '.type == "vm_destroy" and .guest.name == "c" and (.mapped | length) == 1'
daemon_stop

# Every number once: by itself, in a fold, or in a gap.
trail | jq -c 'if .folded then .folded.seqs[]
	elif .type == "gap" then [.first_seq, .last_seq]
	elif .seq then [.seq, .seq] else empty end' > "$work/ranges"
sort -t '[' -k 2n "$work/ranges" | tr -d '[]' | awk -F, -v next=1 '
	$1 != next { print "after " next - 1 " comes " $1; exit 1 }
	{ next = $2 + 1 }' || fail "event numbers have holes or repeats"
# Every file but the first begins with the name of the one before.
previous=
for file in $(ls "$work"/audit.jsonl.*) "$work/audit.jsonl"; do
	[ -z "$previous" ] ||
		equal "$(head -n 1 "$file" | jq -r '.type + " " + .previous')" \
			"rotation ${previous##*/}" "the beginning of $file"
	previous=$file
done
[ "$(ls "$work"/audit.jsonl.* | wc -l)" -gt 3 ] || fail "the trail was not put aside"
