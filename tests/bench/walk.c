// SPDX-License-Identifier: GPL-2.0-only
/*
 * walk NAME ROUNDS: what it takes to go through the stage-2 tables of the host's one VM,
 * as JSON: by ncgate's walk, by the kernel's own ptdump where it has one, and by copying
 * the same table pages to user space and adding up what they hold. The VM must not run
 * meanwhile. Times are the least of the rounds, for what else happens only adds.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cleanup.h"
#include "stage2.h"
#include "walk.h"

#include "read.h"
#include "read.skel.h"

#define TABLES_MAX 65536

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void keep_least(__u64 *least, __u64 ns)
{
	if (!*least || ns < *least)
		*least = ns;
}

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "walk: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ------------------------------------------------------------- only reading */

struct reader {
	struct read_bpf *skel;
	__u64 *addresses; /* of the pages of the next batch */
	const char *copies;
	size_t page_size;
	/* The tables of the VM. */
	__u64 *tables;
	int *levels;
	size_t count;
};

static void *map_array(const struct bpf_map *map, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (at == MAP_FAILED)
		die("a map cannot be mapped");
	return at;
}

static void reader_open(struct reader *reader)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	struct read_bpf *skel = read_bpf__open();

	if (!skel)
		die("the reader cannot be opened");
	skel->rodata->page_size = page_size;
	if (bpf_map__set_value_size(skel->maps.copies, page_size) || read_bpf__load(skel))
		die("the reader cannot be loaded");
	*reader = (struct reader){
		.skel = skel,
		.addresses = map_array(skel->maps.addresses, page_size),
		.copies = map_array(skel->maps.copies, READ_BATCH * page_size),
		.page_size = page_size,
		.tables = calloc(TABLES_MAX, sizeof(__u64)),
		.levels = calloc(TABLES_MAX, sizeof(int)),
	};
	if (!reader->tables || !reader->levels)
		die("no memory");
}

static void read_batch(struct reader *reader, const __u64 *addresses, size_t count)
{
	struct read_batch batch = { .count = count };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &batch, .ctx_size_in = sizeof(batch));

	memcpy(reader->addresses, addresses, count * sizeof(*addresses));
	if (bpf_prog_test_run_opts(bpf_program__fd(reader->skel->progs.read_pages), &opts))
		die("the reader cannot be run");
}

static void add_table(struct reader *reader, __u64 address, int level)
{
	if (reader->count == TABLES_MAX)
		die("too many tables");
	reader->tables[reader->count] = address;
	reader->levels[reader->count++] = level;
}

/* Level by level, so that the list is its own queue. */
static void find_tables(struct reader *reader, const struct ncg_vm *vm,
			const struct ncg_s2_geometry *geometry)
{
	const __u64 *entries = (const __u64 *)reader->copies;

	for (size_t i = 0; i < ncg_s2_root_pages(geometry); i++)
		add_table(reader, vm->pgd_phys + vm->linear_offset + i * reader->page_size,
			  geometry->start_level);
	for (size_t t = 0; t < reader->count; t++) {
		int level = reader->levels[t];

		if (level == NCG_S2_LEVEL_MAX)
			continue;
		read_batch(reader, &reader->tables[t], 1);
		for (size_t i = 0; i < ncg_s2_table_entries(geometry); i++)
			if (ncg_s2_is_table(level, entries[i]))
				add_table(reader,
					  ncg_s2_table_address(geometry, entries[i]) +
						  vm->linear_offset,
					  level + 1);
	}
}

typedef __u64 pair __attribute__((vector_size(16)));

/* Copies every table and adds up its entries, as fast as that goes. */
static __u64 read_all(struct reader *reader, __u64 *ret_sum)
{
	__u64 began = now_ns();
	const pair *at, *end;
	pair sum = {};

	for (size_t done = 0, count; done < reader->count; done += count) {
		count = reader->count - done < READ_BATCH ? reader->count - done : READ_BATCH;
		read_batch(reader, &reader->tables[done], count);
		at = (const pair *)reader->copies;
		end = at + count * reader->page_size / sizeof(*at);
#pragma GCC unroll 8
		for (; at < end; at++)
			sum += *at;
	}
	*ret_sum = sum[0] + sum[1]; /* wanted, so that the compiler does not leave it out */
	return now_ns() - began;
}

/* ------------------------------------------------------------------- ptdump */

/* 0 where the kernel has none. */
static __u64 read_ptdump(void)
{
	static char text[65536];
	__u64 began, took;
	ssize_t n;
	glob_t found;
	int fd;

	if (glob("/sys/kernel/debug/kvm/*-*/stage2_page_tables", 0, NULL, &found))
		return 0;
	began = now_ns();
	fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(found.gl_pathv[0]);
	do {
		n = read(fd, text, sizeof(text));
	} while (n > 0);
	if (n < 0)
		die(found.gl_pathv[0]);
	close(fd);
	took = now_ns() - began;
	globfree(&found);
	return took;
}

/* --------------------------------------------------------------------- main */

static __u64 leaves_of(const struct ncg_s2_totals *totals)
{
	__u64 sum = 0;

	for (int type = 0; type < NCG_MT_NR; type++)
		for (int level = 0; level < NCG_S2_LEVELS; level++)
			sum += totals->leaves[type][level];
	return sum;
}

int main(int argc, char **argv)
{
	const struct ncg_walk_options options = { .share = 1, .vm_ids_fd = -1 };
	unsigned int rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	__u64 walk_ns = 0, read_ns = 0, dump_ns = 0, pieces = 0, sum = 0;
	struct ncg_s2_geometry geometry;
	const struct ncg_walk_vm *vm;
	struct ncg_walk *walk;
	struct reader reader;

	if (!rounds) {
		fputs("usage: walk NAME ROUNDS\n", stderr);
		return 2;
	}
	if (ncg_walk_open(&options, &walk) || ncg_walk_refresh(walk))
		return 1;
	if (ncg_walk_count(walk) != 1) {
		fprintf(stderr, "walk: there are %zu VMs, not one\n", ncg_walk_count(walk));
		return 1;
	}
	vm = ncg_walk_vm(walk, 0);
	reader_open(&reader);
	if (ncg_s2_geometry_read(&vm->vm, &geometry)) {
		fputs("walk: tables of an unknown shape\n", stderr);
		return 1;
	}
	find_tables(&reader, &vm->vm, &geometry);
	for (unsigned int i = 0; i < rounds; i++) {
		struct ncg_walk_stats before = ncg_walk_stats(walk), after;

		if (ncg_walk_now(walk, 0))
			return 1;
		after = ncg_walk_stats(walk);
		keep_least(&walk_ns, after.nanoseconds - before.nanoseconds);
		pieces = after.pieces - before.pieces;
		keep_least(&read_ns, read_all(&reader, &sum));
		keep_least(&dump_ns, read_ptdump());
	}
	printf("{\"name\":\"%s\",\"leaves\":%llu,\"entries\":%llu,\"tables\":%zu,\"pieces\":%llu,"
	       "\"longest_ns\":%llu,\"walk_ns\":%llu,\"read_ns\":%llu,\"ptdump_ns\":%llu,"
	       "\"sum\":%llu}\n",
	       argv[1], (unsigned long long)leaves_of(&vm->totals),
	       (unsigned long long)vm->totals.entries, reader.count, (unsigned long long)pieces,
	       (unsigned long long)ncg_walk_stats(walk).longest_ns, (unsigned long long)walk_ns,
	       (unsigned long long)read_ns, (unsigned long long)dump_ns, (unsigned long long)sum);
	ncg_walk_close(walk);
	return 0;
}
