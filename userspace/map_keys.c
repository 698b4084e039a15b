// SPDX-License-Identifier: GPL-2.0-only
/* Batched look-ups. Keeps no state; an error of the kernel's is the caller's. */
#include "map_keys.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "cleanup.h"

/* The kernel copies whole buckets; none has nearly as many entries as this. */
#define AT_ONCE 4096

long ncg_map_each(int fd, int (*each)(void *arg, const void *key, const void *value), void *arg)
{
	ncg_autofree char *keys = NULL, *values = NULL;
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), position = 0;
	__u32 *from = NULL;

	if (bpf_map_get_info_by_fd(fd, &info, &size))
		return -errno;
	keys = calloc(AT_ONCE, info.key_size);
	values = calloc(AT_ONCE, info.value_size);
	if (!keys || !values)
		return -ENOMEM;
	for (;;) {
		__u32 count = AT_ONCE;
		int end = bpf_map_lookup_batch(fd, from, &position, keys, values, &count, NULL);

		if (end && errno != ENOENT)
			return -errno;
		for (__u32 i = 0; i < count; i++) {
			long r = each(arg, keys + i * info.key_size,
				      values + i * info.value_size);

			if (r)
				return r;
		}
		if (end)
			return 0;
		from = &position;
	}
}

static int count_one(void *arg, const void *key, const void *value)
{
	(void)key;
	(void)value;
	++*(long *)arg;
	return 0;
}

long ncg_map_count(int fd)
{
	long count = 0, r = ncg_map_each(fd, count_one, &count);

	return r ? r : count;
}

long ncg_map_max(int fd)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return bpf_map_get_info_by_fd(fd, &info, &size) ? -errno : (long)info.max_entries;
}
