/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which BARs of vfio-pci devices are mapped at this moment, by which processes, as
 * the kernel's own list of mappings says. Owns nothing between calls. The pinned maps must
 * be there (programs.h).
 */
#ifndef NCGATE_MAPPED_H
#define NCGATE_MAPPED_H

#include <sys/types.h>

#include "abi.h"

/*
 * Looks through the mappings of every process. vfio-pci must be loaded: its types
 * come from the module. Not one moment's picture: processes are looked at in turn.
 * Returns how many there are, *ret_mapped is then the caller's to free; or a negative
 * errno, logged.
 */
ssize_t ncg_mapped_read(struct ncg_mapped **ret_mapped);

/* What a VM has at guest-physical ipa, which is host-physical phys. */
struct ncg_mapped_place {
	struct ncg_vm vm;
	__u64 ipa;
	__u64 phys;
};

/*
 * Looks through which mapping of its process each VM has what it has at its place. Where it
 * is a BAR that a driver shows, it is in the pinned map `regions` afterwards. The program is
 * loaded once for all. vfio-pci must be loaded. Returns 0 or a negative errno, logged.
 */
int ncg_mapped_find_regions(const struct ncg_mapped_place *places, size_t count);

#endif
