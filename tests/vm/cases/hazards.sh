# SPDX-License-Identifier: GPL-2.0-only
# Known hazards against the running policy: what this host's CPU and a device of it
# are said to be in a table of the test, in doctor, log, audit trail and metrics.
# kernels: 6.12 6.12-16k 7.3 series
passthrough $ivshmem $bochs
midr=$(cat /sys/devices/system/cpu/cpu0/regs/identification/midr_el1)
part=$(printf '%02x:%03x' $((midr >> 24 & 0xff)) $((midr >> 4 & 0xfff)))
cat > "$work/hazards.conf" <<-END
	hazard this-cpu
	unsafe normal_nc
	midr $part
	because the test says so
	instead deny
	source this case
	hazard that-card
	unsafe device_nGnRE
	device 1af4:1110 bar=2
	because the test says so
	instead allow it
	source this case
	hazard another-cpu
	unsafe normal_nc
	midr ff:fff
	because it is not here
	instead nothing
	source this case
END
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
hazards_conf=$work/hazards.conf
daemon

# By the table the CPU forbids what the card needs: the policy can heed one.
contradictions() { metrics; sample "ncgate_hazard_contradictions{hazard=\"$1\"}"; }
equal "$(contradictions that-card)" 0 "the card is allowed"
[ "$(contradictions this-cpu)" -gt 0 ] || fail "an allowed card on a CPU that forbids it"
metrics
equal "$(sample ncgate_hazards_known)" 3 "hazards known"
equal "$(sample 'ncgate_hazard{hazard="this-cpu",unsafe="normal_nc"}')" 1 "this CPU"
equal "$(sample 'ncgate_hazard{hazard="another-cpu",unsafe="normal_nc"}')" "" "another CPU"
has "$work/ncgated.log" "hazard this-cpu of this host is not heeded: normal_nc is unsafe; the test says so; instead: deny"
has "$work/ncgated.log" "hazard this-cpu: $ivshmem BAR 2: allow by $work/policy.conf:3"
audit_has '.type == "hazard" and .hazard == "this-cpu" and .unsafe == "normal_nc"
	and any(.contradictions[]; .device == "'$ivshmem'" and .bar == 2 and .verdict == "allow")' ||
	fail "no record of the hazard"
ncgate status --json | jq -e '[.hazards[].hazard] == ["this-cpu", "that-card"]' > /dev/null ||
	fail "status does not show the hazards"

# Another policy, by reload.
policy <<-END
	mode enforce
	default deny
END
kill -HUP "$daemon_pid"
wait_for 10 audit_has '.type == "hazard" and .hazard == "that-card"
	and any(.contradictions[]; .verdict == "deny" and .reason == "default")'
equal "$(contradictions this-cpu)" 0 "nothing is allowed"
# Both cards of that id.
equal "$(contradictions that-card)" 2 "the cards are denied"
before=$(audit '.type == "hazard"' | wc -l)
metrics
equal "$(audit '.type == "hazard"' | wc -l)" "$before" "records when nothing changed"

# In mode audit the kernel's default stands, and it allows.
echo "default deny" | policy
kill -HUP "$daemon_pid"
wait_for 10 audit_has '.type == "hazard" and .hazard == "this-cpu"
	and any(.contradictions[]; .cause == "kernel default")'

got=0
ncgate doctor --policy "$work/policy.conf" --hazards "$work/hazards.conf" > "$work/doctor" || got=$?
equal "$got" 1 "exit status of doctor"
has "$work/doctor" "this-cpu: normal_nc is unsafe here, but the kernel's own default"
has "$work/doctor" "that-card: device_nGnRE is unsafe here, but"
