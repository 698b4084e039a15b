// SPDX-License-Identifier: GPL-2.0-only
/* See policy_named.h. */
#include "policy_named.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right, void *arg)
{
	const struct ncg_policy_rule *rules = arg;
	const __u32 *a = left, *b = right;
	int r = strcmp(rules[*a].name, rules[*b].name);

	return r ? r : (*a > *b) - (*a < *b);
}

int ncg_policy_named_collect(struct ncg_policy *policy)
{
	size_t count = 0, kept = 0;
	__u32 *named;

	for (size_t i = 0; i < policy->rule_count; i++)
		count += policy->rules[i].name != NULL;
	if (!count)
		return 0;
	named = calloc(count, sizeof(*named));
	if (!named)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].name)
			named[count++] = i;
	qsort_r(named, count, sizeof(*named), compare, policy->rules);
	/* Of one name the first rule. Within one load it always stands for the same ids. */
	for (size_t i = 0; i < count; i++)
		if (!i || strcmp(policy->rules[named[kept - 1]].name,
				 policy->rules[named[i]].name))
			named[kept++] = named[i];
	policy->named = named;
	policy->named_count = kept;
	return 0;
}

void ncg_policy_named_ids(const struct ncg_policy_rule *rule,
			  char ret_ids[NCG_POLICY_NAMED_IDS_LEN])
{
	char device[sizeof("2330")] = "*";

	if (rule->mask.device)
		snprintf(device, sizeof(device), "%04x", rule->value.device);
	snprintf(ret_ids, NCG_POLICY_NAMED_IDS_LEN, "%04x:%s", rule->value.vendor, device);
}

char *ncg_policy_named_line(const struct ncg_policy_rule *rule)
{
	char ids[NCG_POLICY_NAMED_IDS_LEN], *line;

	ncg_policy_named_ids(rule, ids);
	return asprintf(&line, "%s %s", ids, rule->name) < 0 ? NULL : line;
}
