// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ncgate suggest`: allow lines for what guests had as Normal-NC, by the audit trail
 * and by what the daemon observes now; text that policy.conf takes as it is. Owns
 * the list of uses while it runs. It proposes and changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cli.h"
#include "json.h"
#include "log.h"
#include "names.h"
#include "trail.h"

/* One BAR and who had it: a device, a BAR, a user and a cgroup. */
struct use {
	char *slot;
	unsigned int bar;
	__u64 uid;
	char *cgroup; /* NULL: not known */
	json_t *guests; /* names, each once */
	char *first;
	char *last;   /* NULL: it is so now */
	bool mapped;  /* in a guest's tables; else only granted to its VMM */
	bool known;   /* tuple is that of the device */
	struct ncg_tuple tuple;
};

struct uses {
	struct use *list;
	size_t count;
	const struct ncg_devices *devices;
};

/* A line to be written: BARs of one id, in one slot or in any. */
struct line {
	const struct use *use; /* the first */
	const struct ncg_device *device; /* NULL: not in this host now */
	bool one_slot;
	bool mapped;
	bool denied; /* by the policy at hand, for any of its uses */
	struct ncg_decision decision; /* of the use that is denied, else the first's */
	json_t *guests;
	const char *first;
	const char *last;
};

/* -------------------------------------------------------------------- collecting */

static void uses_free(struct uses *uses)
{
	for (size_t i = 0; i < uses->count; i++) {
		struct use *u = &uses->list[i];

		free(u->slot);
		free(u->cgroup);
		free(u->first);
		free(u->last);
		json_decref(u->guests);
	}
	free(uses->list);
}

static bool equal(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static struct use *use_of(struct uses *uses, const char *slot, unsigned int bar, __u64 uid,
			  const char *cgroup)
{
	struct use *list;

	for (size_t i = 0; i < uses->count; i++) {
		struct use *u = &uses->list[i];

		if (u->bar == bar && u->uid == uid && equal(u->slot, slot) &&
		    equal(u->cgroup, cgroup))
			return u;
	}
	list = reallocarray(uses->list, uses->count + 1, sizeof(*list));
	if (!list)
		return NULL;
	uses->list = list;
	list[uses->count] = (struct use){
		.slot = strdup(slot), .bar = bar, .uid = uid,
		.cgroup = cgroup ? strdup(cgroup) : NULL, .guests = json_array(),
	};
	return &list[uses->count++];
}

static void add_name(json_t *names, const char *name)
{
	json_t *shown = ncg_json_name(name, strlen(name)), *one;
	size_t i;

	json_array_foreach(names, i, one)
		if (json_equal(one, shown)) {
			json_decref(shown);
			return;
		}
	json_array_append_new(names, shown);
}

/*
 * A use at a time of the trail; the trail goes forward. place: a record, or a part of one,
 * that has the device; guest: one that has the guest, or does not know it.
 */
static struct use *note(struct uses *uses, const json_t *place, const json_t *guest,
			const char *time)
{
	const json_t *who = json_object_get(guest, "guest");
	const char *slot;
	unsigned int bar;
	struct use *use;

	if (!ncg_trail_place(place, &slot, &bar))
		return NULL;
	use = use_of(uses, slot, bar, ncg_cli_number(who, "uid"),
		     json_string_value(json_object_get(who, "cgroup")));
	if (!use)
		return NULL;
	add_name(use->guests, who ? ncg_trail_guest(guest) : "a guest that is not known");
	if (!use->first)
		use->first = strdup(time);
	free(use->last);
	use->last = strdup(time);
	return use;
}

/* A BAR that was granted to a VMM: a record `bar_mmap`, or a part of `gate`. */
static const char *take_granted(struct uses *uses, const json_t *part, const char *time)
{
	struct ncg_tuple tuple;
	const char *wrong = ncg_trail_tuple(part, &tuple);
	struct use *use;

	if (wrong)
		return wrong;
	if (!json_is_true(json_object_get(part, "granted")) || ncg_cli_number(part, "result"))
		return NULL;
	use = note(uses, part, part, time);
	if (!use)
		return "no memory for it";
	use->tuple = tuple;
	use->known = true;
	return NULL;
}

static const char *take_mmap(void *arg, const json_t *record)
{
	return take_granted(arg, record, ncg_cli_text(record, "time"));
}

/* What was mapped before there was a gate: its mmaps are in no record of their own. */
static const char *take_gate(void *arg, const json_t *record)
{
	const char *wrong = NULL;
	const json_t *part;
	size_t i;

	json_array_foreach(json_object_get(record, "mapped"), i, part)
		if (!wrong)
			wrong = take_granted(arg, part, ncg_cli_text(record, "time"));
	return wrong;
}

/* Memory that is no BAR of this host has no device, and is none of ours. */
static bool is_normal_nc(const json_t *mapping)
{
	return ncg_cli_is(mapping, "memory_type", ncg_names_memtype(NCG_MT_NORMAL_NC)) &&
	       json_object_get(mapping, "device");
}

/* A mapping as it came, or as it was found after a loss. */
static const char *take_map(void *arg, const json_t *record)
{
	struct use *use;

	if (!is_normal_nc(record))
		return NULL;
	use = note(arg, record, record, ncg_cli_text(record, "time"));
	if (!use)
		return "no slot and BAR of its device";
	use->mapped = true;
	return NULL;
}

/* What a VM had in all: where a loss hid the mapping itself, this alone tells it. */
static const char *take_end(void *arg, const json_t *record)
{
	const json_t *total;
	size_t i;

	json_array_foreach(json_object_get(record, "mapped"), i, total) {
		struct use *use;

		if (!is_normal_nc(total))
			continue;
		use = note(arg, total, record, ncg_cli_text(record, "time"));
		if (!use)
			return "no slot and BAR of a device";
		use->mapped = true;
	}
	return NULL;
}

/* What guests have at this moment, by the daemon's walk. */
static void take_observed(struct uses *uses, const json_t *reply)
{
	const json_t *guest, *entry;
	size_t g, i;

	json_array_foreach(json_object_get(reply, "guests"), g, guest)
		json_array_foreach(json_object_get(guest, "devices"), i, entry) {
			const char *cgroup = ncg_cli_text(guest, "cgroup");
			const char *name = ncg_cli_text(guest, "name");
			struct use *use;

			if (!ncg_cli_is(entry, "type", ncg_names_memtype(NCG_MT_NORMAL_NC)))
				continue;
			use = use_of(uses, ncg_cli_text(entry, "device"),
				     ncg_cli_number(entry, "bar"), ncg_cli_number(guest, "uid"),
				     *cgroup ? cgroup : NULL);
			if (!use)
				continue;
			add_name(use->guests, *name ? name : ncg_cli_text(guest, "guest"));
			use->mapped = true;
			free(use->last);
			use->last = NULL;
		}
}

/* ------------------------------------------------------------------------- lines */

static const struct ncg_device *device_at(const struct uses *uses, const char *slot)
{
	for (size_t i = 0; i < uses->devices->count; i++)
		if (!strcmp(uses->devices->list[i].address, slot))
			return &uses->devices->list[i];
	return NULL;
}

/*
 * What was learnt of a BAR by one record holds for all; the host's own word, where
 * the device is still there, goes first.
 */
static void complete(struct uses *uses)
{
	for (size_t i = 0; i < uses->count; i++) {
		struct use *u = &uses->list[i];
		const struct ncg_device *device = device_at(uses, u->slot);
		struct ncg_mapper mapper = { .uid = u->uid, .cgroup = u->cgroup };

		for (size_t k = 0; k < uses->count && !u->known; k++)
			if (uses->list[k].known && equal(uses->list[k].slot, u->slot)) {
				u->tuple = uses->list[k].tuple;
				u->tuple.bar = u->bar;
				u->tuple.uid = u->uid;
				u->known = true;
			}
		if (device && (!u->known || (u->tuple.vendor == device->vendor &&
					     u->tuple.device == device->device))) {
			u->tuple = ncg_verdict_tuple(device, u->bar, &mapper);
			u->known = true;
		}
	}
}

/* The device of a use, while it is still the one in that slot. */
static const struct ncg_device *device_of(const struct uses *uses, const struct use *use)
{
	const struct ncg_device *device = device_at(uses, use->slot);

	return device && device->vendor == use->tuple.vendor &&
	       device->device == use->tuple.device ? device : NULL;
}

static bool same_id(const struct use *a, const struct use *b)
{
	return a->tuple.vendor == b->tuple.vendor && a->tuple.device == b->tuple.device;
}

/* Whether a device of this id is here that did not have this BAR as Normal-NC. */
static bool others_do_without(const struct uses *uses, const struct use *use)
{
	for (size_t i = 0; i < uses->devices->count; i++) {
		const struct ncg_device *d = &uses->devices->list[i];
		bool used = false;

		if (d->vendor != use->tuple.vendor || d->device != use->tuple.device ||
		    !ncg_device_assignable(d))
			continue;
		for (size_t k = 0; k < uses->count && !used; k++)
			used = uses->list[k].bar == use->bar &&
			       !strcmp(uses->list[k].slot, d->address);
		if (!used)
			return true;
	}
	return false;
}

static bool belongs(const struct line *line, const struct use *use)
{
	return same_id(line->use, use) && line->use->bar == use->bar &&
	       (!line->one_slot || equal(line->use->slot, use->slot));
}

static void merge(struct line *line, const struct use *use, const struct ncg_policy *policy)
{
	struct ncg_decision decision = {};
	const json_t *name;
	size_t i;

	if (policy)
		ncg_verdict_decide(policy, &use->tuple, use->cgroup, &decision);
	if (line->use == use || (decision.verdict != NCG_VERDICT_ALLOW && !line->denied))
		line->decision = decision;
	line->denied |= decision.verdict != NCG_VERDICT_ALLOW;
	line->mapped |= use->mapped;
	json_array_foreach(use->guests, i, name)
		add_name(line->guests, json_string_value(name));
	if (use->first && (!line->first || strcmp(use->first, line->first) < 0))
		line->first = use->first;
	if (!use->last)
		line->last = "now";
	else if (!line->last || (strcmp(line->last, "now") && strcmp(use->last, line->last) > 0))
		line->last = use->last;
}

/* Lines in order of the uses; *ret_lines is the caller's, with room for every use. */
static size_t make_lines(const struct uses *uses, const struct ncg_policy *policy,
			 struct line *lines)
{
	size_t count = 0;

	for (size_t i = 0; i < uses->count; i++) {
		const struct use *use = &uses->list[i];
		struct line *line = NULL;

		if (!use->known)
			continue;
		for (size_t k = 0; k < count && !line; k++)
			if (belongs(&lines[k], use))
				line = &lines[k];
		if (!line) {
			line = &lines[count++];
			*line = (struct line){
				.use = use, .device = device_of(uses, use),
				.one_slot = others_do_without(uses, use), .guests = json_array(),
			};
		}
		merge(line, use, policy);
	}
	return count;
}

/* ------------------------------------------------------------------------- output */

/* What speaks against proposing a line, or NULL. */
static const char *doubt(const struct line *line)
{
	if (!line->mapped)
		return "granted to the VMM, but in no guest's tables so far";
	if (line->device && !line->device->bars[line->use->bar].prefetchable)
		return "not prefetchable: write combining is not what such a BAR is made for";
	return NULL;
}

static bool proposed(const struct line *line)
{
	return line->denied && !doubt(line);
}

/* The rule, for policy.conf; the caller frees it. */
static char *rule_of(const struct line *line)
{
	char *text = NULL;

	if (asprintf(&text, "allow %04x:%04x%s%s bar=%u", line->use->tuple.vendor,
		     line->use->tuple.device, line->one_slot ? " slot=" : "",
		     line->one_slot ? line->use->slot : "", line->use->bar) < 0)
		return NULL;
	return text;
}

static json_t *line_json(const struct line *line)
{
	ncg_autofree char *rule = rule_of(line);
	const char *why_not = doubt(line);
	json_t *json;

	json = json_pack("{s:s?, s:b, s:s?, s:s, s:i, s:b, s:O, s:s?, s:s?, s:o}", "line", rule,
			 "proposed", proposed(line), "doubt", why_not, "slot", line->use->slot,
			 "bar", (int)line->use->bar, "mapped", line->mapped, "guests",
			 line->guests, "first", line->first, "last", line->last, "now",
			 ncg_cli_side(&line->decision, ncg_verdict_acts(&line->decision)));
	return json;
}

/* The first line of a comment on a line: the device, by slot and name. */
static void print_device(const struct line *line)
{
	const char *name = line->device ? line->device->name : "";

	ncg_cli_say("# %s BAR %u%s%s%s", line->use->slot, line->use->bar, *name ? ", " : "", name,
		    line->device ? "" : ", not in this host now");
}

/* The second: who had it, and when. */
static int print_guests(const struct line *line)
{
	ncg_autofree char *names = NULL;
	const json_t *guest;
	size_t i, size;
	FILE *out = open_memstream(&names, &size);

	if (!out)
		return -ENOMEM;
	json_array_foreach(line->guests, i, guest)
		fprintf(out, "%s%s", i ? ", " : "", json_string_value(guest));
	if (fclose(out))
		return -ENOMEM;
	if (line->first && strcmp(line->last, line->first))
		ncg_cli_say("# %s by %s; first %s, last %s",
			    line->mapped ? "mapped Normal-NC" : "granted", names, line->first,
			    line->last);
	else
		ncg_cli_say("# %s by %s; %s", line->mapped ? "mapped Normal-NC" : "granted", names,
			    line->last);
	return 0;
}

/* A newline in what a guest's owner typed would begin a line of policy. */
static int print_line(const struct line *line)
{
	ncg_autofree char *rule = rule_of(line);
	const char *why_not = doubt(line);

	putchar('\n');
	print_device(line);
	if (!rule || print_guests(line))
		return -ENOMEM;
	if (!line->denied) {
		if (line->decision.reason == NCG_REASON_RULE)
			ncg_cli_say("# allowed already, by %.*s:%u", NCG_PATH_LEN,
				    line->decision.file, line->decision.line);
		else
			puts("# allowed already, by default");
	} else if (why_not) {
		printf("# %s\n", why_not);
		ncg_cli_say("#%s", rule);
	} else {
		ncg_cli_say("%s", rule);
	}
	return 0;
}

static void print_head(const struct ncg_cli *cli, const struct ncg_policy *policy, size_t needed)
{
	printf("# Suggested by ncgate " NCG_VERSION " from what guests had as Normal-NC.\n"
	       "# That a BAR was mapped so tells that its guest may use write combining and\n"
	       "# unaligned access there, not that it does: read before you use.\n");
	if (policy && policy->mode == NCG_MODE_AUDIT) {
		ncg_cli_say("# %s is in mode audit: before `mode enforce`, %zu line%s to be",
			    cli->policy, needed, needed == 1 ? " has" : "s have");
		puts("# added.");
	} else if (policy) {
		ncg_cli_say("# %s lacks %zu line%s.", cli->policy, needed, needed == 1 ? "" : "s");
	}
}

static void print_unknown(const struct uses *uses)
{
	for (size_t i = 0; i < uses->count; i++)
		if (!uses->list[i].known) {
			putchar('\n');
			ncg_cli_say("# %s BAR %u was mapped Normal-NC, but which device that was is "
				    "not", uses->list[i].slot, uses->list[i].bar);
			puts("# recorded, and it is not in this host now.");
		}
}

static int print_json(const struct ncg_cli *cli, const struct line *lines, size_t count,
		      const struct ncg_trail *trail)
{
	json_t *list = json_array(), *document;
	int r;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, line_json(&lines[i]));
	document = json_pack("{s:o, s:o, s:o, s:o}", "policy", ncg_json_string(cli->policy),
			     "audit", ncg_json_string(cli->audit), "suggestions", list, "trail",
			     ncg_trail_json(trail));
	r = document ? ncg_cli_print_json(document) : -ENOMEM;
	json_decref(document);
	return r;
}

static enum ncg_exit suggest(const struct ncg_cli *cli, struct uses *uses,
			     const struct ncg_policy *policy, const struct ncg_trail *trail)
{
	ncg_autofree struct line *lines = calloc(uses->count + 1, sizeof(*lines));
	size_t count, needed = 0;
	int r = 0;

	if (!lines)
		return ncg_cli_fail(-ENOMEM);
	complete(uses);
	count = make_lines(uses, policy, lines);
	for (size_t i = 0; i < count; i++)
		needed += proposed(&lines[i]);
	if (cli->json) {
		r = print_json(cli, lines, count, trail);
	} else {
		print_head(cli, policy, needed);
		for (size_t i = 0; i < count && !r; i++)
			r = print_line(&lines[i]);
		print_unknown(uses);
	}
	for (size_t i = 0; i < count; i++)
		json_decref(lines[i].guests);
	if (r)
		return ncg_cli_fail(r);
	return needed ? NCG_EXIT_FINDINGS : NCG_EXIT_OK;
}

enum ncg_exit ncg_cli_suggest(const struct ncg_cli *cli)
{
	static const struct ncg_trail_wanted wanted[] = {
		{ "bar_mmap", take_mmap },   { "gate", take_gate },
		{ "stage2_first", take_map }, { "found_mapped", take_map },
		{ "vm_destroy", take_end },   { NULL, NULL },
	};
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	ncg_autodevices struct ncg_devices *devices = NULL;
	ncg_cleanup(uses_free) struct uses uses = {};
	enum ncg_exit status = ncg_cli_load_devices(cli, &devices);
	struct ncg_trail trail;
	json_t *reply;
	int r;

	if (!status)
		status = ncg_cli_load_policy(cli, cli->policy, &policy);
	if (status)
		return status;
	uses.devices = devices;
	r = ncg_trail_read(cli->audit, wanted, &uses, &trail);
	if (r) {
		ncg_log_error(r, "the audit trail %s cannot be read", cli->audit);
		return NCG_EXIT_BAD_INPUT;
	}
	ncg_cli_tell_trail(cli, &trail);
	status = ncg_cli_ask_if_there(cli, "guests", &reply);
	/* A host whose tables cannot be read has a trail all the same. */
	if (!status && reply)
		take_observed(&uses, reply);
	else if (!status)
		ncg_info("ncgated does not answer: by the audit trail alone");
	json_decref(status ? NULL : reply);
	return suggest(cli, &uses, policy, &trail);
}
