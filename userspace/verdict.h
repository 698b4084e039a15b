/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a policy file says about a device of this host, decided in user space by
 * reading its rules: for commands that need no daemon, and to compare policies.
 * Pure.
 */
#ifndef NCGATE_VERDICT_H
#define NCGATE_VERDICT_H

#include "device.h"
#include "policy.h"

/* Which task maps; a rule may ask. */
struct ncg_mapper {
	__u64 uid;
	const char *cgroup; /* "/a/b"; NULL: not known, so no cgroup= matches */
};

/* What decides about one BAR of a device for a mapper; cgroup stays 0. */
struct ncg_tuple ncg_verdict_tuple(const struct ncg_device *device, unsigned int bar,
				   const struct ncg_mapper *mapper);

/*
 * Decides as the programs would under policy; generation and grade are 0. mapper
 * NULL is uid 0 in no known cgroup.
 */
void ncg_verdict_decide(const struct ncg_policy *policy, const struct ncg_tuple *tuple,
			const char *cgroup, struct ncg_decision *ret_decision);
void ncg_verdict_bar(const struct ncg_policy *policy, const struct ncg_device *device,
		     unsigned int bar, const struct ncg_mapper *mapper,
		     struct ncg_decision *ret_decision);

/* Whether a BAR exists that a guest could have mapped at all. */
bool ncg_verdict_has_bar(const struct ncg_device *device, unsigned int bar);

/*
 * Whether a verdict is acted on where the kernel asks: in mode enforce, unless the
 * rule is on trial (`audit`).
 */
bool ncg_verdict_acts(const struct ncg_decision *decision);

#endif
