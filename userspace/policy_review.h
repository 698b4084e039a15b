/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What in a good policy is likely not meant: rules that can never decide, because of
 * what stands before them, and rules for devices that the host does not have. Pure
 * but for memory; all it hands out is the caller's.
 */
#ifndef NCGATE_POLICY_REVIEW_H
#define NCGATE_POLICY_REVIEW_H

#include "device.h"
#include "policy.h"

enum ncg_policy_finding_kind {
	NCG_POLICY_DUPLICATE,	  /* matches the same as an earlier rule, and says the same */
	NCG_POLICY_CONTRADICTION, /* matches the same, and says something else */
	NCG_POLICY_SHADOWED,	  /* an earlier rule matches all that it does */
	NCG_POLICY_NO_DEVICE,	  /* a note: no device of the host meets it */
	NCG_POLICY_FINDING_NR,
};

#define NCG_POLICY_FINDINGS_MAX 100 /* kept; the rest are only counted */

struct ncg_policy_finding {
	enum ncg_policy_finding_kind kind;
	size_t rule; /* index */
	size_t by;   /* index of the earlier rule; the rule itself for NO_DEVICE */
};

struct ncg_policy_findings {
	/* In the order of rules, but notes at the end: many of them hide nothing. */
	struct ncg_policy_finding list[NCG_POLICY_FINDINGS_MAX];
	size_t count;
	size_t more;
	size_t compared; /* sets of fields and rules that rules were held against: the work */
};

/*
 * Looks at every rule; devices may be NULL: then none is missing. A rule is only held
 * against one earlier rule at a time, so one that several together leave nothing to
 * is not found. Of who maps (uid=, cgroup=) nothing is asked of devices. The work grows
 * with the rules times the sets of fields that they match on, of which a policy that can
 * be compiled has few. 0; -ENOMEM; -E2BIG where the rules name too many cgroups, as
 * ncg_policy_compile(). The caller frees *ret_findings with free().
 */
int ncg_policy_review(const struct ncg_policy *policy, const struct ncg_devices *devices,
		      struct ncg_policy_findings **ret_findings);

/*
 * "a.conf:7: never decides: b.conf:3 ...", both lines named, without a newline. The
 * caller frees it; NULL when there is no memory.
 */
char *ncg_policy_finding_format(const struct ncg_policy *policy,
				const struct ncg_policy_finding *finding);

#endif
