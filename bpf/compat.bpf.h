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

#include "abi.h"

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

/*
 * The device of such a file. A program that is loaded before vfio is knows nothing of its
 * types: there both members are taken for the first of their structures, as they are from
 * v6.12 to v7.3 (drivers/vfio/vfio.h, include/linux/vfio.h). It is loaded anew once vfio
 * is there.
 */
static __always_inline struct device *compat_opened_device(void *private_data)
{
	struct vfio_device_file___ncg *opened = private_data;
	struct vfio_device___ncg *device = NULL;
	struct device *dev = NULL;

	if (bpf_core_field_exists(opened->device) && bpf_core_field_exists(device->dev))
		return BPF_CORE_READ(opened, device, dev);
	if (!bpf_probe_read_kernel(&device, sizeof(device), private_data))
		bpf_probe_read_kernel(&dev, sizeof(dev), device);
	return dev;
}

/*
 * The pci_dev around a device, to be read by plain loads like the argument of a
 * program; without the cast, which is there since v6.2 (a35b9af4ec2c "bpf: Add a
 * kfunc for generic type cast"), the verifier takes no pointer before a member.
 */
static __always_inline struct pci_dev *compat_pci_dev(struct device *dev)
{
	return bpf_core_cast((void *)dev - bpf_core_field_offset(struct pci_dev, dev),
			     struct pci_dev);
}

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
		__u64 start = pdev->resource[bar].start, end = pdev->resource[bar].end;

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
	return vma->vm_flags & NCG_VM_ALLOW_ANY_UNCACHED;
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

static __always_inline __u64 compat_prot_bit_normal_nc(void)
{
	return bpf_core_enum_value_exists(enum kvm_pgtable_prot___ncg,
					  KVM_PGTABLE_PROT_NORMAL_NC___ncg) ?
		       bpf_core_enum_value(enum kvm_pgtable_prot___ncg,
					   KVM_PGTABLE_PROT_NORMAL_NC___ncg) :
		       0;
}

static __always_inline bool compat_prot_normal_nc(__u64 prot)
{
	return prot & compat_prot_bit_normal_nc();
}

/* Device-nGnRE or Normal-NC. */
static __always_inline bool compat_prot_no_ram(__u64 prot)
{
	return prot & (bpf_core_enum_value(enum kvm_pgtable_prot___ncg,
					   KVM_PGTABLE_PROT_DEVICE___ncg) |
		       compat_prot_bit_normal_nc());
}

/*
 * What kvm_pgtable_stage2_map() returned, for a fexit program: it stands behind the
 * arguments. There are seven since v6.2, when the walk's flags became one (1577cb5823ce
 * "KVM: arm64: Handle stage-2 faults in parallel"); BTF does not let a program ask, so the
 * tests hold it against every supported kernel: with another number every map would count
 * as failed. The helper asks, and takes ten instructions more at each page fault of a
 * guest; its part can go with the last kernel before v6.2.
 */
enum kvm_pgtable_walk_flags___ncg {
	KVM_PGTABLE_WALK_SHARED___ncg = 8,
};

/* volatile: else the compiler moves ctx before it loads, which the verifier refuses. */
static __always_inline int compat_stage2_map_result(const volatile __u64 *ctx)
{
	__u64 result;

	if (bpf_core_enum_value_exists(enum kvm_pgtable_walk_flags___ncg,
				       KVM_PGTABLE_WALK_SHARED___ncg))
		return (int)ctx[7];
	return bpf_get_func_ret((void *)ctx, &result) ? -1 : (int)result;
}

/*
 * decide.h's part of a cgroup's name. The same on every kernel so far: ancestors[]
 * is there since v6.1, and of kernfs_node only `name` is read, which stayed a plain
 * pointer when it came under RCU and `parent` was renamed (v6.15, 741c10b096bc
 * "kernfs: Use RCU to access kernfs_node::name" and 633488947ef6 "... ::parent").
 * A cgroup of version 2 is never renamed or moved.
 */
static __always_inline long compat_cgroup_part(__u64 cgroup, __u32 level, __u32 from,
					       char *ret_part)
{
	struct cgroup *c = (void *)cgroup, *ancestor;
	long size;

	if (level > (__u32)BPF_CORE_READ(c, level))
		return -1;
	if (bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
				  (void *)cgroup + bpf_core_field_offset(struct cgroup, ancestors) +
				  level * sizeof(ancestor)))
		return -1;
	size = bpf_probe_read_kernel_str(ret_part, NCG_NAME_PART_LEN + 1,
					 BPF_CORE_READ(ancestor, kn, name) + from);
	return size > 0 ? size - 1 : -1;
}

/* As a number: pointer arithmetic would have the verifier tell every level apart. */
static __always_inline __u64 compat_cgroup_of(struct task_struct *task)
{
	__u64 cgroup = 0;

	bpf_probe_read_kernel(&cgroup, sizeof(cgroup), &task->cgroups->dfl_cgrp);
	return cgroup;
}

/*
 * VTCR_EL2 moved from struct kvm_arch to struct kvm_s2_mmu in v6.8
 * (fe49fd940e22 "KVM: arm64: Move VTCR_EL2 into struct s2_mmu"). Can go with the
 * last kernel before that.
 */
struct kvm_arch___old {
	u64 vtcr;
} __attribute__((preserve_access_index));

static __always_inline __u64 compat_vtcr(struct kvm *kvm, struct kvm_s2_mmu *mmu)
{
	struct kvm_arch___old *old = (void *)__builtin_preserve_access_index(&kvm->arch);

	if (bpf_core_field_exists(mmu->vtcr))
		return BPF_CORE_READ(mmu, vtcr);
	if (bpf_core_field_exists(old->vtcr))
		return BPF_CORE_READ(old, vtcr);
	return 0;
}

/*
 * The stage-2 tables that shadow a nested hypervisor's: since v6.11 (4f128f8e1aaa
 * "KVM: arm64: nv: Support multiple nested Stage-2 mmu structures") an array, which
 * became one of pointers later, in stable kernels as well.
 */
struct kvm_arch___nested {
	struct kvm_s2_mmu *nested_mmus;
	size_t nested_mmus_size;
} __attribute__((preserve_access_index));

struct kvm_arch___nested_pointers {
	struct kvm_s2_mmu **nested_mmus;
} __attribute__((preserve_access_index));

static __always_inline __u32 compat_nested_count(struct kvm *kvm)
{
	struct kvm_arch___nested *arch = (void *)__builtin_preserve_access_index(&kvm->arch);

	return bpf_core_field_exists(arch->nested_mmus) ? BPF_CORE_READ(arch, nested_mmus_size) : 0;
}

static __always_inline struct kvm_s2_mmu *compat_nested_mmu(struct kvm *kvm, __u32 i)
{
	struct kvm_arch___nested *arch = (void *)__builtin_preserve_access_index(&kvm->arch);
	struct kvm_s2_mmu *mmu = NULL, **pointers;

	if (!bpf_core_type_matches(struct kvm_arch___nested_pointers))
		return (void *)BPF_CORE_READ(arch, nested_mmus) +
		       i * bpf_core_type_size(struct kvm_s2_mmu);
	pointers = (void *)BPF_CORE_READ(arch, nested_mmus);
	bpf_probe_read_kernel(&mmu, sizeof(mmu), &pointers[i]);
	return mmu;
}

/*
 * Whether the hypervisor keeps a VM's tables (kvm-arm.mode=protected): its `enabled`
 * was renamed between v6.12 and v7.3, when tables of all VMs went there and KVM's
 * own pointer to them stayed empty.
 */
struct kvm_protected_vm___old {
	bool enabled;
} __attribute__((preserve_access_index));

struct kvm_protected_vm___new {
	bool is_protected;
} __attribute__((preserve_access_index));

struct kvm_arch___pkvm {
	struct kvm_protected_vm___new pkvm;
} __attribute__((preserve_access_index));

static __always_inline bool compat_hidden(struct kvm *kvm, __u64 pgt, __u64 pgd_phys)
{
	struct kvm_arch___pkvm *arch = (void *)__builtin_preserve_access_index(&kvm->arch);
	struct kvm_protected_vm___old *old;

	if (pgt && !pgd_phys)
		return true;
	if (!bpf_core_field_exists(arch->pkvm))
		return false;
	old = (void *)__builtin_preserve_access_index(&arch->pkvm);
	if (bpf_core_field_exists(old->enabled))
		return BPF_CORE_READ(old, enabled);
	if (bpf_core_field_exists(arch->pkvm.is_protected))
		return BPF_CORE_READ(arch, pkvm.is_protected);
	return false;
}

#endif
