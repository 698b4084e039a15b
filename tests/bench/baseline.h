/* SPDX-License-Identifier: GPL-2.0-only */
/* What baseline.bpf.c and the program that attaches it share. */
#ifndef NCGATE_BENCH_BASELINE_H
#define NCGATE_BENCH_BASELINE_H

#define BASELINE_RULES_MAX 65536
#define BASELINE_IDS(vendor, device) ((__u32)(vendor) << 16 | (device))

struct baseline_rule {
	__u32 value, mask; /* as BASELINE_IDS */
	int answer;	   /* of the hook */
};

#endif
