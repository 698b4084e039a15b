// SPDX-License-Identifier: GPL-2.0-only
/*
 * decide.h in the kernel: compiled policies in real maps behind the verifier,
 * against the naive interpreter; and that a swap of policies is one step. State:
 * see decide_run.h.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "decide_run.h"
#include "policy.h"

#include "../unit/policy_model.h"

#define POLICIES 1000
#define DEVICES_EACH 100 /* 100,000 pairs */

#define _cleanup_policy_ __attribute__((cleanup(ncg_policy_freep)))
#define _cleanup_compiled_ __attribute__((cleanup(ncg_policy_compile_freep)))

static int setup(void **state)
{
	(void)state;
	return load_object("test_decide");
}

/* A new map that holds compiled; NULL: one without a head that makes sense. */
static int map_fill(const struct ncg_compiled *compiled)
{
	LIBBPF_OPTS(bpf_map_create_opts, options,
		    .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	const union ncg_pelement senseless = { .head.masks = NCG_MASKS_MAX + 1 };
	const union ncg_pelement *elements = compiled ? compiled->elements : &senseless;
	__u32 count = compiled ? compiled->count : 1;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "policy_inner", sizeof(__u32),
				sizeof(*elements), count, &options);

	for (__u32 i = 0; fd >= 0 && i < count; i++)
		if (bpf_map_update_elem(fd, &i, &elements[i], BPF_ANY))
			return -1;
	return fd;
}

static int swap_to(int fd)
{
	__u32 slot = 0;

	return bpf_map_update_elem(policy_fd, &slot, &fd, BPF_ANY);
}

static void put(const struct ncg_compiled *compiled)
{
	int fd = map_fill(compiled);

	assert_true(fd >= 0);
	assert_int_equal(swap_to(fd), 0);
	/* the slot holds it now */
	close(fd);
}

static struct ncg_policy *parse(const char *text, size_t size)
{
	struct ncg_policy *policy;

	assert_int_equal(ncg_policy_parse_text("policy.conf", text, size, &policy, NULL), 0);
	return policy;
}

static struct ncg_compiled *compile(const char *text, __u64 generation)
{
	_cleanup_policy_ struct ncg_policy *policy = parse(text, strlen(text));
	struct ncg_compiled *compiled;

	memset(policy->sha256, generation, sizeof(policy->sha256));
	assert_int_equal(ncg_policy_compile(policy, generation, &compiled), 0);
	return compiled;
}

/* -------------------------------------------------------------------- tests */

static void expect_none(void)
{
	const struct ncg_decision none = { .grade = NCG_GRADE_NONE };
	const struct ncg_decision d = decide_in_kernel(&(struct ncg_tuple){ .vendor = 0x10de });

	assert_memory_equal(&d, &none, sizeof(d));
}

static void test_no_policy_abstains(void **state)
{
	_cleanup_compiled_ struct ncg_compiled *compiled = NULL;
	__u32 slot = 0;

	(void)state;
	need_bpf();
	/* nothing in the slot, as before the first load */
	expect_none();

	/* positive control, then a map with no head, then an empty slot again */
	compiled = compile("allow *:*", 1);
	put(compiled);
	assert_int_equal(decide_in_kernel(&(struct ncg_tuple){ 0 }).verdict, NCG_VERDICT_ALLOW);
	put(NULL);
	expect_none();
	put(compiled);
	assert_int_equal(decide_in_kernel(&(struct ncg_tuple){ 0 }).verdict, NCG_VERDICT_ALLOW);
	assert_int_equal(bpf_map_delete_elem(policy_fd, &slot), 0);
	expect_none();
}

static void test_swap_replaces(void **state)
{
	_cleanup_compiled_ struct ncg_compiled *first = NULL, *second = NULL;
	const struct ncg_tuple gpu = { .vendor = 0x10de, .device = 0x2330 };
	struct ncg_decision d;

	(void)state;
	need_bpf();
	first = compile("default allow\ndeny 10de:2330", 1);
	second = compile("mode enforce\n\nallow 10de:*\nallow 15b3:*", 2);

	put(first);
	d = decide_in_kernel(&gpu);
	assert_int_equal(d.generation, 1);
	assert_int_equal(d.verdict, NCG_VERDICT_DENY);
	assert_int_equal(d.mode, NCG_MODE_AUDIT);
	assert_int_equal(d.line, 2);
	assert_int_equal(decide_in_kernel(&(struct ncg_tuple){ 0 }).verdict, NCG_VERDICT_ALLOW);

	put(second);
	d = decide_in_kernel(&gpu);
	assert_int_equal(d.generation, 2);
	assert_int_equal(d.verdict, NCG_VERDICT_ALLOW);
	assert_int_equal(d.mode, NCG_MODE_ENFORCE);
	assert_int_equal(d.reason, NCG_REASON_RULE);
	assert_int_equal(d.line, 3);
	assert_string_equal(d.file, "policy.conf");
	d = decide_in_kernel(&(struct ncg_tuple){ 0 });
	assert_int_equal(d.verdict, NCG_VERDICT_DENY);
	assert_int_equal(d.reason, NCG_REASON_DEFAULT);
	assert_int_equal(d.line, 0);
	assert_string_equal(d.file, "");
}

struct swapper {
	int fds[2];
	atomic_bool stop;
	atomic_int swaps;
	int error;
};

static void *swap_on_and_on(void *argument)
{
	struct swapper *swapper = argument;

	while (!swapper->stop) {
		if (swap_to(swapper->fds[swapper->swaps & 1])) {
			swapper->error = errno;
			break;
		}
		swapper->swaps++;
	}
	return NULL;
}

/* Every decision belongs wholly to one policy, whatever moment it is made. */
static void test_swap_is_one_step(void **state)
{
	_cleanup_compiled_ struct ncg_compiled *first = NULL, *second = NULL;
	const struct ncg_tuple gpu = { .vendor = 0x10de, .device = 0x2330 };
	struct swapper swapper = { 0 };
	size_t seen[3] = { 0 }, mixed = 0, failed = 0;
	pthread_t thread;

	(void)state;
	need_bpf();
	first = compile("deny 10de:2330 bar=0\nallow 10de:*", 1);
	second = compile("mode enforce\ndefault allow\n\ndeny *:2330\n", 2);
	swapper.fds[0] = map_fill(first);
	swapper.fds[1] = map_fill(second);
	assert_true(swapper.fds[0] >= 0 && swapper.fds[1] >= 0);
	assert_int_equal(swap_to(swapper.fds[0]), 0);
	assert_int_equal(pthread_create(&thread, NULL, swap_on_and_on, &swapper), 0);

	/* No assert before the join: it would leave the thread behind. */
	while (swapper.swaps < 60 && !swapper.error && !failed) {
		for (int i = 0; i < 100; i++) {
			struct test_decide_ctx ctx = { .tuple = gpu };
			const struct ncg_decision *d = &ctx.decision;
			bool is_first, is_second;

			ctx.tuple.bar = i & 1;
			failed += run(&ctx) != 0;
			is_first = d->generation == 1 && d->sha256[0] == 1 &&
				   d->sha256[31] == 1 && d->mode == NCG_MODE_AUDIT &&
				   d->line == (i & 1 ? 2 : 1) &&
				   d->verdict == (i & 1 ? NCG_VERDICT_ALLOW : NCG_VERDICT_DENY);
			is_second = d->generation == 2 && d->sha256[0] == 2 &&
				    d->sha256[31] == 2 && d->mode == NCG_MODE_ENFORCE &&
				    d->line == 4 && d->verdict == NCG_VERDICT_DENY;
			seen[1] += is_first;
			seen[2] += is_second;
			mixed += !is_first && !is_second;
		}
	}
	swapper.stop = true;
	pthread_join(thread, NULL);
	close(swapper.fds[0]);
	close(swapper.fds[1]);
	printf("%d swaps: %zu decisions by the first policy, %zu by the second\n",
	       swapper.swaps, seen[1], seen[2]);
	assert_int_equal(swapper.error, 0);
	assert_int_equal(failed, 0);
	assert_int_equal(mixed, 0);
	assert_true(seen[1] > 0 && seen[2] > 0);
}

/* The largest policy there is: all masks, all rules. */
static void test_largest(void **state)
{
	_cleanup_policy_ struct ncg_policy *policy = NULL;
	_cleanup_compiled_ struct ncg_compiled *compiled = NULL;
	static const unsigned int probes[] = { 0, 1, 32767, NCG_RULES_MAX - NCG_MASKS_MAX };
	const unsigned int wide = NCG_MASKS_MAX - 1, narrow = NCG_RULES_MAX - wide;
	struct ncg_decision d;
	char *text;
	size_t size;
	FILE *out;

	(void)state;
	need_bpf();
	out = open_memstream(&text, &size);
	assert_non_null(out);
	for (unsigned int i = 0; i < narrow; i++)
		fprintf(out, "allow 1:%x\n", i);
	/* none of these matches what is asked below: each has a subsystem or BAR 5 */
	for (unsigned int i = 1; i <= wide; i++)
		fprintf(out, "deny 1:%s subsystem=%s:%s slot=%s:%s:*.%s bar=5\n",
			i & 1 ? "*" : "1", i & 2 ? "*" : "1", i & 4 ? "*" : "1",
			i & 8 ? "*" : "1", i & 16 ? "*" : "1", i & 32 ? "*" : "1");
	fclose(out);
	policy = parse(text, size);
	free(text);
	assert_int_equal(ncg_policy_compile(policy, 9, &compiled), 0);
	assert_int_equal(compiled->elements[0].head.masks, NCG_MASKS_MAX);
	assert_int_equal(compiled->elements[0].head.rules, NCG_RULES_MAX);
	put(compiled);

	for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++) {
		d = decide_in_kernel(&(struct ncg_tuple){ .vendor = 1, .device = probes[i] });
		assert_int_equal(d.generation, 9);
		assert_int_equal(d.verdict, NCG_VERDICT_ALLOW);
		assert_int_equal(d.line, probes[i] + 1);
	}
	/* the last mask: all wild but the vendor and BAR 5 */
	d = decide_in_kernel(&(struct ncg_tuple){ .vendor = 1, .device = 0xffff, .bar = 5 });
	assert_int_equal(d.verdict, NCG_VERDICT_DENY);
	assert_int_equal(d.line, NCG_RULES_MAX);
	d = decide_in_kernel(&(struct ncg_tuple){ .vendor = 1, .device = 0xffff });
	assert_int_equal(d.verdict, NCG_VERDICT_DENY);
	assert_int_equal(d.reason, NCG_REASON_DEFAULT);
}

static void test_equals_naive_interpreter(void **state)
{
	uint64_t seed;
	size_t by_rule = 0;

	(void)state;
	need_bpf();
	seed = model_seed(20250712);
	for (size_t i = 0; i < POLICIES; i++) {
		_cleanup_policy_ struct ncg_policy *policy = NULL;
		_cleanup_compiled_ struct ncg_compiled *compiled = NULL;
		static struct model model;
		size_t size;
		char *text;

		model_make(&seed, &model);
		text = model_write(&seed, &model, &size);
		policy = parse(text, size);
		memset(policy->sha256, i, sizeof(policy->sha256));
		assert_int_equal(ncg_policy_compile(policy, i + 1, &compiled), 0);
		put(compiled);

		for (size_t j = 0; j < DEVICES_EACH; j++) {
			struct ncg_tuple tuple;
			struct ncg_decision d;
			const char *difference, *cgroup;

			model_device_make(&seed, &model, &tuple, &cgroup);
			set_cgroup(cgroup);
			d = decide_in_kernel(&tuple);
			by_rule += d.reason == NCG_REASON_RULE;
			difference = model_differs(&model, &tuple, cgroup, policy,
						   i + 1, &d);
			if (difference)
				fail_msg("policy %zu, device %zu: %s\n%.*s", i, j, difference,
					 (int)size, text);
		}
		free(text);
	}
	printf("%d pairs: %zu by a rule\n", POLICIES * DEVICES_EACH, by_rule);
	assert_in_range(by_rule, POLICIES * DEVICES_EACH / 4, POLICIES * DEVICES_EACH * 19 / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_policy_abstains),
		cmocka_unit_test(test_swap_replaces),
		cmocka_unit_test(test_swap_is_one_step),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_equals_naive_interpreter),
	};

	return cmocka_run_group_tests(tests, setup, unload_object);
}
