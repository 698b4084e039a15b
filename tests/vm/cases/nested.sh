# SPDX-License-Identifier: GPL-2.0-only
# Nested virtualisation. A guest at EL2 has tables like any other; when it enters a
# guest of its own, KVM makes tables that shadow its stage 2. ncgate walks them as well,
# shows them apart, and counts what the oracle sees there, leaf for leaf; what the
# programs have counted as mapped is what is there.
# alone: it needs a boot of its own
# append: kvm-arm.mode=nested
# kernels: 7.3
. /ncg/inside/lib-oracle.sh
dmesg | grep -q 'kvm.*NV2 mode initialized' || fail "KVM is not in nested mode"
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
daemon
devices="--device $ivshmem --bar 2 --device $bochs --bar 0 --store aligned --touch-pages 100"

guest a --el2 --backing page $devices
equal "$(result a)" ok "a guest at EL2"
same_as_oracle "$guest_pid" $ivshmem "a guest at EL2"
cat "$work/oracle-counts"
equal "$(jq -c '[.shadows[].leaves[]]' "$work/walk")" '[]' "leaves in shadows that nobody uses"
end "$guest_pid"

# nested_guest NAME ARG...
nested_guest() {
	local name=$1 id type bytes
	shift
	guest "$name" --nested --bar-ipa 0x4000000000 "$@" $devices
	equal "$(result "$name")" ok "$name"
	oracle $ivshmem | tables_with $ivshmem > "$work/table"
	equal "$(wc -l < "$work/table")" 1 "$name: tables, by the oracle"
	table_counts < "$work/table" > "$work/oracle-counts"
	table_ranges < "$work/table" > "$work/oracle-ranges"
	cat "$work/oracle-counts"
	equal "$(cut -d' ' -f1 "$work/oracle-counts" | tr '\n' ' ')" \
		"device_nGnRE normal_nc normal_wb " "$name: types, by the oracle"
	ncgate walk "$guest_pid" --json > "$work/walk"
	jq '.shadows[] | select(.leaves | length > 0)' "$work/walk" | guest_counts |
		diff "$work/oracle-counts" - || fail "$name: counts differ"
	jq '.ranges |= map(select(.nested))' "$work/walk" | guest_ranges |
		diff "$work/oracle-ranges" - || fail "$name: ranges differ"
	equal "$(jq -c '[.ranges[] | select(.nested | not)]' "$work/walk")" '[]' \
		"$name: device memory of the guest's own, which it never touched"
	metrics
	id=$(jq -r .guest "$work/walk")
	for type in normal_wb normal_nc device_nGnRE; do
		bytes=$(jq ".totals.by_memtype.$type" "$work/table")
		equal "$(sample "ncgate_guest_nested_stage2_bytes{guest=\"$id\",type=\"$type\"}")" \
			"$bytes" "$name: nested bytes of $type"
	done
	equal "$(sample "ncgate_device_nested_stage2_bytes{guest=\"$id\",device=\"$ivshmem\",bar=\"2\",type=\"normal_nc\"}")" \
		"$(jq .totals.by_memtype.normal_nc "$work/table")" "$name: nested bytes of a device"
	equal "$(sed -n 's/^ncgate_device_stage2_difference_bytes.* //p' "$work/metrics" | sort -u)" 0 \
		"$name: what is counted, against the walk"
	end "$guest_pid"
}
nested_guest blocks
nested_guest pages --backing page
metrics
equal "$(sample ncgate_guests)" 0 "guests after all have ended"
equal "$(sample ncgate_guests_difference)" 0 "guests, by walk and by count"
