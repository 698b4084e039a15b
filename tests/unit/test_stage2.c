// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stage-2 decoder against tables made by hand. Expected numbers are written
 * out, from the Arm ARM's tables; nothing here is computed as the decoder does.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stage2.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Attribute bits of KVM's own leaves: AF, inner shareable, read and write. */
#define ATTRS 0x7c0
#define PAGE 0x3
#define BLOCK 0x1
#define TABLE 0x3
#define WB 0x3c /* MemAttr, shifted to its place: 0xf */
#define WB_FWB 0x18 /* 0x6 */
#define NC 0x14 /* 0x5 */
#define DEV 0x04 /* 0x1 */

static const struct ncg_s2_geometry kvm_4k = {
	.page_shift = 12, .ia_bits = 40, .start_level = 1, .fwb = NCG_S2_FWB_NO,
};
static const struct ncg_s2_geometry kvm_4k_fwb = {
	.page_shift = 12, .ia_bits = 40, .start_level = 1, .fwb = NCG_S2_FWB_YES,
};
static const struct ncg_s2_geometry kvm_4k_48 = {
	.page_shift = 12, .ia_bits = 48, .start_level = 0, .fwb = NCG_S2_FWB_NO,
};
static const struct ncg_s2_geometry kvm_16k = {
	.page_shift = 14, .ia_bits = 40, .start_level = 2, .fwb = NCG_S2_FWB_NO,
};
static const struct ncg_s2_geometry kvm_64k = {
	.page_shift = 16, .ia_bits = 40, .start_level = 2, .fwb = NCG_S2_FWB_NO,
};

#define FOUND_MAX 64

struct found {
	struct ncg_s2_table tables[FOUND_MAX];
	struct ncg_s2_range ranges[FOUND_MAX];
	size_t tables_count;
	size_t ranges_count;
	int answer; /* what the callbacks return */
};

static int on_table(void *arg, const struct ncg_s2_table *table)
{
	struct found *found = arg;

	assert_true(found->tables_count < FOUND_MAX);
	found->tables[found->tables_count++] = *table;
	return found->answer;
}

static int on_range(void *arg, const struct ncg_s2_range *range)
{
	struct found *found = arg;

	assert_true(found->ranges_count < FOUND_MAX);
	found->ranges[found->ranges_count++] = *range;
	return found->answer;
}

static void start(struct ncg_s2_decoder *decoder, const struct ncg_s2_geometry *geometry,
		  struct found *found)
{
	struct ncg_s2_sink sink = { on_table, on_range, found };

	memset(found, 0, sizeof(*found));
	assert_int_equal(ncg_s2_decoder_init(decoder, geometry, &sink), 0);
}

static void check_range(const struct ncg_s2_range *range, uint64_t ipa, uint64_t phys,
			uint64_t size, uint64_t leaf_size, uint64_t leaves,
			enum ncg_memtype memtype)
{
	assert_int_equal(range->ipa, ipa);
	assert_int_equal(range->phys, phys);
	assert_int_equal(range->size, size);
	assert_int_equal(range->leaf_size, leaf_size);
	assert_int_equal(range->leaves, leaves);
	assert_int_equal(range->memtype, memtype);
}

static void check_leaves(const struct ncg_s2_decoder *decoder, enum ncg_memtype memtype,
			 int level, uint64_t leaves, uint64_t bytes)
{
	assert_int_equal(decoder->totals.leaves[memtype][level + 1], leaves);
	assert_int_equal(decoder->totals.bytes[memtype][level + 1], bytes);
}

/* All leaves of all kinds: that nothing was counted elsewhere. */
static uint64_t all_leaves(const struct ncg_s2_decoder *decoder)
{
	uint64_t sum = 0;
	size_t type, level;

	for (type = 0; type < NCG_MT_NR; type++)
		for (level = 0; level < NCG_S2_LEVELS; level++)
			sum += decoder->totals.leaves[type][level];
	return sum;
}

static void sizes_of_levels(void **state)
{
	static const struct {
		unsigned int page_shift;
		int level;
		uint64_t entries;
		uint64_t size;
	} rows[] = {
		{ 12, 3, 512, 4096 },
		{ 12, 2, 512, 2097152 },
		{ 12, 1, 512, 1073741824 },
		{ 12, 0, 512, 549755813888 },
		{ 12, -1, 512, 281474976710656 },
		{ 14, 3, 2048, 16384 },
		{ 14, 2, 2048, 33554432 },
		{ 14, 1, 2048, 68719476736 },
		{ 14, 0, 2048, 140737488355328 },
		{ 16, 3, 8192, 65536 },
		{ 16, 2, 8192, 536870912 },
		{ 16, 1, 8192, 4398046511104 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ncg_s2_geometry g = { .page_shift = rows[i].page_shift };

		assert_int_equal(ncg_s2_table_entries(&g), rows[i].entries);
		assert_int_equal(ncg_s2_entry_size(&g, rows[i].level), rows[i].size);
	}
}

static void roots(void **state)
{
	/* Arm ARM, "Concatenated translation tables"; KVM's usual ones first. */
	static const struct {
		unsigned int page_shift, ia_bits;
		int level;
		bool lpa2;
		size_t entries, pages;
	} rows[] = {
		{ 12, 40, 1, false, 1024, 2 },
		{ 12, 44, 0, false, 32, 1 },
		{ 12, 43, 1, false, 8192, 16 },
		{ 12, 48, 0, false, 512, 1 },
		{ 12, 39, 1, false, 512, 1 },
		{ 12, 36, 1, false, 64, 1 },
		{ 12, 32, 1, false, 4, 1 },
		{ 12, 34, 2, false, 8192, 16 },
		{ 12, 52, 0, true, 8192, 16 },
		{ 12, 52, -1, true, 16, 1 },
		{ 14, 40, 2, false, 32768, 16 },
		{ 14, 47, 1, false, 2048, 1 },
		{ 14, 48, 1, false, 4096, 2 },
		{ 14, 52, 0, true, 32, 1 },
		{ 16, 40, 2, false, 2048, 1 },
		{ 16, 42, 2, false, 8192, 1 },
		{ 16, 46, 2, false, 131072, 16 },
		{ 16, 48, 1, false, 64, 1 },
		{ 16, 52, 1, false, 1024, 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ncg_s2_geometry g = {
			.page_shift = rows[i].page_shift,
			.ia_bits = rows[i].ia_bits,
			.start_level = rows[i].level,
			.lpa2 = rows[i].lpa2,
		};

		assert_int_equal(ncg_s2_geometry_check(&g), 0);
		assert_int_equal(ncg_s2_root_entries(&g), rows[i].entries);
		assert_int_equal(ncg_s2_root_pages(&g), rows[i].pages);
	}
}

static void shapes_that_do_not_exist(void **state)
{
	static const struct {
		unsigned int page_shift, ia_bits;
		int level;
	} rows[] = {
		{ 0, 40, 1 },	{ 13, 40, 1 },	{ 18, 40, 1 },
		{ 12, 40, 3 },	{ 12, 40, -2 }, { 14, 52, -1 },
		{ 16, 52, 0 },	{ 16, 52, -1 },
		{ 12, 0, 1 },	{ 12, 30, 1 }, /* one entry, or none */
		{ 12, 44, 1 }, /* 32 root pages */
		{ 12, 35, 2 },	{ 14, 41, 2 },	{ 16, 47, 2 },
		{ 12, 53, -1 }, { 12, 64, 0 },	{ 12, 4000000000u, 0 },
	};
	struct ncg_s2_decoder decoder;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ncg_s2_geometry g = {
			.page_shift = rows[i].page_shift,
			.ia_bits = rows[i].ia_bits,
			.start_level = rows[i].level,
		};

		assert_int_equal(ncg_s2_geometry_check(&g), -EINVAL);
		assert_int_equal(ncg_s2_decoder_init(&decoder, &g, NULL), -EINVAL);
	}
}

static void geometry_of_a_vm(void **state)
{
	/* VTCR_EL2 as KVM makes it: RES1 bit 31, SH0, ORGN0, IRGN0, T0SZ. */
	static const struct {
		uint64_t vtcr, hcr;
		uint32_t ia_bits;
		int32_t start_level;
		unsigned int page_shift;
		bool lpa2, pa52;
		enum ncg_s2_fwb fwb;
	} rows[] = {
		{ 0x80023558, 0x80000001, 40, 1, 12, false, false, NCG_S2_FWB_NO },
		{ 0x80023558, 0x400080000001, 40, 1, 12, false, false, NCG_S2_FWB_YES },
		{ 0x80023558, 0, 40, 1, 12, false, false, NCG_S2_FWB_UNKNOWN },
		{ 0x8002b558, 0x80000001, 40, 2, 14, false, false, NCG_S2_FWB_NO },
		{ 0x80027558, 0x80000001, 40, 2, 16, false, false, NCG_S2_FWB_NO },
		{ 0x80067558, 0x80000001, 40, 2, 16, false, true, NCG_S2_FWB_NO },
		{ 0x18006354c, 0x400080000001, 52, 0, 12, true, true, NCG_S2_FWB_YES },
	};
	struct ncg_s2_geometry g;
	struct ncg_vm vm = { .vtcr = 0x8002f558, .ia_bits = 40, .start_level = 1 };
	size_t i;

	(void)state;
	memset(&g, 0x5a, sizeof(g));
	assert_int_equal(ncg_s2_geometry_read(&vm, &g), -EINVAL); /* TG0 0b11 */
	assert_int_equal(g.page_shift, 0x5a5a5a5a);

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		vm = (struct ncg_vm){
			.vtcr = rows[i].vtcr,
			.hcr = rows[i].hcr,
			.ia_bits = rows[i].ia_bits,
			.start_level = rows[i].start_level,
		};
		assert_int_equal(ncg_s2_geometry_read(&vm, &g), 0);
		assert_int_equal(g.page_shift, rows[i].page_shift);
		assert_int_equal(g.ia_bits, rows[i].ia_bits);
		assert_int_equal(g.start_level, rows[i].start_level);
		assert_int_equal(g.lpa2, rows[i].lpa2);
		assert_int_equal(g.pa52, rows[i].pa52);
		assert_int_equal(g.fwb, rows[i].fwb);
	}
}

static void memory_types(void **state)
{
	/* By MemAttr: without FWB, with it, not known. */
	static const struct {
		unsigned int memattr;
		enum ncg_memtype type[3];
	} rows[] = {
		{ 0x0, { NCG_MT_DEVICE_nGnRnE, NCG_MT_DEVICE_nGnRnE, NCG_MT_DEVICE_nGnRnE } },
		{ 0x1, { NCG_MT_DEVICE_nGnRE, NCG_MT_DEVICE_nGnRE, NCG_MT_DEVICE_nGnRE } },
		{ 0x2, { NCG_MT_DEVICE_nGRE, NCG_MT_DEVICE_nGRE, NCG_MT_DEVICE_nGRE } },
		{ 0x3, { NCG_MT_DEVICE_GRE, NCG_MT_DEVICE_GRE, NCG_MT_DEVICE_GRE } },
		{ 0x4, { NCG_MT_OTHER, NCG_MT_OTHER, NCG_MT_OTHER } },
		{ 0x5, { NCG_MT_NORMAL_NC, NCG_MT_NORMAL_NC, NCG_MT_NORMAL_NC } },
		{ 0x6, { NCG_MT_OTHER, NCG_MT_NORMAL_WB, NCG_MT_NORMAL_WB } },
		{ 0x7, { NCG_MT_OTHER, NCG_MT_OTHER, NCG_MT_OTHER } },
		{ 0x8, { NCG_MT_OTHER, NCG_MT_DEVICE_nGnRnE, NCG_MT_OTHER } },
		{ 0x9, { NCG_MT_OTHER, NCG_MT_DEVICE_nGnRE, NCG_MT_OTHER } },
		{ 0xa, { NCG_MT_NORMAL_WT, NCG_MT_DEVICE_nGRE, NCG_MT_OTHER } },
		{ 0xb, { NCG_MT_OTHER, NCG_MT_DEVICE_GRE, NCG_MT_OTHER } },
		{ 0xc, { NCG_MT_OTHER, NCG_MT_OTHER, NCG_MT_OTHER } },
		{ 0xd, { NCG_MT_OTHER, NCG_MT_NORMAL_NC, NCG_MT_OTHER } },
		{ 0xe, { NCG_MT_OTHER, NCG_MT_NORMAL_WB, NCG_MT_OTHER } },
		{ 0xf, { NCG_MT_NORMAL_WB, NCG_MT_OTHER, NCG_MT_NORMAL_WB } },
	};
	struct ncg_s2_geometry g = kvm_4k;
	struct ncg_s2_decoder decoder;
	struct found found;
	unsigned int fwb;
	size_t i;

	(void)state;
	assert_int_equal(ARRAY_SIZE(rows), 16);
	for (fwb = 0; fwb < 3; fwb++) {
		for (i = 0; i < 16; i++) {
			uint64_t page = 0x80000000 | ATTRS | rows[i].memattr << 2 | PAGE;
			enum ncg_memtype type = rows[i].type[fwb];

			assert_int_equal(ncg_s2_memtype(fwb, rows[i].memattr), type);
			assert_int_equal(ncg_s2_memtype(fwb, 0xfff0 | rows[i].memattr), type);

			/* And the page decoder, which has a shorter way for RAM. */
			g.fwb = fwb;
			start(&decoder, &g, &found);
			assert_int_equal(ncg_s2_decode_page(&decoder, 3, &page, 1, 0), 0);
			assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
			check_leaves(&decoder, type, 3, 1, 4096);
			assert_int_equal(all_leaves(&decoder), 1);
			assert_int_equal(found.ranges_count, type == NCG_MT_NORMAL_WB ? 0 : 1);
		}
	}
}

static void output_addresses(void **state)
{
	static const struct {
		unsigned int page_shift;
		bool lpa2;
		int level; /* 4: a table entry */
		uint64_t descriptor, phys;
	} rows[] = {
		{ 12, false, 3, 0x0000fedcba9877ff, 0x0000fedcba987000 },
		/* contiguous, XN and software bits are no address */
		{ 12, false, 3, 0xfff00000800007ff, 0x0000000080000000 },
		{ 12, false, 4, 0x0000fedcba987003, 0x0000fedcba987000 },
		{ 12, false, 2, 0x0000fedcba8007fd, 0x0000fedcba800000 },
		/* nT, bit 16, and other bits below the block */
		{ 12, false, 2, 0x00000000806107fd, 0x0000000080600000 },
		{ 12, false, 1, 0x0000fed4a34107fd, 0x0000fed480000000 },
		/* without DS bits 49:48 and 9:8 are no address */
		{ 12, false, 3, 0x000300008000a7ff, 0x000000008000a000 },
		/* 4K, DS: OA[49:12] in place, OA[51:50] at [9:8] */
		{ 12, true, 3, 0x0003fedcba9874ff, 0x0003fedcba987000 },
		{ 12, true, 3, 0x0003fedcba9877ff, 0x000ffedcba987000 },
		{ 12, true, 3, 0x0000000080000503, 0x0004000080000000 },
		{ 12, true, 3, 0x0000000080000603, 0x0008000080000000 },
		{ 12, true, 4, 0x0001fedcba987103, 0x0005fedcba987000 },
		{ 12, true, 2, 0x0002fedcba8006fd, 0x000afedcba800000 },
		{ 12, true, 0, 0x0003ff80000007fd, 0x000fff8000000000 },
		/* 16K */
		{ 14, false, 3, 0x0000fedcba9847ff, 0x0000fedcba984000 },
		{ 14, false, 3, 0x0000fedcba9877ff, 0x0000fedcba984000 },
		{ 14, false, 2, 0x0000fedcba0007fd, 0x0000fedcba000000 },
		{ 14, true, 3, 0x0003fedcba9847ff, 0x000ffedcba984000 },
		{ 14, true, 4, 0x0001fedcba984203, 0x0009fedcba984000 },
		{ 14, true, 1, 0x0003fff0000005fd, 0x0007fff000000000 },
		/* 64K: OA[47:16] in place, OA[51:48] at [15:12], DS or not */
		{ 16, false, 3, 0x0000fedcba9807ff, 0x0000fedcba980000 },
		{ 16, false, 3, 0x0000fedcba98c7ff, 0x000cfedcba980000 },
		{ 16, true, 3, 0x0000fedcba98c7ff, 0x000cfedcba980000 },
		{ 16, false, 4, 0x0000fedcba981003, 0x0001fedcba980000 },
		{ 16, false, 2, 0x0000fedca000f7fd, 0x000ffedca0000000 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ncg_s2_geometry g = {
			.page_shift = rows[i].page_shift,
			.lpa2 = rows[i].lpa2,
		};
		uint64_t phys = rows[i].level == 4 ?
					ncg_s2_table_address(&g, rows[i].descriptor) :
					ncg_s2_leaf_address(&g, rows[i].level, rows[i].descriptor);

		assert_int_equal(phys, rows[i].phys);
	}
}

static void levels_with_blocks(void **state)
{
	/* By level, -1 to 3. */
	static const struct {
		unsigned int page_shift;
		bool lpa2, pa52, blocks[5];
	} rows[] = {
		{ 12, false, false, { false, false, true, true, false } },
		{ 12, false, true, { false, false, true, true, false } },
		{ 12, true, true, { false, true, true, true, false } },
		{ 14, false, false, { false, false, false, true, false } },
		{ 14, true, true, { false, false, true, true, false } },
		{ 16, false, false, { false, false, false, true, false } },
		{ 16, false, true, { false, false, true, true, false } },
	};
	size_t i;
	int level;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ncg_s2_geometry g = {
			.page_shift = rows[i].page_shift,
			.lpa2 = rows[i].lpa2,
			.pa52 = rows[i].pa52,
		};

		for (level = -1; level <= 3; level++)
			assert_int_equal(ncg_s2_level_holds_blocks(&g, level),
					 rows[i].blocks[level + 1]);
	}
}

static void page_of_ram(void **state)
{
	static const struct {
		const struct ncg_s2_geometry *geometry;
		uint64_t memattr, size;
		size_t entries;
	} rows[] = {
		{ &kvm_4k, WB, 4096, 512 },
		{ &kvm_4k_fwb, WB_FWB, 4096, 512 },
		{ &kvm_16k, WB, 16384, 2048 },
		{ &kvm_64k, WB, 65536, 8192 },
	};
	static uint64_t entries[8192];
	struct ncg_s2_decoder decoder;
	struct found found;
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		/* Every third page is not there. */
		for (j = 0; j < rows[i].entries; j++)
			entries[j] = j % 3 == 2 ? 0 :
						  (0x880000000 + j * rows[i].size) | ATTRS |
							  rows[i].memattr | PAGE;
		start(&decoder, rows[i].geometry, &found);
		assert_int_equal(ncg_s2_decode_page(&decoder, 3, entries, rows[i].entries,
						    0x40000000),
				 0);
		assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
		assert_int_equal(found.ranges_count, 0);
		assert_int_equal(found.tables_count, 0);
		assert_int_equal(decoder.totals.entries, rows[i].entries);
		assert_int_equal(decoder.totals.reserved, 0);
	}

	/* The last one in full: 8192 - 2730 pages of 64 KiB. */
	check_leaves(&decoder, NCG_MT_NORMAL_WB, 3, 5462, 357957632);
	assert_int_equal(all_leaves(&decoder), 5462);
}

static void tables_and_blocks_of_4k(void **state)
{
	static uint64_t root[1024], level2[512];
	struct ncg_s2_decoder decoder;
	struct found found;

	(void)state;
	/*
	 * Concatenated root, two pages: a table at 1 GiB, a RAM block of 1 GiB at
	 * 2 GiB, and, in the second page, a table at 513 GiB and a Device block
	 * at 1023 GiB, the last entry of all.
	 */
	root[1] = 0x8000a000 | TABLE;
	root[2] = 0x900000000 | ATTRS | WB | BLOCK;
	root[513] = 0x8000b000 | TABLE;
	root[1023] = 0x8000000000 | ATTRS | DEV | BLOCK;
	start(&decoder, &kvm_4k, &found);
	assert_int_equal(ncg_s2_root_entries(&kvm_4k), 1024);
	assert_int_equal(ncg_s2_decode_page(&decoder, 1, root, 1024, 0), 0);
	assert_int_equal(ncg_s2_decode_finish(&decoder), 0);

	assert_int_equal(decoder.totals.tables, 2);
	assert_int_equal(found.tables_count, 2);
	assert_int_equal(found.tables[0].ipa, 0x40000000);
	assert_int_equal(found.tables[0].phys, 0x8000a000);
	assert_int_equal(found.tables[0].descriptor, 0x8000a003);
	assert_int_equal(found.tables[0].index, 1);
	assert_int_equal(found.tables[0].level, 2);
	assert_int_equal(found.tables[1].ipa, 0x8040000000);
	assert_int_equal(found.tables[1].phys, 0x8000b000);
	assert_int_equal(found.tables[1].index, 513);
	assert_int_equal(found.ranges_count, 1);
	check_range(&found.ranges[0], 0xffc0000000, 0x8000000000, 0x40000000, 0x40000000, 1,
		    NCG_MT_DEVICE_nGnRE);
	check_leaves(&decoder, NCG_MT_NORMAL_WB, 1, 1, 1073741824);
	check_leaves(&decoder, NCG_MT_DEVICE_nGnRE, 1, 1, 1073741824);
	assert_int_equal(all_leaves(&decoder), 2);

	/* Level 2 at 513 GiB: a BAR of 16 MiB as eight Normal-NC blocks, a table. */
	level2[4] = 0x8000c000 | TABLE;
	for (size_t i = 0; i < 8; i++)
		level2[8 + i] = (0x8001000000 + i * 0x200000) | ATTRS | NC | BLOCK;
	start(&decoder, &kvm_4k, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 2, level2, 512, 0x8040000000), 0);
	assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
	assert_int_equal(found.tables_count, 1);
	assert_int_equal(found.tables[0].ipa, 0x8040800000);
	assert_int_equal(found.tables[0].level, 3);
	assert_int_equal(found.ranges_count, 1);
	check_range(&found.ranges[0], 0x8041000000, 0x8001000000, 0x1000000, 0x200000, 8,
		    NCG_MT_NORMAL_NC);
	check_leaves(&decoder, NCG_MT_NORMAL_NC, 2, 8, 16777216);
	assert_int_equal(all_leaves(&decoder), 8);
}

static void blocks_of_16k_and_64k(void **state)
{
	uint64_t entries[3] = { 0 };
	struct ncg_s2_geometry g;
	struct ncg_s2_decoder decoder;
	struct found found;

	(void)state;
	entries[0] = 0x100000000 | ATTRS | WB | BLOCK;
	entries[1] = 0x8002000000 | ATTRS | NC | BLOCK;
	entries[2] = 0x8000c000 | TABLE;
	start(&decoder, &kvm_16k, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 2, entries, 3, 0x4000000000), 0);
	assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
	check_leaves(&decoder, NCG_MT_NORMAL_WB, 2, 1, 33554432);
	check_range(&found.ranges[0], 0x4002000000, 0x8002000000, 0x2000000, 0x2000000, 1,
		    NCG_MT_NORMAL_NC);
	assert_int_equal(found.tables[0].ipa, 0x4004000000);
	assert_int_equal(found.tables[0].phys, 0x8000c000);

	/* Bits [15:12] of a 64K descriptor are the top of a 52-bit address. */
	entries[1] = 0x8020000000 | 0x3000 | ATTRS | NC | BLOCK;
	entries[2] = 0x80010000 | 0x2000 | TABLE;
	start(&decoder, &kvm_64k, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 2, entries, 3, 0x4000000000), 0);
	assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
	check_leaves(&decoder, NCG_MT_NORMAL_WB, 2, 1, 536870912);
	check_range(&found.ranges[0], 0x4020000000, 0x3008020000000, 0x20000000, 0x20000000, 1,
		    NCG_MT_NORMAL_NC);
	assert_int_equal(found.tables[0].ipa, 0x4040000000);
	assert_int_equal(found.tables[0].phys, 0x2000080010000);

	/* A block where none may be: 16K level 1 without DS, and with it. */
	entries[0] = 0x1000000000 | (ATTRS & ~0x300) | DEV | BLOCK;
	g = (struct ncg_s2_geometry){ .page_shift = 14, .ia_bits = 48, .start_level = 1 };
	start(&decoder, &g, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 1, entries, 1, 0), 0);
	assert_int_equal(decoder.totals.reserved, 1);
	assert_int_equal(all_leaves(&decoder), 0);
	g.lpa2 = true;
	start(&decoder, &g, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 1, entries, 1, 0), 0);
	assert_int_equal(decoder.totals.reserved, 0);
	check_leaves(&decoder, NCG_MT_DEVICE_nGnRE, 1, 1, 68719476736);
}

static void lpa2_tree(void **state)
{
	/* 52-bit input: the root is 16 concatenated pages at level 0. */
	static const struct ncg_s2_geometry g = {
		.page_shift = 12, .ia_bits = 52, .start_level = 0, .lpa2 = true,
		.fwb = NCG_S2_FWB_YES,
	};
	static uint64_t root[8192];
	struct ncg_s2_decoder decoder;
	struct found found;
	uint64_t page;

	(void)state;
	root[8191] = 0x0002000080001000 | 0x100 | TABLE;
	start(&decoder, &g, &found);
	assert_int_equal(ncg_s2_root_entries(&g), 8192);
	assert_int_equal(ncg_s2_decode_page(&decoder, 0, root, 8192, 0), 0);
	assert_int_equal(found.tables_count, 1);
	assert_int_equal(found.tables[0].ipa, 0xfff8000000000);
	assert_int_equal(found.tables[0].phys, 0x6000080001000);
	assert_int_equal(found.tables[0].level, 1);

	page = 0x0001000080000000 | 0x4c0 | 0x200 | NC | PAGE;
	assert_int_equal(ncg_s2_decode_page(&decoder, 3, &page, 1, 0xffffffffff000), 0);
	assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
	assert_int_equal(found.ranges_count, 1);
	check_range(&found.ranges[0], 0xffffffffff000, 0x9000080000000, 4096, 4096, 1,
		    NCG_MT_NORMAL_NC);
}

static void entries_that_are_no_leaves(void **state)
{
	/* KVM keeps notes in entries that are not valid, whatever their type bit. */
	uint64_t pages[] = {
		0,
		0x2, /* not valid */
		0x80000000 | ATTRS | WB | 0x2, /* not valid */
		0xf0000000000007fc, /* not valid: an annotation */
		0x80000000 | ATTRS | WB | 0x1, /* reserved at level 3 */
		0x80000000 | ATTRS | NC | 0x1, /* reserved at level 3 */
		0x80000000 | ATTRS | NC | PAGE,
	};
	uint64_t blocks[] = {
		0x8000000000 | ATTRS | WB | BLOCK, /* reserved at level 0 */
		0x8000000000 | ATTRS | DEV | BLOCK, /* the same */
		0x80001000 | TABLE,
		0,
	};
	struct ncg_s2_decoder decoder;
	struct found found;

	(void)state;
	start(&decoder, &kvm_4k, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 3, pages, ARRAY_SIZE(pages), 0), 0);
	assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
	assert_int_equal(decoder.totals.entries, 7);
	assert_int_equal(decoder.totals.reserved, 2);
	assert_int_equal(decoder.totals.tables, 0);
	assert_int_equal(all_leaves(&decoder), 1);
	assert_int_equal(found.ranges_count, 1);
	check_range(&found.ranges[0], 0x6000, 0x80000000, 4096, 4096, 1, NCG_MT_NORMAL_NC);

	start(&decoder, &kvm_4k_48, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 0, blocks, ARRAY_SIZE(blocks), 0), 0);
	assert_int_equal(decoder.totals.reserved, 2);
	assert_int_equal(decoder.totals.tables, 1);
	assert_int_equal(found.tables_count, 1);
	assert_int_equal(found.tables[0].ipa, 0x10000000000);
	assert_int_equal(all_leaves(&decoder), 0);
}

static void ranges_grow_and_end(void **state)
{
	uint64_t pages[12] = {
		/* two pages that follow each other on both sides */
		[0] = 0x8000000000 | ATTRS | NC | PAGE,
		[1] = 0x8000001000 | ATTRS | NC | PAGE,
		/* host-physical goes on, type does not */
		[2] = 0x8000002000 | ATTRS | DEV | PAGE,
		/* type goes on, host-physical does not */
		[3] = 0x8000009000 | ATTRS | DEV | PAGE,
		/* a hole; then the other side goes on, the guest's does not */
		[5] = 0x800000a000 | ATTRS | DEV | PAGE,
		/* RAM between */
		[6] = 0x0080000000 | ATTRS | WB | PAGE,
		[7] = 0x800000b000 | ATTRS | DEV | PAGE,
		[8] = 0x800000c000 | ATTRS | DEV | PAGE,
		/* permissions and software bits do not part a range */
		[9] = 0x006000800000d000 | ATTRS | DEV | PAGE,
		/* neither does a page that is read-only */
		[10] = 0x800000e000 | 0x740 | DEV | PAGE,
		/* stage 1 decides, or a mixed type: without FWB, 0x7 */
		[11] = 0x800000f000 | ATTRS | 0x1c | PAGE,
	};
	struct ncg_s2_decoder decoder;
	struct found found;

	(void)state;
	start(&decoder, &kvm_4k, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 3, pages, 12, 0x10000000), 0);
	assert_int_equal(found.ranges_count, 5); /* the last is not over yet */
	assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
	assert_int_equal(found.ranges_count, 6);
	check_range(&found.ranges[0], 0x10000000, 0x8000000000, 0x2000, 0x1000, 2,
		    NCG_MT_NORMAL_NC);
	check_range(&found.ranges[1], 0x10002000, 0x8000002000, 0x1000, 0x1000, 1,
		    NCG_MT_DEVICE_nGnRE);
	check_range(&found.ranges[2], 0x10003000, 0x8000009000, 0x1000, 0x1000, 1,
		    NCG_MT_DEVICE_nGnRE);
	check_range(&found.ranges[3], 0x10005000, 0x800000a000, 0x1000, 0x1000, 1,
		    NCG_MT_DEVICE_nGnRE);
	check_range(&found.ranges[4], 0x10007000, 0x800000b000, 0x4000, 0x1000, 4,
		    NCG_MT_DEVICE_nGnRE);
	check_range(&found.ranges[5], 0x1000b000, 0x800000f000, 0x1000, 0x1000, 1, NCG_MT_OTHER);
	check_leaves(&decoder, NCG_MT_NORMAL_WB, 3, 1, 4096);
	check_leaves(&decoder, NCG_MT_NORMAL_NC, 3, 2, 8192);
	check_leaves(&decoder, NCG_MT_DEVICE_nGnRE, 3, 7, 28672);
	check_leaves(&decoder, NCG_MT_OTHER, 3, 1, 4096);
	assert_int_equal(all_leaves(&decoder), 11);

	/* Nothing is left, and nothing is handed out twice. */
	assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
	assert_int_equal(found.ranges_count, 6);
}

static void ranges_cross_pages_but_not_sizes(void **state)
{
	static uint64_t first[512], second[512];
	uint64_t block = 0x8000400000 | ATTRS | DEV | BLOCK;
	struct ncg_s2_decoder decoder;
	struct found found;
	size_t i;

	(void)state;
	for (i = 0; i < 512; i++) {
		first[i] = (0x8000000000 + i * 4096) | ATTRS | DEV | PAGE;
		second[i] = (0x8000200000 + i * 4096) | ATTRS | DEV | PAGE;
	}
	start(&decoder, &kvm_4k, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 3, first, 512, 0x10000000), 0);
	assert_int_equal(ncg_s2_decode_page(&decoder, 3, second, 512, 0x10200000), 0);
	assert_int_equal(found.ranges_count, 0);
	/* The block goes on where the pages end, but is a leaf of another size. */
	assert_int_equal(ncg_s2_decode_page(&decoder, 2, &block, 1, 0x10400000), 0);
	assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
	assert_int_equal(found.ranges_count, 2);
	check_range(&found.ranges[0], 0x10000000, 0x8000000000, 0x400000, 0x1000, 1024,
		    NCG_MT_DEVICE_nGnRE);
	check_range(&found.ranges[1], 0x10400000, 0x8000400000, 0x200000, 0x200000, 1,
		    NCG_MT_DEVICE_nGnRE);
	check_leaves(&decoder, NCG_MT_DEVICE_nGnRE, 3, 1024, 4194304);
	check_leaves(&decoder, NCG_MT_DEVICE_nGnRE, 2, 1, 2097152);
}

static void what_lies_beyond_the_input_size(void **state)
{
	/* 36 bits at 4K: 64 entries of the root page are in use. */
	static const struct ncg_s2_geometry g = {
		.page_shift = 12, .ia_bits = 36, .start_level = 1,
	};
	static uint64_t root[512];
	struct ncg_s2_decoder decoder;
	struct found found;
	size_t i;

	(void)state;
	for (i = 0; i < 512; i++)
		root[i] = 0x80001000 | TABLE;
	start(&decoder, &g, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 1, root, 512, 0), 0);
	assert_int_equal(found.tables_count, 64);
	assert_int_equal(decoder.totals.entries, 64);
	assert_int_equal(found.tables[63].ipa, 0xfc0000000);

	start(&decoder, &g, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 1, root, 512, 0x1000000000), 0);
	assert_int_equal(ncg_s2_decode_page(&decoder, 1, root, 0, 0), 0);
	assert_int_equal(decoder.totals.entries, 0);
}

static void arguments_that_are_wrong(void **state)
{
	uint64_t page = 0x80000000 | ATTRS | DEV | PAGE;
	struct ncg_s2_decoder decoder;
	struct found found;

	(void)state;
	start(&decoder, &kvm_4k, &found);
	assert_int_equal(ncg_s2_decode_page(&decoder, 4, &page, 1, 0), -EINVAL);
	assert_int_equal(ncg_s2_decode_page(&decoder, 0, &page, 1, 0), -EINVAL);
	assert_int_equal(ncg_s2_decode_page(&decoder, 3, &page, 1, 0x800), -EINVAL);
	assert_int_equal(ncg_s2_decode_page(&decoder, 2, &page, 1, 0x1000), -EINVAL);
	assert_int_equal(decoder.totals.entries, 0);
	assert_int_equal(found.ranges_count, 0);
}

static void callbacks_can_end_it(void **state)
{
	uint64_t entries[] = { 0x80001000 | TABLE, 0x80002000 | TABLE };
	uint64_t pages[] = { 0x8000000000 | ATTRS | DEV | PAGE, 0x9000000000 | ATTRS | DEV | PAGE };
	struct ncg_s2_decoder decoder;
	struct found found;

	(void)state;
	start(&decoder, &kvm_4k, &found);
	found.answer = -ENOSPC;
	assert_int_equal(ncg_s2_decode_page(&decoder, 1, entries, 2, 0), -ENOSPC);
	assert_int_equal(found.tables_count, 1);
	assert_int_equal(ncg_s2_decode_page(&decoder, 3, pages, 2, 0), -ENOSPC);
	assert_int_equal(ncg_s2_decode_finish(&decoder), -ENOSPC);
	assert_int_equal(found.ranges_count, 2);

	/* Without callbacks it only counts. */
	assert_int_equal(ncg_s2_decoder_init(&decoder, &kvm_4k, NULL), 0);
	assert_int_equal(ncg_s2_decode_page(&decoder, 1, entries, 2, 0), 0);
	assert_int_equal(ncg_s2_decode_page(&decoder, 3, pages, 2, 0), 0);
	assert_int_equal(ncg_s2_decode_finish(&decoder), 0);
	assert_int_equal(decoder.totals.tables, 2);
	check_leaves(&decoder, NCG_MT_DEVICE_nGnRE, 3, 2, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_of_levels),
		cmocka_unit_test(roots),
		cmocka_unit_test(shapes_that_do_not_exist),
		cmocka_unit_test(geometry_of_a_vm),
		cmocka_unit_test(memory_types),
		cmocka_unit_test(output_addresses),
		cmocka_unit_test(levels_with_blocks),
		cmocka_unit_test(page_of_ram),
		cmocka_unit_test(tables_and_blocks_of_4k),
		cmocka_unit_test(blocks_of_16k_and_64k),
		cmocka_unit_test(lpa2_tree),
		cmocka_unit_test(entries_that_are_no_leaves),
		cmocka_unit_test(ranges_grow_and_end),
		cmocka_unit_test(ranges_cross_pages_but_not_sizes),
		cmocka_unit_test(what_lies_beyond_the_input_size),
		cmocka_unit_test(arguments_that_are_wrong),
		cmocka_unit_test(callbacks_can_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
