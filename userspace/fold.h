/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events without a record of their own: repeats of what has one, and what is beyond an
 * allowance. They are counted by kind, with the numbers of all of them, until one record
 * tells them together; a repeat is known over any number of batches. Owns what is
 * counted, which is in the pinned map `kept` and not in this process: a daemon that is
 * killed owes nothing but, at worst, one event that is counted twice; and the next one
 * goes on counting. Bounded: a kind that finds no room is counted by its type alone, and
 * a known event that had to make room for another has a record again.
 */
#ifndef NCGATE_FOLD_H
#define NCGATE_FOLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "abi.h"

struct ncg_fold;

/* kept_fd: the map, borrowed. Returns 0 or -errno, logged. */
int ncg_fold_open(int kept_fd, struct ncg_fold **ret_fold);
void ncg_fold_close(struct ncg_fold *fold); /* takes NULL; what is counted stays */

/* What events have in common that repeat one another, as a number; never 0. */
__u64 ncg_fold_key(const void *data, size_t size);

/* Whether an event of this key has a record. Where it has none, the caller writes one. */
bool ncg_fold_known(struct ncg_fold *fold, __u64 key);
void ncg_fold_note(struct ncg_fold *fold, __u64 key);

enum ncg_fold_why {
	NCG_FOLD_REPEAT,
	NCG_FOLD_GUEST, /* beyond the allowance of its process */
	NCG_FOLD_CGROUP,
	NCG_FOLD_USER,
	NCG_FOLD_HOST,
	NCG_FOLD_WHY_NR,
};

/* "repeat", "guest", …; a constant. */
const char *ncg_fold_why_name(enum ncg_fold_why why);

/* How many numbers may come one by one: below that a caller has the others told first. */
bool ncg_fold_full(const struct ncg_fold *fold);

/*
 * Counts an event among those of its key. Returns the entry, whose `who` is the caller's
 * to fill when its count is 1; NULL when there is no room for its number.
 */
struct ncg_kept_entry *ncg_fold_take(struct ncg_fold *fold, __u64 key, enum ncg_fold_why why,
				     const struct ncg_event *event);

/*
 * Calls seen() with each range of numbers that are counted; ends are inclusive. They are
 * joined where they can be, and in order.
 */
void ncg_fold_ranges(struct ncg_fold *fold, void (*seen)(void *arg, __u64 first, __u64 last),
		     void *arg);

/* The least number that is counted, and when the first was; 0: there is none. */
__u64 ncg_fold_first(struct ncg_fold *fold, __u64 *ret_since);

/*
 * Calls each() with every entry, those of no kind of their own last (exact: false, and
 * `who` is nobody). For the caller to tell; then ncg_fold_clear().
 */
void ncg_fold_entries(const struct ncg_fold *fold,
		      void (*each)(void *arg, const struct ncg_kept_entry *entry, bool exact),
		      void *arg);

/* Forgets what was counted, once it is told. What has a record stays known. */
void ncg_fold_clear(struct ncg_fold *fold);

#endif
