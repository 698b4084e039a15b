/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision: which rule of a compiled policy fits a mapping. Pure logic, for
 * BPF programs and natively alike; it owns nothing and sees the world through three
 * functions that the includer defines before:
 *
 *	static const union ncg_pelement *ncg_policy_element(void *policy, __u32 index);
 *
 * an element of the compiled policy, or NULL beyond its end;
 *
 *	static __u64 ncg_cgroup_of(void *task);
 *	static long ncg_cgroup_part(__u64 cgroup, __u32 level, __u32 from, char *ret_part);
 *
 * the task's cgroup, as a number that is only handed on; and the part, from byte
 * `from`, of the name of that cgroup or its ancestor at a level of the hierarchy (1: a
 * child of the root): writes at most NCG_NAME_PART_LEN bytes into ret_part, which is
 * zero before, and returns how many; negative where the cgroup is not that deep.
 *
 * The policy is one whole that does not change; whoever calls takes its address
 * once, so that a decision is never half of one policy and half of the next.
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

/*
 * A loop for i, an int, from 0 to below bound. In BPF one by an iterator, which the
 * verifier goes through once for each state and not once for each round: v6.8's gives
 * up (E2BIG) on a plain loop over the masks.
 */
#ifdef __bpf__
#define NCG_DECIDE_FOR(i, bound) bpf_for(i, 0, bound)
#else
#define NCG_DECIDE_FOR(i, bound) for (i = 0; i < (bound); i++)
#endif

/* Keeps a compiler from making one branch for each term: each costs the verifier. */
#define NCG_DECIDE_OPAQUE(variable) __asm__ volatile("" : "+r"(variable))

/* Structures are read as words, which C's aliasing rules do not grant. */
typedef __u64 __attribute__((may_alias)) ncg_word;

_Static_assert(sizeof(struct ncg_tuple) % sizeof(__u64) == 0, "a tuple is whole words");
_Static_assert(sizeof(struct ncg_pkey) % sizeof(__u64) == 0, "a key is whole words");
_Static_assert(sizeof(union ncg_pelement) == 64 && sizeof(struct ncg_phead) == 64 &&
	       sizeof(struct ncg_pmask) == 64 && sizeof(struct ncg_pslot) == 64,
	       "elements are of one size");
_Static_assert(__builtin_offsetof(struct ncg_decision, sha256) % sizeof(__u64) == 0 &&
	       __builtin_offsetof(struct ncg_decision, file) % sizeof(__u64) == 0,
	       "digest and file name are copied as words");

/* What was chosen; both NULL: there is no policy. */
struct ncg_choice {
	const struct ncg_phead *head;
	const struct ncg_prule *rule; /* NULL: no rule fits, the default holds */
};

/*
 * A multiplication and a shift for each word, as in SplitMix64. Only has to spread
 * keys: whoever may write a policy gains nothing by colliding them.
 */
static __always_inline __u64 ncg_policy_hash(__u32 seed, const struct ncg_pkey *key)
{
	const ncg_word *word = (const ncg_word *)key;
	__u64 hash = seed;

	for (unsigned int w = 0; w < NCG_PKEY_WORDS; w++) {
		hash = (hash ^ word[w]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return hash * 0xbf58476d1ce4e5b9ULL;
}

/* The two places of a key among slots: each half of the hash, scaled to them. */
static __always_inline __u32 ncg_policy_place(__u64 hash, unsigned int which, __u32 slots)
{
	__u64 half = which ? hash >> 32 : hash & 0xffffffff;

	return half * slots >> 32;
}

static __always_inline const struct ncg_pslot *
ncg_policy_slot(void *policy, const struct ncg_phead *head, const struct ncg_pkey *key)
{
	const ncg_word *want = (const ncg_word *)key;
	__u64 hash = ncg_policy_hash(head->seed, key);

	for (unsigned int which = 0; which < 2; which++) {
		__u32 place = ncg_policy_place(hash, which, head->slots);
		const union ncg_pelement *element =
			ncg_policy_element(policy, head->first_slot + place);
		const ncg_word *have = (const ncg_word *)element;
		__u64 differs = 0;

		if (!element)
			continue;
		for (unsigned int w = 0; w < NCG_PKEY_WORDS; w++)
			differs |= have[w] ^ want[w];
		NCG_DECIDE_OPAQUE(differs);
		if (!differs)
			return &element->slot;
	}
	return (void *)0;
}

/*
 * The code of the deepest cgroup that a rule names and the task is in. Goes down
 * from the root only as far as names are known, so what it costs is bounded by the
 * policy and not by the task.
 */
static __always_inline __u64 ncg_cgroup_code(void *policy, const struct ncg_phead *head,
					     void *task)
{
	__u64 cgroup = ncg_cgroup_of(task);
	__u32 node = 0, level = 1, from = 0;
	struct ncg_pkey key;
	__u64 code = 0;
	int part;

	NCG_DECIDE_FOR(part, NCG_CGROUP_PARTS_MAX) {
		const struct ncg_pslot *slot;
		long length;

		__builtin_memset(&key, 0, sizeof(key));
		length = ncg_cgroup_part(cgroup, level, from, key.part);
		if (length < 0)
			break;
		key.space = NCG_SPACE_NODE(node);
		slot = ncg_policy_slot(policy, head, &key);
		if (!slot)
			break;
		node = slot->node.node;
		if (length == NCG_NAME_PART_LEN) {
			from += NCG_NAME_PART_LEN;
			continue;
		}
		code = slot->node.code;
		level++;
		from = 0;
	}
	return code;
}

/*
 * Chooses for t, which task maps, under policy, which may be NULL, and sets
 * t->cgroup. Cost: two or three loads of elements a mask, whatever the number of
 * rules.
 */
static __always_inline void ncg_decide(void *policy, struct ncg_tuple *t, void *task,
				       struct ncg_choice *ret_choice)
{
	const ncg_word *from = (const ncg_word *)t;
	const struct ncg_prule *best = (void *)0;
	const union ncg_pelement *element;
	const struct ncg_phead *head;
	struct ncg_pkey key;
	ncg_word *to = (ncg_word *)&key.tuple;
	int m;

	ret_choice->head = (void *)0;
	ret_choice->rule = (void *)0;
	element = policy ? ncg_policy_element(policy, 0) : (void *)0;
	if (!element)
		return;
	head = &element->head;
	/* Cannot be: user space refuses such a policy. */
	if (head->masks > NCG_MASKS_MAX)
		return;
	t->cgroup = head->cgroups ? ncg_cgroup_code(policy, head, task) : 0;
	key.zero = 0;

	NCG_DECIDE_FOR(m, (int)head->masks) {
		const struct ncg_pslot *slot;
		const ncg_word *mask;

		element = ncg_policy_element(policy, 1 + m);
		if (!element)
			return;
		if (best && best->order < element->mask.first_order)
			break;

		mask = (const ncg_word *)&element->mask.bits;
		for (unsigned int w = 0; w < NCG_TUPLE_WORDS; w++)
			to[w] = from[w] & mask[w];
		key.space = NCG_SPACE_MASK(m);
		slot = ncg_policy_slot(policy, head, &key);
		if (slot && (!best || slot->rule.order < best->order))
			best = &slot->rule;
	}
	ret_choice->head = head;
	ret_choice->rule = best;
}

static __always_inline __u32 ncg_choice_verdict(const struct ncg_choice *choice)
{
	if (choice->rule)
		return choice->rule->verdict;
	return choice->head ? choice->head->fallback : NCG_VERDICT_NONE;
}

/* Whether the verdict is to be acted on, and not only recorded. */
static __always_inline int ncg_choice_acts(const struct ncg_choice *choice)
{
	return choice->head && choice->head->mode == NCG_MODE_ENFORCE &&
	       !(choice->rule && choice->rule->audit);
}

/* Writes the choice down, all members but `grade`, which is the caller's to know. */
static __always_inline void ncg_choice_record(void *policy, const struct ncg_choice *choice,
					      struct ncg_decision *ret_decision)
{
	const struct ncg_phead *head = choice->head;
	const struct ncg_prule *rule = choice->rule;
	const union ncg_pelement *file = (void *)0;

	ret_decision->verdict = ncg_choice_verdict(choice);
	ret_decision->reason = rule ? NCG_REASON_RULE :
			       head ? NCG_REASON_DEFAULT : NCG_REASON_NO_POLICY;
	ret_decision->generation = head ? head->generation : 0;
	ret_decision->mode = head ? head->mode : NCG_MODE_AUDIT;
	ret_decision->line = rule ? rule->line : 0;
	ret_decision->audit = rule ? rule->audit : 0;
	if (head)
		__builtin_memcpy(ret_decision->sha256, head->sha256, NCG_SHA256_LEN);
	else
		__builtin_memset(ret_decision->sha256, 0, NCG_SHA256_LEN);
	if (head && rule)
		file = ncg_policy_element(policy, 1 + head->masks + rule->file);
	/* A verdict stands without its file's name; the line is still known. */
	if (file)
		__builtin_memcpy(ret_decision->file, file->file, NCG_PATH_LEN);
	else
		__builtin_memset(ret_decision->file, 0, NCG_PATH_LEN);
}

#endif
