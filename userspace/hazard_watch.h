/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's eye on known hazards: which of them this host has, and whether the
 * policy in force heeds them. Owns the table and what the last look found. What
 * changes from one look to the next is logged and recorded (`hazard` in the audit
 * trail), and nothing twice. Advice only: a daemon without a table does all else.
 */
#ifndef NCGATE_HAZARD_WATCH_H
#define NCGATE_HAZARD_WATCH_H

#include <jansson.h>

#include "audit.h"
#include "exposition.h"
#include "hazards.h"

struct ncg_hazard_watch;

/*
 * Reads the table at path. One that cannot be read is logged, and the watch then
 * knows no hazards and says so in its metrics. Returns 0 or -ENOMEM, logged.
 */
int ncg_hazard_watch_open(const char *path, struct ncg_hazard_watch **ret_watch);
void ncg_hazard_watch_close(struct ncg_hazard_watch *watch); /* takes NULL */

/* Looks at the host as it is now. sysfs NULL is /sys. */
void ncg_hazard_watch_look(struct ncg_hazard_watch *watch, const char *sysfs,
			   const struct ncg_devices *devices,
			   const struct ncg_hazard_policy *policy, struct ncg_audit *audit);

/* What the last look found: a new array of ncg_hazard_json(). */
json_t *ncg_hazard_watch_json(const struct ncg_hazard_watch *watch);
void ncg_hazard_watch_metrics(const struct ncg_hazard_watch *watch, struct ncg_exposition *e);

#endif
