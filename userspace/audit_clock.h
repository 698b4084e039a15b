/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two clocks of the audit trail. Order and durations are by CLOCK_BOOTTIME, which
 * nobody sets; people ask by the wall clock (CLOCK_REALTIME), which may be set at any
 * time. Between two settings their difference stays, so it tells that one was. No state.
 */
#ifndef NCGATE_AUDIT_CLOCK_H
#define NCGATE_AUDIT_CLOCK_H

#include <jansson.h>
#include <stdbool.h>

#include "abi.h"

/* Time of CLOCK_BOOTTIME, in nanoseconds. */
__u64 ncg_audit_boot_ns(void);

/* CLOCK_REALTIME less CLOCK_BOOTTIME, nanoseconds: the moment of boot by the wall clock. */
__s64 ncg_audit_clock_offset(void);

/*
 * Whether the clock was set between two offsets. Half a second: less is what the two
 * readings of a busy host may lie apart, or a clock that is slewed; a leap second is more.
 */
bool ncg_audit_clock_was_set(__s64 before, __s64 now);

#define NCG_AUDIT_TIME_LEN 32 /* "2026-01-31T23:59:59.000001Z", NUL included */

/* A moment of the wall clock, nanoseconds since 1970. */
void ncg_audit_format_wall(__s64 wall_ns, char ret_text[NCG_AUDIT_TIME_LEN]);

/* What that reads back, to the microsecond; false for another form. */
bool ncg_audit_parse_wall(const char *text, __s64 *ret_wall_ns);

/* The wall-clock time of a moment of CLOCK_BOOTTIME, as the clock is set now. */
void ncg_audit_format_time(__u64 boot_ns, char ret_text[NCG_AUDIT_TIME_LEN]);

/*
 * Two moments of CLOCK_BOOTTIME as members since, since_boot_ns, until and
 * until_boot_ns of fields.
 */
void ncg_audit_add_window(json_t *fields, __u64 since_ns, __u64 until_ns);

#endif
