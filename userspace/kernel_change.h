/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much of the kernel change this host's kernel has. Asks the kernel's own
 * types (BTF), not its version: distributions carry changes back. Keeps no state;
 * needs no privilege.
 */
#ifndef NCGATE_KERNEL_CHANGE_H
#define NCGATE_KERNEL_CHANGE_H

#include "abi.h"

/* The function that the kernel change adds to vfio-pci-core, kernel-patch/. */
#define NCG_HOOK_FUNCTION "vfio_pci_uncached_policy"

enum ncg_change {
	NCG_CHANGE_NONE, /* KVM cannot map device memory as Normal-NC */
	NCG_CHANGE_CORE, /* it can, for every vfio-pci device alike */
	NCG_CHANGE_HOOK, /* and vfio-pci-core asks for each BAR mmap */
	NCG_CHANGE_NR,
};

/*
 * What the running kernel has, in *ret_change. Returns
 *   0        that is all there is to know
 *   -EAGAIN  vfio-pci-core is not loaded, so whether it has the hook is not known
 *            yet; *ret_change is NCG_CHANGE_CORE
 *   -errno   the kernel has no BTF (-ENOENT), or it cannot be read; *ret_change is
 *            untouched. Not logged.
 */
int ncg_kernel_change(enum ncg_change *ret_change);

/* The same from another sysfs; NULL is /sys. */
int ncg_kernel_change_read(const char *sysfs, enum ncg_change *ret_change);

/*
 * Whether vfio-pci-core is a part of the kernel itself, by its types. Returns 1, 0 (a
 * module, or nowhere), or -errno as ncg_kernel_change(). Reading the types takes long.
 */
int ncg_kernel_vfio_built_in(const char *sysfs);

/*
 * What the kernel does with a BAR mmap when nobody tells it: the parameter
 * uncached_default where vfio-pci-core has it, else what follows from the change,
 * NCG_CHANGE_NR where that is not known; the answer is then NCG_VERDICT_NONE. sysfs
 * NULL is /sys.
 */
enum ncg_verdict ncg_kernel_default(const char *sysfs, enum ncg_change change);

/* "none", "core" or "hook", for programs; and as a person reads it. */
const char *ncg_kernel_change_name(enum ncg_change change);
const char *ncg_kernel_change_text(enum ncg_change change);

#endif
