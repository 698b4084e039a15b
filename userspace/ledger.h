/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the audit trail tells of VMs so far: which are in it with who they are, and
 * which first mappings are; and what each VM has mapped in all, as the programs
 * count. Everything is in pinned maps and nothing in this process, so the next daemon
 * knows what this one knew. The counts are the programs' own; the rest is written
 * here alone.
 *
 * What cannot be noted is logged once and at worst told twice in the trail.
 */
#ifndef NCGATE_LEDGER_H
#define NCGATE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"

struct ncg_ledger;

/* The maps of maps.bpf.h by name; descriptors are borrowed. */
struct ncg_ledger_maps {
	int vm_ids;
	int uses;
	int recorded;
	int vm_notes;
	int kept; /* fold.h's, not the ledger's */
	int sequences;
	int bars;
	int shares; /* of `uses`; below 0: none */
};

/* Returns 0 or -ENOMEM, logged. */
int ncg_ledger_open(const struct ncg_ledger_maps *maps, struct ncg_ledger **ret_ledger);
void ncg_ledger_close(struct ncg_ledger *ledger); /* takes NULL */

/* ------------------------------------------------------------------------ VMs */

/* A VM that is in the trail; false when it is not. */
bool ncg_ledger_vm(const struct ncg_ledger *ledger, __u64 vm, struct ncg_vm_note *ret_note);

/* The note of any VM of that process; false when there is none. */
bool ncg_ledger_process(const struct ncg_ledger *ledger, const struct ncg_task *task,
			struct ncg_vm_note *ret_note);

/* Notes that the VM is in the trail, or what is known of it by now. */
void ncg_ledger_note_vm(struct ncg_ledger *ledger, __u64 vm, const struct ncg_vm_note *note);

/* Forgets all about a VM whose end is in the trail. */
void ncg_ledger_forget_vm(struct ncg_ledger *ledger, __u64 vm);

/* ------------------------------------------------------------------- mappings */

bool ncg_ledger_recorded(const struct ncg_ledger *ledger, const struct ncg_use_key *key,
			 enum ncg_memtype type);
void ncg_ledger_note_recorded(struct ncg_ledger *ledger, const struct ncg_use_key *key,
			      enum ncg_memtype type);

/* The place of a host-physical address, as the programs name it. */
__u64 ncg_ledger_where(const struct ncg_ledger *ledger, __u64 phys);

struct ncg_ledger_use {
	struct ncg_use_key key;
	struct ncg_use use;
};

/*
 * What VMs have mapped, of one VM or (0) of all, for the caller to free. Returns how
 * many there are, or -errno.
 */
long ncg_ledger_uses(const struct ncg_ledger *ledger, __u64 vm, struct ncg_ledger_use **ret_uses);

/* Whose a VM is, by what it mapped; false when that does not tell. */
bool ncg_ledger_mapper(const struct ncg_ledger_use *uses, long count, __u64 vm,
		       struct ncg_task *ret_task);

/* --------------------------------------------------------------- VMs that live */

struct ncg_ledger_id {
	__u64 k_kvm; /* the kernel's address */
	__u64 vm;
};

/* VMs that have an id, for the caller to free. Returns how many, or -errno. */
long ncg_ledger_ids(const struct ncg_ledger *ledger, struct ncg_ledger_id **ret_ids);

/* Ids of the VMs that are in the trail, for the caller to free; their number or -errno. */
long ncg_ledger_noted(const struct ncg_ledger *ledger, __u64 **ret_vms);

/* The id of a VM that lives, which is given one when it has none; 0: it cannot be. */
__u64 ncg_ledger_id(struct ncg_ledger *ledger, __u64 k_kvm);

#endif
