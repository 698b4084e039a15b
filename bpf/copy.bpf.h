/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies table pages for user space: the program behind the walk, apart from
 * what knows KVM, so that any kernel can run it. Needs abi.h, bpf_helpers.h and
 * bpf_core_read.h before it and no type of the kernel's.
 *
 * Its maps belong to the one who runs it; the program takes no lock and changes
 * nothing else. It fails by request: memory that is gone is -EFAULT, a table that
 * is no longer reached by the way it was found is -ESTALE, one whose root is gone
 * -ESRCH, and the others of the batch are served.
 */
#ifndef NCGATE_COPY_BPF_H
#define NCGATE_COPY_BPF_H

/* include/uapi/asm-generic/errno*.h; BTF has no macros, so vmlinux.h has none. */
#ifndef ESRCH
#define ESRCH 3
#endif
#ifndef EFAULT
#define EFAULT 14
#endif
#ifndef ESTALE
#define ESTALE 116
#endif

/* Bytes of one table page; set before loading, with the value size of `pages`. */
const volatile __u32 page_size = 4096;

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

/*
 * One entry; 0 where there is no memory. From v6.2 on (a35b9af4ec2c "bpf: Add a kfunc to
 * type cast from bpf uapi ctx to kernel ctx" and its sequel) memory can be read as if it
 * were some type of the kernel's; this one begins with a word and is in every kernel.
 * That takes eight instructions, since v6.10 and in older stable kernels most of them a
 * guard against addresses of user space ("bpf: verifier: prevent userspace memory
 * access"); the helper takes some seventy. A whole page is another matter: the guard
 * stands before each entry, and the helper's loop takes six for one.
 */
struct vm_event_state___ncg {
	unsigned long event[1];
};

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#define can_cast() \
	(bpf_ksym_exists(bpf_rdonly_cast) && bpf_core_type_exists(struct vm_event_state___ncg))

static __always_inline __u64 entry_at(__u64 address, _Bool cast)
{
	__u64 entry = 0;

	if (cast)
		return *(const volatile __u64 *)bpf_rdonly_cast(
			(const void *)address,
			bpf_core_type_id_kernel(struct vm_event_state___ncg));
	bpf_probe_read_kernel(&entry, sizeof(entry), (const void *)address);
	return entry;
}

/* Whether the table is still where the way to it led. */
static __always_inline int look_back(const struct ncg_walk_request *r, _Bool cast)
{
	__u32 steps = r->steps;

	for (__u32 step = 0; step < NCG_WALK_STEPS && step < steps; step++)
		if (entry_at(r->way[step].where, cast) != r->way[step].expect)
			return step ? -ESTALE : -ESRCH;
	return 0;
}

static long copy_one(__u32 i, void *ctx)
{
	struct ncg_walk_request *r = bpf_map_lookup_elem(&requests, &i);
	void *page = bpf_map_lookup_elem(&pages, &i);

	if (!r || !page)
		return 1;
	if (bpf_probe_read_kernel(page, page_size, (const void *)r->table)) {
		r->status = -EFAULT;
		return 0;
	}
	/*
	 * After the copy: looked at before, the way could not tell of a table freed
	 * meanwhile. The whole of it, for an entry in a freed table tells nothing.
	 */
	r->status = can_cast() ? look_back(r, 1) : look_back(r, 0);
	return 0;
}

/* Serves requests 0..count-1; the results are in `requests` and `pages`. */
SEC("syscall")
int copy_tables(struct ncg_walk_batch *batch)
{
	bpf_loop(batch->count, copy_one, (void *)0, 0);
	return 0;
}

#endif
