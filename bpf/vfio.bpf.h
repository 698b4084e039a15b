/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which PCI device a file of vfio is for, and which region an mmap of it asks for, before
 * there is a VMA and after. Reads only, owns nothing; what cannot be read is
 * no file of vfio.
 *
 * A file is told by the module that its operations belong to, not by an address: so
 * nothing goes stale when vfio is unloaded and comes back elsewhere. While a file is
 * open it holds its module, so the name that is read is never that of a freed one.
 */
#ifndef NCGATE_VFIO_BPF_H
#define NCGATE_VFIO_BPF_H

#include "compat.bpf.h"

/* The PCI device of a file that is known to be open for one device; NULL for other buses. */
static __always_inline struct pci_dev *vfio_opened_device(struct file *file)
{
	struct device *dev = compat_opened_device(BPF_CORE_READ(file, private_data));
	char bus[4];

	if (bpf_probe_read_kernel(bus, sizeof(bus), BPF_CORE_READ(dev, bus, name)) ||
	    __builtin_memcmp(bus, "pci", sizeof(bus)))
		return NULL;
	return compat_pci_dev(dev);
}

/*
 * The PCI device behind a file that vfio opened for one device, through its group or
 * as /dev/vfio/devices/vfioN; NULL for every other file. Of vfio's files only these
 * can be mapped at all: those of groups and containers have no mmap operation, and
 * another private_data. Devices of other buses (platform, mdev) are none.
 */
static __always_inline struct pci_dev *vfio_pci_device(struct file *file, __u64 built_in_mmap)
{
	const struct file_operations *operations = BPF_CORE_READ(file, f_op);
	struct module *owner = BPF_CORE_READ(operations, owner);
	char module[5];

	if (built_in_mmap)
		return (__u64)BPF_CORE_READ(operations, mmap) == built_in_mmap ?
			       vfio_opened_device(file) : NULL;
	if (!owner || bpf_probe_read_kernel(module, sizeof(module), owner->name) ||
	    __builtin_memcmp(module, "vfio", sizeof(module)) || !BPF_CORE_READ(operations, mmap))
		return NULL;
	return vfio_opened_device(file);
}

/*
 * Whether the device's driver is vfio-pci itself, which exposes PCI's BARs and no others.
 * False for every other driver, and where the name cannot be read.
 */
static __always_inline bool vfio_pci_alone(struct pci_dev *pdev)
{
	static const char alone[] = "vfio-pci";
	char name[sizeof(alone)];

	return !bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(pdev, dev.driver, name)) &&
	       !__builtin_memcmp(name, alone, sizeof(alone));
}

/*
 * The BARs that may be mapped of a device, bit n for BAR n: those that PCI has. Another
 * driver than vfio-pci may expose memory of its own where PCI has no BAR (nvgrace-gpu),
 * so there it is all of them.
 */
static __always_inline __u32 vfio_pci_bars(struct pci_dev *pdev)
{
	__u32 bars = 0;

	if (!vfio_pci_alone(pdev))
		return (1U << NCG_NO_BAR) - 1;
	/* Unrolled: v6.8's verifier lets no variable be added to such a pointer. */
#pragma clang loop unroll(full)
	for (__u32 bar = 0; bar < NCG_NO_BAR; bar++)
		if (pdev->resource[bar].start != pdev->resource[bar].end)
			bars |= 1U << bar;
	return bars;
}

/*
 * What the current task asks the kernel to map: security_mmap_file() is called before
 * there is a VMA, and is not told the offset, but both ways to it have the offset in a
 * register of the system call that they serve. (mm/util.c and mm/mmap.c of v6.12 and
 * v7.3; numbers from include/uapi/asm-generic/unistd.h. arm64 leaves the registers of
 * the entry as they are until the call returns.)
 *
 * False for every other way (a 32-bit process, the kernel itself): the region is then
 * not known.
 */
#define NCG_NR_mmap 222		    /* addr, length, prot, flags, fd, offset in bytes */
#define NCG_NR_remap_file_pages 234 /* addr, length, prot, offset in pages, flags */
#define NCG_PSR_MODE32_BIT 0x10	    /* arch/arm64/include/uapi/asm/ptrace.h */

/*
 * Whole pages that hold length bytes. What is asked for may be any number: where the sum
 * would wrap round it is as many pages as 64 bits can count, which no mmap gets.
 */
static __always_inline __u64 vfio_whole_pages(__u64 length, __u64 page)
{
	return length > -page ? -page : (length + page - 1) & -page;
}

static __always_inline bool vfio_asked_place(__u32 page_shift, struct bar_place *ret_place,
					     __u64 *ret_length)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	__u64 page = 1ULL << page_shift, pgoff, length = BPF_CORE_READ(regs, regs[1]);

	if (BPF_CORE_READ(regs, pstate) & NCG_PSR_MODE32_BIT)
		return false;
	switch (BPF_CORE_READ(regs, syscallno)) {
	case NCG_NR_mmap:
		pgoff = BPF_CORE_READ(regs, regs[5]) >> page_shift;
		length = vfio_whole_pages(length, page);
		break;
	case NCG_NR_remap_file_pages:
		pgoff = BPF_CORE_READ(regs, regs[3]);
		length &= -page; /* this call rounds down */
		break;
	default:
		return false;
	}
	*ret_place = compat_bar_place(pgoff, page_shift);
	*ret_length = length;
	return true;
}

/*
 * What the mmap asked for that vfio has just carried out with that result; no BAR when it
 * is none. True when by what the task asked, false when by what the driver left in
 * vm_pgoff, which tells of PCI's own BARs alone.
 */
static __always_inline bool vfio_mapped_place(struct pci_dev *pdev, struct vm_area_struct *vma,
					      int result, __u32 page_shift,
					      struct bar_place *ret_place)
{
	__u64 length;

	if (vfio_asked_place(page_shift, ret_place, &length))
		return true;
	*ret_place = result ? compat_bar_place(vma->vm_pgoff, page_shift) :
			      compat_bar_mapped(pdev, vma->vm_pgoff, page_shift);
	return false;
}

#endif
