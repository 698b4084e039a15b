# SPDX-License-Identifier: GPL-2.0-only
# doctor on a host that has the hook: every line, without and with the daemon, and a
# finding when something is taken away.
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
policy <<-END
	mode enforce
	default deny
END

# doctor STATUS [ARG...]: runs it; its document is $work/doctor.json.
doctor() {
	local wanted=$1 got=0
	shift
	ncgate doctor --json --policy "$work/policy.conf" --hazards /ncg/hazards.conf "$@" \
		> "$work/doctor.json" || got=$?
	equal "$got" "$wanted" "exit status of doctor: $(cat "$work/doctor.json")"
}
# line CHECK STATE [TEXT]: what doctor said of one thing.
line() {
	jq -e --arg c "$1" --arg s "$2" --arg t "${3:-}" '.checks[] | select(.check == $c)
		| .state == $s and (.detail + "; " + .follows | contains($t))' "$work/doctor.json" > /dev/null ||
		fail "doctor does not say '$1 $2 ${3:-}': $(jq -c ".checks[] | select(.check == \"$1\")" "$work/doctor.json")"
}

vfio_load
passthrough $bochs
doctor 1
equal "$(jq -r .change "$work/doctor.json")" hook "change"
line kernel found "$release"
line change found "core change and hook"
line BTF found
line "module BTF" found
line hook found
line "hook default" found "uncached_default=allow"
line trampolines found
line attaching found "attached and taken away again"
line KVM found
line "KVM mode" found VHE
line FWB found
line IOMMU found
line bpffs found
line capabilities found
line ncgated missing
line policy found "mode enforce, default deny, 0 rules"
line drivers found "bound to drivers that ask the hook"
line hazard found "none of the 4 known ones"
# Nothing that doctor attached has stayed.
[ -z "$(bpftool prog show name ncg_doctor)" ] || fail "doctor's program is still there"

# With the daemon and its socket nothing is missing.
daemon
doctor 0
line ncgated found "grade hook"
echo "allow 1af4:1110" >> "$work/policy.conf"
doctor 1
line policy warning "is not the policy in force"

# The kernel's mode and default are told from the host, not from habit.
echo deny > /sys/module/vfio_pci_core/parameters/uncached_default
doctor 1
line "hook default" found "uncached_default=deny"
echo allow > /sys/module/vfio_pci_core/parameters/uncached_default

ncgate doctor --policy "$work/policy.conf" --hazards /ncg/hazards.conf > "$work/doctor.text" || :
has "$work/doctor.text" "attaching     found    a program was attached and taken away again"
