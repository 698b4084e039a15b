/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cgroups that a policy's rules name, as the compiled form knows them: a tree
 * of their folders in the table, and for each a code of which those of its
 * ancestors are prefixes (abi.h, struct ncg_tuple). Pure but for memory.
 */
#ifndef NCGATE_POLICY_CGROUP_H
#define NCGATE_POLICY_CGROUP_H

#include "policy.h"
#include "policy_table.h"

struct ncg_policy_cgroup {
	const char *path; /* borrowed from the policy */
	__u64 code;	  /* ncg_tuple.cgroup of a task in it, under mask */
	__u64 mask;	  /* the bits of its level and those above */
};

struct ncg_policy_cgroups {
	struct ncg_policy_cgroup *list; /* by path, each once */
	size_t count;
};

/*
 * Gives every cgroup of policy's rules a code and adds their folders to table.
 * 0; -ENOMEM; -E2BIG when the codes need more than 64 bits or the folders more
 * than NCG_NODES_MAX entries. The caller calls ncg_policy_cgroups_done() always.
 */
int ncg_policy_cgroups_number(const struct ncg_policy *policy, struct ncg_policy_table *table,
			      struct ncg_policy_cgroups *ret_cgroups);

/* The cgroup at path, which some rule names. */
const struct ncg_policy_cgroup *ncg_policy_cgroups_find(const struct ncg_policy_cgroups *cgroups,
							const char *path);

void ncg_policy_cgroups_done(struct ncg_policy_cgroups *cgroups);

/*
 * decide.h's ncg_cgroup_part() for a path; -1 also for a NULL one. ret_part is
 * written only up to the length that is returned.
 */
long ncg_policy_cgroup_part(const char *path, __u32 level, __u32 from, char *ret_part);

#endif
