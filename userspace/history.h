/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which guest had which BAR mapped with one memory type, from when to when and by which
 * decision: put together from the records of the audit trail, in their order. Owns what
 * it has gathered.
 *
 * A guest has a BAR from its first mapping of that type until its VM ends: that the BAR
 * was mapped with another type later does not tell that nothing of the first is left.
 * Where a loss took the first mapping, it is known by the walk after it, or by the VM's
 * totals. A VM is known by its id, and by its guest where an id was given out again.
 */
#ifndef NCGATE_HISTORY_H
#define NCGATE_HISTORY_H

#include <jansson.h>
#include <stdbool.h>

#include "trail_clock.h"

struct ncg_history;

/*
 * memory_type: its name, borrowed. clock: what is followed along, borrowed; NULL: no time
 * is corrected. NULL when there is no memory.
 */
struct ncg_history *ncg_history_new(const char *memory_type, const struct ncg_trail_clock *clock);
void ncg_history_free(struct ncg_history *history); /* takes NULL */

/* Takes the next record, of any type. */
void ncg_history_take(struct ncg_history *history, const json_t *record);

/*
 * All of it in the order of the first mappings, borrowed: objects with
 *	guest, vm, device (with bar), memory_type	as in the records
 *	from, until	times; until null: it still has it, or that is not known
 *	ended		"vm": its VM ended; "host": another boot of the host began,
 *			until is then the last record before; null: neither
 *	told_by		record by which the beginning is known
 *	decision	verdict, reason, rule, mode, grade, policy; null: none is known
 *	maps, bytes	in all, once the VM has ended
 *	shown		where the host's clock was set meanwhile: what it showed, as a list
 *			of from and until; one setting, two parts
 *	corrected	where it was set then or later in that boot: from and until by the
 *			clock as it was at the boot's end
 */
const json_t *ncg_history_entries(const struct ncg_history *history);

/*
 * Whether a guest had it at any moment between two times, both inclusive ("": without an
 * end), by what the host's clock showed then or by the corrected times. Says yes where
 * that is not known: an entry that ends before it begins, though no record tells that the
 * clock was set, may have been anywhere but between its end and its beginning.
 */
bool ncg_history_was(const json_t *entry, const char *since, const char *until);

#endif
