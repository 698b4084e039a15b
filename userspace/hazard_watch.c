// SPDX-License-Identifier: GPL-2.0-only
#include "hazard_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hazard_json.h"
#include "log.h"

struct ncg_hazard_watch {
	struct ncg_hazards *table; /* NULL: it cannot be read */
	json_t *found;		   /* of the last look, by hazard's id */
};

int ncg_hazard_watch_open(const char *path, struct ncg_hazard_watch **ret_watch)
{
	struct ncg_hazard_watch *watch = calloc(1, sizeof(*watch));
	ncg_autofree char *error = NULL;
	int r;

	if (watch)
		watch->found = json_object();
	if (!watch || !watch->found) {
		ncg_hazard_watch_close(watch);
		return ncg_log_error(-ENOMEM, "no memory");
	}
	r = ncg_hazards_read(path, &watch->table, &error);
	if (error)
		ncg_warning("%s; hazards of this host are not known", error);
	else if (r)
		ncg_warning("the table of hazards %s cannot be read: %s; hazards of this host are "
			    "not known", path, strerror(-r));
	*ret_watch = watch;
	return 0;
}

void ncg_hazard_watch_close(struct ncg_hazard_watch *watch)
{
	if (!watch)
		return;
	ncg_hazards_free(watch->table);
	json_decref(watch->found);
	free(watch);
}

static void say(const struct ncg_hazard *hazard, const struct ncg_hazard_conflict *conflicts,
		size_t count)
{
	if (!count) {
		ncg_info("hazard %s of this host is heeded: %s is unsafe, and nothing gives it",
			 hazard->id, ncg_hazards_unsafe(hazard));
		return;
	}
	ncg_warning("hazard %s of this host is not heeded: %s is unsafe; %s; instead: %s",
		    hazard->id, ncg_hazards_unsafe(hazard), hazard->because, hazard->instead);
	for (size_t i = 0; i < count; i++) {
		ncg_autofree char *sentence = ncg_hazards_format(&conflicts[i]);

		/* A host full of devices is not to fill the log; the record has all. */
		if (i == 3 && count > 4) {
			ncg_warning("hazard %s: and %zu more", hazard->id, count - i);
			return;
		}
		ncg_warning("hazard %s: %s", hazard->id, sentence ? sentence : "no memory");
	}
}

/* Of one hazard, unless the last look found the very same. */
static void report(struct ncg_hazard_watch *watch, json_t *found, const struct ncg_hazard *hazard,
		   const struct ncg_hazard_conflict *conflicts, size_t count,
		   struct ncg_audit *audit)
{
	json_t *now = ncg_hazard_json(hazard, conflicts, count);
	const json_t *before = json_object_get(watch->found, hazard->id);

	if (!before || !json_equal((json_t *)before, now)) {
		say(hazard, conflicts, count);
		ncg_audit_write_kept(audit, "hazard", json_copy(now));
	}
	json_object_set_new(found, hazard->id, now);
}

void ncg_hazard_watch_look(struct ncg_hazard_watch *watch, const char *sysfs,
			   const struct ncg_devices *devices,
			   const struct ncg_hazard_policy *policy, struct ncg_audit *audit)
{
	ncg_autofree struct ncg_hazard_conflict *conflicts = NULL;
	json_t *found = json_object();
	ssize_t count;
	size_t at = 0;

	if (!watch->table || !found) {
		json_decref(found);
		return;
	}
	ncg_hazards_match(watch->table, sysfs, devices);
	count = ncg_hazards_check(watch->table, devices, policy, &conflicts);
	if (count < 0) {
		ncg_log_error(count, "hazards cannot be looked at");
		json_decref(found);
		return;
	}
	for (size_t i = 0; i < watch->table->count; i++) {
		const struct ncg_hazard *hazard = &watch->table->list[i];
		size_t own = 0;

		if (!hazard->present)
			continue;
		while (at + own < (size_t)count && conflicts[at + own].hazard == hazard)
			own++;
		report(watch, found, hazard, conflicts + at, own, audit);
		at += own;
	}
	json_decref(watch->found);
	watch->found = found;
}

json_t *ncg_hazard_watch_json(const struct ncg_hazard_watch *watch)
{
	json_t *list = json_array(), *one;
	const char *id;

	json_object_foreach(watch->found, id, one)
		json_array_append(list, one);
	return list;
}

void ncg_hazard_watch_metrics(const struct ncg_hazard_watch *watch, struct ncg_exposition *e)
{
	const char *id;
	json_t *one;

	ncg_exposition_u64(e, NCG_MF_HAZARDS_KNOWN, watch->table ? watch->table->count : 0,
			   NCG_LABELS());
	json_object_foreach(watch->found, id, one) {
		ncg_exposition_u64(e, NCG_MF_HAZARD, 1,
				   NCG_LABELS(id, json_string_value(
							  json_object_get(one, "unsafe"))));
		ncg_exposition_u64(e, NCG_MF_HAZARD_CONTRADICTIONS,
				   json_array_size(json_object_get(one, "contradictions")),
				   NCG_LABELS(id));
	}
}
