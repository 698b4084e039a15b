/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests that decide and their BPF programs say to each other. No state.
 */
#ifndef NCGATE_TESTS_DECIDE_TEST_H
#define NCGATE_TESTS_DECIDE_TEST_H

#include "abi.h"

#define TEST_CGROUP_DEPTH 40
#define TEST_CGROUP_NAME 256

/* A cgroup: the names of its folders from below the root, each ended by a NUL. */
struct test_cgroup {
	__u32 depth;
	char names[TEST_CGROUP_DEPTH][TEST_CGROUP_NAME];
};

struct test_decide_ctx {
	struct ncg_tuple tuple;
	__u64 cgroup; /* address of the task's struct test_cgroup, 0: the root */
	struct ncg_decision decision; /* grade goes in, all comes out */
	__u64 acts;
};

#endif
