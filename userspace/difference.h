/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the walk finds against what the programs have counted. The two come to their
 * numbers by different ways, so where they differ one of them has not seen something.
 * Owns nothing and keeps nothing.
 *
 * The counts are to be read after the walk: what is mapped in between is then counted
 * and not walked, and never the other way round, which is what needs an explanation.
 */
#ifndef NCGATE_DIFFERENCE_H
#define NCGATE_DIFFERENCE_H

#include <stdbool.h>

#include "abi.h"
#include "exposition.h"
#include "picture.h"

/* Where the counts are: false where nothing was counted for a VM and a BAR. */
struct ncg_difference_counts {
	bool (*use)(void *arg, const struct ncg_use_key *key, struct ncg_use *ret_use);
	void *arg;
};

/*
 * Bytes of one type: walked less counted. Above 0, mapped and never counted; below,
 * counted and not mapped any more, or counted again when it was mapped again.
 */
__s64 ncg_difference_of(const struct ncg_picture_use *use, const struct ncg_use *counted,
			enum ncg_memtype type);

/* A sample for each BAR that a guest maps, and each type that either side knows of. */
void ncg_difference_metrics(struct ncg_exposition *e, const struct ncg_picture *picture,
			    const struct ncg_difference_counts *counts);

#endif
