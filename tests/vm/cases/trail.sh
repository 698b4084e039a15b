# SPDX-License-Identifier: GPL-2.0-only
# The audit trail says who had what: every field of a decision and of a VM's end. It is
# put aside by size with no record lost; a daemon is killed, more happens than the ring
# buffer holds, and the next one says how much is missing and what is there. ncgate
# audit reads it all back, and follows it over the files.
# limit: 300
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
trail="--audit $work/audit.jsonl"
# audit: the case's own, of all files and with ncgate's filters before that of jq.
audit() { # audit FILTER [ARG...]
	local filter=$1
	shift
	ncgate audit $trail --json "$@" 2>> "$work/ncgate.err" | jq -c "select($filter)"
}
audit_has() { [ -n "$(audit "$@")" ]; }
followed_all() { [ "$(wc -l < "$work/followed")" = "$(cat $(trail_files) | wc -l)" ]; }
types() { jq -r .type | paste -sd ' '; }

small="--audit-max-size 2K --audit-keep 0"
daemon $small
ncgate audit $trail --follow --json > "$work/followed" 2>> "$work/ncgate.err" &
follower=$!
pids="$pids $follower"
guest a --device $ivshmem --bar 2 --store unaligned
a=$guest_pid
equal "$(result a)" ok "allowed"
guest b --device $bochs --bar 0 --store unaligned
equal "$(result b)" kvm-error "denied"
wait_for 10 audit_has '.type == "vm_destroy"' --guest b

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
equal "$(audit '.type == "stage2_first"' --guest a |
	jq -r '[.device.slot, .device.bar, .memory_type] | join(" ")')" \
	"$ivshmem 2 normal_nc" "a first mapping"
equal "$(audit '.type == "vm_destroy"' --guest b |
	jq -r '[.mapped[] | .device.slot, .device.bar, .memory_type] | join(" ")')" \
	"$bochs 0 device_nGnRE" "what a VM had that ended"
equal "$(audit true --guest a --device 1af4:1110 | types)" "decision bar_mmap stage2_first" \
	"records of a guest and a device"
equal "$(audit true --guest a --device $bochs)" "" "records of a guest and another's device"
wait_for 10 followed_all
end "$a"

# Killed; then so much happens that it does not fit, and after that a VM begins.
daemon_stop KILL
killed=$(date -u +%FT%T.%6NZ)
minivmm --device $bochs --bar 0 --remap 3000 > "$work/remap.json"
guest c --device $ivshmem --bar 2 --store unaligned
c=$guest_pid
equal "$(result c)" ok "allowed, with nobody to record it"
daemon $small
metrics
lost=$(sample ncgate_events_lost_total)
[ "$lost" -gt 0 ] || fail "nothing was lost, so this tests nothing"
gaps_are() {
	audit true --type gap > "$work/gaps"
	[ "$(jq .lost "$work/gaps" | jq -s add)" = "$1" ]
}
wait_for 30 gaps_are "$lost"
equal "$(jq -c '[.cause, .since < .until]' "$work/gaps" | sort -u)" '["not_received",true]' "gaps"
found() {
	audit true --guest c > "$work/c"
	[ -n "$(jq 'select(.type == "found_mapped")' "$work/c")" ]
}
wait_for 30 found
# Its beginning is small, and may have found room where larger events did not.
equal "$(jq -c 'select(.type == "vm_create" or .type == "vm_found")' "$work/c" | wc -l)" 1 \
	"beginnings of a VM among what was lost"
equal "$(jq -r 'select(.type == "found_mapped") | [.device.slot, .device.bar, .memory_type,
	.source] | join(" ")' "$work/c")" "$ivshmem 2 normal_nc walk" "what the loss hid"
equal "$(audit '.type == "vm_destroy"' --guest a |
	jq -r '[.mapped[] | .device.slot, .memory_type] | join(" ")')" \
	"$ivshmem normal_nc" "the end of a VM that another daemon knew"
end "$c"
wait_for 30 audit_has '.type == "vm_destroy" and (.mapped | length) == 1' --guest c
daemon_stop

# Asked of it all: who had Normal-NC, before the kill and after.
had() {
	ncgate audit $trail --had normal_nc --json "$@" 2>> "$work/ncgate.err" |
		jq -r '[.had[].guest.name] | join(" ")'
}
equal "$(had --until "$killed")" a "who had it before, and of none but the allowed device"
equal "$(had --device $ivshmem --since "$killed")" c "who had it after"
ncgate audit $trail --guest c --since "$killed" > "$work/sentences" 2>> "$work/ncgate.err"
has "$work/sentences" "c: normal_nc mapping of $ivshmem BAR 2, told by the walk"
! grep -q "a: " "$work/sentences" || fail "a record of another guest"

# Every number once: by itself, in a fold, or in a gap.
whole_trail
# Every file but the first begins with the name of the one before.
previous=
for file in $(trail_files); do
	[ -z "$previous" ] ||
		equal "$(head -n 1 "$file" | jq -r '.type + " " + .previous')" \
			"rotation ${previous##*/}" "the beginning of $file"
	previous=$file
done
[ "$(trail_files | wc -l)" -gt 4 ] || fail "the trail was not put aside"
# Who followed it saw every record once, in order, over all files.
wait_for 30 followed_all
end "$follower"
ids='[.time, .type, .seq]'
cat $(trail_files) | jq -c "$ids" > "$work/written"
jq -c "$ids" "$work/followed" | diff "$work/written" - > "$work/diff" ||
	fail "what was followed is not what was written: $(head -n 5 "$work/diff")"
