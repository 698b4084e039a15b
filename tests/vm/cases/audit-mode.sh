# SPDX-License-Identifier: GPL-2.0-only
# Audit mode decides and records, and changes nothing: the shipped policy leaves
# a running site as it was.
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
passthrough $bochs
cp /ncg/policy.conf "$work/policy.conf"
daemon
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" ok "unaligned store under audit mode"
equal "$(oracle $bochs | memory_types $bochs 0)" '["normal_nc"]' "memory type under audit mode"
wait_for 10 audit_has '.type == "decision" and .verdict == "deny" and .mode == "audit"
	and .reason == "default" and .device.slot == "'$bochs'"'
wait_for 10 audit_has '.type == "bar_mmap" and .granted == true and .device.slot == "'$bochs'"'
metrics
equal "$(sample 'ncgate_bar_mmaps_total{result="withheld"}')" 0 "BARs withheld"
