/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What command lines said, kept from one look at guests to the next: a process that is
 * given a long one costs its reading once, and not at each look for each of its VMs.
 *
 * Owns its entries. An entry stands for a process by number and start time. exec keeps
 * both, so an entry is used only while the executable and where the kernel put stack and
 * arguments are the same too (exec chooses these at random), and for a minute at most:
 * after that, a process that has written over its own arguments is believed as well.
 * Executable, user and cgroup are never kept: VMMs are moved after their start.
 * Fails towards reading again: an entry that another process needs is given up.
 */
#ifndef NCGATE_GUEST_CACHE_H
#define NCGATE_GUEST_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"
#include "guest_parse.h"

#define NCG_GUEST_CACHE_SECONDS 60

struct ncg_guest_cache;

/* 0 or -ENOMEM. */
int ncg_guest_cache_new(struct ncg_guest_cache **ret_cache);
void ncg_guest_cache_free(struct ncg_guest_cache *cache); /* takes NULL */

NCG_DEFINE_CLEANUP(struct ncg_guest_cache *, ncg_guest_cache_free)
#define ncg_autoguestcache ncg_cleanup(ncg_guest_cache_free_cleanup)

/*
 * What is kept of the process, as it is now by its stat and the name of its executable.
 * false: nothing, *ret_claims is untouched. A cache of NULL keeps nothing.
 */
bool ncg_guest_cache_find(const struct ncg_guest_cache *cache, pid_t pid,
			  const struct ncg_guest_stat *stat, const char *vmm,
			  struct ncg_guest_claims *ret_claims);
void ncg_guest_cache_note(struct ncg_guest_cache *cache, pid_t pid,
			  const struct ncg_guest_stat *stat, const char *vmm,
			  const struct ncg_guest_claims *claims);

/* How often a command line had to be read since the cache was made. */
uint64_t ncg_guest_cache_notes(const struct ncg_guest_cache *cache);

#endif
