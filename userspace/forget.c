// SPDX-License-Identifier: GPL-2.0-only
#include "forget.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "abi.h"
#include "guest.h"
#include "log.h"

/*
 * Deletes each key for which gone() says so. The next key is asked for before the
 * present one goes: after a key that is not there a map begins anew. Returns their
 * number or -errno.
 */
static ssize_t sweep(int fd, void *key, void *next, size_t size,
		     int (*gone)(void *arg, const void *key), void *arg)
{
	int more = bpf_map_get_next_key(fd, NULL, next);
	ssize_t count = 0;

	while (!more) {
		int r;

		memcpy(key, next, size);
		more = bpf_map_get_next_key(fd, key, next);
		r = gone(arg, key);
		if (r < 0)
			return r;
		if (r && !bpf_map_delete_elem(fd, key))
			count++;
	}
	return more == -ENOENT ? count : more;
}

static int process_is_gone(void *arg, const void *key)
{
	const struct ncg_decided_key *k = key;
	struct ncg_guest guest = {};
	int r = ncg_guest_read(arg, k->pid, &guest);
	/* Another process may have the number by now. */
	bool same = guest.start_ticks == ncg_guest_ticks(k->start_boot_ns);

	ncg_guest_done(&guest);
	if (r)
		return r == -ESRCH;
	return !same;
}

ssize_t ncg_forget_decided(int decided_fd, const char *proc)
{
	struct ncg_decided_key key, next;
	ssize_t r = sweep(decided_fd, &key, &next, sizeof(key), process_is_gone, (void *)proc);

	return r < 0 ? ncg_log_error(r, "decisions of ended guests cannot be forgotten") : r;
}

static int by_value(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return (x > y) - (x < y);
}

/* The ids of VMs that there are, in order. */
struct ids {
	__u64 *list;
	size_t count, room;
};

static int read_ids(int fd, struct ids *ids)
{
	__u64 key, next, id;
	int more = bpf_map_get_next_key(fd, NULL, &next);

	for (; !more; more = bpf_map_get_next_key(fd, &key, &next)) {
		key = next;
		if (bpf_map_lookup_elem(fd, &key, &id))
			continue; /* ended just now */
		if (ids->count == ids->room) {
			size_t room = ids->room ? 2 * ids->room : 64;
			__u64 *list = reallocarray(ids->list, room, sizeof(*list));

			if (!list)
				return -ENOMEM;
			ids->list = list;
			ids->room = room;
		}
		ids->list[ids->count++] = id;
	}
	if (ids->count)
		qsort(ids->list, ids->count, sizeof(*ids->list), by_value);
	return more == -ENOENT ? 0 : more;
}

static int vm_is_gone(void *arg, const void *key)
{
	const struct ncg_seen_key *k = key;
	const struct ids *ids = arg;

	return !ids->count ||
	       !bsearch(&k->vm, ids->list, ids->count, sizeof(*ids->list), by_value);
}

ssize_t ncg_forget_seen(int seen_fd, int vm_ids_fd)
{
	struct ncg_seen_key key, next;
	struct ids ids = {};
	/*
	 * A VM that begins after the list was read may lose what was seen of it, which
	 * costs one more record.
	 */
	ssize_t r = read_ids(vm_ids_fd, &ids);

	if (!r)
		r = sweep(seen_fd, &key, &next, sizeof(key), vm_is_gone, &ids);
	free(ids.list);
	return r < 0 ? ncg_log_error(r, "mappings of ended guests cannot be forgotten") : r;
}
