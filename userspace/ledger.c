// SPDX-License-Identifier: GPL-2.0-only
#include "ledger.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "cleanup.h"
#include "log.h"
#include "shares.h"

struct ncg_ledger {
	struct ncg_ledger_maps maps;
	bool failing; /* that a note could not be written was said */
};

int ncg_ledger_open(const struct ncg_ledger_maps *maps, struct ncg_ledger **ret_ledger)
{
	struct ncg_ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return ncg_log_error(-ENOMEM, "no memory");
	ledger->maps = *maps;
	*ret_ledger = ledger;
	return 0;
}

void ncg_ledger_close(struct ncg_ledger *ledger)
{
	free(ledger);
}

static void note(struct ncg_ledger *ledger, int fd, const void *key, const void *value)
{
	if (!bpf_map_update_elem(fd, key, value, BPF_ANY))
		return;
	if (!ledger->failing)
		ncg_log_error(-errno, "what the audit trail has cannot be noted; some of it may "
				      "be told twice");
	ledger->failing = true;
}

/*
 * All keys of a map, one after the other, for the caller to free. What is added
 * meanwhile may be left out. A key that a program takes away just then (VMs end) makes
 * the walk begin again, so one may be there twice; more than twice of all is given up.
 * Returns their number or -errno.
 */
#define KEYS_MAX (2 << 20) /* twice what map_sizes.h makes a map for */

static long keys_of(int fd, size_t size, void **ret_keys)
{
	ncg_autofree char *keys = NULL;
	size_t count = 0, room = 0;

	for (;;) {
		if (count == KEYS_MAX)
			return -EAGAIN;
		if (count == room) {
			char *grown = reallocarray(keys, room ? 2 * room : 64, size);

			if (!grown)
				return -ENOMEM;
			keys = grown;
			room = room ? 2 * room : 64;
		}
		if (bpf_map_get_next_key(fd, count ? keys + (count - 1) * size : NULL,
					 keys + count * size)) {
			if (errno != ENOENT)
				return -errno;
			break;
		}
		count++;
	}
	*ret_keys = ncg_take_ptr(keys);
	return count;
}

/* ------------------------------------------------------------------------- VMs */

bool ncg_ledger_vm(const struct ncg_ledger *ledger, __u64 vm, struct ncg_vm_note *ret_note)
{
	return !bpf_map_lookup_elem(ledger->maps.vm_notes, &vm, ret_note);
}

long ncg_ledger_noted(const struct ncg_ledger *ledger, __u64 **ret_vms)
{
	void *keys;
	long count = keys_of(ledger->maps.vm_notes, sizeof(__u64), &keys);

	if (count >= 0)
		*ret_vms = keys;
	return count;
}

bool ncg_ledger_process(const struct ncg_ledger *ledger, const struct ncg_task *task,
			struct ncg_vm_note *ret_note)
{
	ncg_autofree __u64 *vms = NULL;
	long count = ncg_ledger_noted(ledger, &vms);

	for (long i = 0; i < count; i++)
		if (ncg_ledger_vm(ledger, vms[i], ret_note) && ret_note->task.pid == task->pid &&
		    ret_note->task.start_boot_ns == task->start_boot_ns)
			return true;
	return false;
}

void ncg_ledger_note_vm(struct ncg_ledger *ledger, __u64 vm, const struct ncg_vm_note *vm_note)
{
	note(ledger, ledger->maps.vm_notes, &vm, vm_note);
}

void ncg_ledger_forget_vm(struct ncg_ledger *ledger, __u64 vm)
{
	const int places[] = { ledger->maps.uses, ledger->maps.recorded };

	for (size_t m = 0; m < sizeof(places) / sizeof(places[0]); m++) {
		ncg_autofree void *keys = NULL;
		long count = keys_of(places[m], sizeof(struct ncg_use_key), &keys);
		const struct ncg_use_key *key = keys;

		for (long i = 0; i < count; i++)
			if (key[i].vm == vm && !bpf_map_delete_elem(places[m], &key[i]) &&
			    places[m] == ledger->maps.uses)
				ncg_shares_give(ledger->maps.shares, NCG_SHARED_USES,
						key[i].where);
	}
	bpf_map_delete_elem(ledger->maps.vm_notes, &vm);
}

/* -------------------------------------------------------------------- mappings */

static __u64 recorded_types(const struct ncg_ledger *ledger, const struct ncg_use_key *key)
{
	__u64 types = 0;

	return bpf_map_lookup_elem(ledger->maps.recorded, key, &types) ? 0 : types;
}

bool ncg_ledger_recorded(const struct ncg_ledger *ledger, const struct ncg_use_key *key,
			 enum ncg_memtype type)
{
	return recorded_types(ledger, key) & 1ULL << type;
}

void ncg_ledger_note_recorded(struct ncg_ledger *ledger, const struct ncg_use_key *key,
			      enum ncg_memtype type)
{
	__u64 types = recorded_types(ledger, key) | 1ULL << type;

	note(ledger, ledger->maps.recorded, key, &types);
}

__u64 ncg_ledger_where(const struct ncg_ledger *ledger, __u64 phys)
{
	struct ncg_bar_key key = { .prefix = 64 };
	__u64 be = htobe64(phys), where;

	memcpy(key.address, &be, sizeof(be));
	return bpf_map_lookup_elem(ledger->maps.bars, &key, &where) ? NCG_BLOCK_ID(phys) : where;
}

long ncg_ledger_uses(const struct ncg_ledger *ledger, __u64 vm, struct ncg_ledger_use **ret_uses)
{
	ncg_autofree struct ncg_ledger_use *uses = NULL;
	ncg_autofree void *keys = NULL;
	long count = keys_of(ledger->maps.uses, sizeof(struct ncg_use_key), &keys), found = 0;
	const struct ncg_use_key *key = keys;

	if (count < 0)
		return count;
	uses = calloc(count + 1, sizeof(*uses));
	if (!uses)
		return -ENOMEM;
	for (long i = 0; i < count; i++) {
		if (vm && key[i].vm != vm)
			continue;
		uses[found].key = key[i];
		if (!bpf_map_lookup_elem(ledger->maps.uses, &key[i], &uses[found].use))
			found++;
	}
	*ret_uses = ncg_take_ptr(uses);
	return found;
}

bool ncg_ledger_mapper(const struct ncg_ledger_use *uses, long count, __u64 vm,
		       struct ncg_task *ret_task)
{
	for (long i = 0; i < count; i++) {
		if (uses[i].key.vm != vm || !uses[i].use.task.pid)
			continue;
		*ret_task = uses[i].use.task;
		return true;
	}
	return false;
}

/* --------------------------------------------------------------- VMs that live */

long ncg_ledger_ids(const struct ncg_ledger *ledger, struct ncg_ledger_id **ret_ids)
{
	ncg_autofree struct ncg_ledger_id *ids = NULL;
	ncg_autofree void *keys = NULL;
	long count = keys_of(ledger->maps.vm_ids, sizeof(__u64), &keys), found = 0;
	const __u64 *key = keys;

	if (count < 0)
		return count;
	ids = calloc(count + 1, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	for (long i = 0; i < count; i++) {
		ids[found].k_kvm = key[i];
		if (!bpf_map_lookup_elem(ledger->maps.vm_ids, &key[i], &ids[found].vm))
			found++;
	}
	*ret_ids = ncg_take_ptr(ids);
	return found;
}

__u64 ncg_ledger_id(struct ncg_ledger *ledger, __u64 k_kvm)
{
	__u32 sequence = NCG_SEQUENCE_VM_FOUND;
	__u64 vm = 0, last = 0;

	if (!bpf_map_lookup_elem(ledger->maps.vm_ids, &k_kvm, &vm))
		return vm;
	/* This process alone draws from that sequence. */
	if (bpf_map_lookup_elem(ledger->maps.sequences, &sequence, &last))
		return 0;
	last++;
	vm = NCG_VM_FOUND + last;
	if (bpf_map_update_elem(ledger->maps.sequences, &sequence, &last, BPF_EXIST))
		return 0;
	/* A program may have given it one meanwhile: then that is it. */
	if (bpf_map_update_elem(ledger->maps.vm_ids, &k_kvm, &vm, BPF_NOEXIST) &&
	    bpf_map_lookup_elem(ledger->maps.vm_ids, &k_kvm, &vm))
		return 0;
	return vm;
}
