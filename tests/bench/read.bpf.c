// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ncgate's walk is held against: a program that copies pages by address, one after
 * the other, and does nothing else. Its maps go with it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "read.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 page_size = 4096;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, READ_BATCH);
	__type(key, __u32);
	__type(value, __u64);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, READ_BATCH);
	__uint(key_size, 4);
	__uint(value_size, 4096);
} copies SEC(".maps");

static long read_one(__u32 i, void *ctx)
{
	__u64 *address = bpf_map_lookup_elem(&addresses, &i);
	void *copy = bpf_map_lookup_elem(&copies, &i);

	if (!address || !copy)
		return 1;
	bpf_probe_read_kernel(copy, page_size, (const void *)*address);
	return 0;
}

SEC("syscall")
int read_pages(struct read_batch *batch)
{
	bpf_loop(batch->count, read_one, (void *)0, 0);
	return 0;
}
