/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hash table of a compiled policy while it is made: keys are collected, each
 * once, and then placed so that each stands in one of its two places (cuckoo
 * hashing), which is why a look-up is two loads however many keys there are.
 * The same keys in the same order give the same table.
 *
 * Owned by who makes it; pure but for memory.
 */
#ifndef NCGATE_POLICY_TABLE_H
#define NCGATE_POLICY_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"

struct ncg_policy_table {
	struct ncg_pslot *entries; /* in the order added */
	size_t count;
	size_t room;
	__u32 *index; /* of entries + 1 by key; 0: free */
	size_t index_size; /* a power of two, or 0 */
};

/*
 * The entry of key, added with a value of zeros where there is none; *ret_new says
 * which. Borrowed until the next call. NULL: no memory.
 */
struct ncg_pslot *ncg_policy_table_add(struct ncg_policy_table *table,
				       const struct ncg_pkey *key, bool *ret_new);

/* The entry of key, or NULL. Borrowed until the next add. */
struct ncg_pslot *ncg_policy_table_find(const struct ncg_policy_table *table,
					const struct ncg_pkey *key);

/*
 * Places all entries: *ret_order has, for each of *ret_slots slots, the number of
 * its entry plus 1, or 0. *ret_seed goes into the head. The caller frees
 * *ret_order, which is NULL for a table without entries. 0; -ENOMEM; -EIO when no
 * placing was found, which has odds that nobody will see.
 */
int ncg_policy_table_place(const struct ncg_policy_table *table, __u32 *ret_seed,
			   __u32 *ret_slots, __u32 **ret_order);

void ncg_policy_table_done(struct ncg_policy_table *table);

#endif
