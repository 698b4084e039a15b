// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose turn it is to be walked, and what is known so far. Owns what is known of each VM,
 * the share of a CPU, and its source. Where a VM cannot be walked it says so by its state;
 * where there is no list, the last one stays.
 */
#include "walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "budget.h"
#include "cleanup.h"
#include "log.h"
#include "scan.h"
#include "vms.h"

/* Without a refresh a VM is walked as a whole, and the list read, once in so long. */
#define WHOLE_EVERY_NS 60000000000
#define LIST_EVERY_NS 5000000000
/* Pieces for one VM before the next has its turn. */
#define TURN 16

/* Guest-physical addresses from..to-1 that held device memory, or may by now. */
struct window {
	__u64 from, to;
};

struct known {
	struct ncg_walk_vm shown;
	bool wanted;   /* to be walked anew, however lately it was */
	bool scanning; /* a whole walk is on the way: */
	struct ncg_scan scan;
	__u64 scan_began;
	__u64 scan_cost, whole_cost; /* ns, so far and of the last whole one */
	struct window *windows;
	size_t window_count;
};

struct ncg_walk {
	struct ncg_walk_source source;
	struct ncg_walk_options options;
	__u64 hcr; /* HCR_EL2 of a vCPU, with FWB if any had it; 0: none was seen yet */
	struct ncg_budget budget;
	struct known *known;
	size_t known_count;
	struct known *turn; /* whose turn it is, for so many pieces; NULL: nobody's */
	unsigned int turn_left;
	__u64 listed_at;
	struct ncg_walk_stats stats;
};

static __u64 clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static __u64 now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* What work costs: without the time in which others have the CPU. */
static __u64 spent_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int ncg_walk_new(const struct ncg_walk_options *options, const struct ncg_walk_source *source,
		 struct ncg_walk **ret_walk)
{
	struct ncg_walk *walk = calloc(1, sizeof(*walk));

	if (!walk)
		return ncg_log_error(-ENOMEM, "no memory");
	walk->options = *options;
	walk->source = *source;
	ncg_budget_init(&walk->budget, options->share, now_ns());
	*ret_walk = walk;
	return 0;
}

int ncg_walk_open(const struct ncg_walk_options *options, struct ncg_walk **ret_walk)
{
	struct ncg_walk_source source;
	int r = ncg_vms_open(options->vm_ids_fd, &source);

	if (r)
		return r;
	r = ncg_walk_new(options, &source, ret_walk);
	if (r)
		source.close(source.arg);
	return r;
}

static void forget(struct known *known)
{
	ncg_scan_end(&known->scan);
	free(known->shown.ranges);
	free(known->windows);
}

void ncg_walk_close(struct ncg_walk *walk)
{
	if (!walk)
		return;
	for (size_t i = 0; i < walk->known_count; i++)
		forget(&walk->known[i]);
	free(walk->known);
	walk->source.close(walk->source.arg);
	free(walk);
}

/* ---------------------------------------------------------------------- list */

static int by_address(const void *a, const void *b)
{
	const struct ncg_vm *x = a, *y = b;

	if (x->k_kvm != y->k_kvm)
		return x->k_kvm < y->k_kvm ? -1 : 1;
	return (x->nested > y->nested) - (x->nested < y->nested);
}

static int by_shown_address(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return by_address(&x->shown.vm, &y->shown.vm);
}

/* Addresses are used again: whether it is the same set of tables as before. */
static bool same(const struct ncg_vm *old, const struct ncg_vm *now)
{
	return old->pid == now->pid && old->start_boot_ns == now->start_boot_ns &&
	       old->pgd_phys == now->pgd_phys && (!old->id || old->id == now->id);
}

/* What is known of a VM that is still there; the rest begins anew. */
static struct known take_over(struct known *old, size_t old_count, const struct ncg_vm *vm)
{
	struct known key = { .shown.vm = *vm }, taken = key;
	struct known *found =
		old_count ? bsearch(&key, old, old_count, sizeof(*old), by_shown_address) : NULL;

	if (found && same(&found->shown.vm, vm)) {
		taken = *found;
		taken.shown.vm = *vm;
		/* Moved out: what stays behind owns nothing. */
		*found = (struct known){ .shown.vm = *vm };
	}
	if (vm->hidden) {
		taken.shown.state = NCG_WALK_HIDDEN;
		taken.wanted = false;
	}
	return taken;
}

/*
 * KVM uses FWB, which says how memory types are encoded, for all VMs or for none, and sets
 * it in steps: a vCPU that is made, or made anew, is for a moment without. And a VM whose
 * vCPU has not run when it is listed may have, and have memory, when it is walked. So what
 * was once seen of any VM holds for all.
 */
static void fill_in_hcr(struct ncg_walk *walk, struct ncg_vm *vms, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!walk->hcr || vms[i].hcr & NCG_HCR_FWB)
			walk->hcr = vms[i].hcr;
	for (size_t i = 0; i < count; i++)
		vms[i].hcr = vms[i].hcr ? vms[i].hcr | (walk->hcr & NCG_HCR_FWB) : walk->hcr;
}

/* Reads the list of VMs, paid for. */
static int list(struct ncg_walk *walk)
{
	ncg_autofree struct ncg_vm *vms = NULL;
	__u64 begin = spent_ns();
	ssize_t count = walk->source.list(walk->source.arg, &vms);
	struct known *known;

	if (count < 0)
		return ncg_log_error(count, "the list of VMs cannot be read");
	fill_in_hcr(walk, vms, count);
	known = calloc(count + 1, sizeof(*known));
	if (!known)
		return ncg_log_error(-ENOMEM, "no memory for %zd VMs", count);
	if (walk->known_count)
		qsort(walk->known, walk->known_count, sizeof(*walk->known), by_shown_address);
	for (ssize_t i = 0; i < count; i++)
		known[i] = take_over(walk->known, walk->known_count, &vms[i]);
	for (size_t i = 0; i < walk->known_count; i++)
		forget(&walk->known[i]);
	free(walk->known);
	walk->known = known;
	walk->known_count = count;
	walk->turn = NULL;
	walk->listed_at = now_ns();
	ncg_budget_spend(&walk->budget, spent_ns() - begin);
	return 0;
}

/* -------------------------------------------------------------------- pieces */

/* One piece of a scan, paid for. As ncg_scan_step(). */
static int piece(struct ncg_walk *walk, struct ncg_scan *scan, __u64 *cost)
{
	__u64 entries = scan->decoder.totals.entries, errors = scan->errors;
	__u64 begin = spent_ns(), spent;
	int r = ncg_scan_step(scan, &walk->source.copier);

	spent = spent_ns() - begin;
	*cost += spent;
	ncg_budget_spend(&walk->budget, spent);
	walk->stats.nanoseconds += spent;
	walk->stats.entries += scan->decoder.totals.entries - entries;
	walk->stats.errors += scan->errors - errors;
	walk->stats.pieces++;
	if (spent > walk->stats.longest_ns)
		walk->stats.longest_ns = spent;
	return r;
}

static int by_start(const void *a, const void *b)
{
	const struct window *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

/* The ranges, each widened to all of the BAR it is in, and joined. */
static int find_windows(const struct ncg_walk *walk, struct known *known)
{
	const struct ncg_walk_vm *vm = &known->shown;
	struct window *windows = calloc(vm->range_count + 1, sizeof(*windows));
	size_t kept = 0;

	if (!windows)
		return -ENOMEM;
	for (size_t i = 0; i < vm->range_count; i++) {
		const struct ncg_s2_range *range = &vm->ranges[i];
		struct window *w = &windows[i];
		__u64 start, size;

		*w = (struct window){ range->ipa, range->ipa + range->size };
		if (!walk->options.extent ||
		    !walk->options.extent(walk->options.extent_arg, range->phys, &start, &size) ||
		    start > range->phys || range->phys - start > range->ipa)
			continue;
		w->from = range->ipa - (range->phys - start);
		if (w->from + size > w->to)
			w->to = w->from + size;
	}
	qsort(windows, vm->range_count, sizeof(*windows), by_start);
	for (size_t i = 1; i < vm->range_count; i++) {
		if (windows[i].from > windows[kept].to)
			windows[++kept] = windows[i];
		else if (windows[i].to > windows[kept].to)
			windows[kept].to = windows[i].to;
	}
	free(known->windows);
	known->windows = windows;
	known->window_count = vm->range_count ? kept + 1 : 0;
	return 0;
}

static void take_ranges(struct ncg_walk_vm *vm, struct ncg_scan *scan)
{
	free(vm->ranges);
	vm->ranges = scan->ranges;
	vm->range_count = scan->range_count;
	scan->ranges = NULL;
}

/*
 * Whether what was walked is all of one VM: the memory of one that has ended is used again,
 * its structure and its tables at the same addresses as a rule, so that of a page which was
 * copied in between the way back looks right. Asked when all is copied.
 */
static bool same_vm(const struct ncg_walk *walk, const struct ncg_vm *vm)
{
	return walk->source.still_there(walk->source.arg, vm);
}

static bool has_leaves(const struct ncg_s2_totals *totals)
{
	for (int type = 0; type < NCG_MT_NR; type++)
		for (int level = 0; level < NCG_S2_LEVELS; level++)
			if (totals->leaves[type][level])
				return true;
	return false;
}

/*
 * A whole walk has come to its end. Returns 0; -ESRCH when it was of a VM that has ended, or
 * is of one whose encoding is not known before the next list.
 */
static int take_whole(struct ncg_walk *walk, struct known *known, struct ncg_scan *scan,
		      __u64 began)
{
	struct ncg_walk_vm *vm = &known->shown;

	if (!same_vm(walk, &vm->vm) || (!vm->vm.hcr && has_leaves(&scan->decoder.totals)))
		return -ESRCH;
	/* Nothing at all: not even the root was there. */
	vm->state = scan->decoder.totals.entries ? NCG_WALK_VISIBLE : NCG_WALK_UNREADABLE;
	vm->totals = scan->decoder.totals;
	take_ranges(vm, scan);
	vm->whole_at = vm->devices_at = began;
	known->wanted = false;
	return find_windows(walk, known);
}

static int begin_whole(struct ncg_scan *scan, const struct ncg_vm *vm, size_t page_size)
{
	int r = vm->pgd_phys && vm->linear_offset ? ncg_scan_begin(scan, vm) : -EINVAL;

	if (r)
		return r;
	if (1UL << scan->decoder.geometry.page_shift != page_size)
		return -EINVAL;
	return ncg_scan_add(scan, 0, UINT64_MAX);
}

static void end_scan(struct known *known)
{
	ncg_scan_end(&known->scan);
	known->scanning = false;
	known->scan_cost = 0;
}

/* One piece of a VM's whole walk. Returns 0 or -errno. */
static int advance(struct ncg_walk *walk, struct known *known)
{
	int r;

	if (!known->scanning) {
		known->scan_began = now_ns();
		r = begin_whole(&known->scan, &known->shown.vm, walk->source.copier.page_size);
		if (r) {
			end_scan(known);
			known->shown.state = NCG_WALK_UNREADABLE;
			known->shown.whole_at = known->scan_began;
			known->wanted = false;
			return r == -EINVAL ? 0 : r;
		}
		known->scanning = true;
	}
	r = piece(walk, &known->scan, &known->scan_cost);
	if (r == 1)
		return 0;
	if (!r)
		r = take_whole(walk, known, &known->scan, known->scan_began);
	/* Gone: the next list will say so, or that there are others. */
	if (r == -ESRCH) {
		known->shown.whole_at = known->scan_began;
		known->wanted = false;
		r = 0;
	}
	known->whole_cost = known->scan_cost;
	end_scan(known);
	return r;
}

/* Looks again at where device memory was. Returns 0 or -errno. */
static int look_at_devices(struct ncg_walk *walk, struct known *known)
{
	struct ncg_walk_vm *vm = &known->shown;
	__u64 began = now_ns(), cost = 0;
	struct ncg_scan scan;
	int r = ncg_scan_begin(&scan, &vm->vm);

	if (r)
		return r;
	for (size_t i = 0; i < known->window_count && !r; i++)
		r = ncg_scan_add(&scan, known->windows[i].from, known->windows[i].to);
	if (!r)
		do {
			r = piece(walk, &scan, &cost);
		} while (r == 1);
	if (!r && !same_vm(walk, &vm->vm))
		r = -ESRCH;
	if (!r) {
		for (int type = 0; type < NCG_MT_NR; type++) {
			if (type == NCG_MT_NORMAL_WB)
				continue;
			memcpy(vm->totals.leaves[type], scan.decoder.totals.leaves[type],
			       sizeof(vm->totals.leaves[type]));
			memcpy(vm->totals.bytes[type], scan.decoder.totals.bytes[type],
			       sizeof(vm->totals.bytes[type]));
		}
		take_ranges(vm, &scan);
		vm->devices_at = began;
	}
	ncg_scan_end(&scan);
	return r == -ESRCH ? 0 : r;
}

/* ------------------------------------------------------------------ schedule */

/*
 * Wanted before not wanted, and never walked before walked. Of those the least done first, so that a large VM keeps
 * no small one waiting; else the longest unseen, so that none waits for ever.
 */
static bool goes_before(const struct known *a, const struct known *b)
{
	bool a_new = !a->shown.whole_at, b_new = !b->shown.whole_at;

	if (a->wanted != b->wanted)
		return a->wanted;
	if (a_new != b_new)
		return a_new;
	return a_new ? a->scan_cost < b->scan_cost : a->shown.whole_at < b->shown.whole_at;
}

/*
 * The VM to walk next, or NULL: of those not walked since `before`. One that is known
 * is only begun when it can be had for what is left.
 */
static struct known *pick(struct ncg_walk *walk, __u64 before, __s64 left)
{
	struct known *best = NULL;

	if (walk->turn && walk->turn->scanning && walk->turn_left) {
		walk->turn_left--;
		return walk->turn;
	}
	for (size_t i = 0; i < walk->known_count; i++) {
		struct known *k = &walk->known[i];
		const struct ncg_walk_vm *vm = &k->shown;

		if (vm->state == NCG_WALK_HIDDEN || (vm->whole_at >= before && !k->wanted))
			continue;
		if (vm->whole_at && !k->wanted && !k->scanning && (__s64)k->whole_cost > left)
			continue;
		if (!best || goes_before(k, best))
			best = k;
	}
	walk->turn = best;
	walk->turn_left = TURN - 1;
	return best;
}

int ncg_walk_refresh(struct ncg_walk *walk)
{
	__u64 begin = now_ns();
	/* Whoever asks often leaves the background its half. */
	__s64 keep = ncg_budget_left(&walk->budget, begin) / 2;
	int r = list(walk);

	for (size_t i = 0; i < walk->known_count && !r; i++) {
		struct known *k = &walk->known[i];

		if (ncg_budget_left(&walk->budget, now_ns()) <= 0)
			break;
		if (k->shown.state == NCG_WALK_VISIBLE && k->window_count)
			r = look_at_devices(walk, k);
	}
	while (!r) {
		__s64 left = ncg_budget_left(&walk->budget, now_ns());
		struct known *k = left > 0 ? pick(walk, begin, left - keep) : NULL;

		if (!k)
			break;
		r = advance(walk, k);
	}
	return r ? ncg_log_error(r, "stage-2 tables cannot be walked") : 0;
}

__u64 ncg_walk_background(struct ncg_walk *walk)
{
	__u64 now = now_ns(), wait = ncg_budget_wait(&walk->budget, now, 0);
	struct known *k;
	int r = 0;

	if (wait)
		return wait;
	if (now - walk->listed_at >= LIST_EVERY_NS)
		r = list(walk);
	k = r ? NULL : pick(walk, now > WHOLE_EVERY_NS ? now - WHOLE_EVERY_NS : 1, INT64_MAX);
	if (k)
		r = advance(walk, k);
	if (r)
		ncg_log_error(r, "stage-2 tables cannot be walked");
	return k && !r ? ncg_budget_wait(&walk->budget, now_ns(), 0) : LIST_EVERY_NS;
}

int ncg_walk_list(struct ncg_walk *walk)
{
	return list(walk);
}

int ncg_walk_want_all(struct ncg_walk *walk)
{
	int r = list(walk);

	for (size_t i = 0; i < walk->known_count && !r; i++) {
		struct known *k = &walk->known[i];

		if (k->shown.state == NCG_WALK_HIDDEN)
			continue;
		/* What was copied so far may be older than what is asked for. */
		if (k->scanning)
			end_scan(k);
		k->wanted = true;
	}
	return r;
}

size_t ncg_walk_wanted(const struct ncg_walk *walk)
{
	size_t count = 0;

	for (size_t i = 0; i < walk->known_count; i++)
		count += walk->known[i].wanted;
	return count;
}

int ncg_walk_now(struct ncg_walk *walk, size_t i)
{
	struct known *known = &walk->known[i];
	__u64 began = now_ns(), cost = 0;
	struct ncg_scan scan = {};
	int r = begin_whole(&scan, &known->shown.vm, walk->source.copier.page_size);

	if (!r)
		do {
			r = piece(walk, &scan, &cost);
		} while (r == 1);
	if (!r)
		r = take_whole(walk, known, &scan, began);
	ncg_scan_end(&scan);
	return r && r != -ESRCH ? ncg_log_error(r, "stage-2 tables cannot be walked") : r;
}

/* ------------------------------------------------------------------- results */

size_t ncg_walk_count(const struct ncg_walk *walk)
{
	return walk->known_count;
}

const struct ncg_walk_vm *ncg_walk_vm(const struct ncg_walk *walk, size_t i)
{
	return &walk->known[i].shown;
}

bool ncg_walk_truncated(const struct ncg_walk *walk)
{
	return walk->source.truncated(walk->source.arg);
}

struct ncg_walk_stats ncg_walk_stats(const struct ncg_walk *walk)
{
	return walk->stats;
}
