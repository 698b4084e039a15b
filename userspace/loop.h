/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's event loop: one epoll, one thread, a callback for each file
 * descriptor. Owns the epoll descriptor and its list of callbacks; the watched
 * descriptors stay their adders'. Whether the loop can go on is the only thing
 * that can fail here, and ncg_loop_run() then returns.
 */
#ifndef NCGATE_LOOP_H
#define NCGATE_LOOP_H

#include <stdint.h>

#include "cleanup.h"

struct ncg_loop;

/* events: the EPOLL… bits that came. */
typedef void ncg_loop_callback(void *arg, uint32_t events);

/* A loop that watches nothing yet, for ncg_loop_free(). Returns 0 or -errno. */
int ncg_loop_new(struct ncg_loop **ret_loop);

/* Takes NULL. Not from within a callback. */
void ncg_loop_free(struct ncg_loop *loop);

NCG_DEFINE_CLEANUP(struct ncg_loop *, ncg_loop_free)
#define ncg_autoloop ncg_cleanup(ncg_loop_free_cleanup)

/*
 * Calls callback(arg, …) whenever one of events (EPOLLIN, EPOLLOUT, …; errors
 * and hang-ups come unasked) holds for fd. Level-triggered unless events say
 * otherwise. Returns 0; -EEXIST when fd is watched already; -EPERM when it is of
 * a kind that cannot be (a regular file); or another -errno.
 */
int ncg_loop_add(struct ncg_loop *loop, int fd, uint32_t events, ncg_loop_callback *callback,
		 void *arg);

/*
 * Ends the watch of fd, which must still be open. A callback may remove its own
 * or any other: one that is removed is not called again, not even for what was
 * already seen of it, and not when the same number is added anew. Returns 0 or
 * -ENOENT.
 */
int ncg_loop_remove(struct ncg_loop *loop, int fd);

/*
 * Waits and calls until ncg_loop_stop(). Not from within a callback. Returns 0,
 * or -errno of epoll_wait().
 */
int ncg_loop_run(struct ncg_loop *loop);

/*
 * Makes ncg_loop_run() return once the events already seen are dealt with; before
 * a run, makes the next one return at once. Not for
 * signal handlers or other threads: those write to a descriptor of the loop.
 */
void ncg_loop_stop(struct ncg_loop *loop);

#endif
