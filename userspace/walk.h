/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stage-2 tables of every VM hold, and how old that knowledge is. Owns the
 * source of VMs and pages, what is known of each VM, and the share of a CPU that may
 * be spent on knowing more; one thread uses it. Takes no lock in the kernel.
 *
 * VMs are walked as a whole in the background, a piece at a time; where device
 * memory was found is looked at again at every refresh, and so are whole VMs as far
 * as what was saved of the share goes. A VM is known once it has been walked to its
 * end, and forgotten with the first list that lacks it. One whose tables cannot be
 * read is reported as such, never as empty.
 */
#ifndef NCGATE_WALK_H
#define NCGATE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "abi.h"
#include "scan.h"
#include "stage2.h"

struct ncg_walk;

enum ncg_walk_state {
	NCG_WALK_PENDING,    /* not yet walked to the end */
	NCG_WALK_VISIBLE,
	NCG_WALK_HIDDEN,     /* the hypervisor keeps the tables (protected KVM) */
	NCG_WALK_UNREADABLE, /* could not be read, or are of a shape that is not known */
	NCG_WALK_STATE_NR,
};

/* One set of tables. Where it is not visible, all from totals on says nothing. */
struct ncg_walk_vm {
	struct ncg_vm vm;
	enum ncg_walk_state state;
	struct ncg_s2_totals totals;
	struct ncg_s2_range *ranges; /* all that is not NCG_MT_NORMAL_WB, by address */
	size_t range_count;
	__u64 whole_at;   /* when the last whole walk began, CLOCK_MONOTONIC ns */
	__u64 devices_at; /* when the ranges were last looked at, likewise */
};

/* What all walks so far amounted to. */
struct ncg_walk_stats {
	__u64 errors;	   /* table pages that could not be had */
	__u64 nanoseconds; /* of processor time */
	__u64 entries;	   /* table entries looked at */
	__u64 pieces;
	__u64 longest_ns; /* the longest piece, likewise */
};

/*
 * What holds a host-physical address, for a walk that found one byte of it and is
 * to look for the rest: false when that is not known.
 */
typedef bool ncg_walk_extent(void *arg, __u64 phys, __u64 *ret_start, __u64 *ret_size);

struct ncg_walk_options {
	double share;	/* of one CPU, above 0 to 1 */
	int vm_ids_fd;	/* the observing programs' map of ids; -1: none */
	ncg_walk_extent *extent; /* NULL: none */
	void *extent_arg;
};

/*
 * Where VMs and copies of their table pages come from. list(): every set of tables, for the
 * caller to free; their number or -errno. still_there(): whether a VM of the list is the
 * same one still, asked when its tables are copied. truncated(): whether the last list
 * lacked some. close() ends the source.
 */
struct ncg_walk_source {
	ssize_t (*list)(void *arg, struct ncg_vm **ret_vms);
	bool (*still_there)(void *arg, const struct ncg_vm *vm);
	bool (*truncated)(void *arg);
	void (*close)(void *arg);
	void *arg;
	struct ncg_scan_copier copier;
};

/* A walk of this host's VMs (vms.h). Returns 0 or -errno, logged. */
int ncg_walk_open(const struct ncg_walk_options *options, struct ncg_walk **ret_walk);
/* A walk of any source, which is the walk's from then on. Returns 0 or -ENOMEM, logged. */
int ncg_walk_new(const struct ncg_walk_options *options, const struct ncg_walk_source *source,
		 struct ncg_walk **ret_walk);
void ncg_walk_close(struct ncg_walk *walk); /* takes NULL */

/*
 * Lists the VMs, looks at known device memory, then at whole VMs, the longest
 * unseen first, while the share allows. What it does not allow keeps its age.
 * Returns 0 or -errno, logged.
 */
int ncg_walk_refresh(struct ncg_walk *walk);

/*
 * A piece of the work in the background, if any is due and may be done. Returns how
 * long the caller may wait until the next, ns.
 */
__u64 ncg_walk_background(struct ncg_walk *walk);

/* Reads the list of VMs anew; what is known of those that stay is kept. 0 or -errno, logged. */
int ncg_walk_list(struct ncg_walk *walk);

/*
 * Has every set of tables that is there now walked anew as a whole, in the background and by
 * the share, before all other work; each walk begins after this call. Returns 0 or -errno,
 * logged. ncg_walk_wanted(): how many have not come to their end yet; one that is gone by
 * then, or cannot be walked, is not waited for.
 */
int ncg_walk_want_all(struct ncg_walk *walk);
size_t ncg_walk_wanted(const struct ncg_walk *walk);

/*
 * Walks set number i as a whole, now, whatever it costs; the cost is a debt of the
 * share. Returns 0, -ESRCH when it is gone, or another -errno, logged.
 */
int ncg_walk_now(struct ncg_walk *walk, size_t i);

/*
 * The sets of tables that are known, in KVM's order: newest VM first, its shadows
 * after it. Valid until the next call that walks.
 */
size_t ncg_walk_count(const struct ncg_walk *walk);
const struct ncg_walk_vm *ncg_walk_vm(const struct ncg_walk *walk, size_t i);
bool ncg_walk_truncated(const struct ncg_walk *walk); /* more than NCG_VMS_MAX */

struct ncg_walk_stats ncg_walk_stats(const struct ncg_walk *walk);

#endif
