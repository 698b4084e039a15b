// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes decisions of ended processes out of the map, a bounded piece at a time. Owns where
 * it is in the map. A process that cannot be looked at is taken for one that runs.
 */
#include "forget.h"

#include <errno.h>
#include <stdbool.h>

#include <bpf/bpf.h>

#include "guest.h"
#include "log.h"
#include "shares.h"

static bool process_is_gone(const char *proc, const struct ncg_decided_key *k)
{
	uint64_t ticks;
	int r = ncg_guest_read_start(proc, k->pid, &ticks);

	if (r)
		return r == -ESRCH;
	/* Another process may have the number by now. */
	return ticks != ncg_guest_ticks(k->start_boot_ns);
}

/*
 * The next key is asked for before the present one goes: after a key that is not there a map
 * begins anew.
 */
ssize_t ncg_forget_decided(struct ncg_forget *forget, int decided_fd, int shares_fd,
			   const char *proc)
{
	ssize_t count = 0;

	if (!forget->within && bpf_map_get_next_key(decided_fd, NULL, &forget->next))
		return errno == ENOENT ? 0 : ncg_log_error(-errno, "decisions of ended guests "
							   "cannot be forgotten");
	forget->within = true;
	for (int looked = 0; forget->within && looked < NCG_FORGET_AT_ONCE; looked++) {
		struct ncg_decided_key key = forget->next;

		forget->within = !bpf_map_get_next_key(decided_fd, &key, &forget->next);
		if (!process_is_gone(proc, &key) || bpf_map_delete_elem(decided_fd, &key))
			continue;
		ncg_shares_give(shares_fd, NCG_SHARED_DECIDED,
				NCG_BAR_ID(key.domain, key.bus, key.devfn, key.bar));
		count++;
	}
	return count;
}
