/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit statuses of ncgated and ncgate: part of the stable interface, documented
 * in both man pages. 0 to 3 mean the same for both.
 */
#ifndef NCGATE_EXIT_STATUS_H
#define NCGATE_EXIT_STATUS_H

enum ncg_exit {
	NCG_EXIT_OK = 0,
	NCG_EXIT_FINDINGS = 1,
	NCG_EXIT_BAD_INPUT = 2,	   /* usage, or a policy that is refused */
	NCG_EXIT_NOT_POSSIBLE = 3, /* on this host, or no daemon runs */

	/* ncgated alone; each is one thing to mend. */
	NCG_EXIT_NO_KVM = 10,	   /* /dev/kvm is missing */
	NCG_EXIT_NO_BTF = 11,	   /* the kernel has no BTF */
	NCG_EXIT_TAKEN = 12,	   /* another ncgated has the pinned state */
	/* 13 was an audit log that cannot be written, which ends nothing any more. */
	NCG_EXIT_LAYOUT = 14,	   /* pinned state of another version */
	NCG_EXIT_BPF = 15,	   /* BPF cannot be used: capability, bpffs, … */
	NCG_EXIT_INTERNAL = 16,	   /* no memory and the like */
};

#endif
