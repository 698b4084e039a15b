// SPDX-License-Identifier: GPL-2.0-only
#include "record_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "text.h"

/* Of a sentence, NUL included; only a record that somebody made up needs more. */
#define SENTENCE_LEN 4096

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

const char *ncg_record_string(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static long long number(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

const char *ncg_record_guest_name(const json_t *record)
{
	const json_t *guest = json_object_get(record, "guest");
	const char *name = ncg_record_string(guest, "name");

	return *name ? name : ncg_record_string(guest, "id");
}

/* "0000:00:05.0 BAR 2", or where in the host's memory it is. */
static void print_place(FILE *out, const json_t *record)
{
	const json_t *device = json_object_get(record, "device");

	if (device)
		fprintf(out, "%s BAR %lld", ncg_record_string(device, "slot"),
			number(device, "bar"));
	else
		fprintf(out, "memory at 0x%s", ncg_record_string(record, "phys"));
}

static void print_source(FILE *out, const json_t *record)
{
	const char *source = ncg_record_string(record, "source");

	if (*source)
		fprintf(out, ", told by the %s", source);
}

static void print_decision(FILE *out, const json_t *record)
{
	const json_t *rule = json_object_get(record, "rule");

	fprintf(out, "%s ", ncg_record_string(record, "verdict"));
	print_place(out, record);
	if (rule)
		fprintf(out, " by %s:%lld", ncg_record_string(rule, "file"), number(rule, "line"));
	else
		fprintf(out, " by %s", ncg_record_string(record, "reason"));
	fprintf(out, " (mode %s, grade %s)", ncg_record_string(record, "mode"),
		ncg_record_string(record, "grade"));
}

static void print_bar_mmap(FILE *out, const json_t *record)
{
	const json_t *folded = json_object_get(record, "folded");

	fputs("mmap of ", out);
	print_place(out, record);
	if (number(record, "result"))
		fprintf(out, " failed: %s", strerror(-number(record, "result")));
	else
		fprintf(out, ", Normal-NC %s",
			json_is_true(json_object_get(record, "granted")) ? "granted" : "withheld");
	if (folded)
		fprintf(out, ", %lld times", number(folded, "count"));
}

static void print_mapping(FILE *out, const json_t *record)
{
	fprintf(out, "%s mapping of ", ncg_record_string(record, "memory_type"));
	print_place(out, record);
	print_source(out, record);
}

static void print_change(FILE *out, const json_t *record)
{
	const json_t *folded = json_object_get(record, "folded");

	print_place(out, record);
	fprintf(out, " changed from %s to %s", ncg_record_string(record, "before"),
		ncg_record_string(record, "memory_type"));
	if (folded)
		fprintf(out, ", the last of %lld changes", number(folded, "count"));
}

static void print_vm(FILE *out, const json_t *record)
{
	const char *type = ncg_record_string(record, "type");
	const json_t *mapped = json_object_get(record, "mapped"), *entry;
	size_t i;

	fprintf(out, "VM %lld %s", number(record, "vm"),
		!strcmp(type, "vm_create") ? "began" :
		!strcmp(type, "vm_found") ? "was found" : "ended");
	print_source(out, record);
	json_array_foreach(mapped, i, entry) {
		fprintf(out, "%s %s ", i ? "," : "; it had", ncg_record_string(entry, "memory_type"));
		print_place(out, entry);
	}
}

static void print_policy_load(FILE *out, const json_t *record)
{
	fprintf(out, "policy %s in force: generation %lld, mode %s, default %s, %lld rules",
		ncg_record_string(record, "file"), number(record, "generation"),
		ncg_record_string(record, "mode"), ncg_record_string(record, "default"),
		number(record, "rules"));
}

static void print_policy_names(FILE *out, const json_t *record)
{
	const json_t *names = json_object_get(record, "names"), *name;
	size_t i;

	json_array_foreach(names, i, name) {
		const char *change = ncg_record_string(name, "change");
		const char *device = ncg_record_string(name, "device_id");

		fprintf(out, "%s%s %s %s:%s", i ? "; " : "", ncg_record_string(name, "name"),
			!strcmp(change, "gone") ? "is lost to pci.ids and goes on standing for" :
			!strcmp(change, "back") ? "is in pci.ids again and stands for" :
						  "now stands for",
			ncg_record_string(name, "vendor_id"), *device ? device : "*");
	}
}

static void print_policy_refused(FILE *out, const json_t *record)
{
	const char *message = ncg_record_string(record, "message");

	fprintf(out, "policy %s refused: ", ncg_record_string(record, "file"));
	/* Of several errors the first. */
	if (*message)
		fprintf(out, "%.*s", (int)strcspn(message, "\n"), message);
	else
		fputs(ncg_record_string(record, "error"), out);
}

static void print_daemon(FILE *out, const json_t *record)
{
	const char *type = ncg_record_string(record, "type");

	if (!strcmp(type, "daemon_start"))
		fprintf(out, "ncgated %s began, grade %s", ncg_record_string(record, "version"),
			ncg_record_string(record, "grade"));
	else
		fputs("ncgated ended", out);
}

static void print_gap(FILE *out, const json_t *record)
{
	const char *cause = ncg_record_string(record, "cause");

	fprintf(out, "%lld %s are missing, from %s to %s", number(record, "lost"),
		!strcmp(cause, "not_written") ? "records that could not be written" :
						"events that never came",
		ncg_record_string(record, "since"), ncg_record_string(record, "until"));
}

static void print_foreign(FILE *out, const json_t *record)
{
	const char *asked = ncg_record_string(record, "asked");

	fprintf(out, "program '%s' (id %lld, link %lld) of another ",
		ncg_record_string(record, "program"), number(record, "program_id"),
		number(record, "link_id"));
	if (!strcmp(ncg_record_string(record, "type"), "foreign_program_gone"))
		fputs("has left the hook", out);
	else if (!strcmp(asked, "alone"))
		fputs("is on the hook, and ncgate's own is not", out);
	else
		fprintf(out, "is on the hook and is asked %s ncgate's", asked);
}

static void print_rotation(FILE *out, const json_t *record)
{
	fprintf(out, "the audit log goes on here; before: %s",
		ncg_record_string(record, "previous"));
}

/* Each kind of what is counted, as its own record begins. */
static void print_repeats(FILE *out, const json_t *record)
{
	const json_t *entry;
	size_t i;

	fprintf(out, "%lld events without a record of their own:", number(record, "count"));
	json_array_foreach(json_object_get(record, "of"), i, entry) {
		const char *guest = ncg_record_guest_name(entry);
		const char *why = ncg_record_string(entry, "why");

		fprintf(out, "%s %lld %s", i ? "," : "", number(entry, "count"),
			ncg_record_string(entry, "type"));
		if (*guest) {
			char name[NCG_TEXT_NAME_LEN];

			ncg_text_name(guest, strlen(guest), name);
			fprintf(out, " of %s", name);
		}
		if (json_object_get(entry, "device")) {
			fputc(' ', out);
			print_place(out, entry);
		}
		fprintf(out, !strcmp(why, "repeat") ? " (repeats)" : " (beyond the allowance of a %s)",
			why);
	}
}

static void print_clock(FILE *out, const json_t *record)
{
	long long moved = number(record, "moved_by_ns");

	fprintf(out, "the host's clock was set %s by %.3f s; it showed %s just before",
		moved < 0 ? "back" : "forward", (moved < 0 ? -(double)moved : (double)moved) / 1e9,
		ncg_record_string(record, "before"));
}

static void print_any(FILE *out, const json_t *record)
{
	fputs(ncg_record_string(record, "type"), out);
	if (json_object_get(record, "device")) {
		fputc(' ', out);
		print_place(out, record);
	}
}

static const struct {
	const char *type;
	void (*print)(FILE *out, const json_t *record);
	int priority;
} types[] = {
	{ "decision", print_decision, LOG_INFO },
	{ "bar_mmap", print_bar_mmap, LOG_INFO },
	{ "stage2_first", print_mapping, LOG_INFO },
	{ "found_mapped", print_mapping, LOG_NOTICE },
	{ "type_change", print_change, LOG_NOTICE },
	{ "vm_create", print_vm, LOG_INFO },
	{ "vm_found", print_vm, LOG_NOTICE },
	{ "vm_destroy", print_vm, LOG_INFO },
	{ "policy_load", print_policy_load, LOG_NOTICE },
	{ "policy_names", print_policy_names, LOG_WARNING },
	{ "policy_refused", print_policy_refused, LOG_WARNING },
	{ "daemon_start", print_daemon, LOG_NOTICE },
	{ "daemon_stop", print_daemon, LOG_NOTICE },
	{ "repeats", print_repeats, LOG_INFO },
	{ "gap", print_gap, LOG_WARNING },
	{ "clock_changed", print_clock, LOG_NOTICE },
	{ "foreign_program", print_foreign, LOG_WARNING },
	{ "foreign_program_gone", print_foreign, LOG_NOTICE },
	{ "rotation", print_rotation, LOG_INFO },
	{ "hazard", print_any, LOG_NOTICE },
	{ "gate", print_any, LOG_NOTICE },
	{ "mismatch", print_any, LOG_NOTICE },
	{ "mismatch_over", print_any, LOG_NOTICE },
	{ "unreadable_event", print_any, LOG_NOTICE },
	{ "invalid", print_any, LOG_NOTICE },
};

bool ncg_record_is_type(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].type, type))
			return true;
	return false;
}

char *ncg_record_text(const json_t *record)
{
	const char *type = ncg_record_string(record, "type");
	const char *guest = ncg_record_guest_name(record);
	void (*print)(FILE *out, const json_t *record) = print_any;
	ncg_autofree char *text = NULL;
	char *sentence;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].type, type))
			print = types[i].print;
	if (*guest) {
		char name[NCG_TEXT_NAME_LEN];

		ncg_text_name(guest, strlen(guest), name);
		fprintf(out, "%s: ", name);
	}
	print(out, record);
	if (fclose(out))
		return NULL;
	sentence = malloc(SENTENCE_LEN);
	if (sentence)
		ncg_text_cut(text, size, SENTENCE_LEN, sentence);
	return sentence;
}

int ncg_record_priority(const json_t *record)
{
	const char *type = ncg_record_string(record, "type");

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].type, type))
			return types[i].priority;
	return LOG_NOTICE;
}
