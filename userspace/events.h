/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the ring buffer to the audit trail: every event becomes one record, with the
 * guest's identity and the device's name added; repeats, and what is beyond an allowance,
 * are counted and told together; what was lost becomes a record too, and what the loss
 * hid is looked for. Owns the reader and the position up to which all is dealt with.
 *
 * The ring buffer is pinned and keeps events while no daemon runs; the next one goes
 * on where the last stopped. The position is noted once the records are on disk; what a
 * daemon wrote after that before it was killed, the trail itself tells the next one. Only
 * where somebody took the trail's file away in between is an event told twice, by its
 * number.
 */
#ifndef NCGATE_EVENTS_H
#define NCGATE_EVENTS_H

#include <sys/types.h>

#include "abi.h"
#include "audit.h"
#include "inventory.h"
#include "ledger.h"
#include "walk.h"

struct ncg_events;

/* events_fd, maps: the maps of maps.bpf.h. Returns 0 or -errno, logged. */
int ncg_events_open(int events_fd, const struct ncg_ledger_maps *maps, struct ncg_audit *audit,
		    struct ncg_inventory *inventory, struct ncg_events **ret_events);
void ncg_events_close(struct ncg_events *events); /* takes NULL */

/* Readable (epoll) when events wait. */
int ncg_events_fd(const struct ncg_events *events);

/*
 * Deals with all events that wait at the call. Of those that come meanwhile only a few,
 * however fast they come: who asks wants an answer. Their records are on disk when it
 * returns. Returns 0 or -errno, logged.
 */
int ncg_events_drain(struct ncg_events *events);

/*
 * The same for a few of them: for an event loop, which has other things to do. Their
 * records are on disk once there are no more, or many of them.
 */
int ncg_events_drain_some(struct ncg_events *events);

/*
 * The same as ncg_events_drain(), and tells what is counted so far: for a daemon that
 * ends.
 */
int ncg_events_finish(struct ncg_events *events);

/*
 * Tells what is counted once it is half a minute old. Takes what is missing as lost, and writes what the last picture shows to be missing
 * in the trail. To be called well after the last call (a second: a program holds a
 * number for microseconds), with a drain before it.
 */
void ncg_events_settle(struct ncg_events *events);

/* Has a picture be wanted, for a loss since the last one began. */
void ncg_events_want_picture(struct ncg_events *events);

/*
 * Whether a picture of what there is has to be taken: when the daemon starts and after
 * each loss. walked may be NULL where the tables cannot be read.
 */
bool ncg_events_wants_picture(const struct ncg_events *events);
void ncg_events_take_picture(struct ncg_events *events, const struct ncg_walk_vm *const *walked,
			     size_t count);

/*
 * Records that a program of this grade decides from now on, and what was mapped
 * before it: count of `mapped`, or a negative errno where that is not known.
 */
void ncg_events_gate(struct ncg_events *events, enum ncg_grade grade,
		     const struct ncg_mapped *mapped, ssize_t count);

#endif
