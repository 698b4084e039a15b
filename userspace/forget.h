/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes out of the pinned map `decided` what is about processes that have ended: the
 * programs know when a VM ends, but not when a process does, and look through no
 * map. Owns nothing. What is left in by a daemon that does not run, the next takes
 * out. (What is about VMs goes with their end: ledger.h.)
 */
#ifndef NCGATE_FORGET_H
#define NCGATE_FORGET_H

#include <stdbool.h>
#include <sys/types.h>

#include "abi.h"

/* Decisions that are looked at in one piece: some milliseconds. */
#define NCG_FORGET_AT_ONCE 1024

/* Where a way through the map is; zeroed at first. */
struct ncg_forget {
	struct ncg_decided_key next;
	bool within; /* next is to be looked at */
};

/*
 * A piece of the way through the map `decided`: takes out decisions of processes that are
 * gone, and gives their shares back. proc as in ncg_guest_read(). forget->within is false
 * once the end was reached. Returns how many were taken out, or -errno, logged.
 */
ssize_t ncg_forget_decided(struct ncg_forget *forget, int decided_fd, int shares_fd,
			   const char *proc);

#endif
