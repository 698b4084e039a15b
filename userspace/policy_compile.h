/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From rules to what the kernel looks up: the keys and values of one policy map,
 * in the form that abi.h describes. Pure: no I/O, no global state; all it hands
 * out is the caller's. Fails closed: a policy beyond a bound is refused whole.
 */
#ifndef NCGATE_POLICY_COMPILE_H
#define NCGATE_POLICY_COMPILE_H

#include <stddef.h>

#include "abi.h"
#include "policy.h"

struct ncg_compiled_entry {
	struct ncg_pkey key;
	union ncg_pvalue value;	/* unused bytes are zero */
};

/* Entry 0 is the head; then the masks, the files and the rules. */
struct ncg_compiled {
	size_t count;	/* of entries: what the map must hold */
	__u32 masks;
	__u32 files;
	__u32 rules;
	struct ncg_compiled_entry *entries;
	/* index of the rule entries by key, for ncg_policy_compile_find() */
	__u32 *slots;
	size_t slot_count;
};

/*
 * Compiles policy as the given generation. 0 and *ret_compiled, which the caller
 * owns: ncg_policy_compile_free(); -ENOMEM; -E2BIG when the policy needs more
 * than NCG_MASKS_MAX masks, NCG_RULES_MAX rules or NCG_FILES_MAX files, which
 * ncg_policy_compile_explain() puts into words. *ret_compiled is then NULL.
 */
int ncg_policy_compile(const struct ncg_policy *policy, __u64 generation,
		       struct ncg_compiled **ret_compiled);

/*
 * Says in one sentence, with file and line but without a newline, why policy
 * cannot be compiled. The caller frees it; NULL when it can, or no memory.
 */
char *ncg_policy_compile_explain(const struct ncg_policy *policy);

/*
 * What a look-up of key in the map would find, or NULL. With this as its
 * ncg_policy_lookup(), decide.h works without a kernel. Borrowed from compiled.
 */
const union ncg_pvalue *ncg_policy_compile_find(const struct ncg_compiled *compiled,
						const struct ncg_pkey *key);

/* Takes NULL. */
void ncg_policy_compile_free(struct ncg_compiled *compiled);

/* For the cleanup attribute. */
void ncg_policy_compile_freep(struct ncg_compiled **compiled);

#endif
