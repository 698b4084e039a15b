// SPDX-License-Identifier: GPL-2.0-only
/*
 * The compiled form, and the decision over it, natively: what each rule becomes,
 * the bounds, and 100,000 random policies against a naive interpreter. No state
 * outside each test.
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
#include "policy_model.h"
#include "policy_native.h"

#define POLICIES 100000
#define PAIRS_EACH 10	/* devices for each policy */
#define PAIRS (POLICIES * PAIRS_EACH)

#define _cleanup_policy_ __attribute__((cleanup(ncg_policy_freep)))
#define _cleanup_errors_ __attribute__((cleanup(ncg_policy_errors_freep)))
#define _cleanup_compiled_ __attribute__((cleanup(ncg_policy_compile_freep)))

static struct ncg_policy *parse(const char *text, size_t size)
{
	_cleanup_errors_ struct ncg_policy_errors *errors = NULL;
	struct ncg_policy *policy;
	int r = ncg_policy_parse_text("policy.conf", text, size, &policy, &errors);

	if (r == -EINVAL) {
		char *all = ncg_policy_errors_format(errors);

		print_error("%s--- of ---\n%.*s\n", all, (int)size, text);
		free(all);
	}
	assert_int_equal(r, 0);
	return policy;
}

static struct ncg_compiled *compile(const char *text, __u64 generation)
{
	_cleanup_policy_ struct ncg_policy *policy = parse(text, strlen(text));
	struct ncg_compiled *compiled;

	assert_int_equal(ncg_policy_compile(policy, generation, &compiled), 0);
	return compiled;
}

/* A decision with grade set beforehand, and every other member to be written. */
static struct ncg_decision decide(void *map, const struct ncg_tuple *tuple, const char *cgroup)
{
	struct ncg_tuple t = *tuple;
	struct ncg_decision decision;
	struct ncg_choice choice;

	memset(&decision, 0xaa, sizeof(decision));
	decision.grade = NCG_GRADE_HOOK;
	ncg_decide(map, &t, (void *)cgroup, &choice);
	ncg_choice_record(map, &choice, &decision);
	assert_int_equal(decision.grade, NCG_GRADE_HOOK);
	assert_int_equal(decision.verdict, ncg_choice_verdict(&choice));
	assert_int_equal(ncg_choice_acts(&choice),
			 decision.mode == NCG_MODE_ENFORCE && !decision.audit);
	return decision;
}

static void expect_rule(const struct ncg_compiled *compiled, const struct ncg_tuple *tuple,
			unsigned int verdict, unsigned int line)
{
	struct ncg_decision d = decide((void *)compiled, tuple, NULL);

	assert_int_equal(d.verdict, verdict);
	assert_int_equal(d.reason, line ? NCG_REASON_RULE : NCG_REASON_DEFAULT);
	assert_int_equal(d.line, line);
	assert_string_equal(d.file, line ? "policy.conf" : "");
}

/* ------------------------------------------------------------------- layout */

static void test_empty_policy(void **state)
{
	_cleanup_compiled_ struct ncg_compiled *compiled = compile("", 7);
	const struct ncg_phead *head = &compiled->elements[0].head;

	(void)state;
	assert_int_equal(compiled->count, 2);	/* head, file */
	assert_int_equal(head->generation, 7);
	assert_int_equal(head->mode, NCG_MODE_AUDIT);
	assert_int_equal(head->fallback, NCG_VERDICT_DENY);
	assert_int_equal(head->without_hook, NCG_WITHOUT_HOOK_AUDIT);
	assert_int_equal(head->masks, 0);
	assert_int_equal(head->rules, 0);
	assert_int_equal(head->slots, 0);
	assert_int_equal(head->cgroups, 0);
	assert_string_equal(compiled->elements[1].file, "policy.conf");
	expect_rule(compiled, &(struct ncg_tuple){ 0 }, NCG_VERDICT_DENY, 0);
}

static void test_elements_in_order(void **state)
{
	_cleanup_compiled_ struct ncg_compiled *compiled = NULL;
	_cleanup_policy_ struct ncg_policy *policy = NULL;
	const char text[] = "mode enforce\ndefault allow\nwithout-hook trap\n"
			    "allow 10de:2330\ndeny 15b3:*\nallow 10de:2331\n";
	const union ncg_pelement *elements;
	const struct ncg_phead *head;
	size_t used = 0;

	(void)state;
	policy = parse(text, strlen(text));
	memset(policy->sha256, 0x5a, sizeof(policy->sha256));
	assert_int_equal(ncg_policy_compile(policy, 1, &compiled), 0);
	elements = compiled->elements;
	head = &elements[0].head;
	assert_int_equal(head->mode, NCG_MODE_ENFORCE);
	assert_int_equal(head->fallback, NCG_VERDICT_ALLOW);
	assert_int_equal(head->without_hook, NCG_WITHOUT_HOOK_TRAP);
	assert_int_equal(head->masks, 2);
	assert_int_equal(head->rules, 3);
	assert_int_equal(head->first_slot, 1 + 2 + 1);
	assert_int_equal(compiled->count, head->first_slot + head->slots);
	assert_memory_equal(head->sha256, policy->sha256, sizeof(policy->sha256));
	assert_int_equal(elements[1].mask.bits.vendor, 0xffff);
	assert_int_equal(elements[1].mask.bits.device, 0xffff);
	assert_int_equal(elements[1].mask.first_order, 0);
	assert_int_equal(elements[2].mask.bits.vendor, 0xffff);
	assert_int_equal(elements[2].mask.bits.device, 0);
	assert_int_equal(elements[2].mask.first_order, 1);
	assert_string_equal(elements[3].file, "policy.conf");
	for (__u32 i = head->first_slot; i < compiled->count; i++)
		used += elements[i].slot.key.space != 0;
	assert_int_equal(used, 3);

	for (size_t i = 0; i < policy->rule_count; i++) {
		struct ncg_pkey key = { .tuple = policy->rules[i].value,
					.space = NCG_SPACE_MASK(i == 1) };
		const struct ncg_pslot *slot = ncg_policy_slot(compiled, head, &key);

		assert_non_null(slot);
		assert_int_equal(slot->rule.order, i);
		assert_int_equal(slot->rule.line, 4 + i);
		assert_int_equal(slot->rule.file, 0);
		assert_int_equal(slot->rule.verdict, i == 1 ? NCG_VERDICT_DENY : NCG_VERDICT_ALLOW);
		/* the same bits under the other mask are another key */
		key.space = NCG_SPACE_MASK(i != 1);
		assert_null(ncg_policy_slot(compiled, head, &key));
	}
}

/* The gate knows an unchanged policy by its bytes. */
static void test_same_policy_same_bytes(void **state)
{
	const char text[] = "allow 10de:2330 bar=0,2\ndeny 15b3:* uid=3\nallow *:* class=02\n";
	_cleanup_compiled_ struct ncg_compiled *first = compile(text, 4), *second = compile(text, 4);

	(void)state;
	assert_int_equal(first->count, second->count);
	assert_memory_equal(first->elements, second->elements,
			    first->count * sizeof(*first->elements));
}

static void test_bar_list_expands(void **state)
{
	_cleanup_compiled_ struct ncg_compiled *compiled =
		compile("deny 10de:2330 bar=5,0,2\nallow 10de:2330 bar=0,1\nallow 10de:2330\n", 1);
	struct ncg_tuple t = { .vendor = 0x10de, .device = 0x2330 };

	(void)state;
	/* BAR 0 of the second line repeats the first, and only that is stored */
	assert_int_equal(compiled->elements[0].head.rules, 5);
	assert_int_equal(compiled->elements[0].head.masks, 2);
	for (t.bar = 0; t.bar < 6; t.bar++) {
		static const unsigned int lines[] = { 1, 2, 1, 3, 3, 1 };

		expect_rule(compiled, &t, lines[t.bar] == 1 ? NCG_VERDICT_DENY : NCG_VERDICT_ALLOW,
			    lines[t.bar]);
	}
}

static void test_repeated_rule_first_wins(void **state)
{
	_cleanup_compiled_ struct ncg_compiled *compiled =
		compile("deny 0x10DE:2330\nallow 10de:2330\nallow 10de:2330 # again\n", 1);

	(void)state;
	assert_int_equal(compiled->elements[0].head.rules, 1);
	expect_rule(compiled, &(struct ncg_tuple){ .vendor = 0x10de, .device = 0x2330 },
		    NCG_VERDICT_DENY, 1);
}

static void test_first_match_across_masks(void **state)
{
	_cleanup_compiled_ struct ncg_compiled *wide_first =
		compile("deny 10de:*\nallow 10de:2330\n", 1);
	_cleanup_compiled_ struct ncg_compiled *narrow_first =
		compile("allow 10de:2330\ndeny 10de:*\n", 1);
	/* the first mask holds a later match as well as an earlier miss */
	_cleanup_compiled_ struct ncg_compiled *mixed =
		compile("allow 1:1\ndeny 2:*\nallow 2:2\n", 1);
	const struct ncg_tuple gpu = { .vendor = 0x10de, .device = 0x2330 };

	(void)state;
	expect_rule(wide_first, &gpu, NCG_VERDICT_DENY, 1);
	expect_rule(narrow_first, &gpu, NCG_VERDICT_ALLOW, 1);
	expect_rule(mixed, &(struct ncg_tuple){ .vendor = 2, .device = 2 }, NCG_VERDICT_DENY, 2);
	expect_rule(mixed, &(struct ncg_tuple){ .vendor = 1, .device = 1 }, NCG_VERDICT_ALLOW, 1);
	expect_rule(mixed, &(struct ncg_tuple){ .vendor = 3, .device = 1 }, NCG_VERDICT_DENY, 0);
}

/* ------------------------------------------------------------- no decision */

static void expect_none(void *map)
{
	const struct ncg_tuple t = { .vendor = 0x10de, .device = 0x2330 };
	const struct ncg_decision d = decide(map, &t, NULL);
	const struct ncg_decision none = { .grade = NCG_GRADE_HOOK };

	assert_int_equal(NCG_VERDICT_NONE, 0);
	assert_int_equal(NCG_REASON_NO_POLICY, 0);
	assert_memory_equal(&d, &none, sizeof(d));
}

static void test_no_policy_abstains(void **state)
{
	_cleanup_compiled_ struct ncg_compiled *compiled = compile("allow *:*\n", 1);

	(void)state;
	expect_none(NULL);

	/* positive control, then the same with too many masks, its mask missing, nothing */
	expect_rule(compiled, &(struct ncg_tuple){ 0 }, NCG_VERDICT_ALLOW, 1);
	compiled->elements[0].head.masks = NCG_MASKS_MAX + 1;
	expect_none(compiled);
	compiled->elements[0].head.masks = 1;
	compiled->count = 1;
	expect_none(compiled);
	compiled->count = 0;
	expect_none(compiled);
}

static void test_missing_file_keeps_verdict(void **state)
{
	_cleanup_compiled_ struct ncg_compiled *compiled = compile("allow *:*\n", 1);
	struct ncg_pkey key = { .space = NCG_SPACE_MASK(0) };
	struct ncg_pslot *slot;
	struct ncg_decision d;

	(void)state;
	slot = (void *)ncg_policy_slot(compiled, &compiled->elements[0].head, &key);
	slot->rule.file = 0xffff;
	d = decide(compiled, &(struct ncg_tuple){ 0 }, NULL);
	assert_int_equal(d.verdict, NCG_VERDICT_ALLOW);
	assert_int_equal(d.line, 1);
	assert_string_equal(d.file, "");
}

/* ------------------------------------------------------------------- bounds */

/* The i-th of 4096 combinations of matches, each with a mask of its own. */
static void shape_write(FILE *out, unsigned int i)
{
	fprintf(out, "allow %s:%s", i & 1 ? "1" : "*", i & 2 ? "1" : "*");
	fprintf(out, " subsystem=%s:%s", i & 4 ? "1" : "*", i & 8 ? "1" : "*");
	fprintf(out, " slot=%s:%s:%s.%s\n", i & 16 ? "1" : "*", i & 32 ? "1" : "*",
		i & 64 ? "1" : "*", i & 128 ? "1" : "*");
}

static struct ncg_policy *parse_written(void (*write)(FILE *, unsigned int), unsigned int count,
					const char *more)
{
	struct ncg_policy *policy;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (unsigned int i = 0; i < count; i++)
		write(out, i);
	fputs(more, out);
	fclose(out);
	policy = parse(text, size);
	free(text);
	return policy;
}

static void test_masks_bound(void **state)
{
	_cleanup_policy_ struct ncg_policy *fits = parse_written(shape_write, NCG_MASKS_MAX, "");
	_cleanup_policy_ struct ncg_policy *one_more =
		parse_written(shape_write, NCG_MASKS_MAX, "# beyond\nallow *:* uid=0\n");
	_cleanup_compiled_ struct ncg_compiled *compiled = NULL;
	char *text;

	(void)state;
	assert_int_equal(ncg_policy_compile(fits, 1, &compiled), 0);
	assert_int_equal(compiled->elements[0].head.masks, NCG_MASKS_MAX);
	assert_null(ncg_policy_compile_explain(fits));
	ncg_policy_compile_free(compiled);

	compiled = (void *)1;
	assert_int_equal(ncg_policy_compile(one_more, 1, &compiled), -E2BIG);
	assert_null(compiled);
	text = ncg_policy_compile_explain(one_more);
	assert_string_equal(text, "policy.conf:66: the rules match on more than 64 different sets "
				  "of fields, and this is the first too many; give it the same "
				  "matches and wildcards as another rule");
	free(text);
}

static void rule_write(FILE *out, unsigned int i)
{
	fprintf(out, "allow %x:%x\n", 1 + i / 0x10000, i % 0x10000);
}

/* Six entries a line. */
static void bars_write(FILE *out, unsigned int i)
{
	fprintf(out, "allow 1:%x bar=0,1,2,3,4,5\n", i);
}

static void expect_too_many_rules(const struct ncg_policy *policy, const char *sentence)
{
	struct ncg_compiled *compiled = (void *)1;
	char *text;

	assert_int_equal(ncg_policy_compile(policy, 1, &compiled), -E2BIG);
	assert_null(compiled);
	text = ncg_policy_compile_explain(policy);
	assert_string_equal(text, sentence);
	free(text);
}

static void test_rules_bound(void **state)
{
	_cleanup_policy_ struct ncg_policy *fits = parse_written(rule_write, NCG_RULES_MAX, "");
	_cleanup_policy_ struct ncg_policy *one_more =
		parse_written(rule_write, NCG_RULES_MAX + 1, "");
	_cleanup_policy_ struct ncg_policy *repeats =
		parse_written(rule_write, NCG_RULES_MAX, "deny 1:0\ndeny 1:ffff\n");
	_cleanup_policy_ struct ncg_policy *bars =
		parse_written(bars_write, NCG_RULES_MAX / 6 + 1, "");
	_cleanup_compiled_ struct ncg_compiled *compiled = NULL;

	(void)state;
	assert_int_equal(ncg_policy_compile(fits, 1, &compiled), 0);
	assert_int_equal(compiled->elements[0].head.rules, NCG_RULES_MAX);
	expect_rule(compiled, &(struct ncg_tuple){ .vendor = 1, .device = 0 },
		    NCG_VERDICT_ALLOW, 1);
	expect_rule(compiled, &(struct ncg_tuple){ .vendor = 1, .device = 0xffff },
		    NCG_VERDICT_ALLOW, NCG_RULES_MAX);
	ncg_policy_compile_free(compiled);
	compiled = NULL;

	/* rules that can never win take no room */
	assert_int_equal(ncg_policy_compile(repeats, 1, &compiled), 0);
	assert_int_equal(compiled->elements[0].head.rules, NCG_RULES_MAX);

	expect_too_many_rules(one_more,
			      "policy.conf:65537: the policy has more than 65536 rules, each BAR "
			      "of a bar= list counted, and this is the first too many");
	expect_too_many_rules(bars,
			      "policy.conf:10923: the policy has more than 65536 rules, each BAR "
			      "of a bar= list counted, and this is the first too many");
}

static void test_free_null(void **state)
{
	(void)state;
	ncg_policy_compile_free(NULL);
}

/* ----------------------------------------------------------------- property */

static void test_equals_naive_interpreter(void **state)
{
	uint64_t seed = model_seed(20250711);
	size_t by_rule = 0, allowed = 0;

	(void)state;
	for (size_t i = 0; i < POLICIES; i++) {
		_cleanup_policy_ struct ncg_policy *policy = NULL;
		_cleanup_compiled_ struct ncg_compiled *compiled = NULL;
		static struct model model;
		size_t size;
		char *text;

		model_make(&seed, &model);
		text = model_write(&seed, &model, &size);
		policy = parse(text, size);
		assert_int_equal(policy->rule_count, model.rules);
		assert_int_equal(policy->without_hook,
				 model.trap ? NCG_WITHOUT_HOOK_TRAP : NCG_WITHOUT_HOOK_AUDIT);
		memset(policy->sha256, i, sizeof(policy->sha256));
		assert_int_equal(ncg_policy_compile(policy, i + 1, &compiled), 0);

		for (size_t j = 0; j < PAIRS_EACH; j++) {
			struct ncg_tuple tuple;
			struct ncg_decision d;
			const char *difference, *cgroup;

			model_device_make(&seed, &model, &tuple, &cgroup);
			d = decide(compiled, &tuple, cgroup);
			by_rule += d.reason == NCG_REASON_RULE;
			allowed += d.verdict == NCG_VERDICT_ALLOW;
			difference = model_differs(&model, &tuple, cgroup, policy,
						   i + 1, &d);
			if (difference)
				fail_msg("policy %zu, device %zu: %s\n%.*s", i, j, difference,
					 (int)size, text);
		}
		free(text);
	}
	printf("%d pairs: %zu by a rule, %zu allowed\n", PAIRS, by_rule, allowed);
	/* a generator that never meets a rule, or always does, tests nothing */
	assert_in_range(by_rule, PAIRS / 4, PAIRS - PAIRS / 20);
	assert_in_range(allowed, PAIRS / 4, PAIRS - PAIRS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_policy),
		cmocka_unit_test(test_elements_in_order),
		cmocka_unit_test(test_same_policy_same_bytes),
		cmocka_unit_test(test_bar_list_expands),
		cmocka_unit_test(test_repeated_rule_first_wins),
		cmocka_unit_test(test_first_match_across_masks),
		cmocka_unit_test(test_no_policy_abstains),
		cmocka_unit_test(test_missing_file_keeps_verdict),
		cmocka_unit_test(test_masks_bound),
		cmocka_unit_test(test_rules_bound),
		cmocka_unit_test(test_free_null),
		cmocka_unit_test(test_equals_naive_interpreter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
