// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit trail's reader, on any bytes: lines, the files that were put aside, when the
 * clock was set, who had what, the filters and the sentences. Input: a guest, a device and
 * two times to ask for, then the files, the oldest first; a NUL byte after each, what is
 * left is the last file's. Finds crashes, lines that are counted twice or not at all, and
 * entries of a shape that history.h does not promise. Its folder is made once; no other
 * state is kept between inputs.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "history.h"
#include "record_text.h"
#include "trail.h"
#include "trail_clock.h"
#include "trail_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const files[] = {
	"log.20260101T000000.000000Z", "log.20260102T000000.000000Z", "log",
};

#define FILES (sizeof(files) / sizeof(*files))

/* What one reading knows. */
struct reading {
	const char *guest;
	const struct ncg_trail_device *device; /* NULL: any */
	const char *since;
	const char *until;
	struct ncg_trail_clock *clock;
	struct ncg_history *history;
	uint64_t records;
};

static char folder[64];

static void remove_folder(void)
{
	for (size_t i = 0; i < FILES; i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	rmdir(folder);
}

static void make_folder(void)
{
	if (*folder)
		return;
	strcpy(folder, "/tmp/fuzz-trail-XXXXXX");
	check(mkdtemp(folder));
	atexit(remove_folder);
}

/* Writes a file and returns how many of its lines are not empty. */
static uint64_t write_file(const char *name, const char *text, size_t size)
{
	uint64_t lines = 0;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	check(file);
	check(fwrite(text, 1, size, file) == size && !fclose(file));
	for (size_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t length = end ? (size_t)(end - text) - at : size - at;

		lines += length > 0;
		at += length + !!end;
	}
	return lines;
}

static const char *learn(void *arg, const json_t *record)
{
	struct reading *reading = arg;

	check(!ncg_trail_clock_learn(reading->clock, record));
	return NULL;
}

static const char *take(void *arg, const json_t *record)
{
	struct reading *reading = arg;
	struct ncg_trail_decision decision;
	char corrected[NCG_AUDIT_TIME_LEN];
	char *text = ncg_record_text(record);

	reading->records++;
	check(text);
	free(text);
	check(ncg_record_priority(record) >= 0);
	ncg_trail_clock_follow(reading->clock, record);
	ncg_trail_clock_correct(reading->clock, ncg_record_string(record, "time"), corrected);
	check(memchr(corrected, '\0', sizeof(corrected)));
	ncg_history_take(reading->history, record);
	check(ncg_trail_is_about(record, NULL, NULL));
	ncg_trail_is_about(record, reading->guest, reading->device);
	if (!ncg_trail_decision(record, &decision))
		check(decision.slot && decision.name && decision.guest &&
		      decision.decision.verdict < NCG_VERDICT_NR &&
		      decision.decision.grade < NCG_GRADE_NR);
	return NULL;
}

static void check_entries(const struct reading *reading)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(ncg_history_entries(reading->history), i, entry) {
		const json_t *until = json_object_get(entry, "until");

		check(*ncg_record_string(json_object_get(entry, "device"), "slot"));
		check(json_is_string(json_object_get(entry, "from")));
		check(json_is_null(until) || json_is_string(until));
		check(json_is_null(until) == json_is_null(json_object_get(entry, "ended")));
		/* whoever had it had it at some time */
		check(ncg_history_was(entry, "", ""));
		ncg_history_was(entry, reading->since, reading->until);
	}
}

/* The next text of an input, up to a NUL byte or its end. */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at;
	size_t length = strnlen(text, end - text);

	*at += length < (size_t)(end - text) ? length + 1 : length;
	return text;
}

static void check_trail(struct reading *reading, uint64_t lines)
{
	static const struct ncg_trail_wanted clocks[] = {
		{ "daemon_start", learn }, { "clock_changed", learn }, { NULL, NULL },
	};
	static const struct ncg_trail_wanted all[] = { { "*", take }, { NULL, NULL } };
	struct ncg_trail trail;
	char path[128];
	json_t *json;

	snprintf(path, sizeof(path), "%s/log", folder);
	check(!ncg_trail_read(path, clocks, reading, &trail));
	check(!ncg_trail_read(path, all, reading, &trail));
	check(trail.records == reading->records);
	check(trail.records + trail.damaged + trail.foreign == lines);
	check(trail.named <= NCG_TRAIL_NAMED && trail.named <= trail.damaged + trail.foreign);
	json = ncg_trail_json(&trail);
	check(json);
	json_decref(json);
	check_entries(reading);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	const char *at = text, *end = text + size;
	struct reading reading = {};
	struct ncg_trail_device device;
	uint64_t lines = 0;

	make_folder();
	memcpy(text, data, size);
	text[size] = '\0';
	reading.guest = next_text(&at, end);
	reading.device = ncg_trail_device_parse(next_text(&at, end), &device) ? &device : NULL;
	reading.since = next_text(&at, end);
	reading.until = next_text(&at, end);
	for (size_t i = 0; i + 1 < FILES; i++) {
		const char *file = next_text(&at, end);

		lines += write_file(files[i], file, strnlen(file, end - file));
	}
	lines += write_file(files[FILES - 1], at, end - at);
	reading.clock = ncg_trail_clock_new();
	reading.history = ncg_history_new("normal_nc", reading.clock);
	check(reading.clock && reading.history);
	check_trail(&reading, lines);
	ncg_history_free(reading.history);
	ncg_trail_clock_free(reading.clock);
	free(text);
	return 0;
}
