/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many records those may cause who are not trusted: a share that fills again with
 * time (a token bucket), for each process by VMs, and for each cgroup, each user and all
 * together by records. So what one writes cannot push another's records out of the
 * trail: what is beyond is counted (fold.h). Owns the shares, in this process: a daemon
 * that begins anew begins with full ones.
 *
 * The numbers: a record is about 1 KiB, and the trail as it is by default has 1.1 GiB.
 * A guest needs some five records for each BAR and two for itself, a host full of guests
 * some ten thousand. See ncgated(8).
 */
#ifndef NCGATE_ALLOWANCE_H
#define NCGATE_ALLOWANCE_H

#include <stdbool.h>

#include "abi.h"
#include "fold.h"

struct ncg_allowance;

/* NULL when there is no memory. */
struct ncg_allowance *ncg_allowance_new(void);
void ncg_allowance_free(struct ncg_allowance *allowance); /* takes NULL */

/* At once, and then so many in an hour. */
#define NCG_ALLOWANCE_GUEST 32 /* VMs of one process */
#define NCG_ALLOWANCE_GUEST_HOUR 60
#define NCG_ALLOWANCE_CGROUP 16384 /* records */
#define NCG_ALLOWANCE_CGROUP_HOUR 240
#define NCG_ALLOWANCE_USER 32768
#define NCG_ALLOWANCE_USER_HOUR 960
#define NCG_ALLOWANCE_HOST 262144
#define NCG_ALLOWANCE_HOST_HOUR 7680
#define NCG_ALLOWANCE_GAPS 60 /* records of what was lost */
#define NCG_ALLOWANCE_GAPS_HOUR 60

/*
 * Takes one VM of a process, or one record of whoever task is, at a time of
 * CLOCK_BOOTTIME that does not go back by much. Returns NCG_FOLD_REPEAT, which stands for
 * "granted", or whose share is empty; then nothing was taken.
 */
enum ncg_fold_why ncg_allowance_vm(struct ncg_allowance *allowance, const struct ncg_task *task,
				   __u64 now_ns);
enum ncg_fold_why ncg_allowance_record(struct ncg_allowance *allowance,
				       const struct ncg_task *task, __u64 now_ns);

/* Takes one record of a loss; false: not now. */
bool ncg_allowance_gap(struct ncg_allowance *allowance, __u64 now_ns);

#endif
