/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ncgated shows: one picture of guests, devices and memory types, taken
 * when it is asked for, and written as metrics for
 * Prometheus or as JSON for the command. Owns nothing of what it is taken from.
 */
#ifndef NCGATE_VIEW_H
#define NCGATE_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <time.h>

#include "audit.h"
#include "guest_cache.h"
#include "hazard_watch.h"
#include "inventory.h"
#include "kernel_change.h"
#include "map_watch.h"
#include "mismatch.h"
#include "name_watch.h"
#include "programs.h"
#include "walk.h"

/* Everything a picture is taken from; the daemon owns it all. */
struct ncg_sources {
	const struct ncg_programs *programs;
	struct ncg_walk *walk; /* NULL: the tables cannot be read on this host */
	struct ncg_inventory *inventory;
	struct ncg_guest_cache *identities; /* NULL: nothing is kept */
	const struct ncg_audit *audit;
	const struct ncg_hazard_watch *hazards;
	struct ncg_mismatch_watch *mismatches;
	const struct ncg_map_watch *map_watch;
	const struct ncg_name_watch *names;
	const char *policy_file;
	const char *audit_file;
	time_t policy_loaded; /* when this daemon last loaded the policy */
	bool last_reload_ok;
	enum ncg_change change; /* what the kernel has; counts when change_known */
	bool change_known;
};

/*
 * The metrics in *ret_text (the caller frees it). Returns 0 or -errno, logged; a
 * scrape is whole or refused.
 */
int ncg_view_metrics(const struct ncg_sources *sources, char **ret_text, size_t *ret_size);

/*
 * Takes a picture only to hold guests against the policy, as every other call does
 * as well. Returns 0 or -errno, logged.
 */
int ncg_view_look(const struct ncg_sources *sources);

/* Replies of the control socket; NULL when there is no memory or no walk. */
json_t *ncg_view_status(const struct ncg_sources *sources);
json_t *ncg_view_guests(const struct ncg_sources *sources);
json_t *ncg_view_walk_guest(const struct ncg_sources *sources, const char *id);
json_t *ncg_view_devices(const struct ncg_sources *sources);

#endif
