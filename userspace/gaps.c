// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements gaps.h. Pure; the only state is the caller's. Errs to the side of
 * too large a loss, never too small.
 */
#include "gaps.h"

#include <string.h>

void ncg_gaps_init(struct ncg_gaps *gaps, uint64_t last, uint64_t time)
{
	*gaps = (struct ncg_gaps){ .next = last + 1, .time = time };
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
	if (gaps->open[best].until < gaps->open[best + 1].until)
		gaps->open[best].until = gaps->open[best + 1].until;
	if (gaps->open[best].since > gaps->open[best + 1].since)
		gaps->open[best].since = gaps->open[best + 1].since;
	forget(gaps, best + 1);
}

/* There is room for one more than stay. */
static void insert(struct ncg_gaps *gaps, size_t i, struct ncg_gap gap)
{
	memmove(&gaps->open[i + 1], &gaps->open[i], (gaps->count - i) * sizeof(gaps->open[0]));
	gaps->open[i] = gap;
	gaps->count++;
	if (gaps->count > NCG_GAPS_MAX)
		join_nearest(gaps);
}

/* Numbers from the next one to `last` are missing, as something at that time shows. */
static void miss(struct ncg_gaps *gaps, uint64_t last, uint64_t time)
{
	/* Events of two CPUs need not come in the order of their times. */
	const struct ncg_gap gap = {
		.first = gaps->next,
		.last = last,
		.since = gaps->time < time ? gaps->time : time,
		.until = gaps->time < time ? time : gaps->time,
	};

	insert(gaps, gaps->count, gap);
}

/* Takes from one open gap what lies in a range. False when nothing of the gap is left. */
static bool cut(struct ncg_gaps *gaps, size_t i, uint64_t first, uint64_t last)
{
	struct ncg_gap *gap = &gaps->open[i];
	struct ncg_gap before = *gap;

	if (first <= gap->first && last >= gap->last) {
		forget(gaps, i);
		return false;
	}
	if (first <= gap->first) {
		gap->first = last + 1;
	} else if (last >= gap->last) {
		gap->last = first - 1;
	} else {
		gap->first = last + 1;
		before.last = first - 1;
		insert(gaps, i, before);
	}
	return true;
}

bool ncg_gaps_seen(struct ncg_gaps *gaps, uint64_t seq, uint64_t time)
{
	if (seq >= gaps->next) {
		if (seq > gaps->next)
			miss(gaps, seq - 1, time);
		gaps->next = seq + 1;
		gaps->time = time;
		return true;
	}

	for (size_t i = 0; i < gaps->count; i++) {
		if (seq < gaps->open[i].first || seq > gaps->open[i].last)
			continue;
		cut(gaps, i, seq, seq);
		return true;
	}
	return false;
}

void ncg_gaps_seen_range(struct ncg_gaps *gaps, uint64_t first, uint64_t last, uint64_t time)
{
	size_t i = 0;

	if (first > last)
		return;
	while (i < gaps->count && gaps->open[i].first <= last) {
		/* What is cut in two lies around the range: nothing else is in it. */
		if (gaps->open[i].last < first || cut(gaps, i, first, last))
			i++;
	}
	if (last < gaps->next)
		return;
	if (first > gaps->next)
		miss(gaps, first - 1, time);
	gaps->next = last + 1;
	gaps->time = time;
}

void ncg_gaps_expect(struct ncg_gaps *gaps, uint64_t last, uint64_t time)
{
	if (last < gaps->next)
		return;
	miss(gaps, last, time);
	gaps->next = last + 1;
	gaps->time = time;
}

bool ncg_gaps_settle(struct ncg_gaps *gaps, uint64_t due, struct ncg_gap *ret_gap)
{
	if (!gaps->count || gaps->open[0].last > due)
		return false;
	*ret_gap = gaps->open[0];
	forget(gaps, 0);
	return true;
}

void ncg_gaps_put_back(struct ncg_gaps *gaps, const struct ncg_gap *gap)
{
	insert(gaps, 0, *gap);
}

uint64_t ncg_gaps_done(const struct ncg_gaps *gaps)
{
	return (gaps->count ? gaps->open[0].first : gaps->next) - 1;
}
