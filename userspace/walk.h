/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live stage-2 tables of every VM: runs walk.bpf to copy table pages and
 * hands them to the decoder. Takes no lock in the kernel. Owns the loaded walk
 * object and its buffers; one thread uses it.
 *
 * A table that changes under the walk is noticed and the VM walked again; one
 * that keeps changing is counted as an error and the rest stands. A VM whose
 * tables cannot be read is reported as not visible, never as empty.
 */
#ifndef NCGATE_WALK_H
#define NCGATE_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"
#include "stage2.h"

struct ncg_walk;

/* What one VM's tables hold. Owned by the struct ncg_walk_result. */
struct ncg_walk_vm {
	struct ncg_vm vm;
	bool visible; /* false: the tables could not be read; totals say nothing */
	struct ncg_s2_totals totals;
	struct ncg_s2_range *ranges; /* all that is not NCG_MT_NORMAL_WB */
	size_t range_count;
};

struct ncg_walk_result {
	struct ncg_walk_vm *vms;
	size_t count;
	bool truncated; /* there are more than NCG_VMS_MAX */
};

/* What all walks so far amounted to. */
struct ncg_walk_stats {
	__u64 errors;  /* table pages that could not be had */
	__u64 nanoseconds; /* of CLOCK_MONOTONIC */
};

/* Loads the walk programs. Returns 0 or -errno, logged. */
int ncg_walk_open(struct ncg_walk **ret_walk);
void ncg_walk_close(struct ncg_walk *walk); /* takes NULL */

/*
 * Walks every VM. Returns 0 or -errno, logged; *ret_result is the caller's, to be
 * freed with ncg_walk_result_free().
 */
int ncg_walk_run(struct ncg_walk *walk, struct ncg_walk_result **ret_result);
void ncg_walk_result_free(struct ncg_walk_result *result); /* takes NULL */

struct ncg_walk_stats ncg_walk_stats(const struct ncg_walk *walk);

#endif
