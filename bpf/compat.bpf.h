/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels that the programs load on, each with
 * where it comes from and when it can go. Nothing outside this file asks which
 * kernel it runs on. Owns no state; what a kernel lacks reads as 0.
 */
#ifndef NCGATE_COMPAT_BPF_H
#define NCGATE_COMPAT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/*
 * vfio is a module on distribution kernels, so its types are not in vmlinux.h;
 * libbpf finds them in the module's own BTF.
 */
struct vfio_device___ncg {
	struct device *dev;
} __attribute__((preserve_access_index));

/* What private_data of a file is that is open for one device, group or cdev. */
struct vfio_device_file___ncg {
	struct vfio_device___ncg *device;
} __attribute__((preserve_access_index));

/* VFIO_PCI_OFFSET_SHIFT in include/linux/vfio_pci_core.h. */
#define NCG_VFIO_PCI_OFFSET_SHIFT 40

/* Where in which BAR a mapping begins. bar is NCG_NO_BAR for what is none. */
#define NCG_NO_BAR 6

struct bar_place {
	__u32 bar;
	__u64 offset; /* bytes */
};

static __always_inline struct bar_place compat_bar_place(__u64 pgoff, __u32 page_shift)
{
	__u64 index = pgoff >> (NCG_VFIO_PCI_OFFSET_SHIFT - page_shift);
	__u64 mask = (1ULL << (NCG_VFIO_PCI_OFFSET_SHIFT - page_shift)) - 1;
	struct bar_place place = { .bar = index < NCG_NO_BAR ? index : NCG_NO_BAR };

	place.offset = (pgoff & mask) << page_shift;
	return place;
}

/*
 * Host-physical addresses of a BAR (0 to 5), the end inclusive; equal where there is
 * none. Unrolled: v6.8's verifier lets no variable be added to such a pointer.
 */
static __always_inline void pci_bar_range(struct pci_dev *pdev, __u32 bar, __u64 *ret_start,
					  __u64 *ret_end)
{
	*ret_start = *ret_end = 0;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < NCG_NO_BAR; i++) {
		struct resource *res = (void *)pdev +
				       bpf_core_field_offset(struct pci_dev, resource) +
				       i * bpf_core_type_size(struct resource);

		if (i != bar)
			continue;
		*ret_start = BPF_CORE_READ(res, start);
		*ret_end = BPF_CORE_READ(res, end);
	}
}

/*
 * The same, once vfio_pci_core_mmap() has succeeded. Up to v6.9 it leaves the
 * host-physical page in vm_pgoff; the commit that ended that (aac6db75a9fc
 * "vfio/pci: Use unmap_mapping_range()", v6.10) also took vma_list away, by which
 * the two are told apart. Can go with the last kernel before v6.10.
 */
struct vfio_pci_core_device___ncg {
	struct list_head vma_list;
} __attribute__((preserve_access_index));

static __always_inline struct bar_place compat_bar_mapped(struct pci_dev *pdev, __u64 pgoff,
							  __u32 page_shift)
{
	struct bar_place place = { .bar = NCG_NO_BAR };
	__u64 phys = pgoff << page_shift;

	if (!bpf_core_field_exists(struct vfio_pci_core_device___ncg, vma_list))
		return compat_bar_place(pgoff, page_shift);
#pragma clang loop unroll(full)
	for (__u32 bar = 0; bar < NCG_NO_BAR; bar++) {
		__u64 start, end;

		pci_bar_range(pdev, bar, &start, &end);
		if (phys >= start && phys <= end) {
			place.bar = bar;
			place.offset = phys - start;
		}
	}
	return place;
}

/*
 * VM_ALLOW_ANY_UNCACHED: bit 39 of vm_flags since v6.9 (8c47ce3e1d2c "KVM: arm64:
 * Set io memory s2 pte as normalnc for vfio pci device"). First a macro, later a
 * member of an enum without a name: BTF shows neither, so the number stands here
 * and the tests hold it against every supported kernel. Before v6.9 no kernel
 * sets the bit.
 */
#define NCG_VM_ALLOW_ANY_UNCACHED (1ULL << 39)

static __always_inline bool compat_vma_any_uncached(struct vm_area_struct *vma)
{
	return BPF_CORE_READ(vma, vm_flags) & NCG_VM_ALLOW_ANY_UNCACHED;
}

/*
 * KVM_PGTABLE_PROT_DEVICE and _NORMAL_NC moved by one bit when execute was split
 * by privilege (between v6.12 and v7.3). A constant from vmlinux.h would count
 * RAM as device memory; CO-RE puts the running kernel's value in. NORMAL_NC does
 * not exist before v6.9.
 */
enum kvm_pgtable_prot___ncg {
	KVM_PGTABLE_PROT_DEVICE___ncg = 8,
	KVM_PGTABLE_PROT_NORMAL_NC___ncg = 16,
};

static __always_inline bool compat_prot_device(__u64 prot)
{
	return prot & bpf_core_enum_value(enum kvm_pgtable_prot___ncg,
					  KVM_PGTABLE_PROT_DEVICE___ncg);
}

static __always_inline bool compat_prot_normal_nc(__u64 prot)
{
	if (!bpf_core_enum_value_exists(enum kvm_pgtable_prot___ncg,
					KVM_PGTABLE_PROT_NORMAL_NC___ncg))
		return false;
	return prot & bpf_core_enum_value(enum kvm_pgtable_prot___ncg,
					  KVM_PGTABLE_PROT_NORMAL_NC___ncg);
}

/*
 * Keeps other tasks off this CPU, for what one CPU has only once: needed in programs
 * of type LSM, which the kernel does not keep from running twice on one CPU. Not to
 * be had before v6.10 (fc7566ad0a82 "bpf: Introduce bpf_preempt_[disable,enable]
 * kfuncs"), where only a fully preemptible kernel (PREEMPT) would need it.
 */
static __always_inline void compat_preempt_disable(void)
{
	if (bpf_ksym_exists(bpf_preempt_disable))
		bpf_preempt_disable();
}

static __always_inline void compat_preempt_enable(void)
{
	if (bpf_ksym_exists(bpf_preempt_enable))
		bpf_preempt_enable();
}

/*
 * VTCR_EL2 moved from struct kvm_arch to struct kvm_s2_mmu in v6.8
 * (fe49fd940e22 "KVM: arm64: Move VTCR_EL2 into struct s2_mmu"). Can go with the
 * last kernel before that.
 */
struct kvm_arch___old {
	u64 vtcr;
} __attribute__((preserve_access_index));

static __always_inline __u64 compat_vtcr(struct kvm *kvm)
{
	struct kvm_arch___old *old = (void *)__builtin_preserve_access_index(&kvm->arch);

	if (bpf_core_field_exists(kvm->arch.mmu.vtcr))
		return BPF_CORE_READ(kvm, arch.mmu.vtcr);
	if (bpf_core_field_exists(old->vtcr))
		return BPF_CORE_READ(old, vtcr);
	return 0;
}

#endif
