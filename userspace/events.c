// SPDX-License-Identifier: GPL-2.0-only
#include "events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "allowance.h"
#include "cleanup.h"
#include "fate.h"
#include "fold.h"
#include "gaps.h"
#include "json.h"
#include "log.h"
#include "names.h"
#include "reconcile.h"
#include "record.h"
#include "repeats.h"

/*
 * Events between two times that records are made durable and the position is noted,
 * while more of them wait.
 */
#define BATCH 1024

/* Identities that one batch reads from /proc once. */
#define CACHE_MAX 16

/*
 * Seconds after which what is counted is told: with 32 kinds of it at most in a record
 * (some 36 KiB), that is 100 MiB a day if it never ends.
 */
#define TELL_S 30

/* What an event loop deals with between two looks at all else. */
#define DRAIN_SOME 16

struct ncg_events {
	struct ring_buffer *ring;
	int sequences_fd;
	struct ncg_gaps gaps;
	size_t batch; /* events since records were made durable */
	bool emptied; /* the last drain left nothing */
	__u64 due;    /* numbers up to this had been drawn at the last settle */
	__s64 clock;  /* offset that is noted; see audit_clock.h */
	struct ncg_audit *audit;
	struct ncg_inventory *inventory;
	struct ncg_ledger *ledger;
	struct ncg_fold *fold;
	struct ncg_allowance *allowance;
	struct ncg_judge judge; /* the three */
	bool said_counted[NCG_FOLD_WHY_NR]; /* that something is only counted, and why */
	struct ncg_reconcile *picture; /* NULL: none was taken */
	bool wants_picture;
	struct ncg_vm_note cache[CACHE_MAX];
	size_t cached;
};

/* --------------------------------------------------------------------- who it is */

static const struct ncg_vm_note *find_cached(const struct ncg_events *events,
					     const struct ncg_task *task)
{
	for (size_t i = 0; i < events->cached; i++)
		if (events->cache[i].task.pid == task->pid &&
		    events->cache[i].task.start_boot_ns == task->start_boot_ns)
			return &events->cache[i];
	return NULL;
}

/* What the kernel saw of the task, and what /proc or the ledger say of the process. */
static void identify(struct ncg_events *events, const struct ncg_task *task,
		     const struct ncg_vm_note *known, struct ncg_vm_note *ret_who)
{
	const struct ncg_vm_note *cached = find_cached(events, task);
	struct ncg_vm_note of_process;

	if (cached) {
		*ret_who = *cached;
		ret_who->task = *task;
		return;
	}
	ncg_record_identify(task, known, ret_who);
	/* Gone, but it may have had a VM. */
	if (!known && !*ret_who->vmm && ncg_ledger_process(events->ledger, task, &of_process))
		ncg_record_identify(task, &of_process, ret_who);
	if (events->cached < CACHE_MAX)
		events->cache[events->cached++] = *ret_who;
}

static json_t *guest_json(struct ncg_events *events, const struct ncg_task *task)
{
	struct ncg_vm_note who;

	identify(events, task, NULL, &who);
	return ncg_record_guest(&who);
}

static json_t *vm_guest_json(struct ncg_events *events, __u64 vm, const struct ncg_task *task)
{
	struct ncg_vm_note known, who;

	if (!ncg_ledger_vm(events->ledger, vm, &known))
		return guest_json(events, task);
	identify(events, task, &known, &who);
	/* Who runs VMs may move them to their cgroup once they are there. */
	if (*who.vmm && strcmp(who.cgroup, known.cgroup)) {
		who.began_ns = known.began_ns;
		ncg_ledger_note_vm(events->ledger, vm, &who);
	}
	return ncg_record_guest(&who);
}

static json_t *pci_json(struct ncg_events *events, const struct ncg_pci *pci, __u64 boot_ns)
{
	return ncg_record_pci(pci, ncg_inventory_find(events->inventory, pci, boot_ns));
}

/* ------------------------------------------------------------ records of events */

static json_t *decision_fields(struct ncg_events *events, const struct ncg_event_decision *e)
{
	const struct ncg_decision *d = &e->decision;
	json_t *f = json_object();

	json_object_set_new(f, "guest", guest_json(events, &e->task));
	json_object_set_new(f, "device", pci_json(events, &e->pci, e->event.boot_ns));
	json_object_set_new(f, "offset", ncg_json_unsigned(e->offset));
	json_object_set_new(f, "length", ncg_json_unsigned(e->length));
	ncg_json_put_decision(f, d);
	json_object_set_new(f, "mode", json_string(ncg_names_mode(d->mode)));
	json_object_set_new(f, "grade", json_string(ncg_names_grade(d->grade)));
	json_object_set_new(f, "policy", json_pack("{s:o, s:o}", "generation",
						   ncg_json_unsigned(d->generation), "sha256",
						   ncg_json_sha256(d->sha256)));
	return f;
}

static json_t *bar_mmap_fields(struct ncg_events *events, const struct ncg_event_bar_mmap *e)
{
	json_t *f = json_object();

	json_object_set_new(f, "guest", guest_json(events, &e->task));
	json_object_set_new(f, "device", pci_json(events, &e->pci, e->event.boot_ns));
	json_object_set_new(f, "offset", ncg_json_unsigned(e->offset));
	json_object_set_new(f, "length", ncg_json_unsigned(e->length));
	json_object_set_new(f, "granted", json_boolean(e->granted));
	json_object_set_new(f, "result", json_integer(e->result));
	return f;
}

static json_t *stage2_fields(struct ncg_events *events, const struct ncg_event_stage2 *e)
{
	const struct ncg_device *device;
	unsigned int bar;
	json_t *f = json_object();

	json_object_set_new(f, "guest", vm_guest_json(events, e->vm, &e->task));
	json_object_set_new(f, "vm", ncg_json_unsigned(e->vm));
	json_object_set_new(f, "memory_type", json_string(ncg_names_memtype(e->memtype)));
	if (e->before < NCG_MT_NR)
		json_object_set_new(f, "before", json_string(ncg_names_memtype(e->before)));
	json_object_set_new(f, "ipa", ncg_json_hex(1, e->ipa));
	json_object_set_new(f, "phys", ncg_json_hex(1, e->phys));
	json_object_set_new(f, "size", ncg_json_unsigned(e->size));
	device = ncg_inventory_lookup(events->inventory, e->phys, &bar);
	if (device)
		json_object_set_new(f, "device", ncg_record_device(device, bar));
	return f;
}

static json_t *vm_begin_fields(struct ncg_events *events, const struct ncg_event_vm *e)
{
	return json_pack("{s:o, s:o}", "guest", guest_json(events, &e->task), "vm",
			 ncg_json_unsigned(e->vm));
}

/*
 * Who ends a VM may be anybody who has its last descriptor; whose it was is noted, or the
 * one who mapped knows.
 */
static json_t *vm_end_fields(struct ncg_events *events, const struct ncg_event_vm *e)
{
	ncg_autofree struct ncg_ledger_use *uses = NULL;
	long count = ncg_ledger_uses(events->ledger, e->vm, &uses);
	json_t *f = json_object(), *mapped = json_array();
	struct ncg_vm_note note = {};
	char began[NCG_AUDIT_TIME_LEN];
	struct ncg_task mapper;

	if (ncg_ledger_vm(events->ledger, e->vm, &note) && note.task.pid)
		json_object_set_new(f, "guest", ncg_record_guest(&note));
	else if (ncg_ledger_mapper(uses, count, e->vm, &mapper))
		json_object_set_new(f, "guest", guest_json(events, &mapper));
	else
		json_object_set_new(f, "guest", guest_json(events, &e->task));
	json_object_set_new(f, "vm", ncg_json_unsigned(e->vm));
	if (note.began_ns) {
		ncg_audit_format_time(note.began_ns, began);
		json_object_set_new(f, "began", json_string(began));
		json_object_set_new(f, "began_boot_ns", ncg_json_unsigned(note.began_ns));
	}
	for (long i = 0; i < count; i++)
		ncg_record_use(mapped, ncg_inventory_devices(events->inventory), &uses[i].key,
			       &uses[i].use);
	json_object_set_new(f, "mapped", mapped);
	return f;
}

static json_t *mapped_json(struct ncg_events *events, const struct ncg_mapped *m)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:b}", "guest", guest_json(events, &m->task), "device",
			 pci_json(events, &m->pci, 0), "offset", ncg_json_unsigned(m->offset),
			 "length", ncg_json_unsigned(m->length), "granted", (int)m->granted);
}

static json_t *fields_of(struct ncg_events *events, const struct ncg_event *event)
{
	/* An event of another shape is recorded as such, not read wrong. */
	if (!ncg_fate_readable(event))
		return json_pack("{s:o, s:o}", "unknown_type", ncg_json_unsigned(event->type),
				 "size", ncg_json_unsigned(event->size));
	switch ((enum ncg_event_type)event->type) {
	case NCG_EVENT_DECISION:
		return decision_fields(events, (const void *)event);
	case NCG_EVENT_BAR_MMAP:
		return bar_mmap_fields(events, (const void *)event);
	case NCG_EVENT_STAGE2_FIRST:
	case NCG_EVENT_STAGE2_CHANGE:
		return stage2_fields(events, (const void *)event);
	case NCG_EVENT_VM_CREATE:
		return vm_begin_fields(events, (const void *)event);
	case NCG_EVENT_VM_DESTROY:
		return vm_end_fields(events, (const void *)event);
	}
	return NULL;
}

/* What the ledger has to know once the record of an event is in the trail. */
static void note_recorded(struct ncg_events *events, const struct ncg_event *event)
{
	const struct ncg_event_stage2 *stage2 = (const void *)event;
	const struct ncg_event_vm *vm = (const void *)event;
	const struct ncg_use_key key = { .vm = stage2->vm, .where = stage2->where };
	struct ncg_vm_note who;

	switch ((enum ncg_event_type)event->type) {
	case NCG_EVENT_STAGE2_FIRST:
		ncg_ledger_note_recorded(events->ledger, &key, stage2->memtype);
		break;
	case NCG_EVENT_VM_CREATE:
		identify(events, &vm->task, NULL, &who);
		who.began_ns = event->boot_ns;
		ncg_ledger_note_vm(events->ledger, vm->vm, &who);
		break;
	case NCG_EVENT_VM_DESTROY:
		ncg_ledger_forget_vm(events->ledger, vm->vm);
		break;
	case NCG_EVENT_DECISION:
	case NCG_EVENT_BAR_MMAP:
	case NCG_EVENT_STAGE2_CHANGE:
		break;
	}
}

static bool write_event(struct ncg_events *events, __u32 type, __u64 boot_ns, json_t *fields)
{
	bool written = ncg_audit_write(events->audit, ncg_names_event(type), boot_ns, fields);

	/* It will have to be looked for once writing works again. */
	events->wants_picture |= !written;
	return written;
}

/* ---------------------------------------------------------------- what is counted */

/* Writes what is counted, if it is due. The position moves once that is durable. */
static void tell_counted(struct ncg_events *events, bool due)
{
	__u64 since;

	if (!ncg_fold_first(events->fold, &since) || ncg_audit_failing(events->audit) ||
	    (!due && ncg_audit_boot_ns() < since + TELL_S * 1000000000ULL))
		return;
	if (ncg_audit_write(events->audit, "repeats", 0, ncg_repeats_fields(events->fold)))
		ncg_fold_clear(events->fold);
}

/* What the ledger has to know of an event that is only counted. */
static void note_counted(struct ncg_events *events, const struct ncg_event *event,
			 const struct ncg_vm_note *who)
{
	const struct ncg_event_stage2 *stage2 = (const void *)event;
	const struct ncg_event_vm *vm = (const void *)event;
	const struct ncg_use_key key = { .vm = stage2->vm, .where = stage2->where };
	struct ncg_vm_note note = *who;

	if (event->type == NCG_EVENT_STAGE2_FIRST) {
		ncg_ledger_note_recorded(events->ledger, &key, stage2->memtype);
	} else if (event->type == NCG_EVENT_VM_CREATE) {
		note.counted = 1;
		note.began_ns = event->boot_ns;
		ncg_ledger_note_vm(events->ledger, vm->vm, &note);
	} else if (event->type == NCG_EVENT_VM_DESTROY) {
		ncg_ledger_forget_vm(events->ledger, vm->vm);
	}
}

static void say_counted(struct ncg_events *events, enum ncg_fold_why why,
			const struct ncg_vm_note *who)
{
	if (why == NCG_FOLD_REPEAT || events->said_counted[why])
		return;
	events->said_counted[why] = true;
	ncg_warning("audit: more records than the allowance of a %s; beyond it only counts are "
		    "kept. Last: process %u, user %u, '%s'", ncg_fold_why_name(why), who->task.pid,
		    who->task.uid, who->name);
}

/* True when the event is dealt with. */
static bool count_event(struct ncg_events *events, const struct ncg_event *event,
			const struct ncg_fate *fate)
{
	struct ncg_kept_entry *entry;
	struct ncg_vm_note who;

	if (ncg_fold_full(events->fold))
		tell_counted(events, true);
	entry = ncg_fold_take(events->fold, fate->key, fate->why, event);
	if (!entry)
		return false;
	if (entry->count == 1)
		identify(events, ncg_fate_task(event), NULL, &entry->who);
	who = entry->who;
	/* An entry of many has the first one's name. */
	who.task = *ncg_fate_task(event);
	note_counted(events, event, &who);
	say_counted(events, fate->why, &who);
	return true;
}

/* Once an event has its record, what repeats it is known. */
static void note_own(struct ncg_events *events, const struct ncg_event *event,
		     const struct ncg_fate *fate)
{
	const struct ncg_event_stage2 *stage2 = (const void *)event;
	struct ncg_vm_note note;

	note_recorded(events, event);
	if (fate->key)
		ncg_fold_note(events->fold, fate->key);
	/* Something of this VM is in the trail: so will be its end. */
	if (event->type == NCG_EVENT_STAGE2_FIRST &&
	    ncg_ledger_vm(events->ledger, stage2->vm, &note) && note.counted) {
		note.counted = 0;
		ncg_ledger_note_vm(events->ledger, stage2->vm, &note);
	}
}

static int on_event(void *context, void *data, size_t size)
{
	struct ncg_events *events = context;
	const struct ncg_event *event = data;
	json_t *record, *fields;
	struct ncg_fate fate;

	if (size < sizeof(*event) || size < event->size) {
		ncg_audit_write(events->audit, "unreadable_event", 0, json_object());
		return 0;
	}
	if (!ncg_gaps_seen(&events->gaps, event->seq, event->boot_ns)) {
		/* A daemon dealt with it, and was killed before it could say so. */
		note_recorded(events, event);
		return 0;
	}
	fate = ncg_fate_of(&events->judge, event);
	/* While nothing can be written, what is missing is one gap. */
	if (fate.counted && !ncg_audit_failing(events->audit) && count_event(events, event, &fate))
		return 0;
	record = json_pack("{s:o}", "seq", ncg_json_unsigned(event->seq));
	fields = fields_of(events, event);
	if (!record || !fields || json_object_update(record, fields)) {
		json_decref(record);
		record = NULL;
	}
	json_decref(fields);
	if (write_event(events, event->type, event->boot_ns, record))
		note_own(events, event, &fate);
	return 0;
}

/* --------------------------------------------------------------------- position */

static bool read_sequence(const struct ncg_events *events, __u32 key, __u64 *ret_value)
{
	return !bpf_map_lookup_elem(events->sequences_fd, &key, ret_value);
}

static void write_sequence(const struct ncg_events *events, __u32 key, __u64 value)
{
	if (bpf_map_update_elem(events->sequences_fd, &key, &value, BPF_ANY))
		ncg_log_error(-errno, "the position in the event stream cannot be noted");
}

static void note_place(const struct ncg_events *events)
{
	struct ncg_audit_place place;

	ncg_audit_place(events->audit, &place);
	write_sequence(events, NCG_SEQUENCE_TRAIL_SIZE, place.offset);
	write_sequence(events, NCG_SEQUENCE_TRAIL, place.file);
}

/* What the trail has told of the clock, for the next daemon. */
static void note_clock(struct ncg_events *events)
{
	if (events->clock == ncg_audit_clock(events->audit))
		return;
	events->clock = ncg_audit_clock(events->audit);
	write_sequence(events, NCG_SEQUENCE_CLOCK, events->clock);
}

/*
 * Makes durable what a batch wrote, and only then notes it as dealt with. While
 * records are being lost the position stays, so that a daemon that comes after this
 * one sees them missing. While numbers are missing that may still come, the place stays:
 * behind it is which of the later ones are in the trail.
 */
static void note_done(struct ncg_events *events)
{
	__u64 first, since, done;

	if (!ncg_audit_sync(events->audit) || ncg_audit_failing(events->audit))
		return;
	/* What is counted is not in the trail yet, and memory does not outlive the host. */
	first = ncg_fold_first(events->fold, &since);
	done = ncg_gaps_done(&events->gaps);
	write_sequence(events, NCG_SEQUENCE_DRAINED, first && first <= done ? first - 1 : done);
	write_sequence(events, NCG_SEQUENCE_DRAINED_NS, events->gaps.time);
	/* Before the place, behind which the next daemon finds what is not noted. */
	note_clock(events);
	if (!events->gaps.count && !first)
		note_place(events);
}

/*
 * Numbers from first to last are dealt with by a record of that time. A number that no
 * program has drawn yet is another's, or the record is damaged: events that will have it
 * are not to be taken for repeats.
 */
static void mark_written(struct ncg_events *events, const json_t *first, const json_t *last,
			 const json_t *boot_ns)
{
	json_int_t begin = json_integer_value(first), end = json_integer_value(last);
	__u64 drawn;

	if (begin < 1 || end < begin || !read_sequence(events, NCG_SEQUENCE_EVENT, &drawn) ||
	    (__u64)end > drawn)
		return;
	ncg_gaps_seen_range(&events->gaps, begin, end, json_integer_value(boot_ns));
}

/* A record that a daemon wrote after it noted its position for the last time. */
static void on_written(void *arg, const json_t *record)
{
	struct ncg_events *events = arg;
	const json_t *seqs = json_object_get(json_object_get(record, "folded"), "seqs"), *range;
	const json_t *seq = json_object_get(record, "seq");
	const json_t *boot_ns = json_object_get(record, "boot_ns");
	const char *type = json_string_value(json_object_get(record, "type"));
	__u64 since;
	__s64 wall;
	size_t i;

	/* By the record's own two times: it may be noted already. */
	if (type && !strcmp(type, "clock_changed") &&
	    ncg_audit_parse_wall(json_string_value(json_object_get(record, "time")) ?: "", &wall))
		events->clock = wall - json_integer_value(boot_ns);
	mark_written(arg, seq, seq, boot_ns);
	mark_written(arg, json_object_get(record, "first_seq"),
		     json_object_get(record, "last_seq"), boot_ns);
	if (type && !strcmp(type, "repeats")) {
		seqs = json_object_get(record, "seqs");
		/* Told, and not yet forgotten. */
		if (ncg_fold_first(events->fold, &since) ==
		    (__u64)json_integer_value(json_array_get(json_array_get(seqs, 0), 0)))
			ncg_fold_clear(events->fold);
	}
	json_array_foreach(seqs, i, range)
		mark_written(arg, json_array_get(range, 0), json_array_get(range, 1), boot_ns);
}

/* What a daemon had counted when it ended goes on being counted. */
static void on_counted(void *arg, __u64 first, __u64 last)
{
	struct ncg_events *events = arg;

	ncg_gaps_seen_range(&events->gaps, first, last, events->gaps.time);
}

int ncg_events_open(int events_fd, const struct ncg_ledger_maps *maps, struct ncg_audit *audit,
		    struct ncg_inventory *inventory, struct ncg_events **ret_events)
{
	struct ncg_events *events = calloc(1, sizeof(*events));
	struct ncg_audit_place place;
	__u64 done, done_ns, clock;
	int r;

	if (!events)
		return ncg_log_error(-ENOMEM, "no memory");
	events->sequences_fd = maps->sequences;
	events->audit = audit;
	events->inventory = inventory;
	events->wants_picture = true;
	events->allowance = ncg_allowance_new();
	if (!events->allowance) {
		r = ncg_log_error(-ENOMEM, "no memory");
		goto fail;
	}
	r = ncg_fold_open(maps->kept, &events->fold);
	if (r)
		goto fail;
	r = ncg_ledger_open(maps, &events->ledger);
	if (r)
		goto fail;
	if (!read_sequence(events, NCG_SEQUENCE_DRAINED, &done) ||
	    !read_sequence(events, NCG_SEQUENCE_DRAINED_NS, &done_ns) ||
	    !read_sequence(events, NCG_SEQUENCE_CLOCK, &clock) ||
	    !read_sequence(events, NCG_SEQUENCE_TRAIL, &place.file) ||
	    !read_sequence(events, NCG_SEQUENCE_TRAIL_SIZE, &place.offset)) {
		r = ncg_log_error(-errno, "the position in the event stream cannot be read");
		goto fail;
	}
	ncg_gaps_init(&events->gaps, done, done_ns);
	events->clock = clock;
	if (place.file)
		ncg_audit_since(events->audit, &place, on_written, events);
	/* What it was set by while no daemon ran is told with the next record. */
	if (clock)
		ncg_audit_set_clock(events->audit, events->clock);
	ncg_fold_ranges(events->fold, on_counted, events);
	events->judge = (struct ncg_judge){ events->fold, events->allowance, events->ledger };
	if (!place.file)
		note_place(events);
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
	ncg_reconcile_free(events->picture);
	ncg_ledger_close(events->ledger);
	ncg_fold_close(events->fold);
	ncg_allowance_free(events->allowance);
	free(events);
}

int ncg_events_fd(const struct ncg_events *events)
{
	return ring_buffer__epoll_fd(events->ring);
}

static void end_batch(struct ncg_events *events)
{
	tell_counted(events, false);
	events->cached = 0;
	events->batch = 0;
	note_done(events);
}

/* Returns whether there may be more, or -errno, logged. */
static int drain(struct ncg_events *events, size_t most)
{
	int n = ring_buffer__consume_n(events->ring, most);

	if (n < 0)
		return ncg_log_error(n, "the ring buffer cannot be read");
	events->batch += n;
	events->emptied = (size_t)n < most;
	if (events->batch && ((size_t)n < most || events->batch >= BATCH))
		end_batch(events);
	return (size_t)n == most;
}

int ncg_events_drain(struct ncg_events *events)
{
	__u64 drawn;
	int r;

	if (!read_sequence(events, NCG_SEQUENCE_EVENT, &drawn))
		return ncg_log_error(-errno, "the position in the event stream cannot be read");
	/* Numbers up to this wait, or are lost and then never come. */
	do {
		r = drain(events, DRAIN_SOME);
	} while (r > 0 && events->gaps.next <= drawn);
	if (events->batch)
		end_batch(events);
	return r < 0 ? r : 0;
}

int ncg_events_drain_some(struct ncg_events *events)
{
	int r = drain(events, DRAIN_SOME);

	return r < 0 ? r : 0;
}

int ncg_events_finish(struct ncg_events *events)
{
	int r = ncg_events_drain(events);

	tell_counted(events, true);
	note_done(events);
	return r;
}

/* ----------------------------------------------------------------------- losses */

static bool write_gap(struct ncg_events *events, const struct ncg_gap *gap)
{
	json_t *fields = json_pack("{s:s, s:o, s:o, s:o}", "cause", "not_received", "lost",
				   ncg_json_unsigned(gap->last - gap->first + 1), "first_seq",
				   ncg_json_unsigned(gap->first), "last_seq",
				   ncg_json_unsigned(gap->last));

	if (fields)
		ncg_audit_add_window(fields, gap->since, gap->until);
	return ncg_audit_write(events->audit, "gap", 0, fields);
}

void ncg_events_settle(struct ncg_events *events)
{
	struct ncg_gap gap;
	__u64 drawn, since;

	if (ncg_fold_first(events->fold, &since)) {
		tell_counted(events, false);
		if (!ncg_fold_first(events->fold, &since))
			note_done(events);
	}
	/* In a storm, what is missing may be what waits. */
	if (!events->emptied)
		return;
	if (events->picture && !ncg_audit_failing(events->audit)) {
		/* What cannot be written is looked for again once writing works. */
		events->wants_picture |=
			!ncg_reconcile_finish(ncg_take_ptr(events->picture), events->ledger,
					      events->audit,
					      ncg_inventory_devices(events->inventory),
					      events->allowance);
		note_done(events);
	}
	/* Drawn by the last call, and drained since: what has not come does not come. */
	ncg_gaps_expect(&events->gaps, events->due, ncg_audit_boot_ns());
	while (events->gaps.count && events->gaps.open[0].last <= events->due &&
	       ncg_allowance_gap(events->allowance, ncg_audit_boot_ns()) &&
	       ncg_gaps_settle(&events->gaps, events->due, &gap)) {
		if (!write_gap(events, &gap)) {
			ncg_gaps_put_back(&events->gaps, &gap);
			break;
		}
		events->wants_picture = true;
		note_done(events);
	}
	if (read_sequence(events, NCG_SEQUENCE_EVENT, &drawn))
		events->due = drawn;
}

bool ncg_events_wants_picture(const struct ncg_events *events)
{
	return events->wants_picture && !events->picture && !ncg_audit_failing(events->audit);
}

void ncg_events_want_picture(struct ncg_events *events)
{
	events->wants_picture = true;
}

void ncg_events_take_picture(struct ncg_events *events, const struct ncg_walk_vm *const *walked,
			     size_t count)
{
	if (!ncg_reconcile_begin(events->ledger, walked, count,
				 ncg_inventory_devices(events->inventory), &events->picture))
		events->wants_picture = false;
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
	events->cached = 0;
	ncg_audit_write_kept(events->audit, "gate", record);
	ncg_audit_sync(events->audit);
}
