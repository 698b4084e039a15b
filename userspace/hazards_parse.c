// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of hazards from text, see hazards.h: read line by line, a word, blanks, and
 * the rest of the line as its value; `hazard` and `driver` begin an entry. No I/O. Fails
 * whole: a table with one error is no table.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hazards.h"
#include "names.h"
#include "text.h"

/* Where a parse is; one of hazard and driver is the entry being filled. */
struct parse {
	const char *name;
	__u32 line;
	struct ncg_hazards *table;
	struct ncg_hazard *hazard;
	struct ncg_hazard_driver *driver;
	char *error;
};

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

const struct ncg_hazard_driver *ncg_hazards_driver(const struct ncg_hazards *hazards,
						   const char *name)
{
	for (size_t i = 0; i < hazards->driver_count; i++)
		if (!strcmp(hazards->drivers[i].name, name))
			return &hazards->drivers[i];
	return NULL;
}
