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
	uint64_t ticks;
	int r = ncg_guest_read_start(arg, k->pid, &ticks);

	if (r)
		return r == -ESRCH;
	/* Another process may have the number by now. */
	return ticks != ncg_guest_ticks(k->start_boot_ns);
}

ssize_t ncg_forget_decided(int decided_fd, const char *proc)
{
	struct ncg_decided_key key, next;
	ssize_t r = sweep(decided_fd, &key, &next, sizeof(key), process_is_gone, (void *)proc);

	return r < 0 ? ncg_log_error(r, "decisions of ended guests cannot be forgotten") : r;
}
