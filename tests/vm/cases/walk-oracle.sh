# SPDX-License-Identifier: GPL-2.0-only
# ncgate's counts equal the oracle's, leaf for leaf: many pages, device memory at
# a high guest-physical address (concatenated top-level tables), two guests; and
# `ncgate walk` shows each range that is no RAM where the oracle sees it.
# kernels: 6.12 6.12-16k 6.12-64k 7.3 series 6.1 6.1-series
# hook: yes no
passthrough $ivshmem $bochs
policy <<-END
	mode audit
	default deny
END
daemon
high=$((1 << 43))
guest a --device $ivshmem --bar 2 --store aligned --ipa-bits 44 --bar-ipa $high \
	--ram-mib 64 --touch-pages 300
equal "$(result a)" ok "guest a"
a_pid=$guest_pid
guest b --device $bochs --bar 0 --store aligned --ram-mib 32 --touch-pages 7
equal "$(result b)" ok "guest b"
b_pid=$guest_pid

# Both sides as sorted lines: type, leaf size, leaves.
by_oracle() { # by_oracle DEVICE
	oracle "$1" | jq -r --arg d "$1" '
		([.devices[] | select(.slot == $d and .address and (.mapped | length > 0))
			| {start: .address, end: (.address + .size)}]) as $bars
		| .tables[] | select(any(.leaves[]; .pa as $pa
			| any($bars[]; $pa >= .start and $pa < .end)))
		| [.leaves[] | {k: "\(.memtype) \(.leaf_size)", n: (.size / .leaf_size)}]
		| group_by(.k)[] | "\(.[0].k) \(map(.n) | add)"' | sort
}
by_ncgate() { # by_ncgate PID
	ncgate guests --json | jq -r --argjson p "$1" '
		.guests[] | select(.pid == $p) | .leaves[] | "\(.type) \(.size) \(.count)"' | sort
}
# Ranges that are no RAM: guest-physical and host-physical address, sizes, type.
ranges_by_oracle() { # ranges_by_oracle DEVICE
	local ipa pa size leaf type
	oracle "$1" | jq -r --arg d "$1" '
		([.devices[] | select(.slot == $d and .address and (.mapped | length > 0))
			| {start: .address, end: (.address + .size)}]) as $bars
		| .tables[] | select(any(.leaves[]; .pa as $pa
			| any($bars[]; $pa >= .start and $pa < .end)))
		| .leaves[] | select(.memtype != "normal_wb")
		| "\(.ipa) \(.pa) \(.size) \(.leaf_size) \(.memtype)"' |
		while read -r ipa pa size leaf type; do
			printf '%x %x %d %d %s\n' "$ipa" "$pa" "$size" "$leaf" "$type"
		done
}
ranges_by_ncgate() { # ranges_by_ncgate PID
	ncgate walk "$1" --json | jq -r '
		.ranges[] | "\(.ipa) \(.phys) \(.size) \(.leaf_size) \(.type)"'
}

for g in "$a_pid $ivshmem" "$b_pid $bochs"; do
	set -- $g
	by_oracle "$2" > "$work/oracle-$1"
	by_ncgate "$1" > "$work/ncgate-$1"
	[ -s "$work/oracle-$1" ] || fail "the oracle saw nothing of $2"
	diff "$work/oracle-$1" "$work/ncgate-$1" || fail "counts of the guest with $2 differ"
	cat "$work/ncgate-$1"
	ranges_by_oracle "$2" > "$work/oracle-$1"
	ranges_by_ncgate "$1" > "$work/ncgate-$1"
	[ -s "$work/oracle-$1" ] || fail "the oracle saw no range of $2"
	diff "$work/oracle-$1" "$work/ncgate-$1" || fail "ranges of the guest with $2 differ"
	cat "$work/ncgate-$1"
	equal "$(ncgate walk "$1" --json | jq -r '[.ranges[].device] | unique | join(" ")')" "$2" \
		"the device of the ranges"
done
equal "$(ncgate guests --json | jq '.guests | length')" 2 "guests"
end "$a_pid"
equal "$(ncgate guests --json | jq '.guests | length')" 1 "guests after one ended"
