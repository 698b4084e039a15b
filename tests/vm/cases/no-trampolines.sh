# SPDX-License-Identifier: GPL-2.0-only
# arm64 before 6.4 cannot attach fentry and its kin: ncgated says ENOTSUPP, still
# shows what every guest has, and guests start. With the series for 6.1 there is
# Normal-NC as well, for every device and whatever the policy says.
# kernels: 6.1 6.1-series
# hook: no
passthrough $bochs
policy <<-END
	mode enforce
	default deny
END
daemon
has "$work/ncgated.log" "stage2_map cannot be attached to kvm_pgtable_stage2_map"
has "$work/ncgated.log" "(ENOTSUPP)"
guest before --device $bochs --bar 0 --store unaligned
equal "$(result before)" $unasked_store "unaligned store to a denied device"
end "$guest_pid"
guest a --device $bochs --bar 0 --store aligned
equal "$(result a)" ok "a guest under ncgated without trampolines"
equal "$(oracle $bochs | memory_types $bochs 0)" "[\"$unasked\"]" "by the oracle"
walked "$guest_pid"
metrics
equal "$(sample ncgate_guests)" 1 "guests"
grep -q "^ncgate_device_stage2_bytes{.*device=\"$bochs\",bar=\"0\",type=\"$unasked\"}" \
	"$work/metrics" || fail "the walk shows no device memory"
equal "$(sample 'ncgate_program_attached{program="stage2_map"}')" 0 "stage2_map"
[ $unasked = normal_nc ] && change=core || change=none
equal "$(sample "ncgate_kernel_change{change=\"$change\"}")" 1 "what the kernel has of the change"
ncgate status > "$work/status"
[ $change = core ] && has "$work/status" "core change only" || has "$work/status" "no change:"
saw "ncgate status" "$(sed -n 's/^kernel *//p' "$work/status")"
