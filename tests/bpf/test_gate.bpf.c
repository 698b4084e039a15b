// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy in force as the deciders see it: the real `policy` map, and a program
 * that decides by it for a tuple that it is handed. State: the map, which goes
 * with the test. No policy in the slot: it abstains.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.bpf.h"

static __always_inline void *ncg_policy_lookup(void *map, const struct ncg_pkey *key)
{
	return bpf_map_lookup_elem(map, key);
}

#include "decide.h"

struct test_gate_ctx {
	struct ncg_tuple tuple;
	struct ncg_decision decision;
};

SEC("syscall")
int test_gate(struct test_gate_ctx *ctx)
{
	struct ncg_tuple tuple = ctx->tuple;
	struct ncg_decision decision = { .grade = NCG_GRADE_NONE };
	__u32 zero = 0;

	ncg_decide(bpf_map_lookup_elem(&policy, &zero), &tuple, &decision);
	ctx->decision = decision;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
