/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writer of ncgate's metrics in the Prometheus text format, version 0.0.4. Every
 * family is declared in one table in exposition.c; a sample can only be added to
 * a declared family, with exactly its labels. Samples may be added in any order:
 * the output has the families in the order of the enum, each in one piece.
 *
 * A writer owns its text until it is freed, and belongs to one thread. The first
 * error sticks, all later calls do nothing, and ncg_exposition_finish() reports
 * it: a scrape is whole or it is refused, never short without saying so.
 */
#ifndef NCGATE_EXPOSITION_H
#define NCGATE_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "cleanup.h"

#define NCG_EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* NCG_MF_ and the name in capitals, without ncgate_. */
enum ncg_family {
	NCG_MF_BUILD_INFO,
	NCG_MF_ENFORCEMENT_GRADE,
	NCG_MF_KERNEL_CHANGE,
	NCG_MF_HAZARDS_KNOWN,
	NCG_MF_HAZARD,
	NCG_MF_HAZARD_CONTRADICTIONS,
	NCG_MF_PROGRAM_ATTACHED,
	NCG_MF_PROGRAM_OLDER_BUILD,
	NCG_MF_POLICY_INFO,
	NCG_MF_POLICY_GENERATION,
	NCG_MF_POLICY_RULES,
	NCG_MF_POLICY_STALE_NAMES,
	NCG_MF_POLICY_LOADED_TIMESTAMP_SECONDS,
	NCG_MF_POLICY_LAST_RELOAD_SUCCESSFUL,
	NCG_MF_DECISIONS_TOTAL,
	NCG_MF_BAR_MMAPS_TOTAL,
	NCG_MF_BAR_MMAPS_BEFORE_GATE,
	NCG_MF_STAGE2_MAPS_TOTAL,
	NCG_MF_STAGE2_MAP_FAILURES_TOTAL,
	NCG_MF_VMS_CREATED_TOTAL,
	NCG_MF_VMS_DESTROYED_TOTAL,
	NCG_MF_GUESTS,
	NCG_MF_GUESTS_NOT_VISIBLE,
	NCG_MF_GUESTS_DIFFERENCE,
	NCG_MF_GUEST_INFO,
	NCG_MF_GUEST_STAGE2_BYTES,
	NCG_MF_GUEST_STAGE2_LEAVES,
	NCG_MF_GUEST_NESTED_STAGE2_BYTES,
	NCG_MF_GUEST_TABLES,
	NCG_MF_DEVICE_STAGE2_BYTES,
	NCG_MF_DEVICE_NESTED_STAGE2_BYTES,
	NCG_MF_DEVICE_STAGE2_DIFFERENCE_BYTES,
	NCG_MF_DEVICE_INFO,
	NCG_MF_MISMATCHES,
	NCG_MF_MISMATCH_BYTES,
	NCG_MF_EVENTS_LOST_TOTAL,
	NCG_MF_AUDIT_RECORDS_TOTAL,
	NCG_MF_AUDIT_WRITE_ERRORS_TOTAL,
	NCG_MF_AUDIT_SINK_ERRORS_TOTAL,
	NCG_MF_MAP_ENTRIES,
	NCG_MF_MAP_MAX_ENTRIES,
	NCG_MF_MAP_FULL_TOTAL,
	NCG_MF_BARS_LEFT_OUT,
	NCG_MF_WALK_ERRORS_TOTAL,
	NCG_MF_WALK_SECONDS_TOTAL,
	NCG_MF_WALK_ENTRIES_TOTAL,
	NCG_MF_WALK_LONGEST_PIECE_SECONDS,
	NCG_MF_WALK_AGE_SECONDS,
	NCG_MF_NR,
};

enum ncg_family_type {
	NCG_FAMILY_GAUGE,
	NCG_FAMILY_COUNTER,
	NCG_FAMILY_TYPE_NR,
};

#define NCG_FAMILY_LABELS_MAX 8

/* What a family is; constant, NULL after the last label. */
struct ncg_family_desc {
	const char *name;
	enum ncg_family_type type;
	const char *help;
	const char *labels[NCG_FAMILY_LABELS_MAX + 1];
};

/* For the metrics reference and tests; NULL for a number that is no family. */
const struct ncg_family_desc *ncg_exposition_family(enum ncg_family family);

struct ncg_exposition;

/*
 * A new, empty writer in *ret_exposition, to be freed with ncg_exposition_free().
 * limit bounds the text of all families together, in bytes; 0 means no bound.
 * Returns 0 or -ENOMEM.
 */
int ncg_exposition_new(size_t limit, struct ncg_exposition **ret_exposition);

/* Takes NULL. */
void ncg_exposition_free(struct ncg_exposition *exposition);

NCG_DEFINE_CLEANUP(struct ncg_exposition *, ncg_exposition_free)
#define ncg_autoexposition ncg_cleanup(ncg_exposition_free_cleanup)

/*
 * The values of a sample's labels, in the order of the family's table entry:
 * ncg_exposition_u64(e, NCG_MF_VMS_CREATED_TOTAL, 3, NCG_LABELS()) or
 * ncg_exposition_u64(e, NCG_MF_DECISIONS_TOTAL, 1, NCG_LABELS("allow")).
 * A NULL value is written as the empty string, which Prometheus reads as no
 * label.
 */
#define NCG_LABELS(...)                    \
	((const char *const[]){ __VA_ARGS__ }), \
		(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/*
 * Adds one sample. Values are copied, as ncg_text_visible() shows them (a guest's
 * name is what its owner typed, and one byte that is not UTF-8 would make Prometheus
 * drop the whole scrape); backslash and quote are escaped.
 * Errors stick: -ENOMEM (no memory, or the limit), -EINVAL (no such family, or a
 * number of labels that is not the family's). The caller sees to it that no two
 * samples have equal labels.
 */
void ncg_exposition_u64(struct ncg_exposition *exposition, enum ncg_family family,
			uint64_t value, const char *const *labels, size_t labels_count);
void ncg_exposition_double(struct ncg_exposition *exposition, enum ncg_family family,
			   double value, const char *const *labels, size_t labels_count);

/* Adds the sample of every counter of abi.h, from sums over all CPUs. */
void ncg_exposition_counters(struct ncg_exposition *exposition,
			     const __u64 counters[NCG_CTR_NR]);

/*
 * The whole text, NUL after the last byte, in *ret_text for the caller to
 * free(), its length without the NUL in *ret_size (may be NULL). Families
 * without a sample are left out. The writer stays as it was.
 * Returns 0, or the first error of this writer, *ret_text is then untouched.
 */
int ncg_exposition_finish(struct ncg_exposition *exposition, char **ret_text,
			  size_t *ret_size);

#endif
