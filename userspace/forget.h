/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes out of the programs' pinned maps what is about guests that have ended: the
 * programs know when a VM ends, but not when a process does, and look through no
 * map. Owns nothing. What is left in by a daemon that does not run, the next takes
 * out.
 */
#ifndef NCGATE_FORGET_H
#define NCGATE_FORGET_H

#include <sys/types.h>

/*
 * Decisions (map `decided`) of processes that are gone. proc as in
 * ncg_guest_read(). Returns how many were taken out, or -errno, logged.
 */
ssize_t ncg_forget_decided(int decided_fd, const char *proc);

/* First mappings (`seen`) of VMs that are not in `vm_ids`. Likewise. */
ssize_t ncg_forget_seen(int seen_fd, int vm_ids_fd);

#endif
