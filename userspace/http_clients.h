/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is connected to the metrics server, and for how long each has kept it waiting. Owns
 * the list and nothing that stands in it: sockets are the server's. No I/O and no clock:
 * times are given, in ms of any clock that only rises.
 *
 * A connection has one deadline for the whole of its request, and one for the whole of its
 * reply, however many bytes come or go meanwhile. When every place is taken, the one that
 * has kept the server waiting longest makes room: so whoever comes with a request at hand
 * is always served, and who sends a line now and then holds nothing.
 */
#ifndef NCGATE_HTTP_CLIENTS_H
#define NCGATE_HTTP_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A few scrapers, each with a connection that it keeps or opens anew. */
#define NCG_HTTP_CLIENTS 32
#define NCG_HTTP_CLIENTS_PER_ADDRESS 8

struct ncg_http_client {
	int fd; /* -1: a free place */
	struct sockaddr_storage address;
	bool replying;	 /* the request is whole, the reply is on its way */
	bool begun;	 /* the first line of a request has come */
	bool served;	 /* a request before this one was served */
	int64_t since;	 /* ms: that it waits for us, or we for it */
};

struct ncg_http_clients {
	struct ncg_http_client list[NCG_HTTP_CLIENTS];
	int64_t request_ms; /* for a request, from the connection or the last reply on */
	int64_t reply_ms;   /* for a reply to be taken */
};

/* Sets an empty list. */
void ncg_http_clients_init(struct ncg_http_clients *clients, int64_t request_ms,
			   int64_t reply_ms);

/*
 * Who has to go before somebody from that address may come: of the same address where that
 * has all its places, else of the address that has most where all are taken. Of those the
 * one that sends no request for longest, else the one that takes no reply for longest.
 * NULL: there is room.
 */
struct ncg_http_client *ncg_http_clients_crowded(struct ncg_http_clients *clients,
						 const struct sockaddr_storage *address);

/* Adds one; there must be room. */
struct ncg_http_client *ncg_http_clients_add(struct ncg_http_clients *clients, int fd,
					     const struct sockaddr_storage *address, int64_t now);

/* The one of that descriptor; NULL: none. */
struct ncg_http_client *ncg_http_clients_find(struct ncg_http_clients *clients, int fd);

/* The request is whole; the reply is taken, and another request may come. */
void ncg_http_client_replies(struct ncg_http_client *client, int64_t now);
void ncg_http_client_waits(struct ncg_http_client *client, int64_t now);

/* Frees the place; the descriptor stays the caller's. */
void ncg_http_client_remove(struct ncg_http_client *client);

/* The first one whose deadline is over; NULL: none. */
struct ncg_http_client *ncg_http_clients_late(struct ncg_http_clients *clients, int64_t now);

/* ms until the next deadline, at least 0; -1: there is none. */
int64_t ncg_http_clients_wait(const struct ncg_http_clients *clients, int64_t now);

#endif
