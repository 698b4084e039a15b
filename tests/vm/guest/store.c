// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's own program: maps a PCI BAR write-combined, as a driver would with
 * ioremap_wc(), stores eight bytes and reads them back.
 *
 *	store RESOURCE_WC aligned|unaligned
 *
 * Exit status 0: read back as written; 1: read back otherwise; 2: it could not be
 * tried. Where stage 2 says Device, an unaligned store never returns: the guest
 * ends there and then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LENGTH 0x10000

int main(int argc, char **argv)
{
	const uint64_t pattern = 0x1122334455667788;
	volatile uint64_t *at;
	uint64_t back;
	char *bar;
	int fd;

	if (argc != 3 || (strcmp(argv[2], "aligned") && strcmp(argv[2], "unaligned"))) {
		fprintf(stderr, "usage: store RESOURCE_WC aligned|unaligned\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	bar = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED) {
		fprintf(stderr, "mmap of %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	at = (volatile uint64_t *)(bar + (strcmp(argv[2], "unaligned") ? 0x1000 : 0x1001));
	/* One instruction each: the compiler may split what it knows is unaligned. */
	asm volatile("str %1, [%0]" : : "r"(at), "r"(pattern) : "memory");
	asm volatile("ldr %0, [%1]" : "=r"(back) : "r"(at) : "memory");
	return back != pattern;
}
