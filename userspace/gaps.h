/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which event numbers never came. Numbers are drawn before a place in the ring
 * buffer is, so events of two CPUs may arrive in the other order: a jump is a
 * suspicion that the missing number may still disprove, and a loss only once the
 * caller knows that nothing older can arrive.
 *
 * Pure; the caller owns the structure. When there are more suspicions than it
 * holds, the two that lie nearest to each other become one that covers both and
 * what was seen between them: a loss may be shown too large, never too small.
 */
#ifndef NCGATE_GAPS_H
#define NCGATE_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NCG_GAPS_MAX 1024

struct ncg_gap {
	uint64_t first; /* inclusive */
	uint64_t last;	/* inclusive */
};

struct ncg_gaps {
	uint64_t next; /* one above the highest number seen */
	size_t count;
	struct ncg_gap open[NCG_GAPS_MAX + 1]; /* by number; the last is in passing */
};

/* Begins after `last`: the next number expected is last + 1. */
void ncg_gaps_init(struct ncg_gaps *gaps, uint64_t last);

/*
 * Takes one event's number. True when it is new; false when it was dealt with
 * before (a repeat after a killed daemon).
 */
bool ncg_gaps_seen(struct ncg_gaps *gaps, uint64_t seq);

/*
 * Hands out the oldest gap as a loss and forgets it; false when there is none.
 * To be called until false, when the ring buffer was found empty at a time after
 * every producer that could hold an older number has finished.
 */
bool ncg_gaps_settle(struct ncg_gaps *gaps, struct ncg_gap *ret_gap);

/* All numbers up to this one are dealt with: seen, or settled as lost. */
uint64_t ncg_gaps_done(const struct ncg_gaps *gaps);

#endif
