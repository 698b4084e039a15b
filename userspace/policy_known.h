/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the names of the policy in force stood for when it was put in force, kept in a
 * file, so that a name which an update of pci.ids takes away goes on standing for the
 * same device, also after a reboot. A line a name, with the ids before it, as the digest
 * of the policy covers it (policy_named.h), and `gone` behind it where pci.ids had lost
 * the name already:
 *
 *	fff0:0001 "Example Systems":"Card A"
 *
 * Owned by who reads it. It decides with the policy, so it is trusted as little: others
 * than root must not be able to change it, and a damaged file says nothing at all.
 */
#ifndef NCGATE_POLICY_KNOWN_H
#define NCGATE_POLICY_KNOWN_H

#include "cleanup.h"
#include "policy.h"

#define NCG_POLICY_KNOWN_PATH "/var/lib/ncgate/names"

struct ncg_policy_known_name {
	char *name; /* ncg_policy_rule.name */
	__u16 vendor;
	__u16 device; /* 0 where the name has * */
	bool gone;
};

struct ncg_policy_known {
	struct ncg_policy_known_name *list; /* by the bytes of name, each once */
	size_t count;
};

/*
 * Reads the file. 0 with *ret_known, the caller's, which is empty where there is no file;
 * -EPERM (others can change it) and -EBADMSG (damaged) with *ret_problem, a sentence
 * that reads on from the path and is the caller's; -ENOMEM; or another -errno.
 */
int ncg_policy_known_read(const char *path, struct ncg_policy_known **ret_known,
			  char **ret_problem);

/* The same from a policy that is in force now. 0 or -ENOMEM. */
int ncg_policy_known_take(const struct ncg_policy *policy, struct ncg_policy_known **ret_known);

/*
 * Puts known in the place of the file in one step, readable by root alone, and on disk
 * when it returns; makes the last folder of the path where it is missing. A known
 * without names removes the file. 0 or -errno; then the file is as it was.
 */
int ncg_policy_known_write(const char *path, const struct ncg_policy_known *known);

/* Whether two say the same. */
bool ncg_policy_known_equal(const struct ncg_policy_known *a, const struct ncg_policy_known *b);

/* A name in it, or NULL; known may be NULL. Borrowed. */
const struct ncg_policy_known_name *ncg_policy_known_find(const struct ncg_policy_known *known,
							  const char *name);

/* Takes NULL. */
void ncg_policy_known_free(struct ncg_policy_known *known);

NCG_DEFINE_CLEANUP(struct ncg_policy_known *, ncg_policy_known_free)
#define ncg_autoknown ncg_cleanup(ncg_policy_known_free_cleanup)

#endif
