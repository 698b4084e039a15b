// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements fold.h. One process writes the memory; it may be killed between any two
 * stores, so what makes an entry or a range valid is stored last.
 */
#include "fold.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

#define WAYS 4 /* keys of one set */

struct ncg_fold {
	struct ncg_kept *kept; /* the map's memory */
	size_t mapped;
};

/* The compiler keeps the order of stores; a process that is killed has done them in it. */
static void store_before(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

int ncg_fold_open(int kept_fd, struct ncg_fold **ret_fold)
{
	struct ncg_fold *fold = calloc(1, sizeof(*fold));
	size_t page = sysconf(_SC_PAGESIZE);
	void *memory;

	if (!fold)
		return ncg_log_error(-ENOMEM, "no memory");
	fold->mapped = (sizeof(struct ncg_kept) + page - 1) / page * page;
	memory = mmap(NULL, fold->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, kept_fd, 0);
	if (memory == MAP_FAILED) {
		int r = ncg_log_error(-errno, "the events that are counted cannot be kept");

		free(fold);
		return r;
	}
	fold->kept = memory;
	/* Whoever wrote it: nothing beyond its bounds is read. */
	if (fold->kept->range_count > NCG_KEPT_RANGES)
		fold->kept->range_count = NCG_KEPT_RANGES;
	*ret_fold = fold;
	return 0;
}

void ncg_fold_close(struct ncg_fold *fold)
{
	if (!fold)
		return;
	munmap(fold->kept, fold->mapped);
	free(fold);
}

/* ------------------------------------------------------------------------- keys */

/* FNV-1a over 64 bits, then mixed (the finalizer of SplitMix64), for sets are low bits. */
__u64 ncg_fold_key(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	__u64 hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
	hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
	hash ^= hash >> 31;
	return hash ? hash : 1;
}

static __u64 *set_of(const struct ncg_fold *fold, __u64 key)
{
	return &fold->kept->keys[key % (NCG_KEPT_KEYS / WAYS) * WAYS];
}

/* Puts a key first of its set, in place of the one at `way` or of what was last. */
static void put_first(__u64 *set, size_t way, __u64 key)
{
	memmove(set + 1, set, way * sizeof(*set));
	set[0] = key;
}

bool ncg_fold_known(struct ncg_fold *fold, __u64 key)
{
	__u64 *set = set_of(fold, key);

	for (size_t way = 0; way < WAYS; way++)
		if (set[way] == key) {
			put_first(set, way, key);
			return true;
		}
	return false;
}

void ncg_fold_note(struct ncg_fold *fold, __u64 key)
{
	/* What was asked for longest ago makes room. */
	if (!ncg_fold_known(fold, key))
		put_first(set_of(fold, key), WAYS - 1, key);
}

/* --------------------------------------------------------------------- counting */

const char *ncg_fold_why_name(enum ncg_fold_why why)
{
	static const char *const names[NCG_FOLD_WHY_NR] = {
		[NCG_FOLD_REPEAT] = "repeat", [NCG_FOLD_GUEST] = "guest",
		[NCG_FOLD_CGROUP] = "cgroup", [NCG_FOLD_USER] = "user", [NCG_FOLD_HOST] = "host",
	};

	return why < NCG_FOLD_WHY_NR ? names[why] : "invalid";
}

static int by_first(const void *a, const void *b)
{
	const struct ncg_kept_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Puts ranges in order and makes one of those that touch. */
static void join_ranges(struct ncg_kept *kept)
{
	struct ncg_kept_range *ranges = kept->ranges;
	size_t count = 0;

	qsort(ranges, kept->range_count, sizeof(*ranges), by_first);
	for (size_t i = 0; i < kept->range_count; i++) {
		if (count && ranges[i].first <= ranges[count - 1].last + 1) {
			if (ranges[i].last > ranges[count - 1].last)
				ranges[count - 1].last = ranges[i].last;
		} else {
			ranges[count++] = ranges[i];
		}
	}
	store_before();
	kept->range_count = count;
}

bool ncg_fold_full(const struct ncg_fold *fold)
{
	if (fold->kept->range_count == NCG_KEPT_RANGES)
		join_ranges(fold->kept);
	/* So that they are not sorted for each event, where most cannot be joined. */
	return fold->kept->range_count > NCG_KEPT_RANGES / 2;
}

static bool add_number(struct ncg_kept *kept, __u64 seq)
{
	struct ncg_kept_range *last = &kept->ranges[kept->range_count - 1];

	if (kept->range_count && seq == last->last + 1) {
		last->last = seq;
		return true;
	}
	if (kept->range_count == NCG_KEPT_RANGES)
		return false;
	kept->ranges[kept->range_count] = (struct ncg_kept_range){ seq, seq };
	store_before();
	kept->range_count++;
	return true;
}

/* Its own entry, a free one for it, or that of its type. */
static struct ncg_kept_entry *entry_of(struct ncg_kept *kept, __u64 key, __u32 type)
{
	struct ncg_kept_entry *unused = NULL;

	for (size_t i = 0; i < NCG_KEPT_EXACT; i++) {
		struct ncg_kept_entry *entry = &kept->entries[i];

		if (entry->count && entry->key == key)
			return entry;
		if (!entry->count && !unused)
			unused = entry;
	}
	return unused ? unused : &kept->entries[NCG_KEPT_EXACT + type % NCG_KEPT_TYPES];
}

struct ncg_kept_entry *ncg_fold_take(struct ncg_fold *fold, __u64 key, enum ncg_fold_why why,
				     const struct ncg_event *event)
{
	struct ncg_kept *kept = fold->kept;
	struct ncg_kept_entry *entry = entry_of(kept, key, event->type);

	if (kept->range_count == NCG_KEPT_RANGES)
		join_ranges(kept);
	if (kept->range_count == NCG_KEPT_RANGES)
		return NULL;
	if (!entry->count) {
		entry->key = key;
		entry->since = event->boot_ns;
		entry->why = why;
		entry->who = (struct ncg_vm_note){};
	}
	entry->until = event->boot_ns;
	memcpy(entry->event, event,
	       event->size < sizeof(entry->event) ? event->size : sizeof(entry->event));
	store_before();
	/* Counted before its number is: between the two, it would come again and count twice. */
	entry->count++;
	store_before();
	add_number(kept, event->seq);
	return entry;
}

/* ---------------------------------------------------------------------- telling */

void ncg_fold_ranges(struct ncg_fold *fold, void (*seen)(void *arg, __u64 first, __u64 last),
		     void *arg)
{
	join_ranges(fold->kept);
	for (size_t i = 0; i < fold->kept->range_count; i++)
		seen(arg, fold->kept->ranges[i].first, fold->kept->ranges[i].last);
}

__u64 ncg_fold_first(struct ncg_fold *fold, __u64 *ret_since)
{
	const struct ncg_kept *kept = fold->kept;
	__u64 first = 0, since = 0;

	for (size_t i = 0; i < kept->range_count; i++)
		if (!first || kept->ranges[i].first < first)
			first = kept->ranges[i].first;
	for (size_t i = 0; i < NCG_KEPT_ENTRIES; i++)
		if (kept->entries[i].count && (!since || kept->entries[i].since < since))
			since = kept->entries[i].since;
	*ret_since = since;
	return first;
}

void ncg_fold_entries(const struct ncg_fold *fold,
		      void (*each)(void *arg, const struct ncg_kept_entry *entry, bool exact),
		      void *arg)
{
	for (size_t i = 0; i < NCG_KEPT_ENTRIES; i++)
		if (fold->kept->entries[i].count)
			each(arg, &fold->kept->entries[i], i < NCG_KEPT_EXACT);
}

void ncg_fold_clear(struct ncg_fold *fold)
{
	/* The numbers first: without them the rest is nothing. */
	fold->kept->range_count = 0;
	store_before();
	for (size_t i = 0; i < NCG_KEPT_ENTRIES; i++)
		fold->kept->entries[i].count = 0;
}
