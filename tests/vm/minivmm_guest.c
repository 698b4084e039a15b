// SPDX-License-Identifier: GPL-2.0-only
#include "minivmm_guest.h"

#include <inttypes.h>

/*
 * The guest. x0 is the address of the parameters from the start on; the
 * vectors use it as well. Every exception, from whatever level, comes to the
 * same report. The labels are global because the linker does not tell local
 * ones of one section apart in the GOT.
 */
__asm__(
"	.pushsection .rodata.guest, \"a\"\n"
"	.globl	guest_start, guest_entry, guest_el2, guest_end\n"
"	.balign	2048\n"
"guest_start:\n"
"	.rept	16\n"
"	b	guest_vector\n"
"	.balign	128\n"
"	.endr\n"
"guest_entry:\n"
"	ldr	x20, [x0, #0x00]\n"	/* report */
"	ldr	x2, [x0, #0x10]\n"	/* pages left to touch */
"	ldr	x3, [x0, #0x18]\n"	/* stride */
"	ldr	x4, [x0, #0x20]\n"
"	ldr	x5, [x0, #0x28]\n"
"	cbz	x4, 2f\n"
"1:	cbz	x2, 2f\n"		/* RAM: store */
"	cmp	x4, x5\n"
"	b.hs	2f\n"
"	str	x2, [x4]\n"
"	add	x4, x4, x3\n"
"	sub	x2, x2, #1\n"
"	b	1b\n"
"2:	add	x6, x0, #0x50\n"	/* BARs: load only */
"	ldr	x7, [x0, #0x38]\n"
"3:	cbz	x7, 6f\n"
"	ldr	x2, [x0, #0x10]\n"
"	ldp	x4, x5, [x6], #16\n"
"	add	x5, x5, x4\n"
"4:	cbz	x2, 5f\n"
"	cmp	x4, x5\n"
"	b.hs	5f\n"
"	ldr	x8, [x4]\n"
"	add	x4, x4, x3\n"
"	sub	x2, x2, #1\n"
"	b	4b\n"
"5:	sub	x7, x7, #1\n"
"	b	3b\n"
"6:	ldr	x2, [x0, #0x40]\n"	/* counted stores to the first BAR */
"	cbz	x2, 13f\n"
"	ldr	x4, [x0, #0x50]\n"
"	str	x2, [x4, #0x1000]\n"	/* the one that maps it */
"	dsb	sy\n"
"	str	x2, [x20, #0x30]\n"	/* REPORT_BEGIN */
"12:	str	x2, [x4, #0x1000]\n"
"	sub	x2, x2, #1\n"
"	cbnz	x2, 12b\n"
"	dsb	sy\n"
"	str	x2, [x20, #0x38]\n"	/* REPORT_END */
"13:	mov	x10, #0\n"		/* result */
"	ldr	x1, [x0, #0x08]\n"
"	cbz	x1, 9f\n"
"	add	x6, x0, #0x50\n"
"	ldr	x7, [x0, #0x38]\n"
"	ldr	x8, =0x1122334455667788\n"
"7:	cbz	x7, 9f\n"
"	ldp	x4, x5, [x6], #16\n"
"	add	x4, x4, x1\n"
"	add	x8, x8, x7\n"		/* another value for each BAR */
"	str	x8, [x4]\n"
"	dsb	sy\n"
"	ldr	x9, [x4]\n"
"	cmp	x8, x9\n"
"	b.eq	8f\n"
"	mov	x10, #1\n"
"8:	sub	x7, x7, #1\n"
"	b	7b\n"
"9:	str	x10, [x20, #0x00]\n"	/* REPORT_RESULT */
"	ldr	x1, [x0, #0x30]\n"
"	cbz	x1, 11f\n"
"	str	x1, [x20, #0x08]\n"	/* REPORT_HOLDING */
"10:	nop\n"
"	b	10b\n"
"11:	str	x1, [x20, #0x10]\n"	/* REPORT_OFF */
"	b	11b\n"
"guest_vector:\n"
"	ldr	x20, [x0, #0x00]\n"
"	mrs	x1, far_el1\n"
"	str	x1, [x20, #0x18]\n"	/* REPORT_FAR */
"	mrs	x1, elr_el1\n"
"	str	x1, [x20, #0x20]\n"	/* REPORT_ELR */
"	mrs	x1, esr_el1\n"
"	str	x1, [x20, #0x28]\n"	/* REPORT_ESR */
"	b	11b\n"
/* At EL2: x1 to x3 are what the guest within the guest is to run with, at EL1. */
"guest_el2:\n"
"	msr	vttbr_el2, x1\n"
"	msr	vtcr_el2, x2\n"
"	msr	hcr_el2, x3\n"
"	mov	x1, #0x3c5\n"		/* EL1h, all masked */
"	msr	spsr_el2, x1\n"
"	adr	x1, guest_entry\n"
"	msr	elr_el2, x1\n"
"	isb\n"
"	eret\n"
"	.ltorg\n"
"guest_end:\n"
"	.popsection\n");

/*
 * Descriptors by the Arm ARM, DDI 0487, D8.3: bit 0 valid, bit 1 table, SH [9:8], AF bit
 * 10; of stage 1 AttrIndx [4:2], of stage 2 MemAttr [5:2] and S2AP [7:6].
 */
#define PTE_VALID	(1ULL << 0)
#define PTE_TABLE	(1ULL << 1)
#define PTE_ATTR(index)	((uint64_t)(index) << 2)
#define PTE_INNER	(3ULL << 8)
#define PTE_AF		(1ULL << 10)

static uint64_t *next_table(struct tables *tables, uint64_t *entry)
{
	if (!(*entry & PTE_VALID)) {
		if (tables->next >= tables->end)
			die(EXIT_SETUP, "no room for the guest's page tables");
		*entry = (tables->ram_ipa + tables->next) | PTE_TABLE | PTE_VALID;
		tables->next += 0x1000;
	}
	return (uint64_t *)(tables->ram + (*entry & 0xfffffffff000ULL) -
			    tables->ram_ipa);
}

void stage1_map(struct tables *s1, uint64_t ipa, uint64_t size, int attr)
{
	uint64_t end = ipa + size;

	for (ipa &= ~(BLOCK - 1); ipa < end; ipa += BLOCK) {
		uint64_t *table = (uint64_t *)(s1->ram + OFF_TABLES);

		table = next_table(s1, &table[ipa >> 39 & 511]);
		table = next_table(s1, &table[ipa >> 30 & 511]);
		table[ipa >> 21 & 511] = ipa | PTE_AF | PTE_INNER |
					 PTE_ATTR(attr) | PTE_VALID;
	}
}

#define NESTED_BITS	39
/* Write-Back, read and write. */
#define NESTED_LEAF	(0xfULL << 2 | 3ULL << 6 | PTE_INNER | PTE_AF | PTE_VALID)

void nested_map(struct tables *s2, uint64_t ipa, uint64_t size)
{
	uint64_t end = ipa + size;

	if (end > 1ULL << NESTED_BITS)
		die(EXIT_USAGE, "0x%" PRIx64 " is too high for --nested", end);
	for (ipa &= ~(BLOCK - 1); ipa < end; ipa += BLOCK) {
		uint64_t *table = (uint64_t *)(s2->ram + OFF_NESTED);

		table = next_table(s2, &table[ipa >> 30 & 511]);
		table[ipa >> 21 & 511] = ipa | NESTED_LEAF;
	}
}
