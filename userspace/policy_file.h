/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A policy from files: one, and what it includes. Keeps no state; all it hands out is
 * the caller's. Fails closed: a file that cannot be read whole and without error gives
 * no policy.
 */
#ifndef NCGATE_POLICY_FILE_H
#define NCGATE_POLICY_FILE_H

#include "policy.h"
#include "policy_known.h"

struct ncg_policy_file_options {
	/*
	 * A file, or a folder that is included, which others than root can change
	 * (policy_trust.h) is an error of the policy. Else it is a warning in it: for who
	 * only looks at a draft.
	 */
	bool trusted;
	const char *pci_ids; /* where names are looked up; NULL: the system's */
	/*
	 * What names stood for when a policy was last in force, for those that pci.ids no
	 * longer tells (ncg_policy_rule.gone); NULL: nothing. Borrowed.
	 */
	const struct ncg_policy_known *known;
};

/*
 * Reads and parses the policy at path, and sets its sha256 to that of all texts in the
 * order read, a NUL byte between two, and then, for each name that its rules have, by the
 * bytes of the name, a NUL byte and the name's line (policy_named.h): the same text says
 * something else where a name stands for other ids. options may be NULL: all its members 0. Returns
 *   0        *ret_policy is set; ncg_policy_free() it
 *   -EINVAL  the policy is bad, or longer than NCG_POLICY_SIZE_MAX, or not trusted:
 *            *ret_errors is set; ncg_policy_errors_free() it
 *   -ENOMEM  no memory
 *   -EIO     read error, or the digest could not be computed
 *   -errno   of open() or read() of path: -ENOENT, -EACCES, -EISDIR, ...
 * What is not set is set to NULL. ret_errors may be NULL.
 */
int ncg_policy_file_load_with(const char *path, const struct ncg_policy_file_options *options,
			      struct ncg_policy **ret_policy,
			      struct ncg_policy_errors **ret_errors);

/* The same without options: as it stands, whoever can change it. */
int ncg_policy_file_load(const char *path, struct ncg_policy **ret_policy,
			 struct ncg_policy_errors **ret_errors);

#endif
