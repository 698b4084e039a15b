/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decoder of stage-2 translation tables, VMSAv8-64 as KVM/arm64 builds them: it
 * turns copied table pages into leaf counts by memory type, into ranges that
 * are not ordinary RAM, and into the tables to look at next.
 *
 * Pure: no I/O, no allocation, no clock. All state is in the caller's struct
 * ncg_s2_decoder; one decoder belongs to one thread. It fails closed on shape
 * (a geometry the architecture does not have is refused, never guessed), and
 * open on content: whatever an entry holds is counted as something, for a copy
 * taken from a live table may be of any age.
 *
 * "Arm ARM" is DDI 0487; the chapters are named, since sections get renumbered
 * with each issue.
 */
#ifndef NCGATE_STAGE2_H
#define NCGATE_STAGE2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#define NCG_HCR_FWB (1ULL << 46)

/* HCR_EL2.FWB: which of the two encodings the MemAttr field has. */
enum ncg_s2_fwb {
	NCG_S2_FWB_NO,
	NCG_S2_FWB_YES,
	NCG_S2_FWB_UNKNOWN, /* no vCPU has run, so there is no HCR_EL2 to read */
	NCG_S2_FWB_NR,
};

struct ncg_s2_geometry {
	unsigned int page_shift; /* 12, 14 or 16: the translation granule */
	unsigned int ia_bits;	 /* of a guest-physical address, 1 to 52 */
	int start_level;	 /* -1 to 2 */
	bool lpa2;		 /* VTCR_EL2.DS: 52-bit addresses at 4K and 16K */
	bool pa52;		 /* VTCR_EL2.PS says 52 bits; matters at 64K only */
	enum ncg_s2_fwb fwb;
};

/* Levels -1 to 3; arrays by level are indexed by NCG_S2_LEVEL_INDEX(). */
#define NCG_S2_LEVEL_MIN (-1)
#define NCG_S2_LEVEL_MAX 3
#define NCG_S2_LEVELS 5
#define NCG_S2_LEVEL_INDEX(level) ((level) - NCG_S2_LEVEL_MIN)

/*
 * Reads the geometry of a VM: TG0, DS and PS from vtcr, FWB from hcr, the rest
 * as the kernel keeps it.
 * Returns 0; -EINVAL for a geometry that ncg_s2_geometry_check() refuses or a
 * reserved TG0, *ret_geometry is then untouched.
 */
int ncg_s2_geometry_read(const struct ncg_vm *vm, struct ncg_s2_geometry *ret_geometry);

/*
 * 0 when the architecture has such tables, else -EINVAL: a granule it does not
 * know, a start level that granule does not have, an input size that leaves the
 * first level empty or needs more than 16 concatenated root pages (Arm ARM,
 * "Concatenated translation tables"). All functions below need a geometry that
 * passed.
 */
int ncg_s2_geometry_check(const struct ncg_s2_geometry *geometry);

/* Entries in one table page, of any level: 512, 2048 or 8192. */
size_t ncg_s2_table_entries(const struct ncg_s2_geometry *geometry);

/*
 * Entries of the first level, all concatenated pages together. Fewer than one
 * page holds where ia_bits ends inside it; the rest of that page is unused.
 */
size_t ncg_s2_root_entries(const struct ncg_s2_geometry *geometry);

/* Table pages side by side that make up the root: 1 to 16. */
size_t ncg_s2_root_pages(const struct ncg_s2_geometry *geometry);

/* log2 of, and: bytes of guest-physical address that one entry covers. */
unsigned int ncg_s2_entry_shift(const struct ncg_s2_geometry *geometry, int level);
uint64_t ncg_s2_entry_size(const struct ncg_s2_geometry *geometry, int level);

/*
 * Whether a level may hold block leaves (Arm ARM, "VMSAv8-64 Block descriptor"):
 * 4K levels 1 and 2, with DS also 0; 16K level 2, with DS also 1; 64K level 2,
 * with 52-bit addresses also 1. Elsewhere the encoding is reserved and faults.
 */
bool ncg_s2_level_holds_blocks(const struct ncg_s2_geometry *geometry, int level);

/* Whether an entry of level points to a table. */
bool ncg_s2_is_table(int level, uint64_t descriptor);

/*
 * Memory type of a MemAttr value, descriptor bits [5:2]; higher bits of memattr
 * are ignored. NCG_MT_OTHER for what is reserved, mixed, or (with FWB, 0b111)
 * left to the guest's stage 1. With fwb unknown: the values that mean the same
 * either way, and those which KVM writes under one encoding only.
 */
enum ncg_memtype ncg_s2_memtype(enum ncg_s2_fwb fwb, unsigned int memattr);

/*
 * Host-physical address, in bytes: of the memory a leaf at level maps, and of
 * the next table that a table entry points to.
 */
uint64_t ncg_s2_leaf_address(const struct ncg_s2_geometry *geometry, int level,
			     uint64_t descriptor);
uint64_t ncg_s2_table_address(const struct ncg_s2_geometry *geometry, uint64_t descriptor);

/* An entry that points to a table of the next level. */
struct ncg_s2_table {
	uint64_t ipa;	     /* guest-physical, that the table's entry 0 covers */
	uint64_t phys;	     /* host-physical, of the table */
	uint64_t descriptor; /* the entry itself */
	size_t index;	     /* of the entry, in the array that was decoded */
	int level;	     /* of the table it points to */
};

/*
 * Leaves that are neighbours on both sides, of one size and one type. The size is
 * the entry's: the contiguous bit is a hint to the TLB and joins no leaves.
 */
struct ncg_s2_range {
	uint64_t ipa;	    /* guest-physical, bytes */
	uint64_t phys;	    /* host-physical, bytes */
	uint64_t size;	    /* bytes: leaf_size * leaves */
	uint64_t leaf_size; /* bytes */
	uint64_t leaves;
	enum ncg_memtype memtype;
};

/*
 * Where findings go. Both callbacks may be NULL (not wanted); what they are given
 * is valid during the call only. A result other than 0 ends the decoding and is
 * returned; negative errno by custom.
 */
struct ncg_s2_sink {
	int (*table)(void *arg, const struct ncg_s2_table *table);
	int (*range)(void *arg, const struct ncg_s2_range *range);
	void *arg;
};

struct ncg_s2_totals {
	uint64_t leaves[NCG_MT_NR][NCG_S2_LEVELS];
	uint64_t bytes[NCG_MT_NR][NCG_S2_LEVELS];
	uint64_t entries;  /* decoded, of every kind */
	uint64_t tables;   /* entries that point to a table */
	uint64_t reserved; /* valid bit set, but an encoding that faults */
};

/*
 * What an entry of one level covers and how RAM looks there, so that no page has to
 * find out again.
 */
struct ncg_s2_level {
	unsigned int shift; /* as ncg_s2_entry_shift() */
	bool leaves;	    /* there are such, whatever type */
	/* Normal Write-Back: of the lowest byte, the bits of ram_mask are one of ram[]. */
	uint8_t ram_mask;
	uint8_t ram[2];
};

struct ncg_s2_decoder {
	struct ncg_s2_geometry geometry;
	struct ncg_s2_level levels[NCG_S2_LEVELS]; /* from start_level on */
	struct ncg_s2_sink sink;
	struct ncg_s2_totals totals; /* for the caller to read, at any time */
	uint64_t single; /* entries looked at one by one: tables, and leaves that are no RAM */
	struct ncg_s2_range pending; /* still growing; no leaves: none */
};

/*
 * Prepares a decoder, totals at 0; it copies geometry and sink (NULL: no
 * callbacks) and owns nothing, so there is nothing to free.
 * Returns 0; -EINVAL as ncg_s2_geometry_check().
 */
int ncg_s2_decoder_init(struct ncg_s2_decoder *decoder, const struct ncg_s2_geometry *geometry,
			const struct ncg_s2_sink *sink);

/*
 * Decodes count entries of level; entries[0] covers guest-physical ipa, in
 * bytes. That may be one page, part of one, or the whole concatenated root. What
 * lies beyond ia_bits is not looked at. Adds to decoder->totals; calls
 * sink.table for each table entry, in order; and sink.range for leaves that are
 * not NCG_MT_NORMAL_WB, once their range ends. A range goes on in the next call
 * where that one continues it, so pages should come in order of address, and
 * ncg_s2_decode_finish() must come last.
 * Returns 0; -EINVAL for a level outside the geometry or an ipa that is no
 * multiple of the entry's size (nothing is counted); else what a callback
 * returned (the totals then hold a part).
 */
int ncg_s2_decode_page(struct ncg_s2_decoder *decoder, int level, const uint64_t *entries,
		       size_t count, uint64_t ipa);

/* Hands out the last range. Returns 0 or what the callback returned. */
int ncg_s2_decode_finish(struct ncg_s2_decoder *decoder);

#endif
