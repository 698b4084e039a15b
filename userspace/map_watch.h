/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How full the pinned maps are: a metric of each, and one warning for each that had no room
 * for an entry. Owns what was warned of; changes nothing.
 */
#ifndef NCGATE_MAP_WATCH_H
#define NCGATE_MAP_WATCH_H

#include <stddef.h>

#include "abi.h"
#include "cleanup.h"
#include "exposition.h"

enum ncg_watched_map {
	NCG_WATCHED_BARS,
	NCG_WATCHED_REGIONS,
	NCG_WATCHED_OPENED,
	NCG_WATCHED_VM_IDS,
	NCG_WATCHED_DECIDED,
	NCG_WATCHED_USES,
	NCG_WATCHED_RECORDED,
	NCG_WATCHED_VM_NOTES,
	NCG_WATCHED_NR,
};

/* As the map is pinned. */
const char *ncg_map_watch_name(enum ncg_watched_map map);

/* Borrowed; below 0 for none. */
struct ncg_map_watch_maps {
	int fds[NCG_WATCHED_NR];
	int shares;
};

struct ncg_map_watch;

/* Returns 0 or -ENOMEM, logged. */
int ncg_map_watch_open(const struct ncg_map_watch_maps *maps, struct ncg_map_watch **ret_watch);
void ncg_map_watch_close(struct ncg_map_watch *watch); /* takes NULL */

/*
 * Warns of each map that had no room for something, once. counters: the programs' sums;
 * bars_left_out: ranges that the daemon could not put into `bars`. Returns how many
 * warnings that made.
 */
unsigned int ncg_map_watch_look(struct ncg_map_watch *watch, const __u64 counters[NCG_CTR_NR],
				size_t bars_left_out);

/* Entries and room of each map; bars_used: what the daemon has put into `bars`. */
void ncg_map_watch_metrics(const struct ncg_map_watch *watch, size_t bars_used,
			   struct ncg_exposition *e);

#endif
