/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds memory that a driver shows as a BAR of its device where PCI knows no BAR: by the
 * mapping of the VMM's through which a guest has it. Adds to the map `regions`, which the
 * daemon reads and tidies; owns `opened` and `opened_rings`, takes no lock. What cannot be read is no
 * such memory.
 */
#ifndef NCGATE_REGION_BPF_H
#define NCGATE_REGION_BPF_H

#include "event.bpf.h"
#include "share.bpf.h"

/* A device of vfio: as a region without a place. */
static __always_inline void region_device(struct pci_dev *pdev, struct ncg_region *ret_device)
{
	*ret_device = (struct ncg_region){ .where = pci_bar_id(pdev, 0) };
	bpf_probe_read_kernel_str(ret_device->driver, sizeof(ret_device->driver),
				  BPF_CORE_READ(pdev, dev.driver, name));
}

static __always_inline struct ncg_opened_key region_file(struct vm_area_struct *vma)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);

	return (struct ncg_opened_key){
		.k_file = (__u64)file,
		.k_operations = (__u64)BPF_CORE_READ(file, f_op),
	};
}

/* One of another BAR makes room: there is one BAR at an address, and each has its share. */
static __always_inline void region_replace(const struct ncg_region *known, __u64 phys,
					   const struct ncg_region *region)
{
	struct ncg_share_key share = { .map = NCG_SHARED_REGIONS };
	__u64 *taken;

	if (known) {
		share.where = known->where;
		taken = bpf_map_lookup_elem(&shares, &share);
		if (!bpf_map_delete_elem(&regions, &phys) && taken)
			__sync_fetch_and_add(taken, -1);
	}
	share_add(NCG_SHARED_REGIONS, &regions, region->where, &phys, region,
		  NCG_CTR_FULL_REGIONS);
}

/* A file whose address another device's file has by now is that one's to forget. */
static __always_inline void region_forget_file(const struct ncg_opened_key *file, __u64 where)
{
	struct ncg_opened_key key = *file;
	struct ncg_region *known = bpf_map_lookup_elem(&opened, &key);

	if (known && known->where == where)
		bpf_map_delete_elem(&opened, &key);
}

/* Notes whose an open file is, in place of the device's oldest once it has too many. */
static __always_inline void region_note_file(const struct ncg_opened_key *file,
					     const struct ncg_region *device)
{
	static const struct ncg_opened_ring none;
	struct ncg_region *known = bpf_map_lookup_elem(&opened, file);
	struct ncg_opened_ring *ring;
	__u64 slot;

	if (known && known->where == device->where)
		return;
	ring = bpf_map_lookup_elem(&opened_rings, &device->where);
	if (!ring) {
		bpf_map_update_elem(&opened_rings, &device->where, &none, BPF_NOEXIST);
		ring = bpf_map_lookup_elem(&opened_rings, &device->where);
	}
	if (!ring) {
		count(NCG_CTR_FULL_OPENED);
		return;
	}
	slot = __sync_fetch_and_add(&ring->next, 1) & (NCG_OPENED_PER_DEVICE - 1);
	region_forget_file(&ring->files[slot], device->where);
	ring->files[slot] = *file;
	if (bpf_map_update_elem(&opened, file, device, BPF_ANY))
		count(NCG_CTR_FULL_OPENED);
}

/* size bytes from host-physical phys on are shown as a BAR of the device by its driver. */
static __always_inline void region_note(const struct ncg_region *device, __u32 bar, __u64 phys,
					__u64 size)
{
	struct ncg_region region = *device, *known = bpf_map_lookup_elem(&regions, &phys);

	region.where |= bar;
	region.size = size;
	if (known && known->where == region.where && known->size >= size)
		return;
	if (known && known->where == region.where)
		bpf_map_update_elem(&regions, &phys, &region, BPF_EXIST);
	else
		region_replace(known, phys, &region);
}

/* A level of the tree for each doubling of the number of slots, at most 32767. */
#define NCG_MEMSLOT_DEPTH 32

/*
 * The address in the VMM's address space of a guest-physical one; 0 where the VM has no
 * memory there. By the tree that KVM looks slots up in since v5.17 (a54d806688fe "KVM:
 * Keep memslots in tree-based structures instead of array-based ones"); for arm64 there
 * is one address space. The caller has the VM held, or takes what is read for a guess.
 */
static __always_inline __u64 region_hva(struct kvm *kvm, __u64 ipa, __u32 page_shift)
{
	struct kvm_memslots *slots = BPF_CORE_READ(kvm, memslots[0]);
	struct rb_node *node = BPF_CORE_READ(slots, gfn_tree.rb_node);
	__u32 index = BPF_CORE_READ(slots, node_idx) & 1;
	__u64 gfn = ipa >> page_shift, base;

	for (int i = 0; i < NCG_MEMSLOT_DEPTH && node; i++) {
		struct kvm_memory_slot *slot =
			(void *)node - bpf_core_field_offset(struct kvm_memory_slot, gfn_node) -
			index * bpf_core_type_size(struct rb_node);

		base = BPF_CORE_READ(slot, base_gfn);
		if (gfn < base)
			node = BPF_CORE_READ(node, rb_left);
		else if (gfn - base >= BPF_CORE_READ(slot, npages))
			node = BPF_CORE_READ(node, rb_right);
		else
			return BPF_CORE_READ(slot, userspace_addr) + (ipa - (base << page_shift));
	}
	return 0;
}

/*
 * Which BAR of a device a mapping of its file is that has host-physical phys at hva, noted
 * as a whole; NCG_NO_WHERE when it is none, or does not tell: where a driver leaves the
 * page frame in vm_pgoff (nvgrace-gpu of v6.12), only who saw the mmap could note it.
 */
#define NCG_NO_WHERE (~0ULL)

static __always_inline __u64 region_of_vma(struct vm_area_struct *vma,
					   const struct ncg_region *device, __u64 hva, __u64 phys,
					   __u32 page_shift)
{
	__u64 start = BPF_CORE_READ(vma, vm_start), pgoff = BPF_CORE_READ(vma, vm_pgoff);
	__u64 first = phys - (hva - start);
	struct ncg_region *known;
	struct bar_place place;

	if (pgoff << page_shift == first) {
		known = bpf_map_lookup_elem(&regions, &first);
		return known ? known->where : NCG_NO_WHERE;
	}
	place = compat_bar_place(pgoff, page_shift);
	if (place.bar == NCG_NO_BAR)
		return NCG_NO_WHERE;
	region_note(device, place.bar, first, BPF_CORE_READ(vma, vm_end) - start);
	return device->where | place.bar;
}

#endif
