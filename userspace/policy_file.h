/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A policy from a file. Keeps no state; all it hands out is the caller's. Fails
 * closed: a file that cannot be read whole and without error gives no policy.
 */
#ifndef NCGATE_POLICY_FILE_H
#define NCGATE_POLICY_FILE_H

#include "policy.h"

/*
 * Reads and parses the file at path, and sets the policy's sha256 to that of its
 * text. Returns
 *   0        *ret_policy is set; ncg_policy_free() it
 *   -EINVAL  the policy is bad, or longer than NCG_POLICY_SIZE_MAX: *ret_errors
 *            is set; ncg_policy_errors_free() it
 *   -ENOMEM  no memory
 *   -EIO     read error, or the digest could not be computed
 *   -errno   of open() or read(): -ENOENT, -EACCES, -EISDIR, ...
 * What is not set is set to NULL. ret_errors may be NULL.
 */
int ncg_policy_file_load(const char *path, struct ncg_policy **ret_policy,
			 struct ncg_policy_errors **ret_errors);

#endif
