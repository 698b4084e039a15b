// SPDX-License-Identifier: GPL-2.0-only
/* Names through libpci, from a pci.ids of the test's own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "policy_file.h"
#include "policy_names.h"
#include "tree.h"

static int set_up(void **state)
{
	(void)state;
	tree_make();
	tree_file("pci.ids", "fff1  First Corporation\n"
			     "\t0001  Card [One]\n"
			     "\t0002  Twin\n"
			     "\t0003  Twin\n"
			     "fff2  Second\n"
			     "\t0001  Card [One]\n"
			     "fff3  Second\n"
			     "ffff  Last \"quoted\"\n");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

static void test_look_up(void **state)
{
	static const struct {
		int vendor;
		const char *name;
		size_t count;
		__u16 first;
		const char *nearest;
	} cases[] = {
		{ -1, "First Corporation", 1, 0xfff1, NULL },
		{ -1, "Last \"quoted\"", 1, 0xffff, NULL },
		{ -1, "Second", 2, 0xfff2, NULL },
		{ 0xfff1, "Card [One]", 1, 1, NULL },
		{ 0xfff1, "Twin", 2, 2, NULL },
		{ 0xfff2, "Twin", 0, 0, NULL },
		/* names are as they are written; the nearest is offered */
		{ -1, "first corporation", 0, 0, "First Corporation" },
		{ -1, "First", 0, 0, "First Corporation" },
		{ -1, "Secnd", 0, 0, "Second" },
		{ 0xfff1, "card", 0, 0, "Card [One]" },
		{ -1, "", 0, 0, NULL },
		{ 0xfff3, "Card [One]", 0, 0, NULL },
	};
	struct ncg_policy_names *names;

	(void)state;
	assert_int_equal(ncg_policy_names_open(tree_path("pci.ids"), &names), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const __u16 vendor = cases[i].vendor;
		struct ncg_policy_ids ids;

		assert_int_equal(ncg_policy_names_ids(names, cases[i].vendor < 0 ? NULL : &vendor,
						      cases[i].name, &ids), 0);
		assert_int_equal(ids.count, cases[i].count);
		if (ids.count)
			assert_int_equal(ids.list[0], cases[i].first);
		assert_int_equal(!ids.nearest, !cases[i].nearest);
		if (ids.nearest)
			assert_string_equal(ids.nearest, cases[i].nearest);
		free(ids.nearest);
	}
	ncg_policy_names_free(names);
}

static void test_no_names(void **state)
{
	struct ncg_policy_names *names;
	struct ncg_policy_ids ids;

	(void)state;
	assert_int_equal(ncg_policy_names_open(tree_path("none"), &names), 0);
	assert_int_equal(ncg_policy_names_ids(names, NULL, "First Corporation", &ids), -ENOENT);
	ncg_policy_names_free(names);
	ncg_policy_names_free(NULL);
}

static void test_in_a_policy(void **state)
{
	const struct ncg_policy_file_options options = { .pci_ids = tree_path("pci.ids") };
	struct ncg_policy *policy;

	(void)state;
	tree_file("policy.conf", "allow \"First Corporation\":\"Card [One]\" bar=2\n"
				 "deny \"Last \"\"quoted\"\"\":*\n");
	assert_int_equal(ncg_policy_file_load_with(tree_path("policy.conf"), &options, &policy,
						   NULL), 0);
	assert_int_equal(policy->rule_count, 2);
	assert_int_equal(policy->rules[0].value.vendor, 0xfff1);
	assert_int_equal(policy->rules[0].value.device, 1);
	assert_int_equal(policy->rules[1].value.vendor, 0xffff);
	assert_int_equal(policy->rules[1].mask.device, 0);
	ncg_policy_free(policy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_look_up), TEST(test_no_names), TEST(test_in_a_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
