/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which place host-physical addresses are, as the programs name it (struct ncg_use_key): a
 * BAR, or the GiB where there is none. One answer holds for a whole part, so what is asked
 * of the kernel is as much as there are BARs and GiBs, however small the leaves. Owns the
 * last answer; borrows the rest.
 */
#ifndef NCGATE_PLACES_H
#define NCGATE_PLACES_H

#include <stddef.h>

#include "device.h"
#include "ledger.h"

struct ncg_places {
	const struct ncg_ledger *ledger;
	const struct ncg_devices *devices; /* no older than the map `bars` */
	__u64 first, last; /* addresses that the last answer holds for */
	__u64 where;
	size_t asked; /* look-ups in the kernel's map, so far; 0: there is no answer yet */
};

/*
 * The place of phys, and in *ret_size for how many of the `left` bytes (at least 1) from
 * there it holds, at least 1.
 */
__u64 ncg_places_find(struct ncg_places *places, __u64 phys, __u64 left, __u64 *ret_size);

#endif
