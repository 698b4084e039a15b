/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From rules to what the kernel looks up: the elements of one policy map, in the
 * form that abi.h describes. Pure: no I/O, no global state; all it hands out is
 * the caller's. Fails closed: a policy beyond a bound is refused whole.
 */
#ifndef NCGATE_POLICY_COMPILE_H
#define NCGATE_POLICY_COMPILE_H

#include <stddef.h>

#include "abi.h"
#include "policy.h"

/* The same policy gives the same bytes but for the generation. */
struct ncg_compiled {
	__u32 count;
	union ncg_pelement *elements; /* the first is the head; unused bytes are 0 */
};

/*
 * Compiles policy as the given generation. 0 and *ret_compiled, which the caller
 * owns: ncg_policy_compile_free(); -ENOMEM; -E2BIG when the policy needs more than
 * NCG_MASKS_MAX masks or NCG_RULES_MAX rules, or names too many cgroups, which
 * ncg_policy_compile_explain() puts into words; -EIO when its table cannot be
 * made, which nobody will see. *ret_compiled is then NULL.
 */
int ncg_policy_compile(const struct ncg_policy *policy, __u64 generation,
		       struct ncg_compiled **ret_compiled);

/*
 * Says in one sentence, with file and line but without a newline, why policy
 * cannot be compiled. The caller frees it; NULL when it can, or no memory.
 */
char *ncg_policy_compile_explain(const struct ncg_policy *policy);

/* Takes NULL. */
void ncg_policy_compile_free(struct ncg_compiled *compiled);

/* For the cleanup attribute. */
void ncg_policy_compile_freep(struct ncg_compiled **compiled);

#endif
