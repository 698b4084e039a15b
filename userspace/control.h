/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the command asks the daemon: a unix socket, one word and a newline in, one
 * JSON document and the end of the stream out. The server owns its socket, its
 * clients and its place in the event loop; it never waits for a client, and
 * drops one that is slow or says too much: 5 s for the whole request and 5 s for the whole
 * reply, and less while others wait for one of its 16 places. Who may ask is a matter of the
 * socket's mode alone: its owner, root.
 */
#ifndef NCGATE_CONTROL_H
#define NCGATE_CONTROL_H

#include <jansson.h>

#include "cleanup.h"
#include "control_request.h"
#include "loop.h"

#define NCG_CONTROL_PATH "/run/ncgate/control.sock"

/*
 * The answer to one request (a word of printable ASCII), which becomes the
 * server's; NULL when there is none, and the client gets {"error": "…"}.
 */
typedef json_t *ncg_control_answer(void *arg, const char *request);

struct ncg_control;

/*
 * A listening socket at path, mode 0600; its folder is made, mode 0755, when it
 * is missing (not that folder's parents). The socket of a daemon that is gone is
 * replaced. *ret_fd is the caller's. Returns 0; -EADDRINUSE when a daemon listens
 * there; -EEXIST when path is something other than a socket; -ENAMETOOLONG; or
 * another -errno. Not logged.
 */
int ncg_control_listen(const char *path, int *ret_fd);

/*
 * Serves fd, a socket of ncg_control_listen(), from loop. On success fd is the
 * server's; the caller owns *ret_control, for ncg_control_close() before
 * ncg_loop_free(). Returns 0 or -errno, not logged.
 */
int ncg_control_open(struct ncg_loop *loop, int fd, ncg_control_answer *answer, void *arg,
		     struct ncg_control **ret_control);

/*
 * Drops every client. The socket's file stays, as it does after a kill; the next
 * daemon replaces it. Takes NULL. Not from within answer.
 */
void ncg_control_close(struct ncg_control *control);

NCG_DEFINE_CLEANUP(struct ncg_control *, ncg_control_close)
#define ncg_autocontrol ncg_cleanup(ncg_control_close_cleanup)

/*
 * Asks the daemon at path, within 30 seconds in all. *ret_reply is the caller's.
 * Returns 0, also when the reply is {"error": …}; -ENOENT or -ECONNREFUSED: no
 * daemon runs there; -EACCES: it is not for this user; -ETIMEDOUT; -ECONNRESET:
 * the daemon hung up without a reply; -EBADMSG: the reply is not JSON; -EINVAL:
 * request is not one word; or another -errno. Not logged.
 */
int ncg_control_ask(const char *path, const char *request, json_t **ret_reply);

#endif
