// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements gaps.h. Pure; the only state is the caller's. Errs to the side of
 * too large a loss, never too small.
 */
#include "gaps.h"

#include <string.h>

void ncg_gaps_init(struct ncg_gaps *gaps, uint64_t last)
{
	*gaps = (struct ncg_gaps){ .next = last + 1 };
}

static void forget(struct ncg_gaps *gaps, size_t i)
{
	gaps->count--;
	memmove(&gaps->open[i], &gaps->open[i + 1],
		(gaps->count - i) * sizeof(gaps->open[0]));
}

/*
 * Makes one of the two neighbours that lie nearest to each other; of equally near
 * ones the oldest. The numbers between them were seen and will still be named.
 */
static void join_nearest(struct ncg_gaps *gaps)
{
	size_t best = 0;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i + 1 < gaps->count; i++) {
		uint64_t between = gaps->open[i + 1].first - gaps->open[i].last;

		if (between < least) {
			least = between;
			best = i;
		}
	}
	gaps->open[best].last = gaps->open[best + 1].last;
	forget(gaps, best + 1);
}

/* There is room for one more than stay. */
static void insert(struct ncg_gaps *gaps, size_t i, uint64_t first, uint64_t last)
{
	memmove(&gaps->open[i + 1], &gaps->open[i], (gaps->count - i) * sizeof(gaps->open[0]));
	gaps->open[i] = (struct ncg_gap){ .first = first, .last = last };
	gaps->count++;
	if (gaps->count > NCG_GAPS_MAX)
		join_nearest(gaps);
}

bool ncg_gaps_seen(struct ncg_gaps *gaps, uint64_t seq)
{
	if (seq >= gaps->next) {
		if (seq > gaps->next)
			insert(gaps, gaps->count, gaps->next, seq - 1);
		gaps->next = seq + 1;
		return true;
	}

	for (size_t i = 0; i < gaps->count; i++) {
		struct ncg_gap *gap = &gaps->open[i];
		uint64_t first = gap->first;

		if (seq < gap->first || seq > gap->last)
			continue;
		if (gap->first == gap->last) {
			forget(gaps, i);
		} else if (seq == gap->first) {
			gap->first++;
		} else if (seq == gap->last) {
			gap->last--;
		} else {
			gap->first = seq + 1;
			insert(gaps, i, first, seq - 1);
		}
		return true;
	}
	return false;
}

bool ncg_gaps_settle(struct ncg_gaps *gaps, struct ncg_gap *ret_gap)
{
	if (!gaps->count)
		return false;
	*ret_gap = gaps->open[0];
	forget(gaps, 0);
	return true;
}

uint64_t ncg_gaps_done(const struct ncg_gaps *gaps)
{
	return (gaps->count ? gaps->open[0].first : gaps->next) - 1;
}
