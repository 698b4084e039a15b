// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stage-2 decoder on any geometry and any entries: no crash, totals that add
 * up, ranges that hold what was counted, and the same result in two pieces as in
 * one. Input: struct head, then entries. Keeps no state between inputs.
 */
#include <errno.h>

#include "fuzz.h"
#include "stage2.h"

#define ENTRIES_MAX 8192

/* Chosen so that small numbers are valid: half of all inputs decode something. */
struct head {
	uint8_t page_shift; /* 0, 1, 2: 12, 14, 16; others as they are */
	uint8_t ia_bits;
	int8_t start_level;
	uint8_t flags; /* 1: lpa2, 2: pa52, 4: the geometry comes from registers */
	uint8_t fwb;
	int8_t level;
	uint16_t cut;  /* entries in the first piece */
	uint64_t ipa;  /* in entries of that level; ipa_off is added */
	uint64_t ipa_off;
	uint64_t vtcr;
	uint64_t hcr;
};

/* What the callbacks found. */
struct found {
	const struct ncg_s2_geometry *geometry;
	const uint64_t *entries;
	size_t count;
	int level;
	uint64_t ipa;
	uint64_t tables;
	uint64_t ranges;
	uint64_t leaves[NCG_MT_NR];
	uint64_t bytes[NCG_MT_NR];
	uint64_t table_index; /* one above the last, for the order */
	uint64_t range_end;
	uint64_t stop_after; /* callbacks; 0: never */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int stop(struct found *f)
{
	return f->stop_after && f->tables + f->ranges >= f->stop_after ? -ECANCELED : 0;
}

static int on_table(void *arg, const struct ncg_s2_table *table)
{
	struct found *f = arg;
	const uint64_t limit = UINT64_C(1) << f->geometry->ia_bits;
	const uint64_t entry = ncg_s2_entry_size(f->geometry, f->level);

	f->tables++;
	check(table->level == f->level + 1 && table->level <= NCG_S2_LEVEL_MAX);
	check(table->ipa < limit && !(table->ipa & (entry - 1)));
	check(table->ipa >= f->ipa && (table->ipa - f->ipa) / entry < f->count);
	check(table->descriptor == f->entries[(table->ipa - f->ipa) / entry]);
	check((table->descriptor & 3) == 3);
	check(table->phys < UINT64_C(1) << 52);
	check(table->phys == ncg_s2_table_address(f->geometry, table->descriptor));
	check((table->ipa - f->ipa) / entry >= f->table_index);
	f->table_index = (table->ipa - f->ipa) / entry + 1;
	return stop(f);
}

static int on_range(void *arg, const struct ncg_s2_range *range)
{
	struct found *f = arg;
	const uint64_t limit = UINT64_C(1) << f->geometry->ia_bits;

	f->ranges++;
	check(range->memtype < NCG_MT_NR && range->memtype != NCG_MT_NORMAL_WB);
	check(range->leaves > 0 && range->size == range->leaves * range->leaf_size);
	check(range->leaf_size == ncg_s2_entry_size(f->geometry, f->level));
	check(!(range->ipa & (range->leaf_size - 1)) && !(range->phys & (range->leaf_size - 1)));
	check(range->ipa >= f->range_end && range->ipa + range->size <= limit);
	for (uint64_t at = 0; at < range->size; at += range->leaf_size) {
		const size_t i = (range->ipa + at - f->ipa) / range->leaf_size;

		check(i < f->count);
		check(ncg_s2_leaf_address(f->geometry, f->level, f->entries[i]) ==
		      range->phys + at);
		check(ncg_s2_memtype(f->geometry->fwb, f->entries[i] >> 2) == range->memtype);
	}
	f->range_end = range->ipa + range->size;
	f->leaves[range->memtype] += range->leaves;
	f->bytes[range->memtype] += range->size;
	return stop(f);
}

/* One entry, decoded by itself: the slow way to the same totals. */
static void count_naively(const struct ncg_s2_geometry *g, int level, uint64_t descriptor,
			  struct ncg_s2_totals *totals)
{
	const int at = NCG_S2_LEVEL_INDEX(level);
	enum ncg_memtype memtype;

	totals->entries++;
	if (!(descriptor & 1))
		return;
	if (level < NCG_S2_LEVEL_MAX && descriptor & 2) {
		totals->tables++;
	} else if (level < NCG_S2_LEVEL_MAX ? !ncg_s2_level_holds_blocks(g, level) :
					      !(descriptor & 2)) {
		totals->reserved++;
	} else {
		memtype = ncg_s2_memtype(g->fwb, descriptor >> 2);
		totals->leaves[memtype][at]++;
		totals->bytes[memtype][at] += ncg_s2_entry_size(g, level);
	}
}

static int decode(struct found *f, size_t cut, struct ncg_s2_totals *ret_totals)
{
	const struct ncg_s2_sink sink = { on_table, on_range, f };
	const uint64_t entry = ncg_s2_entry_size(f->geometry, f->level);
	struct ncg_s2_decoder decoder;
	int r;

	f->range_end = f->ipa;
	check(!ncg_s2_decoder_init(&decoder, f->geometry, &sink));
	r = ncg_s2_decode_page(&decoder, f->level, f->entries, cut, f->ipa);
	if (!r)
		r = ncg_s2_decode_page(&decoder, f->level, f->entries + cut, f->count - cut,
				       f->ipa + cut * entry);
	if (!r)
		r = ncg_s2_decode_finish(&decoder);
	*ret_totals = decoder.totals;
	return r;
}

static void decode_and_check(const struct ncg_s2_geometry *g, int level, uint64_t ipa,
			     const uint64_t *entries, size_t count, size_t cut)
{
	const struct found begin = { .geometry = g, .entries = entries, .count = count,
				     .level = level, .ipa = ipa };
	const uint64_t limit = UINT64_C(1) << g->ia_bits;
	struct ncg_s2_totals totals, pieces, naive = {};
	struct found whole = begin, parts = begin, stopped = begin;

	check(!decode(&whole, count, &totals));
	for (size_t i = 0; i < count; i++)
		if (ipa + i * ncg_s2_entry_size(g, level) < limit)
			count_naively(g, level, entries[i], &naive);
	check(!memcmp(&totals, &naive, sizeof(totals)));

	check(whole.tables == totals.tables);
	for (int m = 0; m < NCG_MT_NR; m++) {
		const uint64_t leaves = totals.leaves[m][NCG_S2_LEVEL_INDEX(level)];

		check(whole.leaves[m] == (m == NCG_MT_NORMAL_WB ? 0 : leaves));
		check(whole.bytes[m] == whole.leaves[m] * ncg_s2_entry_size(g, level));
	}

	check(!decode(&parts, cut, &pieces));
	check(!memcmp(&totals, &pieces, sizeof(totals)));
	check(parts.ranges == whole.ranges && parts.tables == whole.tables);
	check(!memcmp(parts.leaves, whole.leaves, sizeof(whole.leaves)));

	if (whole.tables + whole.ranges) {
		stopped.stop_after = 1 + cut % (whole.tables + whole.ranges);
		check(decode(&stopped, cut, &pieces) == -ECANCELED);
		check(stopped.tables + stopped.ranges == stopped.stop_after);
	}
}

static bool read_geometry(const struct head *head, struct ncg_s2_geometry *ret_geometry)
{
	static const unsigned int shifts[] = { 12, 14, 16 };
	struct ncg_s2_decoder decoder;
	struct ncg_vm vm = {
		.vtcr = head->vtcr,
		.hcr = head->hcr,
		.ia_bits = head->ia_bits,
		.start_level = head->start_level,
	};
	int r;

	*ret_geometry = (struct ncg_s2_geometry){
		.page_shift = head->page_shift < 3 ? shifts[head->page_shift] : head->page_shift,
		.ia_bits = head->ia_bits,
		.start_level = head->start_level,
		.lpa2 = head->flags & 1,
		.pa52 = head->flags & 2,
		.fwb = head->fwb,
	};
	if (head->flags & 4) {
		r = ncg_s2_geometry_read(&vm, ret_geometry);
		check(r == 0 || r == -EINVAL);
		if (r)
			return false;
		check(!ncg_s2_geometry_check(ret_geometry));
	}
	r = ncg_s2_geometry_check(ret_geometry);
	check(r == 0 || r == -EINVAL);
	check(ncg_s2_decoder_init(&decoder, ret_geometry, NULL) == r);
	return !r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t entries[ENTRIES_MAX];
	struct input input = { data, size };
	struct ncg_s2_geometry geometry;
	struct ncg_s2_decoder decoder;
	uint64_t entry, ipa;
	struct head head;
	size_t count;

	input_take(&input, &head, sizeof(head));
	if (!read_geometry(&head, &geometry))
		return 0;
	check(ncg_s2_root_pages(&geometry) >= 1 && ncg_s2_root_pages(&geometry) <= 16);
	check(ncg_s2_root_entries(&geometry) <=
	      ncg_s2_root_pages(&geometry) * ncg_s2_table_entries(&geometry));

	count = input.size / sizeof(entries[0]);
	if (count > ENTRIES_MAX)
		count = ENTRIES_MAX;
	input_take(&input, entries, count * sizeof(entries[0]));

	check(!ncg_s2_decoder_init(&decoder, &geometry, NULL));
	if (head.level < geometry.start_level || head.level > NCG_S2_LEVEL_MAX) {
		check(ncg_s2_decode_page(&decoder, head.level, entries, count, 0) == -EINVAL);
		return 0;
	}
	entry = ncg_s2_entry_size(&geometry, head.level);
	ipa = head.ipa * entry + head.ipa_off;
	if (ipa & (entry - 1)) {
		check(ncg_s2_decode_page(&decoder, head.level, entries, count, ipa) == -EINVAL);
		check(!decoder.totals.entries);
		return 0;
	}
	if (ipa >= UINT64_C(1) << geometry.ia_bits) {
		check(!ncg_s2_decode_page(&decoder, head.level, entries, count, ipa));
		check(!decoder.totals.entries);
		return 0;
	}
	decode_and_check(&geometry, head.level, ipa, entries, count,
			 count ? head.cut % (count + 1) : 0);
	return 0;
}
