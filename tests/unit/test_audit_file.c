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

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_no_time),
		test(test_after_a_wrong_clock),
		test(test_no_later_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
