/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which event numbers never came, and when. Numbers are drawn before a place in the
 * ring buffer is, so events of two CPUs may arrive in the other order: a jump is a
 * suspicion that the missing number may still disprove, and a loss only once the
 * caller knows that nothing older can arrive.
 *
 * Pure; the caller owns the structure. When there are more suspicions than it
 * holds, the two that lie nearest to each other become one that covers both and
 * what was seen between them: a loss may be shown too large, never too small. The
 * same holds for its time.
 */
#ifndef NCGATE_GAPS_H
#define NCGATE_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NCG_GAPS_MAX 1024

/*
 * Ends are inclusive. What is missing happened between the two times, which are the
 * caller's clock: of an event before, and of what showed that it is missing.
 */
struct ncg_gap {
	uint64_t first;
	uint64_t last;
	uint64_t since;
	uint64_t until;
};

struct ncg_gaps {
	uint64_t next; /* one above the highest number known */
	uint64_t time; /* of that number */
	size_t count;
	struct ncg_gap open[NCG_GAPS_MAX + 1]; /* by number; the last is in passing */
};

/* Begins after `last`, whose time is given: the next number expected is last + 1. */
void ncg_gaps_init(struct ncg_gaps *gaps, uint64_t last, uint64_t time);

/*
 * Takes one event's number and time. True when it is new; false when it was dealt
 * with before (a repeat after a killed daemon).
 */
bool ncg_gaps_seen(struct ncg_gaps *gaps, uint64_t seq, uint64_t time);

/*
 * Takes all numbers from first to last (both inclusive) at once, as dealt with by
 * something of that time: in as many steps as there are gaps, however many numbers it
 * is. Nothing where first is above last.
 */
void ncg_gaps_seen_range(struct ncg_gaps *gaps, uint64_t first, uint64_t last, uint64_t time);

/*
 * Takes note that all numbers up to `last` had been drawn at that time, so that one
 * is missed also when no later one comes.
 */
void ncg_gaps_expect(struct ncg_gaps *gaps, uint64_t last, uint64_t time);

/*
 * Hands out the oldest gap that ends at or before `due` as a loss and forgets it;
 * false when there is none. To be called until false, when the ring buffer was found
 * empty at a time after every producer with such a number has finished.
 */
bool ncg_gaps_settle(struct ncg_gaps *gaps, uint64_t due, struct ncg_gap *ret_gap);

/* Takes the gap that was handed out last back, for it could not be recorded. */
void ncg_gaps_put_back(struct ncg_gaps *gaps, const struct ncg_gap *gap);

/* All numbers up to this one are dealt with: seen, or settled as lost. */
uint64_t ncg_gaps_done(const struct ncg_gaps *gaps);

#endif
