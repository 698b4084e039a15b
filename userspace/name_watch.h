/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Watches the names in the policy in force. Each time a policy comes into force it holds
 * what they stand for against what they stood for before, and says in log and audit
 * trail what an update of pci.ids has changed; metrics and status show which names
 * pci.ids has lost. Owns what is known of the names, and its file (policy_known.h).
 *
 * Where the file cannot be read or written that is logged, and the policy is in force all
 * the same: what is then lost is only what a name stood for before.
 */
#ifndef NCGATE_NAME_WATCH_H
#define NCGATE_NAME_WATCH_H

#include <jansson.h>
#include <stddef.h>

#include "abi.h"
#include "audit.h"
#include "policy.h"
#include "policy_known.h"

struct ncg_name_watch;

/* path is borrowed. Returns 0 or -ENOMEM, logged. */
int ncg_name_watch_open(const char *path, struct ncg_name_watch **ret_watch);
void ncg_name_watch_close(struct ncg_name_watch *watch); /* takes NULL */

/* What to load the next policy with; borrowed until the next enforced() or close(). */
const struct ncg_policy_known *ncg_name_watch_known(const struct ncg_name_watch *watch);

/* The policy from file is in force, as head says. The caller syncs the audit trail. */
void ncg_name_watch_enforced(struct ncg_name_watch *watch, const struct ncg_policy *policy,
			     const char *file, const struct ncg_phead *head,
			     struct ncg_audit *audit);

/* How many names of the policy in force pci.ids has lost. */
size_t ncg_name_watch_gone(const struct ncg_name_watch *watch);

/* These names with their ids, as an array. NULL when there is no memory. */
json_t *ncg_name_watch_gone_json(const struct ncg_name_watch *watch);

/* All names of a policy with what they stand for, as an array. NULL: no memory. */
json_t *ncg_name_watch_names_json(const struct ncg_policy *policy);

#endif
