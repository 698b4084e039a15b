/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The audit trail: JSON Lines, one record a line, appended and never rewritten; and
 * the same records to the journal and to the kernel's audit subsystem. Owns the file
 * and the way to the other two, and what is counted about them.
 *
 * A record that cannot be written is counted and logged once until writing works
 * again; what then comes first is a `gap` record with how many are missing and from
 * when to when. The daemon goes on meanwhile, for decisions do not wait for their
 * record. The journal and the kernel get what they can: the file is the trail.
 */
#ifndef NCGATE_AUDIT_H
#define NCGATE_AUDIT_H

#include <jansson.h>
#include <stdbool.h>

#include "abi.h"
#include "audit_clock.h"
#include "audit_file.h"

struct ncg_audit;

struct ncg_audit_options {
	const char *path;
	struct ncg_audit_file_limits limits;
	bool journal;
	bool kernel;
};

/*
 * Opens (makes) the file for appending; while that cannot be done records are lost and
 * counted as on a full disk. Where there is no journal, or the kernel takes no audit
 * records, that is logged once and the file is all there is. Returns 0 or -ENOMEM.
 */
int ncg_audit_open(const struct ncg_audit_options *options, struct ncg_audit **ret_audit);
void ncg_audit_close(struct ncg_audit *audit); /* takes NULL */

/* Opens the path again, after it was rotated away. Returns 0 or -errno, logged. */
int ncg_audit_reopen(struct ncg_audit *audit);

/*
 * Writes one record of the given type. fields becomes the audit's and is freed;
 * `time` (RFC 3339, UTC, from boot_ns; 0 means now), `boot_ns` and `type` are
 * put before them. fields NULL (no memory) counts as a write error. True when the
 * record is in the file; ncg_audit_sync() makes it durable.
 */
bool ncg_audit_write(struct ncg_audit *audit, const char *type, __u64 boot_ns, json_t *fields);

/*
 * The same for what is said once and is no event: that a policy is in force, what a look
 * has found. When it cannot be written it is kept, and written as soon as writing works
 * again, with the time of this call: the last NCG_AUDIT_KEPT_MAX of them; what is beyond
 * that is missing like any other record. Kept in memory, so a daemon that is killed
 * meanwhile loses them; the next one looks anew.
 */
#define NCG_AUDIT_KEPT_MAX 256
bool ncg_audit_write_kept(struct ncg_audit *audit, const char *type, json_t *fields);

/*
 * Everything that was written is on disk when this returns true: one fdatasync(2) for
 * a whole batch. False, logged once, when the disk says that it is not.
 */
bool ncg_audit_sync(struct ncg_audit *audit);

/* A place in the trail: behind the records that were in it at a time. */
struct ncg_audit_place {
	__u64 file; /* its inode; 0: nowhere */
	__u64 offset;
};

void ncg_audit_place(const struct ncg_audit *audit, struct ncg_audit_place *ret_place);

/*
 * Calls found() with each record behind a place, also where its file was put aside; with
 * none where that file is gone. Records are borrowed. Returns 0 or -errno, logged.
 */
int ncg_audit_since(const struct ncg_audit *audit, const struct ncg_audit_place *place,
		    void (*found)(void *arg, const json_t *record), void *arg);

/*
 * To be called now and then (a second): puts an old file aside, tries whether writing
 * works again, and says when the wall clock was set.
 */
void ncg_audit_tick(struct ncg_audit *audit);

/*
 * Records are being lost or kept: a write failed, and what has to be said about it is not
 * yet in the trail.
 */
bool ncg_audit_failing(const struct ncg_audit *audit);

enum ncg_audit_sink {
	NCG_AUDIT_SINK_JOURNAL,
	NCG_AUDIT_SINK_KERNEL,
	NCG_AUDIT_SINK_NR,
};

const char *ncg_audit_sink_name(enum ncg_audit_sink sink);

__u64 ncg_audit_records(const struct ncg_audit *audit);
__u64 ncg_audit_errors(const struct ncg_audit *audit);
__u64 ncg_audit_sink_errors(const struct ncg_audit *audit, enum ncg_audit_sink sink);

/*
 * How far the wall clock is from CLOCK_BOOTTIME, as the trail knows it: an offset of
 * audit_clock.h. When it is another by the time something is to be written, a record
 * `clock_changed` comes first. It begins as it is when the trail is opened; a daemon that
 * knows what the one before it knew says so, so that a change between the two is told.
 */
__s64 ncg_audit_clock(const struct ncg_audit *audit);
void ncg_audit_set_clock(struct ncg_audit *audit, __s64 offset);

#endif
