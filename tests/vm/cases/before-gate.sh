# SPDX-License-Identifier: GPL-2.0-only
# A BAR that was mapped before the program that decides stood is counted and named,
# once: the count outlives the daemon, and is made anew with a new gate.
# kernels: 6.12 6.12-16k 6.12-64k 7.3
# hook: yes no
passthrough $ivshmem $bochs
guest early --device $bochs --bar 0 --store aligned -name early
equal "$(result early)" ok "a guest before ncgated"
early=$guest_pid
grade=trap
! hooked || grade=hook
policy <<-END
	mode enforce
	default deny
	without-hook trap
	allow 1af4:1110
END
daemon
has "$work/ncgated.log" "1 mappings of BARs are older than the program that decides"
metrics
equal "$(sample ncgate_bar_mmaps_before_gate)" 1 "mappings before the gate"
audit '.type == "gate"' > "$work/gate"
equal "$(jq -c '[.grade, .bar_mmaps_before, (.mapped[]
	| .guest.pid, .guest.name, .device.slot, .device.bar, .length, .granted)]' "$work/gate")" \
	'["'$grade'",1,'$early',"early","'$bochs'",0,16777216,true]' "the audit record"
guest late --device $ivshmem --bar 2 --store aligned
equal "$(result late)" ok "a guest after the gate"

# Taken over: neither counted again nor recorded again.
daemon_stop KILL
daemon
metrics
equal "$(sample ncgate_bar_mmaps_before_gate)" 1 "the count of a daemon that took over"
ncgate status | grep -q "1 mappings of BARs are older" || fail "status does not say so"
equal "$(audit '.type == "gate"' | wc -l)" 1 "records of the gate"

# A new gate: the guest behind the old one is before it now.
end "$early"
daemon_stop
ncgated --remove-state
daemon
metrics
equal "$(sample ncgate_bar_mmaps_before_gate)" 1 "mappings before the second gate"
equal "$(audit '.type == "gate"' | tail -n 1 | jq -c '[.mapped[].device.slot]')" \
	'["'$ivshmem'"]' "what was mapped before the second gate"
end "$guest_pid"
daemon_stop
ncgated --remove-state
daemon
metrics
equal "$(sample ncgate_bar_mmaps_before_gate)" 0 "mappings before the third gate"
