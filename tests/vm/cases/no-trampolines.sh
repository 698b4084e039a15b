# SPDX-License-Identifier: GPL-2.0-only
# arm64 before 6.4 cannot attach fentry and its kin: ncgated says ENOTSUPP, still
# shows what every guest has, and guests start.
# kernels: 6.1
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
equal "$(result before)" kvm-error "unaligned store on a kernel without Normal-NC"
guest a --device $bochs --bar 0 --store aligned
equal "$(result a)" ok "a guest under ncgated without trampolines"
equal "$(oracle $bochs | memory_types $bochs 0)" '["device_nGnRE"]' "by the oracle"
metrics
equal "$(sample ncgate_guests)" 1 "guests"
grep -q "^ncgate_device_stage2_bytes{.*device=\"$bochs\",bar=\"0\",type=\"device_nGnRE\"}" \
	"$work/metrics" || fail "the walk shows no device memory"
equal "$(sample 'ncgate_program_attached{program="stage2_map"}')" 0 "stage2_map"
