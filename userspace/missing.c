// SPDX-License-Identifier: GPL-2.0-only
/*
 * The turns from a loss to the picture of what it hid. Owns where they are. When VMs cannot
 * be listed the picture is of the counts alone.
 */
#include "missing.h"

#include <stdlib.h>

#include "cleanup.h"

/* What the walk knows of every set of tables; NULL: no memory. */
static const struct ncg_walk_vm **known_of(const struct ncg_walk *walk, size_t count)
{
	const struct ncg_walk_vm **list = calloc(count + 1, sizeof(*list));

	for (size_t i = 0; list && i < count; i++)
		list[i] = ncg_walk_vm(walk, i);
	return list;
}

bool ncg_missing_look(struct ncg_missing *missing, struct ncg_events *events,
		      struct ncg_walk *walk, struct ncg_inventory *inventory, __u64 losses)
{
	ncg_autofree const struct ncg_walk_vm **walked = NULL;
	size_t count = 0;

	if (!ncg_events_wants_picture(events))
		return false;
	if (!missing->walking) {
		missing->losses = losses;
		missing->walking = walk && !ncg_walk_want_all(walk);
		if (missing->walking)
			return true;
	}
	if (missing->walking) {
		if (ncg_walk_wanted(walk))
			return true;
		/* Whose place another VM has by now is not taken for it. */
		if (!ncg_walk_list(walk)) {
			count = ncg_walk_count(walk);
			ncg_inventory_learn(inventory, walk);
			walked = known_of(walk, count);
		}
	}
	missing->walking = false;
	ncg_inventory_refresh(inventory);
	ncg_events_take_picture(events, walked, walked ? count : 0);
	if (losses != missing->losses)
		ncg_events_want_picture(events);
	return false;
}
