// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs decide.h in the kernel, behind the same map of maps as the real decider:
 * user space swaps the one slot, and hands in one tuple a run. Its state is its
 * maps, which go with the test. No policy in the slot: it abstains.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

static __always_inline void *ncg_policy_lookup(void *map, const struct ncg_pkey *key)
{
	return bpf_map_lookup_elem(map, key);
}

#include "decide.h"

/*
 * The shape of a policy; the real ones are as large as they need. By size, not by
 * type: clang leaves types that only an inner map names as forward declarations.
 */
struct policy_inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct ncg_pkey));
	__uint(value_size, sizeof(union ncg_pvalue));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct policy_inner);
} policy SEC(".maps");

struct test_decide_ctx {
	struct ncg_tuple tuple;
	struct ncg_decision decision;
};

SEC("syscall")
int test_decide(struct test_decide_ctx *ctx)
{
	/*
	 * Both on the stack, as a caller would have them that then sends an event:
	 * what the verifier accepts here leaves it 512 - 40 - 136 bytes less.
	 */
	struct ncg_tuple tuple = ctx->tuple;
	struct ncg_decision decision = { .grade = ctx->decision.grade };
	__u32 zero = 0;
	void *map = bpf_map_lookup_elem(&policy, &zero);

	ncg_decide(map, &tuple, &decision);
	ctx->decision = decision;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
