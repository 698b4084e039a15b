// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which BARs of vfio-pci devices are mapped now, by whom; and which of them holds what a
 * guest has, where PCI does not tell. Iterators: nothing is attached, they run as the
 * daemon reads from them, and take each address space's lock as /proc/PID/maps does.
 * Adds to `regions`, owns nothing.
 */
#include "event.bpf.h"
#include "region.bpf.h"
#include "vfio.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 page_shift = 12;

/* Where vfio is built in, its files are known by the address of their mmap operation. */
__u64 built_in_mmap;

/* Looks that up. 0, or -EPERM where the kernel keeps its addresses (CAP_SYSLOG). */
SEC("syscall")
int find_built_in(void *ctx)
{
	static const char name[] = "vfio_device_fops_mmap";

	return bpf_kallsyms_lookup_name(name, sizeof(name), 0, &built_in_mmap);
}

/* What region_of is asked; set before it is run. */
__u64 asked_kvm, asked_ipa, asked_phys;

/*
 * Notes the BAR through which a VM's process has what the VM has at a guest-physical
 * address, if it is one that a driver shows. The VM may be gone by now, and its memory be
 * something else's: then no mapping fits, or one of this process's own that does.
 */
SEC("iter/task_vma")
int region_of(struct bpf_iter__task_vma *ctx)
{
	struct kvm *kvm = (void *)asked_kvm;
	struct vm_area_struct *vma = ctx->vma;
	struct task_struct *task = ctx->task;
	struct ncg_region device;
	struct pci_dev *pdev;
	struct file *file;
	__u64 hva;

	if (!task || !vma || BPF_CORE_READ(kvm, mm) != BPF_CORE_READ(task, mm))
		return 0;
	file = BPF_CORE_READ(vma, vm_file);
	hva = region_hva(kvm, asked_ipa, page_shift);
	if (!file || hva < BPF_CORE_READ(vma, vm_start) || hva >= BPF_CORE_READ(vma, vm_end))
		return 0;
	pdev = vfio_pci_device(file, built_in_mmap);
	if (!pdev)
		return 0;
	region_device(pdev, &device);
	region_of_vma(vma, &device, hva, asked_phys, page_shift);
	return 0;
}

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
	pdev = vfio_pci_device(file, built_in_mmap);
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
