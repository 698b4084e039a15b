/* SPDX-License-Identifier: GPL-2.0-only */
/* What test_shares.c asks its program for. */
#ifndef NCGATE_TEST_SHARES_H
#define NCGATE_TEST_SHARES_H

enum test_share_act { TEST_SHARE_USE, TEST_SHARE_DECIDED, TEST_SHARE_REGION, TEST_SHARE_FILE };

struct test_share {
	__u64 act;
	__u64 who;   /* VM, process, address or file */
	__u64 where; /* NCG_BAR_ID() */
};

#endif
