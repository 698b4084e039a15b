// SPDX-License-Identifier: GPL-2.0-only
/* See name_watch.h. */
#include "name_watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "policy_named.h"

#define LINES_MAX 10 /* of one kind in the log; the trail has all */

struct ncg_name_watch {
	const char *path;
	struct ncg_policy_known *known; /* of the policy in force */
	bool kept;			/* the file says the same */
};

int ncg_name_watch_open(const char *path, struct ncg_name_watch **ret_watch)
{
	struct ncg_name_watch *watch = calloc(1, sizeof(*watch));
	ncg_autofree char *problem = NULL;
	int r;

	if (!watch)
		return ncg_log_error(-ENOMEM, "no memory for the names of devices");
	watch->path = path;
	r = ncg_policy_known_read(path, &watch->known, &problem);
	if (problem)
		ncg_log_error(0, "%s %s; what names of devices stood for before is not known",
			      path, problem);
	else if (r)
		ncg_log_error(r, "%s cannot be read; what names of devices stood for before is "
			      "not known", path);
	watch->kept = !r;
	if (r)
		watch->known = calloc(1, sizeof(*watch->known));
	if (!watch->known) {
		free(watch);
		return ncg_log_error(-ENOMEM, "no memory for the names of devices");
	}
	*ret_watch = watch;
	return 0;
}

void ncg_name_watch_close(struct ncg_name_watch *watch)
{
	if (!watch)
		return;
	ncg_policy_known_free(watch->known);
	free(watch);
}

const struct ncg_policy_known *ncg_name_watch_known(const struct ncg_name_watch *watch)
{
	return watch->known;
}

/* --------------------------------------------------------------------- changes */

enum change {
	CHANGE_NONE,
	CHANGE_MOVED, /* it stands for other ids */
	CHANGE_GONE,  /* pci.ids has lost it */
	CHANGE_BACK,  /* pci.ids has it again, for the same ids */
	CHANGE_NR,
};

static const char *const change_names[CHANGE_NR] = { "none", "moved", "gone", "back" };

static enum change change_of(const struct ncg_policy_rule *rule,
			     const struct ncg_policy_known_name *before)
{
	if (!before)
		return CHANGE_NONE;
	if (before->vendor != rule->value.vendor || before->device != rule->value.device)
		return CHANGE_MOVED;
	if (before->gone != rule->gone)
		return rule->gone ? CHANGE_GONE : CHANGE_BACK;
	return CHANGE_NONE;
}

/* "fff0:0001" of what a rule's name stood for. */
static void ids_before(const struct ncg_policy_rule *rule,
		       const struct ncg_policy_known_name *before,
		       char ret_ids[NCG_POLICY_NAMED_IDS_LEN])
{
	struct ncg_policy_rule old = { .mask = rule->mask };

	old.value.vendor = before->vendor;
	old.value.device = before->device;
	ncg_policy_named_ids(&old, ret_ids);
}

/* ids to a document; a name for every device has none of a device. */
static int put_ids(json_t *json, const char *name, __u16 vendor, __u16 device)
{
	const bool every = !strcmp(name + strlen(name) - 2, ":*");
	int r = json_object_set_new(json, "vendor_id", ncg_json_hex(4, vendor));

	return r | json_object_set_new(json, "device_id",
				       every ? json_null() : ncg_json_hex(4, device));
}

static json_t *name_json(const char *name, __u16 vendor, __u16 device, bool gone)
{
	json_t *json = json_pack("{s:o}", "name", ncg_json_text(name, strlen(name)));

	if (json && !put_ids(json, name, vendor, device) &&
	    (!gone || !json_object_set_new(json, "gone", json_true())))
		return json;
	json_decref(json);
	return NULL;
}

json_t *ncg_name_watch_gone_json(const struct ncg_name_watch *watch)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < watch->known->count; i++) {
		const struct ncg_policy_known_name *name = &watch->known->list[i];

		if (!name->gone ||
		    !json_array_append_new(list, name_json(name->name, name->vendor, name->device,
							   true)))
			continue;
		json_decref(list);
		list = NULL;
	}
	return list;
}

json_t *ncg_name_watch_names_json(const struct ncg_policy *policy)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < policy->named_count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[policy->named[i]];

		if (!json_array_append_new(list, name_json(rule->name, rule->value.vendor,
							   rule->value.device, rule->gone)))
			continue;
		json_decref(list);
		list = NULL;
	}
	return list;
}

size_t ncg_name_watch_gone(const struct ncg_name_watch *watch)
{
	size_t gone = 0;

	for (size_t i = 0; i < watch->known->count; i++)
		gone += watch->known->list[i].gone;
	return gone;
}

/* Tells the log what one name stands for, where that is not what pci.ids said before. */
static void tell(const struct ncg_policy *policy, const struct ncg_policy_rule *rule,
		 const struct ncg_policy_known_name *before, size_t lines[CHANGE_NR])
{
	enum change change = change_of(rule, before);
	char now[NCG_POLICY_NAMED_IDS_LEN], then[NCG_POLICY_NAMED_IDS_LEN];

	/* As long as it is gone, at each load. */
	if (rule->gone)
		change = CHANGE_GONE;
	if (change == CHANGE_NONE || lines[change]++ >= LINES_MAX)
		return;
	ncg_policy_named_ids(rule, now);
	if (change == CHANGE_GONE) {
		ncg_warning("%s:%u: pci.ids no longer tells what %s stands for; it goes on "
			    "standing for %s as before; write the ids instead",
			    policy->paths[rule->file], rule->line, rule->name, now);
	} else if (change == CHANGE_MOVED) {
		ids_before(rule, before, then);
		ncg_warning("%s:%u: %s now stands for %s and not for %s as before: pci.ids has "
			    "changed; write the ids instead",
			    policy->paths[rule->file], rule->line, rule->name, now, then);
	} else {
		ncg_info("%s:%u: pci.ids has %s again; it stands for %s as before",
			 policy->paths[rule->file], rule->line, rule->name, now);
	}
}

/* One changed name for the record. NULL: no memory. */
static json_t *change_json(const struct ncg_policy_rule *now,
			   const struct ncg_policy_known_name *before, enum change change)
{
	json_t *json = name_json(now->name, now->value.vendor, now->value.device, now->gone);
	json_t *then = json_object();

	if (json && then && !put_ids(then, before->name, before->vendor, before->device) &&
	    !json_object_set_new(json, "change", json_string(change_names[change])) &&
	    !json_object_set(json, "before", then)) {
		json_decref(then);
		return json;
	}
	json_decref(then);
	json_decref(json);
	return NULL;
}

/* The record of all changes; nothing where there is none. */
static void record(const struct ncg_name_watch *watch, const struct ncg_policy *policy,
		   const char *file, const struct ncg_phead *head, struct ncg_audit *audit)
{
	json_t *changes = json_array();
	bool good = changes;

	for (size_t i = 0; good && i < policy->named_count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[policy->named[i]];
		const struct ncg_policy_known_name *before =
			ncg_policy_known_find(watch->known, rule->name);
		enum change change = change_of(rule, before);

		if (change != CHANGE_NONE)
			good = !json_array_append_new(changes, change_json(rule, before, change));
	}
	/* Without memory the trail counts one record that is missing. */
	if (!good || json_array_size(changes))
		ncg_audit_write(audit, "policy_names", 0,
				good ? json_pack("{s:s, s:I, s:o, s:O}", "file", file,
						 "generation", (json_int_t)head->generation,
						 "sha256", ncg_json_sha256(head->sha256), "names",
						 changes) : NULL);
	json_decref(changes);
}

void ncg_name_watch_enforced(struct ncg_name_watch *watch, const struct ncg_policy *policy,
			     const char *file, const struct ncg_phead *head,
			     struct ncg_audit *audit)
{
	size_t lines[CHANGE_NR] = { 0 };
	ncg_autoknown struct ncg_policy_known *known = NULL;
	int r = ncg_policy_known_take(policy, &known);

	if (r) {
		ncg_log_error(r, "what names of devices stand for is not kept");
		return;
	}
	for (size_t i = 0; i < policy->named_count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[policy->named[i]];

		tell(policy, rule, ncg_policy_known_find(watch->known, rule->name), lines);
	}
	for (enum change c = CHANGE_NONE; c < CHANGE_NR; c++)
		if (lines[c] > LINES_MAX)
			ncg_warning("%zu more names are %s; see `ncgate check %s`",
				    lines[c] - LINES_MAX, change_names[c], file);
	record(watch, policy, file, head, audit);
	/* Most reloads change nothing of it, and the disk may be slow. */
	if (!watch->kept || !ncg_policy_known_equal(watch->known, known)) {
		r = ncg_policy_known_write(watch->path, known);
		if (r)
			ncg_log_error(r, "%s cannot be written: after the next start it is not "
				      "known what names of devices stood for", watch->path);
		watch->kept = !r;
	}
	ncg_policy_known_free(watch->known);
	watch->known = ncg_take_ptr(known);
}
