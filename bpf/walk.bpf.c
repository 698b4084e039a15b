// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the live VMs and their stage-2 tables for user space, which decodes
 * them. Programs of type syscall: nothing is attached, they run when the daemon
 * asks. They take no lock and change nothing; memory that is gone reads as
 * -EFAULT, a table that was freed meanwhile as -ESTALE.
 */
#include "compat.bpf.h"
#include "abi.h"

char LICENSE[] SEC("license") = "GPL";

#define EFAULT 14
#define ESTALE 116

/* Bytes of one table page; set before loading, with the value size of `pages`. */
const volatile __u32 page_size = 4096;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NCG_VMS_MAX);
	__type(key, __u32);
	__type(value, struct ncg_vm);
} vms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NCG_WALK_BATCH);
	__type(key, __u32);
	__type(value, struct ncg_walk_request);
} requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NCG_WALK_BATCH);
	__uint(key_size, 4);
	__uint(value_size, 4096);
} pages SEC(".maps");

/* KVM's list of all VMs; a data symbol, found through kallsyms. */
extern const void vm_list __ksym;

/*
 * HCR_EL2 of the first vCPU. The xarray's head is the entry itself while there
 * is only index 0, else a node (lowest two bits 10), whose slot 0 leads on.
 */
static __always_inline __u64 first_vcpu_hcr(struct kvm *kvm)
{
	unsigned long entry = (unsigned long)BPF_CORE_READ(kvm, vcpu_array.xa_head);
	struct kvm_vcpu *vcpu;

	for (int i = 0; i < 4 && (entry & 3) == 2; i++) {
		struct xa_node *node = (void *)(entry - 2);

		entry = (unsigned long)BPF_CORE_READ(node, slots[0]);
	}
	if (!entry || (entry & 3))
		return 0;
	vcpu = (void *)entry;
	return BPF_CORE_READ(vcpu, arch.hcr_el2);
}

struct list_state {
	struct list_head *next;
	struct ncg_vms_request *request;
};

static long list_one(__u32 i, void *ctx)
{
	struct list_state *state = ctx;
	struct list_head *node = state->next;
	struct kvm_pgtable *pgt;
	struct task_struct *owner;
	struct ncg_vm *vm;
	struct kvm *kvm;
	__u32 slot;

	if (!node || (const void *)node == &vm_list)
		return 1;
	state->next = BPF_CORE_READ(node, next);
	kvm = (void *)node - bpf_core_field_offset(struct kvm, vm_list);

	slot = state->request->count;
	vm = bpf_map_lookup_elem(&vms, &slot);
	if (!vm) {
		state->request->truncated = 1;
		return 1;
	}
	pgt = BPF_CORE_READ(kvm, arch.mmu.pgt);
	owner = BPF_CORE_READ(kvm, mm, owner);

	vm->k_kvm = (__u64)kvm;
	vm->pgd_phys = BPF_CORE_READ(kvm, arch.mmu.pgd_phys);
	vm->linear_offset = pgt ? (__u64)BPF_CORE_READ(pgt, pgd) - vm->pgd_phys : 0;
	vm->vtcr = compat_vtcr(kvm);
	vm->hcr = first_vcpu_hcr(kvm);
	vm->ia_bits = pgt ? BPF_CORE_READ(pgt, ia_bits) : 0;
	/* u32 before v6.6, s8 since: the bitfield reader follows the size. */
	vm->start_level = pgt ? (__s32)BPF_CORE_READ_BITFIELD_PROBED(pgt, start_level) : 0;
	vm->pid = owner ? BPF_CORE_READ(owner, tgid) : BPF_CORE_READ(kvm, userspace_pid);
	vm->vcpus = BPF_CORE_READ(kvm, online_vcpus.counter);
	vm->start_boot_ns = owner ? BPF_CORE_READ(owner, group_leader, start_boottime) : 0;
	state->request->count = slot + 1;
	return 0;
}

/* Writes one element of `vms` for each VM on KVM's list, newest first. */
SEC("syscall")
int list_vms(struct ncg_vms_request *request)
{
	const struct list_head *head = (const void *)&vm_list;
	struct ncg_vms_request result = {};
	struct list_state state = { .request = &result };

	bpf_probe_read_kernel(&state.next, sizeof(state.next), &head->next);
	bpf_loop(NCG_VMS_MAX + 1, list_one, &state, 0);
	request->count = result.count;
	request->truncated = result.truncated;
	return 0;
}

static long copy_one(__u32 i, void *ctx)
{
	struct ncg_walk_request *r = bpf_map_lookup_elem(&requests, &i);
	void *page = bpf_map_lookup_elem(&pages, &i);
	__u64 entry;

	if (!r || !page)
		return 1;
	r->status = 0;
	if (bpf_probe_read_kernel(page, page_size, (const void *)r->table)) {
		r->status = -EFAULT;
		return 0;
	}
	if (!r->parent)
		return 0;
	if (bpf_probe_read_kernel(&entry, sizeof(entry), (const void *)r->parent))
		r->status = -EFAULT;
	else if (entry != r->expect)
		r->status = -ESTALE;
	return 0;
}

/* Serves requests 0..count-1; the results are in `requests` and `pages`. */
SEC("syscall")
int copy_tables(struct ncg_walk_batch *batch)
{
	bpf_loop(batch->count, copy_one, NULL, 0);
	return 0;
}
