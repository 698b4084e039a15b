// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the live VMs and their stage-2 tables for user space, which decodes
 * them. Programs of type syscall: nothing is attached, they run when the daemon
 * asks. They take no lock and change nothing; memory that is gone reads as
 * -EFAULT, a table that was freed meanwhile as -ESTALE.
 */
#include "compat.bpf.h"
#include "abi.h"
#include "copy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define EPERM 1
#define ENOENT 2

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NCG_VMS_MAX);
	__type(key, __u32);
	__type(value, struct ncg_vm);
} vms SEC(".maps");

/* The observing programs' ids, by struct kvm; the daemon's pinned map, if it has one. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} vm_ids SEC(".maps");

/* Tables written to `vms` so far, and whether there were more than it holds. */
__u32 listed;
__u32 truncated; /* no bool: the verifier does not know that it is 0 or 1 */

/*
 * Kernel addresses that the programs look for; 0 where the kernel does not tell
 * them. Looked up in the kernel: libbpf would read all of /proc/kallsyms for it.
 */

/* KVM's list of all VMs. Data: not told without CONFIG_KALLSYMS_ALL (Debian 6.1). */
__u64 vm_list;
/* What the files of VMs and of vCPUs are known by. */
__u64 kvm_vm_release;
__u64 kvm_vcpu_release;

/*
 * HCR_EL2 of the first vCPU; 0 before its first run: until then KVM may still be putting it
 * together, and there is nothing in the tables that it would be needed for. The xarray's head is the entry itself while there
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
	return BPF_CORE_READ(vcpu, pid) ? BPF_CORE_READ(vcpu, arch.hcr_el2) : 0;
}

/*
 * Whether a set of tables is still the one that was described, and in use: asked after all
 * the rest was read, so what was read is whole. A struct kvm is used again as soon as it is
 * free, and the memory of one VM with the tables of another would make a way to anywhere.
 * A VM whose process has let go of its memory cannot run any more, and its tables go with
 * the memory while it stays on the list until its last descriptor is closed.
 */
static __always_inline bool still_there(struct kvm *kvm, struct kvm_s2_mmu *mmu,
					struct task_struct *owner, struct kvm_pgtable *pgt,
					const struct ncg_vm *vm)
{
	__u64 k_kvm = (__u64)kvm, *id = bpf_map_lookup_elem(&vm_ids, &k_kvm);

	return owner && BPF_CORE_READ(kvm, mm, owner) == owner &&
	       BPF_CORE_READ(kvm, mm, mm_users.counter) > 0 && BPF_CORE_READ(mmu, pgt) == pgt &&
	       BPF_CORE_READ(mmu, pgd_phys) == vm->pgd_phys && (id ? *id : 0) == vm->id;
}

/*
 * Describes one set of tables in the next element of `vms`; false when none is left. One
 * that is no more when it has been read is passed over.
 */
static __always_inline bool describe_mmu(struct kvm *kvm, struct kvm_s2_mmu *mmu, __u32 nested)
{
	__u32 slot = listed;
	struct ncg_vm *vm = bpf_map_lookup_elem(&vms, &slot);
	__u64 k_kvm = (__u64)kvm, *id = bpf_map_lookup_elem(&vm_ids, &k_kvm);
	struct task_struct *owner;
	struct kvm_pgtable *pgt;

	if (!vm) {
		truncated = 1;
		return false;
	}
	pgt = BPF_CORE_READ(mmu, pgt);
	owner = BPF_CORE_READ(kvm, mm, owner);

	vm->k_kvm = k_kvm;
	vm->k_root = (__u64)mmu + bpf_core_field_offset(struct kvm_s2_mmu, pgd_phys);
	vm->pgd_phys = BPF_CORE_READ(mmu, pgd_phys);
	vm->hidden = compat_hidden(kvm, (__u64)pgt, vm->pgd_phys);
	vm->linear_offset = pgt ? (__u64)BPF_CORE_READ(pgt, pgd) - vm->pgd_phys : 0;
	vm->vtcr = compat_vtcr(kvm, mmu);
	vm->hcr = first_vcpu_hcr(kvm);
	vm->id = id ? *id : 0;
	vm->ia_bits = pgt ? BPF_CORE_READ(pgt, ia_bits) : 0;
	/* u32 before v6.6, s8 since: the bitfield reader follows the size. */
	vm->start_level = pgt ? (__s32)BPF_CORE_READ_BITFIELD_PROBED(pgt, start_level) : 0;
	vm->pid = BPF_CORE_READ(owner, tgid);
	vm->vcpus = BPF_CORE_READ(kvm, online_vcpus.counter);
	vm->start_boot_ns = BPF_CORE_READ(owner, group_leader, start_boottime);
	vm->nested = nested;
	if (still_there(kvm, mmu, owner, pgt, vm))
		listed = slot + 1;
	return true;
}

static long describe_nested(__u32 i, void *ctx)
{
	struct kvm **kvm = ctx;
	struct kvm_s2_mmu *mmu = compat_nested_mmu(*kvm, i);

	/* Made with the vCPUs, most of them never used. */
	if (!mmu || !BPF_CORE_READ(mmu, pgd_phys))
		return 0;
	return !describe_mmu(*kvm, mmu, i + 1);
}

static __always_inline bool describe(struct kvm *kvm)
{
	__u32 nested = compat_nested_count(kvm);

	if (!describe_mmu(kvm, __builtin_preserve_access_index(&kvm->arch.mmu), 0))
		return false;
	if (nested)
		bpf_loop(nested < NCG_VMS_MAX ? nested : NCG_VMS_MAX, describe_nested, &kvm, 0);
	return !truncated;
}

static long list_one(__u32 i, void *ctx)
{
	struct list_head **next = ctx, *node = *next;

	if (!node || (__u64)node == vm_list)
		return 1;
	*next = BPF_CORE_READ(node, next);
	return !describe((void *)node - bpf_core_field_offset(struct kvm, vm_list));
}

/*
 * Finds the addresses. 0; -EPERM where the kernel keeps them from this process
 * (CAP_SYSLOG); -ENOENT where there is no way to find VMs.
 */
SEC("syscall")
int find_symbols(void *ctx)
{
	static const char list[] = "vm_list", vm[] = "kvm_vm_release",
			  vcpu[] = "kvm_vcpu_release";
	long r = bpf_kallsyms_lookup_name(list, sizeof(list), 0, &vm_list);

	if (r == -EPERM)
		return -EPERM;
	if (!r)
		return 0;
	vm_list = 0;
	if (bpf_kallsyms_lookup_name(vm, sizeof(vm), 0, &kvm_vm_release) ||
	    bpf_kallsyms_lookup_name(vcpu, sizeof(vcpu), 0, &kvm_vcpu_release))
		return -ENOENT;
	return 0;
}

/* Describes every VM on KVM's list, newest first. -ENOENT: use find_vms. */
SEC("syscall")
int list_vms(void *ctx)
{
	const struct list_head *head = (const void *)vm_list;
	struct list_head *next = NULL;

	listed = 0;
	truncated = 0;
	if (!head)
		return -ENOENT;
	bpf_probe_read_kernel(&next, sizeof(next), &head->next);
	bpf_loop(NCG_VMS_MAX + 1, list_one, &next, 0);
	return 0;
}

/*
 * Describes the VM behind each file of each process, one VM as often as it has
 * files: its own and its vCPUs', for the VM's may be closed before them.
 */
SEC("iter/task_file")
int find_vms(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	__u64 release;
	struct kvm *kvm;

	if (!file || !kvm_vm_release)
		return 0;
	release = (__u64)BPF_CORE_READ(file, f_op, release);
	if (release == kvm_vm_release) {
		kvm = BPF_CORE_READ(file, private_data);
	} else if (release == kvm_vcpu_release) {
		struct kvm_vcpu *vcpu = BPF_CORE_READ(file, private_data);

		kvm = BPF_CORE_READ(vcpu, kvm);
	} else {
		return 0;
	}
	if (kvm)
		describe(kvm);
	return 0;
}
