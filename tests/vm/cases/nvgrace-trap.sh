# SPDX-License-Identifier: GPL-2.0-only
# The trap and BARs that only a driver exposes: nvgrace-gpu as it is in mainline maps its
# RESMEM (BAR 2) and USEMEM (BAR 4, which PCI does not have) in its own way. Each is decided
# like any BAR, and refused where it is denied; where a 32-bit process does not tell which
# region it asks for, any of them could be meant.
# alone: the kernel has less memory than the machine
# memory: 3648
# append: mem=2048M
# kernels: 6.12 7.3
# hook: no
# needs: nvgrace
base=$((0xc0000000)) # the machine's RAM begins at 1 GiB
vfio_load
insmod /ncg/nvgrace/gpu_firmware.ko slot=$bochs base=$base size=$((0x64000000))
insmod /ncg/nvgrace/stock/nvgrace-gpu-vfio-pci.ko
echo nvgrace_gpu_vfio_pci > /sys/bus/pci/devices/$bochs/driver_override
echo $bochs > /sys/bus/pci/drivers_probe

of_bochs="bar0 bar2 bar4 compat0 compat2 compat4 rom config read0 read2 read4"
try() { minivmm --device $bochs --bar 0 --exec -- vfiomap $of_bochs; }
try > "$work/before"
for what in "bar0 ok" "bar2 ok" "bar4 ok" "compat2 ok" "compat4 ok" "read2 ok" "read4 ok"; do
	has "$work/before" "$what"
done
# refused WHAT...: all else is as it was without ncgate.
refused() {
	local what script=
	for what; do script="$script;s/^$what .*/$what EPERM/"; done
	try > "$work/now"
	sed "$script" "$work/before" | diff - "$work/now" || fail "refused should be: $*"
}
generation=1
# reload POLICY: the daemon reads it.
reload() {
	policy <<< "$1"
	kill -HUP "$daemon_pid"
	generation=$((generation + 1))
	wait_for 10 audit_has '.type == "policy_load" and .generation == '$generation
}

policy <<-END
	mode enforce
	default deny
	without-hook trap
END
daemon
refused bar0 bar2 bar4 compat0 compat2 compat4
# One decision for each that was asked for; of those that do not tell, for the first denied.
decided() { audit '.type == "decision" and .grade == "trap" and .verdict == "deny"
	and .device.slot == "'$bochs'" and .device.bar == '"$1" | wc -l; }
all_decided() { [ "$(decided 0) $(decided 2) $(decided 4)" = "4 1 1" ]; }
wait_for 10 all_decided

# A guest is none the worse for it, and has nothing of the device in its tables.
guest a --device $bochs --bar 2 --bar 4 --store unaligned
equal "$(result a)" ok "unaligned stores to what is trapped"
equal "$(grep -c trapped "$work/a.json")" 2 "BARs that are trapped"
walked "$guest_pid"
equal "$(ncgate walk "$guest_pid" --json | jq -c .ranges)" "[]" "device memory of the guest"
ncgate devices --json > "$work/devices"
jq -e '.devices[] | select(.device == "'$bochs'") | .bars[] | select(.bar == 2)
	| .verdict == "deny" and .guests == []' "$work/devices" || fail "what ncgate devices says"
end "$guest_pid"

reload "mode enforce
default deny
without-hook trap
allow 1234:1111 bar=0,2"
refused bar4 compat0 compat2 compat4
reload "mode enforce
default deny
without-hook trap
allow 1234:1111 bar=4"
refused bar0 bar2 compat0 compat2 compat4
reload "mode enforce
default deny
without-hook trap
allow 1234:1111"
refused
guest b --device $bochs --bar 2 --store unaligned
equal "$(result b)" ok "RESMEM that is allowed"
! grep trapped "$work/b.json" || fail "an allowed BAR is trapped"
