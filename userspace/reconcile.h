/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * After a loss, and when a daemon starts: what the audit trail should have and has
 * not. One picture is taken of what there is (VMs, what the programs counted, what a
 * walk finds mapped), and a while later, when the events of that moment are recorded,
 * what is still missing is written as records with their source:
 *	vm_found	a VM whose beginning is not in the trail
 *	found_mapped	a mapping whose first record is not
 *	vm_destroy	a VM whose end is not, with what it had mapped
 * A loss costs when and in what order, but not what. Owns the picture.
 */
#ifndef NCGATE_RECONCILE_H
#define NCGATE_RECONCILE_H

#include "audit.h"
#include "device.h"
#include "ledger.h"
#include "walk.h"

struct ncg_reconcile;

/*
 * Takes the picture; walked, as many sets of tables as there are, may be NULL where
 * they cannot be read, and is not kept. devices: those of this host. Returns 0 or -errno, logged; *ret_reconcile is
 * the caller's.
 */
int ncg_reconcile_begin(struct ncg_ledger *ledger, const struct ncg_walk_vm *const *walked,
			size_t walked_count, const struct ncg_devices *devices,
			struct ncg_reconcile **ret_reconcile);

/*
 * Writes what is missing. To be called well after (a second: a program holds an event
 * for microseconds), with all events dealt with in between. Frees the picture. False
 * when a record could not be written: then another picture is to be taken once writing
 * works, which finds it again.
 */
bool ncg_reconcile_finish(struct ncg_reconcile *reconcile, struct ncg_ledger *ledger,
			  struct ncg_audit *audit, const struct ncg_devices *devices);

void ncg_reconcile_free(struct ncg_reconcile *reconcile); /* takes NULL */

#endif
