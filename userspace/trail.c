// SPDX-License-Identifier: GPL-2.0-only
#include "trail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "device.h"
#include "names.h"

/* --------------------------------------------------------------------- members */

static const char *text(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

/* A hexadecimal member no larger than max. */
static bool hex(const json_t *json, const char *key, unsigned long max, unsigned long *ret_value)
{
	const char *value = text(json, key);
	char *end;

	if (!value || !*value)
		return false;
	errno = 0;
	*ret_value = strtoul(value, &end, 16);
	return !*end && !errno && *ret_value <= max;
}

/* The value whose name it is; false when it is nobody's. */
static bool named(const char *name, const char *(*name_of)(__u32), __u32 count, __u32 *ret_value)
{
	for (__u32 i = 0; name && i < count; i++)
		if (!strcmp(name, name_of(i))) {
			*ret_value = i;
			return true;
		}
	return false;
}

static bool slot_of(const char *slot, struct ncg_tuple *tuple)
{
	unsigned int domain, bus, device, function;
	char extra;

	if (!slot || sscanf(slot, "%8x:%2x:%2x.%1x%c", &domain, &bus, &device, &function,
			    &extra) != 4 || device > 0x1f || function > 7)
		return false;
	tuple->domain = domain;
	tuple->bus = bus;
	tuple->devfn = device << 3 | function;
	return true;
}

const char *ncg_trail_guest(const json_t *record)
{
	const json_t *guest = json_object_get(record, "guest");
	const char *name = text(guest, "name"), *id = text(guest, "id");

	if (name && *name)
		return name;
	return id ? id : "";
}

bool ncg_trail_place(const json_t *record, const char **ret_slot, unsigned int *ret_bar)
{
	const json_t *device = json_object_get(record, "device");
	const json_t *bar = json_object_get(device, "bar");
	struct ncg_tuple tuple;

	*ret_slot = text(device, "slot");
	if (!slot_of(*ret_slot, &tuple) || !json_is_integer(bar) || json_integer_value(bar) < 0 ||
	    json_integer_value(bar) >= NCG_DEVICE_BARS)
		return false;
	*ret_bar = json_integer_value(bar);
	return true;
}

const char *ncg_trail_tuple(const json_t *record, struct ncg_tuple *tuple)
{
	const json_t *device = json_object_get(record, "device");
	const json_t *uid = json_object_get(json_object_get(record, "guest"), "uid");
	unsigned long vendor, id, subvendor, subdevice, class_code;
	const char *slot;

	*tuple = (struct ncg_tuple){};
	if (!ncg_trail_place(record, &slot, &tuple->bar) || !slot_of(slot, tuple))
		return "no slot and BAR of its device";
	if (!hex(device, "vendor_id", 0xffff, &vendor) ||
	    !hex(device, "device_id", 0xffff, &id) ||
	    !hex(device, "subsystem_vendor_id", 0xffff, &subvendor) ||
	    !hex(device, "subsystem_device_id", 0xffff, &subdevice) ||
	    !hex(device, "class", 0xffffff, &class_code))
		return "no ids of its device";
	if (!json_is_integer(uid) || json_integer_value(uid) < 0)
		return "no user who maps";
	tuple->vendor = vendor;
	tuple->device = id;
	tuple->subvendor = subvendor;
	tuple->subdevice = subdevice;
	tuple->class_code = class_code;
	tuple->uid = json_integer_value(uid);
	return NULL;
}

const char *ncg_trail_decision(const json_t *record, struct ncg_trail_decision *ret)
{
	const json_t *rule = json_object_get(record, "rule");
	const char *wrong, *file;

	*ret = (struct ncg_trail_decision){ .time = text(record, "time") };
	wrong = ncg_trail_tuple(record, &ret->tuple);
	if (wrong)
		return wrong;
	if (!named(text(record, "verdict"), ncg_names_verdict, NCG_VERDICT_NR,
		   &ret->decision.verdict) ||
	    !named(text(record, "reason"), ncg_names_reason, NCG_REASON_NR,
		   &ret->decision.reason) ||
	    !named(text(record, "mode"), ncg_names_mode, NCG_MODE_NR, &ret->decision.mode) ||
	    !named(text(record, "grade"), ncg_names_grade, NCG_GRADE_NR, &ret->decision.grade))
		return "a decision without verdict, reason, mode or grade";
	if (ret->decision.reason == NCG_REASON_RULE) {
		file = text(rule, "file");
		if (!file)
			return "a decision by a rule that is not named";
		ret->decision.line = json_integer_value(json_object_get(rule, "line"));
		snprintf(ret->decision.file, sizeof(ret->decision.file), "%s", file);
	}
	ret->decision.audit = json_is_true(json_object_get(record, "audit")) ||
			      json_is_true(json_object_get(rule, "audit"));
	ret->slot = text(json_object_get(record, "device"), "slot");
	ret->name = text(json_object_get(record, "device"), "name");
	if (!ret->name)
		ret->name = "";
	ret->guest = ncg_trail_guest(record);
	ret->cgroup = text(json_object_get(record, "guest"), "cgroup");
	return NULL;
}

/* --------------------------------------------------------------------- reading */

/* One line of one file of the trail. */
struct position {
	const char *stamp;
	const char *previous; /* stamp of the file that was read before; "": none was */
	uint64_t line;
};

static void bad(struct ncg_trail *trail, const struct position *at, bool foreign, const char *why)
{
	struct ncg_trail_bad *bad;

	if (foreign)
		trail->foreign++;
	else
		trail->damaged++;
	if (trail->named == NCG_TRAIL_NAMED)
		return;
	bad = &trail->bad[trail->named++];
	*bad = (struct ncg_trail_bad){ .line = at->line, .foreign = foreign, .why = why };
	snprintf(bad->stamp, sizeof(bad->stamp), "%s", at->stamp);
}

/*
 * A file that another follows and that is not there: removed, or taken away. By the stamp
 * alone, for a trail may be looked at under another name.
 */
static void look_for_previous(struct ncg_trail *trail, const struct position *at,
			      const json_t *record)
{
	const char *previous = text(record, "previous");
	size_t length = previous ? strlen(previous) : 0, stamp = NCG_AUDIT_FILE_STAMP_LEN - 1;

	if (!length || (length >= stamp && !strcmp(previous + length - stamp, at->previous)))
		return;
	trail->missing++;
	snprintf(trail->whole_since, sizeof(trail->whole_since), "%s", text(record, "time"));
}

static void take(struct ncg_trail *trail, const struct position *at, const json_t *record,
		 const struct ncg_trail_wanted *wanted, void *arg)
{
	const char *type = text(record, "type"), *wrong = NULL;

	if (!json_is_object(record)) {
		bad(trail, at, true, "JSON, but no object");
		return;
	}
	if (!type || !text(record, "time")) {
		bad(trail, at, true, "no time and type of a record");
		return;
	}
	if (!strcmp(type, "gap"))
		trail->lost += json_integer_value(json_object_get(record, "lost"));
	if (!strcmp(type, "rotation"))
		look_for_previous(trail, at, record);
	for (; wanted->type && !wrong; wanted++)
		if (!strcmp(wanted->type, "*") || !strcmp(type, wanted->type))
			wrong = wanted->record(arg, record);
	if (wrong)
		bad(trail, at, false, wrong);
	else
		trail->records++;
}

static int read_file(FILE *file, const char *stamp, const char *previous,
		     const struct ncg_trail_wanted *wanted, void *arg, struct ncg_trail *trail)
{
	struct position at = { .stamp = stamp, .previous = previous };
	ncg_autofree char *line = NULL;
	size_t room = 0;
	ssize_t length;

	for (;;) {
		json_t *record;

		errno = 0;
		length = getline(&line, &room, file);
		if (length < 0)
			break;
		at.line++;
		/* What a torn line is made good with. */
		if (length == 1 && *line == '\n')
			continue;
		record = json_loadb(line, length, JSON_DECODE_ANY, NULL);
		if (record)
			take(trail, &at, record, wanted, arg);
		else
			bad(trail, &at, false, "not JSON, cut or overwritten");
		json_decref(record);
	}
	if (!feof(file))
		return errno ? -errno : -EIO;
	return 0;
}

/*
 * One that was put aside. Returns 0, or 1 when it is `last`, which was so just now.
 * *previous becomes its stamp when it was read.
 */
static int read_aside(const char *folder, const char *name, const char *stamp, FILE *last,
		      const char **previous, const struct ncg_trail_wanted *wanted, void *arg,
		      struct ncg_trail *trail)
{
	int r;

	ncg_autofclose FILE *file = NULL;
	ncg_autofree char *path = NULL;
	struct stat st, st_last;

	if (asprintf(&path, "%s/%s", folder, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	file = fopen(path, "re");
	if (!file)
		/* ncgated removes old ones. */
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fileno(file), &st) || fstat(fileno(last), &st_last))
		return -errno;
	if (st.st_dev == st_last.st_dev && st.st_ino == st_last.st_ino)
		return 1;
	r = read_file(file, stamp, *previous, wanted, arg, trail);
	*previous = stamp;
	return r;
}

int ncg_trail_read(const char *path, const struct ncg_trail_wanted *wanted, void *arg,
		   struct ncg_trail *ret_trail)
{
	return ncg_trail_read_to(path, wanted, arg, ret_trail, NULL);
}

int ncg_trail_read_to(const char *path, const struct ncg_trail_wanted *wanted, void *arg,
		      struct ncg_trail *ret_trail, FILE **ret_last)
{
	/* First: what is put aside from now on is still read. */
	ncg_autofclose FILE *last = fopen(path, "re");
	ncg_autofree char *folder = NULL, *base = NULL;
	const char *previous = "";
	char **names;
	size_t count;
	int r;

	if (!last)
		return -errno;
	*ret_trail = (struct ncg_trail){};
	r = ncg_audit_file_split(path, &folder, &base);
	if (!r)
		r = ncg_audit_file_list(folder, base, &names, &count);
	if (r)
		return r;
	for (size_t i = 0; i < count && !r; i++)
		r = read_aside(folder, names[i], ncg_audit_file_stamp(names[i], base), last,
			       &previous, wanted, arg, ret_trail);
	/* What was put aside after it came after it. */
	if (r >= 0)
		r = read_file(last, "", previous, wanted, arg, ret_trail);
	ncg_audit_file_free_names(names, count);
	if (!r && ret_last)
		*ret_last = ncg_take_ptr(last);
	return r;
}

json_t *ncg_trail_json(const struct ncg_trail *trail)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < trail->named; i++)
		json_array_append_new(lines, json_pack("{s:s, s:I, s:b, s:s}", "stamp",
						       trail->bad[i].stamp, "line",
						       (json_int_t)trail->bad[i].line, "foreign",
						       (int)trail->bad[i].foreign, "why",
						       trail->bad[i].why));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:s?, s:o}", "records",
			 (json_int_t)trail->records, "damaged", (json_int_t)trail->damaged,
			 "foreign", (json_int_t)trail->foreign, "lost", (json_int_t)trail->lost,
			 "missing", (json_int_t)trail->missing, "whole_since",
			 *trail->whole_since ? trail->whole_since : NULL, "lines", lines);
}
