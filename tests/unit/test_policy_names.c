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

/* ------------------------------------------------------ an update of pci.ids */

#define POLICY "mode enforce\ndefault deny\nallow \"Example Systems\":\"Card A\"\n"
#define OLD "fff0  Example Systems\n\t0001  Card A\n\t0002  Card B\n"
#define MOVED "fff0  Example Systems\n\t0001  Card A rev 1\n\t0002  Card B\n\t0003  Card A\n"
#define RENAMED "fff0  Example Systems Group\n\t0001  Card A\n\t0002  Card B\n"

static void expect_sha256(const struct ncg_policy *policy, const char *expected)
{
	char hex[2 * NCG_SHA256_LEN + 1];

	for (size_t i = 0; i < NCG_SHA256_LEN; i++)
		sprintf(hex + 2 * i, "%02x", policy->sha256[i]);
	assert_string_equal(hex, expected);
}

static struct ncg_policy *load_by(const char *ids, const struct ncg_policy_known *known)
{
	ncg_autofree char *pci_ids = strdup(tree_path("pci.ids"));
	const struct ncg_policy_file_options options = { .pci_ids = pci_ids, .known = known };
	struct ncg_policy *policy;

	tree_file("policy.conf", POLICY);
	tree_file("pci.ids", ids);
	if (ncg_policy_file_load_with(tree_path("policy.conf"), &options, &policy, NULL))
		return NULL;
	return policy;
}

/* The digest is of the text and of what its names stand for. */
static void test_digest(void **state)
{
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *old = load_by(OLD, NULL);
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *moved = load_by(MOVED, NULL);
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *ids = NULL;
	const char text[] = "allow fff0:1 # \"Example Systems\":\"Card A\"\n";

	(void)state;
	assert_int_equal(old->rules[0].value.device, 1);
	assert_int_equal(moved->rules[0].value.device, 3);
	/*
	 * { printf 'mode enforce\ndefault deny\nallow "Example Systems":"Card A"\n';
	 *   printf '\0fff0:0001 "Example Systems":"Card A"'; } | sha256sum
	 */
	expect_sha256(old, "87a5cad3c8dc01a45e1c6a3a25d2f168a93556e5e5b84e7f1927bec2b31c161b");
	expect_sha256(moved, "90d6388c2df0e435ebafd13ba2966bfef63c5f883b3efcc2f3d3b6cf1cf165eb");
	/* Without a name it is that of the text. */
	tree_file("policy.conf", text);
	assert_int_equal(ncg_policy_file_load(tree_path("policy.conf"), &ids, NULL), 0);
	expect_sha256(ids, "572cf58e95b9d93f5ee4902a873946b2eb7ec51943584d2b73b025b8d2154b95");
	assert_int_equal(ids->named_count, 0);
}

/* A name that was never known is refused, with its place; one that was goes on. */
static void test_renamed(void **state)
{
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *old = load_by(OLD, NULL);
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *goes_on = NULL, *moved = NULL;
	ncg_cleanup(ncg_policy_errors_freep) struct ncg_policy_errors *errors = NULL;
	ncg_autofree char *pci_ids = strdup(tree_path("pci.ids")), *message = NULL;
	const struct ncg_policy_file_options options = { .pci_ids = pci_ids };
	ncg_autoknown struct ncg_policy_known *known = NULL;
	struct ncg_policy *none;

	(void)state;
	assert_int_equal(ncg_policy_known_take(old, &known), 0);
	assert_null(load_by(RENAMED, NULL));
	assert_int_equal(ncg_policy_file_load_with(tree_path("policy.conf"), &options, &none,
						   &errors), -EINVAL);
	message = ncg_policy_error_format(&errors->list[0]);
	assert_non_null(strstr(message, "policy.conf:3:7: '\"Example Systems\"' is not a vendor name "
				       "in pci.ids; expected a vendor's id in hex, *, or its name "
				       "as pci.ids has it (did you mean '\"Example Systems Group\"'?)"));
	goes_on = load_by(RENAMED, known);
	assert_non_null(goes_on);
	assert_true(goes_on->rules[0].gone);
	assert_int_equal(goes_on->rules[0].value.vendor, 0xfff0);
	assert_int_equal(goes_on->rules[0].value.device, 1);
	assert_memory_equal(goes_on->sha256, old->sha256, sizeof(old->sha256));
	/* A name that pci.ids does tell stands for what it tells. */
	moved = load_by(MOVED, known);
	assert_false(moved->rules[0].gone);
	assert_int_equal(moved->rules[0].value.device, 3);
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
		TEST(test_in_a_policy), TEST(test_digest), TEST(test_renamed),
		TEST(test_trust), TEST(test_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
