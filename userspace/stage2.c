// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements stage2.h. Pure; the only state is the caller's decoder.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#ifdef __aarch64__
#include <arm_neon.h>
#endif

#include "stage2.h"

#define BIT(n) (UINT64_C(1) << (n))
#define BITS(high, low) ((~UINT64_C(0) >> (63 - (high))) & (~UINT64_C(0) << (low)))

/* VTCR_EL2 and HCR_EL2 fields: Arm ARM, "AArch64 System register descriptions". */
#define VTCR_TG0_SHIFT 14
#define VTCR_TG0_MASK 3
#define VTCR_PS_SHIFT 16
#define VTCR_PS_MASK 7
#define VTCR_PS_52 6
#define VTCR_DS BIT(32)

/* Descriptor bits: Arm ARM, "VMSAv8-64 descriptor formats", stage 2. */
#define DESC_VALID BIT(0)
#define DESC_TABLE BIT(1) /* levels below 3: table, not block. Level 3: page */
#define DESC_MEMATTR_SHIFT 2
#define DESC_MEMATTR_MASK 0xf

#define IA_BITS_MAX 52
#define ROOT_PAGES_MAX_SHIFT 4 /* 16 pages */

/*
 * Arm ARM, "Stage 2 memory type and Cacheability attributes".
 *
 * Without FWB, MemAttr[3:2] is Device (00) or the outer Cacheability (01 NC,
 * 10 WT, 11 WB) and MemAttr[1:0] the kind of Device, or the inner Cacheability
 * (01, 10, 11; 00 is reserved). Only equal halves are a type KVM knows.
 *
 * With FWB, MemAttr[3] does not count; 0b0xx is Device, 0b101 NC, 0b110 WB,
 * 0b111 what stage 1 says, and 0b100 is reserved.
 *
 * KVM writes 0xf, 0x5, 0x1 without FWB and 0x6, 0x5, 0x1 (from 7.x also 0x7) with
 * it: MT_S2_* in arch/arm64/include/asm/memory.h, Normal-NC there since 6.9. So
 * where the encoding is not known, 0xf and 0x6 are both WB: the other encoding's
 * reading of them (stage 1 decides; outer NC, inner WT) is none that KVM makes.
 */
static const uint8_t memtypes[NCG_S2_FWB_NR][16] = {
	[NCG_S2_FWB_NO] = {
		[0x0] = NCG_MT_DEVICE_nGnRnE,
		[0x1] = NCG_MT_DEVICE_nGnRE,
		[0x2] = NCG_MT_DEVICE_nGRE,
		[0x3] = NCG_MT_DEVICE_GRE,
		[0x4] = NCG_MT_OTHER,
		[0x5] = NCG_MT_NORMAL_NC,
		[0x6] = NCG_MT_OTHER,
		[0x7] = NCG_MT_OTHER,
		[0x8] = NCG_MT_OTHER,
		[0x9] = NCG_MT_OTHER,
		[0xa] = NCG_MT_NORMAL_WT,
		[0xb] = NCG_MT_OTHER,
		[0xc] = NCG_MT_OTHER,
		[0xd] = NCG_MT_OTHER,
		[0xe] = NCG_MT_OTHER,
		[0xf] = NCG_MT_NORMAL_WB,
	},
	[NCG_S2_FWB_YES] = {
		[0x0] = NCG_MT_DEVICE_nGnRnE,
		[0x1] = NCG_MT_DEVICE_nGnRE,
		[0x2] = NCG_MT_DEVICE_nGRE,
		[0x3] = NCG_MT_DEVICE_GRE,
		[0x4] = NCG_MT_OTHER,
		[0x5] = NCG_MT_NORMAL_NC,
		[0x6] = NCG_MT_NORMAL_WB,
		[0x7] = NCG_MT_OTHER,
		[0x8] = NCG_MT_DEVICE_nGnRnE,
		[0x9] = NCG_MT_DEVICE_nGnRE,
		[0xa] = NCG_MT_DEVICE_nGRE,
		[0xb] = NCG_MT_DEVICE_GRE,
		[0xc] = NCG_MT_OTHER,
		[0xd] = NCG_MT_NORMAL_NC,
		[0xe] = NCG_MT_NORMAL_WB,
		[0xf] = NCG_MT_OTHER,
	},
	[NCG_S2_FWB_UNKNOWN] = {
		[0x0] = NCG_MT_DEVICE_nGnRnE,
		[0x1] = NCG_MT_DEVICE_nGnRE,
		[0x2] = NCG_MT_DEVICE_nGRE,
		[0x3] = NCG_MT_DEVICE_GRE,
		[0x4] = NCG_MT_OTHER,
		[0x5] = NCG_MT_NORMAL_NC,
		[0x6] = NCG_MT_NORMAL_WB,
		[0x7] = NCG_MT_OTHER,
		[0x8] = NCG_MT_OTHER,
		[0x9] = NCG_MT_OTHER,
		[0xa] = NCG_MT_OTHER,
		[0xb] = NCG_MT_OTHER,
		[0xc] = NCG_MT_OTHER,
		[0xd] = NCG_MT_OTHER,
		[0xe] = NCG_MT_OTHER,
		[0xf] = NCG_MT_NORMAL_WB,
	},
};

/*
 * MemAttr of Write-Back RAM as a comparison, for the loop that sees every entry:
 * (memattr & mask) is one of want[]. Says the same as the table above, which the
 * unit test proves for all 16 values.
 */
static const struct {
	uint8_t mask;
	uint8_t want[2];
} ram_memattr[NCG_S2_FWB_NR] = {
	[NCG_S2_FWB_NO] = { 0xf, { 0xf, 0xf } },
	[NCG_S2_FWB_YES] = { 0x7, { 0x6, 0x6 } },
	[NCG_S2_FWB_UNKNOWN] = { 0xf, { 0xf, 0x6 } },
};

static_assert(NCG_S2_LEVEL_INDEX(NCG_S2_LEVEL_MAX) == NCG_S2_LEVELS - 1, "levels");

static unsigned int table_bits(const struct ncg_s2_geometry *geometry)
{
	return geometry->page_shift - 3; /* entries are 8 bytes */
}

int ncg_s2_geometry_check(const struct ncg_s2_geometry *geometry)
{
	unsigned int shift;
	int lowest;

	/*
	 * The level whose entries would cover more than 52 bits does not exist:
	 * Arm ARM, "Translation granules", one level less with each granule.
	 */
	switch (geometry->page_shift) {
	case 12:
		lowest = -1;
		break;
	case 14:
		lowest = 0;
		break;
	case 16:
		lowest = 1;
		break;
	default:
		return -EINVAL;
	}
	if (geometry->start_level < lowest || geometry->start_level > 2)
		return -EINVAL;
	if ((unsigned int)geometry->fwb >= NCG_S2_FWB_NR)
		return -EINVAL;

	shift = ncg_s2_entry_shift(geometry, geometry->start_level);
	if (geometry->ia_bits <= shift || geometry->ia_bits > IA_BITS_MAX ||
	    geometry->ia_bits > shift + table_bits(geometry) + ROOT_PAGES_MAX_SHIFT)
		return -EINVAL;
	return 0;
}

int ncg_s2_geometry_read(const struct ncg_vm *vm, struct ncg_s2_geometry *ret_geometry)
{
	static const uint8_t page_shifts[VTCR_TG0_MASK + 1] = { 12, 16, 14, 0 };
	struct ncg_s2_geometry geometry = {
		.page_shift = page_shifts[(vm->vtcr >> VTCR_TG0_SHIFT) & VTCR_TG0_MASK],
		.ia_bits = vm->ia_bits,
		.start_level = vm->start_level,
		.lpa2 = vm->vtcr & VTCR_DS,
		.pa52 = ((vm->vtcr >> VTCR_PS_SHIFT) & VTCR_PS_MASK) == VTCR_PS_52,
	};
	int err;

	if (!vm->hcr)
		geometry.fwb = NCG_S2_FWB_UNKNOWN;
	else
		geometry.fwb = vm->hcr & NCG_HCR_FWB ? NCG_S2_FWB_YES : NCG_S2_FWB_NO;

	err = ncg_s2_geometry_check(&geometry);
	if (err)
		return err;
	*ret_geometry = geometry;
	return 0;
}

size_t ncg_s2_table_entries(const struct ncg_s2_geometry *geometry)
{
	return (size_t)1 << table_bits(geometry);
}

size_t ncg_s2_root_entries(const struct ncg_s2_geometry *geometry)
{
	return (size_t)1 << (geometry->ia_bits -
			     ncg_s2_entry_shift(geometry, geometry->start_level));
}

size_t ncg_s2_root_pages(const struct ncg_s2_geometry *geometry)
{
	size_t pages = ncg_s2_root_entries(geometry) >> table_bits(geometry);

	return pages ? pages : 1;
}

unsigned int ncg_s2_entry_shift(const struct ncg_s2_geometry *geometry, int level)
{
	return geometry->page_shift +
	       (unsigned int)(NCG_S2_LEVEL_MAX - level) * table_bits(geometry);
}

uint64_t ncg_s2_entry_size(const struct ncg_s2_geometry *geometry, int level)
{
	return BIT(ncg_s2_entry_shift(geometry, level));
}

bool ncg_s2_level_holds_blocks(const struct ncg_s2_geometry *geometry, int level)
{
	int first;

	switch (geometry->page_shift) {
	case 12:
		first = geometry->lpa2 ? 0 : 1;
		break;
	case 14:
		first = geometry->lpa2 ? 1 : 2;
		break;
	default:
		first = geometry->pa52 ? 1 : 2;
		break;
	}
	return level >= first && level < NCG_S2_LEVEL_MAX;
}

bool ncg_s2_is_table(int level, uint64_t descriptor)
{
	return level < NCG_S2_LEVEL_MAX && (descriptor & DESC_VALID) && (descriptor & DESC_TABLE);
}

enum ncg_memtype ncg_s2_memtype(enum ncg_s2_fwb fwb, unsigned int memattr)
{
	return memtypes[fwb][memattr & DESC_MEMATTR_MASK];
}

/*
 * As kvm_pte_to_phys() in arch/arm64/include/asm/kvm_pgtable.h. At 64K bits
 * [15:12] are read at all times: they are 0 where addresses have 48 bits.
 */
uint64_t ncg_s2_table_address(const struct ncg_s2_geometry *geometry, uint64_t descriptor)
{
	unsigned int shift = geometry->page_shift;

	if (shift == 16)
		return (descriptor & BITS(47, 16)) | (descriptor & BITS(15, 12)) << (48 - 12);
	if (geometry->lpa2)
		return (descriptor & BITS(49, shift)) | (descriptor & BITS(9, 8)) << (50 - 8);
	return descriptor & BITS(47, shift);
}

uint64_t ncg_s2_leaf_address(const struct ncg_s2_geometry *geometry, int level,
			     uint64_t descriptor)
{
	/* A block has other fields below its size: nT, bit 16, for one. */
	return ncg_s2_table_address(geometry, descriptor) &
	       ~(ncg_s2_entry_size(geometry, level) - 1);
}

static void add_leaves(struct ncg_s2_totals *totals, enum ncg_memtype memtype, int level,
		       uint64_t leaves, uint64_t leaf_size)
{
	totals->leaves[memtype][NCG_S2_LEVEL_INDEX(level)] += leaves;
	totals->bytes[memtype][NCG_S2_LEVEL_INDEX(level)] += leaves * leaf_size;
}

int ncg_s2_decode_finish(struct ncg_s2_decoder *decoder)
{
	struct ncg_s2_range done = decoder->pending;

	if (!done.leaves)
		return 0;
	decoder->pending = (struct ncg_s2_range){ 0 };
	return decoder->sink.range ? decoder->sink.range(decoder->sink.arg, &done) : 0;
}

static int add_range(struct ncg_s2_decoder *decoder, enum ncg_memtype memtype, uint64_t ipa,
		     uint64_t phys, uint64_t leaf_size)
{
	struct ncg_s2_range *pending = &decoder->pending;
	int err;

	if (pending->leaves && pending->memtype == memtype && pending->leaf_size == leaf_size &&
	    pending->ipa + pending->size == ipa && pending->phys + pending->size == phys) {
		pending->size += leaf_size;
		pending->leaves++;
		return 0;
	}

	err = ncg_s2_decode_finish(decoder);
	*pending = (struct ncg_s2_range){
		.ipa = ipa,
		.phys = phys,
		.size = leaf_size,
		.leaf_size = leaf_size,
		.leaves = 1,
		.memtype = memtype,
	};
	return err;
}

static struct ncg_s2_level level_of(const struct ncg_s2_geometry *geometry, int level)
{
	bool pages = level == NCG_S2_LEVEL_MAX;
	struct ncg_s2_level ret = {
		.shift = ncg_s2_entry_shift(geometry, level),
		.leaves = pages || ncg_s2_level_holds_blocks(geometry, level),
		.ram_mask = DESC_VALID | DESC_TABLE |
			    ram_memattr[geometry->fwb].mask << DESC_MEMATTR_SHIFT,
	};

	for (size_t w = 0; w < 2; w++)
		ret.ram[w] = !ret.leaves ? UINT8_MAX /* no masked byte equals it */ :
			     DESC_VALID | (pages ? DESC_TABLE : 0) |
				     ram_memattr[geometry->fwb].want[w] << DESC_MEMATTR_SHIFT;
	return ret;
}

int ncg_s2_decoder_init(struct ncg_s2_decoder *decoder, const struct ncg_s2_geometry *geometry,
			const struct ncg_s2_sink *sink)
{
	int err = ncg_s2_geometry_check(geometry);

	if (err)
		return err;
	*decoder = (struct ncg_s2_decoder){ .geometry = *geometry };
	for (int level = geometry->start_level; level <= NCG_S2_LEVEL_MAX; level++)
		decoder->levels[NCG_S2_LEVEL_INDEX(level)] = level_of(geometry, level);
	if (sink)
		decoder->sink = *sink;
	return 0;
}

/*
 * All that tells RAM and nothing from the rest is in a descriptor's lowest byte: the
 * low two bits and MemAttr. So entries are looked at 16 at a time, as the bytes of one
 * vector.
 */
#define GROUP 16
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "descriptors are little-endian");

typedef uint8_t bytes __attribute__((vector_size(GROUP)));

#ifdef __aarch64__
/* A load that puts every fourth byte into one vector: of 8 entries, the lowest of each word. */
static inline bytes low_bytes(const uint64_t *entries)
{
	uint8x16x4_t a = vld4q_u8((const uint8_t *)entries);
	uint8x16x4_t b = vld4q_u8((const uint8_t *)(entries + GROUP / 2));

	return (bytes)vuzp1q_u8(a.val[0], b.val[0]);
}
#else
static inline bytes low_bytes(const uint64_t *entries)
{
	bytes low;

	for (int i = 0; i < GROUP; i++)
		low[i] = (uint8_t)entries[i];
	return low;
}
#endif

/* 1 in each byte whose entry is valid. */
static inline bytes valid_of(bytes low)
{
	return low & (uint8_t)DESC_VALID;
}

/* All bits of each byte whose entry is RAM. one: ram[0] and ram[1] are the same. */
static inline bytes ram_of(bytes low, const struct ncg_s2_level *level, bool one)
{
	bytes masked = low & level->ram_mask;

	if (one)
		return (bytes)(masked == level->ram[0]);
	return (bytes)((masked == level->ram[0]) | (masked == level->ram[1]));
}

static bool any_byte(bytes v)
{
	uint64_t halves_of[2];

	memcpy(halves_of, &v, sizeof(halves_of));
	return halves_of[0] | halves_of[1];
}

static uint64_t sum_bytes(bytes v)
{
	const uint64_t even = UINT64_C(0x00ff00ff00ff00ff), ones = UINT64_C(0x0001000100010001);
	uint64_t halves_of[2], sum;

	memcpy(halves_of, &v, sizeof(halves_of));
	sum = (halves_of[0] & even) + (halves_of[0] >> 8 & even) + (halves_of[1] & even) +
	      (halves_of[1] >> 8 & even);
	return sum * ones >> 48;
}

static bool entry_is_ram(uint64_t entry, const struct ncg_s2_level *level)
{
	uint8_t masked = entry & level->ram_mask;

	return masked == level->ram[0] || masked == level->ram[1];
}

static bool entry_is_more(uint64_t entry, const struct ncg_s2_level *level)
{
	return (entry & DESC_VALID) && !entry_is_ram(entry, level);
}

struct census {
	uint64_t ram;
	bool more; /* there are valid entries that are not RAM */
};

/* Every entry of every guest comes through the inner loop: it is written for few instructions. */
static inline __attribute__((always_inline)) void count_groups(const uint64_t *entries,
							       size_t groups,
							       const struct ncg_s2_level *level,
							       bool one, struct census *census)
{
	while (groups) {
		/* As many as a byte can count. */
		size_t now = groups < UINT8_MAX ? groups : UINT8_MAX;
		bytes valid = {}, ram = {};

		groups -= now;
#pragma GCC unroll 4
		for (; now; now--, entries += GROUP) {
			bytes low = low_bytes(entries);

			valid += valid_of(low);
			ram -= ram_of(low, level, one);
		}
		census->ram += sum_bytes(ram);
		census->more |= any_byte(valid ^ ram); /* RAM is valid */
	}
}

static struct census take_census(const uint64_t *entries, size_t count,
				 const struct ncg_s2_level *level)
{
	size_t groups = count / GROUP;
	struct census census = {};

	if (level->ram[0] == level->ram[1])
		count_groups(entries, groups, level, true, &census);
	else
		count_groups(entries, groups, level, false, &census);
	for (size_t i = groups * GROUP; i < count; i++) {
		census.ram += entry_is_ram(entries[i], level);
		census.more |= entry_is_more(entries[i], level);
	}
	return census;
}

static bool group_has_more(const uint64_t *entries, const struct ncg_s2_level *level)
{
	bytes low = low_bytes(entries);

	return any_byte(valid_of(low) & ~ram_of(low, level, false));
}

/* One entry that is neither nothing nor RAM. */
static int decode_entry(struct ncg_s2_decoder *decoder, int level, uint64_t descriptor, size_t index,
			uint64_t ipa)
{
	const struct ncg_s2_geometry *geometry = &decoder->geometry;
	const struct ncg_s2_level *at = &decoder->levels[NCG_S2_LEVEL_INDEX(level)];
	enum ncg_memtype memtype;
	uint64_t size;

	decoder->single++;
	if (ncg_s2_is_table(level, descriptor)) {
		struct ncg_s2_table table = {
			.ipa = ipa,
			.phys = ncg_s2_table_address(geometry, descriptor),
			.descriptor = descriptor,
			.index = index,
			.level = level + 1,
		};

		decoder->totals.tables++;
		return decoder->sink.table ? decoder->sink.table(decoder->sink.arg, &table) : 0;
	}
	if (!at->leaves || (level == NCG_S2_LEVEL_MAX && !(descriptor & DESC_TABLE))) {
		decoder->totals.reserved++;
		return 0;
	}
	memtype = ncg_s2_memtype(geometry->fwb, descriptor >> DESC_MEMATTR_SHIFT);
	size = BIT(at->shift);
	add_leaves(&decoder->totals, memtype, level, 1, size);
	return add_range(decoder, memtype, ipa, ncg_s2_leaf_address(geometry, level, descriptor),
			 size);
}

int ncg_s2_decode_page(struct ncg_s2_decoder *decoder, int level, const uint64_t *entries,
		       size_t count, uint64_t ipa)
{
	const uint64_t limit = BIT(decoder->geometry.ia_bits);
	struct ncg_s2_totals *totals = &decoder->totals;
	const struct ncg_s2_level *at;
	struct census census;

	if (level < decoder->geometry.start_level || level > NCG_S2_LEVEL_MAX)
		return -EINVAL;
	at = &decoder->levels[NCG_S2_LEVEL_INDEX(level)];
	if (ipa & (BIT(at->shift) - 1))
		return -EINVAL;
	if (ipa >= limit)
		return 0;
	if (count > (limit - ipa) >> at->shift)
		count = (limit - ipa) >> at->shift;

	/* Nearly all of a guest is RAM or nothing, and most pages need no more than this. */
	census = take_census(entries, count, at);
	totals->entries += count;
	add_leaves(totals, NCG_MT_NORMAL_WB, level, census.ram, BIT(at->shift));
	if (!census.more)
		return 0;

	for (size_t i = 0; i < count; i++) {
		int err;

		if (i % GROUP == 0 && i + GROUP <= count && !group_has_more(entries + i, at)) {
			i += GROUP - 1;
			continue;
		}
		if (!entry_is_more(entries[i], at))
			continue;
		err = decode_entry(decoder, level, entries[i], i, ipa + ((uint64_t)i << at->shift));
		if (err)
			return err;
	}
	return 0;
}
