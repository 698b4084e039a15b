# SPDX-License-Identifier: GPL-2.0-only
# Protected KVM. Where the hypervisor keeps the tables of all VMs (from 6.14), ncgate
# says that it cannot see them, and shows no number of them. Before that, guests that
# are not protected have tables like any others, and ncgate reads them.
# alone: it needs a boot of its own
# append: kvm-arm.mode=protected
# kernels: 6.12 7.3
. /ncg/inside/lib-oracle.sh
dmesg | grep -q 'kvm.*Protected .*VHE mode initialized' ||
	fail "KVM is not in protected mode"
passthrough $ivshmem
policy <<-END
	mode audit
	default deny
END
daemon
guest a --store none --ram-mib 16 --touch-pages 20
equal "$(result a)" ok "a guest under protected KVM"
a=$guest_pid
metrics
equal "$(sample ncgate_guests)" 1 "guests"

case $release in
6.12*)
	guest b --device $ivshmem --bar 2 --store aligned --touch-pages 100
	equal "$(result b)" ok "a guest with a device"
	same_as_oracle "$guest_pid" $ivshmem "a guest that is not protected"
	equal "$(sample ncgate_guests_not_visible)" 0 "guests that are not visible"
	;;
*)
	state=$(sed -n 's/^ncgate_guest_tables{.*state="\(.*\)"} 1$/\1/p' "$work/metrics")
	equal "$state" hidden "the state of its tables"
	equal "$(sample ncgate_guests_not_visible)" 1 "guests that are not visible"
	! grep -E '^ncgate_(guest_(nested_)?stage2|walk_age)' "$work/metrics" ||
		fail "a number stands for what is not known"
	ncgate walk "$a" > "$work/walk"
	equal "$(cat "$work/walk")" "tables not visible: the hypervisor keeps them (protected KVM)" \
		"ncgate walk"
	equal "$(ncgate guests --json | jq -c '.guests[] | [.visible, .tables, .leaves]')" \
		'[false,"hidden",[]]' "ncgate guests"
	# No device goes to a guest there: the hypervisor shares memory alone with it.
	guest b --device $ivshmem --bar 2 --store aligned
	saw "protected KVM, a guest with a device" "$(cat "$work/b.json")"
	;;
esac
end "$a"
ended() { metrics && [ "$(sample ncgate_guests_not_visible)" = 0 ]; }
wait_for 10 ended
