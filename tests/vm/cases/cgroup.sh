# SPDX-License-Identifier: GPL-2.0-only
# A rule for a cgroup is met by who is in it or below it, and by nobody else. A rule
# that says `audit` is recorded and not acted on. Both come from an included folder.
# kernels: 6.12 6.12-64k 7.3 series
cgroups=/sys/fs/cgroup
long=$(printf 'n%.0s' $(seq 100)) # more than one part of a name
mkdir -p "$cgroups/machine.slice/$long/vm" "$cgroups/machine.slicer" "$cgroups/trial"

# in_cgroup CGROUP NAME: runs a guest from there; prints its result.
in_cgroup() {
	echo $BASHPID > "$cgroups$1/cgroup.procs"
	guest "$2" --device $ivshmem --bar 2 --store unaligned > /dev/null
	end "$guest_pid"
	echo $BASHPID > "$cgroups/cgroup.procs"
	result "$2"
}

passthrough $ivshmem
mkdir -p "$work/policy.d"
policy <<-END
	mode enforce
	default deny
	include policy.d
END
cat > "$work/policy.d/20-late.conf" <<-END
	deny *:*
END
cat > "$work/policy.d/10-machines.conf" <<-END
	allow 1af4:1110 cgroup=/machine.slice/$long
	deny 1af4:1110 cgroup=/trial audit
END
daemon
equal "$(in_cgroup /machine.slice/$long/vm below)" ok "below the cgroup"
equal "$(in_cgroup /machine.slice/$long within)" ok "in the cgroup"
equal "$(in_cgroup /machine.slice above)" kvm-error "above the cgroup"
equal "$(in_cgroup /machine.slicer beside)" kvm-error "in a cgroup with a longer name"
equal "$(in_cgroup / root)" kvm-error "in the root cgroup"
equal "$(in_cgroup /trial trial)" $unasked_store "denied by a rule that says audit"
wait_for 10 audit_has '.type == "decision" and .guest.comm == "minivmm" and .verdict == "allow"
	and (.rule.file | endswith("policy.d/10-machines.conf")) and .rule.line == 1
	and (.rule | has("audit") | not)'
wait_for 10 audit_has '.type == "decision" and .verdict == "deny" and .mode == "enforce"
	and .rule.audit == true and .rule.line == 2'
wait_for 10 audit_has '.type == "decision" and .verdict == "deny"
	and (.rule.file | endswith("policy.d/20-late.conf"))'
rmdir "$cgroups/machine.slice/$long/vm" "$cgroups/machine.slice/$long" \
	"$cgroups/machine.slice" "$cgroups/machine.slicer" "$cgroups/trial"

# What others can write is refused, and the policy in force stays.
chmod 666 "$work/policy.d/20-late.conf"
kill -HUP "$daemon_pid"
wait_for 10 audit_has '.type == "policy_refused"'
has "$work/ncgated.log" "policy.d/20-late.conf, which can be written by others than root (mode 0666)"
metrics
equal "$(sample ncgate_policy_generation)" 1 "generation after a refusal"
