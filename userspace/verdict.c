// SPDX-License-Identifier: GPL-2.0-only
#include "verdict.h"

#include <string.h>

#include "policy_explain.h"

struct ncg_tuple ncg_verdict_tuple(const struct ncg_device *device, unsigned int bar,
				   const struct ncg_mapper *mapper)
{
	return (struct ncg_tuple){
		.vendor = device->vendor, .device = device->device,
		.subvendor = device->subvendor, .subdevice = device->subdevice,
		.class_code = device->class_code, .bar = bar, .domain = device->domain,
		.bus = device->bus, .devfn = device->devfn, .uid = mapper ? mapper->uid : 0,
	};
}

void ncg_verdict_decide(const struct ncg_policy *policy, const struct ncg_tuple *tuple,
			const char *cgroup, struct ncg_decision *ret_decision)
{
	struct ncg_explanation why;

	ncg_policy_explain(policy, tuple, cgroup, &why);
	*ret_decision = (struct ncg_decision){
		.verdict = why.verdict, .reason = why.reason, .mode = policy->mode,
		.audit = why.audit,
	};
	memcpy(ret_decision->sha256, policy->sha256, sizeof(ret_decision->sha256));
	if (why.reason == NCG_REASON_RULE) {
		const struct ncg_policy_rule *rule = &policy->rules[why.rule];

		ret_decision->line = rule->line;
		memcpy(ret_decision->file, policy->files[rule->file], sizeof(ret_decision->file));
	}
}

void ncg_verdict_bar(const struct ncg_policy *policy, const struct ncg_device *device,
		     unsigned int bar, const struct ncg_mapper *mapper,
		     struct ncg_decision *ret_decision)
{
	struct ncg_tuple tuple = ncg_verdict_tuple(device, bar, mapper);

	ncg_verdict_decide(policy, &tuple, mapper ? mapper->cgroup : NULL, ret_decision);
}

bool ncg_verdict_has_bar(const struct ncg_device *device, unsigned int bar)
{
	return bar < NCG_DEVICE_BARS && device->bars[bar].size && device->bars[bar].memory;
}

bool ncg_verdict_acts(const struct ncg_decision *decision)
{
	return decision->verdict != NCG_VERDICT_NONE && decision->mode == NCG_MODE_ENFORCE &&
	       !decision->audit;
}
