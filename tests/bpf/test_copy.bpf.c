// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk's copy program as it is, and what the test needs to aim it: pages and
 * entries of its own, whose kernel addresses it tells. State: its maps, which go
 * with the test.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "abi.h"
#include "copy.bpf.h"

/* What stands for table pages; the value size follows page_size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NCG_WALK_BATCH);
	__uint(key_size, 4);
	__uint(value_size, 4096);
} tables SEC(".maps");

/* What stands for the entries that point to them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NCG_WALK_BATCH);
	__type(key, __u32);
	__type(value, __u64);
} entries SEC(".maps");

struct test_copy_where {
	__u32 index;
	__u32 zero;
	__u64 table; /* out: addresses of the three elements of that index */
	__u64 entry;
	__u64 page;
};

SEC("syscall")
int where_is(struct test_copy_where *where)
{
	__u32 index = where->index;

	where->table = (__u64)bpf_map_lookup_elem(&tables, &index);
	where->entry = (__u64)bpf_map_lookup_elem(&entries, &index);
	where->page = (__u64)bpf_map_lookup_elem(&pages, &index);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
