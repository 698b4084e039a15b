# SPDX-License-Identifier: GPL-2.0-only
# The GICv2 virtual CPU interface is device memory that no policy may make
# Normal-NC; a passthrough device beside it still gets it.
# kernels: 6.12 7.3 series
# gic: 2
passthrough $ivshmem
policy <<-END
	mode enforce
	default allow
END
daemon
guest a --device $ivshmem --bar 2 --store unaligned --gicv2
equal "$(result a)" ok "unaligned store"
oracle $ivshmem > "$work/seen"
equal "$(memory_types $ivshmem 2 < "$work/seen")" '["normal_nc"]' "the device"
# GICV of QEMU's virt board: 0x08040000 (hw/arm/virt.c).
equal "$(jq -c '[.tables[].leaves[] | select(.pa == 134479872) | .memtype] | unique' "$work/seen")" \
	'["device_nGnRE"]' "the virtual CPU interface"
metrics
ncgate guests --json | jq -e '.guests[0].other[] | select(.phys == "8040000")
	| .type == "device_nGnRE"' || fail "ncgate does not show the virtual CPU interface"
