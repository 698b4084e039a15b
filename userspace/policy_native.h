/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * decide.h for user space: a policy is a struct ncg_compiled, a task the path of its
 * cgroup ("/a/b"; NULL: in none that a rule could name). Owns nothing.
 */
#ifndef NCGATE_POLICY_NATIVE_H
#define NCGATE_POLICY_NATIVE_H

#include <stdint.h>

#include "policy_cgroup.h"
#include "policy_compile.h"

static inline const union ncg_pelement *ncg_policy_element(void *policy, __u32 index)
{
	const struct ncg_compiled *compiled = policy;

	return index < compiled->count ? &compiled->elements[index] : NULL;
}

static inline __u64 ncg_cgroup_of(void *task)
{
	return (uintptr_t)task;
}

static inline long ncg_cgroup_part(__u64 cgroup, __u32 level, __u32 from, char *ret_part)
{
	return ncg_policy_cgroup_part((const char *)(uintptr_t)cgroup, level, from, ret_part);
}

#include "decide.h"

#endif
