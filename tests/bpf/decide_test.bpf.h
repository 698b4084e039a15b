/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * decide.h for test programs: a task's cgroup is what user space has at the address
 * that it hands in.
 */
#ifndef NCGATE_TESTS_DECIDE_TEST_BPF_H
#define NCGATE_TESTS_DECIDE_TEST_BPF_H

#include "decide_test.h"

static __always_inline const union ncg_pelement *ncg_policy_element(void *map, __u32 index)
{
	return bpf_map_lookup_elem(map, &index);
}

static __always_inline __u64 ncg_cgroup_of(void *task)
{
	return ((struct test_decide_ctx *)task)->cgroup;
}

static __always_inline long ncg_cgroup_part(__u64 cgroup, __u32 level, __u32 from, char *ret_part)
{
	struct test_cgroup *c = (void *)cgroup;
	__u32 depth = 0;
	long size;

	bpf_probe_read_user(&depth, sizeof(depth), &c->depth);
	if (level > depth)
		return -1;
	size = bpf_probe_read_user_str(ret_part, NCG_NAME_PART_LEN + 1,
				       (void *)&c->names[level - 1] + from);
	return size > 0 ? size - 1 : -1;
}

#include "decide.h"

static __always_inline void test_decide(void *map, struct test_decide_ctx *ctx)
{
	/*
	 * Both on the stack: what the verifier accepts here leaves it that much less.
	 */
	struct ncg_decision decision = { .grade = ctx->decision.grade };
	struct ncg_tuple tuple = ctx->tuple;
	struct ncg_choice choice;

	ncg_decide(map, &tuple, ctx, &choice);
	ncg_choice_record(map, &choice, &decision);
	ctx->acts = ncg_choice_acts(&choice);
	ctx->decision = decision;
}

#endif
