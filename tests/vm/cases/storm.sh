# SPDX-License-Identifier: GPL-2.0-only
# A thousand reloads while BARs are mapped as fast as can be: each decision belongs
# wholly to one policy, which its generation names. Odd generations deny by line 3,
# even ones allow by line 4; the records that fit the ring buffer are all looked at.
# limit: 1500
# alone: it takes minutes, so it is run in a boot of its own and only by its name
# kernels: 6.12
reloads=$(rounds 1000 100)
passthrough $ivshmem

filler() { for i in $(seq 100); do echo "allow 8086:$((1000 + i)) bar=$((i % 6))"; done; }
{ printf 'mode enforce\ndefault allow\ndeny 1af4:1110 slot=%s\n' $ivshmem; filler; } > "$work/1"
{ printf 'mode enforce\ndefault deny\n\nallow *:* bar=2\n'; filler; } > "$work/0"
cp "$work/1" "$work/policy.conf"
daemon --audit-max-size 0 # its parts would not be looked at
minivmm --device $ivshmem --bar 2 --remap 0 > "$work/storm.json" 2> "$work/storm.err" &
storm=$!
pids="$pids $storm"

# in_force GENERATION: waits until the daemon says so, without a process for each look.
exec 8< <(exec tail -n +1 -f "$work/ncgated.log")
pids="$pids $!"
in_force() {
	local line
	while read -r -t 60 line <&8; do
		[[ $line != *"in force: generation $1,"* ]] || return 0
	done
	fail "generation $1 is not in force"
}

# look FILE: adds what its decisions say to $work/seen, each different thing once.
look() {
	jq -r 'select(.type == "decision") | "\(.policy.generation % 2) \(.verdict) \(.mode) \(.rule.line) \(.policy.sha256)"' \
		"$1" | sort -u >> "$work/seen"
	jq -r 'select(.type == "decision") | .policy.generation' "$1" | sort -u >> "$work/generations"
}

for generation in $(seq 2 $((reloads + 1))); do
	# The trail is put aside as logrotate does it, so that it fits into memory.
	if [ $((generation % 50)) = 0 ]; then mv "$work/audit.jsonl" "$work/aside"; fi
	cp "$work/$((generation % 2))" "$work/policy.conf"
	kill -HUP "$daemon_pid"
	in_force "$generation"
	# By now the reload before has opened the new one.
	if [ $((generation % 50)) = 1 ] && [ -e "$work/aside" ]; then
		look "$work/aside"
		rm "$work/aside"
		echo "generation $generation after $SECONDS s"
	fi
done
kill -0 "$storm" || { cat "$work/storm.err" >&2; fail "the storm ended early"; }
end "$storm"
look "$work/audit.jsonl"
cat "$work/storm.json"
metrics
equal "$(sample ncgate_policy_generation)" $((reloads + 1)) "generation"

{
	echo "0 allow enforce 4 $(sha256sum < "$work/0" | cut -d ' ' -f 1)"
	echo "1 deny enforce 3 $(sha256sum < "$work/1" | cut -d ' ' -f 1)"
} > "$work/wanted"
sort -u "$work/seen" | diff "$work/wanted" - >&2 || fail "a decision of no policy"
generations=$(sort -u "$work/generations" | wc -l)
echo "decisions of $generations policies were seen"
[ "$generations" -gt $((reloads / 2)) ] || fail "no storm: decisions of $generations policies only"
