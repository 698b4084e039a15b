// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scan over tables in this process's own memory, a piece at a time, while the
 * test changes them between two pieces. The copier here keeps the kernel program's
 * contract; that one has its own test (tests/bpf/test_copy.c).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scan.h"

#define ENTRIES 512
#define PAGES 64
#define BATCH 4
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* Attribute bits as KVM's, MemAttr without FWB. */
#define ATTRS 0x7c0
#define WB 0x3c
#define NC 0x14
#define DEV 0x04

static uint64_t arena[PAGES][ENTRIES] __attribute__((aligned(4096)));
static size_t used;
static uint64_t root_phys; /* what KVM's structure has */
static struct ncg_walk_request requests[BATCH];
static char pages[BATCH][4096];
static unsigned int copies, largest;

static uint64_t phys_of(const uint64_t *table)
{
	return (uintptr_t)table - (uintptr_t)arena + 0x40000000;
}

/* 40 bits of input from level 1: two pages side by side, for the first is full. */
static struct ncg_vm vm(void)
{
	return (struct ncg_vm){
		.k_root = (uintptr_t)&root_phys,
		.linear_offset = (uintptr_t)arena - 0x40000000,
		.pgd_phys = root_phys,
		.vtcr = 0x80023558,
		.hcr = 1,
		.ia_bits = 40,
		.start_level = 1,
	};
}

static uint64_t *new_table(uint64_t *entry)
{
	uint64_t *table = arena[used];

	assert_true(used < PAGES);
	used++;
	*entry = phys_of(table) | 3;
	return table;
}

/* count leaves from index on, of neighbours in host memory. */
static void fill(uint64_t *table, size_t index, size_t count, uint64_t phys, uint64_t size,
		 unsigned int memattr)
{
	for (size_t i = 0; i < count; i++)
		table[index + i] = (phys + i * size) | ATTRS | memattr | (size == 4 * KIB ? 3 : 1);
}

/* How a table is copied, and whether it is there. */
static int copy(void *arg, uint32_t count)
{
	(void)arg;
	copies++;
	if (count > largest)
		largest = count;
	for (uint32_t i = 0; i < count; i++) {
		struct ncg_walk_request *r = &requests[i];

		assert_in_range(r->table, (uintptr_t)arena, (uintptr_t)arena + sizeof(arena) - 4096);
		memcpy(pages[i], (void *)r->table, 4096);
		r->status = 0;
		for (uint32_t step = 0; step < r->steps && !r->status; step++)
			if (*(uint64_t *)r->way[step].where != r->way[step].expect)
				r->status = step ? -ESTALE : -ESRCH;
	}
	return 0;
}

static const struct ncg_scan_copier copier = {
	.copy = copy, .requests = requests, .pages = pages[0], .page_size = 4096, .batch = BATCH,
};

static int set_up(void **state)
{
	(void)state;
	memset(arena, 0, sizeof(arena));
	used = 2;
	root_phys = phys_of(arena[0]);
	copies = largest = 0;
	return 0;
}

static void begin(struct ncg_scan *scan)
{
	const struct ncg_vm v = vm();

	assert_int_equal(ncg_scan_begin(scan, &v), 0);
}

static int finish(struct ncg_scan *scan)
{
	int r;

	do {
		r = ncg_scan_step(scan, &copier);
	} while (r == 1);
	return r;
}

static uint64_t bytes(const struct ncg_scan *scan, enum ncg_memtype type)
{
	uint64_t sum = 0;

	for (int level = 0; level < NCG_S2_LEVELS; level++)
		sum += scan->decoder.totals.bytes[type][level];
	return sum;
}

/* A guest: 20 tables of RAM in pages, a BAR at 3 GiB and one in the second root page. */
#define RAM_TABLES 20
#define HIGH_IPA (600 * GIB)

static uint64_t *low_bar, *level2;

static void make_guest(void)
{
	uint64_t *high;

	level2 = new_table(&arena[0][1]);
	for (size_t i = 0; i < RAM_TABLES; i++)
		fill(new_table(&level2[i]), 0, ENTRIES, GIB + i * 2 * MIB, 4 * KIB, WB);
	low_bar = new_table(&new_table(&arena[0][3])[0]);
	fill(low_bar, 8, 16, 0x10000000, 4 * KIB, NC);
	high = new_table(&arena[1][600 - 512]);
	fill(high, 5, 2, 0x20000000, 2 * MIB, DEV);
}

static void whole(void **state)
{
	struct ncg_scan scan;

	(void)state;
	make_guest();
	begin(&scan);
	assert_int_equal(ncg_scan_add(&scan, 0, UINT64_MAX), 0);
	assert_int_equal(finish(&scan), 0);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_WB), RAM_TABLES * 2 * MIB);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_NC), 64 * KIB);
	assert_int_equal(bytes(&scan, NCG_MT_DEVICE_nGnRE), 4 * MIB);
	assert_int_equal(scan.errors, 0);
	assert_int_equal(scan.range_count, 2);
	assert_int_equal(scan.ranges[0].ipa, 3 * GIB + 32 * KIB);
	assert_int_equal(scan.ranges[0].phys, 0x10000000);
	assert_int_equal(scan.ranges[0].leaves, 16);
	assert_int_equal(scan.ranges[1].ipa, HIGH_IPA + 10 * MIB);
	assert_int_equal(scan.ranges[1].size, 4 * MIB);
	/* 25 table pages, not more than a batch at a time */
	assert_int_equal(largest, BATCH);
	assert_in_range(copies, 7, 26);
	ncg_scan_end(&scan);
}

/* Side by side, windows count every leaf once, a block that begins before not at all. */
static void windows(void **state)
{
	static const uint64_t cuts[] = { 0, GIB + 5 * MIB, 3 * GIB + 40 * KIB, HIGH_IPA + 11 * MIB,
					 UINT64_MAX };
	static const uint64_t nc[] = { 0, 8 * KIB, 56 * KIB, 0 };
	static const uint64_t dev[] = { 0, 0, 2 * MIB, 2 * MIB };
	uint64_t ram = 0;

	(void)state;
	make_guest();
	for (size_t i = 0; i < 4; i++) {
		struct ncg_scan scan;

		begin(&scan);
		assert_int_equal(ncg_scan_add(&scan, cuts[i], cuts[i + 1]), 0);
		assert_int_equal(finish(&scan), 0);
		assert_int_equal(bytes(&scan, NCG_MT_NORMAL_NC), nc[i]);
		assert_int_equal(bytes(&scan, NCG_MT_DEVICE_nGnRE), dev[i]);
		ram += bytes(&scan, NCG_MT_NORMAL_WB);
		ncg_scan_end(&scan);
	}
	assert_int_equal(ram, RAM_TABLES * 2 * MIB);
}

/* Of what is not in the window no table is read. */
static void window_reads_no_more(void **state)
{
	struct ncg_scan scan;

	(void)state;
	make_guest();
	begin(&scan);
	assert_int_equal(ncg_scan_add(&scan, 3 * GIB, 3 * GIB + 2 * MIB), 0);
	assert_int_equal(ncg_scan_add(&scan, HIGH_IPA, HIGH_IPA + GIB), 0);
	assert_int_equal(finish(&scan), 0);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_NC), 64 * KIB);
	assert_int_equal(bytes(&scan, NCG_MT_DEVICE_nGnRE), 4 * MIB);
	/* one entry each of two roots, of level 2; all of the pages below and beside */
	assert_int_equal(scan.decoder.totals.entries, 1 + 1 + ENTRIES + 1 + ENTRIES);
	ncg_scan_end(&scan);
}

/* Nothing mapped is walked to its end, and is not the same as nothing seen. */
static void empty(void **state)
{
	struct ncg_scan scan;

	(void)state;
	begin(&scan);
	assert_int_equal(ncg_scan_add(&scan, 0, UINT64_MAX), 0);
	assert_int_equal(finish(&scan), 0);
	assert_int_equal(scan.decoder.totals.entries, 2 * ENTRIES);
	assert_int_equal(scan.range_count, 0);
	ncg_scan_end(&scan);
}

/* While the scan rests a table becomes a block: counted once, as what it is now. */
static void table_becomes_block(void **state)
{
	struct ncg_scan scan;
	unsigned int steps = 0;

	(void)state;
	make_guest();
	begin(&scan);
	assert_int_equal(ncg_scan_add(&scan, 0, UINT64_MAX), 0);
	/* roots, level 2 and the first pages are copied; later ones are known of only */
	for (; steps < 3; steps++)
		assert_int_equal(ncg_scan_step(&scan, &copier), 1);
	fill(level2, RAM_TABLES - 1, 1, 2 * GIB, 2 * MIB, NC);
	assert_int_equal(finish(&scan), 0);
	assert_int_equal(scan.errors, 0);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_WB), (RAM_TABLES - 1) * 2 * MIB);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_NC), 64 * KIB + 2 * MIB);
	ncg_scan_end(&scan);
}

/* Freed pages still hold what they held; they are not counted. */
static void subtree_is_freed(void **state)
{
	struct ncg_scan scan;

	(void)state;
	make_guest();
	begin(&scan);
	assert_int_equal(ncg_scan_add(&scan, 0, UINT64_MAX), 0);
	for (unsigned int steps = 0; steps < 3; steps++)
		assert_int_equal(ncg_scan_step(&scan, &copier), 1);
	arena[0][1] = 0;
	assert_int_equal(finish(&scan), 0);
	assert_int_equal(scan.errors, 0);
	/* what was counted before stands: no more than the pieces before could have */
	assert_in_range(bytes(&scan, NCG_MT_NORMAL_WB), 0, 3 * BATCH * 2 * MIB);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_NC), 64 * KIB);
	ncg_scan_end(&scan);
}

static void vm_ends(void **state)
{
	struct ncg_scan scan;

	(void)state;
	make_guest();
	begin(&scan);
	assert_int_equal(ncg_scan_add(&scan, 0, UINT64_MAX), 0);
	assert_int_equal(ncg_scan_step(&scan, &copier), 1);
	root_phys = 0;
	assert_int_equal(finish(&scan), -ESRCH);
	ncg_scan_end(&scan);
}

/* The entry that points to the busy table changes with every copy. */
static int copy_busy(void *arg, uint32_t count)
{
	level2[3] += UINT64_C(1) << 55; /* software's bits */
	return copy(arg, count);
}

static void table_that_keeps_changing(void **state)
{
	struct ncg_scan_copier busy = copier;
	struct ncg_scan scan;
	int r;

	(void)state;
	make_guest();
	busy.copy = copy_busy;
	busy.batch = 1;
	begin(&scan);
	assert_int_equal(ncg_scan_add(&scan, 0, UINT64_MAX), 0);
	do {
		r = ncg_scan_step(&scan, &busy);
	} while (r == 1);
	assert_int_equal(r, 0);
	assert_int_equal(scan.errors, 1);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_WB), (RAM_TABLES - 1) * 2 * MIB);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_NC), 64 * KIB);
	assert_int_equal(bytes(&scan, NCG_MT_DEVICE_nGnRE), 4 * MIB);
	ncg_scan_end(&scan);
}

/* A step looks at no more entries one by one than fit the time of a piece. */
static int step_in_time(struct ncg_scan *scan, const struct ncg_scan_copier *with)
{
	uint64_t before = scan->decoder.single;
	int r = ncg_scan_step(scan, with);

	assert_in_range(scan->decoder.single - before, 0, 2 * 512 - 1);
	return r;
}

/* What is no RAM takes longer: tables of nothing else are decoded one at a time. */
static void device_memory_in_small_pieces(void **state)
{
	const size_t tables = 2 * BATCH;
	struct ncg_scan scan;
	int r;

	(void)state;
	make_guest();
	for (size_t i = 0; i < tables; i++)
		fill(new_table(&level2[RAM_TABLES + i]), 0, ENTRIES, 8 * GIB + i * 2 * MIB, 4 * KIB,
		     NC);
	begin(&scan);
	assert_int_equal(ncg_scan_add(&scan, 0, UINT64_MAX), 0);
	do {
		r = step_in_time(&scan, &copier);
	} while (r == 1);
	assert_int_equal(r, 0);
	assert_int_equal(scan.errors, 0);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_WB), RAM_TABLES * 2 * MIB);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_NC), tables * 2 * MIB + 64 * KIB);
	assert_int_equal(scan.range_count, 3);
	assert_int_equal(scan.ranges[0].leaves, tables * ENTRIES);
	/* roots, three of level 2, one BAR's and all that was made here, each once */
	assert_int_equal(scan.decoder.totals.entries, (2 + 3 + 1 + RAM_TABLES + tables) * ENTRIES);
	/* for RAM the pieces were whole batches again */
	assert_int_equal(largest, BATCH);
	ncg_scan_end(&scan);
}

/* A table page of 16 KiB is four parts of 512, and each may be the last of a piece. */
#define LARGE_ENTRIES 2048
static uint64_t large[2][LARGE_ENTRIES] __attribute__((aligned(16384)));

static int copy_large(void *arg, uint32_t count)
{
	*(uint32_t *)arg += count;
	assert_int_equal(count, 1);
	memcpy(pages[0], (void *)requests[0].table, sizeof(large[0]));
	requests[0].status = 0;
	return 0;
}

static void large_page_in_parts(void **state)
{
	uint32_t large_copies = 0;
	const struct ncg_scan_copier with = {
		.copy = copy_large, .arg = &large_copies, .requests = requests, .pages = pages[0],
		.page_size = sizeof(large[0]), .batch = 1,
	};
	struct ncg_vm v = {
		.k_root = (uintptr_t)&root_phys,
		.linear_offset = (uintptr_t)large - 0x40000000,
		.pgd_phys = 0x40000000,
		.vtcr = 2 << 14, /* TG0: 16 KiB */
		.hcr = 1,
		.ia_bits = 36,
		.start_level = 2,
	};
	struct ncg_scan scan;
	int r;

	(void)state;
	large[0][0] = (v.pgd_phys + sizeof(large[0])) | 3;
	for (size_t i = 0; i < LARGE_ENTRIES; i++)
		large[1][i] = (8 * GIB + i * 16 * KIB) | ATTRS | NC | 3;
	assert_int_equal(ncg_scan_begin(&scan, &v), 0);
	/* the last part is not whole */
	assert_int_equal(ncg_scan_add(&scan, 0, (LARGE_ENTRIES - 100) * 16 * KIB), 0);
	do {
		r = step_in_time(&scan, &with);
	} while (r == 1);
	assert_int_equal(r, 0);
	assert_int_equal(large_copies, 1 + LARGE_ENTRIES / 512);
	assert_int_equal(scan.range_count, 1);
	assert_int_equal(scan.ranges[0].ipa, 0);
	assert_int_equal(scan.ranges[0].leaves, LARGE_ENTRIES - 100);
	assert_int_equal(bytes(&scan, NCG_MT_NORMAL_NC), (LARGE_ENTRIES - 100) * 16 * KIB);
	ncg_scan_end(&scan);
}

static int copy_not(void *arg, uint32_t count)
{
	(void)arg;
	(void)count;
	return -EPERM;
}

static void copier_fails(void **state)
{
	struct ncg_scan_copier broken = copier;
	struct ncg_scan scan;

	(void)state;
	make_guest();
	broken.copy = copy_not;
	begin(&scan);
	assert_int_equal(ncg_scan_add(&scan, 0, UINT64_MAX), 0);
	assert_int_equal(ncg_scan_step(&scan, &broken), -EPERM);
	ncg_scan_end(&scan);
	ncg_scan_end(&scan);
}

static void unknown_shape(void **state)
{
	struct ncg_vm v = vm();
	struct ncg_scan scan = {};

	(void)state;
	v.vtcr |= 0xc000; /* TG0 0b11 */
	assert_int_equal(ncg_scan_begin(&scan, &v), -EINVAL);
}

static void neighbours_join(void **state)
{
	struct ncg_s2_range ranges[] = {
		{ .ipa = 3 * MIB, .phys = 7 * MIB, .size = MIB, .leaf_size = 4 * KIB, .leaves = 256,
		  .memtype = NCG_MT_NORMAL_NC },
		{ .ipa = 5 * MIB, .phys = 9 * MIB, .size = MIB, .leaf_size = 4 * KIB, .leaves = 256,
		  .memtype = NCG_MT_DEVICE_nGnRE },
		{ .ipa = 2 * MIB, .phys = 6 * MIB, .size = MIB, .leaf_size = 4 * KIB, .leaves = 256,
		  .memtype = NCG_MT_NORMAL_NC },
		{ .ipa = 4 * MIB, .phys = 9 * MIB, .size = MIB, .leaf_size = 4 * KIB, .leaves = 256,
		  .memtype = NCG_MT_NORMAL_NC },
	};

	(void)state;
	assert_int_equal(ncg_scan_sort(ranges, 0), 0);
	assert_int_equal(ncg_scan_sort(ranges, 4), 3);
	assert_int_equal(ranges[0].ipa, 2 * MIB);
	assert_int_equal(ranges[0].size, 2 * MIB);
	assert_int_equal(ranges[0].leaves, 512);
	assert_int_equal(ranges[1].ipa, 4 * MIB);
	assert_int_equal(ranges[2].ipa, 5 * MIB);
}

#define test(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(whole),
		test(windows),
		test(window_reads_no_more),
		test(empty),
		test(table_becomes_block),
		test(subtree_is_freed),
		test(vm_ends),
		test(table_that_keeps_changing),
		test(device_memory_in_small_pieces),
		test(large_page_in_parts),
		test(copier_fails),
		test(unknown_shape),
		test(neighbours_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
