# SPDX-License-Identifier: GPL-2.0-only
# A kernel without the hook: ncgated says so by name and errno, decides and
# records, and keeps no guest from what the kernel gives it.
# kernels: 6.12 6.12-16k 7.3
# hook: no
passthrough $bochs
policy <<-END
	mode enforce
	default deny
END
daemon
has "$work/ncgated.log" "decide_hook cannot be attached to vfio_pci_uncached_policy: No such process (ESRCH)"
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" ok "a denied device on a kernel without the hook"
metrics
equal "$(sample 'ncgate_enforcement_grade{grade="none"}')" 1 "grade"
equal "$(sample 'ncgate_enforcement_grade{grade="hook"}')" 0 "grade hook"
equal "$(sample 'ncgate_kernel_change{change="core"}')" 1 "what the kernel has of the change"
equal "$(sample 'ncgate_program_attached{program="decide_only"}')" 1 "decide_only"
[ "$(sample 'ncgate_stage2_maps_total{type="normal_nc"}')" -gt 0 ] || fail "no Normal-NC map was counted"
wait_for 10 audit_has '.type == "decision" and .verdict == "deny" and .grade == "none"
	and .device.slot == "'$bochs'"'
wait_for 10 audit_has '.type == "bar_mmap" and .granted == true'
ncgate status --json | jq -e '.programs[] | select(.name == "decide_hook") | .state == "failed"' ||
	fail "status does not say that the hook is missing"
