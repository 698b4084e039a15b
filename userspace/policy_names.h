/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ids of vendors and devices by their names in pci.ids, for policies that are written
 * with names. libpci only knows the other way, so a look-up asks it for the name of
 * every id; the vendors' are kept. Owned by who opens it; one thread at a time.
 */
#ifndef NCGATE_POLICY_NAMES_H
#define NCGATE_POLICY_NAMES_H

#include "policy.h"

struct ncg_policy_names;

/* pci_ids: a file in that form, NULL: the system's. 0 or -ENOMEM. Reads nothing yet. */
int ncg_policy_names_open(const char *pci_ids, struct ncg_policy_names **ret_names);

/* Takes NULL. */
void ncg_policy_names_free(struct ncg_policy_names *names);

/* As struct ncg_policy_sources wants it. */
int ncg_policy_names_ids(struct ncg_policy_names *names, const __u16 *vendor, const char *name,
			 struct ncg_policy_ids *ret_ids);

#endif
