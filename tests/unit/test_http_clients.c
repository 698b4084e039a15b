// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who has to go when the metrics server is full, and whose time is over: the list by
 * itself, at times that the test gives.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_clients.h"

static struct sockaddr_storage v4(uint32_t host, uint16_t port)
{
	struct sockaddr_storage address = {};

	*(struct sockaddr_in *)&address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(host),
	};
	return address;
}

static struct sockaddr_storage v6(uint8_t last)
{
	struct sockaddr_storage address = {};

	*(struct sockaddr_in6 *)&address = (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_addr.s6_addr = { [0] = 0xfd, [15] = last },
	};
	return address;
}

static struct ncg_http_client *add(struct ncg_http_clients *clients, int fd,
				   struct sockaddr_storage address, int64_t now)
{
	return ncg_http_clients_add(clients, fd, &address, now);
}

static struct ncg_http_client *crowded(struct ncg_http_clients *clients,
				       struct sockaddr_storage address)
{
	return ncg_http_clients_crowded(clients, &address);
}

static void one_address_has_its_own_places(void **state)
{
	struct ncg_http_clients clients;

	(void)state;
	ncg_http_clients_init(&clients, 1000, 5000);
	for (int i = 0; i < NCG_HTTP_CLIENTS_PER_ADDRESS; i++) {
		assert_null(crowded(&clients, v4(1, 40 + i)));
		add(&clients, 10 + i, v4(1, 40 + i), 100 - i);
	}
	/* the port does not matter, the address does */
	assert_ptr_equal(crowded(&clients, v4(1, 99)),
			 ncg_http_clients_find(&clients, 10 + NCG_HTTP_CLIENTS_PER_ADDRESS - 1));
	assert_null(crowded(&clients, v4(2, 99)));
	assert_null(crowded(&clients, v6(1)));
}

static void whose_request_is_whole_goes_last(void **state)
{
	struct ncg_http_clients clients;
	struct ncg_http_client *first, *c;

	(void)state;
	ncg_http_clients_init(&clients, 1000, 5000);
	for (int i = 0; i < NCG_HTTP_CLIENTS_PER_ADDRESS; i++)
		add(&clients, 10 + i, v6(1), i);
	first = ncg_http_clients_find(&clients, 10);
	ncg_http_client_replies(first, 50);
	assert_ptr_equal(crowded(&clients, v6(1)), ncg_http_clients_find(&clients, 11));
	/* a kept connection waits from its last reply on */
	ncg_http_client_replies(ncg_http_clients_find(&clients, 11), 51);
	ncg_http_client_waits(ncg_http_clients_find(&clients, 11), 60);
	assert_ptr_equal(crowded(&clients, v6(1)), ncg_http_clients_find(&clients, 12));
	for (int i = 1; i < NCG_HTTP_CLIENTS_PER_ADDRESS; i++) {
		c = ncg_http_clients_find(&clients, 10 + i);
		ncg_http_client_replies(c, 70 + i);
	}
	assert_ptr_equal(crowded(&clients, v6(1)), first);
	ncg_http_client_remove(first);
	assert_null(crowded(&clients, v6(1)));
}

/* Full: of the address that has most, so that a lone one keeps its place. */
static void the_greediest_address_makes_room(void **state)
{
	struct ncg_http_clients clients;
	struct ncg_http_client *lone, *goes;
	int fd = 100;

	(void)state;
	ncg_http_clients_init(&clients, 1000, 5000);
	lone = add(&clients, fd++, v4(9, 1), 0);
	for (uint32_t host = 1; fd < 100 + NCG_HTTP_CLIENTS; host++)
		for (int i = 0; i < 7 && fd < 100 + NCG_HTTP_CLIENTS; i++)
			add(&clients, fd++, v4(host, i), 10 * host + i);
	goes = crowded(&clients, v4(77, 1));
	assert_non_null(goes);
	assert_ptr_not_equal(goes, lone);
	assert_int_equal(goes->since, 10);
	ncg_http_client_remove(goes);
	assert_null(crowded(&clients, v4(77, 1)));
}

static void a_deadline_is_not_put_off_by_what_comes(void **state)
{
	struct ncg_http_clients clients;
	struct ncg_http_client *a, *b;

	(void)state;
	ncg_http_clients_init(&clients, 1000, 5000);
	assert_int_equal(ncg_http_clients_wait(&clients, 0), -1);
	a = add(&clients, 3, v4(1, 1), 0);
	b = add(&clients, 4, v4(1, 2), 400);
	assert_int_equal(ncg_http_clients_wait(&clients, 300), 700);
	a->begun = true;
	assert_null(ncg_http_clients_late(&clients, 999));
	assert_ptr_equal(ncg_http_clients_late(&clients, 1000), a);
	assert_int_equal(ncg_http_clients_wait(&clients, 1200), 0);
	ncg_http_client_replies(a, 900);
	assert_ptr_equal(ncg_http_clients_late(&clients, 1400), b);
	ncg_http_client_remove(b);
	assert_null(ncg_http_clients_late(&clients, 5899));
	assert_ptr_equal(ncg_http_clients_late(&clients, 5900), a);
	ncg_http_client_waits(a, 5899);
	assert_false(a->begun);
	assert_int_equal(ncg_http_clients_wait(&clients, 5899), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address_has_its_own_places),
		cmocka_unit_test(whose_request_is_whole_goes_last),
		cmocka_unit_test(the_greediest_address_makes_room),
		cmocka_unit_test(a_deadline_is_not_put_off_by_what_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
