// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate on a real `policy` map: what is put in force, what its generation is,
 * and that the gate, the program in the kernel and the naive interpreter decide
 * alike. State: see decide_run.h.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "decide_run.h"
#include "gate.h"
#include "log.h"

#include "../unit/policy_model.h"

#define POLICIES 60
#define DEVICES_EACH 60	/* 3,600 pairs */
#define SWAPS 200

#define _cleanup_policy_ __attribute__((cleanup(ncg_policy_freep)))

static int setup(void **state)
{
	(void)state;
	return load_object("test_gate");
}

/* Before each test: no policy was ever loaded. */
static int fresh(void **state)
{
	__u32 slot = 0;

	(void)state;
	return object && bpf_map_delete_elem(policy_fd, &slot) && errno != ENOENT;
}

static struct ncg_policy *parse(const char *text, __u8 digest)
{
	struct ncg_policy *policy;

	assert_int_equal(ncg_policy_parse_text("policy.conf", text, strlen(text), &policy, NULL),
			 0);
	memset(policy->sha256, digest, sizeof(policy->sha256));
	return policy;
}

/* Every byte is rubbish before, so that all must be written. */
static struct ncg_decision decide_from(const struct ncg_tuple *tuple, const char *cgroup)
{
	struct ncg_decision decision;

	memset(&decision, 0xaa, sizeof(decision));
	ncg_gate_decide(policy_fd, tuple, cgroup, &decision);
	return decision;
}

static struct ncg_decision decide(const struct ncg_tuple *tuple)
{
	return decide_from(tuple, NULL);
}

/* The id of the map in the slot; 0: none. */
static __u32 current_id(void)
{
	__u32 slot = 0, id = 0;

	return bpf_map_lookup_elem(policy_fd, &slot, &id) ? 0 : id;
}

/* -------------------------------------------------------------------- tests */

static void test_nothing_loaded(void **state)
{
	const struct ncg_decision none = { 0 };
	struct ncg_decision d;
	struct ncg_phead head;

	(void)state;
	need_bpf();
	assert_int_equal(ncg_gate_read(policy_fd, &head), -ENOENT);
	d = decide(&(struct ncg_tuple){ .vendor = 0x10de });
	assert_memory_equal(&d, &none, sizeof(d));
	assert_true(ncg_gate_read(-1, &head) == -EBADF);
}

static void test_load_and_read(void **state)
{
	_cleanup_policy_ struct ncg_policy *policy = NULL;
	struct ncg_phead loaded, head;
	bool changed = false;

	(void)state;
	need_bpf();
	policy = parse("mode enforce\ndefault allow\nwithout-hook trap\n"
		       "deny 10de:2330\ndeny 10de:* bar=0,2\n", 7);
	assert_int_equal(ncg_gate_load(policy_fd, policy, &loaded, &changed), 0);
	assert_true(changed);
	assert_int_equal(loaded.generation, 1);
	assert_int_equal(loaded.mode, NCG_MODE_ENFORCE);
	assert_int_equal(loaded.fallback, NCG_VERDICT_ALLOW);
	assert_int_equal(loaded.without_hook, NCG_WITHOUT_HOOK_TRAP);
	assert_int_equal(loaded.masks, 2);
	assert_int_equal(loaded.rules, 3);
	assert_memory_equal(loaded.sha256, policy->sha256, sizeof(loaded.sha256));
	assert_int_equal(ncg_gate_read(policy_fd, &head), 0);
	assert_memory_equal(&head, &loaded, sizeof(head));
}

static void test_generation(void **state)
{
	_cleanup_policy_ struct ncg_policy *first = NULL, *again = NULL, *second = NULL;
	struct ncg_phead head;
	bool changed = true;
	__u32 id;

	(void)state;
	need_bpf();
	first = parse("allow 10de:2330", 1);
	again = parse("allow 10de:2330", 1);
	second = parse("deny 10de:2330", 2);

	assert_int_equal(ncg_gate_load(policy_fd, first, &head, NULL), 0);
	id = current_id();

	/* the same text: not even the map is another */
	memset(&head, 0xaa, sizeof(head));
	assert_int_equal(ncg_gate_load(policy_fd, again, &head, &changed), 0);
	assert_false(changed);
	assert_int_equal(head.generation, 1);
	assert_int_equal(head.rules, 1);
	assert_int_equal(current_id(), id);

	assert_int_equal(ncg_gate_load(policy_fd, second, &head, &changed), 0);
	assert_true(changed);
	assert_int_equal(head.generation, 2);
	assert_int_not_equal(current_id(), id);

	/* back to the first text: that is a change too */
	assert_int_equal(ncg_gate_load(policy_fd, first, &head, &changed), 0);
	assert_true(changed);
	assert_int_equal(head.generation, 3);
	assert_int_equal(decide(&(struct ncg_tuple){ .vendor = 0x10de, .device = 0x2330 }).verdict,
			 NCG_VERDICT_ALLOW);
}

/* Each rule has a mask of its own: vendor to uid are wild or not, by its number. */
static char *text_of_masks(unsigned int count)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fputs("default allow\n", out);
	for (unsigned int m = 0; m < count; m++) {
		fprintf(out, "deny %s:%s subsystem=%s:%s slot=*:%s:*.*", m & 1 ? "*" : "1",
			m & 2 ? "*" : "2", m & 4 ? "*" : "3", m & 8 ? "*" : "4",
			m & 16 ? "*" : "5");
		/* a mask beyond 64 has another field still */
		fprintf(out, "%s%s\n", m & 32 ? "" : " uid=6", m & 64 ? " class=ff" : "");
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

/*
 * The first tuple matches under every mask, so its best rule is found first and
 * must outlive all look-ups after it; for each other the best is found later.
 */
static void test_all_masks(void **state)
{
	const struct ncg_tuple all = { .vendor = 1, .device = 2, .subvendor = 3, .subdevice = 4,
				       .bus = 5, .uid = 6 };
	_cleanup_policy_ struct ncg_policy *policy = NULL;
	char *text = text_of_masks(NCG_MASKS_MAX);
	struct ncg_phead head;
	struct ncg_decision d, k;

	(void)state;
	if (!object) {
		free(text);
		skip();
	}
	policy = parse(text, 3);
	free(text);
	assert_int_equal(ncg_gate_load(policy_fd, policy, &head, NULL), 0);
	assert_int_equal(head.masks, NCG_MASKS_MAX);

	d = decide(&all);
	assert_int_equal(d.line, 2);
	for (unsigned int m = 0; m < NCG_MASKS_MAX; m++) {
		struct ncg_tuple t = all;

		/* no rule before rule m fits: what m leaves wild is something else */
		t.vendor += m & 1 ? 100 : 0;
		t.device += m & 2 ? 100 : 0;
		t.subvendor += m & 4 ? 100 : 0;
		t.subdevice += m & 8 ? 100 : 0;
		t.bus += m & 16 ? 100 : 0;
		t.uid += m & 32 ? 100 : 0;
		d = decide(&t);
		k = decide_in_kernel(&t);
		assert_int_equal(d.verdict, NCG_VERDICT_DENY);
		assert_int_equal(d.line, 2 + m);
		assert_string_equal(d.file, "policy.conf");
		assert_memory_equal(&d, &k, sizeof(d));
	}
	d = decide(&(struct ncg_tuple){ .vendor = 9, .bus = 9, .domain = 1 });
	assert_int_equal(d.line, 2 + NCG_MASKS_MAX - 1);
}

/* A policy that is too large is refused, and the one in force stays. */
static void test_too_large(void **state)
{
	_cleanup_policy_ struct ncg_policy *good = NULL, *bad = NULL;
	struct ncg_phead before, after, head;
	bool changed = true;
	char *text;
	__u32 id;

	(void)state;
	need_bpf();
	good = parse("allow 10de:2330", 1);
	text = text_of_masks(NCG_MASKS_MAX + 1);
	bad = parse(text, 2);
	free(text);
	assert_int_equal(ncg_gate_load(policy_fd, good, &before, NULL), 0);
	id = current_id();
	ncg_log_open("test", 0);
	assert_int_equal(ncg_gate_load(policy_fd, bad, &head, &changed), -E2BIG);
	ncg_log_open("test", NCG_LOG_INFO);
	assert_false(changed);
	assert_int_equal(current_id(), id);
	assert_int_equal(ncg_gate_read(policy_fd, &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void test_decides_as_the_policy_says(void **state)
{
	size_t by_rule = 0;
	uint64_t seed;

	(void)state;
	need_bpf();
	seed = model_seed(20260131);
	for (size_t i = 0; i < POLICIES; i++) {
		_cleanup_policy_ struct ncg_policy *policy = NULL;
		static struct model model;
		struct ncg_phead head;
		size_t size;
		char *text;

		model_make(&seed, &model);
		text = model_write(&seed, &model, &size);
		policy = parse(text, i + 1);
		assert_int_equal(ncg_gate_load(policy_fd, policy, &head, NULL), 0);
		assert_int_equal(head.generation, i + 1);

		for (size_t j = 0; j < DEVICES_EACH; j++) {
			struct ncg_decision d, k;
			struct ncg_tuple tuple;
			const char *difference, *cgroup;

			model_device_make(&seed, &model, &tuple, &cgroup);
			set_cgroup(cgroup);
			d = decide_from(&tuple, cgroup);
			k = decide_in_kernel(&tuple);
			by_rule += d.reason == NCG_REASON_RULE;
			difference = model_differs(&model, &tuple, cgroup, policy, i + 1,
						   &d);
			if (difference)
				fail_msg("policy %zu, device %zu: %s\n%s", i, j, difference, text);
			assert_memory_equal(&d, &k, sizeof(d));
		}
		free(text);
	}
	printf("%d pairs: %zu by a rule\n", POLICIES * DEVICES_EACH, by_rule);
	assert_in_range(by_rule, POLICIES * DEVICES_EACH / 4, POLICIES * DEVICES_EACH * 19 / 20);
}

struct loader {
	struct ncg_policy *policies[2];
	atomic_bool stop;
	atomic_int loads;
	int error;
};

static void *load_on_and_on(void *argument)
{
	struct loader *loader = argument;
	struct ncg_phead head;

	while (!loader->stop && !loader->error) {
		loader->error = ncg_gate_load(policy_fd, loader->policies[loader->loads & 1],
					      &head, NULL);
		loader->loads++;
	}
	return NULL;
}

/* Who reads while policies change sees one of them, and never that there is none. */
static void test_read_while_it_changes(void **state)
{
	const struct ncg_tuple gpu = { .vendor = 0x10de, .device = 0x2330 };
	_cleanup_policy_ struct ncg_policy *first = NULL, *second = NULL;
	struct loader loader = { 0 };
	size_t wrong = 0, reads = 0;
	struct ncg_phead head;
	pthread_t thread;
	int error = 0;

	(void)state;
	need_bpf();
	first = parse("allow 10de:2330", 1);
	second = parse("mode enforce\ndeny 10de:*\n", 2);
	loader.policies[0] = second;
	loader.policies[1] = first;
	assert_int_equal(ncg_gate_load(policy_fd, first, &head, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, load_on_and_on, &loader), 0);

	/* No assert before the join: it would leave the thread behind. */
	while (loader.loads < SWAPS && !loader.error && !error && !wrong) {
		struct ncg_decision d = decide(&gpu);
		const bool is_first = d.verdict == NCG_VERDICT_ALLOW && d.sha256[0] == 1 &&
				      d.line == 1 && d.generation % 2 == 1;
		const bool is_second = d.verdict == NCG_VERDICT_DENY && d.sha256[0] == 2 &&
				       d.line == 2 && d.generation % 2 == 0;

		wrong += !is_first && !is_second;
		error = ncg_gate_read(policy_fd, &head);
		reads++;
	}
	loader.stop = true;
	pthread_join(thread, NULL);
	printf("%d loads, %zu reads\n", loader.loads, reads);
	assert_int_equal(loader.error, 0);
	assert_int_equal(error, 0);
	assert_int_equal(wrong, 0);
}

#define test(function) cmocka_unit_test_setup(function, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_nothing_loaded),
		test(test_load_and_read),
		test(test_generation),
		test(test_all_masks),
		test(test_too_large),
		test(test_decides_as_the_policy_says),
		test(test_read_while_it_changes),
	};

	return cmocka_run_group_tests(tests, setup, unload_object);
}
