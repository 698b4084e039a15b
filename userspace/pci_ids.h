/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which ids a name in pci.ids stands for. libpci only knows the other way; an index that
 * is made once from the file's text answers each look-up with a binary search.
 *
 * Owned by who makes it; one thread at a time. No I/O. A line that is not in the form of
 * pci.ids is passed over, with what belongs to it: then a name is missing, and nothing
 * else is wrong.
 */
#ifndef NCGATE_PCI_IDS_H
#define NCGATE_PCI_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct ncg_pci_id {
	const char *name; /* as the file has it */
	uint16_t vendor;
	uint16_t id; /* the device's; a vendor's own entry has the vendor's */
};

struct ncg_pci_ids;

/*
 * Makes the index of a text of size bytes, which need not end with a NUL and is not
 * kept. Names of subsystems and classes are not in it. Returns 0 and *ret_ids, the
 * caller's, or -ENOMEM.
 */
int ncg_pci_ids_parse(const char *text, size_t size, struct ncg_pci_ids **ret_ids);

/* Takes NULL. */
void ncg_pci_ids_free(struct ncg_pci_ids *ids);

NCG_DEFINE_CLEANUP(struct ncg_pci_ids *, ncg_pci_ids_free)
#define ncg_autopciids ncg_cleanup(ncg_pci_ids_free_cleanup)

/*
 * All vendors, or with vendor its devices, sorted by name and then by id; *ret_count
 * says how many. Borrowed from ids.
 */
const struct ncg_pci_id *ncg_pci_ids_list(struct ncg_pci_ids *ids, const uint16_t *vendor,
					  size_t *ret_count);

/*
 * Those of them with exactly that name: *ret_count entries in a row, often one, and 0
 * where there are none. Borrowed from ids.
 */
const struct ncg_pci_id *ncg_pci_ids_find(struct ncg_pci_ids *ids, const uint16_t *vendor,
					  const char *name, size_t *ret_count);

/* How many entries were compared so far to find others, which is the work of it. */
size_t ncg_pci_ids_compared(const struct ncg_pci_ids *ids);

#endif
