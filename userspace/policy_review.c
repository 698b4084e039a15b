// SPDX-License-Identifier: GPL-2.0-only
/*
 * See policy_review.h. The rules are gone through in order. Those so far that no other
 * covers stand in a hash table by what they match, BARs apart, so that the ones that could
 * cover the next rule are found by a look-up for each set of fields that rules so far
 * match on. What covers a rule that is covered itself is covered as well, so nothing else
 * need be kept: of one entry each rule has BARs that none before it has all of, and there
 * are at most as many as there are sets of BARs.
 */
#include "policy_review.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "policy_cgroup.h"
#include "policy_explain.h"
#include "policy_table.h"

/* What a rule matches but for its BARs, with its cgroup as a code. */
struct match {
	struct ncg_tuple value;
	struct ncg_tuple mask;
};

struct review {
	const struct ncg_policy *policy;
	struct ncg_policy_cgroups cgroups;
	/*
	 * By match under the mask of that number: the first rule of a chain, as order. The
	 * folders of cgroups are in it as well, and of no use here.
	 */
	struct ncg_policy_table table;
	struct ncg_tuple *masks;
	size_t mask_count;
	__u32 *next;   /* by rule: the next in its chain + 1, or 0 */
	bool *covered; /* by rule */
	struct ncg_policy_findings *findings;
};

static void review_done(struct review *review)
{
	ncg_policy_cgroups_done(&review->cgroups);
	ncg_policy_table_done(&review->table);
	free(review->masks);
	free(review->next);
	free(review->covered);
	free(review->findings);
}

static int begin(struct review *review)
{
	size_t count = review->policy->rule_count;

	review->masks = calloc(count + 1, sizeof(*review->masks));
	review->next = calloc(count + 1, sizeof(*review->next));
	review->covered = calloc(count + 1, sizeof(*review->covered));
	review->findings = calloc(1, sizeof(*review->findings));
	if (!review->masks || !review->next || !review->covered || !review->findings)
		return -ENOMEM;
	return ncg_policy_cgroups_number(review->policy, &review->table, &review->cgroups);
}

static void add(struct review *review, enum ncg_policy_finding_kind kind, size_t rule, size_t by)
{
	struct ncg_policy_findings *findings = review->findings;

	if (findings->count == NCG_POLICY_FINDINGS_MAX)
		findings->more++;
	else
		findings->list[findings->count++] = (struct ncg_policy_finding){ kind, rule, by };
}

/* ------------------------------------------------------------- covered by one */

static struct match match_of(const struct review *review, const struct ncg_policy_rule *rule)
{
	struct match match = { rule->value, rule->mask };

	if (rule->cgroup) {
		const struct ncg_policy_cgroup *cgroup =
			ncg_policy_cgroups_find(&review->cgroups, rule->cgroup);

		match.value.cgroup = cgroup->code;
		match.mask.cgroup = cgroup->mask;
		/*
		 * The root's mask has no bits, and it does not match a task whose cgroup is
		 * not known, as no cgroup= at all does. BARs stand apart: their place is free.
		 */
		match.value.bar = match.mask.bar = 1;
	}
	return match;
}

static bool bars_cover(__u8 bars, __u8 others)
{
	return !bars || (others && !(others & ~bars));
}

static bool mask_within(const struct ncg_tuple *mask, const struct ncg_tuple *other)
{
	const __u64 *a = (const void *)mask, *b = (const void *)other;

	for (size_t i = 0; i < NCG_TUPLE_WORDS; i++)
		if (a[i] & ~b[i])
			return false;
	return true;
}

/* The key of what a rule with that value matches under mask m. */
static struct ncg_pkey key_under(const struct review *review, size_t m,
				 const struct ncg_tuple *value)
{
	const __u64 *from = (const void *)value, *bits = (const void *)&review->masks[m];
	struct ncg_pkey key = { .space = NCG_SPACE_MASK(m) };
	__u64 *to = (void *)&key.tuple;

	for (size_t i = 0; i < NCG_TUPLE_WORDS; i++)
		to[i] = from[i] & bits[i];
	return key;
}

/* The first rule so far that matches all that this one does; rule_count: none. */
static size_t find_cover(struct review *review, const struct match *match, __u8 bars)
{
	size_t best = review->policy->rule_count;

	for (size_t m = 0; m < review->mask_count; m++) {
		const struct ncg_pslot *slot;
		struct ncg_pkey key;

		review->findings->compared++;
		if (!mask_within(&review->masks[m], &match->mask))
			continue;
		key = key_under(review, m, &match->value);
		slot = ncg_policy_table_find(&review->table, &key);
		/* A chain is in the order of rules. */
		for (__u32 r = slot ? slot->rule.order + 1 : 0; r && r - 1 < best;
		     r = review->next[r - 1]) {
			review->findings->compared++;
			if (bars_cover(review->policy->rules[r - 1].bars, bars))
				best = r - 1;
		}
	}
	return best;
}

/* Keeps a rule that none covers, for those that come. 0 or -ENOMEM. */
static int keep(struct review *review, const struct match *match, __u32 rule)
{
	struct ncg_pslot *slot;
	struct ncg_pkey key;
	size_t m = 0;
	__u32 *end;
	bool new;

	while (m < review->mask_count &&
	       memcmp(&review->masks[m], &match->mask, sizeof(match->mask)))
		m++;
	if (m == review->mask_count)
		review->masks[review->mask_count++] = match->mask;
	key = key_under(review, m, &match->value);
	slot = ncg_policy_table_add(&review->table, &key, &new);
	if (!slot)
		return -ENOMEM;
	if (new) {
		slot->rule.order = rule;
		return 0;
	}
	for (end = &review->next[slot->rule.order]; *end; end = &review->next[*end - 1])
		;
	*end = rule + 1;
	return 0;
}

static bool same_matches(const struct ncg_policy_rule *a, const struct ncg_policy_rule *b)
{
	return !memcmp(&a->mask, &b->mask, sizeof(a->mask)) &&
	       !memcmp(&a->value, &b->value, sizeof(a->value)) && a->bars == b->bars &&
	       !strcmp(a->cgroup ? a->cgroup : "", b->cgroup ? b->cgroup : "");
}

static enum ncg_policy_finding_kind kind_of(const struct ncg_policy_rule *rule,
					    const struct ncg_policy_rule *by)
{
	if (!same_matches(rule, by))
		return NCG_POLICY_SHADOWED;
	return rule->verdict == by->verdict && rule->audit == by->audit ? NCG_POLICY_DUPLICATE :
									  NCG_POLICY_CONTRADICTION;
}

/* ------------------------------------------------------------------ no device */

static bool has_device(const struct ncg_policy_rule *rule, const struct ncg_devices *devices)
{
	/* Whoever maps, and whichever BAR. */
	struct ncg_policy_rule anyone = *rule;

	anyone.mask.uid = anyone.value.uid = 0;
	anyone.cgroup = NULL;
	anyone.bars = 0;
	for (size_t i = 0; i < devices->count; i++) {
		const struct ncg_device *d = &devices->list[i];
		const struct ncg_tuple tuple = {
			.vendor = d->vendor, .device = d->device, .subvendor = d->subvendor,
			.subdevice = d->subdevice, .class_code = d->class_code,
			.domain = d->domain, .bus = d->bus, .devfn = d->devfn,
		};

		if (ncg_policy_explain_rule(&anyone, &tuple, NULL) == NCG_FIELD_NONE)
			return true;
	}
	return false;
}

/* --------------------------------------------------------------------- public */

int ncg_policy_review(const struct ncg_policy *policy, const struct ncg_devices *devices,
		      struct ncg_policy_findings **ret_findings)
{
	ncg_cleanup(review_done) struct review review = { .policy = policy };
	int r = begin(&review);

	*ret_findings = NULL;
	for (size_t i = 0; !r && i < policy->rule_count; i++) {
		const struct match match = match_of(&review, &policy->rules[i]);
		size_t by = find_cover(&review, &match, policy->rules[i].bars);

		review.covered[i] = by < policy->rule_count;
		if (review.covered[i])
			add(&review, kind_of(&policy->rules[i], &policy->rules[by]), i, by);
		else
			r = keep(&review, &match, i);
	}
	if (r)
		return r;
	for (size_t i = 0; devices && i < policy->rule_count; i++)
		if (!review.covered[i] && !has_device(&policy->rules[i], devices))
			add(&review, NCG_POLICY_NO_DEVICE, i, i);
	*ret_findings = ncg_take_ptr(review.findings);
	return 0;
}

char *ncg_policy_finding_format(const struct ncg_policy *policy,
				const struct ncg_policy_finding *finding)
{
	static const char *const before[] = {
		[NCG_POLICY_DUPLICATE] = "says again what ",
		[NCG_POLICY_CONTRADICTION] = "contradicts ",
		[NCG_POLICY_SHADOWED] = "never decides: ",
		[NCG_POLICY_NO_DEVICE] = "matches no device of this host",
	};
	static const char *const after[] = {
		[NCG_POLICY_DUPLICATE] = " says",
		[NCG_POLICY_CONTRADICTION] = ", which matches the same and stands before it",
		[NCG_POLICY_SHADOWED] = " stands before it and matches all that it does",
		[NCG_POLICY_NO_DEVICE] = "",
	};
	const struct ncg_policy_rule *rule = &policy->rules[finding->rule];
	const struct ncg_policy_rule *by = &policy->rules[finding->by];
	char *text, other[NCG_PATH_LEN + sizeof(":4294967295")] = "";
	int n;

	static_assert(sizeof(before) / sizeof(*before) == NCG_POLICY_FINDING_NR &&
		      sizeof(after) / sizeof(*after) == NCG_POLICY_FINDING_NR, "a kind has no words");
	if (finding->kind != NCG_POLICY_NO_DEVICE)
		snprintf(other, sizeof(other), "%.*s:%u", NCG_PATH_LEN, policy->files[by->file],
			 by->line);
	n = asprintf(&text, "%.*s:%u: %s%s%s", NCG_PATH_LEN, policy->files[rule->file], rule->line,
		     before[finding->kind], other, after[finding->kind]);
	return n < 0 ? NULL : text;
}
