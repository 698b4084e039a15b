/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a file says what root wants: nobody else can write it, nor put another in
 * its place. Owns no state. Fails closed: what cannot be looked at is not trusted.
 */
#ifndef NCGATE_POLICY_TRUST_H
#define NCGATE_POLICY_TRUST_H

/* What is expected where it is not so. */
#define NCG_POLICY_TRUST_EXPECTED "what only root can change"

/*
 * Looks at the file or folder that is open as fd, and at every folder and symbolic
 * link on the way to it by path: each must be root's and not be writable by group or
 * others. A folder with the sticky bit may be writable: others cannot replace what is
 * root's in there. A group's access by ACL shows in the mode, as the mask.
 *
 * 0; -EPERM with *ret_problem, which reads on from path and is the caller's to free:
 * "can be written by others than root (mode 0666)"; -ENOMEM. Others can move a folder
 * while it is looked at only where this refuses it anyway.
 */
int ncg_policy_trust_check(int fd, const char *path, char **ret_problem);

#endif
