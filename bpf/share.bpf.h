/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many entries of a map are somebody's: each BAR, and each GiB of what is no BAR, has
 * a share of `decided`, `uses` and `regions`. Who maps one BAR again and again (by many
 * processes, many VMs, many small mappings) comes to the end of its own share and takes
 * nothing of the others'. The programs count what they take, the daemon what it gives
 * back; each writes its own number alone. Owns the taken numbers in `shares`.
 *
 * What has no room is counted and left out. Between two CPUs a share may grow by one too
 * many.
 */
#ifndef NCGATE_SHARE_BPF_H
#define NCGATE_SHARE_BPF_H

#include "event.bpf.h"

/* The kernel's error numbers, which vmlinux.h does not have. */
#define NCG_E2BIG 7
#define NCG_EEXIST 17

static __always_inline __u64 *share_taken(const struct ncg_share_key *key)
{
	static const __u64 none;
	__u64 *taken = bpf_map_lookup_elem(&shares, key);

	if (taken)
		return taken;
	bpf_map_update_elem(&shares, key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&shares, key);
}

/*
 * Adds an entry that is not there to a map: 0, or -errno, counted under `full`. where: as in
 * struct ncg_use_key.
 */
static __always_inline long share_add(enum ncg_shared map_id, void *map, __u64 where,
				      const void *key, const void *value, __u32 full)
{
	struct ncg_share_key share = { .where = where, .map = map_id, .given = 1 };
	__u64 *given = bpf_map_lookup_elem(&shares, &share), *taken;
	long error = -NCG_E2BIG;

	share.given = 0;
	taken = share_taken(&share);
	if (taken && (__s64)(*taken - (given ? *given : 0)) < NCG_SHARE_MAX(map_id)) {
		__sync_fetch_and_add(taken, 1);
		error = bpf_map_update_elem(map, key, value, BPF_NOEXIST);
		if (error)
			__sync_fetch_and_add(taken, -1);
	}
	/* Another CPU may have added it: then it is there. */
	if (error && error != -NCG_EEXIST)
		count(full);
	return error;
}

#endif
