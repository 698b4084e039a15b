// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shares of the pinned maps, the daemon's half. Its numbers are in the kernel alone, so the
 * next daemon goes on with them.
 */
#include "shares.h"

#include <bpf/bpf.h>

#include "map_keys.h"

void ncg_shares_give(int shares_fd, enum ncg_shared map, __u64 where)
{
	struct ncg_share_key key = { .where = where, .map = map, .given = 1 };
	__u64 given = 0;

	if (shares_fd < 0)
		return;
	bpf_map_lookup_elem(shares_fd, &key, &given);
	given++;
	bpf_map_update_elem(shares_fd, &key, &given, BPF_ANY);
}

struct sum {
	enum ncg_shared map;
	long used;
};

static int add(void *arg, const void *key, const void *value)
{
	const struct ncg_share_key *share = key;
	const __u64 *count = value;
	struct sum *sum = arg;

	if (share->map == sum->map)
		sum->used += share->given ? -(long)*count : (long)*count;
	return 0;
}

long ncg_shares_used(int shares_fd, enum ncg_shared map)
{
	struct sum sum = { .map = map };
	long r = ncg_map_each(shares_fd, add, &sum);

	return r ? r : sum.used;
}
