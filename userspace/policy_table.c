// SPDX-License-Identifier: GPL-2.0-only
/* See policy_table.h. */
#include "policy_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "policy_native.h"

/* At most this share of the slots is used: 2 of 5, below where placing gets hard. */
#define SLOTS_OF(count) ((count) * 5 / 2 + 2)
#define MOVES_MAX 500 /* of entries, to make room for one */
#define SEEDS_PER_SIZE 8
#define SIZES 8

/* The place of key in the index, or the free one where it belongs. */
static __u32 *find(const struct ncg_policy_table *table, const struct ncg_pkey *key)
{
	size_t at = ncg_policy_hash(0, key);

	/* Ends: at least half of the index is free. */
	for (;; at++) {
		__u32 *place = &table->index[at & (table->index_size - 1)];

		if (!*place || !memcmp(&table->entries[*place - 1].key, key, sizeof(*key)))
			return place;
	}
}

static int grow(struct ncg_policy_table *table)
{
	size_t room = table->room ? 2 * table->room : 64;
	struct ncg_pslot *entries = reallocarray(table->entries, room, sizeof(*entries));
	__u32 *index;

	if (!entries)
		return -ENOMEM;
	table->entries = entries;
	index = calloc(2 * room, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(table->index);
	table->index = index;
	table->index_size = 2 * room;
	table->room = room;
	for (size_t i = 0; i < table->count; i++)
		*find(table, &entries[i].key) = i + 1;
	return 0;
}

struct ncg_pslot *ncg_policy_table_add(struct ncg_policy_table *table,
				       const struct ncg_pkey *key, bool *ret_new)
{
	__u32 *place;

	if (table->count == table->room && grow(table))
		return NULL;
	place = find(table, key);
	*ret_new = !*place;
	if (!*place) {
		memset(&table->entries[table->count], 0, sizeof(*table->entries));
		table->entries[table->count].key = *key;
		*place = ++table->count;
	}
	return &table->entries[*place - 1];
}

struct ncg_pslot *ncg_policy_table_find(const struct ncg_policy_table *table,
					const struct ncg_pkey *key)
{
	const __u32 *place = table->index_size ? find(table, key) : NULL;

	return place && *place ? &table->entries[*place - 1] : NULL;
}

/*
 * Puts each entry in one of its places; who stands there moves to the other one of
 * its own, and so on. False: somebody was left over.
 */
static bool place_all(const __u64 *hashes, size_t count, __u32 slots, __u32 *order)
{
	for (size_t i = 0; i < count; i++) {
		__u32 entry = i + 1, place = ncg_policy_place(hashes[i], 0, slots);

		for (unsigned int moves = 0; order[place]; moves++) {
			__u32 moved = order[place], first;

			if (moves == MOVES_MAX)
				return false;
			order[place] = entry;
			entry = moved;
			first = ncg_policy_place(hashes[entry - 1], 0, slots);
			place = place == first ? ncg_policy_place(hashes[entry - 1], 1, slots) :
						 first;
		}
		order[place] = entry;
	}
	return true;
}

int ncg_policy_table_place(const struct ncg_policy_table *table, __u32 *ret_seed,
			   __u32 *ret_slots, __u32 **ret_order)
{
	ncg_autofree __u64 *hashes = NULL;
	size_t slots = SLOTS_OF(table->count);

	*ret_seed = 0;
	*ret_slots = 0;
	*ret_order = NULL;
	if (!table->count)
		return 0;
	hashes = calloc(table->count, sizeof(*hashes));
	if (!hashes)
		return -ENOMEM;
	for (__u32 seed = 1; seed <= SEEDS_PER_SIZE * SIZES; seed++) {
		ncg_autofree __u32 *order = calloc(slots, sizeof(*order));

		if (!order)
			return -ENOMEM;
		for (size_t i = 0; i < table->count; i++)
			hashes[i] = ncg_policy_hash(seed, &table->entries[i].key);
		if (place_all(hashes, table->count, slots, order)) {
			*ret_seed = seed;
			*ret_slots = slots;
			*ret_order = ncg_take_ptr(order);
			return 0;
		}
		if (seed % SEEDS_PER_SIZE == 0)
			slots += slots / 2;
	}
	return -EIO;
}

void ncg_policy_table_done(struct ncg_policy_table *table)
{
	free(table->entries);
	free(table->index);
	*table = (struct ncg_policy_table){ 0 };
}
