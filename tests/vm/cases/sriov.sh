# SPDX-License-Identifier: GPL-2.0-only
# Virtual functions: their BARs are parts of one window of the physical function, side
# by side, and each is decided, mapped and shown as its own device's. They are made
# while ncgated runs, and gone when their number is set back to 0.
# alone: it has a device of its own
# device: pcie-root-port,id=slot10,addr=a,chassis=2,slot=2 igb,bus=slot10,romfile=
# append: pci=config_acs=111x1@0000:00:0a.0
# kernels: 6.12 6.12-16k 7.3
. /ncg/inside/lib-oracle.sh
vfio_load
modprobe igb
pf=$(basename "$(echo /sys/bus/pci/drivers/igb/????:??:??.?)")
[ -e "/sys/bus/pci/devices/$pf/sriov_numvfs" ] || fail "no physical function"
policy <<-END
	mode enforce
	default deny
END
daemon
make_functions() {
	local n
	echo 3 > "/sys/bus/pci/devices/$pf/sriov_numvfs"
	for n in 0 1 2; do
		vf[n]=$(basename "$(readlink -f "/sys/bus/pci/devices/$pf/virtfn$n")")
	done
	passthrough "${vf[@]}"
}
take_functions() {
	local d
	for d in "${vf[@]}"; do echo "$d" > /sys/bus/pci/drivers/vfio-pci/unbind; done
	echo 0 > "/sys/bus/pci/devices/$pf/sriov_numvfs"
	equal "$(ncgate devices --json | jq --argjson v "$(printf '%s\n' "${vf[@]}" | jq -R . | jq -s .)" \
		'[.devices[] | select(.device as $d | $v | index($d))] | length')" 0 "functions that are gone"
}
make_functions
echo "allow 8086:10ca slot=${vf[1]}" >> "$work/policy.conf"
kill -HUP "$daemon_pid"
wait_for 10 audit_has '.type == "policy_load" and .generation == 2'
bar() { sed -n 1p "/sys/bus/pci/devices/$1/resource"; } # BAR 0: start end flags
cat "/sys/bus/pci/devices/$pf/resource"
for d in "${vf[@]}"; do echo "$d: $(bar "$d")"; done
size() { local start end; read -r start end _ <<< "$(bar "$1")"; echo $((end - start + 1)); }

verdict() { ncgate devices --json | jq -r --arg d "$1" '.devices[] | select(.device == $d) | .verdict'; }
equal "$(for d in "${vf[@]}"; do verdict "$d"; done | tr '\n' ' ')" "deny allow deny " "verdicts"

# Two functions in one guest, the third in another.
guest both --store none --touch-pages 4 --device "${vf[0]}" --bar 0 --device "${vf[1]}" --bar 0
equal "$(result both)" ok "a guest with two virtual functions"
both=$guest_pid
guest third --store none --touch-pages 4 --device "${vf[2]}" --bar 0
equal "$(result third)" ok "a guest with the third"
third=$guest_pid

shown() { # shown PID: device, BAR, type and bytes as ncgate has them
	ncgate guests --json | jq -r --argjson p "$1" '.guests[] | select(.pid == $p)
		| .devices[] | "\(.device) \(.bar) \(.type) \(.bytes)"' | sort
}
equal "$(shown "$both")" "${vf[0]} 0 device_nGnRE $(size "${vf[0]}")
${vf[1]} 0 normal_nc $(size "${vf[1]}")" "what the first guest has of its functions"
equal "$(shown "$third")" "${vf[2]} 0 device_nGnRE $(size "${vf[2]}")" "what the other guest has"
same_as_oracle "$both" "${vf[0]}" "two virtual functions"
equal "$(sample "ncgate_device_stage2_bytes{guest=\"$(jq -r .guest "$work/walk")\",device=\"${vf[1]}\",bar=\"0\",type=\"normal_nc\"}")" \
	"$(size "${vf[1]}")" "the metric of the allowed one"
same_as_oracle "$third" "${vf[2]}" "the third virtual function"
for n in 0 1 2; do
	type=device_nGnRE
	[ $n != 1 ] || type=normal_nc
	wait_for 10 audit_has '.type == "stage2_first" and .device.slot == "'"${vf[n]}"'"
		and .device.bar == 0 and .memory_type == "'$type'"'
done
end "$both"
end "$third"

take_functions

# They come and are mapped while the daemon cannot look: each is told of all the same.
kill -STOP "$daemon_pid"
make_functions
guest unseen --store none --touch-pages 1 --device "${vf[0]}" --bar 0 --device "${vf[2]}" --bar 0
equal "$(result unseen)" ok "a guest with functions that ncgated does not know"
kill -CONT "$daemon_pid"
for n in 0 2; do
	wait_for 10 audit_has '.type == "stage2_first" and .guest.name == "unseen"
		and .device.slot == "'"${vf[n]}"'" and .device.iommu_group'
done
end "$guest_pid"
