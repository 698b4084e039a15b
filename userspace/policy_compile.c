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

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "policy_cgroup.h"
#include "policy_table.h"

/* What stopped a compilation, for the sentence about it. */
enum limit {
	LIMIT_NONE,
	LIMIT_MASKS,
	LIMIT_RULES,
	LIMIT_CGROUPS,
};

struct obstacle {
	enum limit limit;
	const struct ncg_policy_rule *rule; /* the first too many, or NULL */
};

/* A policy on its way to elements. */
struct build {
	const struct ncg_policy *policy;
	struct ncg_pmask masks[NCG_MASKS_MAX];
	__u32 mask_count;
	__u32 rules; /* of the table's entries */
	struct ncg_policy_cgroups cgroups;
	struct ncg_policy_table table;
};

static_assert(sizeof(union ncg_pelement) == sizeof(struct ncg_pslot), "a slot is an element");

void ncg_policy_compile_free(struct ncg_compiled *compiled)
{
	if (!compiled)
		return;
	free(compiled->elements);
	free(compiled);
}

void ncg_policy_compile_freep(struct ncg_compiled **compiled)
{
	ncg_policy_compile_free(*compiled);
}

static void build_done(struct build *build)
{
	ncg_policy_cgroups_done(&build->cgroups);
	ncg_policy_table_done(&build->table);
}

/* A rule as value and mask; all BARs of a list share one mask. */
static void rule_tuples(const struct build *build, const struct ncg_policy_rule *rule,
			struct ncg_tuple *ret_value, struct ncg_tuple *ret_mask)
{
	*ret_value = rule->value;
	*ret_mask = rule->mask;
	if (rule->bars)
		ret_mask->bar = ~0u;
	if (rule->cgroup) {
		const struct ncg_policy_cgroup *cgroup =
			ncg_policy_cgroups_find(&build->cgroups, rule->cgroup);

		ret_value->cgroup = cgroup->code;
		ret_mask->cgroup = cgroup->mask;
	}
}

/* Finds or adds mask, for the rule at order. False: there is no room for it. */
static bool mask_index(struct build *build, const struct ncg_tuple *mask, __u32 order,
		       __u32 *ret_index)
{
	__u32 i;

	/* A tuple has no padding, so equal values are equal bytes. */
	for (i = 0; i < build->mask_count; i++)
		if (!memcmp(&build->masks[i].bits, mask, sizeof(*mask)))
			break;
	if (i == NCG_MASKS_MAX)
		return false;
	if (i == build->mask_count) {
		build->masks[i] = (struct ncg_pmask){ .bits = *mask, .first_order = order };
		build->mask_count++;
	}
	*ret_index = i;
	return true;
}

/* Adds a rule's keys but those that an earlier rule has. */
static int rule_add(struct build *build, const struct ncg_policy_rule *rule, __u32 order,
		    struct obstacle *ret_obstacle)
{
	struct ncg_pkey key = { 0 };
	struct ncg_tuple mask;
	__u32 index;

	rule_tuples(build, rule, &key.tuple, &mask);
	if (!mask_index(build, &mask, order, &index)) {
		*ret_obstacle = (struct obstacle){ LIMIT_MASKS, rule };
		return -E2BIG;
	}
	key.space = NCG_SPACE_MASK(index);
	for (unsigned int bar = 0; bar < NCG_POLICY_BARS; bar++) {
		struct ncg_pslot *slot;
		bool new;

		if (rule->bars ? !(rule->bars & 1u << bar) : bar)
			continue;
		key.tuple.bar = bar;
		slot = ncg_policy_table_add(&build->table, &key, &new);
		if (!slot)
			return -ENOMEM;
		if (!new)
			continue;
		if (build->rules == NCG_RULES_MAX) {
			*ret_obstacle = (struct obstacle){ LIMIT_RULES, rule };
			return -E2BIG;
		}
		build->rules++;
		slot->rule = (struct ncg_prule){
			.order = order,
			.line = rule->line,
			.file = rule->file,
			.verdict = rule->verdict,
			.audit = rule->audit,
		};
	}
	return 0;
}

/* Lays the elements out. */
static int lay_out(const struct build *build, __u64 generation,
		   struct ncg_compiled **ret_compiled)
{
	const struct ncg_policy *policy = build->policy;
	ncg_cleanup(ncg_policy_compile_freep) struct ncg_compiled *compiled =
		calloc(1, sizeof(*compiled));
	struct ncg_phead head = {
		.generation = generation,
		.masks = build->mask_count,
		.rules = build->rules,
		.first_slot = 1 + build->mask_count + policy->file_count,
		.mode = policy->mode,
		.fallback = policy->fallback,
		.without_hook = policy->without_hook,
		.cgroups = build->table.count > build->rules,
	};
	ncg_autofree __u32 *order = NULL;
	union ncg_pelement *next;
	int r;

	if (!compiled)
		return -ENOMEM;
	memcpy(head.sha256, policy->sha256, sizeof(head.sha256));
	r = ncg_policy_table_place(&build->table, &head.seed, &head.slots, &order);
	if (r)
		return r;
	compiled->count = head.first_slot + head.slots;
	compiled->elements = calloc(compiled->count, sizeof(*compiled->elements));
	if (!compiled->elements)
		return -ENOMEM;

	next = compiled->elements;
	next++->head = head;
	for (__u32 i = 0; i < build->mask_count; i++)
		next++->mask = build->masks[i];
	for (size_t i = 0; i < policy->file_count; i++)
		memcpy(next++->file, policy->files[i], NCG_PATH_LEN);
	for (__u32 i = 0; i < head.slots; i++, next++)
		if (order[i])
			next->slot = build->table.entries[order[i] - 1];

	*ret_compiled = ncg_take_ptr(compiled);
	return 0;
}

static int compile(const struct ncg_policy *policy, __u64 generation,
		   struct obstacle *ret_obstacle, struct ncg_compiled **ret_compiled)
{
	ncg_cleanup(build_done) struct build build = { .policy = policy };
	int r;

	*ret_compiled = NULL;
	*ret_obstacle = (struct obstacle){ 0 };
	r = ncg_policy_cgroups_number(policy, &build.table, &build.cgroups);
	if (r == -E2BIG)
		ret_obstacle->limit = LIMIT_CGROUPS;
	for (size_t i = 0; !r && i < policy->rule_count; i++)
		r = rule_add(&build, &policy->rules[i], i, ret_obstacle);
	return r ? r : lay_out(&build, generation, ret_compiled);
}

int ncg_policy_compile(const struct ncg_policy *policy, __u64 generation,
		       struct ncg_compiled **ret_compiled)
{
	struct obstacle obstacle;

	return compile(policy, generation, &obstacle, ret_compiled);
}

char *ncg_policy_compile_explain(const struct ncg_policy *policy)
{
	ncg_cleanup(ncg_policy_compile_freep) struct ncg_compiled *compiled = NULL;
	struct obstacle obstacle;
	char *text = NULL;
	int n = -1;

	/* Worth doing the work twice: nothing need be kept for a rare failure. */
	compile(policy, 0, &obstacle, &compiled);
	switch (obstacle.limit) {
	case LIMIT_NONE:
		return NULL;
	case LIMIT_MASKS:
		n = asprintf(&text,
			     "%s:%u: the rules match on more than %u different sets of fields, "
			     "and this is the first too many; give it the same matches and "
			     "wildcards as another rule",
			     policy->paths[obstacle.rule->file], obstacle.rule->line,
			     NCG_MASKS_MAX);
		break;
	case LIMIT_RULES:
		n = asprintf(&text,
			     "%s:%u: the policy has more than %u rules, each BAR of a bar= list "
			     "counted, and this is the first too many",
			     policy->paths[obstacle.rule->file], obstacle.rule->line,
			     NCG_RULES_MAX);
		break;
	case LIMIT_CGROUPS:
		n = asprintf(&text,
			     "%s: the rules name too many cgroups: at most %u, and fewer when "
			     "they are deep and have many folders on each level",
			     policy->paths[0], NCG_NODES_MAX);
		break;
	}
	return n < 0 ? NULL : text;
}
