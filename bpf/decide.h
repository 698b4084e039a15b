/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision: which rule of a compiled policy fits a mapping. Pure logic, for
 * BPF programs and natively alike; it owns nothing and reads the policy through
 *
 *	static void *ncg_policy_lookup(void *map, const struct ncg_pkey *key);
 *
 * which the includer defines before: bpf_map_lookup_elem() in BPF,
 * ncg_policy_compile_find() in user space. The map is one whole policy that does
 * not change; whoever calls takes its address once, so that a decision is never
 * half of one policy and half of the next.
 *
 * Without a policy, or with one that is not whole, it abstains (no verdict): the
 * kernel's default holds, as if ncgate were not there. Neither answer is safe for
 * every device, so it invents none.
 */
#ifndef NCGATE_DECIDE_H
#define NCGATE_DECIDE_H

#include "abi.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* A tuple's members are read as words, which C's aliasing rules do not grant. */
typedef __u64 __attribute__((may_alias)) ncg_tuple_word;

_Static_assert(sizeof(struct ncg_tuple) % sizeof(__u64) == 0, "a tuple is whole words");
_Static_assert(__builtin_offsetof(struct ncg_pkey, tuple) % sizeof(__u64) == 0,
	       "a key's tuple is aligned to words");
_Static_assert(__builtin_offsetof(struct ncg_decision, sha256) % sizeof(__u64) == 0 &&
	       __builtin_offsetof(struct ncg_decision, file) % sizeof(__u64) == 0,
	       "digest and file name are copied as words");

/*
 * Decides for t under the policy in map, which may be NULL. Writes every member
 * of ret_decision but `grade`, which is the caller's to know. Stack: one struct
 * ncg_pkey and a few spilled registers. Cost: two look-ups a mask, whatever the
 * number of rules.
 */
static __always_inline void ncg_decide(void *map, const struct ncg_tuple *t,
				       struct ncg_decision *ret_decision)
{
	const ncg_tuple_word *from = (const ncg_tuple_word *)t;
	const struct ncg_prule *best = (void *)0;
	const struct ncg_phead *head;
	struct ncg_pkey key;
	ncg_tuple_word *to = (ncg_tuple_word *)&key.tuple;

	ret_decision->generation = 0;
	ret_decision->verdict = NCG_VERDICT_NONE;
	ret_decision->reason = NCG_REASON_NO_POLICY;
	ret_decision->mode = NCG_MODE_AUDIT;
	ret_decision->line = 0;
	ret_decision->audit = 0;
	__builtin_memset(ret_decision->sha256, 0, sizeof(ret_decision->sha256));
	__builtin_memset(ret_decision->file, 0, sizeof(ret_decision->file));

	if (!map)
		return;
	__builtin_memset(&key, 0, sizeof(key));
	key.kind = NCG_PKIND_HEAD;
	head = ncg_policy_lookup(map, &key);
	/* The second cannot be: user space refuses such a policy. */
	if (!head || head->masks > NCG_MASKS_MAX)
		return;

#ifdef __clang__
#pragma clang loop unroll(disable)
#endif
	for (__u32 m = 0; m < NCG_MASKS_MAX; m++) {
		const struct ncg_prule *rule;
		const ncg_tuple_word *mask;

		if (m >= head->masks)
			break;

		__builtin_memset(&key, 0, sizeof(key));
		key.kind = NCG_PKIND_MASK;
		key.index = m;
		mask = ncg_policy_lookup(map, &key);
		if (!mask)
			return;

		key.kind = NCG_PKIND_RULE;
		for (unsigned int w = 0; w < NCG_TUPLE_WORDS; w++)
			to[w] = from[w] & mask[w];
		rule = ncg_policy_lookup(map, &key);
		if (rule && (!best || rule->order < best->order))
			best = rule;
	}

	ret_decision->generation = head->generation;
	ret_decision->mode = head->mode;
	__builtin_memcpy(ret_decision->sha256, head->sha256, sizeof(ret_decision->sha256));
	if (!best) {
		ret_decision->verdict = head->fallback;
		ret_decision->reason = NCG_REASON_DEFAULT;
		return;
	}

	ret_decision->verdict = best->verdict;
	ret_decision->reason = NCG_REASON_RULE;
	ret_decision->line = best->line;
	ret_decision->audit = best->audit;

	__builtin_memset(&key, 0, sizeof(key));
	key.kind = NCG_PKIND_FILE;
	key.index = best->file;
	const char *file = ncg_policy_lookup(map, &key);
	/* A verdict stands without its file's name; the line is still known. */
	if (file)
		__builtin_memcpy(ret_decision->file, file, sizeof(ret_decision->file));
}

#endif
