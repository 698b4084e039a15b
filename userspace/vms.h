/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a walk has its VMs and its table pages from: this host's kernel. See walk.h, which
 * says what a source has to do.
 */
#ifndef NCGATE_VMS_H
#define NCGATE_VMS_H

#include "walk.h"

/*
 * Loads the walk programs. vm_ids_fd: the observing programs' map of ids, borrowed; -1:
 * none. *ret_source is the caller's, to be closed by its close(). Returns 0 or -errno,
 * logged.
 */
int ncg_vms_open(int vm_ids_fd, struct ncg_walk_source *ret_source);

#endif
