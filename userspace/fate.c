// SPDX-License-Identifier: GPL-2.0-only
/* Implements fate.h. Where in doubt (a key that was forgotten) an event has a record. */
#include "fate.h"

#include <string.h>

bool ncg_fate_readable(const struct ncg_event *event)
{
	static const size_t sizes[] = {
		[NCG_EVENT_DECISION] = sizeof(struct ncg_event_decision),
		[NCG_EVENT_BAR_MMAP] = sizeof(struct ncg_event_bar_mmap),
		[NCG_EVENT_STAGE2_FIRST] = sizeof(struct ncg_event_stage2),
		[NCG_EVENT_STAGE2_CHANGE] = sizeof(struct ncg_event_stage2),
		[NCG_EVENT_VM_CREATE] = sizeof(struct ncg_event_vm),
		[NCG_EVENT_VM_DESTROY] = sizeof(struct ncg_event_vm),
	};

	return event->type < sizeof(sizes) / sizeof(sizes[0]) &&
	       event->size == sizes[event->type] && event->size;
}

/* What events have in common that repeat one another; all zero where it does not apply. */
struct likeness {
	__u64 type;
	__u64 who[2]; /* a process, a VM, or whose share is used up */
	__u64 where;
	__u64 what;
	__u64 generation;
	char file[NCG_PATH_LEN];
};

static __u64 key_of(const struct likeness *likeness)
{
	return ncg_fold_key(likeness, sizeof(*likeness));
}

static __u64 process_key(const struct ncg_event *event, const struct ncg_task *task, __u64 where,
			 __u64 what)
{
	struct likeness likeness;

	memset(&likeness, 0, sizeof(likeness));
	likeness.type = event->type;
	likeness.who[0] = task->pid;
	likeness.who[1] = task->start_boot_ns;
	likeness.where = where;
	likeness.what = what;
	return key_of(&likeness);
}

static __u64 vm_key(const struct ncg_event_stage2 *e, __u64 what)
{
	struct likeness likeness;

	memset(&likeness, 0, sizeof(likeness));
	likeness.type = e->event.type;
	likeness.who[0] = e->vm;
	likeness.where = e->where;
	likeness.what = what;
	return key_of(&likeness);
}

static __u64 decision_key(const struct ncg_event_decision *e)
{
	const struct ncg_decision *d = &e->decision;
	struct likeness likeness;

	memset(&likeness, 0, sizeof(likeness));
	likeness.type = e->event.type;
	likeness.who[0] = e->task.pid;
	likeness.who[1] = e->task.start_boot_ns;
	likeness.where = NCG_BAR_ID(e->pci.domain, e->pci.bus, e->pci.devfn, e->pci.bar);
	likeness.what = (__u64)d->line << 32 | d->verdict | d->reason << 4 | d->mode << 8 |
			d->grade << 12 | d->audit << 16;
	likeness.generation = d->generation;
	memcpy(likeness.file, d->file, strnlen(d->file, sizeof(d->file)));
	return key_of(&likeness);
}

const struct ncg_task *ncg_fate_task(const struct ncg_event *event)
{
	static const struct ncg_task nobody;
	const struct ncg_event_vm *any = (const void *)event; /* it comes first in all */

	return event->size >= sizeof(*event) + sizeof(any->task) ? &any->task : &nobody;
}

/* Of a VM that is beyond its process's allowance, nothing has a record but what is new. */
static struct ncg_fate stage2_fate(const struct ncg_judge *judge, const struct ncg_event_stage2 *e,
			       bool vm_counted)
{
	const struct ncg_use_key use = { .vm = e->vm, .where = e->where };
	__u64 key = process_key(&e->event, &e->task, e->where, e->memtype);

	if (e->event.type == NCG_EVENT_STAGE2_CHANGE) {
		if (!vm_counted)
			key = vm_key(e, e->memtype | (__u64)e->before << 8);
		return (struct ncg_fate){ ncg_fold_known(judge->fold, key), key,
				      vm_counted ? NCG_FOLD_GUEST : NCG_FOLD_REPEAT };
	}
	if (ncg_ledger_recorded(judge->ledger, &use, e->memtype))
		return (struct ncg_fate){ true, vm_key(e, e->memtype), NCG_FOLD_REPEAT };
	return (struct ncg_fate){ vm_counted && ncg_fold_known(judge->fold, key), key,
			      NCG_FOLD_GUEST };
}

static struct ncg_fate vm_fate(const struct ncg_judge *judge, const struct ncg_event_vm *e,
			   const struct ncg_vm_note *note)
{
	struct ncg_fate fate = { .why = NCG_FOLD_GUEST };

	if (e->event.type == NCG_EVENT_VM_CREATE) {
		fate.counted = ncg_allowance_vm(judge->allowance, &e->task, e->event.boot_ns);
		fate.key = fate.counted ? process_key(&e->event, &e->task, 0, 0) : 0;
	} else if (note) {
		fate.counted = note->counted;
		fate.key = process_key(&e->event, &note->task, 0, 0);
	}
	return fate;
}

struct ncg_fate ncg_fate_of(const struct ncg_judge *judge, const struct ncg_event *event)
{
	const struct ncg_event_bar_mmap *mmap = (const void *)event;
	const struct ncg_event_stage2 *stage2 = (const void *)event;
	const struct ncg_event_vm *vm = (const void *)event;
	struct ncg_vm_note note;
	struct ncg_fate fate = {};
	struct likeness share;
	bool noted = false;

	switch (ncg_fate_readable(event) ? (enum ncg_event_type)event->type : 0) {
	case NCG_EVENT_DECISION:
		fate.key = decision_key((const void *)event);
		fate.counted = ncg_fold_known(judge->fold, fate.key);
		break;
	case NCG_EVENT_BAR_MMAP:
		fate.key = process_key(event, &mmap->task,
				       NCG_BAR_ID(mmap->pci.domain, mmap->pci.bus,
						  mmap->pci.devfn, mmap->pci.bar),
				       (__u64)(__u32)mmap->result << 1 | !!mmap->granted);
		fate.counted = ncg_fold_known(judge->fold, fate.key);
		break;
	case NCG_EVENT_STAGE2_FIRST:
	case NCG_EVENT_STAGE2_CHANGE:
		noted = ncg_ledger_vm(judge->ledger, stage2->vm, &note);
		fate = stage2_fate(judge, stage2, noted && note.counted);
		break;
	case NCG_EVENT_VM_CREATE:
	case NCG_EVENT_VM_DESTROY:
		noted = ncg_ledger_vm(judge->ledger, vm->vm, &note);
		fate = vm_fate(judge, vm, noted ? &note : NULL);
		break;
	}
	if (fate.counted || (noted && event->type == NCG_EVENT_VM_DESTROY))
		return fate;
	fate.why = ncg_allowance_record(judge->allowance, ncg_fate_task(event), event->boot_ns);
	if (!fate.why)
		return fate;
	memset(&share, 0, sizeof(share));
	share.type = event->type;
	share.who[0] = fate.why;
	share.who[1] = fate.why == NCG_FOLD_CGROUP ? ncg_fate_task(event)->cgroup_id :
		       fate.why == NCG_FOLD_USER ? ncg_fate_task(event)->uid : 0;
	return (struct ncg_fate){ true, key_of(&share), fate.why };
}

