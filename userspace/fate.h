/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What becomes of an event: a record of its own, or it is counted (fold.h). Counted is
 * what repeats something that has a record, and what is beyond an allowance. Of a process
 * the first decision and the first BAR mmap of each kind, the first mapping of each type
 * in each BAR and the first VMs have records, whatever else it does; the end of a VM that
 * is in the trail always has one, for there are no more of them than beginnings. Owns
 * nothing.
 */
#ifndef NCGATE_FATE_H
#define NCGATE_FATE_H

#include <stdbool.h>

#include "abi.h"
#include "allowance.h"
#include "fold.h"
#include "ledger.h"

/* What is asked; borrowed. */
struct ncg_judge {
	struct ncg_fold *fold;
	struct ncg_allowance *allowance;
	struct ncg_ledger *ledger;
};

struct ncg_fate {
	bool counted;
	__u64 key; /* by which it is counted, or what repeats it will be; 0: nothing will */
	enum ncg_fold_why why;
};

/* Whether it is of a type that this daemon knows, and of the size that this type has. */
bool ncg_fate_readable(const struct ncg_event *event);

/* Takes from the allowances what a record of it costs. */
struct ncg_fate ncg_fate_of(const struct ncg_judge *judge, const struct ncg_event *event);

/* The task of an event that this daemon knows; else nobody. Borrowed from the event. */
const struct ncg_task *ncg_fate_task(const struct ncg_event *event);

#endif
