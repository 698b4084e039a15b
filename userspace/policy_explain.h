/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a policy decides as it does, by reading its rules one after the other and
 * field by field: what a human is told. It shares nothing with the compiled form
 * but the rules, so the two can be held against each other. Pure.
 */
#ifndef NCGATE_POLICY_EXPLAIN_H
#define NCGATE_POLICY_EXPLAIN_H

#include "policy.h"

/* What a rule can differ from a mapping in, in the order that it is looked at. */
enum ncg_field {
	NCG_FIELD_NONE, /* nothing differs: the rule matches */
	NCG_FIELD_VENDOR,
	NCG_FIELD_DEVICE,
	NCG_FIELD_SUBVENDOR,
	NCG_FIELD_SUBDEVICE,
	NCG_FIELD_CLASS,
	NCG_FIELD_DOMAIN,
	NCG_FIELD_BUS,
	NCG_FIELD_SLOT,
	NCG_FIELD_FUNCTION,
	NCG_FIELD_BAR,
	NCG_FIELD_UID,
	NCG_FIELD_CGROUP,
	NCG_FIELD_NR,
};

struct ncg_explanation {
	enum ncg_verdict verdict;
	enum ncg_reason reason; /* NCG_REASON_RULE or NCG_REASON_DEFAULT */
	size_t rule;		/* index of the rule that decides; else rule_count */
	bool audit;		/* that rule says `audit` */
};

/*
 * The first field in which tuple is not what rule asks for. cgroup is the path of
 * the task's cgroup ("/" for the root); NULL, where it is not known, matches no
 * rule that names one. tuple->cgroup is not looked at.
 */
enum ncg_field ncg_policy_explain_rule(const struct ncg_policy_rule *rule,
				       const struct ncg_tuple *tuple, const char *cgroup);

/* The first rule that matches, or the default. */
void ncg_policy_explain(const struct ncg_policy *policy, const struct ncg_tuple *tuple,
			const char *cgroup, struct ncg_explanation *ret_explanation);

/* "vendor", "subsystem vendor", ...; a constant, "invalid" when out of range. */
const char *ncg_policy_explain_field(unsigned int field);

#endif
