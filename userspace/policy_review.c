// SPDX-License-Identifier: GPL-2.0-only
/*
 * See policy_review.h. Rules are sorted by what they match, so that the earlier rules
 * that could cover one are found by a search for each mask of the policy and each
 * ancestor of the rule's cgroup, and not by looking at all.
 */
#include "policy_review.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "policy_explain.h"

/* What a rule matches but for its BARs, and which rule that is. */
struct key {
	const struct ncg_tuple *mask;
	struct ncg_tuple value;
	const char *cgroup; /* NULL: every one */
	size_t cgroup_length;
	size_t rule;
};

struct review {
	const struct ncg_policy *policy;
	struct key *keys;		/* sorted, one for each rule */
	const struct ncg_tuple **masks; /* each once */
	size_t mask_count;
	bool *covered; /* by rule */
	struct ncg_policy_findings *findings;
};

static void review_done(struct review *review)
{
	free(review->keys);
	free(review->masks);
	free(review->covered);
	free(review->findings);
}

static int compare_cgroups(const struct key *a, const struct key *b)
{
	size_t least = a->cgroup_length < b->cgroup_length ? a->cgroup_length : b->cgroup_length;
	int r;

	if (!a->cgroup || !b->cgroup)
		return !!a->cgroup - !!b->cgroup;
	r = memcmp(a->cgroup, b->cgroup, least);
	return r ? r : (a->cgroup_length > b->cgroup_length) - (a->cgroup_length < b->cgroup_length);
}

/* Keys that compare equal are met by the same mappings, but for BARs. */
static int compare_matches(const struct key *a, const struct key *b)
{
	int r = memcmp(a->mask, b->mask, sizeof(*a->mask));

	if (!r)
		r = memcmp(&a->value, &b->value, sizeof(a->value));
	return r ? r : compare_cgroups(a, b);
}

static int compare_keys(const void *left, const void *right)
{
	const struct key *a = left, *b = right;
	int r = compare_matches(a, b);

	return r ? r : (a->rule > b->rule) - (a->rule < b->rule);
}

static int sort(struct review *review)
{
	const struct ncg_policy *policy = review->policy;
	size_t count = policy->rule_count;

	review->keys = calloc(count + 1, sizeof(*review->keys));
	review->masks = calloc(count + 1, sizeof(*review->masks));
	review->covered = calloc(count + 1, sizeof(*review->covered));
	review->findings = calloc(1, sizeof(*review->findings));
	if (!review->keys || !review->masks || !review->covered || !review->findings)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[i];

		review->keys[i] = (struct key){ &rule->mask, rule->value, rule->cgroup,
						rule->cgroup ? strlen(rule->cgroup) : 0, i };
	}
	qsort(review->keys, count, sizeof(*review->keys), compare_keys);
	for (size_t i = 0; i < count; i++)
		if (!i || memcmp(review->keys[i].mask, review->keys[i - 1].mask,
				 sizeof(*review->keys[i].mask)))
			review->masks[review->mask_count++] = review->keys[i].mask;
	return 0;
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

static bool bars_cover(__u8 bars, __u8 others)
{
	return !bars || (others && !(others & ~bars));
}

/* The first rule of that very key that stands before `rule` and has all its BARs. */
static size_t find_same(const struct review *review, const struct key *wanted, size_t rule,
			size_t none)
{
	const struct ncg_policy *policy = review->policy;
	size_t low = 0, high = policy->rule_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_matches(&review->keys[middle], wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < policy->rule_count; low++) {
		const struct key *key = &review->keys[low];

		if (key->rule >= rule || key->rule >= none || compare_matches(key, wanted))
			return none;
		if (bars_cover(policy->rules[key->rule].bars, policy->rules[rule].bars))
			return key->rule;
	}
	return none;
}

static bool mask_within(const struct ncg_tuple *mask, const struct ncg_tuple *other)
{
	const __u8 *a = (const void *)mask, *b = (const void *)other;

	for (size_t i = 0; i < sizeof(*mask); i++)
		if (a[i] & ~b[i])
			return false;
	return true;
}

static struct ncg_tuple masked(const struct ncg_tuple *value, const struct ncg_tuple *mask)
{
	const __u8 *from = (const void *)value, *bits = (const void *)mask;
	struct ncg_tuple result;
	__u8 *to = (void *)&result;

	for (size_t i = 0; i < sizeof(result); i++)
		to[i] = from[i] & bits[i];
	return result;
}

/* The first rule before it that matches all that it does; rule_count: none. */
static size_t find_cover(const struct review *review, size_t index)
{
	const struct ncg_policy_rule *rule = &review->policy->rules[index];
	size_t length = rule->cgroup ? strlen(rule->cgroup) : 0;
	size_t best = review->policy->rule_count;

	for (size_t m = 0; m < review->mask_count; m++) {
		struct key wanted = { .mask = review->masks[m] };

		if (!mask_within(wanted.mask, &rule->mask))
			continue;
		wanted.value = masked(&rule->value, wanted.mask);
		best = find_same(review, &wanted, index, best);
		/* "/", "/a", "/a/b": every length where a folder's name ends. */
		wanted.cgroup = rule->cgroup;
		for (size_t n = 1; n <= length; n++) {
			if (n > 1 && n < length && rule->cgroup[n] != '/')
				continue;
			wanted.cgroup_length = n;
			best = find_same(review, &wanted, index, best);
		}
	}
	return best;
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
	/* Whoever maps. */
	struct ncg_policy_rule anyone = *rule;

	anyone.mask.uid = anyone.value.uid = 0;
	anyone.cgroup = NULL;
	for (size_t i = 0; i < devices->count; i++) {
		const struct ncg_device *d = &devices->list[i];

		for (unsigned int bar = 0; bar < NCG_DEVICE_BARS; bar++) {
			const struct ncg_tuple tuple = {
				.vendor = d->vendor, .device = d->device,
				.subvendor = d->subvendor, .subdevice = d->subdevice,
				.class_code = d->class_code, .bar = bar, .domain = d->domain,
				.bus = d->bus, .devfn = d->devfn,
			};

			if (ncg_policy_explain_rule(&anyone, &tuple, NULL) == NCG_FIELD_NONE)
				return true;
		}
	}
	return false;
}

/* --------------------------------------------------------------------- public */

int ncg_policy_review(const struct ncg_policy *policy, const struct ncg_devices *devices,
		      struct ncg_policy_findings **ret_findings)
{
	ncg_cleanup(review_done) struct review review = { .policy = policy };
	int r = sort(&review);

	*ret_findings = NULL;
	if (r)
		return r;
	for (size_t i = 0; i < policy->rule_count; i++) {
		size_t by = find_cover(&review, i);

		review.covered[i] = by < policy->rule_count;
		if (review.covered[i])
			add(&review, kind_of(&policy->rules[i], &policy->rules[by]), i, by);
	}
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
