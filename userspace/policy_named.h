/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names that rules have in the place of ids. What such a rule says depends on pci.ids, so
 * the ids that its name stands for are a part of the policy. Pure but for memory.
 */
#ifndef NCGATE_POLICY_NAMED_H
#define NCGATE_POLICY_NAMED_H

#include "policy.h"

#define NCG_POLICY_NAMED_IDS_LEN sizeof("10de:2330")

/* Fills in named and named_count of a policy that has all its rules. 0 or -ENOMEM. */
int ncg_policy_named_collect(struct ncg_policy *policy);

/* The ids that a rule asks for, as the policy language has them: "10de:2330", "10de:*". */
void ncg_policy_named_ids(const struct ncg_policy_rule *rule,
			  char ret_ids[NCG_POLICY_NAMED_IDS_LEN]);

/*
 * A rule's ids and its name, not NULL, with a blank between: what the digest of a policy
 * covers and what is kept of it. The caller frees it; NULL when there is no memory.
 */
char *ncg_policy_named_line(const struct ncg_policy_rule *rule);

#endif
