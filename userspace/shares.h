/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's half of the shares that places have of the pinned maps (share.bpf.h): what
 * is taken out of a map is given back to the place that took it. Owns the given numbers in
 * the map `shares`; one thread uses it.
 */
#ifndef NCGATE_SHARES_H
#define NCGATE_SHARES_H

#include "abi.h"

/*
 * One entry of that map, of that place (as in struct ncg_use_key), was deleted. What cannot
 * be noted makes the place's share smaller by one. shares_fd below 0: nothing.
 */
void ncg_shares_give(int shares_fd, enum ncg_shared map, __u64 where);

/* What the places have of that map in all, or -errno. */
long ncg_shares_used(int shares_fd, enum ncg_shared map);

#endif
