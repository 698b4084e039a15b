/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The metrics over HTTP: GET and HEAD of /metrics and of a landing page, and
 * nothing else. A server owns its listening socket, its connections and its
 * place in the event loop; it runs in the loop's thread and never blocks it,
 * but for the render callback. What it cannot serve it refuses with a status and
 * a sentence: a scrape is whole or it is an error.
 *
 * A request has 15 s to be whole, and a reply 60 s to be taken, however the bytes are spread.
 * 32 connections have a place, 8 of one address; one more is served, and the one that has
 * kept the server waiting longest makes room for it, told so by a 503.
 */
#ifndef NCGATE_HTTP_H
#define NCGATE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "loop.h"

/*
 * The text to serve, in *ret_text for the server to free(), its length in bytes
 * in *ret_size. Returns 0, or -errno, which the client is told in words.
 */
typedef int ncg_http_render(void *arg, char **ret_text, size_t *ret_size);

struct ncg_http;

/* Whether ncg_http_listen() knows what an address means; not whether it can be had. */
bool ncg_http_address_ok(const char *address_port);

/*
 * A listening socket for "127.0.0.1:9188", "[::1]:9188" or ":9188" (every
 * address, IPv6 and IPv4); port 0 lets the kernel choose. Addresses are numeric:
 * which interface is opened must not depend on a resolver. *ret_fd is the
 * caller's. Returns 0; -EINVAL when address_port is malformed; -EADDRINUSE when
 * the port is taken; or another -errno. Not logged.
 */
int ncg_http_listen(const char *address_port, int *ret_fd);

/*
 * Serves fd, a socket of ncg_http_listen(), from loop, with render(arg, …) called
 * once for each request of /metrics. On success fd is the server's; the caller
 * owns *ret_http, for ncg_http_close() before ncg_loop_free(). Returns 0 or
 * -errno, not logged.
 */
int ncg_http_open(struct ncg_loop *loop, int fd, ncg_http_render *render, void *arg,
		  struct ncg_http **ret_http);

/* Other deadlines than those above, ms, from now on. */
void ncg_http_set_deadlines(struct ncg_http *http, int64_t request_ms, int64_t reply_ms);

/* Drops every connection. Takes NULL. Not from within render. */
void ncg_http_close(struct ncg_http *http);

NCG_DEFINE_CLEANUP(struct ncg_http *, ncg_http_close)
#define ncg_autohttp ncg_cleanup(ncg_http_close_cleanup)

#endif
