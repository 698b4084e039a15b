// SPDX-License-Identifier: GPL-2.0-only
/*
 * Places of the metrics server's connections. Owns the list that its caller holds. Fails
 * in no way: where there is no room it names who has to go.
 */
#include "http_clients.h"

#include <netinet/in.h>
#include <string.h>

void ncg_http_clients_init(struct ncg_http_clients *clients, int64_t request_ms,
			   int64_t reply_ms)
{
	*clients = (struct ncg_http_clients){ .request_ms = request_ms, .reply_ms = reply_ms };
	for (size_t i = 0; i < NCG_HTTP_CLIENTS; i++)
		clients->list[i].fd = -1;
}

/* The same host, whatever the port. */
static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	if (a->ss_family == AF_INET6)
		return !memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
			       &((const struct sockaddr_in6 *)b)->sin6_addr,
			       sizeof(struct in6_addr));
	return true;
}

static size_t count_from(const struct ncg_http_clients *clients,
			 const struct sockaddr_storage *address)
{
	size_t count = 0;

	for (size_t i = 0; i < NCG_HTTP_CLIENTS; i++)
		count += clients->list[i].fd >= 0 &&
			 same_address(&clients->list[i].address, address);
	return count;
}

/* Whether a has to go before b: no whole request goes before one, and then the longest. */
static bool goes_before(const struct ncg_http_client *a, const struct ncg_http_client *b)
{
	return a->replying != b->replying ? !a->replying : a->since < b->since;
}

static struct ncg_http_client *longest_from(struct ncg_http_clients *clients,
					    const struct sockaddr_storage *address)
{
	struct ncg_http_client *longest = NULL;

	for (size_t i = 0; i < NCG_HTTP_CLIENTS; i++) {
		struct ncg_http_client *client = &clients->list[i];

		if (client->fd >= 0 && same_address(&client->address, address) &&
		    (!longest || goes_before(client, longest)))
			longest = client;
	}
	return longest;
}

struct ncg_http_client *ncg_http_clients_crowded(struct ncg_http_clients *clients,
						 const struct sockaddr_storage *address)
{
	const struct sockaddr_storage *most = NULL;
	size_t most_count = 0, used = 0;

	if (count_from(clients, address) >= NCG_HTTP_CLIENTS_PER_ADDRESS)
		return longest_from(clients, address);
	for (size_t i = 0; i < NCG_HTTP_CLIENTS; i++) {
		const struct ncg_http_client *client = &clients->list[i];
		size_t count = client->fd >= 0 ? count_from(clients, &client->address) : 0;

		used += client->fd >= 0;
		if (count > most_count) {
			most = &client->address;
			most_count = count;
		}
	}
	return used == NCG_HTTP_CLIENTS ? longest_from(clients, most) : NULL;
}

struct ncg_http_client *ncg_http_clients_find(struct ncg_http_clients *clients, int fd)
{
	for (size_t i = 0; i < NCG_HTTP_CLIENTS; i++)
		if (clients->list[i].fd == fd)
			return &clients->list[i];
	return NULL;
}

struct ncg_http_client *ncg_http_clients_add(struct ncg_http_clients *clients, int fd,
					     const struct sockaddr_storage *address, int64_t now)
{
	struct ncg_http_client *client = ncg_http_clients_find(clients, -1);

	*client = (struct ncg_http_client){ .fd = fd, .address = *address, .since = now };
	return client;
}

void ncg_http_client_replies(struct ncg_http_client *client, int64_t now)
{
	client->replying = true;
	client->since = now;
}

void ncg_http_client_waits(struct ncg_http_client *client, int64_t now)
{
	client->replying = client->begun = false;
	client->served = true;
	client->since = now;
}

void ncg_http_client_remove(struct ncg_http_client *client)
{
	client->fd = -1;
}

static int64_t deadline_of(const struct ncg_http_clients *clients,
			   const struct ncg_http_client *client)
{
	return client->since + (client->replying ? clients->reply_ms : clients->request_ms);
}

struct ncg_http_client *ncg_http_clients_late(struct ncg_http_clients *clients, int64_t now)
{
	for (size_t i = 0; i < NCG_HTTP_CLIENTS; i++) {
		struct ncg_http_client *client = &clients->list[i];

		if (client->fd >= 0 && now >= deadline_of(clients, client))
			return client;
	}
	return NULL;
}

int64_t ncg_http_clients_wait(const struct ncg_http_clients *clients, int64_t now)
{
	int64_t wait = -1;

	for (size_t i = 0; i < NCG_HTTP_CLIENTS; i++) {
		const struct ncg_http_client *client = &clients->list[i];
		int64_t left = deadline_of(clients, client) - now;

		if (client->fd < 0)
			continue;
		if (left < 0)
			left = 0;
		if (wait < 0 || left < wait)
			wait = left;
	}
	return wait;
}
