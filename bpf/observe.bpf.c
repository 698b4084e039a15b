// SPDX-License-Identifier: GPL-2.0-only
/*
 * Observes what the driver and KVM did: each mmap of a vfio-pci BAR, each
 * stage-2 map by memory type, and the life of VMs. Decides nothing and changes
 * nothing; a missed observation is a lost event, which is counted.
 */
#include "event.bpf.h"
#include "use.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 page_shift = 12;

static __always_inline __u32 log2_of(__u64 power)
{
	__u32 log2 = 0;

	for (__u32 step = 32; step; step /= 2)
		if (power >> step) {
			power >>= step;
			log2 += step;
		}
	return log2;
}

/*
 * A device that came, or moved, since the daemon last looked: what its guest maps of it
 * is counted as its own from the first page on.
 */
static __always_inline void note_bar(const struct ncg_pci *pci)
{
	__u64 size = pci->bar_size, be = __builtin_bswap64(pci->bar_start), *known;
	__u64 id = NCG_BAR_ID(pci->domain, pci->bus, pci->devfn, pci->bar);
	struct ncg_bar_key key = { .prefix = 64 };

	__builtin_memcpy(key.address, &be, sizeof(be));
	known = bpf_map_lookup_elem(&bars, &key);
	if (!size || (size & (size - 1)) || (known && *known == id))
		return;
	key.prefix -= log2_of(size);
	bpf_map_update_elem(&bars, &key, &id, BPF_ANY);
}

SEC("fexit/vfio_pci_core_mmap")
int BPF_PROG(bar_mmap, struct vfio_device___ncg *core, struct vm_area_struct *vma, int ret)
{
	struct pci_dev *pdev = compat_pci_dev(core->dev);
	__u64 pgoff = vma->vm_pgoff;
	struct bar_place place = ret ? compat_bar_place(pgoff, page_shift) :
				       compat_bar_mapped(pdev, pgoff, page_shift);
	struct ncg_event_bar_mmap *event;
	struct ncg_pci pci;
	bool granted;

	if (place.bar == NCG_NO_BAR)
		return 0;
	granted = ret == 0 && compat_vma_any_uncached(vma);
	if (ret)
		count(NCG_CTR_BAR_MMAPS_FAILED);
	else if (granted)
		count(NCG_CTR_BAR_MMAPS_GRANTED);
	else
		count(NCG_CTR_BAR_MMAPS_WITHHELD);

	fill_pci(&pci, pdev, place.bar);
	if (!ret)
		note_bar(&pci);
	event = event_reserve(NCG_EVENT_BAR_MMAP, sizeof(*event));
	if (!event)
		return 0;
	fill_task(&event->task);
	event->pci = pci;
	event->offset = place.offset;
	event->length = vma->vm_end - vma->vm_start;
	event->result = ret;
	event->granted = granted;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline __u64 vm_id(__u64 kvm)
{
	__u64 *known = bpf_map_lookup_elem(&vm_ids, &kvm);
	__u64 id;

	if (known)
		return *known;
	/* A VM from before these programs were attached. */
	id = next_in_sequence(NCG_SEQUENCE_VM);
	bpf_map_update_elem(&vm_ids, &kvm, &id, BPF_NOEXIST);
	known = bpf_map_lookup_elem(&vm_ids, &kvm);
	return known ? *known : id;
}

static __always_inline __u64 where_is(__u64 phys)
{
	struct ncg_bar_key key = { .prefix = 64 };
	__u64 be = __builtin_bswap64(phys), *bar;

	__builtin_memcpy(key.address, &be, sizeof(be));
	bar = bpf_map_lookup_elem(&bars, &key);
	return bar ? *bar : NCG_BLOCK_ID(phys);
}

SEC("fexit/kvm_pgtable_stage2_map")
int BPF_PROG(stage2_map, struct kvm_pgtable *pgt, __u64 addr, __u64 size, __u64 phys, __u64 prot)
{
	struct ncg_event_stage2 map = { .ipa = addr, .phys = phys, .size = size };
	struct kvm_arch *arch;
	__u64 ret;

	/* By helper: how many arguments stand before it differs (6 before v6.2). */
	if (bpf_get_func_ret(ctx, &ret) || (int)ret) {
		count(NCG_CTR_STAGE2_MAP_FAILURES);
		return 0;
	}
	if (compat_prot_normal_nc(prot)) {
		count(NCG_CTR_STAGE2_MAPS_NORMAL_NC);
		map.memtype = NCG_MT_NORMAL_NC;
	} else if (compat_prot_device(prot)) {
		count(NCG_CTR_STAGE2_MAPS_DEVICE_nGnRE);
		map.memtype = NCG_MT_DEVICE_nGnRE;
	} else {
		count(NCG_CTR_STAGE2_MAPS_NORMAL_WB);
		return 0;
	}

	arch = BPF_CORE_READ(pgt, mmu, arch);
	map.vm = vm_id((__u64)arch - bpf_core_field_offset(struct kvm, arch));
	map.where = where_is(phys);
	use_report(&map);
	return 0;
}

SEC("fexit/kvm_arch_init_vm")
int BPF_PROG(vm_create, struct kvm *kvm, unsigned long type, int ret)
{
	__u64 k = (__u64)kvm, id;
	struct ncg_event_vm *event;

	if (ret)
		return 0;
	id = next_in_sequence(NCG_SEQUENCE_VM);
	bpf_map_update_elem(&vm_ids, &k, &id, BPF_ANY);
	count(NCG_CTR_VMS_CREATED);
	event = event_reserve(NCG_EVENT_VM_CREATE, sizeof(*event));
	if (!event)
		return 0;
	fill_task(&event->task);
	event->vm = id;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("fentry/kvm_arch_destroy_vm")
int BPF_PROG(vm_destroy, struct kvm *kvm)
{
	__u64 k = (__u64)kvm, id = vm_id(k);
	struct ncg_event_vm *event;

	bpf_map_delete_elem(&vm_ids, &k);
	count(NCG_CTR_VMS_DESTROYED);
	event = event_reserve(NCG_EVENT_VM_DESTROY, sizeof(*event));
	if (!event)
		return 0;
	fill_task(&event->task);
	event->vm = id;
	bpf_ringbuf_submit(event, 0);
	return 0;
}
