/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Going through the entries of a BPF map many at a time: one system call for some thousand
 * of them. What is added or deleted meanwhile may be left out or come twice. No state.
 */
#ifndef NCGATE_MAP_KEYS_H
#define NCGATE_MAP_KEYS_H

#include <stddef.h>

/*
 * Calls each(arg, key, value) for every entry of a hash map, until it returns other than 0.
 * Returns 0, what each() returned, or -errno.
 */
long ncg_map_each(int fd, int (*each)(void *arg, const void *key, const void *value), void *arg);

/* How many entries there are, or -errno; and at the most, or -errno. */
long ncg_map_count(int fd);
long ncg_map_max(int fd);

#endif
