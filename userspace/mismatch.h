/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What guests have, held against what the policy in force says. Owns what the last
 * look found; what is new or over is logged and recorded in the audit trail, and
 * nothing twice. Changes nothing: a mapping keeps its type until its guest ends.
 *
 * Only verdicts that are acted on count. In audit mode the kernel's default is what
 * the operator chose.
 */
#ifndef NCGATE_MISMATCH_H
#define NCGATE_MISMATCH_H

#include <jansson.h>
#include <stdbool.h>

#include "audit.h"
#include "exposition.h"
#include "picture.h"

enum ncg_mismatch {
	NCG_MISMATCH_NONE,
	NCG_MISMATCH_STALE,	 /* denied now: Normal-NC of an older decision */
	NCG_MISMATCH_UNEXPECTED, /* denied now: Normal-NC that no decision granted */
	NCG_MISMATCH_ABSENT,	 /* allowed now: mapped, and not as Normal-NC */
	NCG_MISMATCH_NR,
};

/* The name in metrics and records. */
const char *ncg_mismatch_name(enum ncg_mismatch mismatch);

/*
 * What one memory type of a mapping is, by what the policy in force says of it and
 * what was decided when it was made (NULL: nothing). Pure.
 */
enum ncg_mismatch ncg_mismatch_of(const struct ncg_decision *now, const struct ncg_decided *then,
				  enum ncg_memtype type);

/* Where decisions come from. */
struct ncg_mismatch_policy {
	/* By the policy in force; cgroup NULL: not known. */
	void (*decide)(void *arg, const struct ncg_tuple *tuple, const char *cgroup,
		       struct ncg_decision *ret_decision);
	/* At the time; false: nothing was. */
	bool (*decided)(void *arg, const struct ncg_decided_key *key,
			struct ncg_decided *ret_decided);
	void *arg;
};

struct ncg_mismatch_watch;

/* audit is borrowed. Returns 0 or -ENOMEM, logged. */
int ncg_mismatch_watch_open(const struct ncg_mismatch_policy *policy, struct ncg_audit *audit,
			    struct ncg_mismatch_watch **ret_watch);
void ncg_mismatch_watch_close(struct ncg_mismatch_watch *watch); /* takes NULL */

/* Looks at all guests of a picture that has a walk. Returns 0 or -ENOMEM, logged. */
int ncg_mismatch_watch_look(struct ncg_mismatch_watch *watch, const struct ncg_picture *picture);

/* What the last look found: a new array of the records' fields. */
json_t *ncg_mismatch_watch_json(const struct ncg_mismatch_watch *watch);
void ncg_mismatch_watch_metrics(const struct ncg_mismatch_watch *watch,
				struct ncg_exposition *e);

#endif
