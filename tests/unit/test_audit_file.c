// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of the audit trail and those that were put aside, in a folder of this run:
 * that no file is ever lost to another's name, which names are rotated files, and which
 * of them are removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit_file.h"
#include "cleanup.h"

#include "tree.h"

static int set_up(void **state)
{
	(void)state;
	tree_make();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

static struct ncg_audit_file *open_log(const struct ncg_audit_file_limits *limits)
{
	struct ncg_audit_file *file;

	assert_int_equal(ncg_audit_file_open(tree_path("log"), limits, &file), 0);
	return file;
}

static void append_number(struct ncg_audit_file *file, int n)
{
	char line[64];

	snprintf(line, sizeof(line), "{\"n\":%d}\n", n);
	assert_int_equal(ncg_audit_file_append(file, line, strlen(line)), 0);
}

/* The numbers of all files, the oldest first: "1 2 3 ". */
static const char *all_numbers(void)
{
	static char text[512];
	char **names;
	size_t count, used = 0;

	*text = '\0';
	assert_int_equal(ncg_audit_file_list(tree_path("."), "log", &names, &count), 0);
	for (size_t i = 0; i <= count; i++) {
		ncg_autofclose FILE *in = fopen(tree_path(i < count ? names[i] : "log"), "r");
		int n;

		assert_non_null(in);
		while (fscanf(in, " {\"n\":%d}", &n) == 1)
			used += snprintf(text + used, sizeof(text) - used, "%d ", n);
	}
	ncg_audit_file_free_names(names, count);
	return text;
}

static void rotate(struct ncg_audit_file *file)
{
	ncg_autofree char *previous = NULL;

	assert_int_equal(ncg_audit_file_rotate(file, &previous), 0);
	assert_non_null(previous);
}

static const char *content(const char *name)
{
	static char text[256];
	ncg_autofclose FILE *in = fopen(tree_path(name), "r");
	size_t size;

	assert_non_null(in);
	size = fread(text, 1, sizeof(text) - 1, in);
	text[size] = '\0';
	return text;
}

/*
 * Names with the look of a stamp, of times that there are not: no rotated file's, and
 * none is put in their place. What comes after them in order is still told apart.
 */
static void test_no_time(void **state)
{
	static const char *const names[] = {
		"log.99999999T999999.999999Z", "log.20261301T000000.000000Z",
		"log.20260230T000000.000000Z", "log.20260101T240000.000000Z",
		"log.00000000T000000.000000Z",
	};
	struct ncg_audit_file *file = open_log(&(struct ncg_audit_file_limits){});

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		tree_file(names[i], "another's\n");
		assert_null(ncg_audit_file_stamp(names[i], "log"));
	}
	assert_non_null(ncg_audit_file_stamp("log.20260228T235959.999999Z", "log"));
	assert_null(ncg_audit_file_stamp("log.20260228T235959.999999Zx", "log"));
	assert_null(ncg_audit_file_stamp("logs20260228T235959.999999Z", "log"));
	for (int n = 1; n <= 11; n++) {
		append_number(file, n);
		rotate(file);
	}
	assert_string_equal(all_numbers(), "1 2 3 4 5 6 7 8 9 10 11 ");
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(content(names[i]), "another's\n");
	ncg_audit_file_close(file);
}

/* A clock that was wrong once: what comes later has a later name all the same. */
static void test_after_a_wrong_clock(void **state)
{
	struct ncg_audit_file *file = open_log(&(struct ncg_audit_file_limits){});

	(void)state;
	tree_file("log.20991231T235959.999999Z", "{\"n\":0}\n");
	for (int n = 1; n <= 3; n++) {
		append_number(file, n);
		rotate(file);
	}
	assert_string_equal(all_numbers(), "0 1 2 3 ");
	assert_string_equal(content("log.21000101T000000.000001Z"), "{\"n\":2}\n");
	ncg_audit_file_close(file);
}

/* After the last stamp of all there is none: the file grows on, and nothing is lost. */
static void test_no_later_name(void **state)
{
	struct ncg_audit_file *file = open_log(&(struct ncg_audit_file_limits){});
	ncg_autofree char *previous = NULL;

	(void)state;
	tree_file("log.99991231T235959.999999Z", "{\"n\":0}\n");
	append_number(file, 1);
	assert_int_equal(ncg_audit_file_rotate(file, &previous), -EOVERFLOW);
	assert_null(previous);
	append_number(file, 2);
	assert_string_equal(all_numbers(), "0 1 2 ");
	ncg_audit_file_close(file);
}

/* ------------------------------------------------------------------- retention */

static void count_gone(void *arg, const char *name)
{
	assert_non_null(ncg_audit_file_stamp(name, "log"));
	++*(int *)arg;
}

/*
 * Six files of 100 bytes that are 60, 50, … 10 days old: what the limits leave of them.
 * One is removed only after all that are older.
 */
static void test_which_are_kept(void **state)
{
	enum { DAY = 86400 };
	static const struct {
		struct ncg_audit_file_limits limits;
		int left;
	} cases[] = {
		{ {}, 6 },
		{ { .keep = 4 }, 4 },
		{ { .keep = 9 }, 6 },
		/* more than four, while they are younger than that */
		{ { .keep = 4, .keep_age = 45 * DAY }, 4 },
		{ { .keep = 2, .keep_age = 45 * DAY }, 4 },
		{ { .keep = 2, .keep_age = 50 * DAY }, 4 },
		{ { .keep = 2, .keep_age = 50 * DAY + 1 }, 5 },
		{ { .keep = 2, .keep_age = 100 * DAY }, 6 },
		/* but not more than so much */
		{ { .keep = 2, .keep_age = 100 * DAY, .keep_size = 399 }, 3 },
		{ { .keep = 2, .keep_age = 100 * DAY, .keep_size = 400 }, 4 },
		{ { .keep_size = 250 }, 2 },
		{ { .keep_size = 50 }, 0 },
		/* and never for longer */
		{ { .remove_age = 30 * DAY }, 2 },
		{ { .keep = 5, .remove_age = 30 * DAY }, 2 },
		{ { .keep = 1, .remove_age = 30 * DAY }, 1 },
		{ { .keep = 2, .keep_age = 100 * DAY, .remove_age = 30 * DAY }, 2 },
	};

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct ncg_audit_file *file;
		int gone = 0;
		size_t count;
		char **names;

		tree_remove();
		tree_make();
		for (int i = 1; i <= 6; i++) {
			const struct timespec written = { .tv_sec = 100 * DAY - (7 - i) * 10 * DAY };
			char name[64], text[101] = "";

			snprintf(name, sizeof(name), "log.2026010%dT000000.000000Z", i);
			memset(text, '-', 100);
			tree_file(name, text);
			assert_int_equal(utimensat(AT_FDCWD, tree_path(name),
						   (struct timespec[]){ written, written }, 0), 0);
		}
		file = open_log(&cases[c].limits);
		assert_int_equal(ncg_audit_file_prune(file, 100 * DAY, count_gone, &gone), 0);
		assert_int_equal(ncg_audit_file_list(tree_path("."), "log", &names, &count), 0);
		if ((int)count != cases[c].left || gone != 6 - cases[c].left)
			fail_msg("case %zu: %zu are left, %d gone", c, count, gone);
		/* the youngest */
		if (count)
			assert_string_equal(names[count - 1], "log.20260106T000000.000000Z");
		ncg_audit_file_free_names(names, count);
		ncg_audit_file_close(file);
	}
}

/* The clock was set back: files of a time to come are young, and none is removed for it. */
static void test_files_of_a_time_to_come(void **state)
{
	struct ncg_audit_file *file = open_log(&(struct ncg_audit_file_limits){ .remove_age = 1 });
	int gone = 0;

	(void)state;
	tree_file("log.20260101T000000.000000Z", "");
	assert_int_equal(ncg_audit_file_prune(file, 1000, count_gone, &gone), 0);
	assert_int_equal(gone, 0);
	ncg_audit_file_close(file);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_no_time),
		test(test_after_a_wrong_clock),
		test(test_no_later_name),
		test(test_which_are_kept),
		test(test_files_of_a_time_to_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
