// SPDX-License-Identifier: GPL-2.0-only
/*
 * stage2_test N: the stage-2 decoder on N made-up table pages, each checked as the fuzzer
 * checks it, against a plain count. For arm64, whose vector loads the decoder uses and no
 * other machine runs. Ends by abort() where they differ; else says what was compared.
 */
#include <stdio.h>

#include "../fuzz/fuzz_stage2.c"

static uint64_t next(void)
{
	static uint64_t state = 20261126;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Mostly RAM and nothing, as guests are: runs of either, with all else strewn in. */
static void fill(uint64_t *entries, size_t count, int level, uint64_t strewn)
{
	const uint64_t ram = (level == NCG_S2_LEVEL_MAX ? 3 : 1) | (next() & 1 ? 0x3c : 0x18);
	bool valid = next() & 1;

	for (size_t i = 0; i < count; i++) {
		if (!(next() % 64))
			valid = !valid;
		entries[i] = valid ? ram | 0x400 | i << 16 : 0;
		if (strewn && !(next() % strewn))
			entries[i] = next() & 0x0000fffffffff7ff;
	}
}

int main(int argc, char **argv)
{
	static const struct head heads[] = {
		{ .page_shift = 0, .ia_bits = 40, .start_level = 1 },
		{ .page_shift = 0, .ia_bits = 48, .start_level = 0, .flags = 1 },
		{ .page_shift = 1, .ia_bits = 48, .start_level = 1 },
		{ .page_shift = 2, .ia_bits = 48, .start_level = 1, .flags = 2 },
	};
	static struct {
		struct head head;
		uint64_t entries[ENTRIES_MAX];
	} page;
	unsigned long pages = argc == 2 ? strtoul(argv[1], NULL, 10) : 0, entries = 0;

	for (unsigned long i = 0; i < pages; i++) {
		size_t count = 1 + next() % (i % 4 ? 512 : ENTRIES_MAX);

		page.head = heads[i % 4];
		page.head.fwb = next() % NCG_S2_FWB_NR;
		page.head.level = page.head.start_level +
				  next() % (NCG_S2_LEVEL_MAX - page.head.start_level + 1);
		page.head.cut = next();
		fill(page.entries, count, page.head.level, (uint64_t[]){ 0, 4, 100 }[next() % 3]);
		LLVMFuzzerTestOneInput((const uint8_t *)&page,
				       sizeof(page.head) + count * sizeof(page.entries[0]));
		entries += count;
	}
	printf("%lu pages, %lu entries\n", pages, entries);
	return !entries;
}
