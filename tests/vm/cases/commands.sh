# SPDX-License-Identifier: GPL-2.0-only
# devices, explain, replay, suggest and check --against on a real host with real
# guests and the trail that ncgated wrote of them.
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
passthrough $ivshmem $bochs
# Another case may have bound the second card.
if [ -e /sys/bus/pci/drivers/vfio-pci/$ivshmem2 ]; then
	echo > /sys/bus/pci/devices/$ivshmem2/driver_override
	echo $ivshmem2 > /sys/bus/pci/drivers/vfio-pci/unbind
fi
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110 slot=$ivshmem   # the first card
END
daemon
guest alpha --device $ivshmem --bar 2 --store unaligned
equal "$(result alpha)" ok "the allowed device"
alpha_pid=$guest_pid
guest beta --device $bochs --bar 0 --store aligned
equal "$(result beta)" ok "the denied device"
wait_for 10 audit_has '.type == "stage2_first" and .memory_type == "normal_nc"'
wait_for 10 audit_has '.type == "stage2_first" and .memory_type == "device_nGnRE"
	and .device.slot == "'$bochs'"'

# run STATUS COMMAND...: its output is $work/out.
run() {
	local wanted=$1 got=0
	shift
	"$@" > "$work/out" 2> "$work/out.err" || got=$?
	equal "$got" "$wanted" "exit status of $*: $(cat "$work/out" "$work/out.err")"
}

# devices: the daemon's picture; what is bound, what is named, and what is only there.
walked "$alpha_pid" "$guest_pid"
run 0 ncgate devices
grep -Eq "^$ivshmem +1af4:1110 .* vfio-pci +2 +16.0 MiB +yes +allow +$work/policy.conf:3 +normal_nc \(" "$work/out" ||
	fail "devices does not show the allowed card: $(cat "$work/out")"
grep -Eq "^$bochs .* 0 +16.0 MiB +yes +deny +default +device_nGnRE \(" "$work/out" ||
	fail "devices does not show the denied card"
has "$work/out" "$ivshmem2"
run 0 ncgate devices --bound
! grep -q "$ivshmem2" "$work/out" || fail "--bound shows what is not"
run 0 ncgate devices --json 1234:1111
equal "$(jq -r '[.devices[].device] | join(" ")' "$work/out")" $bochs "devices by id"
# Without the daemon: by sysfs and the policy file.
run 0 ncgate devices --control /nowhere --policy "$work/policy.conf"
grep -Eq "^$ivshmem .* allow +$work/policy.conf:3 +not known$" "$work/out" ||
	fail "devices without a daemon: $(cat "$work/out")"
has "$work/out.err" "nothing is observed"

# explain: the same verdicts, and why.
run 0 ncgate explain $ivshmem --bar 2 --policy "$work/policy.conf"
has "$work/out" "BAR 2: allow by $work/policy.conf:3"
has "$work/out" "allow 1af4:1110 slot=$ivshmem  matches"
run 0 ncgate explain $ivshmem2 --bar 2 --policy "$work/policy.conf"
has "$work/out" "slot's device is 07, not 05"
has "$work/out" "BAR 2: deny by default"

# replay: nothing differs under the policy that was in force; all under its opposite.
run 0 ncgate replay "$work/policy.conf" --audit "$work/audit.jsonl"
decisions=$(audit '.type == "decision"' | wc -l)
has "$work/out" "0 of $decisions recorded decisions would have differed"
printf 'mode enforce\ndefault allow\ndeny 1af4:1110\n' > "$work/opposite.conf"
run 1 ncgate replay "$work/opposite.conf" --audit "$work/audit.jsonl"
has "$work/out" "$decisions of $decisions recorded decisions would have differed"
{ cat "$work/audit.jsonl"; echo 'not ours'; } > "$work/damaged.jsonl"
run 0 ncgate replay "$work/policy.conf" --audit "$work/damaged.jsonl"
has "$work/out.err" "1 damaged and 0 foreign lines skipped"

# check --against: devices that are here, guests or not.
run 1 ncgate check "$work/opposite.conf" --against "$work/policy.conf"
grep -Eq "^$ivshmem2 +1af4:1110 .* 2 +deny +default +deny +$work/opposite.conf:3" "$work/out" &&
	fail "the second card's verdict did not change"
grep -Eq "^$bochs .* 0 +deny +default +allow +default" "$work/out" ||
	fail "the change of $bochs is not shown: $(cat "$work/out")"

# suggest: the card that was used and no other; in place, nothing is missing.
echo > "$work/empty.conf"
run 1 ncgate suggest --policy "$work/empty.conf" --audit "$work/audit.jsonl"
grep -q "^allow 1af4:1110 slot=$ivshmem bar=2$" "$work/out" || fail "suggest: $(cat "$work/out")"
has "$work/out" "mapped Normal-NC by alpha;"
! grep -q "^allow 1234:1111" "$work/out" || fail "suggests what was never granted"
cp "$work/out" "$work/suggested.conf"
run 0 ncgate check "$work/suggested.conf"
run 0 ncgate suggest --policy "$work/suggested.conf" --audit "$work/audit.jsonl"
has "$work/out" "allowed already, by $work/suggested.conf:"
# By the trail alone, after guest and daemon are gone.
end $alpha_pid
daemon_stop
run 1 ncgate suggest --policy "$work/empty.conf" --audit "$work/audit.jsonl"
grep -q "^allow 1af4:1110 slot=$ivshmem bar=2$" "$work/out" || fail "suggest: $(cat "$work/out")"
