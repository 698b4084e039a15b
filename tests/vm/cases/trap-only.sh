# SPDX-License-Identifier: GPL-2.0-only
# What the trap refuses is the mmap of a denied BAR and nothing else: not another BAR
# of the device, no other region, device or file, nor an access without a mapping.
# Whichever way it is asked for: mmap, remap_file_pages, a 32-bit process, where the
# region is not known and so any denied BAR refuses. Before it, each is tried without
# ncgate, so that what the kernel refuses by itself is known. A length that no mmap can
# have is recorded as a number that has no sign.
# kernels: 6.12 6.12-16k 7.3
# hook: no
passthrough $ivshmem $bochs
others="rom config vga beyond read0 read-config container anonymous memfd /ncg/bin/vfiomap /dev/zero"
remaps="remap2-0 remap2-2"
case $release in *16k*) remaps= ;; esac # BAR 2 is less than a page there
# 0, LLONG_MIN, -4096, -4095 and -1
lengths="length0:0 length0:0x8000000000000000 length0:0xfffffffffffff000
	length0:0xfffffffffffff001 length0:0xffffffffffffffff"
of_bochs="bar0 bar2 $remaps private0 compat0 compat2 $others $lengths"
of_ivshmem="bar2 remap2-2 compat2 $others"
try() { # try DEVICE WHAT...
	local device=$1
	shift
	minivmm --device "$device" --bar 0 --exec -- vfiomap "$@"
}
try $bochs $of_bochs > "$work/bochs.before"
try $ivshmem $of_ivshmem > "$work/ivshmem.before"
for what in "bar0 ok" "compat0 ok" "private0 EINVAL" "config EINVAL" \
	"length0:0 EINVAL" "length0:0x8000000000000000 ENOMEM" "length0:0xffffffffffffffff ENOMEM" \
	${remaps:+"remap2-0 ok"}; do
	has "$work/bochs.before" "$what"
done

policy <<-END
	mode enforce
	default deny
	without-hook trap
	allow 1234:1111 bar=2
	allow 1af4:1110 slot=$ivshmem
END
daemon
try $bochs $of_bochs > "$work/bochs.after"
try $ivshmem $of_ivshmem > "$work/ivshmem.after"
diff "$work/ivshmem.before" "$work/ivshmem.after" || fail "an allowed device is not as before"
sed 's/^bar0 .*/bar0 EPERM/; s/^remap2-0 .*/remap2-0 EPERM/; s/^private0 .*/private0 EPERM/
	s/^compat\(.\) .*/compat\1 EPERM/; s/^\(length0:[^ ]*\) .*/\1 EPERM/' "$work/bochs.before" |
	diff - "$work/bochs.after" || fail "more or less than the denied BAR is refused"

# One decision for each BAR that was asked for. BAR 0: bar0, remap2-0, private0, five
# lengths, and as the first that is denied, compat0 and compat2. BAR 2: bar2, and what
# remap2-0 and remap2-2 start from and the latter goes to.
zero=10 two=4
[ -n "$remaps" ] || zero=9 two=1
last_decided() { audit_has '.type == "decision" and .device.slot == "'$ivshmem'" and .guest.comm == "vfiomap32"'; }
wait_for 10 last_decided
# Each length in a process of its own, of which it is the first mmap: that is always recorded.
for length in $lengths; do
	try $bochs $length > "$work/length"
done
daemon_stop # which tells what it has counted
# Those that have a record of their own, and those that were counted as repeats.
count() {
	jq -s '[.[] | if .type == "decision" then . + { count: 1 } elif .type == "repeats" then
		.of[] | select(.type == "decision") else empty end |
		select(.device.slot == "'$bochs'" and .device.bar == '"$1"') | .count] | add // 0' \
		"$work/audit.jsonl"
}
equal "$(count 0)" $((zero + $(echo $lengths | wc -w))) "decisions about BAR 0"
equal "$(count 2)" $two "decisions about BAR 2"
# Not by jq, which knows whole numbers up to 2^53 alone.
equal "$(grep '"type":"decision"' "$work/audit.jsonl" | grep -c '"length":9223372036854775807[,}]')" 4 \
	"lengths that no mmap can have"
