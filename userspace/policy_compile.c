// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules that match on the same bits share a mask, and so one hash look-up finds
 * which of them fits, however many there are (the idea of tuple space search).
 * Of rules with equal bits under an equal mask only the first can ever win, so
 * only that one is stored; between masks the decider compares `order`.
 *
 * Owns no state. Fails closed: too big is an error, never a cut policy.
 */
#include "policy_compile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define _cleanup_compiled_ __attribute__((cleanup(ncg_policy_compile_freep)))

/* What stopped a compilation, for the sentence about it. */
enum limit {
	LIMIT_NONE,
	LIMIT_FILES,
	LIMIT_MASKS,
	LIMIT_RULES,
};

struct obstacle {
	enum limit limit;
	const struct ncg_policy_rule *rule;	/* the first too many, or NULL */
};

void ncg_policy_compile_free(struct ncg_compiled *compiled)
{
	if (!compiled)
		return;
	free(compiled->entries);
	free(compiled->slots);
	free(compiled);
}

void ncg_policy_compile_freep(struct ncg_compiled **compiled)
{
	ncg_policy_compile_free(*compiled);
}

/* A rule's mask, that of its BAR list included: all of a list share one. */
static struct ncg_tuple rule_mask(const struct ncg_policy_rule *rule)
{
	struct ncg_tuple mask = rule->mask;

	mask.bar = rule->bars ? ~0u : 0;
	return mask;
}

static unsigned int rule_keys(const struct ncg_policy_rule *rule)
{
	return rule->bars ? __builtin_popcount(rule->bars) : 1;
}

/* Both have no padding, so equal values are equal bytes. */
static bool tuple_equal(const struct ncg_tuple *a, const struct ncg_tuple *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static bool key_equal(const struct ncg_pkey *a, const struct ncg_pkey *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static size_t key_hash(const struct ncg_pkey *key)
{
	__u64 words[sizeof(*key) / sizeof(__u64)], hash = 0;

	memcpy(words, key, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		/* the finaliser of SplitMix64, once a word */
		hash += words[i] + 0x9e3779b97f4a7c15ull;
		hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9ull;
		hash = (hash ^ hash >> 27) * 0x94d049bb133111ebull;
		hash ^= hash >> 31;
	}
	return hash;
}

/* The slot of key's entry, or the free one where it belongs; 0 marks free. */
static __u32 *slot_find(const struct ncg_compiled *compiled, const struct ncg_pkey *key)
{
	size_t at = key_hash(key);

	/* Ends: there are at least twice as many slots as rules. */
	for (;; at++) {
		__u32 *slot = &compiled->slots[at & (compiled->slot_count - 1)];

		if (!*slot || key_equal(&compiled->entries[*slot].key, key))
			return slot;
	}
}

const union ncg_pvalue *ncg_policy_compile_find(const struct ncg_compiled *compiled,
						const struct ncg_pkey *key)
{
	size_t at;

	switch (key->kind) {
	case NCG_PKIND_HEAD:
		at = key->index ? compiled->count : 0;
		break;
	case NCG_PKIND_MASK:
		at = key->index < compiled->masks ? 1 + (size_t)key->index : compiled->count;
		break;
	case NCG_PKIND_FILE:
		at = key->index < compiled->files ? 1 + compiled->masks + (size_t)key->index :
						    compiled->count;
		break;
	case NCG_PKIND_RULE:
		at = *slot_find(compiled, key);
		return at ? &compiled->entries[at].value : NULL;
	default:
		return NULL;
	}
	/* A key of the other kinds with a tuple is in no map. */
	if (at == compiled->count || !key_equal(&compiled->entries[at].key, key))
		return NULL;
	return &compiled->entries[at].value;
}

/* Finds or adds mask. False: there is no room for it. */
static bool mask_index(struct ncg_tuple masks[NCG_MASKS_MAX], __u32 *count,
		       const struct ncg_tuple *mask, __u32 *ret_index)
{
	for (__u32 i = 0; i < *count; i++) {
		if (tuple_equal(&masks[i], mask)) {
			*ret_index = i;
			return true;
		}
	}
	if (*count == NCG_MASKS_MAX)
		return false;
	*ret_index = *count;
	masks[(*count)++] = *mask;
	return true;
}

/* Adds one key of a rule unless an earlier rule has it. False: no room. */
static bool rule_add(struct ncg_compiled *compiled, __u32 mask, const struct ncg_tuple *tuple,
		     const struct ncg_policy_rule *rule, __u32 order)
{
	const struct ncg_pkey key = { NCG_PKIND_RULE, mask, *tuple };
	struct ncg_compiled_entry *entry;
	__u32 *slot = slot_find(compiled, &key);

	if (*slot)
		return true;
	if (compiled->rules == NCG_RULES_MAX)
		return false;
	*slot = compiled->count;
	entry = &compiled->entries[compiled->count++];
	entry->key = key;
	entry->value.rule = (struct ncg_prule){
		.order = order,
		.line = rule->line,
		.file = rule->file,
		.verdict = rule->verdict,
		.audit = rule->audit,
	};
	compiled->rules++;
	return true;
}

static int compile(const struct ncg_policy *policy, __u64 generation,
		   struct obstacle *ret_obstacle, struct ncg_compiled **ret_compiled)
{
	_cleanup_compiled_ struct ncg_compiled *compiled = NULL;
	struct ncg_tuple masks[NCG_MASKS_MAX];
	size_t keys = 0, room;
	__u32 mask_count = 0, index;

	*ret_compiled = NULL;
	*ret_obstacle = (struct obstacle){ 0 };
	if (policy->file_count > NCG_FILES_MAX) {
		ret_obstacle->limit = LIMIT_FILES;
		return -E2BIG;
	}

	/* All masks first: they stand before the rules. */
	for (size_t i = 0; i < policy->rule_count; i++) {
		struct ncg_tuple mask = rule_mask(&policy->rules[i]);

		keys += rule_keys(&policy->rules[i]);
		if (mask_index(masks, &mask_count, &mask, &index))
			continue;
		*ret_obstacle = (struct obstacle){ LIMIT_MASKS, &policy->rules[i] };
		return -E2BIG;
	}

	compiled = calloc(1, sizeof(*compiled));
	if (!compiled)
		return -ENOMEM;
	/* More keys than fit are no error yet: they may be repetitions. */
	if (keys > NCG_RULES_MAX)
		keys = NCG_RULES_MAX;
	room = 1 + mask_count + policy->file_count + keys;
	compiled->entries = calloc(room, sizeof(*compiled->entries));
	for (compiled->slot_count = 2; compiled->slot_count < 2 * keys;)
		compiled->slot_count *= 2;
	compiled->slots = calloc(compiled->slot_count, sizeof(*compiled->slots));
	if (!compiled->entries || !compiled->slots)
		return -ENOMEM;

	compiled->entries[compiled->count++].key.kind = NCG_PKIND_HEAD;
	for (__u32 i = 0; i < mask_count; i++) {
		struct ncg_compiled_entry *entry = &compiled->entries[compiled->count++];

		entry->key = (struct ncg_pkey){ .kind = NCG_PKIND_MASK, .index = i };
		entry->value.mask = masks[i];
	}
	compiled->masks = mask_count;
	for (size_t i = 0; i < policy->file_count; i++) {
		struct ncg_compiled_entry *entry = &compiled->entries[compiled->count++];

		entry->key = (struct ncg_pkey){ .kind = NCG_PKIND_FILE, .index = i };
		memcpy(entry->value.file, policy->files[i], NCG_PATH_LEN);
	}
	compiled->files = policy->file_count;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[i];
		struct ncg_tuple mask = rule_mask(rule), tuple = rule->value;

		mask_index(masks, &mask_count, &mask, &index);
		for (unsigned int bar = 0; bar < NCG_POLICY_BARS; bar++) {
			if (rule->bars ? !(rule->bars & 1u << bar) : bar)
				continue;
			tuple.bar = bar;
			if (rule_add(compiled, index, &tuple, rule, i))
				continue;
			*ret_obstacle = (struct obstacle){ LIMIT_RULES, rule };
			return -E2BIG;
		}
	}

	compiled->entries[0].value.head = (struct ncg_phead){
		.generation = generation,
		.mode = policy->mode,
		.fallback = policy->fallback,
		.without_hook = policy->without_hook,
		.masks = compiled->masks,
		.rules = compiled->rules,
	};
	memcpy(compiled->entries[0].value.head.sha256, policy->sha256, NCG_SHA256_LEN);

	*ret_compiled = compiled;
	compiled = NULL;
	return 0;
}

int ncg_policy_compile(const struct ncg_policy *policy, __u64 generation,
		       struct ncg_compiled **ret_compiled)
{
	struct obstacle obstacle;

	return compile(policy, generation, &obstacle, ret_compiled);
}

char *ncg_policy_compile_explain(const struct ncg_policy *policy)
{
	_cleanup_compiled_ struct ncg_compiled *compiled = NULL;
	struct obstacle obstacle;
	char *text = NULL;
	int n = -1;

	/* Worth doing the work twice: nothing need be kept for a rare failure. */
	compile(policy, 0, &obstacle, &compiled);
	switch (obstacle.limit) {
	case LIMIT_NONE:
		return NULL;
	case LIMIT_FILES:
		n = asprintf(&text, "the policy has %zu files; at most %u are possible",
			     policy->file_count, NCG_FILES_MAX);
		break;
	case LIMIT_MASKS:
		n = asprintf(&text,
			     "%s:%u: the rules match on more than %u different sets of fields, "
			     "and this is the first too many; give it the same matches and "
			     "wildcards as another rule",
			     policy->files[obstacle.rule->file], obstacle.rule->line,
			     NCG_MASKS_MAX);
		break;
	case LIMIT_RULES:
		n = asprintf(&text,
			     "%s:%u: the policy has more than %u rules, each BAR of a bar= list "
			     "counted, and this is the first too many",
			     policy->files[obstacle.rule->file], obstacle.rule->line,
			     NCG_RULES_MAX);
		break;
	}
	return n < 0 ? NULL : text;
}
