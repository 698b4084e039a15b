// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which BARs of vfio-pci devices are mapped now, by whom. An iterator: nothing is
 * attached, it runs as the daemon reads from it, and takes each address space's lock
 * as /proc/PID/maps does. Owns nothing.
 */
#include "event.bpf.h"
#include "vfio.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 page_shift = 12;

/* Writes one struct ncg_mapped for each mapping of a BAR, of each address space once. */
SEC("iter/task_vma")
int mapped_bars(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct ncg_mapped mapped = {};
	struct bar_place place;
	struct pci_dev *pdev;
	struct file *file;

	if (!task || !vma)
		return 0;
	file = BPF_CORE_READ(vma, vm_file);
	/* All threads of a process come by; one of them stands for it. */
	if (!file || BPF_CORE_READ(task, mm, owner) != task)
		return 0;
	pdev = vfio_pci_device(file);
	if (!pdev)
		return 0;
	place = compat_bar_mapped(pdev, BPF_CORE_READ(vma, vm_pgoff), page_shift);
	if (place.bar == NCG_NO_BAR)
		return 0;

	mapped.task.pid = BPF_CORE_READ(task, tgid);
	mapped.task.uid = BPF_CORE_READ(task, cred, uid.val);
	mapped.task.start_boot_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	BPF_CORE_READ_STR_INTO(&mapped.task.comm, task, group_leader, comm);
	fill_pci(&mapped.pci, pdev, place.bar);
	mapped.offset = place.offset;
	mapped.length = BPF_CORE_READ(vma, vm_end) - BPF_CORE_READ(vma, vm_start);
	mapped.granted = compat_vma_any_uncached(vma);
	bpf_seq_write(ctx->meta->seq, &mapped, sizeof(mapped));
	return 0;
}
