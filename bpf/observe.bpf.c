// SPDX-License-Identifier: GPL-2.0-only
/*
 * Observes what the driver and KVM did: each mmap of a vfio-pci BAR, each
 * stage-2 map by memory type, and the life of VMs. Decides nothing and changes
 * nothing; a missed observation is a lost event, which is counted.
 */
#include "event.bpf.h"
#include "region.bpf.h"
#include "use.bpf.h"
#include "vfio.bpf.h"

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
	if (bpf_map_update_elem(&bars, &key, &id, BPF_ANY))
		count(NCG_CTR_FULL_BARS);
}

/*
 * Whose file it is; and where it is, of a driver that maps other memory than the BAR that
 * PCI knows and leaves its page frame in vm_pgoff, as v6.8's vfio-pci-core does of a BAR.
 */
static __always_inline void note_region(struct pci_dev *pdev, const struct ncg_pci *pci,
					const struct bar_place *asked, struct vm_area_struct *vma)
{
	struct bar_place found = compat_bar_place(vma->vm_pgoff, page_shift);
	struct ncg_opened_key file = region_file(vma);
	__u64 phys = vma->vm_pgoff << page_shift;
	struct ncg_region device;

	region_device(pdev, &device);
	region_note_file(&file, &device);
	if ((found.bar == asked->bar && found.offset == asked->offset) ||
	    phys - pci->bar_start < pci->bar_size)
		return;
	region_note(&device, pci->bar, phys, vma->vm_end - vma->vm_start);
}

/* Of vfio, not of a driver: those that map a BAR in their own way come by here as well. */
SEC("fexit/vfio_device_fops_mmap")
int BPF_PROG(bar_mmap, struct file *file, struct vm_area_struct *vma, int ret)
{
	struct pci_dev *pdev = vfio_opened_device(file);
	struct ncg_event_bar_mmap *event;
	struct bar_place place;
	struct ncg_pci pci;
	bool granted, asked;

	if (!pdev)
		return 0;
	asked = vfio_mapped_place(pdev, vma, ret, page_shift, &place);
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
	if (!ret && asked)
		note_region(pdev, &pci, &place, vma);
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
	if (!known)
		count(NCG_CTR_FULL_VM_IDS);
	return known ? *known : id;
}

struct region_search {
	__u64 hva, phys;
	__u64 where;
};

static long search_vma(struct task_struct *task, struct vm_area_struct *vma, void *ctx)
{
	struct ncg_opened_key file = region_file(vma);
	struct ncg_region *device = bpf_map_lookup_elem(&opened, &file);
	struct region_search *search = ctx;

	if (device)
		search->where = region_of_vma(vma, device, search->hva, search->phys, page_shift);
	return 0;
}

/*
 * By the daemon's table; what is not in it, by the mapping of the VMM, whose thread this
 * is. That can fail where somebody has the address space's lock; the next map finds it.
 */
static __always_inline __u64 where_is(struct kvm *kvm, struct kvm_s2_mmu *mmu, __u64 phys,
				      __u64 ipa)
{
	struct region_search search = { .phys = phys, .where = NCG_NO_WHERE };
	struct ncg_bar_key key = { .prefix = 64 };
	__u64 be = __builtin_bswap64(phys), *bar;

	__builtin_memcpy(key.address, &be, sizeof(be));
	bar = bpf_map_lookup_elem(&bars, &key);
	if (bar)
		return *bar;
	/* What a hypervisor within the guest maps, the guest has mapped before. */
	if (mmu != __builtin_preserve_access_index(&kvm->arch.mmu))
		return NCG_BLOCK_ID(phys);
	search.hva = region_hva(kvm, ipa, page_shift);
	if (search.hva)
		bpf_find_vma(bpf_get_current_task_btf(), search.hva, search_vma, &search, 0);
	return search.where == NCG_NO_WHERE ? NCG_BLOCK_ID(phys) : search.where;
}

/* Arguments of kvm_pgtable_stage2_map(). */
enum { STAGE2_MAP_PGT, STAGE2_MAP_ADDR, STAGE2_MAP_SIZE, STAGE2_MAP_PHYS, STAGE2_MAP_PROT };

/* Apart, so that the map of RAM neither saves registers nor clears memory for it. */
static __noinline int map_of_device(__u64 *ctx)
{
	struct ncg_event_stage2 map = {
		.ipa = ctx[STAGE2_MAP_ADDR],
		.phys = ctx[STAGE2_MAP_PHYS],
		.size = ctx[STAGE2_MAP_SIZE],
	};
	struct kvm_pgtable *pgt = (void *)ctx[STAGE2_MAP_PGT];
	struct kvm_arch *arch;
	struct kvm_s2_mmu *mmu;
	struct kvm *kvm;

	if (compat_prot_normal_nc(ctx[STAGE2_MAP_PROT])) {
		count(NCG_CTR_STAGE2_MAPS_NORMAL_NC);
		map.memtype = NCG_MT_NORMAL_NC;
	} else {
		count(NCG_CTR_STAGE2_MAPS_DEVICE_nGnRE);
		map.memtype = NCG_MT_DEVICE_nGnRE;
	}
	mmu = BPF_CORE_READ(pgt, mmu);
	arch = BPF_CORE_READ(mmu, arch);
	kvm = (void *)arch - bpf_core_field_offset(struct kvm, arch);
	map.vm = vm_id((__u64)kvm);
	map.where = where_is(kvm, mmu, map.phys, map.ipa);
	use_report(&map);
	return 0;
}

/*
 * Runs at every page fault of every guest, and nearly all of them map RAM: that way is
 * short (docs/performance.md counts it). Arguments are read where they are needed.
 */
SEC("fexit/kvm_pgtable_stage2_map")
int stage2_map(__u64 *ctx)
{
	if (compat_stage2_map_result(ctx)) {
		count(NCG_CTR_STAGE2_MAP_FAILURES);
		return 0;
	}
	if (!compat_prot_no_ram(ctx[STAGE2_MAP_PROT])) {
		count(NCG_CTR_STAGE2_MAPS_NORMAL_WB);
		return 0;
	}
	return map_of_device(ctx);
}

SEC("fexit/kvm_arch_init_vm")
int BPF_PROG(vm_create, struct kvm *kvm, unsigned long type, int ret)
{
	__u64 k = (__u64)kvm, id;
	struct ncg_event_vm *event;

	if (ret)
		return 0;
	id = next_in_sequence(NCG_SEQUENCE_VM);
	if (bpf_map_update_elem(&vm_ids, &k, &id, BPF_ANY))
		count(NCG_CTR_FULL_VM_IDS);
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
