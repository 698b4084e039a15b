# SPDX-License-Identifier: GPL-2.0-only
# A policy by name over updates of pci.ids: another device under the name is another
# policy, and said; a name that is gone stays in force, over a restart and what is left
# of a reboot; one that was never there is refused.
# kernels: 6.12
passthrough $ivshmem $bochs
rm -rf /var/lib/ncgate
pci_ids=/usr/share/misc/pci.ids
[ -e $pci_ids ] || { mkdir -p ${pci_ids%/*}; : > $pci_ids; }
at_end=own_pci_ids_back
own_pci_ids_back() { umount $pci_ids; rm -rf /var/lib/ncgate; }

# ids: an update of pci.ids, in one step. Two blanks stand for the tab before a device.
ids() {
	sed 's/^  /\t/' > "$work/pci.ids"
	umount $pci_ids 2> /dev/null || :
	chmod 644 "$work/pci.ids"
	mount --bind "$work/pci.ids" $pci_ids
}
# reload WHAT: and waits until the daemon has dealt with it.
reload() {
	local before
	before=$(grep -c 'policy .* in force\|policy .* unchanged\|policy in force stays' \
		"$work/ncgated.log")
	kill -HUP "$daemon_pid"
	wait_for 10 reloaded "$before"
}
reloaded() {
	[ "$(grep -c 'policy .* in force\|policy .* unchanged\|policy in force stays' \
		"$work/ncgated.log")" -gt "$1" ] && ncgate status
}
verdict() { ncgate devices --json | jq -r --arg d "$1" '.devices[] | select(.device == $d) | .verdict'; }
sha256() { ncgate status --json | jq -r .policy.sha256; }

card='"Example Systems":"Card A"'
ids <<-END
	1af4  Example Systems
	  1110  Card A
	1234  Other Systems
	  1111  Card A
END
policy <<-END
	mode enforce
	default deny
	allow $card
END
daemon
equal "$(verdict $ivshmem)" allow "the device of that name"
equal "$(verdict $bochs)" deny "another vendor's"
equal "$(audit '.type == "policy_load"' | jq -c '[.generation, .names]')" \
	'[1,[{"name":"\"Example Systems\":\"Card A\"","vendor_id":"1af4","device_id":"1110"}]]' \
	"names in the record"
first=$(sha256)
by_hand=$({ cat "$work/policy.conf"; printf '\0001af4:1110 %s' "$card"; } | sha256sum)
equal "$first" "${by_hand%% *}" "the digest is as the manual says"
equal "$(stat -c '%a %u' /var/lib/ncgate/names)" "600 0" "what is kept"
guest a --device $ivshmem --bar 2 --store unaligned
equal "$(result a)" ok "allowed by name"
end "$guest_pid"

# The name now stands for the other device.
ids <<-END
	1af4  Former Systems
	  1110  Card A
	1234  Example Systems
	  1111  Card A
END
reload
has "$work/ncgated.log" "policy.conf:3: $card now stands for 1234:1111 and not for 1af4:1110"
wait_for 10 audit_has '.type == "policy_names" and .generation == 2'
audit_has '.type == "policy_load" and .generation == 2 and .names[0].vendor_id == "1234"' ||
	fail "no record of the policy"
equal "$(audit '.type == "policy_names"' | jq -c '[.names[] | [.change, .before.vendor_id]]')" \
	'[["moved","1af4"]]' "what moved"
[ "$(sha256)" != "$first" ] || fail "the same digest for another policy"
equal "$(verdict $ivshmem)" deny "no longer of that name"
equal "$(verdict $bochs)" allow "of that name now"

# The name is gone, and a device of its vendor with it.
ids <<-END
	1af4  Former Systems
	  1110  Card A
END
second=$(sha256)
reload
has "$work/ncgated.log" "pci.ids no longer tells what $card stands for; it goes on standing for 1234:1111"
equal "$(verdict $bochs)" allow "goes on"
equal "$(sha256)" "$second" "the digest of the same policy"
metrics
equal "$(sample ncgate_policy_stale_names)" 1 "stale names"
equal "$(sample ncgate_policy_last_reload_successful)" 1 "the reload"
equal "$(audit '.type == "policy_names" and .generation == 2' | jq -c '[.names[].change]')" \
	'["moved"]
["gone"]' "records"
ncgate status > "$work/status"
has "$work/status" "pci.ids has lost $card; it goes on standing for 1234:1111"
status=0
ncgate check "$work/policy.conf" > "$work/check" 2>&1 || status=$?
equal "$status" 1 "exit status of check"
has "$work/check" "write: allow 1234:1111  # $card"

# A restart; then all that a reboot leaves, which is what is on disk.
for how in restart reboot; do
	daemon_stop KILL
	[ $how = restart ] || ncgated --remove-state
	daemon
	equal "$(verdict $bochs)" allow "after a $how"
	equal "$(verdict $ivshmem)" deny "after a $how"
	equal "$(sha256)" "$second" "digest after a $how"
	guest $how --device $bochs --bar 0 --store unaligned
	equal "$(result $how)" ok "the device of a name that is gone, after a $how"
	end "$guest_pid"
done
equal "$(audit '.type == "policy_names"' | wc -l)" 2 "what is gone is told once"

# No pci.ids that may be trusted is like one without the name.
chmod 666 "$work/pci.ids"
reload
equal "$(verdict $bochs)" allow "with a pci.ids that others can write"
chmod 644 "$work/pci.ids"

# A name that was never known is refused, and all of the policy with it.
policy <<-END
	mode enforce
	default deny
	allow $card
	allow "Former Sistems":"Card A"
END
reload
has "$work/ncgated.log" "policy.conf:4:7: '\"Former Sistems\"' is not a vendor name in pci.ids"
has "$work/ncgated.log" "(did you mean '\"Former Systems\"'?)"
equal "$(sha256)" "$second" "the policy in force stays"
# With ids there is nothing to keep.
policy <<-END
	mode enforce
	default deny
	allow 1234:1111
END
reload
metrics
equal "$(sample ncgate_policy_stale_names)" 0 "stale names of a policy by ids"
[ ! -e /var/lib/ncgate/names ] || fail "names are kept for nothing"
ncgate check "$work/policy.conf" > "$work/check" 2>&1 || fail "$(cat "$work/check")"
