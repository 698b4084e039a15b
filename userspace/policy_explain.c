// SPDX-License-Identifier: GPL-2.0-only
/* See policy_explain.h. Owns no state and cannot fail. */
#include "policy_explain.h"

#include <assert.h>
#include <string.h>

static const char *const fields[] = {
	[NCG_FIELD_NONE] = "nothing",
	[NCG_FIELD_VENDOR] = "vendor",
	[NCG_FIELD_DEVICE] = "device",
	[NCG_FIELD_SUBVENDOR] = "subsystem vendor",
	[NCG_FIELD_SUBDEVICE] = "subsystem device",
	[NCG_FIELD_CLASS] = "class",
	[NCG_FIELD_DOMAIN] = "slot's domain",
	[NCG_FIELD_BUS] = "slot's bus",
	[NCG_FIELD_SLOT] = "slot's device",
	[NCG_FIELD_FUNCTION] = "slot's function",
	[NCG_FIELD_BAR] = "bar",
	[NCG_FIELD_UID] = "uid",
	[NCG_FIELD_CGROUP] = "cgroup",
};
static_assert(sizeof(fields) / sizeof(*fields) == NCG_FIELD_NR, "a field has no name");

const char *ncg_policy_explain_field(unsigned int field)
{
	return field < NCG_FIELD_NR ? fields[field] : "invalid";
}

/* A cgroup is within itself and within each of its ancestors. */
static bool within(const char *cgroup, const char *ancestor)
{
	size_t length = strlen(ancestor);

	if (!cgroup)
		return false;
	if (!strcmp(ancestor, "/"))
		return true;
	return !strncmp(cgroup, ancestor, length) &&
	       (!cgroup[length] || cgroup[length] == '/');
}

enum ncg_field ncg_policy_explain_rule(const struct ncg_policy_rule *rule,
				       const struct ncg_tuple *tuple, const char *cgroup)
{
	const struct ncg_tuple *v = &rule->value, *m = &rule->mask;

	if ((tuple->vendor & m->vendor) != v->vendor)
		return NCG_FIELD_VENDOR;
	if ((tuple->device & m->device) != v->device)
		return NCG_FIELD_DEVICE;
	if ((tuple->subvendor & m->subvendor) != v->subvendor)
		return NCG_FIELD_SUBVENDOR;
	if ((tuple->subdevice & m->subdevice) != v->subdevice)
		return NCG_FIELD_SUBDEVICE;
	if ((tuple->class_code & m->class_code) != v->class_code)
		return NCG_FIELD_CLASS;
	if ((tuple->domain & m->domain) != v->domain)
		return NCG_FIELD_DOMAIN;
	if ((tuple->bus & m->bus) != v->bus)
		return NCG_FIELD_BUS;
	if ((tuple->devfn & m->devfn & 0xf8) != (v->devfn & 0xf8))
		return NCG_FIELD_SLOT;
	if ((tuple->devfn & m->devfn & 0x07) != (v->devfn & 0x07))
		return NCG_FIELD_FUNCTION;
	if (rule->bars && (tuple->bar >= NCG_POLICY_BARS || !(rule->bars >> tuple->bar & 1)))
		return NCG_FIELD_BAR;
	if ((tuple->uid & m->uid) != v->uid)
		return NCG_FIELD_UID;
	if (rule->cgroup && !within(cgroup, rule->cgroup))
		return NCG_FIELD_CGROUP;
	return NCG_FIELD_NONE;
}

void ncg_policy_explain(const struct ncg_policy *policy, const struct ncg_tuple *tuple,
			const char *cgroup, struct ncg_explanation *ret_explanation)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[i];

		if (ncg_policy_explain_rule(rule, tuple, cgroup) != NCG_FIELD_NONE)
			continue;
		*ret_explanation = (struct ncg_explanation){ rule->verdict, NCG_REASON_RULE, i,
							     rule->audit };
		return;
	}
	*ret_explanation = (struct ncg_explanation){ policy->fallback, NCG_REASON_DEFAULT,
						     policy->rule_count, false };
}
