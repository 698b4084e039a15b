/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One pass over a set of live stage-2 tables, or over windows of their
 * guest-physical addresses, a bounded piece at a time: it may rest between two
 * pieces for as long as it likes. Owns what is still to be visited and what was
 * found; how table pages are copied is the caller's.
 *
 * Every copy is checked by the way from the root down, so whatever was freed
 * while the scan rested is noticed. What changed is visited once more from the
 * root; what keeps changing counts as an error, and the rest stands. A leaf is
 * counted when it begins within a window, so windows side by side count all once.
 */
#ifndef NCGATE_SCAN_H
#define NCGATE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "cleanup.h"
#include "stage2.h"

/* How pages are copied: requests 0..count-1 are served, page i is at pages + i * page_size. */
struct ncg_scan_copier {
	int (*copy)(void *arg, uint32_t count); /* 0 or -errno */
	void *arg;
	struct ncg_walk_request *requests;
	const char *pages;
	size_t page_size;
	uint32_t batch; /* requests at a time, at the most */
};

struct ncg_scan_todo;

struct ncg_scan {
	struct ncg_vm vm;
	struct ncg_s2_decoder decoder; /* its totals are the scan's */
	struct ncg_scan_todo *stack;
	size_t depth, room;
	const struct ncg_scan_todo *decoding; /* whose page is being decoded */
	uint32_t batch[2]; /* pages to ask for at a time, [1]: of the last level; 0: all there may be */
	struct ncg_s2_range *ranges; /* all that is not NCG_MT_NORMAL_WB; sorted once done */
	size_t range_count, range_room;
	uint64_t errors; /* tables given up on */
};

/*
 * Prepares a scan of nothing; windows come by ncg_scan_add(). Returns 0; -EINVAL
 * for tables of a shape that the architecture does not have. Ended by
 * ncg_scan_end(), which also takes a zeroed one.
 */
int ncg_scan_begin(struct ncg_scan *scan, const struct ncg_vm *vm);
void ncg_scan_end(struct ncg_scan *scan);

/*
 * Adds the guest-physical addresses from..to-1, bytes; clipped to what the tables
 * can hold. Windows of one scan must not overlap. Returns 0 or -ENOMEM.
 */
int ncg_scan_add(struct ncg_scan *scan, uint64_t from, uint64_t to);

/*
 * One piece: at most one batch of the copier's, and less where much in it is not RAM, which
 * takes many times as long to decode. Returns 1 while there is more; 0
 * when all is visited, totals and ranges are then final; -ESRCH when the tables are
 * gone; or another -errno.
 */
int ncg_scan_step(struct ncg_scan *scan, const struct ncg_scan_copier *copier);

/* Sorts by guest-physical address and joins neighbours. Returns the new count. */
size_t ncg_scan_sort(struct ncg_s2_range *ranges, size_t count);

#endif
