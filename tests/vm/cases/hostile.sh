# SPDX-License-Identifier: GPL-2.0-only
# What a VMM says of itself, and what files are called, takes nothing away: a process of
# many VMs with a command line without end, names that steer terminals, a policy whose
# path is no UTF-8. Names are cut and visible; a VMM is believed anew once it is moved or
# executes another program.
# kernels: 6.12 6.12-16k 7.3
cgroups=/sys/fs/cgroup
mkdir -p "$cgroups/before" "$cgroups/after"
passthrough $ivshmem
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
odd=$work/$(printf 'p\377\033').conf
cp "$work/policy.conf" "$odd"
daemon --config "$odd"
# A path that is no text is in the trail, in the reply and on the terminal.
audit_has '.type == "policy_load" and (.file | test("p\ufffd\u001b.conf$"))' ||
	fail "policy_load is not in the trail"
ncgate status > "$work/status" || fail "no status"
has "$work/status" "$(printf 'p\357\277\275')\\x1b.conf: mode enforce"

# Parts of a name without end, then 8 arguments of 120,000 bytes, and 21 VMs that have it.
parts=$(printf 'a,%.0s' $(seq 60000))
# The last name counts, of what is read: 256 KiB. It has a newline, ESC, a byte that is no UTF-8, and no end.
long=$(printf 'x%.0s' $(seq 100000))
evil=$(printf 'evil\n\033[2J\377,,%s' "$long")
guest many --idle-vms 20 --device $ivshmem --bar 2 --store unaligned --name "$parts" --name "$evil" \
	$(printf -- "--uuid $parts %.0s" 1 2 3 4 5 6 7 8) --name unread > /dev/null
many=$guest_pid
id=$many-$(sed 's/.*) //' "/proc/$many/stat" | awk '{ print $20 }')
listed() { metrics && [ "$(sample ncgate_guests)" = 21 ]; }
wait_for 60 listed
name=$(sed -n 's/^ncgate_guest_info{guest="'$id'",.*,name="\([^"]*\)",uuid=.*/\1/p' "$work/metrics")
case $name in
'evil\\x0a\\x1b[2J�,xx'*'xx…') ;;
*) fail "the name is '$name'" ;;
esac
[ "$(printf %s "$name" | sed 's/\\\\/\\/g' | wc -c)" -le 255 ] || fail "a name of more than 255 bytes"
equal "$(grep -c '^ncgate_guest_info{' "$work/metrics")" 21 "guests with an identity"
grep -q "^ncgate_guest_info{guest=\"$id.21\"," "$work/metrics" || fail "the last VM has no id"

ncgate guests > "$work/guests" || fail "no guests"
[ "$(awk 'length > 500' "$work/guests" | wc -l)" = 0 ] || fail "a name stretches the table"
[ -z "$(tr -d '\n -~\200-\377' < "$work/guests")" ] || fail "control bytes on the terminal"
equal "$(ncgate guests --json | jq --arg id "$id" '.guests[] | select(.guest == $id) | .name |
	startswith("evil\\x0a\\x1b[2J\ufffd,xx")')" true "the name in JSON"
wait_for 20 audit_has '.type == "stage2_first" and .guest.pid == '$many'
	and (.guest.name | startswith("evil\\x0a\\x1b[2J\ufffd,xx") and endswith("x…"))'
ncgate audit --audit "$work/audit.jsonl" > "$work/sentences"
[ -z "$(tr -d '\n -~\200-\377' < "$work/sentences")" ] || fail "control bytes in sentences"

# A VMM that is moved is shown where it is, though its command line was read before.
cgroup_is() {
	metrics && grep -q "^ncgate_guest_info{guest=\"$id\",.*,cgroup=\"$1\"}" "$work/metrics"
}
echo "$many" > "$cgroups/before/cgroup.procs"
wait_for 20 cgroup_is /before
echo "$many" > "$cgroups/after/cgroup.procs"
wait_for 20 cgroup_is /after
end "$many"
