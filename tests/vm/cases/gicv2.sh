# SPDX-License-Identifier: GPL-2.0-only
# The GICv2 virtual CPU interface is device memory that no policy and no kernel may
# make Normal-NC; a passthrough device beside it still gets what the kernel gives.
# kernels: 6.12 6.12-16k 7.3 series 6.1 6.1-series
# gic: 2
# hook: yes no
passthrough $ivshmem
policy <<-END
	mode enforce
	default allow
END
daemon
guest a --device $ivshmem --bar 2 --store aligned --gicv2
equal "$(result a)" ok "aligned store"
oracle $ivshmem > "$work/seen"
equal "$(memory_types $ivshmem 2 < "$work/seen")" "[\"$unasked\"]" "the device"
# GICV of QEMU's virt board: 0x08040000 (hw/arm/virt.c).
gicv=$(jq -c '[.tables[].leaves[] | select(.pa == 134479872) | .memtype] | unique' "$work/seen")
equal "$gicv" '["device_nGnRE"]' "the virtual CPU interface"
saw "GICv2 virtual CPU interface" "$gicv"
walked "$guest_pid"
ncgate guests --json | jq -e '.guests[0].other[] | select(.phys == "8040000")
	| .type == "device_nGnRE"' || fail "ncgate does not show the virtual CPU interface"
! grep "mapped BARs" "$work/ncgated.log" || fail "searched for, though vfio-pci shows PCI's BARs"
end "$guest_pid"
guest b --device $ivshmem --bar 2 --store unaligned --gicv2
equal "$(result b)" $unasked_store "unaligned store"
