// SPDX-License-Identifier: GPL-2.0-only
/*
 * What policy_review says of policies: each kind, and against a look at every pair of
 * rules of made policies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "policy_review.h"

static struct ncg_policy *parse(const char *text)
{
	struct ncg_policy *policy;

	assert_int_equal(ncg_policy_parse_text("p", text, strlen(text), &policy, NULL), 0);
	return policy;
}

static char *review(const struct ncg_policy *policy, const struct ncg_devices *devices)
{
	ncg_autofree struct ncg_policy_findings *findings = NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(ncg_policy_review(policy, devices, &findings), 0);
	for (size_t i = 0; i < findings->count; i++) {
		ncg_autofree char *line = ncg_policy_finding_format(policy, &findings->list[i]);

		assert_non_null(line);
		fprintf(out, "%s\n", line);
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

#define AGAIN(line, by) "p:" #line ": says again what p:" #by " says\n"
#define AGAINST(line, by) \
	"p:" #line ": contradicts p:" #by ", which matches the same and stands before it\n"
#define NEVER(line, by) \
	"p:" #line ": never decides: p:" #by " stands before it and matches all that it does\n"

static void test_kinds(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", "" },
		{ "allow 1:2\nallow 1:3\ndeny 2:2\ndeny *:*\n", "" },
		{ "allow 1:2\nallow 1:2\n", AGAIN(2, 1) },
		{ "allow 1:2 audit\nallow 1:2\n", AGAINST(2, 1) },
		{ "allow 1:2\ndeny 1:2\n", AGAINST(2, 1) },
		{ "allow 1:2\ndeny 3:4\nallow 1:2 bar=0\n", NEVER(3, 1) },
		/* the first of several */
		{ "allow 1:*\nallow 1:2\nallow 1:2\n", NEVER(2, 1) NEVER(3, 1) },
		{ "allow 1:2\nallow 1:*\nallow 1:2\n", AGAIN(3, 1) },
		{ "deny *:*\nallow 1:2 class=02 uid=7\n", NEVER(2, 1) },
		{ "allow 1:2 class=02\nallow 1:2 class=0200\nallow 1:2 class=0300\n", NEVER(2, 1) },
		{ "deny *:* bar=0,2\nallow 1:2 bar=2\nallow 1:2 bar=2,3\nallow 1:2\n", NEVER(2, 1) },
		{ "deny *:* bar=0\ndeny *:* bar=2\nallow *:* bar=2,0\n", "" },
		{ "deny *:* slot=0:*:*.0\nallow *:* slot=0:3:4.0\nallow *:* slot=0:3:4.1\n",
		  NEVER(2, 1) },
		{ "deny *:* cgroup=/a\nallow *:* cgroup=/a/b\nallow *:* cgroup=/ab\nallow *:*\n",
		  NEVER(2, 1) },
		{ "deny *:* cgroup=/a/b\nallow *:* cgroup=/a\n", "" },
		{ "deny *:* cgroup=/\nallow 1:* cgroup=/a/b\nallow *:*\n", NEVER(2, 1) },
		{ "deny 1:*\nallow *:* cgroup=/a\nallow 1:2 cgroup=/a/b\n", NEVER(3, 1) },
		{ "deny *:* cgroup=/a\ndeny *:* cgroup=/a\n", AGAIN(2, 1) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = parse(cases[i].text);
		ncg_autofree char *found = review(policy, NULL);

		assert_string_equal(found, cases[i].expected);
	}
}

static void test_devices(void **state)
{
	struct ncg_device list[] = {
		{ .vendor = 1, .device = 2, .class_code = 0x020000, .bus = 3, .devfn = 8 },
	};
	const struct ncg_devices devices = { .list = list, .count = 1 }, none = { 0 };
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy =
		parse("deny 1:2 class=02 bar=5 uid=9 cgroup=/x\nallow 1:3\ndeny 1:3\ndeny *:*\n");
	ncg_autofree char *found = review(policy, &devices), *all = review(policy, &none);

	(void)state;
	assert_string_equal(found, AGAINST(3, 2) "p:2: matches no device of this host\n");
	assert_string_equal(all, AGAINST(3, 2) "p:1: matches no device of this host\n"
				 "p:2: matches no device of this host\n"
				 "p:4: matches no device of this host\n");
}

static void test_bound(void **state)
{
	ncg_autofree struct ncg_policy_findings *findings = NULL;
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	ncg_autofree char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	for (unsigned int i = 0; i < NCG_POLICY_FINDINGS_MAX + 4; i++)
		fputs("allow 1:2\n", out);
	fclose(out);
	policy = parse(text);
	assert_int_equal(ncg_policy_review(policy, NULL, &findings), 0);
	assert_int_equal(findings->count, NCG_POLICY_FINDINGS_MAX);
	assert_int_equal(findings->more, 3);
}

/* ------------------------------------------------------------------ every pair */

static bool covers(const struct ncg_policy_rule *a, const struct ncg_policy_rule *b)
{
	const uint8_t *va = (void *)&a->value, *ma = (void *)&a->mask;
	const uint8_t *vb = (void *)&b->value, *mb = (void *)&b->mask;
	size_t length = a->cgroup ? strlen(a->cgroup) : 0;

	for (size_t i = 0; i < sizeof(a->mask); i++)
		if ((ma[i] & ~mb[i]) || (vb[i] & ma[i]) != va[i])
			return false;
	if (a->bars && (!b->bars || (b->bars & ~a->bars)))
		return false;
	if (!length)
		return true;
	return b->cgroup && (length == 1 || (!strncmp(a->cgroup, b->cgroup, length) &&
					     (!b->cgroup[length] || b->cgroup[length] == '/')));
}

static char *made_policy(void)
{
	static const char *const ids[] = { "1", "2", "*" };
	static const char *const more[] = {
		"",	     "",	  " bar=0",	  " bar=0,1",	    " bar=1",
		" bar=1,2",  " class=02", " class=0201",  " uid=1",	    " cgroup=/a",
		" cgroup=/", " cgroup=/a/b", " cgroup=/a/c bar=1", " cgroup=/b bar=0,1,2",
		" cgroup=/a/b/c uid=1", " slot=0:1:*.*", " slot=0:1:2.*", " subsystem=1:*",
		" subsystem=1:2 bar=0", " cgroup=/ bar=2",
	};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (int rules = 1 + rand() % 40; rules; rules--)
		fprintf(out, "%s %s:%s%s\n", rand() % 2 ? "allow" : "deny", ids[rand() % 3],
			ids[rand() % 3], more[rand() % (sizeof(more) / sizeof(*more))]);
	fclose(out);
	return text;
}

static void test_every_pair(void **state)
{
	(void)state;
	srand(4);
	for (unsigned int n = 0; n < 4000; n++) {
		ncg_autofree struct ncg_policy_findings *findings = NULL;
		ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
		ncg_autofree char *text = made_policy();
		size_t found = 0;

		policy = parse(text);
		assert_int_equal(ncg_policy_review(policy, NULL, &findings), 0);
		for (size_t i = 0; i < policy->rule_count; i++) {
			size_t by = 0;

			while (by < i && !covers(&policy->rules[by], &policy->rules[i]))
				by++;
			if (by == i)
				continue;
			assert_true(found < findings->count);
			assert_int_equal(findings->list[found].rule, i);
			assert_int_equal(findings->list[found++].by, by);
		}
		assert_int_equal(found, findings->count);
	}
}

/* ------------------------------------------------------------------------ work */

/* What a policy of so many rules, each made by write(), is held against. */
static size_t work_of(unsigned int rules, void (*write)(FILE *out, unsigned int rule))
{
	ncg_autofree struct ncg_policy_findings *findings = NULL;
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	ncg_autofree char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (unsigned int i = 0; i < rules; i++)
		write(out, i);
	fclose(out);
	policy = parse(text);
	assert_int_equal(policy->rule_count, rules);
	assert_int_equal(ncg_policy_review(policy, NULL, &findings), 0);
	return findings->compared;
}

/* One device, first its one BAR and then the other. */
static void two_bars(FILE *out, unsigned int rule)
{
	fprintf(out, "allow 1af4:1110 bar=%u\n", rule < 30000 ? 0 : 1);
}

/* Every set of BARs, none within one before it where that can be. */
static void every_bars(FILE *out, unsigned int rule)
{
	fprintf(out, "allow %04x:1110 bar=", rule / 63);
	for (unsigned int bar = 0, set = 1 + rule % 63; bar < 6; bar++)
		if (set >> bar & 1)
			fprintf(out, "%u%s", bar, set >> (bar + 1) ? "," : "\n");
}

/* Many sets of fields, and cgroups as deep as they may be. */
static void deep(FILE *out, unsigned int rule)
{
	static const char *const sets[] = { "*:1", "1:*", "1:1", "*:* class=02", "*:1 class=02",
					    "1:* class=02", "*:* uid=1", "1:* uid=1" };

	if (rule < 8) {
		fprintf(out, "allow %s\n", sets[rule]);
		return;
	}
	fprintf(out, "deny %04x:%04x cgroup=", rule >> 8, rule & 0xff);
	for (unsigned int level = 0; level < 32; level++)
		fputs("/y", out);
	fputs("\n", out);
}

static void test_work(void **state)
{
	(void)state;
	assert_in_range(work_of(60000, two_bars), 60000, 4 * 60000);
	assert_in_range(work_of(60000, every_bars), 60000, 64 * 60000);
	assert_in_range(work_of(60000, deep), 60000, 12 * 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
