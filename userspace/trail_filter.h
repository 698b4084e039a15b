/* SPDX-License-Identifier: GPL-2.0-only */
/* Which records of the trail are about a guest or a device that somebody asks for. Pure. */
#ifndef NCGATE_TRAIL_FILTER_H
#define NCGATE_TRAIL_FILTER_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Whether a record is about both, or lists something that is: what is mapped, what is
 * counted. guest: a name, UUID, id or PID; device: a slot (without its domain, domain 0)
 * or VENDOR:DEVICE; NULL: any. A part that names no guest is the record's guest's.
 */
bool ncg_trail_is_about(const json_t *record, const char *guest, const char *device);

#endif
