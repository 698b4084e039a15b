/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes out of the pinned map `decided` what is about processes that have ended: the
 * programs know when a VM ends, but not when a process does, and look through no
 * map. Owns nothing. What is left in by a daemon that does not run, the next takes
 * out. (What is about VMs goes with their end: ledger.h.)
 */
#ifndef NCGATE_FORGET_H
#define NCGATE_FORGET_H

#include <sys/types.h>

/*
 * Decisions (map `decided`) of processes that are gone. proc as in
 * ncg_guest_read(). Returns how many were taken out, or -errno, logged.
 */
ssize_t ncg_forget_decided(int decided_fd, const char *proc);

#endif
