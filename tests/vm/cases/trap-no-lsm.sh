# SPDX-License-Identifier: GPL-2.0-only
# `without-hook trap` where bpf is none of the kernel's LSMs: the kernel attaches the
# program all the same and never calls it. ncgated finds that out, says what to do, and
# claims no trap; `doctor` says the same.
# alone: for its command line
# append: lsm=landlock
# kernels: 6.12
# hook: no
passthrough $bochs
! grep -q bpf /sys/kernel/security/lsm || fail "bpf is an LSM here: $(cat /sys/kernel/security/lsm)"
policy <<-END
	mode enforce
	default deny
	without-hook trap
END
daemon
has "$work/ncgated.log" "needs bpf among the kernel's LSMs, which are $(cat /sys/kernel/security/lsm)"
has "$work/ncgated.log" "name it in lsm= on the kernel's command line"
metrics
equal "$(sample 'ncgate_enforcement_grade{grade="none"}')" 1 "grade"
equal "$(sample 'ncgate_enforcement_grade{grade="trap"}')" 0 "grade trap"
equal "$(sample 'ncgate_program_attached{program="decide_trap"}')" 0 "decide_trap"
equal "$(sample 'ncgate_program_attached{program="decide_only"}')" 1 "decide_only"
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" ok "what nobody keeps from it"
! grep trapped "$work/a.json" || fail "the BAR was refused"
wait_for 10 audit_has '.type == "decision" and .verdict == "deny" and .grade == "none"'
status=0
ncgate doctor --policy "$work/policy.conf" > "$work/doctor" || status=$?
equal "$status" 1 "exit status of doctor"
grep "BPF LSM" "$work/doctor" | grep -q missing || { cat "$work/doctor"; fail "doctor does not see it"; }
