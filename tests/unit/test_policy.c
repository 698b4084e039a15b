// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy language: every production, and every error with its exact text and
 * place. Tables, with no state outside each test.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy.h"

#define _cleanup_policy_ __attribute__((cleanup(ncg_policy_freep)))
#define _cleanup_errors_ __attribute__((cleanup(ncg_policy_errors_freep)))
#define _cleanup_parser_ __attribute__((cleanup(ncg_policy_parse_freep)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))

#define STATEMENTS "expected mode, default, without-hook, include, allow or deny"
#define MATCHES "expected subsystem=, class=, slot=, bar=, uid=, cgroup= or audit"
#define IDS "expected two hex ids, * for any, as 10de:2330"
#define DEVICE_IDS IDS ", or names in double quotes"
#define ID "expected 0 to ffff in hex, or *"
#define CLASS "is not a class; expected 2, 4 or 6 hex digits: base, sub, interface"
#define SLOT "is not a slot; expected DDDD:BB:DD.F in hex, * for any part"
#define BARS "expected BARs from 0 to 5 with commas between, as 0,2"
#define CGROUP "expected a cgroup as /proc/PID/cgroup shows it, as /machine.slice"
#define QUOTES "has a quote out of place; expected a text without quotes, or one wholly between " \
	       "double quotes, in which \"\" stands for one"
#define UID "expected a decimal number from 0 to 4294967294"

static struct ncg_policy *parse_size(const char *text, size_t size)
{
	_cleanup_errors_ struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy;
	int r = ncg_policy_parse_text("policy.conf", text, size, &policy, &errors);

	if (errors) {
		char *all = ncg_policy_errors_format(errors);

		print_error("%s", all);
		free(all);
	}
	assert_int_equal(r, 0);
	assert_non_null(policy);
	assert_null(errors);
	return policy;
}

static struct ncg_policy *parse(const char *text)
{
	return parse_size(text, strlen(text));
}

/* All errors of a text, a line each; expected without the file's name. */
static void expect_errors_size(const char *text, size_t size, const char *expected)
{
	_cleanup_errors_ struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy = (void *)1;
	char *all;

	assert_int_equal(ncg_policy_parse_text("policy.conf", text, size, &policy, &errors),
			 -EINVAL);
	assert_null(policy);
	assert_non_null(errors);
	all = ncg_policy_errors_format(errors);
	assert_string_equal(all, expected);
	free(all);
}

struct error_case {
	const char *text;
	const char *error;	/* after "policy.conf:" */
};

static void expect_error_cases(const struct error_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char expected[512];

		snprintf(expected, sizeof(expected), "policy.conf:%s\n", cases[i].error);
		expect_errors_size(cases[i].text, strlen(cases[i].text), expected);
	}
}

/* ------------------------------------------------------------------- values */

static void test_defaults(void **state)
{
	static const char *const texts[] = {
		"", "\n", "\r\n", "#", "# mode enforce", "\n\n  \t\n#\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_policy_ struct ncg_policy *policy = parse(texts[i]);
		static const __u8 zero[NCG_SHA256_LEN];

		assert_int_equal(policy->mode, NCG_MODE_AUDIT);
		assert_int_equal(policy->fallback, NCG_VERDICT_DENY);
		assert_int_equal(policy->without_hook, NCG_WITHOUT_HOOK_AUDIT);
		assert_int_equal(policy->rule_count, 0);
		assert_int_equal(policy->file_count, 1);
		assert_string_equal(policy->files[0], "policy.conf");
		assert_memory_equal(policy->sha256, zero, sizeof(zero));
	}
}

static void test_settings(void **state)
{
	static const struct {
		const char *text;
		unsigned int mode, fallback, without_hook;
	} cases[] = {
		{ "mode audit", NCG_MODE_AUDIT, NCG_VERDICT_DENY, NCG_WITHOUT_HOOK_AUDIT },
		{ "mode enforce", NCG_MODE_ENFORCE, NCG_VERDICT_DENY, NCG_WITHOUT_HOOK_AUDIT },
		{ "default allow", NCG_MODE_AUDIT, NCG_VERDICT_ALLOW, NCG_WITHOUT_HOOK_AUDIT },
		{ "default deny", NCG_MODE_AUDIT, NCG_VERDICT_DENY, NCG_WITHOUT_HOOK_AUDIT },
		{ "without-hook audit", NCG_MODE_AUDIT, NCG_VERDICT_DENY, NCG_WITHOUT_HOOK_AUDIT },
		{ "without-hook trap", NCG_MODE_AUDIT, NCG_VERDICT_DENY, NCG_WITHOUT_HOOK_TRAP },
		{ "default allow\nwithout-hook trap\nmode enforce\n", NCG_MODE_ENFORCE,
		  NCG_VERDICT_ALLOW, NCG_WITHOUT_HOOK_TRAP },
		{ "\t mode\t\tenforce  # now\r\n", NCG_MODE_ENFORCE, NCG_VERDICT_DENY,
		  NCG_WITHOUT_HOOK_AUDIT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_policy_ struct ncg_policy *policy = parse(cases[i].text);

		assert_int_equal(policy->mode, cases[i].mode);
		assert_int_equal(policy->fallback, cases[i].fallback);
		assert_int_equal(policy->without_hook, cases[i].without_hook);
	}
}

#define IDS_MASK .vendor = 0xffff, .device = 0xffff

static void test_rules(void **state)
{
	static const struct {
		const char *text;
		struct ncg_tuple value, mask;
		unsigned int bars;
	} cases[] = {
		{ "allow *:*", { 0 }, { 0 }, 0 },
		{ "allow 10de:*", { .vendor = 0x10de }, { .vendor = 0xffff }, 0 },
		{ "allow *:2330", { .device = 0x2330 }, { .device = 0xffff }, 0 },
		{ "allow 10de:2330", { .vendor = 0x10de, .device = 0x2330 }, { IDS_MASK }, 0 },
		{ "allow 0x10de:0X2330", { .vendor = 0x10de, .device = 0x2330 }, { IDS_MASK }, 0 },
		{ "allow 10DE:0xaBcD", { .vendor = 0x10de, .device = 0xabcd }, { IDS_MASK }, 0 },
		{ "allow 0:ffff", { .vendor = 0, .device = 0xffff }, { IDS_MASK }, 0 },
		{ "allow 1:00002", { .vendor = 1, .device = 2 }, { IDS_MASK }, 0 },
		/* one that was set must count, 0 or not */
		{ "allow 0:0", { 0 }, { IDS_MASK }, 0 },

		{ "allow *:* subsystem=1af4:1100", { .subvendor = 0x1af4, .subdevice = 0x1100 },
		  { .subvendor = 0xffff, .subdevice = 0xffff }, 0 },
		{ "allow *:* subsystem=0x1af4:*", { .subvendor = 0x1af4 }, { .subvendor = 0xffff }, 0 },
		{ "allow *:* subsystem=*:1100", { .subdevice = 0x1100 }, { .subdevice = 0xffff }, 0 },
		{ "allow *:* subsystem=*:*", { 0 }, { 0 }, 0 },

		{ "allow *:* class=02", { .class_code = 0x020000 }, { .class_code = 0xff0000 }, 0 },
		{ "allow *:* class=0302", { .class_code = 0x030200 }, { .class_code = 0xffff00 }, 0 },
		{ "allow *:* class=010802", { .class_code = 0x010802 }, { .class_code = 0xffffff }, 0 },
		{ "allow *:* class=0x0C03", { .class_code = 0x0c0300 }, { .class_code = 0xffff00 }, 0 },
		{ "allow *:* class=00", { 0 }, { .class_code = 0xff0000 }, 0 },

		{ "allow *:* slot=0000:41:1f.7",
		  { .domain = 0, .bus = 0x41, .devfn = 0x1f << 3 | 7 },
		  { .domain = 0xffffffff, .bus = 0xff, .devfn = 0xff }, 0 },
		{ "allow *:* slot=ffffffff:ff:00.0", { .domain = 0xffffffff, .bus = 0xff },
		  { .domain = 0xffffffff, .bus = 0xff, .devfn = 0xff }, 0 },
		{ "allow *:* slot=1:2:3.4", { .domain = 1, .bus = 2, .devfn = 3 << 3 | 4 },
		  { .domain = 0xffffffff, .bus = 0xff, .devfn = 0xff }, 0 },
		{ "allow *:* slot=*:41:00.1", { .bus = 0x41, .devfn = 1 },
		  { .bus = 0xff, .devfn = 0xff }, 0 },
		{ "allow *:* slot=0001:*:02.3", { .domain = 1, .devfn = 2 << 3 | 3 },
		  { .domain = 0xffffffff, .devfn = 0xff }, 0 },
		{ "allow *:* slot=0001:41:*.3", { .domain = 1, .bus = 0x41, .devfn = 3 },
		  { .domain = 0xffffffff, .bus = 0xff, .devfn = 0x07 }, 0 },
		{ "allow *:* slot=0001:41:02.*", { .domain = 1, .bus = 0x41, .devfn = 2 << 3 },
		  { .domain = 0xffffffff, .bus = 0xff, .devfn = 0xf8 }, 0 },
		{ "allow *:* slot=*:*:*.*", { 0 }, { 0 }, 0 },

		{ "allow *:* bar=0", { 0 }, { 0 }, 0x01 },
		{ "allow *:* bar=5", { 0 }, { 0 }, 0x20 },
		{ "allow *:* bar=2,0", { 0 }, { 0 }, 0x05 },
		{ "allow *:* bar=0,1,2,3,4,5", { 0 }, { 0 }, 0x3f },

		{ "allow *:* uid=0", { 0 }, { .uid = ~0ull }, 0 },
		{ "allow *:* uid=64055", { .uid = 64055 }, { .uid = ~0ull }, 0 },
		{ "allow *:* uid=4294967294", { .uid = 0xfffffffe }, { .uid = ~0ull }, 0 },
		{ "allow *:* cgroup=/a audit", { 0 }, { 0 }, 0 },

		{ "allow 10de:2330 uid=7 bar=1 slot=*:01:*.* class=03 subsystem=*:5",
		  { .vendor = 0x10de, .device = 0x2330, .subdevice = 5, .class_code = 0x030000, .bus = 1, .uid = 7 },
		  { IDS_MASK, .subdevice = 0xffff, .class_code = 0xff0000, .bus = 0xff,
		    .uid = ~0ull },
		  0x02 },
		{ "allow\t10de:2330\tbar=1 #uid=7", { .vendor = 0x10de, .device = 0x2330 }, { IDS_MASK }, 0x02 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_policy_ struct ncg_policy *policy = parse(cases[i].text);
		const struct ncg_policy_rule *rule = policy->rules;

		assert_int_equal(policy->rule_count, 1);
		if (memcmp(&rule->value, &cases[i].value, sizeof(rule->value)) ||
		    memcmp(&rule->mask, &cases[i].mask, sizeof(rule->mask)))
			fail_msg("wrong value or mask: %s", cases[i].text);
		assert_int_equal(rule->bars, cases[i].bars);
		assert_int_equal(rule->verdict, NCG_VERDICT_ALLOW);
		assert_int_equal(rule->line, 1);
		assert_int_equal(rule->file, 0);
	}
}

/* What stands beside value and mask. */
static void test_cgroup_and_audit(void **state)
{
	static const struct {
		const char *text, *cgroup;
		bool audit;
	} cases[] = {
		{ "allow *:*", NULL, false },
		{ "deny 1:1 audit", NULL, true },
		{ "allow *:* cgroup=/", "/", false },
		{ "allow *:* cgroup=/machine.slice", "/machine.slice", false },
		{ "allow *:* audit cgroup=/a/b.c/d#e uid=5", "/a/b.c/d#e", true },
		/* systemd's escapes are letters here */
		{ "allow *:* cgroup=/machine-qemu\\x2d1", "/machine-qemu\\x2d1", false },
		{ "allow *:* cgroup=/a=b", "/a=b", false },
		{ "allow *:* cgroup=/...", "/...", false },
		{ "allow *:* cgroup=\"/a b\" audit", "/a b", true },
		{ "allow *:* cgroup=\"/a\"\"b\" # \"", "/a\"b", false },
		{ "allow *:* cgroup=\"/a#b audit\"", "/a#b audit", false },
		{ "allow *:* cgroup=\"/\\x22\"", "/\\x22", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_policy_ struct ncg_policy *policy = parse(cases[i].text);

		assert_int_equal(policy->rule_count, 1);
		assert_int_equal(policy->rules[0].audit, cases[i].audit);
		if (cases[i].cgroup)
			assert_string_equal(policy->rules[0].cgroup, cases[i].cgroup);
		else
			assert_null(policy->rules[0].cgroup);
	}
}

/* A path of depth folders of length bytes each, as a rule and after "1:18: ". */
static char *deep_rule(unsigned int depth, unsigned int length)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fputs("allow *:* cgroup=", out);
	for (unsigned int i = 0; i < depth; i++) {
		fputc('/', out);
		for (unsigned int j = 0; j < length; j++)
			fputc('a' + i % 26, out);
	}
	fclose(out);
	return text;
}

static void test_cgroup_bounds(void **state)
{
	static const struct {
		unsigned int depth, length;
		const char *problem; /* NULL: it is good */
	} cases[] = {
		{ 1, 255, NULL },
		{ 32, 31, NULL },
		{ 4, 255, NULL }, /* 1024 bytes */
		{ 1, 256, "has a folder whose name is longer than 255 bytes" },
		{ 33, 1, "is deeper than 32 folders" },
		{ 5, 204, "is longer than 1024 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = deep_rule(cases[i].depth, cases[i].length), expected[512];

		if (cases[i].problem) {
			snprintf(expected, sizeof(expected),
				 "policy.conf:1:18: '%.43s%s' %s; " CGROUP "\n",
				 text + strlen("allow *:* cgroup="),
				 strlen(text) > 60 ? "..." : "", cases[i].problem);
			expect_errors_size(text, strlen(text), expected);
		} else {
			ncg_policy_free(parse(text));
		}
		free(text);
	}
}

static void test_rules_keep_order_and_line(void **state)
{
	_cleanup_policy_ struct ncg_policy *policy =
		parse("\n# x\ndeny 1:1\r\n\r\nallow 1:1\nmode audit\n deny *:*");

	(void)state;
	assert_int_equal(policy->rule_count, 3);
	assert_int_equal(policy->rules[0].line, 3);
	assert_int_equal(policy->rules[0].verdict, NCG_VERDICT_DENY);
	assert_int_equal(policy->rules[1].line, 5);
	assert_int_equal(policy->rules[1].verdict, NCG_VERDICT_ALLOW);
	assert_int_equal(policy->rules[2].line, 7);
	assert_int_equal(policy->rules[2].verdict, NCG_VERDICT_DENY);
}

/* ------------------------------------------------------------------- errors */

static void test_statement_errors(void **state)
{
	static const struct error_case cases[] = {
		/* the one of the documentation */
		{ "\n\n\n\n\n\n           alow 10de:2330",
		  "7:12: 'alow' is not a statement; " STATEMENTS " (did you mean 'allow'?)" },
		{ "Deny *:*", "1:1: 'Deny' is not a statement; " STATEMENTS " (did you mean 'deny'?)" },
		{ "dney *:*", "1:1: 'dney' is not a statement; " STATEMENTS " (did you mean 'deny'?)" },
		/* the longest common beginning, also where more letters differ */
		{ "def allow", "1:1: 'def' is not a statement; " STATEMENTS " (did you mean 'default'?)" },
		{ "hook trap",
		  "1:1: 'hook' is not a statement; " STATEMENTS " (did you mean 'without-hook'?)" },
		{ "d", "1:1: 'd' is not a statement; " STATEMENTS },
		{ "\tmod audit", "1:2: 'mod' is not a statement; " STATEMENTS " (did you mean 'mode'?)" },
		{ "defualt deny",
		  "1:1: 'defualt' is not a statement; " STATEMENTS " (did you mean 'default'?)" },
		{ "without_hook trap",
		  "1:1: 'without_hook' is not a statement; " STATEMENTS
		  " (did you mean 'without-hook'?)" },
		{ "permit *:*", "1:1: 'permit' is not a statement; " STATEMENTS },
		{ "10de:2330", "1:1: '10de:2330' is not a statement; " STATEMENTS },
		/* two letters changed out of two are no misspelling */
		{ "xy", "1:1: 'xy' is not a statement; " STATEMENTS },
		{ "inclde /x",
		  "1:1: 'inclde' is not a statement; " STATEMENTS " (did you mean 'include'?)" },
		/* a text in memory has nothing to include from */
		{ "include /etc/ncgate/policy.d",
		  "1:1: 'include' cannot be followed: this policy is no file; expected no include" },
		{ "include", "1:8: 'include' has no path; expected a file, or a folder with *.conf" },
		{ "include a b", "1:11: 'b' is one word too many; expected the end of the line" },
		{ "include \"\"", "1:9: '\"\"' is no path; expected a file, or a folder with *.conf" },
		{ "include \"a", "1:9: '\"a' " QUOTES },
		{ "include a\"b\"", "1:9: 'a\"b\"' " QUOTES },
		{ "mode#x audit",
		  "1:1: 'mode#x' is not a statement; " STATEMENTS " (did you mean 'mode'?)" },
		{ "allow=1", "1:1: 'allow=1' is not a statement; " STATEMENTS " (did you mean 'allow'?)" },
		/* a BOM, an escape sequence, a lone carriage return */
		{ "\xef\xbb\xbfmode audit",
		  "1:1: '\\xef\\xbb\\xbfmode' is not a statement; " STATEMENTS },
		{ "\x1b[2J", "1:1: '\\x1b[2J' is not a statement; " STATEMENTS },
		{ "mode\raudit", "1:1: 'mode\\x0daudit' is not a statement; " STATEMENTS },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789",
		  "1:1: '0123456789012345678901234567890123456789012...' is not a statement; "
		  STATEMENTS },
	};

	(void)state;
	expect_error_cases(cases, ARRAY_SIZE(cases));
}

static void test_setting_errors(void **state)
{
	static const struct error_case cases[] = {
		{ "mode", "1:5: 'mode' has no value; expected enforce or audit" },
		{ " mode  # audit", "1:6: 'mode' has no value; expected enforce or audit" },
		{ "default", "1:8: 'default' has no value; expected allow or deny" },
		{ "without-hook\r\n", "1:13: 'without-hook' has no value; expected audit or trap" },
		{ "mode enfroce",
		  "1:6: 'enfroce' is not a value of 'mode'; expected enforce or audit (did you mean 'enforce'?)" },
		{ "mode trap", "1:6: 'trap' is not a value of 'mode'; expected enforce or audit" },
		{ "default audit", "1:9: 'audit' is not a value of 'default'; expected allow or deny" },
		{ "default allowed",
		  "1:9: 'allowed' is not a value of 'default'; expected allow or deny (did you mean 'allow'?)" },
		{ "without-hook\ttarp",
		  "1:14: 'tarp' is not a value of 'without-hook'; expected audit or trap (did you mean 'trap'?)" },
		{ "mode audit now", "1:12: 'now' is one word too many; expected the end of the line" },
		{ "default deny deny",
		  "1:14: 'deny' is one word too many; expected the end of the line" },
		{ "without-hook trap x # y",
		  "1:19: 'x' is one word too many; expected the end of the line" },
		{ "mode audit\n\n mode audit",
		  "3:2: 'mode' was already given in line 1; expected it once" },
		{ "#\ndefault deny\ndefault allow",
		  "3:1: 'default' was already given in line 2; expected it once" },
		{ "without-hook trap\nwithout-hook trap",
		  "2:1: 'without-hook' was already given in line 1; expected it once" },
	};

	(void)state;
	expect_error_cases(cases, ARRAY_SIZE(cases));
}

static void test_device_errors(void **state)
{
	static const struct error_case cases[] = {
		{ "allow", "1:6: 'allow' has no device; expected VENDOR:DEVICE in hex, * for any" },
		{ " deny # *:*", "1:6: 'deny' has no device; expected VENDOR:DEVICE in hex, * for any" },
		{ "allow 10de", "1:7: '10de' is not VENDOR:DEVICE; " DEVICE_IDS },
		{ "allow *", "1:7: '*' is not VENDOR:DEVICE; " DEVICE_IDS },
		{ "allow :2330", "1:7: ':2330' is not VENDOR:DEVICE; " DEVICE_IDS },
		{ "allow 10de:", "1:7: '10de:' is not VENDOR:DEVICE; " DEVICE_IDS },
		{ "allow 10de:2330:1", "1:7: '10de:2330:1' is not VENDOR:DEVICE; " DEVICE_IDS },
		{ "allow bar=0", "1:7: 'bar=0' is not VENDOR:DEVICE; " DEVICE_IDS },
		{ "allow 10de,2330", "1:7: '10de,2330' is not VENDOR:DEVICE; " DEVICE_IDS },
		{ "allow 10dg:2330", "1:7: '10dg' is not a hex number; " ID },
		{ "allow 10de:23*", "1:12: '23*' is not a hex number; " ID },
		{ "allow 10de:**", "1:12: '**' is not a hex number; " ID },
		{ "allow 0x:2330", "1:7: '0x' is not a hex number; " ID },
		{ "allow -1:2330", "1:7: '-1' is not a hex number; " ID },
		{ "allow +1:2330", "1:7: '+1' is not a hex number; " ID },
		{ "allow 10de:0x0x1", "1:12: '0x0x1' is not a hex number; " ID },
		{ "allow 10000:1", "1:7: '10000' is out of range; " ID },
		{ "allow 1:0x10000", "1:9: '0x10000' is out of range; " ID },
		{ "allow ffffffffffffffffffffffff:1",
		  "1:7: 'ffffffffffffffffffffffff' is out of range; " ID },
		/* beyond 64 bits, with small last digits */
		{ "allow 1:10000000000000001", "1:9: '10000000000000001' is out of range; " ID },
		{ "allow 10de:2330#gpu", "1:12: '2330#gpu' is not a hex number; " ID },
	};

	(void)state;
	expect_error_cases(cases, ARRAY_SIZE(cases));
}

static void test_match_errors(void **state)
{
	static const struct error_case cases[] = {
		{ "allow *:* 2330", "1:11: '2330' is not a match; " MATCHES },
		{ "allow *:* slto=*:*:*.*",
		  "1:11: 'slto' is not a match; " MATCHES " (did you mean 'slot='?)" },
		{ "allow *:* bars=0", "1:11: 'bars' is not a match; " MATCHES " (did you mean 'bar='?)" },
		{ "allow *:* Class=02",
		  "1:11: 'Class' is not a match; " MATCHES " (did you mean 'class='?)" },
		{ "allow *:* subsytem=*:*",
		  "1:11: 'subsytem' is not a match; " MATCHES " (did you mean 'subsystem='?)" },
		{ "allow *:* uidd", "1:11: 'uidd' is not a match; " MATCHES " (did you mean 'uid='?)" },
		{ "allow *:* cgrop=/x",
		  "1:11: 'cgrop' is not a match; " MATCHES " (did you mean 'cgroup='?)" },
		{ "allow *:* audti",
		  "1:11: 'audti' is not a match; " MATCHES " (did you mean 'audit'?)" },
		{ "allow *:* revision=5", "1:11: 'revision' is not a match; " MATCHES },
		{ "allow *:* =5", "1:11: '=5' is not a match; " MATCHES },
		{ "allow *:* cgroup=", "1:18: 'cgroup' has no value; expected cgroup=/PATH" },
		{ "allow *:* cgroup", "1:17: 'cgroup' has no value; expected cgroup=/PATH" },
		{ "allow *:* cgroup=/a cgroup=/b",
		  "1:21: 'cgroup' is given twice; expected each match once" },
		{ "allow *:* audit uid=0 audit", "1:23: 'audit' is given twice; expected each match once" },
		{ "allow *:* audit=1", "1:11: 'audit=1' has a value, and takes none; expected audit" },
		{ "allow *:* audit=", "1:11: 'audit=' has a value, and takes none; expected audit" },

		{ "allow *:* cgroup=machine.slice",
		  "1:18: 'machine.slice' does not begin at the root; " CGROUP },
		{ "allow *:* cgroup=\"\"", "1:18: '\"\"' does not begin at the root; " CGROUP },
		{ "allow *:* cgroup=/a/", "1:18: '/a/' has a folder without a name; " CGROUP },
		{ "allow *:* cgroup=//a", "1:18: '//a' has a folder without a name; " CGROUP },
		{ "allow *:* cgroup=/a/../b", "1:18: '/a/../b' has a folder that goes back; " CGROUP },
		{ "allow *:* cgroup=/.", "1:18: '/.' has a folder that goes back; " CGROUP },
		{ "allow *:* cgroup=\"/a b", "1:18: '\"/a b' " QUOTES },
		{ "allow *:* cgroup=\"/a\"b", "1:18: '\"/a\"b' " QUOTES },
		{ "allow *:* cgroup=/a\"b\"", "1:18: '/a\"b\"' " QUOTES },

		{ "allow *:* subsystem", "1:20: 'subsystem' has no value; expected subsystem=VENDOR:DEVICE" },
		{ "allow *:* class=", "1:17: 'class' has no value; expected class=CC, CCSS or CCSSPP" },
		{ "allow *:* slot", "1:15: 'slot' has no value; expected slot=DDDD:BB:DD.F" },
		{ "allow *:* bar=", "1:15: 'bar' has no value; expected bar=N or bar=N,N" },
		{ "allow *:* uid= ", "1:15: 'uid' has no value; expected uid=N" },

		{ "allow *:* bar=0 uid=1 bar=1", "1:23: 'bar' is given twice; expected each match once" },
		{ "allow *:* uid=1 uid=1", "1:17: 'uid' is given twice; expected each match once" },
		{ "allow *:* class=02 class=03",
		  "1:20: 'class' is given twice; expected each match once" },
		{ "allow *:* slot=*:*:*.* slot=*:*:*.1",
		  "1:24: 'slot' is given twice; expected each match once" },
		{ "allow *:* subsystem=1:1 subsystem=1:1",
		  "1:25: 'subsystem' is given twice; expected each match once" },
		{ "allow *:* bar=0 bar", "1:17: 'bar' is given twice; expected each match once" },

		{ "allow *:* subsystem=1af4", "1:21: '1af4' is not VENDOR:DEVICE; " IDS },
		{ "allow *:* subsystem=1af4:zz", "1:26: 'zz' is not a hex number; " ID },
		{ "allow *:* subsystem=12345:1", "1:21: '12345' is out of range; " ID },

		{ "allow *:* class=2", "1:17: '2' " CLASS },
		{ "allow *:* class=020", "1:17: '020' " CLASS },
		{ "allow *:* class=02000000", "1:17: '02000000' " CLASS },
		{ "allow *:* class=0x", "1:17: '0x' " CLASS },
		{ "allow *:* class=*", "1:17: '*' " CLASS },
		{ "allow *:* class=net", "1:17: 'net' " CLASS },
		{ "allow *:* class=02,03", "1:17: '02,03' " CLASS },

		{ "allow *:* slot=*", "1:16: '*' " SLOT },
		{ "allow *:* slot=41:00.0", "1:16: '41:00.0' " SLOT },
		{ "allow *:* slot=0000:41:00", "1:16: '0000:41:00' " SLOT },
		{ "allow *:* slot=0000.41:00:0", "1:16: '0000.41:00:0' " SLOT },
		{ "allow *:* slot=:41:00.0", "1:16: ':41:00.0' " SLOT },
		{ "allow *:* slot=0000::00.0", "1:16: '0000::00.0' " SLOT },
		{ "allow *:* slot=0000:41:.0", "1:16: '0000:41:.0' " SLOT },
		{ "allow *:* slot=0000:41:00.", "1:16: '0000:41:00.' " SLOT },
		{ "allow *:* slot=100000000:41:00.0",
		  "1:16: '100000000' is out of range; expected a domain from 0 to ffffffff, or *" },
		{ "allow *:* slot=0000:100:00.0",
		  "1:21: '100' is out of range; expected a bus from 0 to ff, or *" },
		{ "allow *:* slot=0000:41:20.0",
		  "1:24: '20' is out of range; expected a device from 0 to 1f, or *" },
		{ "allow *:* slot=0000:41:1f.8",
		  "1:27: '8' is out of range; expected a function from 0 to 7, or *" },
		{ "allow *:* slot=0x00:41:1f.7",
		  "1:16: '0x00' is not a hex number; expected a domain from 0 to ffffffff, or *" },
		{ "allow *:* slot=0000:g:1f.7",
		  "1:21: 'g' is not a hex number; expected a bus from 0 to ff, or *" },
		{ "allow *:* slot=0000:41:1*.7",
		  "1:24: '1*' is not a hex number; expected a device from 0 to 1f, or *" },
		{ "allow *:* slot=0000:41:1f.7.1",
		  "1:27: '7.1' is not a hex number; expected a function from 0 to 7, or *" },
		{ "allow *:* slot=0000:41:1f:2.7",
		  "1:24: '1f:2' is not a hex number; expected a device from 0 to 1f, or *" },

		{ "allow *:* bar=6", "1:15: '6' is out of range; " BARS },
		{ "allow *:* bar=0,18446744073709551616",
		  "1:17: '18446744073709551616' is out of range; " BARS },
		{ "allow *:* bar=-1", "1:15: '-1' is not a BAR; " BARS },
		{ "allow *:* bar=0x1", "1:15: '0x1' is not a BAR; " BARS },
		{ "allow *:* bar=*", "1:15: '*' is not a BAR; " BARS },
		{ "allow *:* bar=0-2", "1:15: '0-2' is not a BAR; " BARS },
		{ "allow *:* bar=0,1,0", "1:19: '0' is listed twice; expected each BAR once" },
		{ "allow *:* bar=,0", "1:15: ',0' has an empty place; " BARS },
		{ "allow *:* bar=0,,2", "1:17: '0,,2' has an empty place; " BARS },
		{ "allow *:* bar=0,", "1:17: '0,' has an empty place; " BARS },

		{ "allow *:* uid=root", "1:15: 'root' is not a uid; " UID },
		{ "allow *:* uid=0x10", "1:15: '0x10' is not a uid; " UID },
		{ "allow *:* uid=-1", "1:15: '-1' is not a uid; " UID },
		{ "allow *:* uid=4294967295", "1:15: '4294967295' is out of range; " UID },
		{ "allow *:* uid=18446744073709551616",
		  "1:15: '18446744073709551616' is out of range; " UID },
	};

	(void)state;
	expect_error_cases(cases, ARRAY_SIZE(cases));
}

static void test_all_errors_are_shown(void **state)
{
	const char text[] = "mode x\n"
			    "mode audit\n"
			    "allow 1:1\n"
			    "deny zz:yy bar=9,0,8 slot=0:100:20.8 uid=u\n"
			    "default";

	(void)state;
	expect_errors_size(text, strlen(text),
		"policy.conf:1:6: 'x' is not a value of 'mode'; expected enforce or audit\n"
		"policy.conf:2:1: 'mode' was already given in line 1; expected it once\n"
		"policy.conf:4:6: 'zz' is not a hex number; " ID "\n"
		"policy.conf:4:9: 'yy' is not a hex number; " ID "\n"
		"policy.conf:4:16: '9' is out of range; " BARS "\n"
		"policy.conf:4:20: '8' is out of range; " BARS "\n"
		"policy.conf:4:29: '100' is out of range; expected a bus from 0 to ff, or *\n"
		"policy.conf:4:33: '20' is out of range; expected a device from 0 to 1f, or *\n"
		"policy.conf:4:36: '8' is out of range; expected a function from 0 to 7, or *\n"
		"policy.conf:4:42: 'u' is not a uid; " UID "\n"
		"policy.conf:5:8: 'default' has no value; expected allow or deny\n");
}

static void test_error_cap(void **state)
{
	_cleanup_errors_ struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy;
	char text[2 * (NCG_POLICY_ERRORS_MAX + 3)], *all, *end;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "x\n", 2);
	assert_int_equal(ncg_policy_parse_text("f", text, 2 * NCG_POLICY_ERRORS_MAX, &policy,
					       &errors), -EINVAL);
	assert_int_equal(errors->count, NCG_POLICY_ERRORS_MAX);
	assert_int_equal(errors->more, 0);
	ncg_policy_errors_free(errors);

	assert_int_equal(ncg_policy_parse_text("f", text, sizeof(text), &policy, &errors), -EINVAL);
	assert_int_equal(errors->count, NCG_POLICY_ERRORS_MAX);
	assert_int_equal(errors->more, 3);
	assert_int_equal(errors->list[NCG_POLICY_ERRORS_MAX - 1].line, NCG_POLICY_ERRORS_MAX);
	all = ncg_policy_errors_format(errors);
	end = strstr(all, "f: 3 more errors are not shown\n");
	assert_non_null(end);
	assert_string_equal(end, "f: 3 more errors are not shown\n");
	free(all);
}

static void test_error_members(void **state)
{
	_cleanup_errors_ struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy;
	const struct ncg_policy_error *error;
	char *text;

	(void)state;
	assert_int_equal(ncg_policy_parse_text("a file", "\n alow", 6, &policy, &errors), -EINVAL);
	assert_int_equal(errors->count, 1);
	error = errors->list;
	assert_string_equal(error->file, "a file");
	assert_int_equal(error->line, 2);
	assert_int_equal(error->column, 2);
	assert_string_equal(error->text, "alow");
	assert_string_equal(error->problem, "is not a statement");
	assert_null(error->included);
	assert_string_equal(error->expected,
			    "mode, default, without-hook, include, allow or deny");
	assert_string_equal(error->nearest, "allow");
	text = ncg_policy_error_format(error);
	assert_string_equal(text, "a file:2:2: 'alow' is not a statement; " STATEMENTS
				  " (did you mean 'allow'?)");
	free(text);
}

/* -------------------------------------------------------------- odd texts */

static void test_nul_bytes(void **state)
{
	static const char in_word[] = "mode\0 audit\nmode audit", in_comment[] = "# \0";
	static const char utf16[] = "m\0o\0d\0e\0";

	(void)state;
	expect_errors_size(in_word, sizeof(in_word) - 1,
			   "policy.conf:1:5: '\\x00' is a NUL byte; expected text\n");
	expect_errors_size(in_comment, sizeof(in_comment) - 1,
			   "policy.conf:1:3: '\\x00' is a NUL byte; expected text\n");
	expect_errors_size(utf16, sizeof(utf16) - 1,
			   "policy.conf:1:2: '\\x00' is a NUL byte; expected text\n");
}

static void test_line_length(void **state)
{
	char text[NCG_POLICY_LINE_MAX + 4];

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "mode audit", 10);
	text[NCG_POLICY_LINE_MAX] = '\r';
	text[NCG_POLICY_LINE_MAX + 1] = '\n';
	ncg_policy_free(parse_size(text, NCG_POLICY_LINE_MAX + 2));
	ncg_policy_free(parse_size(text, NCG_POLICY_LINE_MAX));

	/* also where the excess is only a comment */
	text[0] = '#';
	memcpy(text + NCG_POLICY_LINE_MAX, "xyz\n", 4);
	expect_errors_size(text, sizeof(text),
			   "policy.conf:1:4097: 'xyz' goes beyond the longest line; "
			   "expected a line of at most 4096 bytes\n");
}

static void test_size_cap(void **state)
{
	char *text = malloc(NCG_POLICY_SIZE_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', NCG_POLICY_SIZE_MAX + 1);
	ncg_policy_free(parse_size(text, NCG_POLICY_SIZE_MAX));
	expect_errors_size(text, NCG_POLICY_SIZE_MAX + 1,
			   "policy.conf: the policy is too long; expected at most 16 MiB\n");
	free(text);
}

static void test_line_endings(void **state)
{
	static const char *const texts[] = {
		"mode enforce\nallow 1:1\n", "mode enforce\nallow 1:1",
		"mode enforce\r\nallow 1:1\r\n", "mode enforce\r\nallow 1:1\r",
		"mode enforce \r\nallow 1:1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_policy_ struct ncg_policy *policy = parse(texts[i]);

		assert_int_equal(policy->mode, NCG_MODE_ENFORCE);
		assert_int_equal(policy->rule_count, 1);
		assert_int_equal(policy->rules[0].line, 2);
	}
}

/* --------------------------------------------------------------- the pieces */

static void test_init_line_finish(void **state)
{
	_cleanup_parser_ struct ncg_policy_parser *parser = NULL;
	_cleanup_policy_ struct ncg_policy *policy = NULL;
	_cleanup_errors_ struct ncg_policy_errors *errors = (void *)1;
	struct ncg_policy_parser *bad;
	/* neither terminated nor newline: the length alone counts */
	const char line[] = { 'd', 'e', 'n', 'y', ' ', '1', ':', '2' };

	(void)state;
	assert_int_equal(ncg_policy_parse_init("p", &parser), 0);
	assert_int_equal(ncg_policy_parse_line(parser, "", 0), 0);
	assert_int_equal(ncg_policy_parse_line(parser, line, sizeof(line)), 0);
	assert_int_equal(ncg_policy_parse_finish(parser, &policy, &errors), 0);
	assert_null(errors);
	assert_int_equal(policy->rule_count, 1);
	assert_int_equal(policy->rules[0].line, 2);

	assert_int_equal(ncg_policy_parse_init("p", &bad), 0);
	assert_int_equal(ncg_policy_parse_line(bad, "deny", 4), -EINVAL);
	assert_int_equal(ncg_policy_parse_line(bad, line, sizeof(line)), 0);
	ncg_policy_free(policy);
	policy = (void *)1;
	assert_int_equal(ncg_policy_parse_finish(bad, &policy, NULL), -EINVAL);
	assert_null(policy);
	ncg_policy_parse_free(bad);
}

static void test_free_null(void **state)
{
	(void)state;
	ncg_policy_free(NULL);
	ncg_policy_errors_free(NULL);
	ncg_policy_parse_free(NULL);
}

static void test_path_shorten(void **state)
{
	char name[NCG_PATH_LEN], path[201];
	static const char zero[NCG_PATH_LEN];

	(void)state;
	memset(name, 0xaa, sizeof(name));
	ncg_policy_path_shorten("/etc/x", name);
	assert_string_equal(name, "/etc/x");
	assert_memory_equal(name + 6, zero, NCG_PATH_LEN - 6);
	ncg_policy_path_shorten("", name);
	assert_memory_equal(name, zero, NCG_PATH_LEN);

	for (size_t i = 0; i < 200; i++)
		path[i] = 'a' + i % 26;
	/* 63 bytes fit, 64 do not */
	path[63] = '\0';
	ncg_policy_path_shorten(path, name);
	assert_string_equal(name, path);
	path[63] = 'a' + 63 % 26;
	path[64] = '\0';
	ncg_policy_path_shorten(path, name);
	assert_int_equal(strlen(name), 63);
	assert_memory_equal(name, "...", 3);
	assert_string_equal(name + 3, path + 4);
	path[64] = 'a' + 64 % 26;
	path[200] = '\0';
	ncg_policy_path_shorten(path, name);
	assert_int_equal(strlen(name), 63);
	assert_string_equal(name + 3, path + 140);

	/* a cut within "é" leaves it out whole */
	memcpy(path + 139, "\xc3\xa9", 2);
	ncg_policy_path_shorten(path, name);
	assert_string_equal(name + 3, path + 141);
	assert_int_equal(name[NCG_PATH_LEN - 2], '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_cgroup_and_audit),
		cmocka_unit_test(test_cgroup_bounds),
		cmocka_unit_test(test_rules_keep_order_and_line),
		cmocka_unit_test(test_statement_errors),
		cmocka_unit_test(test_setting_errors),
		cmocka_unit_test(test_device_errors),
		cmocka_unit_test(test_match_errors),
		cmocka_unit_test(test_all_errors_are_shown),
		cmocka_unit_test(test_error_cap),
		cmocka_unit_test(test_error_members),
		cmocka_unit_test(test_nul_bytes),
		cmocka_unit_test(test_line_length),
		cmocka_unit_test(test_size_cap),
		cmocka_unit_test(test_line_endings),
		cmocka_unit_test(test_init_line_finish),
		cmocka_unit_test(test_free_null),
		cmocka_unit_test(test_path_shorten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
