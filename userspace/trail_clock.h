/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When the wall clock was set, by the `clock_changed` records of a trail. A record has the
 * time that the host's clock showed then; who asks by time may mean that, or the time
 * that it was by the clock as it was set later. This gives the second from the first, for
 * all of one boot of the host. Owns the list of changes; a trail that grows or loses its
 * oldest files while it is read does no harm.
 */
#ifndef NCGATE_TRAIL_CLOCK_H
#define NCGATE_TRAIL_CLOCK_H

#include <jansson.h>

#include "audit_clock.h"

struct ncg_trail_clock;

/* NULL when there is no memory. */
struct ncg_trail_clock *ncg_trail_clock_new(void);
void ncg_trail_clock_free(struct ncg_trail_clock *clock); /* takes NULL */

/* First reading of the trail: takes note of the next record. Returns 0 or -ENOMEM. */
int ncg_trail_clock_learn(struct ncg_trail_clock *clock, const json_t *record);

/* Second reading, before the next record is looked at. */
void ncg_trail_clock_follow(struct ncg_trail_clock *clock, const json_t *record);

/*
 * A time of the record that was followed last, by the clock as it was set at the end of
 * that boot. What is no time of a record comes back as it is.
 */
void ncg_trail_clock_correct(const struct ncg_trail_clock *clock, const char *time,
			     char ret_text[NCG_AUDIT_TIME_LEN]);

#endif
