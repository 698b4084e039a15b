# SPDX-License-Identifier: GPL-2.0-only
# The main job: an allowed device gets Normal-NC and its unaligned store works; a
# denied device gets Device-nGnRE and the store ends its guest, and no other. The
# tables are read by the oracle, and ncgate's metrics say the same.
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110 slot=$ivshmem
END
daemon

guest allowed --device $ivshmem --bar 2 --store unaligned
equal "$(result allowed)" ok "unaligned store to the allowed device"
allowed_pid=$guest_pid
seen=$(oracle $ivshmem)
equal "$(echo "$seen" | memory_types $ivshmem 2)" '["normal_nc"]' "allowed device, by the oracle"

guest denied --device $bochs --bar 0 --store unaligned
equal "$(result denied)" kvm-error "unaligned store to the denied device"
kill -0 "$allowed_pid" || fail "the allowed device's guest went as well"

# The same device, with stores that Device memory takes: the guest lives.
guest aligned --device $bochs --bar 0 --store aligned
equal "$(result aligned)" ok "aligned store to the denied device"
seen=$(oracle $bochs)
equal "$(echo "$seen" | memory_types $bochs 0)" '["device_nGnRE"]' "denied device, by the oracle"

saw "the policy allows" "$(result allowed)" "$(oracle $ivshmem | memory_types $ivshmem 2)"
saw "the policy denies" "$(result denied)" "$(echo "$seen" | memory_types $bochs 0)"

walked "$allowed_pid" "$guest_pid"
metrics
equal "$(sample 'ncgate_enforcement_grade{grade="hook"}')" 1 "grade"
equal "$(sample 'ncgate_kernel_change{change="hook"}')" 1 "what the kernel has of the change"
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $20 }'; }
a=$allowed_pid-$(ticks $allowed_pid)
d=$guest_pid-$(ticks $guest_pid)
bytes_of() { # bytes_of DEVICE BAR TYPE < ORACLE
	jq --arg d "$1" --argjson b "$2" --arg t "$3" \
		'.devices[] | select(.slot == $d and .bar == $b) | .mapped[$t]'
}
equal "$(sample "ncgate_device_stage2_bytes{guest=\"$d\",device=\"$bochs\",bar=\"0\",type=\"device_nGnRE\"}")" \
	"$(echo "$seen" | bytes_of $bochs 0 device_nGnRE)" "bytes of the denied device"
seen=$(oracle $ivshmem)
equal "$(sample "ncgate_device_stage2_bytes{guest=\"$a\",device=\"$ivshmem\",bar=\"2\",type=\"normal_nc\"}")" \
	"$(echo "$seen" | bytes_of $ivshmem 2 normal_nc)" "bytes of the allowed device"

wait_for 10 audit_has '.type == "decision" and .verdict == "allow" and .device.slot == "'$ivshmem'"
	and .rule.line == 3 and .grade == "hook" and .mode == "enforce"'
wait_for 10 audit_has '.type == "decision" and .verdict == "deny" and .device.slot == "'$bochs'"
	and .reason == "default"'
wait_for 10 audit_has '.type == "stage2_first" and .memory_type == "normal_nc"
	and .device.slot == "'$ivshmem'" and .guest.pid == '$allowed_pid
wait_for 10 audit_has '.type == "stage2_first" and .memory_type == "device_nGnRE"
	and .device.slot == "'$bochs'" and .guest.pid == '$guest_pid
