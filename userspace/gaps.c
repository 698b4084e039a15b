// SPDX-License-Identifier: GPL-2.0-only
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

bool ncg_gaps_seen(struct ncg_gaps *gaps, uint64_t seq)
{
	if (seq >= gaps->next) {
		if (seq > gaps->next) {
			/* Full: two neighbours become one. What lies between them was seen
			 * and will still be named: a loss is rather shown too large. */
			if (gaps->count == NCG_GAPS_MAX) {
				gaps->open[0].last = gaps->open[1].last;
				forget(gaps, 1);
			}
			gaps->open[gaps->count++] =
				(struct ncg_gap){ .first = gaps->next, .last = seq - 1 };
		}
		gaps->next = seq + 1;
		return true;
	}

	for (size_t i = 0; i < gaps->count; i++) {
		struct ncg_gap *gap = &gaps->open[i];

		if (seq < gap->first || seq > gap->last)
			continue;
		if (gap->first == gap->last) {
			forget(gaps, i);
		} else if (seq == gap->first) {
			gap->first++;
		} else if (seq == gap->last) {
			gap->last--;
		} else if (gaps->count < NCG_GAPS_MAX) {
			memmove(&gaps->open[i + 1], gap, (gaps->count - i) * sizeof(*gap));
			gaps->open[i].last = seq - 1;
			gaps->open[i + 1].first = seq + 1;
			gaps->count++;
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
