// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements repeats.h. The device is named by slot and BAR alone: what else there is to
 * say of it stands in the record that is repeated, and this one is to stay small.
 */
#include "repeats.h"

#include <stdio.h>
#include <string.h>

#include "audit_clock.h"
#include "device.h"
#include "json.h"
#include "names.h"
#include "record.h"

static void put_place(json_t *json, __u32 domain, __u8 bus, __u8 devfn, unsigned int bar)
{
	char slot[NCG_DEVICE_ADDRESS_LEN];

	snprintf(slot, sizeof(slot), "%04x:%02x:%02x.%x", domain, bus, devfn >> 3, devfn & 7);
	json_object_set_new(json, "device", json_pack("{s:s, s:i}", "slot", slot, "bar", (int)bar));
}

static void put_pci(json_t *json, const struct ncg_pci *pci)
{
	put_place(json, pci->domain, pci->bus, pci->devfn, pci->bar);
}

static void put_stage2(json_t *json, const struct ncg_event_stage2 *e)
{
	json_object_set_new(json, "vm", json_integer(e->vm));
	json_object_set_new(json, "memory_type", json_string(ncg_names_memtype(e->memtype)));
	if (e->before < NCG_MT_NR)
		json_object_set_new(json, "before", json_string(ncg_names_memtype(e->before)));
	if (e->where & NCG_BLOCK_ID(0))
		json_object_set_new(json, "phys", ncg_json_hex(1, e->phys));
	else
		put_place(json, e->where >> 32, e->where >> 24, e->where >> 16, e->where & 0xffff);
}

/* What the last of them was about. */
static void put_event(json_t *json, const struct ncg_event *event)
{
	const struct ncg_event_decision *decision = (const void *)event;
	const struct ncg_event_bar_mmap *mmap = (const void *)event;
	const struct ncg_event_vm *vm = (const void *)event;

	switch ((enum ncg_event_type)event->type) {
	case NCG_EVENT_DECISION:
		put_pci(json, &decision->pci);
		ncg_json_put_decision(json, &decision->decision);
		json_object_set_new(json, "generation",
				    json_integer(decision->decision.generation));
		return;
	case NCG_EVENT_BAR_MMAP:
		put_pci(json, &mmap->pci);
		json_object_set_new(json, "granted", json_boolean(mmap->granted));
		json_object_set_new(json, "result", json_integer(mmap->result));
		return;
	case NCG_EVENT_STAGE2_FIRST:
	case NCG_EVENT_STAGE2_CHANGE:
		put_stage2(json, (const void *)event);
		return;
	case NCG_EVENT_VM_CREATE:
	case NCG_EVENT_VM_DESTROY:
		json_object_set_new(json, "vm", json_integer(vm->vm));
		return;
	}
}

/* What is said of all entries together. */
struct sum {
	json_t *of;
	__u64 count;
	__u64 since;
	__u64 until;
};

static void add_entry(void *arg, const struct ncg_kept_entry *entry, bool exact)
{
	const struct ncg_event *event = (const void *)entry->event;
	struct sum *sum = arg;
	json_t *json = json_pack("{s:s, s:s, s:I}", "type", ncg_names_event(event->type), "why",
				 ncg_fold_why_name(entry->why), "count", (json_int_t)entry->count);

	ncg_audit_add_window(json, entry->since, entry->until);
	if (exact) {
		json_object_set_new(json, "guest", ncg_record_guest(&entry->who));
		put_event(json, event);
	}
	json_array_append_new(sum->of, json);
	sum->count += entry->count;
	if (!sum->since || entry->since < sum->since)
		sum->since = entry->since;
	if (entry->until > sum->until)
		sum->until = entry->until;
}

static void add_range(void *arg, __u64 first, __u64 last)
{
	json_array_append_new(arg, json_pack("[I, I]", (json_int_t)first, (json_int_t)last));
}

json_t *ncg_repeats_fields(struct ncg_fold *fold)
{
	json_t *seqs = json_array(), *fields;
	struct sum sum = { .of = json_array() };

	ncg_fold_ranges(fold, add_range, seqs);
	ncg_fold_entries(fold, add_entry, &sum);
	fields = json_pack("{s:I, s:o, s:o}", "count", (json_int_t)sum.count, "seqs", seqs, "of",
			   sum.of);
	if (fields)
		ncg_audit_add_window(fields, sum.since, sum.until);
	return fields;
}
