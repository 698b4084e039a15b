/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * minivmm's guest: its code, where things are in its RAM, and the tables that it runs
 * with. Fails by ending the program.
 */
#ifndef MINIVMM_GUEST_H
#define MINIVMM_GUEST_H

#include <stddef.h>
#include <stdint.h>

#define MAX_BARS	16
#define MIB		(1ULL << 20)
#define GIB		(1ULL << 30)
#define BLOCK		(2 * MIB)	/* stage-1 level 2 block, 4 KiB granule */

enum {
	EXIT_OK		= 0,
	EXIT_SETUP	= 1,
	EXIT_USAGE	= 2,
	EXIT_MISMATCH	= 10,
	EXIT_FAULT	= 11,
	EXIT_KVM	= 12,
};

/* Guest RAM, as offsets from its start. */
#define OFF_CODE	0x0
#define OFF_PARAMS	0x10000
#define OFF_TABLES	0x20000
#define OFF_NESTED	0x1f0000	/* stage 2 of a guest within the guest */
#define OFF_TABLES_END	OFF_NESTED
#define OFF_NESTED_END	BLOCK
#define OFF_TOUCH	BLOCK
#define MIN_RAM_MIB	4

/* A guest-physical page with nothing behind it: the guest's reports. */
#define REPORT_IPA	0x09000000ULL
enum report {
	REPORT_RESULT	= 0x00,		/* 0 equal, 1 not */
	REPORT_HOLDING	= 0x08,
	REPORT_OFF	= 0x10,
	REPORT_FAR	= 0x18,		/* these two come before ESR */
	REPORT_ELR	= 0x20,
	REPORT_ESR	= 0x28,
	REPORT_BEGIN	= 0x30,		/* around the counted accesses */
	REPORT_END	= 0x38,
};

/* What the guest reads; its code knows the offsets. */
struct params {
	uint64_t report;	/* 0x00 */
	uint64_t store_offset;	/* 0x08: within each BAR; 0 is "no store" */
	uint64_t touch_pages;	/* 0x10 */
	uint64_t touch_stride;	/* 0x18 */
	uint64_t touch_ram;	/* 0x20: address, 0 is "no touching" */
	uint64_t touch_ram_end;	/* 0x28 */
	uint64_t hold;		/* 0x30 */
	uint64_t bar_count;	/* 0x38 */
	uint64_t accesses;	/* 0x40 */
	uint64_t zero;
	struct {
		uint64_t ipa;
		uint64_t size;
	} bars[MAX_BARS];	/* 0x50 */
};
_Static_assert(offsetof(struct params, hold) == 0x30, "guest code");
_Static_assert(offsetof(struct params, bars) == 0x50, "guest code");

/* The code: its vectors, then where it starts, and where it does as a hypervisor. */
#define GUEST_SYMBOL	extern const char __attribute__((visibility("hidden")))
GUEST_SYMBOL guest_start[];
GUEST_SYMBOL guest_entry[];
GUEST_SYMBOL guest_el2[];
GUEST_SYMBOL guest_end[];

/* Registers, by their pages in the Arm ARM, DDI 0487; and the indices of MAIR_EL1. */
#define ATTR_WB		0
#define ATTR_NC		1
#define ATTR_DEVICE	2
#define MAIR		(0xffULL | 0x44ULL << 8 | 0x00ULL << 16)

/* T0SZ 16 (48 bits), Write-Back inner shareable walks, EPD1, IPS 48 bits. */
#define TCR		(16ULL | 1ULL << 8 | 1ULL << 10 | 3ULL << 12 | \
			 1ULL << 23 | 5ULL << 32)
/* The bits that are RES1 without later extensions, and I, C, M. */
#define SCTLR		(0x30d00800ULL | 1ULL << 12 | 1ULL << 2 | 1ULL << 0)

/*
 * Stage 2 of the guest within the guest: 39 bits from level 1, pages of 4 KiB, 40-bit
 * addresses, Write-Back inner shareable walks; bit 31 is RES1.
 */
#define NESTED_VTCR	(25ULL | 1ULL << 6 | 1ULL << 8 | 1ULL << 10 | 3ULL << 12 | \
			 2ULL << 16 | 1ULL << 31)

/* HCR_EL2: VM, RW (EL1 is 64-bit), E2H. */
#define NESTED_HCR	(1ULL << 0 | 1ULL << 31 | 1ULL << 34)

/* Tables in guest RAM, the root at its place and the others from `next` on. */
struct tables {
	char *ram;
	uint64_t ram_ipa;
	uint64_t next;		/* offset of the next free table page */
	uint64_t end;		/* of where they may be */
};

/* Both map [ipa, ipa + size) to itself, in blocks of 2 MiB. */
void stage1_map(struct tables *s1, uint64_t ipa, uint64_t size, int attr);
void nested_map(struct tables *s2, uint64_t ipa, uint64_t size);

/* Ends the program: with a status, and a message on stderr. */
__attribute__((noreturn, format(printf, 2, 3)))
void die(int status, const char *format, ...);

#endif
