// SPDX-License-Identifier: GPL-2.0-only
#include "scan.h"

#include <errno.h>
#include <stdlib.h>

/* A table that changes so often while it is visited is given up on. */
#define ATTEMPTS 3

/*
 * What a piece may take beyond the copying of its pages: so many entries that are looked
 * at one by one. A table takes some 220 instructions, a leaf of a device less, RAM not
 * one. Asked after each part of a page, which is all of it at 4 KiB.
 */
#define SINGLE_MAX 512
#define PART 512

/* A table page still to be copied, and the part of it that counts. */
struct ncg_scan_todo {
	struct ncg_walk_request request;
	uint64_t ipa;	   /* of its first entry */
	uint64_t from, to; /* the window, cut to what the page covers */
	int level;
	int attempt;
};

int ncg_scan_begin(struct ncg_scan *scan, const struct ncg_vm *vm)
{
	struct ncg_s2_geometry geometry;
	int r = ncg_s2_geometry_read(vm, &geometry);

	if (r)
		return r;
	*scan = (struct ncg_scan){ .vm = *vm };
	return ncg_s2_decoder_init(&scan->decoder, &geometry, NULL);
}

void ncg_scan_end(struct ncg_scan *scan)
{
	free(scan->stack);
	free(scan->ranges);
	*scan = (struct ncg_scan){};
}

static unsigned int shift_at(const struct ncg_scan *scan, int level)
{
	return scan->decoder.levels[NCG_S2_LEVEL_INDEX(level)].shift;
}

/* Room for one more on the stack, for the caller to fill; NULL: no memory. */
static struct ncg_scan_todo *push(struct ncg_scan *scan)
{
	if (scan->depth == scan->room) {
		size_t room = scan->room ? 2 * scan->room : 1024;
		struct ncg_scan_todo *stack = reallocarray(scan->stack, room, sizeof(*stack));

		if (!stack)
			return NULL;
		scan->stack = stack;
		scan->room = room;
	}
	return &scan->stack[scan->depth++];
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Puts on the stack what of the root lies within a window, lowest addresses on top. */
static int add(struct ncg_scan *scan, uint64_t from, uint64_t to, int attempt)
{
	const struct ncg_s2_geometry *geometry = &scan->decoder.geometry;
	uint64_t page_size = UINT64_C(1) << geometry->page_shift;
	uint64_t covers = ncg_s2_table_entries(geometry) *
			  ncg_s2_entry_size(geometry, geometry->start_level);

	to = min(to, UINT64_C(1) << geometry->ia_bits);
	for (size_t i = ncg_s2_root_pages(geometry); i-- > 0;) {
		struct ncg_scan_todo *room, root = {
			.request = {
				.table = scan->vm.pgd_phys + scan->vm.linear_offset + i * page_size,
				.steps = 1,
				.way = { { scan->vm.k_root, scan->vm.pgd_phys } },
			},
			.ipa = i * covers,
			.level = geometry->start_level,
			.attempt = attempt,
		};

		root.from = max(from, root.ipa);
		root.to = min(to, root.ipa + covers);
		if (root.from >= root.to)
			continue;
		room = push(scan);
		if (!room)
			return -ENOMEM;
		*room = root;
	}
	return 0;
}

int ncg_scan_add(struct ncg_scan *scan, uint64_t from, uint64_t to)
{
	return add(scan, from, to, 1);
}

static int on_table(void *arg, const struct ncg_s2_table *table)
{
	struct ncg_scan *scan = arg;
	const struct ncg_scan_todo *parent = scan->decoding;
	unsigned int shift = shift_at(scan, parent->level);
	struct ncg_scan_todo *todo = push(scan);

	if (!todo)
		return -ENOMEM;
	*todo = *parent;
	todo->request.table = table->phys + scan->vm.linear_offset;
	todo->request.way[todo->request.steps++] = (struct ncg_walk_step){
		.where = parent->request.table +
			 ((table->ipa - parent->ipa) >> shift) * sizeof(uint64_t),
		.expect = table->descriptor,
	};
	todo->ipa = table->ipa;
	todo->level = table->level;
	todo->from = max(parent->from, table->ipa);
	todo->to = min(parent->to, table->ipa + (UINT64_C(1) << shift));
	return 0;
}

static int on_range(void *arg, const struct ncg_s2_range *range)
{
	struct ncg_scan *scan = arg;

	if (scan->range_count == scan->range_room) {
		size_t room = scan->range_room ? 2 * scan->range_room : 64;
		struct ncg_s2_range *ranges = reallocarray(scan->ranges, room, sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		scan->ranges = ranges;
		scan->range_room = room;
	}
	scan->ranges[scan->range_count++] = *range;
	return 0;
}

/* Decodes the part of a copied page that lies in its window. */
static int decode_window(struct ncg_scan *scan, const struct ncg_scan_todo *todo,
			 const uint64_t *entries)
{
	unsigned int shift = shift_at(scan, todo->level);
	size_t first = (todo->from - todo->ipa) >> shift;
	size_t end = ((todo->to - 1 - todo->ipa) >> shift) + 1;
	size_t before = scan->depth;
	int r;

	/* A leaf that begins before the window belongs to the window before. */
	if (todo->from > todo->ipa + ((uint64_t)first << shift) &&
	    !ncg_s2_is_table(todo->level, entries[first]))
		first++;
	scan->decoding = todo;
	r = ncg_s2_decode_page(&scan->decoder, todo->level, entries + first, end - first,
			       todo->ipa + ((uint64_t)first << shift));
	/* Found in rising order; turned round, they leave the stack so. */
	for (size_t a = before, b = scan->depth; a + 1 < b; a++, b--) {
		struct ncg_scan_todo t = scan->stack[a];

		scan->stack[a] = scan->stack[b - 1];
		scan->stack[b - 1] = t;
	}
	return r;
}

/*
 * The same, part by part, as long as the piece may go on; what is then left of the window
 * stays in todo, nothing: from is to.
 */
static int decode(struct ncg_scan *scan, struct ncg_scan_todo *todo, const uint64_t *entries,
		  uint64_t single_end)
{
	uint64_t covers = (uint64_t)PART << shift_at(scan, todo->level), to = todo->to;
	int r = 0;

	while (!r && todo->from < to && scan->decoder.single < single_end) {
		todo->to = min(to, todo->from - (todo->from - todo->ipa) % covers + covers);
		r = decode_window(scan, todo, entries);
		todo->from = todo->to;
	}
	todo->to = to;
	return r;
}

/* Puts back what the piece did not come to, the first on top. */
static int put_back(struct ncg_scan *scan, const struct ncg_scan_todo *todos, uint32_t count)
{
	while (count-- > 0) {
		struct ncg_scan_todo *room = push(scan);

		if (!room)
			return -ENOMEM;
		*room = todos[count];
	}
	return 0;
}

/* Once more from the root, for what a table that could not be had covers. */
static int retry(struct ncg_scan *scan, const struct ncg_scan_todo *todo)
{
	if (todo->attempt < ATTEMPTS)
		return add(scan, todo->from, todo->to, todo->attempt + 1);
	scan->errors++;
	return 0;
}

static int finish(struct ncg_scan *scan)
{
	int r = ncg_s2_decode_finish(&scan->decoder);

	scan->range_count = ncg_scan_sort(scan->ranges, scan->range_count);
	return r;
}

/* Whether the next table is of the last level: it holds no tables. */
static bool next_is_last(const struct ncg_scan *scan)
{
	return scan->stack[scan->depth - 1].level == NCG_S2_LEVEL_MAX;
}

int ncg_scan_step(struct ncg_scan *scan, const struct ncg_scan_copier *copier)
{
	uint64_t single_end = scan->decoder.single + SINGLE_MAX;
	struct ncg_scan_todo taken[NCG_WALK_BATCH];
	bool last = scan->depth && next_is_last(scan);
	uint32_t batch = scan->batch[last] ? scan->batch[last] : copier->batch;
	uint32_t count = 0, done = 0;
	int r;

	/* Here and not at the start: the scan may have been moved in memory. */
	scan->decoder.sink = (struct ncg_s2_sink){ on_table, on_range, scan };
	/* Not mixed: what ends a piece early is mostly one kind, and copied again. */
	while (scan->depth && count < batch && next_is_last(scan) == last) {
		taken[count] = scan->stack[--scan->depth];
		copier->requests[count] = taken[count].request;
		count++;
	}
	if (!count)
		return finish(scan);
	r = copier->copy(copier->arg, count);
	while (done < count && !r) {
		struct ncg_scan_todo *todo = &taken[done];

		switch (copier->requests[done].status) {
		case 0:
			r = decode(scan, todo,
				   (const uint64_t *)(copier->pages + done * copier->page_size),
				   single_end);
			break;
		case -ESRCH:
			r = -ESRCH;
			break;
		default:
			r = retry(scan, todo);
			todo->from = todo->to;
		}
		if (todo->from < todo->to)
			break;
		done++;
	}
	if (!r)
		r = put_back(scan, taken + done, count - done);
	/* The next pages are most likely of the same kind. */
	scan->batch[last] = done < count ? (done ? done : 1) : (uint32_t)min(2 * batch, copier->batch);
	return r ? r : 1;
}

static int by_ipa(const void *a, const void *b)
{
	const struct ncg_s2_range *x = a, *y = b;

	return (x->ipa > y->ipa) - (x->ipa < y->ipa);
}

size_t ncg_scan_sort(struct ncg_s2_range *ranges, size_t count)
{
	size_t kept = 0;

	if (!count)
		return 0;
	qsort(ranges, count, sizeof(*ranges), by_ipa);
	for (size_t i = 1; i < count; i++) {
		struct ncg_s2_range *last = &ranges[kept], *next = &ranges[i];

		if (last->ipa + last->size == next->ipa && last->phys + last->size == next->phys &&
		    last->memtype == next->memtype && last->leaf_size == next->leaf_size) {
			last->size += next->size;
			last->leaves += next->leaves;
		} else {
			ranges[++kept] = *next;
		}
	}
	return kept + 1;
}
