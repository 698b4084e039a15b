// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may change a policy: real files, folders and links. Needs to be root, to give
 * files away; skipped otherwise, which is not passed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "policy_file.h"
#include "policy_trust.h"
#include "tree.h"

static int set_up(void **state)
{
	(void)state;
	tree_make();
	tree_file("etc/policy.conf", "include d\nallow 1:1\n");
	tree_file("etc/d/1.conf", "allow 1:2\n");
	tree_link("link", "etc/policy.conf");
	tree_link("folder", "etc");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

/* The problem with the file, "" for none; the caller frees it. */
static char *problem_of(const char *path)
{
	ncg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *problem;
	int r;

	assert_true(fd >= 0);
	r = ncg_policy_trust_check(fd, path, &problem);
	assert_int_equal(r, problem ? -EPERM : 0);
	return problem ? problem : strdup("");
}

static void expect(const char *name, const char *format, ...)
{
	ncg_autofree char *found = problem_of(tree_path(name)), *expected = NULL;
	va_list args;

	va_start(args, format);
	assert_true(vasprintf(&expected, format, args) >= 0);
	va_end(args);
	assert_string_equal(found, expected);
}

#define AS_ROOT()                           \
	do {                                \
		(void)state;                \
		if (geteuid())              \
			skip();             \
	} while (0)

static void test_trusted(void **state)
{
	AS_ROOT();
	/* /tmp itself is writable by all, and sticky. */
	expect("etc/policy.conf", "");
	expect("link", "");
	expect("folder/policy.conf", "");
	expect("etc/d", "");
	expect("etc/../etc/./policy.conf", "");
}

static void test_mode(void **state)
{
	AS_ROOT();
	assert_int_equal(chmod(tree_path("etc/policy.conf"), 0664), 0);
	expect("etc/policy.conf", "can be written by others than root (mode 0664)");
	assert_int_equal(chmod(tree_path("etc/policy.conf"), 0602), 0);
	expect("link", "can be written by others than root (mode 0602)");
	assert_int_equal(chmod(tree_path("etc/policy.conf"), 0444), 0);
	expect("etc/policy.conf", "");
}

static void test_owner(void **state)
{
	AS_ROOT();
	assert_int_equal(chown(tree_path("etc/policy.conf"), 7, 0), 0);
	expect("etc/policy.conf", "belongs to uid 7 and not to root");
	/* A group that may only read is none of our business. */
	assert_int_equal(chown(tree_path("etc/policy.conf"), 0, 7), 0);
	expect("etc/policy.conf", "");
}

static void test_way(void **state)
{
	AS_ROOT();
	assert_int_equal(chmod(tree_path("etc"), 0775), 0);
	expect("etc/policy.conf",
	       "is reached through %s/etc, which can be written by others than root (mode 0775)",
	       tree);
	expect("link",
	       "is reached through %s/etc, which can be written by others than root (mode 0775)",
	       tree);
	/* Sticky: nobody else can replace a file in it. */
	assert_int_equal(chmod(tree_path("etc"), 01777), 0);
	expect("etc/policy.conf", "");
	assert_int_equal(chmod(tree_path("etc"), 0755), 0);
	assert_int_equal(lchown(tree_path("folder"), 7, 7), 0);
	expect("folder/policy.conf", "is reached through %s/folder, which belongs to uid 7 and not "
				     "to root", tree);
}

/* The daemon refuses what a check of a draft only warns of. */
static void test_load(void **state)
{
	const struct ncg_policy_file_options trusted = { .trusted = true };
	struct ncg_policy_errors *errors;
	ncg_autofree char *text = NULL;
	struct ncg_policy *policy;

	AS_ROOT();
	assert_int_equal(ncg_policy_file_load_with(tree_path("etc/policy.conf"), &trusted, &policy,
						   &errors), 0);
	assert_int_equal(policy->rule_count, 2);
	assert_int_equal(policy->warning_count, 0);
	ncg_policy_free(policy);

	assert_int_equal(chmod(tree_path("etc/d"), 0777), 0);
	assert_int_equal(chown(tree_path("etc/policy.conf"), 7, 7), 0);
	assert_int_equal(ncg_policy_file_load_with(tree_path("etc/policy.conf"), &trusted, &policy,
						   &errors), -EINVAL);
	text = ncg_policy_errors_format(errors);
	assert_non_null(strstr(text, "etc/policy.conf: belongs to uid 7 and not to root; expected "
				     NCG_POLICY_TRUST_EXPECTED "\n"));
	ncg_policy_errors_free(errors);

	assert_int_equal(ncg_policy_file_load(tree_path("etc/policy.conf"), &policy, &errors), 0);
	assert_int_equal(policy->warning_count, 3);
	assert_non_null(strstr(policy->warnings[0], "belongs to uid 7"));
	assert_non_null(strstr(policy->warnings[1], "/etc/d: can be written by others"));
	assert_non_null(strstr(policy->warnings[2], "/etc/d/1.conf: is reached through"));
	ncg_policy_free(policy);
}

/* Opening it would wait for who writes. */
static void test_pipe(void **state)
{
	const struct ncg_policy_file_options trusted = { .trusted = true };
	struct ncg_policy_errors *errors;
	ncg_autofree char *text = NULL;
	struct ncg_policy *policy;

	AS_ROOT();
	assert_int_equal(mkfifo(tree_path("etc/d/2.conf"), 0600), 0);
	assert_int_equal(ncg_policy_file_load_with(tree_path("etc/policy.conf"), &trusted, &policy,
						   &errors), -EINVAL);
	text = ncg_policy_errors_format(errors);
	assert_non_null(strstr(text, "2.conf, which is no regular file; expected "));
	ncg_policy_errors_free(errors);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_trusted), TEST(test_mode), TEST(test_owner),
		TEST(test_way),	    TEST(test_load), TEST(test_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
