/* SPDX-License-Identifier: GPL-2.0-only */
/* What test_events.c asks of test_events.bpf.c. */
#ifndef NCGATE_EVENTS_TEST_H
#define NCGATE_EVENTS_TEST_H

#include "abi.h"

struct test_event {
	__u32 type; /* enum ncg_event_type; STAGE2_FIRST is any map */
	__u32 bar;
	__u64 vm;
	__u64 where;
	__u64 size;
	__u32 memtype;
	__u32 zero;
	struct ncg_task task; /* not of a map, which is this process's */
};

#endif
