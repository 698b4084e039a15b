/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A share of one CPU, as time that may be spent: it grows with the clock up to what
 * was saved, and spending more than there is leaves a debt. Pure: no clock of its
 * own. Times are nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef NCGATE_BUDGET_H
#define NCGATE_BUDGET_H

#include <stdint.h>

/* Unspent time is kept for so long: 1 % saves up to 100 ms. */
#define NCG_BUDGET_SAVES_NS 10000000000

struct ncg_budget {
	double share; /* of one CPU, above 0 */
	double left;  /* may be spent; below 0: debt */
	uint64_t at;  /* when `left` was that */
};

/* A full one. */
void ncg_budget_init(struct ncg_budget *budget, double share, uint64_t now);

/* What may be spent now, ns; at most INT64_MAX, below 0 while in debt. */
int64_t ncg_budget_left(struct ncg_budget *budget, uint64_t now);

void ncg_budget_spend(struct ncg_budget *budget, uint64_t ns);

/* How long until `ns` may be spent, at most until it is full; 0: now. */
uint64_t ncg_budget_wait(struct ncg_budget *budget, uint64_t now, uint64_t ns);

#endif
