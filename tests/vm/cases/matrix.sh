# SPDX-License-Identifier: GPL-2.0-only
# ncgate's counts and ranges equal the oracle's, leaf for leaf, for guests whose RAM is
# made of single pages, of 64 KiB and 2 MiB and of this kernel's block, by transparent
# huge pages and by hugetlb; with one device and with three; and for guest-physical
# spaces of every size that the CPU can have, with their start levels and concatenated
# root tables. Device memory of an allowed and of denied devices side by side.
# limit: 900
# alone: a boot of its own in each cell of a matrix of kernels and CPUs
# memory: 4096
# append: hugepagesz=1G hugepages=1
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
. /ncg/inside/lib-oracle.sh
passthrough $ivshmem $bochs $ivshmem2
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110 slot=$ivshmem
END
daemon
thp=/sys/kernel/mm/transparent_hugepage
block=$(cat $thp/hpage_pmd_size) # what one entry of the last level but one maps

one="--device $ivshmem --bar 2"
several="$one --device $bochs --bar 0 --bar 2 --device $ivshmem2 --bar 2"

# look WHAT ARG...: runs a guest and holds ncgate against the oracle.
guests=0
look() {
	local what=$1
	shift
	guests=$((guests + 1))
	guest g$guests --store none "$@"
	equal "$(result g$guests)" ok "$what"
	same_as_oracle "$guest_pid" $ivshmem "$what"
	saw "$what: start level $(jq -r '"\(.start_level), \(.root_tables) root tables, \(.ipa_bits) bits\(if .lpa2 then ", LPA2" else "" end)"' "$work/table"): $(tr '\n' ';' < "$work/oracle-counts")"
	end "$guest_pid"
}
# has_leaves TYPE SIZE WHAT: the guest that was looked at last had some.
has_leaves() { grep -q "^$1 $2 " "$work/oracle-counts" || fail "$3: no leaf of $2 bytes"; }

# With one device and with several. The BARs are at an address that needs every level.
both() { # both WHAT ARG...
	local what=$1
	shift
	look "$what, one device" "$@" $one
	has_leaves normal_nc '[0-9]*' "$what"
	look "$what, three devices" "$@" $several
	has_leaves device_nGnRE '[0-9]*' "$what"
}

# thp_only BYTES: huge pages of no other size; returns 1 where there are none.
thp_only() {
	local enabled
	for enabled in $thp/hugepages-*kB/enabled; do
		echo never > "$enabled"
	done
	[ -e $thp/hugepages-$(($1 / 1024))kB ] || return 1
	echo madvise > $thp/hugepages-$(($1 / 1024))kB/enabled
}
thp_faults() { cat $thp/hugepages-$(($1 / 1024))kB/stats/anon_fault_alloc; }

both "pages" --backing page --ram-mib 16 --touch-pages 100
for size in $(printf '%s\n' 65536 2097152 "$block" | sort -nu); do
	[ "$size" -le "$block" ] && thp_only "$size" || continue
	mib=$((2 * size >> 20))
	before=$(thp_faults "$size")
	both "huge pages of $((size / 1024)) KiB" --backing thp --ram-mib $((mib > 32 ? mib : 32)) \
		--touch-pages 200
	[ "$(thp_faults "$size")" -gt "$before" ] || fail "no huge page of $size bytes was given"
	[ "$size" != "$block" ] || has_leaves normal_wb "$block" "huge pages of a block"
done
thp_only 0 || :
for size in 65536 2097152 33554432; do
	pool=/sys/kernel/mm/hugepages/hugepages-$((size / 1024))kB
	[ -e $pool ] || continue
	pages=$(((size > 33554432 ? size : 33554432) / size))
	echo $pages > $pool/nr_hugepages
	equal "$(cat $pool/nr_hugepages)" $pages "hugetlb pages of $size bytes"
	both "hugetlb of $((size / 1024)) KiB" --backing $((size / 1024)) --ram-mib 32 --touch-pages 200
	[ "$size" != "$block" ] || has_leaves normal_wb "$block" "hugetlb of a block"
	echo 0 > $pool/nr_hugepages
done
# The one that the kernel was asked for at boot; a block of its own with 4 KiB pages.
pool=/sys/kernel/mm/hugepages/hugepages-1048576kB
if [ "$(cat $pool/nr_hugepages 2> /dev/null)" = 1 ]; then
	both "hugetlb of 1 GiB" --backing 1048576 --ram-mib 1024 --touch-pages 3
	[ "$block" != 2097152 ] || has_leaves normal_wb 1073741824 "hugetlb of 1 GiB"
elif [ "$block" = 2097152 ] && [ -e $pool ]; then
	fail "no hugetlb page of 1 GiB"
fi

# 32 bits leave room for BARs below them; the CPU says which sizes are too many.
for bits in 32 36 39 40 42 43 44 47 48 50 52; do
	at=$((1 << (bits > 48 ? 48 : bits) - 1)) # a guest's stage 1 has 48 bits here
	minivmm --ipa-bits $bits --store none > "$work/fits" 2>&1 || {
		has "$work/fits" "KVM_CREATE_VM: errno=22"
		break
	}
	look "space of $bits bits" --backing page --touch-pages 20 --ipa-bits $bits --bar-ipa $at $one
done
