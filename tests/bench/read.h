/* SPDX-License-Identifier: GPL-2.0-only */
/* What read.bpf.c and the program that runs it share. */
#ifndef NCGATE_BENCH_READ_H
#define NCGATE_BENCH_READ_H

#define READ_BATCH 64 /* pages at a time */

struct read_batch {
	__u32 count;
	__u32 zero;
};

#endif
