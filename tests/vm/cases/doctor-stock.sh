# SPDX-License-Identifier: GPL-2.0-only
# doctor on kernels without the hook: the core change alone, as Debian ships it; and
# 6.1, with its series and without, where nothing can be attached and the errno says so.
# kernels: 6.12 6.12-16k 7.3 6.1 6.1-series
# hook: no
cp /ncg/policy.conf "$work/policy.conf"

check() { # check CHECK: "state: detail; follows (errno)"
	jq -r --arg c "$1" '.checks[] | select(.check == $c)
		| "\(.state): \(.detail); \(.follows) (\(.errno))"' "$work/doctor.json"
}
doctor() {
	local got=0
	ncgate doctor --json --policy "$work/policy.conf" --hazards /ncg/hazards.conf \
		> "$work/doctor.json" || got=$?
	equal "$got" 1 "exit status of doctor"
}

# What a kernel has of the change, and what follows from it.
expect_change() {
	equal "$(jq -r .change "$work/doctor.json")" "$1" "change"
	if [ "$1" = core ]; then
		check change | grep -q "^found: core change only; every guest may have Normal-NC" ||
			fail "change: $(check change)"
		check hook | grep -q "^missing: vfio_pci_uncached_policy(); a denied device is recorded" ||
			fail "hook: $(check hook)"
		check "hook default" | grep -q "^found: allow, not to be changed" ||
			fail "default: $(check 'hook default')"
	else
		check change | grep -q "^found: no change; every guest has Device-nGnRE" ||
			fail "change: $(check change)"
		check "hook default" | grep -q "^found: deny, not to be changed" ||
			fail "default: $(check 'hook default')"
	fi
}

trampolines=yes
change=core
case $release in
6.1.*ncgate*) trampolines=no ;;
6.1.*) trampolines=no change=none ;;
esac

vfio_load
doctor
expect_change $change
if [ $trampolines = yes ]; then
	check attaching | grep -q "^found:" || fail "attaching: $(check attaching)"
else
	check trampolines | grep -q "^missing: no CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS" ||
		fail "trampolines: $(check trampolines)"
	check attaching | grep -q "^failed: a loaded program cannot be attached; .*(ENOTSUPP)$" ||
		fail "attaching: $(check attaching)"
fi
check "BPF LSM" | grep -q "^found:" || [ $trampolines = no ] ||
	fail "LSM: $(check 'BPF LSM')"

# Before the module is there, the hook is not known; and that is no finding by itself.
modprobe -r vfio-pci
modprobe -r vfio-pci-core
doctor
if [ $change = core ]; then
	equal "$(jq -r .change "$work/doctor.json")" null "change without vfio-pci-core"
	check hook | grep -q "^not known:" || fail "hook: $(check hook)"
	check "module BTF" | grep -q "^not known: vfio-pci-core is not loaded" ||
		fail "module BTF: $(check 'module BTF')"
fi
