/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the ring buffer to the audit trail: every event becomes one record, with
 * the guest's identity and the device's name added, and what was lost becomes a
 * record too. Owns the reader and the position up to which all is dealt with.
 *
 * The ring buffer is pinned and keeps events while no daemon runs; the next one
 * goes on where the last stopped. A daemon that is killed between writing a
 * record and noting so repeats events at most, with their sequence numbers.
 */
#ifndef NCGATE_EVENTS_H
#define NCGATE_EVENTS_H

#include <sys/types.h>

#include "abi.h"
#include "audit.h"
#include "inventory.h"

struct ncg_events;

/* events_fd, sequences_fd: the maps. Returns 0 or -errno, logged. */
int ncg_events_open(int events_fd, int sequences_fd, struct ncg_audit *audit,
		    struct ncg_inventory *inventory, struct ncg_events **ret_events);
void ncg_events_close(struct ncg_events *events); /* takes NULL */

/* Readable (epoll) when events wait. */
int ncg_events_fd(const struct ncg_events *events);

/*
 * Deals with all events that wait, but with no more than the ring buffer holds:
 * events that come faster than they can be written must not keep the caller for good.
 * Returns 0 or -errno, logged.
 */
int ncg_events_drain(struct ncg_events *events);

/* The same for a few of them: for an event loop, which has other things to do. */
int ncg_events_drain_some(struct ncg_events *events);

/*
 * Takes what is missing as lost. To be called well after a drain (a second: a
 * program holds a number for microseconds), with a drain before it.
 */
void ncg_events_settle(struct ncg_events *events);

/*
 * Records that a program of this grade decides from now on, and what was mapped
 * before it: count of `mapped`, or a negative errno where that is not known.
 */
void ncg_events_gate(struct ncg_events *events, enum ncg_grade grade,
		     const struct ncg_mapped *mapped, ssize_t count);

#endif
