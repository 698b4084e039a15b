// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit trail on real files, in a folder of this run under $TMPDIR or /tmp
 * that the teardown removes: the shape of a record, appending, what becomes of writes
 * that fail whole or halfway, and rotation as the trail tells of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <regex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit.h"
#include "cleanup.h"

#define NS UINT64_C(1000000000)

#define _cleanup_audit_ __attribute__((cleanup(audit_closep)))

static char folder[256];

static void audit_closep(struct ncg_audit **audit)
{
	ncg_audit_close(*audit);
}

static const char *path_of(const char *name)
{
	static char paths[4][512];
	static unsigned int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* A whole file, cut into lines; a last line without a newline counts too. */
struct lines {
	size_t count;
	char *line[16];
	char text[8192];
};

static void lines_read(const char *path, struct lines *ret_lines)
{
	ncg_autofclose FILE *in = fopen(path, "r");
	size_t size;

	memset(ret_lines, 0, sizeof(*ret_lines));
	assert_non_null(in);
	size = fread(ret_lines->text, 1, sizeof(ret_lines->text) - 1, in);
	assert_true(size < sizeof(ret_lines->text) - 1);
	for (char *at = ret_lines->text; *at;) {
		char *end = strchr(at, '\n');

		assert_in_range(ret_lines->count, 0, 15);
		ret_lines->line[ret_lines->count++] = at;
		if (!end)
			break;
		*end = '\0';
		at = end + 1;
	}
}

/*
 * What a file has: records of type "n" by their member `n`, gaps by how many are
 * missing, others by their type: "1 2 gap:1 torn 5 ".
 */
static const char *numbers(const char *path)
{
	static char text[256];
	struct lines lines;
	size_t at = 0;

	lines_read(path, &lines);
	text[0] = '\0';
	for (size_t i = 0; i < lines.count; i++) {
		json_t *record = json_loads(lines.line[i], JSON_REJECT_DUPLICATES, NULL);
		const char *type = json_string_value(json_object_get(record, "type"));

		if (!record)
			at += snprintf(text + at, sizeof(text) - at, "torn ");
		else if (!strcmp(type, "n"))
			at += snprintf(text + at, sizeof(text) - at, "%d ",
				       (int)json_integer_value(json_object_get(record, "n")));
		else if (!strcmp(type, "gap"))
			at += snprintf(text + at, sizeof(text) - at, "gap:%d ",
				       (int)json_integer_value(json_object_get(record, "lost")));
		else
			at += snprintf(text + at, sizeof(text) - at, "%s ", type);
		json_decref(record);
	}
	return text;
}

static void put(struct ncg_audit *audit, int n)
{
	ncg_audit_write(audit, "n", 1, json_pack("{s:i}", "n", n));
}

static struct ncg_audit *open_at(const char *path)
{
	const struct ncg_audit_options options = { .path = path };
	struct ncg_audit *audit = NULL;

	assert_int_equal(ncg_audit_open(&options, &audit), 0);
	return audit;
}

static void expect_counts(const struct ncg_audit *audit, unsigned int records,
			  unsigned int errors)
{
	assert_int_equal(ncg_audit_records(audit), records);
	assert_int_equal(ncg_audit_errors(audit), errors);
}

static uint64_t wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (t.tv_sec * NS + t.tv_nsec) / 1000;
}

/* Microseconds since 1970 of "2026-01-31T23:59:59.000001Z", form checked. */
static uint64_t time_us(const char *text)
{
	struct tm tm = {};
	uint64_t us;
	regex_t form;

	assert_int_equal(regcomp(&form,
				 "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
				 "\\.[0-9]{6}Z$", REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&form, text, 0, NULL, 0))
		fail_msg("'%s' is not a time", text);
	regfree(&form);
	assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%S", &tm));
	us = strtoull(text + strlen("2026-01-31T23:59:59."), NULL, 10);
	return (uint64_t)timegm(&tm) * 1000000 + us;
}

/* Standard error into a file while a test runs. */
static int errors_to(const char *path)
{
	int saved = dup(STDERR_FILENO), fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	return saved;
}

static void errors_back(int saved)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static int setup(void **state)
{
	const char *base = getenv("TMPDIR");

	(void)state;
	/* A zone far from UTC, so that local time would show. */
	setenv("TZ", "XXX-9:30", 1);
	tzset();
	signal(SIGXFSZ, SIG_IGN);
	snprintf(folder, sizeof(folder), "%s/test_audit.XXXXXX", base ? base : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "log", "log.1", "stderr" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlink(path_of(names[i]));
	return rmdir(folder);
}

static int fresh(void **state)
{
	(void)state;
	unlink(path_of("log"));
	unlink(path_of("log.1"));
	return 0;
}

/* -------------------------------------------------------------------- shape */

static void test_record(void **state)
{
	_cleanup_audit_ struct ncg_audit *audit = open_at(path_of("log"));
	/* a moment before the test, off the microsecond */
	const uint64_t boot_ns = ncg_audit_boot_ns() - 5 * NS - 123456;
	uint64_t low, high, at;
	struct lines lines;
	char expected[512];
	char when[28] = "";

	(void)state;
	low = wall_us() - (ncg_audit_boot_ns() - boot_ns) / 1000 - 1;
	ncg_audit_write(audit, "gap", boot_ns,
			json_pack("{s:i, s:s, s:{s:b}}", "zebra", 1, "apple",
				  "line\none \"quoted\" \xc3\xa9", "nested", "yes", 1));
	high = wall_us() - (ncg_audit_boot_ns() - boot_ns) / 1000 + 1;
	expect_counts(audit, 1, 0);

	lines_read(path_of("log"), &lines);
	assert_int_equal(lines.count, 1);
	memcpy(when, lines.line[0] + strlen("{\"time\":\""), sizeof(when) - 1);
	snprintf(expected, sizeof(expected),
		 "{\"time\":\"%s\",\"boot_ns\":%" PRIu64 ",\"type\":\"gap\",\"zebra\":1,"
		 "\"apple\":\"line\\none \\\"quoted\\\" \xc3\xa9\",\"nested\":{\"yes\":true}}",
		 when, boot_ns);
	assert_string_equal(lines.line[0], expected);
	at = time_us(when);
	/* the clocks are read one after another: 50 ms cover a test that is held up */
	assert_in_range(at, low - 50000, high + 50000);
}

static void test_no_time_means_now(void **state)
{
	_cleanup_audit_ struct ncg_audit *audit = open_at(path_of("log"));
	const uint64_t before = ncg_audit_boot_ns(), low = wall_us();
	json_t *record, *boot;
	struct lines lines;

	(void)state;
	ncg_audit_write(audit, "start", 0, json_object());
	lines_read(path_of("log"), &lines);
	record = json_loads(lines.line[0], 0, NULL);
	assert_non_null(record);
	assert_int_equal(json_object_size(record), 3);
	boot = json_object_get(record, "boot_ns");
	assert_in_range(json_integer_value(boot), before, ncg_audit_boot_ns());
	assert_in_range(time_us(json_string_value(json_object_get(record, "time"))), low - 50000,
			wall_us() + 50000);
	json_decref(record);
}

static void test_new_file_is_private(void **state)
{
	_cleanup_audit_ struct ncg_audit *audit = NULL;
	mode_t mask = umask(0);
	struct stat st;

	(void)state;
	audit = open_at(path_of("log"));
	umask(mask);
	assert_int_equal(stat(path_of("log"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

/* ------------------------------------------------------------ append, rotate */

static void test_appends(void **state)
{
	(void)state;
	for (int i = 1; i <= 3; i++) {
		_cleanup_audit_ struct ncg_audit *audit = open_at(path_of("log"));

		put(audit, i);
		expect_counts(audit, 1, 0);
	}
	assert_string_equal(numbers(path_of("log")), "1 2 3 ");
}

static void test_rotation(void **state)
{
	_cleanup_audit_ struct ncg_audit *audit = open_at(path_of("log"));

	(void)state;
	put(audit, 1);
	assert_int_equal(rename(path_of("log"), path_of("log.1")), 0);
	/* not told yet: nothing is lost, it goes where the file went */
	put(audit, 2);
	assert_int_equal(ncg_audit_reopen(audit), 0);
	put(audit, 3);
	/* told without a rotation: it goes on in the same file */
	assert_int_equal(ncg_audit_reopen(audit), 0);
	put(audit, 4);
	assert_string_equal(numbers(path_of("log.1")), "1 2 ");
	assert_string_equal(numbers(path_of("log")), "3 4 ");
	expect_counts(audit, 4, 0);
}

/* A file that cannot be opened yet is tried with each record, and what is missing told. */
static void test_folder_missing(void **state)
{
	struct ncg_audit_options options = { .path = path_of("none/log") };
	_cleanup_audit_ struct ncg_audit *audit = NULL;
	int saved = errors_to("/dev/null");

	(void)state;
	assert_int_equal(ncg_audit_open(&options, &audit), 0);
	assert_false(ncg_audit_write(audit, "n", 0, json_pack("{s:i}", "n", 1)));
	ncg_audit_tick(audit);
	assert_true(ncg_audit_failing(audit));
	expect_counts(audit, 0, 1);
	assert_int_equal(mkdir(path_of("none"), 0700), 0);
	ncg_audit_tick(audit);
	errors_back(saved);
	assert_false(ncg_audit_failing(audit));
	assert_true(ncg_audit_write(audit, "n", 0, json_pack("{s:i}", "n", 2)));
	assert_string_equal(numbers(path_of("none/log")), "gap:1 2 ");
	assert_int_equal(unlink(path_of("none/log")), 0);
	assert_int_equal(rmdir(path_of("none")), 0);
}

/* A reopen that fails leaves the file that is open. */
static void test_reopen_fails(void **state)
{
	_cleanup_audit_ struct ncg_audit *audit = open_at(path_of("log"));
	int saved;

	(void)state;
	put(audit, 1);
	assert_int_equal(rename(path_of("log"), path_of("log.1")), 0);
	assert_int_equal(mkdir(path_of("log"), 0700), 0);
	saved = errors_to(path_of("stderr"));
	assert_int_equal(ncg_audit_reopen(audit), -EISDIR);
	errors_back(saved);
	assert_int_equal(rmdir(path_of("log")), 0);
	put(audit, 2);
	assert_string_equal(numbers(path_of("log.1")), "1 2 ");
	expect_counts(audit, 2, 0);
}

/* ------------------------------------------------------------------- failures */

static void test_no_fields(void **state)
{
	_cleanup_audit_ struct ncg_audit *audit = open_at(path_of("log"));
	int saved = errors_to(path_of("stderr"));

	(void)state;
	assert_false(ncg_audit_write(audit, "n", 1, NULL));
	errors_back(saved);
	expect_counts(audit, 0, 1);
	assert_true(ncg_audit_failing(audit));
	assert_string_equal(numbers(path_of("log")), "");
	put(audit, 1);
	assert_false(ncg_audit_failing(audit));
	expect_counts(audit, 2, 1);
	assert_string_equal(numbers(path_of("log")), "gap:1 1 ");
}

/* A full disk: each record is counted, the log is told once, and once again. */
static void test_disk_full(void **state)
{
	_cleanup_audit_ struct ncg_audit *audit = NULL;
	struct lines lines;
	int saved;

	(void)state;
	assert_int_equal(symlink("/dev/full", path_of("log")), 0);
	audit = open_at(path_of("log"));
	saved = errors_to(path_of("stderr"));
	for (int i = 1; i <= 3; i++)
		put(audit, i);
	errors_back(saved);
	expect_counts(audit, 0, 3);
	lines_read(path_of("stderr"), &lines);
	assert_int_equal(lines.count, 1);
	assert_non_null(strstr(lines.line[0], path_of("log")));
	assert_non_null(strstr(lines.line[0], "ENOSPC"));

	/* still full: tried again, and not told again */
	saved = errors_to(path_of("stderr"));
	ncg_audit_tick(audit);
	errors_back(saved);
	expect_counts(audit, 0, 3);
	lines_read(path_of("stderr"), &lines);
	assert_int_equal(lines.count, 0);

	assert_int_equal(unlink(path_of("log")), 0);
	assert_int_equal(ncg_audit_reopen(audit), 0);
	put(audit, 4);
	expect_counts(audit, 2, 3);
	assert_string_equal(numbers(path_of("log")), "gap:3 4 ");

	assert_int_equal(unlink(path_of("log")), 0);
	assert_int_equal(symlink("/dev/full", path_of("log")), 0);
	assert_int_equal(ncg_audit_reopen(audit), 0);
	saved = errors_to(path_of("stderr"));
	put(audit, 5);
	errors_back(saved);
	expect_counts(audit, 2, 4);
	lines_read(path_of("stderr"), &lines);
	assert_int_equal(lines.count, 1);
}

static json_int_t number_of(const json_t *record, const char *key)
{
	assert_true(json_is_integer(json_object_get(record, key)));
	return json_integer_value(json_object_get(record, key));
}

/*
 * What is missing is told by itself once writing works, also when nothing else is to
 * be told: how many, between which events, from when to when.
 */
static void test_gap_record(void **state)
{
	_cleanup_audit_ struct ncg_audit *audit = NULL;
	const uint64_t now = ncg_audit_boot_ns();
	struct lines lines;
	json_t *gap;
	int saved;

	(void)state;
	assert_int_equal(symlink("/dev/full", path_of("log")), 0);
	audit = open_at(path_of("log"));
	saved = errors_to("/dev/null");
	assert_false(ncg_audit_write(audit, "n", now - 2 * NS, json_pack("{s:i}", "seq", 8)));
	assert_false(ncg_audit_write(audit, "n", now - 3 * NS, json_pack("{s:i}", "seq", 9)));
	assert_false(ncg_audit_write(audit, "n", now - NS, json_pack("{s:i}", "seq", 7)));
	assert_false(ncg_audit_write(audit, "n", now, json_object()));
	assert_int_equal(unlink(path_of("log")), 0);
	assert_int_equal(ncg_audit_reopen(audit), 0);
	ncg_audit_tick(audit);
	ncg_audit_tick(audit);
	errors_back(saved);
	expect_counts(audit, 1, 4);

	lines_read(path_of("log"), &lines);
	assert_int_equal(lines.count, 1);
	gap = json_loads(lines.line[0], 0, NULL);
	assert_string_equal(json_string_value(json_object_get(gap, "cause")), "not_written");
	assert_int_equal(number_of(gap, "lost"), 4);
	assert_int_equal(number_of(gap, "first_seq"), 7);
	assert_int_equal(number_of(gap, "last_seq"), 9);
	assert_int_equal(number_of(gap, "since_boot_ns"), now - 3 * NS);
	assert_int_equal(number_of(gap, "until_boot_ns"), now);
	assert_in_range(time_us(json_string_value(json_object_get(gap, "until"))) -
				time_us(json_string_value(json_object_get(gap, "since"))),
			3000000 - 50000, 3000000 + 50000);
	json_decref(gap);
}

static void limit_size(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The one file that was put aside; "" when there is none. */
static const char *aside(void)
{
	static char name[512];
	ncg_autoclosedir DIR *dir = opendir(folder);
	struct dirent *entry;

	*name = '\0';
	while ((entry = readdir(dir)))
		if (ncg_audit_file_stamp(entry->d_name, "log")) {
			assert_string_equal(name, "");
			snprintf(name, sizeof(name), "%s", entry->d_name);
		}
	return name;
}

static json_int_t type_and_n(const char *line, char ret_type[16])
{
	json_t *record = json_loads(line, 0, NULL);
	json_int_t n = json_integer_value(json_object_get(record, "n"));

	snprintf(ret_type, 16, "%s", json_string_value(json_object_get(record, "type")));
	json_decref(record);
	return n;
}

/*
 * What is said once is kept while it cannot be written, and then written after the gap,
 * before anything new; it is not among what is missing. More than can be kept is.
 */
static void test_kept(void **state)
{
	_cleanup_audit_ struct ncg_audit *audit = NULL;
	const uint64_t before = ncg_audit_boot_ns();
	struct lines lines;
	uint64_t failed;
	char type[16];
	json_t *record;
	int saved;

	(void)state;
	assert_int_equal(symlink("/dev/full", path_of("log")), 0);
	audit = open_at(path_of("log"));
	saved = errors_to(path_of("stderr"));
	assert_false(ncg_audit_write_kept(audit, "kept", json_pack("{s:i}", "n", 1)));
	assert_true(ncg_audit_failing(audit));
	put(audit, 7);
	assert_false(ncg_audit_write_kept(audit, "kept", json_pack("{s:i}", "n", 2)));
	failed = ncg_audit_boot_ns();
	errors_back(saved);
	expect_counts(audit, 0, 3);
	lines_read(path_of("stderr"), &lines);
	assert_int_equal(lines.count, 1);
	assert_int_equal(unlink(path_of("log")), 0);
	assert_int_equal(ncg_audit_reopen(audit), 0);
	ncg_audit_write(audit, "n", 0, json_pack("{s:i}", "n", 3));
	assert_true(ncg_audit_write_kept(audit, "kept", json_pack("{s:i}", "n", 4)));
	assert_false(ncg_audit_failing(audit));
	assert_string_equal(numbers(path_of("log")), "gap:1 kept kept 3 kept ");
	expect_counts(audit, 5, 3);
	lines_read(path_of("log"), &lines);
	for (size_t i = 1; i <= 2; i++) {
		assert_int_equal(type_and_n(lines.line[i], type), i);
		record = json_loads(lines.line[i], 0, NULL);
		/* of the moment at which it was said */
		assert_in_range(number_of(record, "boot_ns"), before, failed);
		json_decref(record);
	}

	/* Kept alone is no loss; what is beyond the bound is. */
	for (int more = 0; more < 2; more++) {
		assert_int_equal(unlink(path_of("log")), 0);
		assert_int_equal(symlink("/dev/full", path_of("log")), 0);
		assert_int_equal(ncg_audit_reopen(audit), 0);
		saved = errors_to("/dev/null");
		for (int n = 0; n < (more ? NCG_AUDIT_KEPT_MAX + 3 : 2); n++)
			ncg_audit_write_kept(audit, "kept", json_pack("{s:i}", "n", n));
		errors_back(saved);
		assert_int_equal(unlink(path_of("log")), 0);
		assert_int_equal(ncg_audit_reopen(audit), 0);
		if (!more) {
			ncg_audit_tick(audit);
			assert_string_equal(numbers(path_of("log")), "kept kept ");
		}
	}
	ncg_audit_tick(audit);
	{
		ncg_autofclose FILE *in = fopen(path_of("log"), "r");
		char line[512];
		int kept = 0;

		assert_non_null(fgets(line, sizeof(line), in));
		assert_non_null(strstr(line, "\"lost\":3"));
		while (fgets(line, sizeof(line), in)) {
			assert_int_equal(type_and_n(line, type), kept++);
			assert_string_equal(type, "kept");
		}
		assert_int_equal(kept, NCG_AUDIT_KEPT_MAX);
	}
}

/*
 * The wall clock was set: said before anything has a time of the new one, also when
 * nothing else is to be said, once, and again when it could not be written.
 */
static void test_clock_was_set(void **state)
{
	_cleanup_audit_ struct ncg_audit *audit = open_at(path_of("log"));
	const __s64 two_hours = 7200 * (__s64)NS;
	struct lines lines;
	json_t *record;
	int saved;

	(void)state;
	saved = errors_to("/dev/null");
	put(audit, 1);
	/* as if it had been two hours ahead until now */
	ncg_audit_set_clock(audit, ncg_audit_clock_offset() + two_hours);
	put(audit, 2);
	put(audit, 3);
	/* less than the clocks can be told apart by is nothing */
	ncg_audit_set_clock(audit, ncg_audit_clock_offset() + (__s64)NS / 4);
	put(audit, 4);
	ncg_audit_set_clock(audit, ncg_audit_clock_offset() - two_hours);
	ncg_audit_tick(audit);
	ncg_audit_tick(audit);
	assert_false(ncg_audit_clock_was_set(ncg_audit_clock(audit), ncg_audit_clock_offset()));
	assert_string_equal(numbers(path_of("log")), "1 clock_changed 2 3 4 clock_changed ");
	lines_read(path_of("log"), &lines);
	for (int i = 0; i < 2; i++) {
		__s64 before, time, moved;

		record = json_loads(lines.line[i ? 5 : 1], 0, NULL);
		moved = number_of(record, "moved_by_ns");
		assert_true(ncg_audit_parse_wall(json_string_value(json_object_get(record, "before")),
						 &before));
		assert_true(ncg_audit_parse_wall(json_string_value(json_object_get(record, "time")),
						 &time));
		assert_false(ncg_audit_clock_was_set(moved, i ? two_hours : -two_hours));
		assert_false(ncg_audit_clock_was_set(time - before, moved));
		json_decref(record);
	}

	assert_int_equal(unlink(path_of("log")), 0);
	assert_int_equal(symlink("/dev/full", path_of("log")), 0);
	assert_int_equal(ncg_audit_reopen(audit), 0);
	ncg_audit_set_clock(audit, ncg_audit_clock_offset() + two_hours);
	put(audit, 5);
	assert_int_equal(unlink(path_of("log")), 0);
	assert_int_equal(ncg_audit_reopen(audit), 0);
	put(audit, 6);
	errors_back(saved);
	assert_string_equal(numbers(path_of("log")), "clock_changed gap:1 6 ");
}

/* A moment of the wall clock written and read back, before 1970 too; what is no such. */
static void test_wall_times(void **state)
{
	static const char *const wrong[] = {
		"", "2026-01-31", "2026-01-31T23:59:59Z", "2026-01-31T23:59:59.5Z",
		"2026-13-31T23:59:59.000000Z", "2026-02-30T23:59:59.000000Z",
		"2026-01-31T23:59:59.000000", "2026-01-31T23:59:59.000000Zz",
		"2026-01-31T23:59:59.-00001Z", "9999999-01-31T23:59:59.000000Z",
	};
	static const __s64 times[] = { 0, -1000, -(__s64)NS, 1767225600 * (__s64)NS + 999999000,
				       INT64_MAX / 1000 * 1000, -(__s64)NS * NS };
	char text[NCG_AUDIT_TIME_LEN];
	__s64 back;

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		ncg_audit_format_wall(times[i], text);
		assert_true(ncg_audit_parse_wall(text, &back));
		assert_int_equal(back, times[i]);
	}
	ncg_audit_format_wall(-1000, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(ncg_audit_parse_wall(wrong[i], &back));
}

/* The file that begins has no room for its first record: that is written later. */
static void test_rotation_on_a_full_disk(void **state)
{
	struct ncg_audit_options options = { .path = path_of("log"), .limits.max_size = 1000 };
	_cleanup_audit_ struct ncg_audit *audit = NULL;
	struct stat st = {};
	int saved, n = 0;

	(void)state;
	assert_int_equal(ncg_audit_open(&options, &audit), 0);
	for (off_t line = 0; st.st_size + line <= 1000; line = st.st_size / n) {
		put(audit, ++n);
		assert_int_equal(stat(path_of("log"), &st), 0);
	}
	assert_string_equal(aside(), "");
	saved = errors_to("/dev/null");
	limit_size(10);
	put(audit, 1);
	limit_size(RLIM_INFINITY);
	errors_back(saved);
	put(audit, 2);
	assert_string_equal(numbers(path_of("log")), "gap:1 rotation 2 ");
	expect_counts(audit, n + 3, 2);
	unlink(path_of(aside()));
}

/*
 * Lines that are cut off halfway: after one byte, in the middle, and before the newline;
 * the line after a cut may be cut too. The trail is then `want`, or `want_whole` where
 * only the newline was missing. Each time it is an empty file that `make` makes.
 */
static void cut_lines(void (*make)(void), const char *want, const char *want_whole)
{
	struct stat st;
	off_t length;

	{
		_cleanup_audit_ struct ncg_audit *audit = open_at(path_of("log"));

		put(audit, 0);
		assert_int_equal(stat(path_of("log"), &st), 0);
		length = st.st_size;
	}
	for (off_t cut = 1; cut < length; cut += cut == 1 || cut == length - 2 ? 1 : 7) {
		_cleanup_audit_ struct ncg_audit *audit = NULL;
		/* cut before the newline, it is a whole record that misses only its end */
		const bool whole = cut == length - 1;
		int saved;

		fresh(NULL);
		make();
		audit = open_at(path_of("log"));
		put(audit, 1);
		saved = errors_to("/dev/null");
		limit_size(length + cut);
		put(audit, 2);
		/* no room even for the newline */
		put(audit, 3);
		/* the newline and then no more than two bytes */
		limit_size(length + cut + 3);
		put(audit, 4);
		limit_size(RLIM_INFINITY);
		errors_back(saved);
		expect_counts(audit, 1, 3);
		put(audit, 5);
		put(audit, 6);
		expect_counts(audit, 4, 3);
		assert_string_equal(numbers(path_of("log")), whole ? want_whole : want);
	}
}

static void make_nothing(void)
{
}

/* What was written of a line is taken out again: none is torn. */
static void test_no_room_for_a_line(void **state)
{
	(void)state;
	cut_lines(make_nothing, "1 gap:3 5 6 ", "1 gap:3 5 6 ");
}

/* `log` is a file that can only grow. */
static void make_growing(void)
{
	static int fd = -1;
	char name[64];

	ncg_cleanup_close(&fd);
	fd = memfd_create("log", MFD_ALLOW_SEALING);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	assert_int_equal(symlink(name, path_of("log")), 0);
}

/* Where nothing can be taken out, a line that was cut spoils itself alone. */
static void test_torn_line(void **state)
{
	(void)state;
	/* what comes third is the gap that is tried before 3 */
	cut_lines(make_growing, "1 torn torn gap:3 5 6 ", "1 2 torn gap:3 5 6 ");
}

/* A cut line that another daemon left: the first record begins a line of its own. */
static void test_torn_before_open(void **state)
{
	FILE *file = fopen(path_of("log"), "w");
	_cleanup_audit_ struct ncg_audit *audit = NULL;

	(void)state;
	assert_non_null(file);
	assert_true(fputs("{\"type\":\"n\",\"n\":1}\n{\"type\":", file) >= 0);
	assert_int_equal(fclose(file), 0);
	audit = open_at(path_of("log"));
	put(audit, 2);
	assert_string_equal(numbers(path_of("log")), "1 torn 2 ");

	/* Rotated away meanwhile, the new file begins with a record. */
	assert_int_equal(rename(path_of("log"), path_of("log.1")), 0);
	assert_int_equal(ncg_audit_reopen(audit), 0);
	put(audit, 3);
	assert_string_equal(numbers(path_of("log")), "3 ");
}

/* ----------------------------------------------------------------- put aside */

/* The file that begins says which one ended; nothing of either is missing. */
static void test_put_aside(void **state)
{
	struct ncg_audit_options options = { .path = path_of("log"), .limits.max_size = 300 };
	_cleanup_audit_ struct ncg_audit *audit = NULL;
	struct lines lines;
	json_t *record;
	int n = 0;

	(void)state;
	assert_int_equal(ncg_audit_open(&options, &audit), 0);
	while (!*aside() && n < 20)
		put(audit, ++n);
	assert_int_equal(n, 5);
	assert_string_equal(numbers(path_of(aside())), "1 2 3 4 ");
	assert_string_equal(numbers(path_of("log")), "rotation 5 ");
	expect_counts(audit, 6, 0);
	lines_read(path_of("log"), &lines);
	record = json_loads(lines.line[0], 0, NULL);
	assert_string_equal(json_string_value(json_object_get(record, "previous")), aside());
	assert_int_equal(json_array_size(json_object_get(record, "removed")), 0);
	json_decref(record);
	unlink(path_of(aside()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_record, fresh),
		cmocka_unit_test_setup(test_no_time_means_now, fresh),
		cmocka_unit_test_setup(test_new_file_is_private, fresh),
		cmocka_unit_test_setup(test_appends, fresh),
		cmocka_unit_test_setup(test_rotation, fresh),
		cmocka_unit_test_setup(test_folder_missing, fresh),
		cmocka_unit_test_setup(test_reopen_fails, fresh),
		cmocka_unit_test_setup(test_no_fields, fresh),
		cmocka_unit_test_setup(test_disk_full, fresh),
		cmocka_unit_test_setup(test_gap_record, fresh),
		cmocka_unit_test_setup(test_kept, fresh),
		cmocka_unit_test_setup(test_clock_was_set, fresh),
		cmocka_unit_test(test_wall_times),
		cmocka_unit_test_setup(test_rotation_on_a_full_disk, fresh),
		cmocka_unit_test_setup(test_no_room_for_a_line, fresh),
		cmocka_unit_test_setup(test_torn_line, fresh),
		cmocka_unit_test_setup(test_torn_before_open, fresh),
		cmocka_unit_test_setup(test_put_aside, fresh),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
