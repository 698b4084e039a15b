/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a policy asks of pci.ids: the ids of a name, and for a name that is not there the
 * one that was likely meant. Owns no state.
 */
#ifndef NCGATE_POLICY_NAMES_H
#define NCGATE_POLICY_NAMES_H

#include "pci_ids.h"
#include "policy.h"

/* The ids of that very name, each once, as struct ncg_policy_sources wants it. */
void ncg_policy_names_ids(struct ncg_pci_ids *ids, const __u16 *vendor, const char *name,
			  struct ncg_policy_ids *ret_ids);

/*
 * The name most like one that is not there (policy_word.h says what is), or NULL; small
 * letters and capitals are the same here. The caller frees *ret_nearest. 0 or -ENOMEM.
 */
int ncg_policy_names_nearest(struct ncg_pci_ids *ids, const __u16 *vendor, const char *name,
			     char **ret_nearest);

#endif
