/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The audit trail: JSON Lines, one record a line, appended and never rewritten.
 * Owns the open file and what is counted about it. A record that cannot be
 * written is counted and logged once until writing works again; the daemon goes
 * on, for decisions do not wait for their record.
 */
#ifndef NCGATE_AUDIT_H
#define NCGATE_AUDIT_H

#include <jansson.h>

#include "abi.h"

struct ncg_audit;

/* Opens (makes) the file for appending. Returns 0 or -errno, not logged. */
int ncg_audit_open(const char *path, struct ncg_audit **ret_audit);
void ncg_audit_close(struct ncg_audit *audit); /* takes NULL */

/* Opens the path again, after it was rotated away. Returns 0 or -errno, logged. */
int ncg_audit_reopen(struct ncg_audit *audit);

/*
 * Writes one record of the given type. fields becomes the audit's and is freed;
 * `time` (RFC 3339, UTC, from boot_ns; 0 means now), `boot_ns` and `type` are
 * put before them. fields NULL (no memory) counts as a write error.
 */
void ncg_audit_write(struct ncg_audit *audit, const char *type, __u64 boot_ns, json_t *fields);

__u64 ncg_audit_records(const struct ncg_audit *audit);
__u64 ncg_audit_errors(const struct ncg_audit *audit);

/* Time of CLOCK_BOOTTIME, in nanoseconds. */
__u64 ncg_audit_boot_ns(void);

#endif
