// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps what command lines said; guest_cache.h says when it is believed. Owns the
 * entries. Each process has one place, by its number, which it may lose to another.
 */
#include "guest_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Places, about 600 bytes each and touched only when used; numbers of 1024 in a row fit. */
#define PLACES 1024

struct place {
	pid_t pid; /* 0: empty */
	struct ncg_guest_stat stat;
	time_t read_at; /* seconds, CLOCK_MONOTONIC */
	char vmm[NCG_TEXT_NAME_LEN];
	struct ncg_guest_claims claims;
};

struct ncg_guest_cache {
	struct place places[PLACES];
	uint64_t notes;
};

int ncg_guest_cache_new(struct ncg_guest_cache **ret_cache)
{
	struct ncg_guest_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	*ret_cache = cache;
	return 0;
}

void ncg_guest_cache_free(struct ncg_guest_cache *cache)
{
	free(cache);
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

bool ncg_guest_cache_find(const struct ncg_guest_cache *cache, pid_t pid,
			  const struct ncg_guest_stat *stat, const char *vmm,
			  struct ncg_guest_claims *ret_claims)
{
	const struct place *place = cache ? &cache->places[pid % PLACES] : NULL;

	if (!place || place->pid != pid || place->stat.start_ticks != stat->start_ticks ||
	    place->stat.start_stack != stat->start_stack ||
	    place->stat.arg_start != stat->arg_start || place->stat.arg_end != stat->arg_end ||
	    strcmp(place->vmm, vmm) || now() - place->read_at > NCG_GUEST_CACHE_SECONDS)
		return false;
	*ret_claims = place->claims;
	return true;
}

void ncg_guest_cache_note(struct ncg_guest_cache *cache, pid_t pid,
			  const struct ncg_guest_stat *stat, const char *vmm,
			  const struct ncg_guest_claims *claims)
{
	struct place *place = cache ? &cache->places[pid % PLACES] : NULL;

	if (!place)
		return;
	cache->notes++;
	*place = (struct place){
		.pid = pid, .stat = *stat, .read_at = now(), .claims = *claims,
	};
	snprintf(place->vmm, sizeof(place->vmm), "%s", vmm);
}

uint64_t ncg_guest_cache_notes(const struct ncg_guest_cache *cache)
{
	return cache->notes;
}
