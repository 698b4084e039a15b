// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a policy refers to outside its text: includes, and names of devices. Files and
 * names are in memory (policy_memory.h); test_policy_file has real ones.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy.h"
#include "policy_memory.h"
#include "policy_named.h"

#define _cleanup_policy_ __attribute__((cleanup(ncg_policy_freep)))
#define _cleanup_errors_ __attribute__((cleanup(ncg_policy_errors_freep)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))

/* The policy at path, or NULL; all its errors in *ret_errors, the caller's. */
static struct ncg_policy *load(struct memory *memory, const char *path, char **ret_errors)
{
	const struct ncg_policy_sources sources = memory_sources(memory);
	_cleanup_errors_ struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy = (void *)1;
	int r = ncg_policy_parse_file(path, &sources, &policy, &errors);

	*ret_errors = errors ? ncg_policy_errors_format(errors) : NULL;
	assert_int_equal(r, errors ? -EINVAL : 0);
	assert_int_equal(!policy, r != 0);
	return policy;
}

static struct ncg_policy *load_good(struct memory *memory, const char *path)
{
	char *errors;
	struct ncg_policy *policy = load(memory, path, &errors);

	if (errors)
		fail_msg("%s", errors);
	return policy;
}

static void expect_errors(struct memory *memory, const char *path, const char *expected)
{
	char *errors;

	assert_null(load(memory, path, &errors));
	assert_string_equal(errors, expected);
	free(errors);
}

#define FILES(...)                                                                     \
	static const struct memory_file files[] = { __VA_ARGS__ };                     \
	struct memory memory = { .files = files, .file_count = ARRAY_SIZE(files) };    \
	(void)state

/* ------------------------------------------------------------------- includes */

static void test_include_in_order(void **state)
{
	FILES({ .path = "/etc/n/policy.conf", .text = "mode enforce\ndeny 1:1\ninclude more/a.conf\ndeny 1:3\n"
				      "include /lib/b\ndeny 1:5" },
	      { .path = "/etc/n/more/a.conf", .text = "# first\nallow 1:2\ninclude sub/c\n" },
	      { .path = "/etc/n/more/sub/c", .text = "default allow\nallow 2:2 cgroup=/c\n" },
	      { .path = "/lib/b", .text = "\nallow 1:4\nwithout-hook trap" });
	_cleanup_policy_ struct ncg_policy *policy = load_good(&memory, "/etc/n/policy.conf");
	static const struct {
		unsigned int vendor, device, file, line;
	} rules[] = {
		{ 1, 1, 0, 2 }, { 1, 2, 1, 2 }, { 2, 2, 2, 2 },
		{ 1, 3, 0, 4 }, { 1, 4, 3, 2 }, { 1, 5, 0, 6 },
	};
	static const char *const paths[] = { "/etc/n/policy.conf", "/etc/n/more/a.conf",
					     "/etc/n/more/sub/c", "/lib/b" };

	assert_int_equal(policy->mode, NCG_MODE_ENFORCE);
	assert_int_equal(policy->fallback, NCG_VERDICT_ALLOW);
	assert_int_equal(policy->without_hook, NCG_WITHOUT_HOOK_TRAP);
	assert_int_equal(policy->rule_count, ARRAY_SIZE(rules));
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		assert_int_equal(policy->rules[i].value.vendor, rules[i].vendor);
		assert_int_equal(policy->rules[i].value.device, rules[i].device);
		assert_int_equal(policy->rules[i].file, rules[i].file);
		assert_int_equal(policy->rules[i].line, rules[i].line);
	}
	assert_int_equal(policy->file_count, ARRAY_SIZE(paths));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		assert_string_equal(policy->paths[i], paths[i]);
		assert_string_equal(policy->files[i], paths[i]);
	}
}

static void test_include_folder(void **state)
{
	FILES({ .path = "p", .text = "include \"policy.d/\"\nallow 9:9" },
	      { .path = "policy.d/10-a.conf", .text = "allow 1:1" },
	      { .path = "policy.d/20 b.conf", .text = "include 30.txt\n" },
	      { .path = "policy.d/30.txt", .text = "allow 2:2" },
	      { .path = "empty/x", .text = "nonsense" },
	      { .path = "q", .text = "include empty/\n" });
	_cleanup_policy_ struct ncg_policy *policy = load_good(&memory, "p");
	_cleanup_policy_ struct ncg_policy *empty = load_good(&memory, "q");

	assert_int_equal(policy->rule_count, 3);
	assert_int_equal(policy->file_count, 4);
	assert_string_equal(policy->paths[policy->rules[1].file], "policy.d/30.txt");
	assert_int_equal(empty->rule_count, 0);
	assert_int_equal(empty->file_count, 1);
}

/* A file may be included twice: what it says is then said twice. */
static void test_include_twice(void **state)
{
	FILES({ .path = "p", .text = "include a\ninclude b" }, { .path = "a", .text = "include c" }, { .path = "b", .text = "include c" },
	      { .path = "c", .text = "deny 1:1\n" });
	_cleanup_policy_ struct ncg_policy *policy = load_good(&memory, "p");

	assert_int_equal(policy->rule_count, 2);
	assert_int_equal(policy->rules[0].file, 2);
	assert_int_equal(policy->rules[1].file, 4);
	assert_string_equal(policy->paths[2], "c");
	assert_string_equal(policy->paths[4], "c");
}

static void test_errors_in_included_files(void **state)
{
	FILES({ .path = "/p", .text = "mode audit\n include a.conf\nalow 1:1\n" },
	      { .path = "/a.conf", .text = "default deny\nallow zz:1\ninclude b.conf\nallow 1:\n" },
	      { .path = "/b.conf", .text = "mode enforce\nallow 1:1 bar=7\ndefault deny\n" });

	expect_errors(&memory, "/p",
		      "/a.conf:2:7: 'zz' is not a hex number; expected 0 to ffff in hex, or *; "
		      "included from /p:2\n"
		      "/b.conf:1:1: 'mode' was already given in /p:1; expected it once; "
		      "included from /a.conf:3, /p:2\n"
		      "/b.conf:2:15: '7' is out of range; expected BARs from 0 to 5 with commas "
		      "between, as 0,2; included from /a.conf:3, /p:2\n"
		      "/b.conf:3:1: 'default' was already given in /a.conf:1; expected it once; "
		      "included from /a.conf:3, /p:2\n"
		      "/a.conf:4:7: '1:' is not VENDOR:DEVICE; expected two hex ids, * for any, as "
		      "10de:2330, or names in double quotes; included from /p:2\n"
		      "/p:3:1: 'alow' is not a statement; expected mode, default, without-hook, "
		      "include, allow or deny (did you mean 'allow'?)\n");
}

static void test_include_errors(void **state)
{
	FILES({ .path = "p", .text = "include none\ninclude d/\ninclude \"bad\"\n" },
	      { .path = "d/x.conf", .problem = "can be written by others than root (mode 0666)" },
	      { .path = "d/y.conf", .text = "xx\n" },
	      { .path = "bad", .problem = "is a bad file" },
	      { .path = "q", .text = "include \"a \x1b[31m\"" });

	expect_errors(&memory, "p",
		      "p:1:9: 'none' cannot be read: No such file or directory; expected a file, or "
		      "a folder with *.conf\n"
		      "p:2:9: 'd/' leads to d/x.conf, which can be written by others than root "
		      "(mode 0666); expected something else\n"
		      "d/y.conf:1:1: 'xx' is not a statement; expected mode, default, without-hook, "
		      "include, allow or deny; included from p:2\n"
		      "p:3:9: '\"bad\"' is a bad file; expected something else\n");
	expect_errors(&memory, "q",
		      "q:1:9: '\"a \\x1b[31m\"' cannot be read: No such file or directory; expected "
		      "a file, or a folder with *.conf\n");
}

/* The first file's own trouble is an error of it; without words, the errno. */
static void test_first_file(void **state)
{
	FILES({ .path = "p", .problem = "belongs to uid 7 and not to root" });
	const struct ncg_policy_sources sources = memory_sources(&memory);
	struct ncg_policy_errors *errors = (void *)1;
	struct ncg_policy *policy = (void *)1;

	expect_errors(&memory, "p",
		      "p: belongs to uid 7 and not to root; expected something else\n");
	assert_int_equal(ncg_policy_parse_file("none", &sources, &policy, &errors), -ENOENT);
	assert_null(policy);
	assert_null(errors);
}

static void test_loops(void **state)
{
	FILES({ .path = "/self", .text = "include self\n" },
	      /* the same file by another path */
	      { .path = "/q", .text = "include r", .identity = 5 },
	      { .path = "/r", .text = "include link" },
	      { .path = "/link", .text = "include r", .identity = 5 });

	expect_errors(&memory, "/self",
		      "/self:1:9: 'self' leads back to /self; expected a file that does not include "
		      "this one\n");
	expect_errors(&memory, "/q",
		      "/r:1:9: 'link' leads back to /q; expected a file that does not include this "
		      "one; included from /q:1\n");
}

static void test_loop_of_three(void **state)
{
	FILES({ .path = "/p", .text = "allow 1:1\ninclude a\n" }, { .path = "/a", .text = "include b\n" },
	      { .path = "/b", .text = "\ninclude p\n" });

	expect_errors(&memory, "/p",
		      "/b:2:9: 'p' leads back to /p; expected a file that does not include this one; "
		      "included from /a:1, /p:2\n");
}

static void test_depth_bound(void **state)
{
	static struct memory_file files[NCG_POLICY_DEPTH_MAX + 1];
	static char paths[ARRAY_SIZE(files)][8], texts[ARRAY_SIZE(files)][16];
	struct memory memory = { .files = files, .file_count = ARRAY_SIZE(files) };
	char *errors;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(paths[i], sizeof(paths[i]), "f%u", i);
		snprintf(texts[i], sizeof(texts[i]), "include f%u", i + 1);
		files[i].path = paths[i];
		files[i].text = texts[i];
	}
	files[NCG_POLICY_DEPTH_MAX - 1].text = "allow 1:1";
	ncg_policy_free(load_good(&memory, "f0"));
	files[NCG_POLICY_DEPTH_MAX - 1].text = "include f16";
	files[NCG_POLICY_DEPTH_MAX].text = "allow 1:1";
	assert_int_equal(NCG_POLICY_DEPTH_MAX, 16);
	assert_null(load(&memory, "f0", &errors));
	assert_non_null(strstr(errors, "f15:1:9: 'f16' is too deep: at most 16 files include each "
				       "other; expected fewer levels; included from f14:1, f13:1"));
	free(errors);
}

static void test_files_bound(void **state)
{
	static struct memory_file files[] = { { .path = "p" },
					      { .path = "a", .text = "allow 1:1" } };
	struct memory memory = { .files = files, .file_count = ARRAY_SIZE(files) };
	char *text = NULL, *errors;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct ncg_policy *policy;

	(void)state;
	for (unsigned int i = 1; i < NCG_FILES_MAX; i++)
		fputs("include a\n", out);
	fflush(out);
	files[0].text = text;
	files[0].size = size;
	policy = load_good(&memory, "p");
	assert_int_equal(policy->file_count, NCG_FILES_MAX);
	ncg_policy_free(policy);
	fputs("include a\n", out);
	fclose(out);
	files[0].text = text;
	files[0].size = size;
	assert_null(load(&memory, "p", &errors));
	assert_string_equal(errors, "p:256:9: 'a' is one file too many: a policy has at most 256; "
				    "expected fewer includes\n");
	free(errors);
	free(text);
}

/* What counts is the size of all files. */
static void test_size_bound(void **state)
{
	static struct memory_file files[] = { { .path = "p", .text = "include a\n" },
					      { .path = "a" } };
	struct memory memory = { .files = files, .file_count = ARRAY_SIZE(files) };
	char *text = malloc(NCG_POLICY_SIZE_MAX);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', NCG_POLICY_SIZE_MAX);
	files[1].text = text;
	files[1].size = NCG_POLICY_SIZE_MAX - strlen(files[0].text);
	ncg_policy_free(load_good(&memory, "p"));
	files[1].size++;
	expect_errors(&memory, "p",
		      "p:1:9: 'a' makes the policy too long; expected at most 16 MiB in all files\n");
	free(text);
}

/* ---------------------------------------------------------------------- names */

static const struct memory_name names[] = {
	{ "NVIDIA Corporation", -1, { 0x10de }, 1, NULL },
	{ "GH100 [GH200 120GB / 480GB]", 0x10de, { 0x2342 }, 1, NULL },
	{ "a: \"b\"", -1, { 0xabcd }, 1, NULL },
	{ "Twins", 0x10de, { 1, 2 }, 2, NULL },
	{ "Many", -1, { 1, 2, 3, 4 }, 7, NULL },
	{ "NVIDIA", -1, { 0 }, 0, "NVIDIA Corporation" },
	{ "GH1000", 0x10de, { 0 }, 0, "GH100 \x1b" },
};

static void test_names(void **state)
{
	static const struct {
		const char *text;
		unsigned int vendor, device, vendor_mask, device_mask;
	} cases[] = {
		{ "allow \"NVIDIA Corporation\":*", 0x10de, 0, 0xffff, 0 },
		{ "allow \"NVIDIA Corporation\":2330", 0x10de, 0x2330, 0xffff, 0xffff },
		{ "allow 10de:\"GH100 [GH200 120GB / 480GB]\"", 0x10de, 0x2342, 0xffff, 0xffff },
		{ "allow \"NVIDIA Corporation\":\"GH100 [GH200 120GB / 480GB]\" bar=2", 0x10de,
		  0x2342, 0xffff, 0xffff },
		{ "allow \"a: \"\"b\"\"\":1", 0xabcd, 1, 0xffff, 0xffff },
		{ "allow \"Vendor 7\":\"Device 8\" # \"", 7, 8, 0xffff, 0xffff },
	};
	struct memory memory = { .names = names, .name_count = ARRAY_SIZE(names) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct memory_file file = { .path = "p", .text = cases[i].text };
		_cleanup_policy_ struct ncg_policy *policy = NULL;

		memory.files = &file;
		memory.file_count = 1;
		policy = load_good(&memory, "p");
		assert_int_equal(policy->rule_count, 1);
		assert_int_equal(policy->rules[0].value.vendor, cases[i].vendor);
		assert_int_equal(policy->rules[0].value.device, cases[i].device);
		assert_int_equal(policy->rules[0].mask.vendor, cases[i].vendor_mask);
		assert_int_equal(policy->rules[0].mask.device, cases[i].device_mask);
	}
}

#define VENDOR_NAME "expected a vendor's id in hex, *, or its name as pci.ids has it"
#define DEVICE_NAME "expected a device's id in hex, *, or its name as pci.ids has it"

static void test_name_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "allow \"NVIDIA\":*",
		  "7: '\"NVIDIA\"' is not a vendor name in pci.ids; " VENDOR_NAME
		  " (did you mean '\"NVIDIA Corporation\"'?)" },
		{ "allow \"Nobody\":\"Nothing\"", "7: '\"Nobody\"' is not a vendor name in pci.ids; " VENDOR_NAME },
		{ "allow \"\":1", "7: '\"\"' is not a vendor name in pci.ids; " VENDOR_NAME },
		{ "allow 10de:\"GH1000\"",
		  "12: '\"GH1000\"' is not a device name of vendor 10de in pci.ids; " DEVICE_NAME
		  " (did you mean '\"GH100 \\x1b\"'?)" },
		{ "allow 10de:\"gh1\"", "12: '\"gh1\"' is not a device name of vendor 10de in pci.ids; " DEVICE_NAME },
		{ "allow 10de:\"Twins\"",
		  "12: '\"Twins\"' is the name of 10de:0001 and 10de:0002; expected the id of one of "
		  "them" },
		{ "allow \"Many\":1",
		  "7: '\"Many\"' is the name of 0001, 0002, 0003, 0004 and 3 more; expected the id of "
		  "one of them" },
		{ "allow *:\"Twins\"",
		  "9: '\"Twins\"' is a device's name, which says nothing alone; expected its vendor "
		  "before it" },
		{ "allow \"NVIDIA Corporation:1",
		  "7: '\"NVIDIA Corporation:1' is not VENDOR:DEVICE; expected two hex ids, * for "
		  "any, as 10de:2330, or names in double quotes" },
		{ "allow \"a\"b:1",
		  "7: '\"a\"b' has a quote out of place; expected a text without quotes, or one "
		  "wholly between double quotes, in which \"\" stands for one" },
		{ "allow 1:1 subsystem=\"NVIDIA Corporation\":*",
		  "21: '\"NVIDIA Corporation\"' is not a hex number; expected 0 to ffff in hex, or "
		  "*" },
	};
	struct memory memory = { .names = names, .name_count = ARRAY_SIZE(names) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct memory_file file = { .path = "p", .text = cases[i].text };
		char expected[512];

		memory.files = &file;
		memory.file_count = 1;
		snprintf(expected, sizeof(expected), "p:1:%s\n", cases[i].error);
		expect_errors(&memory, "p", expected);
	}
}

/* A name that pci.ids does not tell stands for what it stood for before. */
static void test_known_names(void **state)
{
	static const struct memory_known known[] = {
		{ "\"NVIDIA\":*", 0x10de, 0 },
		{ "\"NVIDIA\":2330", 0x10de, 0x2330 },
		{ "\"Nobody\":\"Nothing\"", 0xfff0, 1 },
		{ "\"Vendor 7\":\"Nothing\"", 0xfff7, 2 },
		{ "10de:\"Twins\"", 0x10de, 2 },
		{ "\"Vendor 7\":\"Device 8\"", 1, 1 },
	};
	static const struct {
		const char *text, *name;
		unsigned int vendor, device;
		bool gone;
	} cases[] = {
		{ "allow \"NVIDIA\":*", "\"NVIDIA\":*", 0x10de, 0, true },
		{ "allow \"NVIDIA\":0x2330 bar=2", "\"NVIDIA\":2330", 0x10de, 0x2330, true },
		/* the whole goes by before: half of each would be no device at all */
		{ "allow \"Nobody\":\"Nothing\"", "\"Nobody\":\"Nothing\"", 0xfff0, 1, true },
		{ "allow \"Vendor 7\":\"Nothing\"", "\"Vendor 7\":\"Nothing\"", 0xfff7, 2, true },
		/* what has become the name of several */
		{ "allow 10DE:\"Twins\"", "10de:\"Twins\"", 0x10de, 2, true },
		/* what pci.ids tells goes first, also where it is something else */
		{ "allow \"Vendor 7\":\"Device 8\"", "\"Vendor 7\":\"Device 8\"", 7, 8, false },
		{ "allow 7:\"Device 8\"", "0007:\"Device 8\"", 7, 8, false },
		{ "allow 7:8", NULL, 7, 8, false },
	};
	struct memory memory = { .names = names, .name_count = ARRAY_SIZE(names),
				 .known = known, .known_count = ARRAY_SIZE(known) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct memory_file file = { .path = "p", .text = cases[i].text };
		_cleanup_policy_ struct ncg_policy *policy = NULL;
		const struct ncg_policy_rule *rule;

		memory.files = &file;
		memory.file_count = 1;
		policy = load_good(&memory, "p");
		rule = &policy->rules[0];
		assert_int_equal(rule->value.vendor, cases[i].vendor);
		assert_int_equal(rule->value.device, cases[i].device);
		assert_int_equal(rule->gone, cases[i].gone);
		assert_int_equal(policy->named_count, cases[i].name != NULL);
		assert_int_equal(!rule->name, !cases[i].name);
		if (rule->name)
			assert_string_equal(rule->name, cases[i].name);
	}
	/* Without any pci.ids as well. */
	memory.error = -ENOENT;
	memory.file_count = 1;
	{
		const struct memory_file file = { .path = "p", .text = cases[0].text };
		_cleanup_policy_ struct ncg_policy *policy = NULL;

		memory.files = &file;
		policy = load_good(&memory, "p");
		assert_true(policy->rules[0].gone);
	}
	/* What was never known, and what has another error, is refused. */
	{
		const struct memory_file file = { .path = "p", .text = "allow \"NVIDIA\":23301\n"
								       "allow \"Nvidia\":*\n" };

		memory.files = &file;
		memory.error = 0;
		expect_errors(&memory, "p",
			      "p:1:16: '23301' is out of range; expected 0 to ffff in hex, or *\n"
			      "p:1:7: '\"NVIDIA\"' is not a vendor name in pci.ids; " VENDOR_NAME
			      " (did you mean '\"NVIDIA Corporation\"'?)\n"
			      "p:2:7: '\"Nvidia\"' is not a vendor name in pci.ids; " VENDOR_NAME "\n");
	}
}

/* Each name once, by its bytes, with the first rule that has it. */
static void test_named(void **state)
{
	FILES({ .path = "p", .text = "allow \"Vendor 2\":*\nallow 1:1\nallow \"Vendor 1\":\"Device 3\"\n"
				     "deny \"Vendor 2\":* bar=1\nallow 1:\"Device 3\"\n" });
	_cleanup_policy_ struct ncg_policy *policy = load_good(&memory, "p");
	static const char *const lines[] = { "0001:0003 \"Vendor 1\":\"Device 3\"",
					     "0002:* \"Vendor 2\":*",
					     "0001:0003 0001:\"Device 3\"" };
	static const __u32 rules[] = { 2, 0, 4 };

	assert_int_equal(policy->named_count, ARRAY_SIZE(lines));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char *line = ncg_policy_named_line(&policy->rules[policy->named[i]]);

		assert_int_equal(policy->named[i], rules[i]);
		assert_string_equal(line, lines[i]);
		free(line);
	}
}

/* A hint costs a look at every name: only errors that are shown get one. */
static void test_hints_are_bounded(void **state)
{
	struct memory memory = { .names = names, .name_count = ARRAY_SIZE(names) };
	struct ncg_policy_sources sources = memory_sources(&memory);
	struct ncg_policy_errors *errors;
	struct ncg_policy *policy;
	struct memory_file file = { .path = "p" };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	for (unsigned int i = 0; i < NCG_POLICY_ERRORS_MAX + 50; i++)
		fputs("allow \"NVIDIA\":*\n", out);
	fclose(out);
	file.text = text;
	memory.files = &file;
	memory.file_count = 1;
	assert_int_equal(ncg_policy_parse_file("p", &sources, &policy, &errors), -EINVAL);
	assert_int_equal(errors->count, NCG_POLICY_ERRORS_MAX);
	assert_int_equal(errors->more, 50);
	assert_int_equal(memory.hints, NCG_POLICY_ERRORS_MAX);
	ncg_policy_errors_free(errors);
	free(text);
}

static void test_no_names(void **state)
{
	FILES({ .path = "p", .text = "allow \"NVIDIA Corporation\":1\n" });
	struct ncg_policy_errors *errors;
	struct ncg_policy *policy;
	char *all;

	memory.error = -ENOENT;
	expect_errors(&memory, "p",
		      "p:1:7: '\"NVIDIA Corporation\"' cannot be looked up: there is no pci.ids; "
		      "expected 0 to ffff in hex, or *\n");
	memory.error = -EIO;
	expect_errors(&memory, "p",
		      "p:1:7: '\"NVIDIA Corporation\"' cannot be looked up: Input/output error; "
		      "expected 0 to ffff in hex, or *\n");
	/* a text in memory has no names */
	assert_int_equal(ncg_policy_parse_text("t", files[0].text, strlen(files[0].text), &policy,
					       &errors), -EINVAL);
	all = ncg_policy_errors_format(errors);
	assert_string_equal(all, "t:1:7: '\"NVIDIA Corporation\"' cannot be looked up: there is no "
				 "pci.ids; expected 0 to ffff in hex, or *\n");
	free(all);
	ncg_policy_errors_free(errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_include_in_order),
		cmocka_unit_test(test_include_folder),
		cmocka_unit_test(test_include_twice),
		cmocka_unit_test(test_errors_in_included_files),
		cmocka_unit_test(test_include_errors),
		cmocka_unit_test(test_first_file),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_loop_of_three),
		cmocka_unit_test(test_depth_bound),
		cmocka_unit_test(test_files_bound),
		cmocka_unit_test(test_size_bound),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_name_errors),
		cmocka_unit_test(test_known_names),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_hints_are_bounded),
		cmocka_unit_test(test_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
