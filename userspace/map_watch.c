// SPDX-License-Identifier: GPL-2.0-only
/*
 * How full the pinned maps are. Owns the set of maps that were warned of. A map that cannot
 * be counted has no series, and nothing else suffers.
 */
#include "map_watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "log.h"
#include "map_keys.h"
#include "shares.h"

struct ncg_map_watch {
	struct ncg_map_watch_maps maps;
	bool warned[NCG_WATCHED_NR];
};

static const struct {
	const char *name;
	int full;	  /* enum ncg_counter; -1: the daemon fills it, and says so itself */
	const char *lost; /* when there is no room */
} table[NCG_WATCHED_NR] = {
	[NCG_WATCHED_BARS] = { "bars", NCG_CTR_FULL_BARS,
			       "mappings of the BARs that do not fit are counted by address" },
	[NCG_WATCHED_REGIONS] = { "regions", NCG_CTR_FULL_REGIONS,
				  "memory that a driver exposes as a BAR is not told from other "
				  "memory where one BAR is mapped in too many parts" },
	[NCG_WATCHED_OPENED] = { "opened", NCG_CTR_FULL_OPENED,
				 "memory that drivers expose as BARs may not be told from other "
				 "memory" },
	[NCG_WATCHED_VM_IDS] = { "vm_ids", NCG_CTR_FULL_VM_IDS,
				 "events of one VM may have several ids" },
	[NCG_WATCHED_DECIDED] = { "decided", NCG_CTR_FULL_DECIDED,
				  "mappings of a BAR that too many processes have may be shown as "
				  "unexpected" },
	[NCG_WATCHED_USES] = { "uses", NCG_CTR_FULL_USES,
			       "what VMs map of a BAR that too many have is not counted, and told "
			       "more than once in the audit trail" },
	[NCG_WATCHED_RECORDED] = { "recorded", -1, NULL },
	[NCG_WATCHED_VM_NOTES] = { "vm_notes", -1, NULL },
};

const char *ncg_map_watch_name(enum ncg_watched_map map)
{
	return table[map].name;
}

int ncg_map_watch_open(const struct ncg_map_watch_maps *maps, struct ncg_map_watch **ret_watch)
{
	struct ncg_map_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return ncg_log_error(-ENOMEM, "no memory");
	watch->maps = *maps;
	*ret_watch = watch;
	return 0;
}

void ncg_map_watch_close(struct ncg_map_watch *watch)
{
	free(watch);
}

unsigned int ncg_map_watch_look(struct ncg_map_watch *watch, const __u64 counters[NCG_CTR_NR],
				size_t bars_left_out)
{
	unsigned int warnings = 0;

	for (enum ncg_watched_map m = 0; m < NCG_WATCHED_NR; m++) {
		__u64 full = table[m].full < 0 ? 0 : counters[table[m].full];

		if (m == NCG_WATCHED_BARS)
			full += bars_left_out;
		if (!full || watch->warned[m])
			continue;
		ncg_warning("the map %s had no room %llu times; %s", table[m].name,
			    (unsigned long long)full, table[m].lost);
		watch->warned[m] = true;
		warnings++;
	}
	return warnings;
}

static long entries_of(const struct ncg_map_watch *watch, enum ncg_watched_map map,
		       size_t bars_used)
{
	switch (map) {
	case NCG_WATCHED_BARS:
		return bars_used;
	/* Large values: the shares tell without copying them. */
	case NCG_WATCHED_REGIONS:
		return ncg_shares_used(watch->maps.shares, NCG_SHARED_REGIONS);
	case NCG_WATCHED_DECIDED:
		return ncg_shares_used(watch->maps.shares, NCG_SHARED_DECIDED);
	case NCG_WATCHED_USES:
		return ncg_shares_used(watch->maps.shares, NCG_SHARED_USES);
	default:
		return ncg_map_count(watch->maps.fds[map]);
	}
}

void ncg_map_watch_metrics(const struct ncg_map_watch *watch, size_t bars_used,
			   struct ncg_exposition *e)
{
	for (enum ncg_watched_map m = 0; m < NCG_WATCHED_NR; m++) {
		long entries = entries_of(watch, m, bars_used);
		long max = ncg_map_max(watch->maps.fds[m]);

		if (entries >= 0)
			ncg_exposition_u64(e, NCG_MF_MAP_ENTRIES, entries,
					   NCG_LABELS(table[m].name));
		if (max >= 0)
			ncg_exposition_u64(e, NCG_MF_MAP_MAX_ENTRIES, max,
					   NCG_LABELS(table[m].name));
	}
}
