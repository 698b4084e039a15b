/* SPDX-License-Identifier: GPL-2.0-only */
/* Which records of the trail are about a guest or a device that somebody asks for. Pure. */
#ifndef NCGATE_TRAIL_FILTER_H
#define NCGATE_TRAIL_FILTER_H

#include <jansson.h>
#include <stdbool.h>

/* A device as somebody asks for it. */
struct ncg_trail_device {
	bool by_slot; /* else by its ids */
	unsigned int domain;
	unsigned int bus;
	unsigned int slot;
	unsigned int function;
	unsigned int vendor;
	unsigned int id;
};

/*
 * Reads a slot, DDDD:BB:DD.F with a domain of up to 8 digits or BB:DD.F in domain 0, or
 * VENDOR:DEVICE of 4 digits each; false where it is neither.
 */
bool ncg_trail_device_parse(const char *text, struct ncg_trail_device *ret_device);

/*
 * Whether a record is about both, or lists something that is: what is mapped, what is
 * counted. guest: a name, UUID (in capitals or not), id or PID; NULL: any, as is a device
 * NULL. A part that names no guest is the record's guest's.
 */
bool ncg_trail_is_about(const json_t *record, const char *guest,
			const struct ncg_trail_device *device);

#endif
