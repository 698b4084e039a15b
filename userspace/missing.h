/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When the picture of what the audit trail may miss is taken: after a loss, every VM is
 * walked anew in the background, by the walk's share; once all were, the picture is taken
 * of what was found. Owns how far that has come. What is lost meanwhile has a picture of
 * its own afterwards. Without a walk the picture is taken at once, of the counts.
 */
#ifndef NCGATE_MISSING_H
#define NCGATE_MISSING_H

#include <stdbool.h>

#include "abi.h"
#include "events.h"
#include "inventory.h"
#include "walk.h"

struct ncg_missing {
	bool walking;
	__u64 losses; /* when the walk began */
};

/*
 * One turn, once a second or so. losses: a number that rises with everything that is lost;
 * walk may be NULL. Returns whether the walk has got work to do, for its timer.
 */
bool ncg_missing_look(struct ncg_missing *missing, struct ncg_events *events,
		      struct ncg_walk *walk, struct ncg_inventory *inventory, __u64 losses);

#endif
