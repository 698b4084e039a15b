# SPDX-License-Identifier: GPL-2.0-only
# With no program attached the module's own parameter answers, and what it
# refuses is refused without failing the mmap.
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
passthrough $ivshmem
parameter=/sys/module/vfio_pci_core/parameters/uncached_default
equal "$(cat $parameter)" allow "the parameter's default"
guest a --device $ivshmem --bar 2 --store unaligned
equal "$(result a)" ok "uncached_default=allow"
saw "uncached_default=allow, nothing attached" "$(result a)"
end "$guest_pid"

echo deny > $parameter
guest b --device $ivshmem --bar 2 --store unaligned
equal "$(result b)" kvm-error "unaligned store under uncached_default=deny"
guest c --device $ivshmem --bar 2 --store aligned
equal "$(result c)" ok "aligned store under uncached_default=deny"
equal "$(oracle $ivshmem | memory_types $ivshmem 2)" '["device_nGnRE"]' "uncached_default=deny"
saw "uncached_default=deny, nothing attached" "$(result b)"
end "$guest_pid"

! echo perhaps 2> /dev/null > $parameter || fail "a word that is neither was taken"
equal "$(cat $parameter)" deny "the parameter after a wrong word"

# A program's verdict goes before the parameter; abstaining leaves it to it.
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
daemon
guest d --device $ivshmem --bar 2 --store unaligned
equal "$(result d)" ok "an allow rule over uncached_default=deny"
end "$guest_pid"
daemon_stop
echo allow > $parameter
