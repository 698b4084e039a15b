# SPDX-License-Identifier: GPL-2.0-only
# ncgate's word against the oracle's, leaf for leaf. Sourced after lib.sh.

# What both are brought to: `counts` are lines "TYPE LEAF_SIZE LEAVES", `ranges`, of
# all that is no RAM, "IPA PHYS SIZE LEAF_SIZE TYPE" with addresses in hex.

# tables_with DEVICE < ORACLE: the tables that map a BAR of the device, one a line. Not
# the one by which protected KVM maps the host to itself.
tables_with() {
	jq -c --arg d "$1" '
		([.devices[] | select(.slot == $d and .address and (.mapped | length > 0))
			| {start: .address, end: (.address + .size)}]) as $bars
		| .tables[] | select(any(.leaves[]; .ipa != .pa) and any(.leaves[]; .pa as $pa
			| any($bars[]; $pa >= .start and $pa < .end)))'
}
table_counts() {
	jq -r '[.leaves[] | {k: "\(.memtype) \(.leaf_size)", n: (.size / .leaf_size)}]
		| group_by(.k)[] | "\(.[0].k) \(map(.n) | add)"' | sort
}
table_ranges() {
	local ipa pa size leaf type
	jq -r '.leaves[] | select(.memtype != "normal_wb")
		| "\(.ipa) \(.pa) \(.size) \(.leaf_size) \(.memtype)"' |
		while read -r ipa pa size leaf type; do
			printf '%x %x %d %d %s\n' "$ipa" "$pa" "$size" "$leaf" "$type"
		done
}
# guest_counts, guest_ranges < GUEST: one guest as ncgate shows it, in JSON.
guest_counts() { jq -r '.leaves[] | "\(.type) \(.size) \(.count)"' | sort; }
guest_ranges() { jq -r '.ranges[] | "\(.ipa) \(.phys) \(.size) \(.leaf_size) \(.type)"'; }
# metric_counts GUEST: of the last scrape.
metric_counts() {
	sed -nE 's/^ncgate_guest_stage2_leaves\{guest="'"$1"'",type="([^"]*)",size="([^"]*)"\} /\1 \2 /p' \
		"$work/metrics" | sort
}

# same_as_oracle PID DEVICE WHAT: all that ncgate says of the guest with the device is
# what the oracle sees of it: what is walked for it, and the scrape after that. Leaves
# the table in $work/table.
same_as_oracle() {
	local pid=$1 device=$2 what=$3
	oracle "$device" | tables_with "$device" > "$work/table"
	equal "$(wc -l < "$work/table")" 1 "$what: tables that map $device, by the oracle"
	table_counts < "$work/table" > "$work/oracle-counts"
	table_ranges < "$work/table" > "$work/oracle-ranges"
	[ -s "$work/oracle-counts" ] || fail "$what: the oracle saw nothing"
	[ -s "$work/oracle-ranges" ] || fail "$what: the oracle saw no device memory"
	ncgate walk "$pid" --json > "$work/walk"
	guest_counts < "$work/walk" | diff "$work/oracle-counts" - || fail "$what: counts differ"
	guest_ranges < "$work/walk" | diff "$work/oracle-ranges" - || fail "$what: ranges differ"
	metrics
	metric_counts "$(jq -r .guest "$work/walk")" | diff "$work/oracle-counts" - ||
		fail "$what: the metrics differ"
}
