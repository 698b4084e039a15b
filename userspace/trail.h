/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The audit trail read back: records of JSON Lines as audit.h writes them, one
 * after the other. What is no such record is counted and the first ones are named,
 * and the reading goes on: a trail is evidence, and evidence may be damaged. Keeps
 * no state beyond one reading.
 */
#ifndef NCGATE_TRAIL_H
#define NCGATE_TRAIL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "abi.h"
#include "audit_clock.h"
#include "audit_file.h"

#define NCG_TRAIL_NAMED 20 /* bad lines that are named, of all */

/* One line that is no record. */
struct ncg_trail_bad {
	char stamp[NCG_AUDIT_FILE_STAMP_LEN]; /* of the rotated file; "": the trail's last */
	uint64_t line;
	bool foreign;	 /* it is whole, but no record of ncgate */
	const char *why; /* constant */
};

struct ncg_trail {
	uint64_t records; /* good ones, of any type */
	uint64_t damaged;
	uint64_t foreign;
	uint64_t lost; /* events that `gap` records say are missing */
	uint64_t missing; /* files that `rotation` records name and that are not there */
	char whole_since[NCG_AUDIT_TIME_LEN]; /* time of the last such record; "": none is */
	struct ncg_trail_bad bad[NCG_TRAIL_NAMED];
	size_t named;
};

/*
 * What is done with a record of the type asked for. NULL when it is good, else what
 * is wrong with it, a constant; it then counts as damaged.
 */
typedef const char *ncg_trail_record(void *arg, const json_t *record);

struct ncg_trail_wanted {
	const char *type; /* "decision", …; "*" for every one; NULL ends a list */
	ncg_trail_record *record;
};

/*
 * Reads the trail at path: the files that were put aside beside it, the oldest first,
 * and the file itself. Returns 0, -ENOMEM or the -errno of reading; not logged.
 */
int ncg_trail_read(const char *path, const struct ncg_trail_wanted *wanted, void *arg,
		   struct ncg_trail *ret_trail);

/*
 * The same; and with ret_last, the trail's last file where reading ended, for the caller
 * to read on and to close. It may have been put aside meanwhile.
 */
int ncg_trail_read_to(const char *path, const struct ncg_trail_wanted *wanted, void *arg,
		      struct ncg_trail *ret_trail, FILE **ret_last);

/* What a decision record says. Strings are borrowed from it. */
struct ncg_trail_decision {
	const char *time;
	struct ncg_tuple tuple; /* cgroup is 0 */
	const char *slot;
	const char *name;   /* of the device; "" where there is none */
	const char *guest;  /* its name, else its id */
	const char *cgroup; /* NULL where it is not known */
	struct ncg_decision decision; /* verdict, reason, mode, audit, grade, line, file */
};

/* Returns NULL or what is wrong, a constant. */
const char *ncg_trail_decision(const json_t *record, struct ncg_trail_decision *ret_decision);

/*
 * Slot and BAR of a record's device; false when there is none. And all that a
 * decision is made by, of records that tell it (decision, bar_mmap): NULL or what
 * is wrong, a constant.
 */
bool ncg_trail_place(const json_t *record, const char **ret_slot, unsigned int *ret_bar);
const char *ncg_trail_tuple(const json_t *record, struct ncg_tuple *ret_tuple);

/* The guest's name, else its id, else "". */
const char *ncg_trail_guest(const json_t *record);

/*
 * Counts and named lines as a JSON object: records, damaged, foreign, lost, missing,
 * whole_since (null: no file is missing), lines.
 */
json_t *ncg_trail_json(const struct ncg_trail *trail);

#endif
