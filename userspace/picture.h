/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One picture of guests and what they map, as far as the walk knows it: who each
 * guest is, and of which BAR or other memory it maps how much with which type. Owns
 * its own lists; VMs and devices in it are borrowed, and valid until the walk or the
 * inventory is asked for the next picture.
 */
#ifndef NCGATE_PICTURE_H
#define NCGATE_PICTURE_H

#include "guest.h"
#include "guest_cache.h"
#include "inventory.h"
#include "walk.h"

/* Bytes of one BAR, or of memory that is in none, that one guest maps, by type. */
struct ncg_picture_use {
	const struct ncg_device *device; /* NULL: in no BAR of this host */
	unsigned int bar;
	__u64 phys; /* host-physical, of the range; where there is no BAR */
	__u64 bytes[NCG_MT_NR];
	__u64 nested_bytes[NCG_MT_NR]; /* in tables that shadow a nested hypervisor's */
};

struct ncg_picture_guest {
	const struct ncg_walk_vm *vm;
	size_t index, shadows; /* in the walk: its tables, then so many that shadow */
	struct ncg_guest identity; /* zeroed when the process is gone */
	char id[NCG_GUEST_ID_LEN + 16];
	struct ncg_picture_use *uses;
	size_t use_count;
};

struct ncg_picture {
	struct ncg_walk *walk; /* NULL: guests are not known */
	struct ncg_picture_guest *guests; /* newest first */
	size_t count;
	const struct ncg_devices *devices;
};

/*
 * Refreshes the inventory and, unless NULL, the walk; cache keeps what command lines
 * said (NULL: nothing). Returns 0 or -errno, logged;
 * *ret_picture is the caller's, for ncg_picture_release(), which also takes a zeroed
 * one.
 */
int ncg_picture_take(struct ncg_walk *walk, struct ncg_inventory *inventory,
		     struct ncg_guest_cache *cache, struct ncg_picture *ret_picture);
void ncg_picture_release(struct ncg_picture *picture);

#define ncg_autopicture __attribute__((cleanup(ncg_picture_release)))

/* Of one type, at all sizes; bytes. */
__u64 ncg_picture_bytes(const struct ncg_walk_vm *vm, enum ncg_memtype type);

/* Bytes of a leaf; level_index as in struct ncg_s2_totals. */
__u64 ncg_picture_leaf_size(const struct ncg_walk_vm *vm, int level_index);

/*
 * The part of a range, from host-physical phys on and at most `left` bytes, that has
 * one answer: in which BAR, or in none (NULL).
 */
const struct ncg_device *ncg_picture_part(const struct ncg_devices *devices, __u64 phys,
					  __u64 left, unsigned int *ret_bar, __u64 *ret_size);

#endif
