/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How large the pinned maps are made for a host: as its PCI devices and BARs are many, and
 * never below what maps.bpf.h says. Keeps no state. Maps that are pinned already keep their
 * size, until `ncgated --remove-state`.
 */
#ifndef NCGATE_MAP_SIZES_H
#define NCGATE_MAP_SIZES_H

#include <stddef.h>

#include <bpf/libbpf.h>

#include "device.h"

/* A bucket of the kernel's takes 16 bytes, so the largest map takes 16 MiB while empty. */
#define NCG_MAP_ENTRIES_MAX (1u << 20)

/* Of one host. */
struct ncg_map_needs {
	size_t devices;
	size_t bars;	 /* that are memory */
	size_t prefixes; /* of their addresses, in the map `bars` */
};

struct ncg_map_needs ncg_map_needs_of(const struct ncg_devices *devices);

/*
 * How many entries the map of that name is to have: twice the devices and BARs that there
 * are, for those that come later. 0: as it is.
 */
__u32 ncg_map_size(const char *name, const struct ncg_map_needs *needs);

/*
 * Sets the sizes of the maps of an object that is open and not loaded: of those that are
 * pinned in that folder what they have (or they could not be used again), of the others
 * what the host needs; needs NULL: of these nothing. Returns 0 or -errno, not logged.
 */
int ncg_map_sizes_set(struct bpf_object *object, const char *folder,
		      const struct ncg_map_needs *needs);

#endif
