/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a program counts and reports: counters, sequence numbers, and who and
 * which device an event is about. A report that finds the ring buffer full is
 * counted as lost and its sequence number is spent, so the gap shows.
 */
#ifndef NCGATE_EVENT_BPF_H
#define NCGATE_EVENT_BPF_H

#include "compat.bpf.h"
#include "maps.bpf.h"

static __always_inline void count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	/* Per CPU, but one task's program of type LSM may be preempted by another's. */
	if (value)
		__sync_fetch_and_add(value, 1);
}

static __always_inline __u64 next_in_sequence(__u32 which)
{
	__u64 *value = bpf_map_lookup_elem(&sequences, &which);

	return value ? __sync_fetch_and_add(value, 1) + 1 : 0;
}

/*
 * Room for one event with its head filled in; NULL counts as lost. All the rest is for
 * the caller to set: zeroing it first costs a store for each word.
 */
static __always_inline void *event_reserve(__u32 type, __u32 size)
{
	__u64 seq = next_in_sequence(NCG_SEQUENCE_EVENT);
	struct ncg_event *event = bpf_ringbuf_reserve(&events, size, 0);

	if (!event) {
		count(NCG_CTR_EVENTS_LOST);
		return NULL;
	}
	event->seq = seq;
	event->boot_ns = bpf_ktime_get_boot_ns();
	event->type = type;
	event->size = size;
	return event;
}

/* By plain loads from pointers that the verifier knows: a helper call costs more. */
static __always_inline void fill_task(struct ncg_task *ret_task)
{
	struct task_struct *task = bpf_get_current_task_btf(), *leader = task->group_leader;
	const __u64 *comm = (const __u64 *)leader->comm;
	__u64 *ret_comm = (__u64 *)ret_task->comm;

	ret_task->pid = task->tgid;
	ret_task->uid = task->cred->uid.val;
	ret_task->start_boot_ns = leader->start_boottime;
	ret_task->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	_Static_assert(sizeof(ret_task->comm) == 2 * sizeof(*comm), "comm is two words");
	ret_comm[0] = comm[0];
	ret_comm[1] = comm[1];
}

static __always_inline __u64 pci_bar_id(struct pci_dev *pdev, __u32 bar)
{
	struct pci_bus *bus = pdev->bus;

	return NCG_BAR_ID(bus->domain_nr, bus->number, pdev->devfn, bar);
}

/*
 * pdev: an argument of a program, or from compat_pci_dev(). Each of these loads costs
 * about eight instructions, since the kernel guards them: so nobody does them twice.
 */
static __always_inline void fill_pci(struct ncg_pci *ret_pci, struct pci_dev *pdev, __u32 bar)
{
	struct pci_bus *bus = pdev->bus;
	__u64 start = 0, end = 0;

	ret_pci->domain = bus->domain_nr;
	ret_pci->bus = bus->number;
	ret_pci->devfn = pdev->devfn;
	ret_pci->revision = pdev->revision;
	ret_pci->zero = 0;
	ret_pci->vendor = pdev->vendor;
	ret_pci->device = pdev->device;
	ret_pci->subvendor = pdev->subsystem_vendor;
	ret_pci->subdevice = pdev->subsystem_device;
	ret_pci->class_code = pdev->class;
	ret_pci->bar = bar;
	/* Unrolled: v6.8's verifier lets no variable be added to such a pointer. */
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < NCG_NO_BAR; i++) {
		if (i != bar)
			continue;
		start = pdev->resource[i].start;
		end = pdev->resource[i].end;
	}
	ret_pci->bar_start = start;
	ret_pci->bar_size = end > start ? end - start + 1 : 0;
}

#endif
