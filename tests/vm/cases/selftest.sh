# SPDX-License-Identifier: GPL-2.0-only
# The kselftest of the series, with a device: every test of it runs, and passes.
# kernels: 6.12 6.12-64k 6.12-16k 7.3 series
passthrough $ivshmem
VFIO_PCI_UNCACHED_BDF=$ivshmem vfio_pci_uncached_test > "$work/out" || { cat "$work/out"; fail "selftest"; }
cat "$work/out"
grep -qE '^# Totals: pass:[1-9][0-9]* fail:0 xfail:0 xpass:0 skip:0 error:0' "$work/out" ||
	fail "not every test of the selftest ran and passed"
