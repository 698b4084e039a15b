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

	/* Per CPU, and programs do not nest on one: a plain add is enough. */
	if (value)
		*value += 1;
}

static __always_inline __u64 next_in_sequence(__u32 which)
{
	__u64 *value = bpf_map_lookup_elem(&sequences, &which);

	return value ? __sync_fetch_and_add(value, 1) + 1 : 0;
}

/* Room for one event with its head filled in; NULL counts as lost. */
static __always_inline void *event_reserve(__u32 type, __u32 size)
{
	__u64 seq = next_in_sequence(NCG_SEQUENCE_EVENT);
	struct ncg_event *event = bpf_ringbuf_reserve(&events, size, 0);

	if (!event) {
		count(NCG_CTR_EVENTS_LOST);
		return NULL;
	}
	__builtin_memset(event, 0, size);
	event->seq = seq;
	event->boot_ns = bpf_ktime_get_boot_ns();
	event->type = type;
	event->size = size;
	return event;
}

static __always_inline void fill_task(struct ncg_task *ret_task)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	ret_task->pid = bpf_get_current_pid_tgid() >> 32;
	ret_task->uid = bpf_get_current_uid_gid();
	ret_task->start_boot_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	ret_task->cgroup_id = bpf_get_current_cgroup_id();
	BPF_CORE_READ_STR_INTO(&ret_task->comm, task, group_leader, comm);
}

static __always_inline void fill_pci(struct ncg_pci *ret_pci, struct pci_dev *pdev, __u32 bar)
{
	__u64 start = 0, end = 0;

	ret_pci->domain = BPF_CORE_READ(pdev, bus, domain_nr);
	ret_pci->bus = BPF_CORE_READ(pdev, bus, number);
	ret_pci->devfn = BPF_CORE_READ(pdev, devfn);
	ret_pci->revision = BPF_CORE_READ(pdev, revision);
	ret_pci->vendor = BPF_CORE_READ(pdev, vendor);
	ret_pci->device = BPF_CORE_READ(pdev, device);
	ret_pci->subvendor = BPF_CORE_READ(pdev, subsystem_vendor);
	ret_pci->subdevice = BPF_CORE_READ(pdev, subsystem_device);
	ret_pci->class_code = BPF_CORE_READ(pdev, class);
	ret_pci->bar = bar;
	pci_bar_range(pdev, bar, &start, &end);
	ret_pci->bar_start = start;
	ret_pci->bar_size = end > start ? end - start + 1 : 0;
}

#endif
