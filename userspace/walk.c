// SPDX-License-Identifier: GPL-2.0-only
#include "walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cleanup.h"
#include "log.h"
#include "walk.skel.h"

/* A table that changes during three walks in a row is given up on. */
#define ATTEMPTS 3

/* A table page still to be copied. */
struct todo {
	struct ncg_walk_request request;
	__u64 ipa;
	int level;
};

struct ncg_walk {
	struct walk_bpf *skel;
	size_t page_size;
	bool by_files; /* VMs are found by their files; one may be there twice */
	const struct ncg_vm *vms;
	struct ncg_walk_request *requests;
	const char *pages;
	struct todo *stack;
	size_t depth;
	size_t room;
	struct ncg_walk_stats stats;
};

/* One batch being decoded: what the callbacks need. */
struct decoding {
	struct ncg_walk *walk;
	struct ncg_walk_vm *out;
	const struct todo *from; /* the page that is being decoded */
	size_t range_room;
};

static void *map_array(const struct bpf_map *map, bool write)
{
	/* The kernel rounds elements up to 8 bytes, and the whole up to a page. */
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = bpf_map__max_entries(map) * ((bpf_map__value_size(map) + 7) & ~7UL);
	void *at = mmap(NULL, (size + page - 1) & ~(page - 1),
			PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

/* What the program returned, or -errno where it could not be run. */
static int run_program(const struct bpf_program *program, void *context, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = context, .ctx_size_in = size);

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		return -errno;
	return (int)opts.retval;
}

int ncg_walk_open(struct ncg_walk **ret_walk)
{
	struct ncg_walk *walk = calloc(1, sizeof(*walk));
	int r;

	if (!walk)
		return ncg_log_error(-ENOMEM, "no memory");
	walk->page_size = sysconf(_SC_PAGESIZE);
	walk->skel = walk_bpf__open();
	if (!walk->skel) {
		r = ncg_log_error(-errno, "the walk programs cannot be opened");
		goto fail;
	}
	walk->skel->rodata->page_size = walk->page_size;
	r = bpf_map__set_value_size(walk->skel->maps.pages, walk->page_size);
	if (!r)
		r = walk_bpf__load(walk->skel);
	if (r) {
		ncg_log_error(r, "the walk programs cannot be loaded; "
				 "stage-2 tables are not visible");
		goto fail;
	}
	walk->vms = map_array(walk->skel->maps.vms, false);
	walk->requests = map_array(walk->skel->maps.requests, true);
	walk->pages = map_array(walk->skel->maps.pages, false);
	if (!walk->vms || !walk->requests || !walk->pages) {
		r = ncg_log_error(-errno, "the walk's buffers cannot be mapped");
		goto fail;
	}
	r = run_program(walk->skel->progs.find_symbols, NULL, 0);
	if (r) {
		ncg_log_error(r, "stage-2 tables are not visible: %s",
			      r == -EPERM ? "the kernel keeps its addresses (CAP_SYSLOG is needed)" :
					    "the kernel does not tell where its VMs are");
		goto fail;
	}
	*ret_walk = walk;
	return 0;

fail:
	ncg_walk_close(walk);
	return r;
}

void ncg_walk_close(struct ncg_walk *walk)
{
	if (!walk)
		return;
	/* The mappings go with the process; the programs and maps go here. */
	walk_bpf__destroy(walk->skel);
	free(walk->stack);
	free(walk);
}

static int push(struct ncg_walk *walk, const struct todo *todo)
{
	if (walk->depth == walk->room) {
		size_t room = walk->room ? 2 * walk->room : 1024;
		struct todo *stack = reallocarray(walk->stack, room, sizeof(*stack));

		if (!stack)
			return -ENOMEM;
		walk->stack = stack;
		walk->room = room;
	}
	walk->stack[walk->depth++] = *todo;
	return 0;
}

static int on_table(void *arg, const struct ncg_s2_table *table)
{
	struct decoding *d = arg;
	struct todo todo = {
		.request = {
			.table = table->phys + d->out->vm.linear_offset,
			.parent = d->from->request.table + table->index * sizeof(__u64),
			.expect = table->descriptor,
		},
		.ipa = table->ipa,
		.level = table->level,
	};

	return push(d->walk, &todo);
}

static int on_range(void *arg, const struct ncg_s2_range *range)
{
	struct decoding *d = arg;

	if (d->out->range_count == d->range_room) {
		size_t room = d->range_room ? 2 * d->range_room : 64;
		struct ncg_s2_range *ranges =
			reallocarray(d->out->ranges, room, sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		d->out->ranges = ranges;
		d->range_room = room;
	}
	d->out->ranges[d->out->range_count++] = *range;
	return 0;
}

/*
 * Walks one VM once. Returns 0, -EAGAIN when a table changed or went meanwhile
 * (what was found still stands), or another negative errno.
 */
static int walk_once(struct ncg_walk *walk, const struct ncg_s2_geometry *geometry,
		     struct ncg_walk_vm *out, size_t *ret_bad)
{
	struct decoding d = { .walk = walk, .out = out };
	struct ncg_s2_sink sink = { .table = on_table, .range = on_range, .arg = &d };
	size_t page_entries = ncg_s2_table_entries(geometry);
	size_t root_entries = ncg_s2_root_entries(geometry);
	struct ncg_s2_decoder decoder;
	int r = ncg_s2_decoder_init(&decoder, geometry, &sink);

	if (r)
		return r;
	out->range_count = 0;
	*ret_bad = 0;
	walk->depth = 0;
	/* Last first: the stack gives the lowest addresses first. */
	for (size_t i = ncg_s2_root_pages(geometry); i-- > 0;) {
		struct todo root = {
			.request.table = out->vm.pgd_phys + out->vm.linear_offset +
					 i * walk->page_size,
			.ipa = i * page_entries *
			       ncg_s2_entry_size(geometry, geometry->start_level),
			.level = geometry->start_level,
		};

		r = push(walk, &root);
		if (r)
			return r;
	}

	while (walk->depth) {
		struct ncg_walk_batch batch = {};
		struct todo taken[NCG_WALK_BATCH];

		while (walk->depth && batch.count < NCG_WALK_BATCH) {
			taken[batch.count] = walk->stack[--walk->depth];
			walk->requests[batch.count] = taken[batch.count].request;
			batch.count++;
		}
		r = run_program(walk->skel->progs.copy_tables, &batch, sizeof(batch));
		if (r)
			return r;
		for (__u32 i = 0; i < batch.count; i++) {
			size_t before = walk->depth, count = page_entries;

			if (walk->requests[i].status) {
				(*ret_bad)++;
				continue;
			}
			if (!taken[i].request.parent && root_entries < page_entries)
				count = root_entries;
			d.from = &taken[i];
			r = ncg_s2_decode_page(&decoder, taken[i].level,
					       (const uint64_t *)(walk->pages + i * walk->page_size),
					       count, taken[i].ipa);
			if (r)
				return r;
			/* Found in rising order; turned round, they leave the stack so. */
			for (size_t a = before, b = walk->depth; a + 1 < b; a++, b--) {
				struct todo t = walk->stack[a];

				walk->stack[a] = walk->stack[b - 1];
				walk->stack[b - 1] = t;
			}
		}
	}
	r = ncg_s2_decode_finish(&decoder);
	if (r)
		return r;
	out->totals = decoder.totals;
	return *ret_bad ? -EAGAIN : 0;
}

static int walk_vm(struct ncg_walk *walk, struct ncg_walk_vm *out)
{
	struct ncg_s2_geometry geometry;
	size_t bad = 0;
	int r;

	/* Being built, being torn down, or kept by someone else (protected KVM). */
	if (!out->vm.pgd_phys || !out->vm.linear_offset ||
	    ncg_s2_geometry_read(&out->vm, &geometry) ||
	    1UL << geometry.page_shift != walk->page_size)
		return 0;
	for (int i = 0; i < ATTEMPTS; i++) {
		r = walk_once(walk, &geometry, out, &bad);
		if (r != -EAGAIN)
			break;
	}
	if (r && r != -EAGAIN)
		return r;
	walk->stats.errors += bad;
	/* Not even the root was there. */
	out->visible = out->totals.entries != 0;
	return 0;
}

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static int by_address(const void *a, const void *b)
{
	const struct ncg_vm *x = a, *y = b;

	return (x->k_kvm > y->k_kvm) - (x->k_kvm < y->k_kvm);
}

/* Runs the file iterator once; it fills `vms` as it is read to its end. */
static int search_files(struct ncg_walk *walk)
{
	char none[64];
	struct bpf_link *link = bpf_program__attach_iter(walk->skel->progs.find_vms, NULL);
	ncg_autoclose int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -errno;
	ssize_t n = fd < 0 ? fd : 0;

	if (fd >= 0)
		do {
			n = read(fd, none, sizeof(none));
		} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	if (fd >= 0 && n < 0)
		n = -errno;
	bpf_link__destroy(link);
	return n;
}

/*
 * Copies the description of every VM to *ret_vms, which the caller frees.
 * Returns their number or -errno.
 */
static ssize_t list(struct ncg_walk *walk, struct ncg_vm **ret_vms)
{
	size_t count, unique = 0;
	struct ncg_vm *vms;
	int r = run_program(walk->skel->progs.list_vms, NULL, 0);

	walk->by_files = r == -ENOENT;
	if (walk->by_files)
		r = search_files(walk);
	if (r)
		return r;
	count = walk->skel->bss->listed;
	vms = calloc(count + 1, sizeof(*vms));
	if (!vms)
		return -ENOMEM;
	memcpy(vms, walk->vms, count * sizeof(*vms));
	*ret_vms = vms;
	if (!walk->by_files)
		return count;
	qsort(vms, count, sizeof(*vms), by_address);
	for (size_t i = 0; i < count; i++)
		if (!i || vms[i].k_kvm != vms[i - 1].k_kvm)
			vms[unique++] = vms[i];
	return unique;
}

int ncg_walk_run(struct ncg_walk *walk, struct ncg_walk_result **ret_result)
{
	ncg_autofree struct ncg_vm *vms = NULL;
	struct ncg_walk_result *result;
	__u64 begin = now_ns();
	ssize_t count = list(walk, &vms);
	int r;

	if (count < 0)
		return ncg_log_error(count, "the list of VMs cannot be read");
	result = calloc(1, sizeof(*result));
	if (result)
		result->vms = calloc(count + 1, sizeof(*result->vms));
	if (!result || !result->vms) {
		ncg_walk_result_free(result);
		return ncg_log_error(-ENOMEM, "no memory for %zd VMs", count);
	}
	result->truncated = walk->skel->bss->truncated;
	result->count = count;
	for (ssize_t i = 0; i < count; i++) {
		result->vms[i].vm = vms[i];
		r = walk_vm(walk, &result->vms[i]);
		if (r) {
			ncg_walk_result_free(result);
			return ncg_log_error(r, "stage-2 tables cannot be walked");
		}
	}
	walk->stats.nanoseconds += now_ns() - begin;
	*ret_result = result;
	return 0;
}

void ncg_walk_result_free(struct ncg_walk_result *result)
{
	if (!result)
		return;
	for (size_t i = 0; i < result->count; i++)
		free(result->vms[i].ranges);
	free(result->vms);
	free(result);
}

struct ncg_walk_stats ncg_walk_stats(const struct ncg_walk *walk)
{
	return walk->stats;
}
