// SPDX-License-Identifier: GPL-2.0-only
/*
 * See hazards.h. The table is read line by line: a word, blanks, and the rest of
 * the line as its value; `hazard` and `driver` begin an entry.
 */
#include "hazards.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "text.h"
#include "text_file.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define SIZE_MAX_BYTES (1u << 20) /* of a table's text */

/* Where a parse is; one of hazard and driver is the entry being filled. */
struct parse {
	const char *name;
	__u32 line;
	struct ncg_hazards *table;
	struct ncg_hazard *hazard;
	struct ncg_hazard_driver *driver;
	char *error;
};

/* ------------------------------------------------------------------- parsing */

/* column: in bytes, from 1; 0: the line as a whole. */
__attribute__((format(printf, 3, 4))) static int refuse_at(struct parse *p, size_t column,
							   const char *format, ...)
{
	ncg_autofree char *problem = NULL;
	char where[24] = "";
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&problem, format, args);
	va_end(args);
	if (length < 0) {
		problem = NULL;
		return -ENOMEM;
	}
	if (column)
		snprintf(where, sizeof(where), ":%zu", column);
	if (asprintf(&p->error, "%s:%u%s: %s", p->name, p->line, where, problem) < 0) {
		p->error = NULL;
		return -ENOMEM;
	}
	return -EINVAL;
}

#define refuse(p, ...) refuse_at(p, 0, __VA_ARGS__)

static int put_text(struct parse *p, const char *word, char **text, const char *value)
{
	if (*text)
		return refuse(p, "a second '%s' in one entry", word);
	*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

/* Hexadecimal digits of at most max, and where they end. */
static bool take_hex(const char **at, unsigned long max, unsigned long *ret_value)
{
	char *end;

	if (!isxdigit((unsigned char)**at))
		return false;
	*ret_value = strtoul(*at, &end, 16);
	*at = end;
	return *ret_value <= max;
}

/* "10de:2342" or "10de:2342 bar=2". */
static int put_id(struct parse *p, struct ncg_hazard_id *ids, size_t *count, const char *value)
{
	unsigned long vendor, device, bar;
	struct ncg_hazard_id id = {};
	const char *at = value;

	if (*count == NCG_HAZARD_IDS_MAX)
		return refuse(p, "more than %d of one kind in one entry", NCG_HAZARD_IDS_MAX);
	if (!take_hex(&at, 0xffff, &vendor) || *at++ != ':' || !take_hex(&at, 0xffff, &device))
		return refuse(p, "'%s' is not VENDOR:DEVICE", value);
	id.vendor = vendor;
	id.device = device;
	if (!strncmp(at, " bar=", 5)) {
		at += 5;
		if (!take_hex(&at, NCG_DEVICE_BARS - 1, &bar))
			return refuse(p, "'%s' has no BAR from 0 to 5", value);
		id.bars = 1u << bar;
	}
	if (*at)
		return refuse(p, "'%s' goes on after VENDOR:DEVICE [bar=N]", value);
	ids[(*count)++] = id;
	return 0;
}

static int put_unsafe(struct parse *p, struct ncg_hazard *hazard, const char *value)
{
	if (!strcmp(value, ncg_names_memtype(NCG_MT_NORMAL_NC)))
		hazard->hurts = NCG_VERDICT_ALLOW;
	else if (!strcmp(value, ncg_names_memtype(NCG_MT_DEVICE_nGnRE)))
		hazard->hurts = NCG_VERDICT_DENY;
	else
		return refuse(p, "'%s' is not normal_nc or device_nGnRE", value);
	return 0;
}

static int put_midr(struct parse *p, struct ncg_hazard *hazard, const char *value)
{
	unsigned long implementer, part;
	const char *at = value;

	if (!take_hex(&at, 0xff, &implementer) || *at++ != ':' || !take_hex(&at, 0xfff, &part) ||
	    *at)
		return refuse(p, "'%s' is not IMPLEMENTER:PART of MIDR_EL1", value);
	hazard->has_midr = true;
	hazard->implementer = implementer;
	hazard->part = part;
	return 0;
}

static int put_revision(struct parse *p, struct ncg_hazard *hazard, const char *value)
{
	char *end;
	unsigned long revision = strtoul(value, &end, 0);

	if (!isdigit((unsigned char)*value) || *end || !revision || revision > UINT32_MAX)
		return refuse(p, "'%s' is not a revision above 0", value);
	hazard->revision_below = revision;
	return 0;
}

static int hazard_line(struct parse *p, const char *word, const char *value)
{
	struct ncg_hazard *h = p->hazard;

	if (!strcmp(word, "unsafe"))
		return put_unsafe(p, h, value);
	if (!strcmp(word, "soc-id"))
		return put_text(p, word, &h->soc_id, value);
	if (!strcmp(word, "soc-revision-below"))
		return put_revision(p, h, value);
	if (!strcmp(word, "midr"))
		return put_midr(p, h, value);
	if (!strcmp(word, "pci"))
		return put_id(p, h->pci, &h->pci_count, value);
	if (!strcmp(word, "device"))
		return put_id(p, h->devices, &h->device_count, value);
	if (!strcmp(word, "unless"))
		return put_text(p, word, &h->unless, value);
	if (!strcmp(word, "because"))
		return put_text(p, word, &h->because, value);
	if (!strcmp(word, "instead"))
		return put_text(p, word, &h->instead, value);
	if (!strcmp(word, "source"))
		return put_text(p, word, &h->source, value);
	return refuse(p, "'%s' is no line of a hazard", word);
}

static int driver_line(struct parse *p, const char *word, const char *value)
{
	struct ncg_hazard_driver *d = p->driver;

	if (!strcmp(word, "asks-the-hook")) {
		if (strcmp(value, "always") && strcmp(value, "not-always"))
			return refuse(p, "'%s' is not always or not-always", value);
		d->asks = !strcmp(value, "always");
		return 0;
	}
	if (!strcmp(word, "because"))
		return put_text(p, word, &d->because, value);
	if (!strcmp(word, "source"))
		return put_text(p, word, &d->source, value);
	return refuse(p, "'%s' is no line of a driver", word);
}

static int begin_hazard(struct parse *p, const char *id)
{
	struct ncg_hazards *t = p->table;
	struct ncg_hazard *list;

	for (size_t i = 0; i < t->count; i++)
		if (!strcmp(t->list[i].id, id))
			return refuse(p, "hazard '%s' is there already, in line %u", id,
				      t->list[i].line);
	list = reallocarray(t->list, t->count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	t->list = list;
	list[t->count] = (struct ncg_hazard){ .line = p->line, .id = strdup(id) };
	p->hazard = &list[t->count];
	p->driver = NULL;
	t->count++;
	return p->hazard->id ? 0 : -ENOMEM;
}

static int begin_driver(struct parse *p, const char *name)
{
	struct ncg_hazards *t = p->table;
	struct ncg_hazard_driver *list;

	if (ncg_hazards_driver(t, name))
		return refuse(p, "driver '%s' is there already", name);
	list = reallocarray(t->drivers, t->driver_count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	t->drivers = list;
	list[t->driver_count] = (struct ncg_hazard_driver){ .line = p->line, .asks = true,
							     .name = strdup(name) };
	p->driver = &list[t->driver_count];
	p->hazard = NULL;
	t->driver_count++;
	return p->driver->name ? 0 : -ENOMEM;
}

/* An entry says what, whom it concerns and where that is known from. */
static int end_entry(struct parse *p)
{
	const struct ncg_hazard *h = p->hazard;

	if (h && (h->hurts == NCG_VERDICT_NONE || !h->because || !h->instead || !h->source))
		return refuse(p, "hazard '%s' of line %u lacks unsafe, because, instead or source",
			      h->id, h->line);
	if (h && !h->soc_id && !h->has_midr && !h->pci_count && !h->device_count)
		return refuse(p, "hazard '%s' of line %u says of no part", h->id, h->line);
	if (h && h->revision_below && !h->soc_id)
		return refuse(p, "hazard '%s' of line %u has a revision and no soc-id", h->id,
			      h->line);
	if (p->driver && !p->driver->source)
		return refuse(p, "driver '%s' of line %u lacks its source", p->driver->name,
			      p->driver->line);
	return 0;
}

static int parse_line(struct parse *p, char *line)
{
	char *word = line + strspn(line, " \t"), *value;
	int r;

	if (!*word || *word == '#')
		return 0;
	for (char *c = word + strlen(word); c > word && strchr(" \t\r", c[-1]);)
		*--c = '\0';
	value = word + strcspn(word, " \t");
	if (!*value)
		return refuse(p, "'%s' has no value", word);
	*value++ = '\0';
	value += strspn(value, " \t");
	if (!strcmp(word, "hazard") || !strcmp(word, "driver")) {
		r = end_entry(p);
		if (r)
			return r;
		return *word == 'h' ? begin_hazard(p, value) : begin_driver(p, value);
	}
	if (p->hazard)
		return hazard_line(p, word, value);
	if (p->driver)
		return driver_line(p, word, value);
	return refuse(p, "'%s' stands before any hazard or driver", word);
}

/* What `unless` names must be there. */
static int check_names(struct parse *p)
{
	for (size_t i = 0; i < p->table->count; i++) {
		const struct ncg_hazard *h = &p->table->list[i];
		bool found = !h->unless;

		for (size_t k = 0; k < p->table->count && !found; k++)
			found = !strcmp(h->unless, p->table->list[k].id);
		p->line = h->line;
		if (!found)
			return refuse(p, "hazard '%s' names '%s', which there is not", h->id,
				      h->unless);
	}
	return 0;
}

/*
 * The table is UTF-8 text that can be seen, tabs and a CR before the newline besides: its
 * words go into records, tables and metrics, and none of it may vanish there.
 */
static int check_text(struct parse *p, const char *text, size_t size)
{
	for (const char *end = text + size; text < end;) {
		const char *newline = memchr(text, '\n', end - text);
		size_t length = newline ? newline - text : end - text, at = 0;

		p->line++;
		while ((at += ncg_text_first_hidden(text + at, length - at)) < length) {
			if (text[at] != '\t' && (text[at] != '\r' || at + 1 != length))
				return refuse_at(p, at + 1, "byte 0x%02x is not UTF-8 text that can "
							    "be seen", (unsigned char)text[at]);
			at++;
		}
		text += length + !!newline;
	}
	p->line = 0;
	return 0;
}

int ncg_hazards_parse(const char *name, const char *text, size_t size,
		      struct ncg_hazards **ret_hazards, char **ret_error)
{
	ncg_autohazards struct ncg_hazards *table = calloc(1, sizeof(*table));
	ncg_autofree char *copy = strndup(text, size);
	struct parse p = { .name = name, .table = table };
	char *rest = copy, *line;
	int r = table && copy ? 0 : -ENOMEM;

	*ret_error = NULL;
	if (!r)
		r = check_text(&p, text, size);
	while (!r && (line = strsep(&rest, "\n"))) {
		p.line++;
		r = parse_line(&p, line);
	}
	if (!r)
		r = end_entry(&p);
	if (!r)
		r = check_names(&p);
	if (r) {
		*ret_error = p.error;
		return r;
	}
	*ret_hazards = ncg_take_ptr(table);
	return 0;
}

int ncg_hazards_read(const char *path, struct ncg_hazards **ret_hazards, char **ret_error)
{
	ncg_autofree char *text = NULL;
	size_t size;
	int r;

	*ret_error = NULL;
	r = ncg_text_file_read(path, SIZE_MAX_BYTES, &text, &size);
	return r ? r : ncg_hazards_parse(path, text, size, ret_hazards, ret_error);
}

void ncg_hazards_free(struct ncg_hazards *hazards)
{
	if (!hazards)
		return;
	for (size_t i = 0; i < hazards->count; i++) {
		struct ncg_hazard *h = &hazards->list[i];

		free(h->id);
		free(h->because);
		free(h->instead);
		free(h->source);
		free(h->soc_id);
		free(h->unless);
	}
	for (size_t i = 0; i < hazards->driver_count; i++) {
		free(hazards->drivers[i].name);
		free(hazards->drivers[i].because);
		free(hazards->drivers[i].source);
	}
	free(hazards->list);
	free(hazards->drivers);
	free(hazards);
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

const struct ncg_hazard_driver *ncg_hazards_driver(const struct ncg_hazards *hazards,
						   const char *name)
{
	for (size_t i = 0; i < hazards->driver_count; i++)
		if (!strcmp(hazards->drivers[i].name, name))
			return &hazards->drivers[i];
	return NULL;
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
