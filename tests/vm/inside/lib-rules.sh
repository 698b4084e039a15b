# SPDX-License-Identifier: GPL-2.0-only
# Policies by their number of rules, for benchmarks. The last rule allows the tests'
# ivshmem, and no other fits it.

# one_mask RULES: all match vendor and device.
one_mask() {
	awk -v n="$1" 'BEGIN {
		print "mode enforce\ndefault deny"
		for (i = 0; i < n - 1; i++)
			printf "allow 8086:%04x\n", i
		print "allow 1af4:1110"
	}'
}

# many_masks RULES: over 64 different sets of matched fields, the most that a policy may
# have, so that all 64 are looked up before the last rule is found.
many_masks() {
	awk -v n="$1" 'BEGIN {
		split("subsystem=*:1100 subsystem=1af4:* subsystem=1af4:1100", subsystem, " ")
		print "mode enforce\ndefault deny"
		for (i = 0; i < n; i++) {
			last = i == n - 1
			set = last ? 63 : i % 64
			printf "allow %s", last ? "1af4:1110" : sprintf("8086:%04x", i)
			if (int(set / 1) % 2) printf " uid=0"
			if (int(set / 2) % 2) printf " bar=2"
			if (int(set / 4) % 2) printf " class=05"
			if (int(set / 8) % 2) printf " slot=0000:*:*.*"
			if (int(set / 16)) printf " %s", subsystem[int(set / 16)]
			printf "\n"
		}
	}'
}

generation=1

# reload_to FILE: has the daemon put it in force. Waits for the line that says so,
# without a process for each look.
reload_to() {
	local line
	if [ "$generation" = 1 ]; then
		exec 8< <(exec tail -n +1 -f "$work/ncgated.log")
		pids="$pids $!"
	fi
	generation=$((generation + 1))
	mv "$1" "$work/policy.conf"
	kill -HUP "$daemon_pid"
	while read -r -t 120 line <&8; do
		[[ $line != *"in force: generation $generation,"* ]] || return 0
	done
	fail "generation $generation is not in force"
}
