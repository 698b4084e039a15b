// SPDX-License-Identifier: GPL-2.0-only
/* Names from a pci.ids of the test's own: look-ups, hints, and in a policy's files. */
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

#define PCI_IDS                   \
	"fff1  First Corporation\n" \
	"\t0001  Card [One]\n"      \
	"\t0002  Twin\n"            \
	"\t0003  Twin\n"            \
	"fff2  Second\n"            \
	"\t0001  Card [One]\n"      \
	"\t0002  Many\n"            \
	"\t0003  Many\n"            \
	"\t0004  Many\n"            \
	"\t0005  Many\n"            \
	"\t0006  Many\n"            \
	"\t0007  Many\n"            \
	"\t0009  Again\n"           \
	"\t0009  Again\n"           \
	"fff3  Second\n"            \
	"ffff  Last \"quoted\"\n"

static int set_up(void **state)
{
	(void)state;
	tree_make();
	tree_file("pci.ids", PCI_IDS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

static struct ncg_pci_ids *parse(const char *text)
{
	struct ncg_pci_ids *ids;

	assert_int_equal(ncg_pci_ids_parse(text, strlen(text), &ids), 0);
	return ids;
}

static void test_look_up(void **state)
{
	static const struct {
		int vendor;
		const char *name;
		size_t count;
		__u16 list[NCG_POLICY_IDS_MAX];
	} cases[] = {
		{ -1, "First Corporation", 1, { 0xfff1 } },
		{ -1, "Last \"quoted\"", 1, { 0xffff } },
		{ -1, "Second", 2, { 0xfff2, 0xfff3 } },
		{ 0xfff1, "Card [One]", 1, { 1 } },
		{ 0xfff1, "Twin", 2, { 2, 3 } },
		{ 0xfff2, "Twin", 0, { 0 } },
		{ 0xfff2, "Many", 6, { 2, 3, 4, 5 } },
		/* said twice, and still one id */
		{ 0xfff2, "Again", 1, { 9 } },
		{ -1, "first corporation", 0, { 0 } },
		{ 0xfff3, "Card [One]", 0, { 0 } },
	};
	ncg_autopciids struct ncg_pci_ids *all = parse(PCI_IDS);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const __u16 vendor = cases[i].vendor;
		struct ncg_policy_ids ids;

		ncg_policy_names_ids(all, cases[i].vendor < 0 ? NULL : &vendor, cases[i].name, &ids);
		assert_int_equal(ids.count, cases[i].count);
		assert_memory_equal(ids.list, cases[i].list, sizeof(ids.list));
	}
}

/* What is offered for a name that is not there. */
static void test_nearest(void **state)
{
	static const struct {
		const char *names; /* of vendors, a line each */
		const char *written;
		const char *nearest;
	} cases[] = {
		{ "First Corporation\nSecond\n", "first corporation", "First Corporation" },
		{ "First Corporation\nSecond\n", "First", "First Corporation" },
		{ "First Corporation\nSecond\n", "Secnd", "Second" },
		{ "First Corporation\nSecond\n", "corp", "First Corporation" },
		{ "First Corporation\nSecond\n", "", NULL },
		{ "First Corporation\nSecond\n", "Third", NULL },
		{ "First Corporation\nSecond\n", "F", NULL },
		/* the longest common beginning, and not the fewest other letters */
		{ "Card A rev 1\nCard B\n", "Card A", "Card A rev 1" },
		{ "Example Sistems\nExample Systems Group\n", "Example Systems",
		  "Example Systems Group" },
		{ "NVIDIA Corporation\nNVDIA Corp.\n", "NVIDIA Corp.", "NVIDIA Corporation" },
		{ "GH100 [H800]\nGH100 [H100 SXM5 80GB]\nGH10\n", "GH100 [H100 80GB]",
		  "GH100 [H100 SXM5 80GB]" },
		/* of equally long ones, the fewest other letters, then the first by name */
		{ "Card A rev 1.2\nCard A rev 2\nCard A rev 1\n", "Card A", "Card A rev 1" },
		/* not half of it, and not a slip */
		{ "Cards\n", "Card with a very long name", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ncg_autopciids struct ncg_pci_ids *ids = NULL;
		ncg_autofree char *nearest = NULL, *text = NULL;
		const char *at = cases[i].names;
		unsigned int id = 0;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		for (size_t length; *at; at += length + 1) {
			length = strcspn(at, "\n");
			fprintf(out, "%04x  %.*s\n", id++, (int)length, at);
		}
		fclose(out);
		ids = parse(text);
		assert_int_equal(ncg_policy_names_nearest(ids, NULL, cases[i].written, &nearest), 0);
		if (!nearest != !cases[i].nearest ||
		    (nearest && strcmp(nearest, cases[i].nearest)))
			fail_msg("'%s': %s", cases[i].written, nearest ? nearest : "nothing");
	}
}

/* A device's name is offered from its own vendor. */
static void test_nearest_device(void **state)
{
	ncg_autopciids struct ncg_pci_ids *ids = parse(PCI_IDS);
	ncg_autofree char *own = NULL, *other = NULL;
	const __u16 first = 0xfff1, third = 0xfff3;

	(void)state;
	assert_int_equal(ncg_policy_names_nearest(ids, &first, "card", &own), 0);
	assert_string_equal(own, "Card [One]");
	assert_int_equal(ncg_policy_names_nearest(ids, &third, "card", &other), 0);
	assert_null(other);
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

static void expect_error(const struct ncg_policy_file_options *options, const char *expected)
{
	ncg_cleanup(ncg_policy_errors_freep) struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy;

	assert_int_equal(ncg_policy_file_load_with(tree_path("policy.conf"), options, &policy,
						   &errors), -EINVAL);
	for (size_t i = 0; i < errors->count; i++) {
		ncg_autofree char *text = ncg_policy_error_format(&errors->list[i]);

		if (strstr(text, expected))
			return;
	}
	fail_msg("no '%s'", expected);
}

/* What decides together with the policy is held to the same: only root can change it. */
static void test_trust(void **state)
{
	ncg_autofree char *pci_ids = strdup(tree_path("pci.ids"));
	struct ncg_policy_file_options options = { .pci_ids = pci_ids };
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL, *again = NULL;

	(void)state;
	if (getuid())
		skip();
	tree_file("policy.conf", "allow \"First Corporation\":\"Card [One]\"\n"
				 "allow \"First Corporation\":2\n");
	assert_int_equal(chmod(tree_path("policy.conf"), 0644), 0);
	assert_int_equal(chmod(tree_path("pci.ids"), 0646), 0);
	assert_int_equal(ncg_policy_file_load_with(tree_path("policy.conf"), &options, &policy,
						   NULL), 0);
	assert_int_equal(policy->warning_count, 1);
	assert_non_null(strstr(policy->warnings[0], "pci.ids: can be written by others than root "
						    "(mode 0646); ncgated would refuse it"));
	options.trusted = true;
	expect_error(&options, "policy.conf:1:7: '\"First Corporation\"' cannot be looked up: /");
	expect_error(&options, "pci.ids can be written by others than root (mode 0646); expected "
			       "what only root can change");
	assert_int_equal(chmod(tree_path("pci.ids"), 0644), 0);
	assert_int_equal(ncg_policy_file_load_with(tree_path("policy.conf"), &options, &again,
						   NULL), 0);
}

/* None at all, and none that is a pci.ids. */
static void test_no_names(void **state)
{
	struct ncg_policy_file_options options = { .pci_ids = "/none" };

	(void)state;
	tree_file("policy.conf", "allow \"First Corporation\":\"Card [One]\"\n");
	expect_error(&options, "cannot be looked up: there is no pci.ids; expected 0 to ffff");
	options.pci_ids = tree_path("policy.conf");
	expect_error(&options, "cannot be looked up: there is no pci.ids; expected 0 to ffff");
	options.pci_ids = tree;
	expect_error(&options, "cannot be looked up: Is a directory; expected 0 to ffff");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_look_up), TEST(test_nearest), TEST(test_nearest_device),
		TEST(test_in_a_policy), TEST(test_trust), TEST(test_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
