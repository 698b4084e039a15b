// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which hazards this host has, by sysfs, and what contradicts them: see hazards.h. The
 * table itself is hazards_parse.c's. A host that cannot be read has no hazard.
 */
#include "hazards.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "text_file.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define SIZE_MAX_BYTES (1u << 20) /* of a table's text */

int ncg_hazards_read(const char *path, struct ncg_hazards **ret_hazards, char **ret_error)
{
	ncg_autofree char *text = NULL;
	size_t size;
	int r;

	*ret_error = NULL;
	r = ncg_text_file_read(path, SIZE_MAX_BYTES, &text, &size);
	return r ? r : ncg_hazards_parse(path, text, size, ret_hazards, ret_error);
}

/* ------------------------------------------------------------------ matching */

/* A sysfs attribute without its newline; false when there is none. */
static bool attribute(const char *dir, const char *entry, const char *name, char *ret_text,
		      size_t room)
{
	ncg_autofree char *text = NULL;
	char path[PATH_MAX];
	size_t size;

	if (snprintf(path, sizeof(path), "%s/%s/%s", dir, entry, name) >= (int)sizeof(path) ||
	    ncg_text_file_read(path, room - 1, &text, &size))
		return false;
	text[strcspn(text, "\n")] = '\0';
	strcpy(ret_text, text);
	return true;
}

/* Whether any entry of a folder, named prefix and a number, fits the hazard. */
static bool any_entry(const char *sysfs, const char *folder, const char *prefix,
		      bool (*fits)(const struct ncg_hazard *, const char *, const char *),
		      const struct ncg_hazard *hazard)
{
	ncg_autoclosedir DIR *dir = NULL;
	char path[PATH_MAX];
	struct dirent *entry;

	if (snprintf(path, sizeof(path), "%s/%s", sysfs, folder) >= (int)sizeof(path))
		return false;
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)) &&
		    isdigit((unsigned char)entry->d_name[strlen(prefix)]) &&
		    fits(hazard, path, entry->d_name))
			return true;
	return false;
}

/* Cores of one host may differ, so each is looked at. */
static bool midr_fits(const struct ncg_hazard *hazard, const char *dir, const char *entry)
{
	char text[32];
	unsigned long long midr;

	if (!attribute(dir, entry, "regs/identification/midr_el1", text, sizeof(text)))
		return false;
	midr = strtoull(text, NULL, 0);
	return (midr >> 24 & 0xff) == hazard->implementer && (midr >> 4 & 0xfff) == hazard->part;
}

static bool soc_fits(const struct ncg_hazard *hazard, const char *dir, const char *entry)
{
	char id[64], revision[32];

	if (!attribute(dir, entry, "soc_id", id, sizeof(id)) || strcmp(id, hazard->soc_id))
		return false;
	if (!hazard->revision_below)
		return true;
	/* A revision that is not told may be the bad one. */
	return !attribute(dir, entry, "revision", revision, sizeof(revision)) ||
	       strtoul(revision, NULL, 0) < hazard->revision_below;
}

static bool is_one_of(const struct ncg_hazard_id *ids, size_t count,
		      const struct ncg_device *device, int bar)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i].vendor == device->vendor && ids[i].device == device->device &&
		    (bar < 0 || !ids[i].bars || ids[i].bars & 1u << bar))
			return true;
	return false;
}

static bool any_device(const struct ncg_hazard_id *ids, size_t count,
		       const struct ncg_devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		if (is_one_of(ids, count, &devices->list[i], -1))
			return true;
	return false;
}

void ncg_hazards_match(struct ncg_hazards *hazards, const char *sysfs,
		       const struct ncg_devices *devices)
{
	if (!sysfs)
		sysfs = "/sys";
	for (size_t i = 0; i < hazards->count; i++) {
		struct ncg_hazard *h = &hazards->list[i];

		if (!h->looked)
			h->fits = (!h->has_midr || any_entry(sysfs, "devices/system/cpu", "cpu",
							     midr_fits, h)) &&
				  (!h->soc_id || any_entry(sysfs, "bus/soc/devices", "soc",
							   soc_fits, h));
		h->looked = true;
		h->present =
			h->fits && (!h->pci_count || any_device(h->pci, h->pci_count, devices)) &&
			(!h->device_count || any_device(h->devices, h->device_count, devices));
	}
	for (size_t i = 0; i < hazards->count; i++)
		for (size_t k = 0; k < hazards->count; k++)
			if (hazards->list[i].unless && hazards->list[k].present &&
			    !strcmp(hazards->list[i].unless, hazards->list[k].id))
				hazards->list[i].present = false;
}

bool ncg_hazards_concern(const struct ncg_hazard *hazard, const struct ncg_device *device,
			 unsigned int bar)
{
	return !hazard->device_count ||
	       is_one_of(hazard->devices, hazard->device_count, device, bar);
}

const char *ncg_hazards_unsafe(const struct ncg_hazard *hazard)
{
	return ncg_names_memtype(hazard->hurts == NCG_VERDICT_ALLOW ? NCG_MT_NORMAL_NC
								   : NCG_MT_DEVICE_nGnRE);
}

/* ----------------------------------------------------------------- conflicts */

struct conflicts {
	struct ncg_hazard_conflict *list;
	size_t count;
};

static int add(struct conflicts *c, const struct ncg_hazard_conflict *conflict)
{
	struct ncg_hazard_conflict *list = reallocarray(c->list, c->count + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	c->list = list;
	list[c->count++] = *conflict;
	return 0;
}

static int check_bars(const struct ncg_hazard *h, const struct ncg_device *device,
		      const struct ncg_hazard_policy *policy, struct conflicts *c)
{
	for (unsigned int bar = 0; bar < NCG_DEVICE_BARS; bar++) {
		struct ncg_hazard_conflict conflict = {
			.hazard = h, .cause = NCG_HAZARD_BAR, .device = device, .bar = bar,
		};
		int r;

		if (!device->bars[bar].size || !device->bars[bar].memory ||
		    !ncg_hazards_concern(h, device, bar))
			continue;
		policy->decide(policy->arg, device, bar, &conflict.decision);
		/* A rule on trial leaves the device to the kernel, whatever it says. */
		if (conflict.decision.verdict != h->hurts &&
		    !(policy->enforced && conflict.decision.audit && policy->kernel == h->hurts))
			continue;
		r = add(c, &conflict);
		if (r)
			return r;
	}
	return 0;
}

static int check_one(const struct ncg_hazard *h, const struct ncg_devices *devices,
		     const struct ncg_hazard_policy *policy, struct conflicts *c)
{
	int r = 0;

	/* What is not overruled holds whatever the policy says. */
	if (!policy->enforced && policy->kernel == h->hurts)
		r = add(c, &(struct ncg_hazard_conflict){ .hazard = h,
							  .cause = NCG_HAZARD_KERNEL });
	if (r || policy->fallback == NCG_VERDICT_NONE)
		return r;
	/* Of a hazard of some devices alone, these speak for themselves. */
	if (policy->fallback == h->hurts && !h->device_count)
		r = add(c, &(struct ncg_hazard_conflict){ .hazard = h,
							  .cause = NCG_HAZARD_DEFAULT });
	for (size_t i = 0; !r && i < devices->count; i++)
		if (ncg_device_assignable(&devices->list[i]))
			r = check_bars(h, &devices->list[i], policy, c);
	return r;
}

ssize_t ncg_hazards_check(const struct ncg_hazards *hazards, const struct ncg_devices *devices,
			  const struct ncg_hazard_policy *policy,
			  struct ncg_hazard_conflict **ret_list)
{
	struct conflicts c = {};
	int r = 0;

	for (size_t i = 0; !r && i < hazards->count; i++)
		if (hazards->list[i].present)
			r = check_one(&hazards->list[i], devices, policy, &c);
	if (r) {
		free(c.list);
		return r;
	}
	*ret_list = c.list;
	return c.count;
}

static const char *const causes[] = {
	[NCG_HAZARD_BAR] = "bar",
	[NCG_HAZARD_DEFAULT] = "default",
	[NCG_HAZARD_KERNEL] = "kernel default",
};
static_assert(ARRAY_SIZE(causes) == NCG_HAZARD_CAUSE_NR, "a cause has no name");

const char *ncg_hazards_cause(enum ncg_hazard_cause cause)
{
	return causes[cause];
}

char *ncg_hazards_format(const struct ncg_hazard_conflict *conflict)
{
	const struct ncg_decision *d = &conflict->decision;
	const char *verb = conflict->hazard->hurts == NCG_VERDICT_ALLOW ? "allow" : "deny";
	char *line = NULL;
	int r = 0;

	switch (conflict->cause) {
	case NCG_HAZARD_BAR:
		if (d->verdict != conflict->hazard->hurts)
			r = asprintf(&line, "%s BAR %u: left to the kernel's own default by the "
					    "rule on trial at %.*s:%u", conflict->device->address,
				     conflict->bar, NCG_PATH_LEN, d->file, d->line);
		else if (d->reason == NCG_REASON_RULE)
			r = asprintf(&line, "%s BAR %u: %s by %.*s:%u", conflict->device->address,
				     conflict->bar, verb, NCG_PATH_LEN, d->file, d->line);
		else
			r = asprintf(&line, "%s BAR %u: %s by default", conflict->device->address,
				     conflict->bar, verb);
		break;
	case NCG_HAZARD_DEFAULT:
		r = asprintf(&line, "`default %s` concerns every device that no rule matches",
			     verb);
		break;
	case NCG_HAZARD_KERNEL:
		r = asprintf(&line, "the kernel's own default, which no verdict overrules now, "
				    "gives every device %s",
			     ncg_hazards_unsafe(conflict->hazard));
		break;
	case NCG_HAZARD_CAUSE_NR:
		return NULL;
	}
	return r < 0 ? NULL : line;
}
