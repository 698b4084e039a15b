// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes of the pinned maps. Keeps no state; a host that cannot be looked at gets the least.
 */
#include "map_sizes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "abi.h"
#include "cleanup.h"
#include "map_keys.h"

struct ncg_map_needs ncg_map_needs_of(const struct ncg_devices *devices)
{
	struct ncg_map_needs needs = { .devices = devices->count, .bars = devices->ranges_count };

	for (size_t i = 0; i < devices->ranges_count; i++) {
		__u64 start = devices->ranges[i].start;
		__u64 left = devices->ranges[i].end - start + 1, part;

		for (; left; start += part, left -= part) {
			part = ncg_device_block(start, left);
			needs.prefixes++;
		}
	}
	return needs;
}

static __u32 at_least(__u32 least, size_t wanted)
{
	if (wanted > NCG_MAP_ENTRIES_MAX)
		wanted = NCG_MAP_ENTRIES_MAX;
	return wanted > least ? wanted : least;
}

__u32 ncg_map_size(const char *name, const struct ncg_map_needs *needs)
{
	if (!strcmp(name, "bars"))
		return at_least(NCG_BARS_MIN, 2 * needs->prefixes);
	if (!strcmp(name, "opened"))
		return at_least(NCG_DEVICES_MIN * NCG_OPENED_PER_DEVICE,
				2 * needs->devices * NCG_OPENED_PER_DEVICE);
	if (!strcmp(name, "opened_rings"))
		return at_least(NCG_DEVICES_MIN, 2 * needs->devices);
	/* Each place has two numbers for each map. */
	if (!strcmp(name, "shares"))
		return at_least(NCG_SHARES_MIN, 2 * needs->bars * 2 * NCG_SHARED_NR);
	if (!strcmp(name, "decided") || !strcmp(name, "uses") || !strcmp(name, "recorded"))
		return at_least(NCG_USES_MIN, needs->bars * NCG_SHARE_MAX(NCG_SHARED_USES));
	return 0;
}

/* Entries of a pinned map; 0: there is none. */
static __u32 pinned_size(const char *folder, const char *name)
{
	ncg_autofree char *path = NULL;
	ncg_autoclose int fd = -1;
	long size;

	if (asprintf(&path, "%s/%s", folder, name) < 0) {
		path = NULL;
		return 0;
	}
	fd = bpf_obj_get(path);
	size = fd < 0 ? 0 : ncg_map_max(fd);
	return size > 0 ? size : 0;
}

int ncg_map_sizes_set(struct bpf_object *object, const char *folder,
		      const struct ncg_map_needs *needs)
{
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, object) {
		const char *name = bpf_map__name(map);
		__u32 size = bpf_map__pin_path(map) ? pinned_size(folder, name) : 0;

		if (!size && needs)
			size = ncg_map_size(name, needs);
		if (size && size != bpf_map__max_entries(map) && !r)
			r = bpf_map__set_max_entries(map, size);
	}
	return r;
}
