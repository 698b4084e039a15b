// SPDX-License-Identifier: GPL-2.0-only
#include "events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "gaps.h"
#include "guest.h"
#include "json.h"
#include "log.h"
#include "names.h"

#define DRAIN_SOME 16

struct ncg_events {
	struct ring_buffer *ring;
	int sequences_fd;
	struct ncg_gaps gaps;
	__u64 settle_below; /* numbers missing at the last settle, for the next */
	struct ncg_audit *audit;
	struct ncg_inventory *inventory;
};

/* What the kernel saw of the task, and what /proc still says of the process. */
static json_t *guest_json(const struct ncg_task *task)
{
	__u64 ticks = ncg_guest_ticks(task->start_boot_ns);
	char id[NCG_GUEST_ID_LEN];
	struct ncg_guest guest = {};
	json_t *json;

	ncg_guest_format_id(task->pid, ticks, id);
	json = json_pack("{s:s, s:I, s:I, s:s#, s:I}", "id", id, "pid", (json_int_t)task->pid,
			 "uid", (json_int_t)task->uid, "comm", task->comm,
			 strnlen(task->comm, sizeof(task->comm)), "cgroup_id",
			 (json_int_t)task->cgroup_id);
	if (!ncg_guest_read(NULL, task->pid, &guest)) {
		/* Another process may have the number by now. */
		if (guest.start_ticks == ticks) {
			json_object_set_new(json, "name", json_string(guest.name));
			json_object_set_new(json, "uuid", json_string(guest.uuid));
			json_object_set_new(json, "vmm", json_string(guest.vmm));
			json_object_set_new(json, "cgroup", json_string(guest.cgroup));
		}
		ncg_guest_done(&guest);
	}
	return json;
}

static json_t *pci_json(struct ncg_events *events, const struct ncg_pci *pci)
{
	const struct ncg_device *known;
	char slot[NCG_DEVICE_ADDRESS_LEN];
	json_t *json = json_object();

	snprintf(slot, sizeof(slot), "%04x:%02x:%02x.%x", pci->domain, pci->bus, pci->devfn >> 3,
		 pci->devfn & 7);
	json_object_set_new(json, "slot", json_string(slot));
	json_object_set_new(json, "vendor_id", ncg_json_hex(4, pci->vendor));
	json_object_set_new(json, "device_id", ncg_json_hex(4, pci->device));
	json_object_set_new(json, "subsystem_vendor_id", ncg_json_hex(4, pci->subvendor));
	json_object_set_new(json, "subsystem_device_id", ncg_json_hex(4, pci->subdevice));
	json_object_set_new(json, "class", ncg_json_hex(6, pci->class_code));
	json_object_set_new(json, "revision", ncg_json_hex(2, pci->revision));
	json_object_set_new(json, "bar", json_integer(pci->bar));
	json_object_set_new(json, "bar_start", ncg_json_hex(1, pci->bar_start));
	json_object_set_new(json, "bar_size", json_integer(pci->bar_size));
	known = ncg_devices_find(ncg_inventory_devices(events->inventory), pci->domain, pci->bus,
				 pci->devfn);
	if (known) {
		json_object_set_new(json, "name", json_string(known->name));
		json_object_set_new(json, "driver", json_string(known->driver));
		json_object_set_new(json, "iommu_group", json_integer(known->iommu_group));
	}
	return json;
}

static json_t *decision_fields(struct ncg_events *events, const struct ncg_event_decision *e)
{
	const struct ncg_decision *d = &e->decision;
	json_t *f = json_object();

	json_object_set_new(f, "guest", guest_json(&e->task));
	json_object_set_new(f, "device", pci_json(events, &e->pci));
	json_object_set_new(f, "offset", json_integer(e->offset));
	json_object_set_new(f, "length", json_integer(e->length));
	ncg_json_put_decision(f, d);
	json_object_set_new(f, "mode", json_string(ncg_names_mode(d->mode)));
	json_object_set_new(f, "grade", json_string(ncg_names_grade(d->grade)));
	json_object_set_new(f, "policy", json_pack("{s:I, s:o}", "generation",
						   (json_int_t)d->generation, "sha256",
						   ncg_json_sha256(d->sha256)));
	return f;
}

static json_t *bar_mmap_fields(struct ncg_events *events, const struct ncg_event_bar_mmap *e)
{
	json_t *f = json_object();

	json_object_set_new(f, "guest", guest_json(&e->task));
	json_object_set_new(f, "device", pci_json(events, &e->pci));
	json_object_set_new(f, "offset", json_integer(e->offset));
	json_object_set_new(f, "length", json_integer(e->length));
	json_object_set_new(f, "granted", json_boolean(e->granted));
	json_object_set_new(f, "result", json_integer(e->result));
	return f;
}

static json_t *stage2_fields(struct ncg_events *events, const struct ncg_event_stage2 *e)
{
	const struct ncg_device *device;
	unsigned int bar;
	json_t *f = json_object();

	json_object_set_new(f, "guest", guest_json(&e->task));
	json_object_set_new(f, "vm", json_integer(e->vm));
	json_object_set_new(f, "memory_type", json_string(ncg_names_memtype(e->memtype)));
	json_object_set_new(f, "ipa", ncg_json_hex(1, e->ipa));
	json_object_set_new(f, "phys", ncg_json_hex(1, e->phys));
	json_object_set_new(f, "size", json_integer(e->size));
	device = ncg_inventory_lookup(events->inventory, e->phys, &bar);
	if (device)
		json_object_set_new(f, "device", json_pack("{s:s, s:i, s:s}", "slot",
							   device->address, "bar", (int)bar,
							   "name", device->name));
	return f;
}

static json_t *vm_fields(const struct ncg_event_vm *e)
{
	json_t *f = json_object();

	json_object_set_new(f, "guest", guest_json(&e->task));
	json_object_set_new(f, "vm", json_integer(e->vm));
	return f;
}

static json_t *mapped_json(struct ncg_events *events, const struct ncg_mapped *m)
{
	return json_pack("{s:o, s:o, s:I, s:I, s:b}", "guest", guest_json(&m->task), "device",
			 pci_json(events, &m->pci), "offset", (json_int_t)m->offset, "length",
			 (json_int_t)m->length, "granted", (int)m->granted);
}

static json_t *fields_of(struct ncg_events *events, const struct ncg_event *event)
{
	static const size_t sizes[] = {
		[NCG_EVENT_DECISION] = sizeof(struct ncg_event_decision),
		[NCG_EVENT_BAR_MMAP] = sizeof(struct ncg_event_bar_mmap),
		[NCG_EVENT_STAGE2_FIRST] = sizeof(struct ncg_event_stage2),
		[NCG_EVENT_VM_CREATE] = sizeof(struct ncg_event_vm),
		[NCG_EVENT_VM_DESTROY] = sizeof(struct ncg_event_vm),
	};

	/* An event of another shape is recorded as such, not read wrong. */
	if (event->type >= sizeof(sizes) / sizeof(sizes[0]) || event->size != sizes[event->type])
		return json_pack("{s:i, s:i}", "unknown_type", (int)event->type, "size",
				 (int)event->size);
	switch ((enum ncg_event_type)event->type) {
	case NCG_EVENT_DECISION:
		return decision_fields(events, (const void *)event);
	case NCG_EVENT_BAR_MMAP:
		return bar_mmap_fields(events, (const void *)event);
	case NCG_EVENT_STAGE2_FIRST:
		return stage2_fields(events, (const void *)event);
	case NCG_EVENT_VM_CREATE:
	case NCG_EVENT_VM_DESTROY:
		return vm_fields((const void *)event);
	}
	return NULL;
}

static int on_event(void *context, void *data, size_t size)
{
	struct ncg_events *events = context;
	const struct ncg_event *event = data;
	json_t *record, *fields;

	if (size < sizeof(*event) || size < event->size) {
		ncg_audit_write(events->audit, "unreadable_event", 0, json_object());
		return 0;
	}
	if (!ncg_gaps_seen(&events->gaps, event->seq))
		return 0;
	record = json_pack("{s:I}", "seq", (json_int_t)event->seq);
	fields = fields_of(events, event);
	if (!record || !fields || json_object_update(record, fields)) {
		json_decref(record);
		record = NULL;
	}
	json_decref(fields);
	ncg_audit_write(events->audit, ncg_names_event(event->type), event->boot_ns, record);
	return 0;
}

static void note_done(struct ncg_events *events)
{
	__u32 key = NCG_SEQUENCE_DRAINED;
	__u64 done = ncg_gaps_done(&events->gaps);

	if (bpf_map_update_elem(events->sequences_fd, &key, &done, BPF_ANY))
		ncg_log_error(-errno, "the position in the event stream cannot be noted");
}

int ncg_events_open(int events_fd, int sequences_fd, struct ncg_audit *audit,
		    struct ncg_inventory *inventory, struct ncg_events **ret_events)
{
	struct ncg_events *events = calloc(1, sizeof(*events));
	__u32 key = NCG_SEQUENCE_DRAINED;
	__u64 done = 0;
	int r;

	if (!events)
		return ncg_log_error(-ENOMEM, "no memory");
	events->sequences_fd = sequences_fd;
	events->audit = audit;
	events->inventory = inventory;
	if (bpf_map_lookup_elem(sequences_fd, &key, &done)) {
		r = ncg_log_error(-errno, "the position in the event stream cannot be read");
		goto fail;
	}
	ncg_gaps_init(&events->gaps, done);
	events->ring = ring_buffer__new(events_fd, on_event, events, NULL);
	if (!events->ring) {
		r = ncg_log_error(-errno, "the ring buffer cannot be read");
		goto fail;
	}
	*ret_events = events;
	return 0;

fail:
	ncg_events_close(events);
	return r;
}

void ncg_events_close(struct ncg_events *events)
{
	if (!events)
		return;
	ring_buffer__free(events->ring);
	free(events);
}

int ncg_events_fd(const struct ncg_events *events)
{
	return ring_buffer__epoll_fd(events->ring);
}

static int drain(struct ncg_events *events, size_t most)
{
	int n = ring_buffer__consume_n(events->ring, most);

	if (n < 0)
		return ncg_log_error(n, "the ring buffer cannot be read");
	if (n)
		note_done(events);
	return 0;
}

int ncg_events_drain(struct ncg_events *events)
{
	/* Each decision and each mapping is larger than a VM's beginning and end. */
	return drain(events, ring__size(ring_buffer__ring(events->ring, 0)) /
				     sizeof(struct ncg_event_vm));
}

int ncg_events_drain_some(struct ncg_events *events)
{
	return drain(events, DRAIN_SOME);
}

void ncg_events_settle(struct ncg_events *events)
{
	struct ncg_gaps later;
	struct ncg_gap gap;
	__u64 below = events->gaps.next;

	/* Only what was missing at the last call already has had its time. */
	ncg_gaps_init(&later, 0);
	later.count = 0;
	while (ncg_gaps_settle(&events->gaps, &gap)) {
		if (gap.last >= events->settle_below) {
			later.open[later.count++] = gap;
			continue;
		}
		ncg_audit_write(events->audit, "gap", 0,
				json_pack("{s:I, s:I, s:I}", "first_seq", (json_int_t)gap.first,
					  "last_seq", (json_int_t)gap.last, "lost",
					  (json_int_t)(gap.last - gap.first + 1)));
	}
	memcpy(events->gaps.open, later.open, later.count * sizeof(later.open[0]));
	events->gaps.count = later.count;
	if (events->settle_below != below)
		note_done(events);
	events->settle_below = below;
}

void ncg_events_gate(struct ncg_events *events, enum ncg_grade grade,
		     const struct ncg_mapped *mapped, ssize_t count)
{
	json_t *record = json_pack("{s:s}", "grade", ncg_names_grade(grade));
	json_t *list = json_array();

	if (count < 0) {
		json_object_set_new(record, "error", json_string(ncg_log_errno_name(-count)));
	} else {
		json_object_set_new(record, "bar_mmaps_before", json_integer(count));
		for (ssize_t i = 0; i < count; i++)
			json_array_append_new(list, mapped_json(events, &mapped[i]));
		json_object_set(record, "mapped", list);
	}
	json_decref(list);
	ncg_audit_write(events->audit, "gate", 0, record);
}
