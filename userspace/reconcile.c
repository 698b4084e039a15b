// SPDX-License-Identifier: GPL-2.0-only
#include "reconcile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "names.h"
#include "places.h"
#include "record.h"

/* A VM that lived at the moment of the picture. */
struct living {
	__u64 vm;
	__u32 pid; /* 0: only its id is known */
	__u64 start_boot_ns;
};

/* What the walk found mapped of one BAR by one VM, with one type. */
struct mapped {
	struct ncg_use_key key;
	enum ncg_memtype memtype;
	__u64 ipa; /* of the lowest part */
	__u64 phys;
	__u64 bytes;
};

struct ncg_reconcile {
	const char *source;
	struct living *living;
	size_t living_count;
	struct mapped *mapped;
	size_t mapped_count;
	struct ncg_ledger_use *uses;
	size_t use_count;
	__u64 *gone; /* in the trail, and not among the living */
	size_t gone_count;
};

/* ------------------------------------------------------------------ the picture */

static struct living *find_living(const struct ncg_reconcile *r, __u64 vm)
{
	for (size_t i = 0; i < r->living_count; i++)
		if (r->living[i].vm == vm)
			return &r->living[i];
	return NULL;
}

/* The VM among the living, added when it is not; NULL when there is no memory. */
static struct living *add_living(struct ncg_reconcile *r, __u64 vm)
{
	struct living *living = find_living(r, vm);

	if (living)
		return living;
	living = reallocarray(r->living, r->living_count + 1, sizeof(*living));
	if (!living)
		return NULL;
	r->living = living;
	living[r->living_count] = (struct living){ .vm = vm };
	return &living[r->living_count++];
}

static int add_mapped(struct ncg_reconcile *r, const struct ncg_use_key *key,
		      const struct ncg_s2_range *range, __u64 offset, __u64 size)
{
	struct mapped *mapped;

	for (size_t i = 0; i < r->mapped_count; i++) {
		mapped = &r->mapped[i];
		if (memcmp(&mapped->key, key, sizeof(*key)) || mapped->memtype != range->memtype)
			continue;
		mapped->bytes += size;
		return 0;
	}
	mapped = reallocarray(r->mapped, r->mapped_count + 1, sizeof(*mapped));
	if (!mapped)
		return -ENOMEM;
	r->mapped = mapped;
	mapped[r->mapped_count++] = (struct mapped){
		.key = *key,
		.memtype = range->memtype,
		.ipa = range->ipa + offset,
		.phys = range->phys + offset,
		.bytes = size,
	};
	return 0;
}

/* One range of a VM, cut at the ends of places. */
static int add_range(struct ncg_reconcile *r, struct ncg_places *places, __u64 vm,
		     const struct ncg_s2_range *range)
{
	for (__u64 offset = 0, part; offset < range->size; offset += part) {
		struct ncg_use_key key = { .vm = vm };
		int error;

		key.where = ncg_places_find(places, range->phys + offset, range->size - offset,
					    &part);
		error = add_mapped(r, &key, range, offset, part);
		if (error)
			return error;
	}
	return 0;
}

static int add_walked(struct ncg_reconcile *r, struct ncg_ledger *ledger,
		      const struct ncg_walk_vm *const *walked, size_t count,
		      const struct ncg_devices *devices)
{
	struct ncg_places places = { .ledger = ledger, .devices = devices };

	for (size_t i = 0; i < count; i++) {
		const struct ncg_walk_vm *found = walked[i];
		struct living *living;
		int error = 0;
		__u64 vm;

		/* What shadows a nested hypervisor's tables is no mapping of the VM's own. */
		if (found->vm.nested)
			continue;
		vm = ncg_ledger_id(ledger, found->vm.k_kvm);
		living = vm ? add_living(r, vm) : NULL;
		if (!living)
			return -ENOMEM;
		living->pid = found->vm.pid;
		living->start_boot_ns = found->vm.start_boot_ns;
		if (found->state != NCG_WALK_VISIBLE)
			continue;
		for (size_t j = 0; j < found->range_count && !error; j++)
			error = add_range(r, &places, vm, &found->ranges[j]);
		if (error)
			return error;
	}
	return 0;
}

static int add_ids(struct ncg_reconcile *r, const struct ncg_ledger *ledger)
{
	ncg_autofree struct ncg_ledger_id *ids = NULL;
	long count = ncg_ledger_ids(ledger, &ids);

	for (long i = 0; i < count; i++)
		if (!add_living(r, ids[i].vm))
			return -ENOMEM;
	return count < 0 ? count : 0;
}

/* Of those in the trail, who is not alive: after the living were counted. */
static int add_gone(struct ncg_reconcile *r, const struct ncg_ledger *ledger)
{
	long count = ncg_ledger_noted(ledger, &r->gone);

	for (long i = 0; i < count; i++)
		if (!find_living(r, r->gone[i]))
			r->gone[r->gone_count++] = r->gone[i];
	return count < 0 ? count : 0;
}

int ncg_reconcile_begin(struct ncg_ledger *ledger, const struct ncg_walk_vm *const *walked,
			size_t walked_count, const struct ncg_devices *devices,
			struct ncg_reconcile **ret_reconcile)
{
	struct ncg_reconcile *r = calloc(1, sizeof(*r));
	long count;
	int error;

	if (!r)
		return ncg_log_error(-ENOMEM, "no memory");
	r->source = walked ? "walk" : "counts";
	/* The uses first: one whose VM is not alive after that has ended. */
	count = ncg_ledger_uses(ledger, 0, &r->uses);
	error = count < 0 ? count : 0;
	r->use_count = count < 0 ? 0 : count;
	if (!error && walked)
		error = add_walked(r, ledger, walked, walked_count, devices);
	if (!error)
		error = add_ids(r, ledger);
	if (!error)
		error = add_gone(r, ledger);
	if (error) {
		ncg_reconcile_free(r);
		return ncg_log_error(error, "what the audit trail misses cannot be found");
	}
	*ret_reconcile = r;
	return 0;
}

void ncg_reconcile_free(struct ncg_reconcile *r)
{
	if (!r)
		return;
	free(r->living);
	free(r->mapped);
	free(r->uses);
	free(r->gone);
	free(r);
}

/* ----------------------------------------------------------------- what is missing */

/* VMs that live still, by their ids. */
struct now {
	struct ncg_ledger_id *ids;
	long count;
};

static bool lives(const struct now *now, __u64 vm)
{
	for (long i = 0; i < now->count; i++)
		if (now->ids[i].vm == vm)
			return true;
	return false;
}

/* A record with the VM and, where it is known, who it is. */
static json_t *vm_fields(__u64 vm, const struct ncg_vm_note *who, const char *source)
{
	json_t *fields = json_object();

	if (who)
		json_object_set_new(fields, "guest", ncg_record_guest(who));
	json_object_set_new(fields, "vm", ncg_json_unsigned(vm));
	json_object_set_new(fields, "source", json_string(source));
	return fields;
}

/* Who a VM is: what is noted, else what the walk saw of its process, else who mapped. */
static bool who_is(const struct ncg_reconcile *r, const struct ncg_ledger *ledger, __u64 vm,
		   struct ncg_vm_note *ret_who)
{
	const struct living *living = find_living(r, vm);
	struct ncg_task task;

	if (ncg_ledger_vm(ledger, vm, ret_who) && ret_who->task.pid)
		return true;
	if (living && living->pid)
		ncg_record_task(living->pid, living->start_boot_ns, &task);
	else if (!ncg_ledger_mapper(r->uses, r->use_count, vm, &task))
		return false;
	ncg_record_identify(&task, NULL, ret_who);
	return true;
}

/*
 * Each returns false when its record is missing still, for it could not be written. After
 * the first such no other is tried: it would count as lost, and all are looked for again.
 */
static bool write_found_vm(const struct ncg_reconcile *r, struct ncg_ledger *ledger,
			   struct ncg_audit *audit, const struct living *living,
			   struct ncg_allowance *allowance)
{
	static const struct ncg_vm_note nobody;
	struct ncg_vm_note who;
	bool known;

	if (ncg_ledger_vm(ledger, living->vm, &who))
		return true;
	known = who_is(r, ledger, living->vm, &who);
	if (known && allowance && ncg_allowance_vm(allowance, &who.task, ncg_audit_boot_ns())) {
		who.counted = 1;
		ncg_ledger_note_vm(ledger, living->vm, &who);
		return true;
	}
	if (!ncg_audit_write(audit, "vm_found", 0,
			     vm_fields(living->vm, known ? &who : NULL, r->source)))
		return false;
	ncg_ledger_note_vm(ledger, living->vm, known ? &who : &nobody);
	return true;
}

/* When a program saw it first, CLOCK_BOOTTIME; 0: none did. */
static __u64 first_ns_of(const struct ncg_reconcile *r, const struct mapped *mapped)
{
	for (size_t i = 0; i < r->use_count; i++) {
		const struct ncg_ledger_use *use = &r->uses[i];

		if (!memcmp(&use->key, &mapped->key, sizeof(use->key)))
			return use->use.types & 1ULL << mapped->memtype ?
				       use->use.first_ns[mapped->memtype] : 0;
	}
	return 0;
}

static bool write_found_mapped(const struct ncg_reconcile *r, struct ncg_ledger *ledger,
			       struct ncg_audit *audit, const struct ncg_devices *devices,
			       const struct mapped *mapped, const char *source)
{
	__u64 first_ns = first_ns_of(r, mapped);
	char first[NCG_AUDIT_TIME_LEN];
	struct ncg_vm_note who;
	json_t *fields;

	if (ncg_ledger_recorded(ledger, &mapped->key, mapped->memtype) ||
	    (ncg_ledger_vm(ledger, mapped->key.vm, &who) && who.counted))
		return true;
	fields = vm_fields(mapped->key.vm,
			   who_is(r, ledger, mapped->key.vm, &who) ? &who : NULL, source);
	json_object_set_new(fields, "memory_type", json_string(ncg_names_memtype(mapped->memtype)));
	ncg_record_place(fields, devices, mapped->key.where);
	if (first_ns) {
		ncg_audit_format_time(first_ns, first);
		json_object_set_new(fields, "first", json_string(first));
		json_object_set_new(fields, "first_boot_ns", ncg_json_unsigned(first_ns));
	}
	if (mapped->bytes) {
		json_object_set_new(fields, "ipa", ncg_json_hex(1, mapped->ipa));
		json_object_set_new(fields, "phys", ncg_json_hex(1, mapped->phys));
		json_object_set_new(fields, "size", ncg_json_unsigned(mapped->bytes));
	}
	if (!ncg_audit_write(audit, "found_mapped", 0, fields))
		return false;
	ncg_ledger_note_recorded(ledger, &mapped->key, mapped->memtype);
	return true;
}

/* What was counted and is not mapped any more: that it was is known, and not where. */
static bool write_found_use(const struct ncg_reconcile *r, struct ncg_ledger *ledger,
			    struct ncg_audit *audit, const struct ncg_devices *devices,
			    const struct ncg_ledger_use *use)
{
	bool written = true;

	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++) {
		const struct mapped mapped = { .key = use->key, .memtype = type };

		if (use->use.types & 1ULL << type)
			written = written && write_found_mapped(r, ledger, audit, devices, &mapped, "counts");
	}
	return written;
}

static bool write_end(const struct ncg_reconcile *r, struct ncg_ledger *ledger,
		      struct ncg_audit *audit, const struct ncg_devices *devices, __u64 vm)
{
	ncg_autofree struct ncg_ledger_use *uses = NULL;
	struct ncg_vm_note who = {};
	bool known = ncg_ledger_vm(ledger, vm, &who);
	long count = ncg_ledger_uses(ledger, vm, &uses);
	json_t *fields, *list;
	struct ncg_task task;

	/* Its end was recorded in the meantime. */
	if (!known && count <= 0)
		return true;
	if (who.counted) {
		ncg_ledger_forget_vm(ledger, vm);
		return true;
	}
	if (!who.task.pid && ncg_ledger_mapper(uses, count, vm, &task))
		ncg_record_identify(&task, NULL, &who);
	fields = vm_fields(vm, who.task.pid ? &who : NULL, r->source);
	list = json_array();
	for (long i = 0; i < count; i++)
		ncg_record_use(list, devices, &uses[i].key, &uses[i].use);
	json_object_set_new(fields, "mapped", list);
	if (!ncg_audit_write(audit, "vm_destroy", 0, fields))
		return false;
	ncg_ledger_forget_vm(ledger, vm);
	return true;
}

bool ncg_reconcile_finish(struct ncg_reconcile *r, struct ncg_ledger *ledger,
			  struct ncg_audit *audit, const struct ncg_devices *devices,
			  struct ncg_allowance *allowance)
{
	struct now now = {};
	bool written = true;
	ncg_autofree struct ncg_ledger_id *ids = NULL;

	now.count = ncg_ledger_ids(ledger, &ids);
	now.ids = ids;
	/* Who has ended since then is dealt with by its own event. */
	for (size_t i = 0; i < r->living_count; i++)
		if (lives(&now, r->living[i].vm))
			written = written && write_found_vm(r, ledger, audit, &r->living[i], allowance);
	for (size_t i = 0; i < r->mapped_count; i++)
		if (lives(&now, r->mapped[i].key.vm))
			written = written && write_found_mapped(r, ledger, audit, devices, &r->mapped[i], r->source);
	for (size_t i = 0; i < r->use_count; i++) {
		__u64 vm = r->uses[i].key.vm;

		if (lives(&now, vm))
			written = written && write_found_use(r, ledger, audit, devices, &r->uses[i]);
		else if (!find_living(r, vm))
			written = written && write_end(r, ledger, audit, devices, vm);
	}
	for (size_t i = 0; i < r->gone_count; i++)
		written = written && write_end(r, ledger, audit, devices, r->gone[i]);
	ncg_reconcile_free(r);
	return written;
}
