# SPDX-License-Identifier: GPL-2.0-only
# ncgate's counts equal the oracle's, leaf for leaf: many pages, device memory at
# a high guest-physical address (concatenated top-level tables), two guests; and
# `ncgate walk` shows each range that is no RAM where the oracle sees it.
# kernels: 6.12 6.12-16k 6.12-64k 7.3 series 6.1 6.1-series
# hook: yes no
. /ncg/inside/lib-oracle.sh
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

for g in "$a_pid $ivshmem" "$b_pid $bochs"; do
	set -- $g
	same_as_oracle "$1" "$2" "the guest with $2"
	cat "$work/oracle-counts" "$work/oracle-ranges"
	ncgate guests --json | jq --argjson p "$1" '.guests[] | select(.pid == $p)' |
		guest_counts | diff "$work/oracle-counts" - || fail "guests: counts differ"
	equal "$(jq -r '[.ranges[].device] | unique | join(" ")' "$work/walk")" "$2" \
		"the device of the ranges"
done
equal "$(ncgate guests --json | jq '.guests | length')" 2 "guests"
end "$a_pid"
equal "$(ncgate guests --json | jq '.guests | length')" 1 "guests after one ended"
