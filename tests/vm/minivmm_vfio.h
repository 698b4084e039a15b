/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * minivmm's devices: opens them by VFIO, and maps their BARs. Keeps every device, group
 * and container open to the end. Fails by ending the program.
 */
#ifndef MINIVMM_VFIO_H
#define MINIVMM_VFIO_H

#include <stdbool.h>
#include <stdint.h>

struct bar {
	char slot[16];		/* DDDD:BB:DD.F */
	int index;
	void *memory;		/* NULL: trapped */
	int fd;			/* of the device */
	uint64_t offset;	/* of the BAR in it */
	uint64_t size;		/* of the mapping, whole host pages */
	uint64_t ipa;
};

/* By their own files, not by their groups; set before the first is opened. */
extern bool vfio_use_iommufd;

/* The device's descriptor, with memory decoding switched on. */
int vfio_device(const char *slot);

/*
 * Finds the BAR by its slot and index, and maps it; where that is refused, says so in a
 * line of JSON, and memory is NULL.
 */
void vfio_map_bar(struct bar *bar);

/* Maps the BAR at its place in this process; false when that is refused. */
bool vfio_mmap_bar(struct bar *bar);

/* Moves the BAR's mapping to another place in this process (mremap); nothing for a trapped. */
void vfio_move_bar(struct bar *bar);

/* For a system call that must not fail. */
int must(int result, const char *what);

uint64_t round_up(uint64_t value, uint64_t to);

/*
 * Address space of `size` bytes, aligned so that host and guest-physical
 * addresses agree in their low bits and KVM may use block mappings. The
 * caller maps over it.
 */
void *reserve(uint64_t size, uint64_t align);

#endif
