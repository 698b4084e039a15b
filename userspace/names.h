/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One name for each value of the enums that BPF and user space share; metric
 * labels, audit records and the command line all take them from here, so they
 * are part of ncgate's stable interface.
 *
 * Pure. The values may come from a ring buffer or a map, so they are plain
 * numbers: one that is out of range has the name "invalid", never NULL.
 */
#ifndef NCGATE_NAMES_H
#define NCGATE_NAMES_H

#include "abi.h"

/* All return a constant string that the caller does not own. */
const char *ncg_names_memtype(__u32 memtype); /* enum ncg_memtype */
const char *ncg_names_verdict(__u32 verdict); /* enum ncg_verdict */
const char *ncg_names_reason(__u32 reason);   /* enum ncg_reason */
const char *ncg_names_mode(__u32 mode); /* enum ncg_mode */
const char *ncg_names_grade(__u32 grade);     /* enum ncg_grade */
const char *ncg_names_event(__u32 type);      /* enum ncg_event_type */
const char *ncg_names_counter(__u32 counter); /* enum ncg_counter */

#endif
