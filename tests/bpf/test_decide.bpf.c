// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs decide.h in the kernel, behind the same map of maps as the real decider:
 * user space swaps the one slot, and hands in one tuple a run. Its state is its
 * maps, which go with the test. No policy in the slot: it abstains.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.bpf.h"

#include "decide_test.bpf.h"

SEC("syscall")
int decide(struct test_decide_ctx *ctx)
{
	__u32 zero = 0;

	test_decide(bpf_map_lookup_elem(&policy, &zero), ctx);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
