/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies table pages for user space: the program behind the walk, apart from
 * what knows KVM, so that any kernel can run it. Needs abi.h and bpf_helpers.h
 * before it and no type of the kernel's.
 *
 * Its maps belong to the one who runs it; the program takes no lock and changes
 * nothing else. It fails by request: memory that is gone is -EFAULT, a table whose
 * entry changed is -ESTALE, and the others of the batch are served.
 */
#ifndef NCGATE_COPY_BPF_H
#define NCGATE_COPY_BPF_H

/* include/uapi/asm-generic/errno.h; BTF has no macros, so vmlinux.h has none. */
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
	/* After the copy: read before, it could not tell of a table freed meanwhile. */
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
	bpf_loop(batch->count, copy_one, (void *)0, 0);
	return 0;
}

#endif
