// SPDX-License-Identifier: GPL-2.0-only
/* What names stood for, in its file: written in one step, trusted as little as a policy. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "policy_file.h"
#include "policy_known.h"
#include "text_file.h"
#include "tree.h"

#define HEAD                                                                        \
	"# What the names in ncgate's policy stood for when it was put in force.\n" \
	"# ncgated writes this file and goes by it where pci.ids has lost a name.\n"

static int set_up(void **state)
{
	(void)state;
	tree_make();
	tree_file("pci.ids", "fff0  Example \"Systems\"\n\t0001  Card # A\n"
			     "fff1  caf\xe9\n\t0002  B\n");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

/* Trust asks for root's files: elsewhere there is nothing to be had. */
static void as_root(void)
{
	if (getuid())
		skip();
}

static struct ncg_policy *load(const char *text, const struct ncg_policy_known *known)
{
	ncg_autofree char *pci_ids = strdup(tree_path("pci.ids"));
	const struct ncg_policy_file_options options = { .pci_ids = pci_ids, .known = known };
	struct ncg_policy *policy;

	tree_file("policy.conf", text);
	assert_int_equal(ncg_policy_file_load_with(tree_path("policy.conf"), &options, &policy,
						   NULL), 0);
	return policy;
}

static struct ncg_policy_known *take(const char *text)
{
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = load(text, NULL);
	struct ncg_policy_known *known;

	assert_int_equal(ncg_policy_known_take(policy, &known), 0);
	return known;
}

static struct ncg_policy_known *read_good(const char *name)
{
	struct ncg_policy_known *known;
	char *problem;

	assert_int_equal(ncg_policy_known_read(tree_path(name), &known, &problem), 0);
	assert_null(problem);
	return known;
}

static void assert_text(const char *name, const char *expected)
{
	ncg_autofree char *text = NULL;
	size_t size;

	assert_int_equal(ncg_text_file_read(tree_path(name), 1 << 20, &text, &size), 0);
	assert_string_equal(text, expected);
}

static void test_round_trip(void **state)
{
	ncg_autoknown struct ncg_policy_known *known =
		take("allow \"caf\xe9\":*\ndeny \"Example \"\"Systems\"\"\":\"Card # A\"\n"
		     "allow fff1:\"B\"\nallow 1:2\nallow \"caf\xe9\":* bar=1\n");
	ncg_autoknown struct ncg_policy_known *again = NULL, *more = NULL;
	const struct ncg_policy_known_name *name;
	struct stat st;

	(void)state;
	as_root();
	assert_int_equal(known->count, 3);
	known->list[1].gone = true;
	/* The folder of the file is made; what an earlier write left half is no obstacle. */
	assert_int_equal(ncg_policy_known_write(tree_path("lib/names"), known), 0);
	assert_text("lib/names", HEAD "fff0:0001 \"Example \"\"Systems\"\"\":\"Card # A\"\n"
				      "fff1:* \"caf\xe9\":* gone\nfff1:0002 fff1:\"B\"\n");
	assert_int_equal(stat(tree_path("lib/names"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(stat(tree_path("lib"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	again = read_good("lib/names");
	assert_int_equal(again->count, 3);
	for (size_t i = 0; i < again->count; i++) {
		name = ncg_policy_known_find(again, known->list[i].name);
		assert_ptr_equal(name, &again->list[i]);
		assert_string_equal(name->name, known->list[i].name);
		assert_int_equal(name->vendor, known->list[i].vendor);
		assert_int_equal(name->device, known->list[i].device);
		assert_int_equal(name->gone, known->list[i].gone);
	}
	assert_null(ncg_policy_known_find(again, "\"caf\":*"));
	assert_null(ncg_policy_known_find(NULL, "\"caf\":*"));
	tree_file("lib/names.new", "half");
	known->list[1].gone = false;
	assert_int_equal(ncg_policy_known_write(tree_path("lib/names"), known), 0);
	assert_int_equal(access(tree_path("lib/names.new"), F_OK), -1);
	more = read_good("lib/names");
	assert_false(more->list[1].gone);
}

static void test_none(void **state)
{
	ncg_autoknown struct ncg_policy_known *none = take("allow 1:2\n"), *read = NULL;

	(void)state;
	as_root();
	assert_int_equal(none->count, 0);
	/* There is nothing to keep, and so no file and no folder for it. */
	assert_int_equal(ncg_policy_known_write(tree_path("lib/names"), none), 0);
	assert_int_equal(access(tree_path("lib"), F_OK), -1);
	read = read_good("lib/names");
	assert_int_equal(read->count, 0);
	tree_file("names", HEAD "fff0:* \"a\":*\n");
	assert_int_equal(ncg_policy_known_write(tree_path("names"), none), 0);
	assert_int_equal(access(tree_path("names"), F_OK), -1);
}

static void test_write_errors(void **state)
{
	ncg_autoknown struct ncg_policy_known *known = take("allow \"caf\xe9\":*\n");

	(void)state;
	as_root();
	/* Two folders are missing; a file stands in the way; a link leads elsewhere. */
	assert_int_equal(ncg_policy_known_write(tree_path("a/b/names"), known), -ENOENT);
	tree_file("file", "x");
	assert_int_equal(ncg_policy_known_write(tree_path("file/names"), known), -ENOTDIR);
	assert_int_equal(mkdir(tree_path("names"), 0700), 0);
	assert_int_equal(ncg_policy_known_write(tree_path("names"), known), -EISDIR);
	assert_int_equal(access(tree_path("names.new"), F_OK), -1);
	tree_link("other.new", tree_path("file"));
	assert_int_equal(ncg_policy_known_write(tree_path("other"), known), 0);
	assert_text("file", "x");
}

static void test_damaged(void **state)
{
	static const char *const texts[] = {
		"fff0:0001 \"a\":\"b\"",		       /* half: no end */
		"fff0:0001\n",				       /* no name */
		"\"a\":\"b\"\n",			       /* no ids */
		"fff0 \"a\":\"b\"\n",	  "fff0* \"a\":*\n",   "fff0: \"a\":*\n",
		"fff0:00011 \"a\":\"b\"\n", "fff0:** \"a\":*\n", ":0001 \"a\":\"b\"\n",
		"fff0:0001 \"a\":\"b\" lost\n", "fff0:0001 \"a\":\"b\" gone more\n",
		"fff0:0001 \"b\":\"b\"\nfff0:0001 \"a\":\"b\"\n", /* not in order */
		"fff0:0001 \"a\":\"b\"\nfff0:0001 \"a\":\"b\"\n", /* twice */
	};

	(void)state;
	as_root();
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct ncg_policy_known *known = (void *)1;
		ncg_autofree char *problem = NULL;

		tree_file("names", texts[i]);
		assert_int_equal(chmod(tree_path("names"), 0600), 0);
		if (ncg_policy_known_read(tree_path("names"), &known, &problem) != -EBADMSG)
			fail_msg("taken: %s", texts[i]);
		assert_string_equal(problem, "is damaged");
		assert_ptr_equal(known, (void *)1);
	}
	tree_bytes("names", "fff0:0001 \"a\0\":\"b\"\n", 20);
	{
		struct ncg_policy_known *known;
		ncg_autofree char *problem = NULL;

		assert_int_equal(ncg_policy_known_read(tree_path("names"), &known, &problem),
				 -EBADMSG);
	}
}

static void test_trust(void **state)
{
	struct ncg_policy_known *known = NULL;
	ncg_autofree char *problem = NULL, *folder = NULL, *directory = NULL;

	(void)state;
	as_root();
	tree_file("lib/names", HEAD "fff0:* \"a\":*\n");
	assert_int_equal(chmod(tree_path("lib/names"), 0620), 0);
	assert_int_equal(ncg_policy_known_read(tree_path("lib/names"), &known, &problem), -EPERM);
	assert_string_equal(problem, "can be written by others than root (mode 0620)");
	assert_int_equal(chmod(tree_path("lib/names"), 0600), 0);
	assert_int_equal(chmod(tree_path("lib"), 0777), 0);
	assert_int_equal(ncg_policy_known_read(tree_path("lib/names"), &known, &folder), -EPERM);
	assert_non_null(strstr(folder, "is reached through"));
	assert_int_equal(chmod(tree_path("lib"), 0700), 0);
	known = read_good("lib/names");
	assert_int_equal(known->count, 1);
	ncg_policy_known_free(known);
	assert_int_equal(ncg_policy_known_read(tree, &known, &directory), -EISDIR);
}

/* The gone are taken from what is known, in whichever policy. */
static void test_in_a_policy(void **state)
{
	static const char text[] = "allow \"caf\xe9\":\"B\"\nallow fff0:\"Card # A\"\n";
	ncg_autoknown struct ncg_policy_known *known = take(text);
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *before = load(text, NULL);
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *after = NULL;

	(void)state;
	tree_file("pci.ids", "fff1  cafe\n\t0002  B\n");
	after = load(text, known);
	assert_int_equal(after->rule_count, 2);
	for (size_t i = 0; i < after->rule_count; i++) {
		assert_true(after->rules[i].gone);
		assert_false(before->rules[i].gone);
		assert_memory_equal(&after->rules[i].value, &before->rules[i].value,
				    sizeof(after->rules[i].value));
		assert_memory_equal(&after->rules[i].mask, &before->rules[i].mask,
				    sizeof(after->rules[i].mask));
	}
	/* What is in force says the same, and so it has the same digest. */
	assert_memory_equal(after->sha256, before->sha256, sizeof(after->sha256));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip), TEST(test_none),	 TEST(test_write_errors),
		TEST(test_damaged),    TEST(test_trust), TEST(test_in_a_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
