// SPDX-License-Identifier: GPL-2.0-only
/*
 * The metrics server as a client sees it: real requests over loopback, to a port
 * that the kernel chose. The client is a thread that blocks; the server runs in
 * the loop of the test's thread, and the client stops it when it is done.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "exposition.h"
#include "http.h"
#include "loop.h"

#define METRICS "# TYPE ncgate_guests gauge\nncgate_guests 2\n"
#define BIG_SIZE (4u << 20)

struct server {
	struct ncg_loop *loop;
	struct ncg_http *http;
	int done; /* the client writes, the loop stops */
	uint16_t port;
	unsigned int renders;
	int fail; /* what render returns */
	size_t big; /* bytes to render instead of METRICS */
};

static int render(void *arg, char **ret_text, size_t *ret_size)
{
	struct server *server = arg;

	server->renders++;
	if (server->fail)
		return server->fail;
	if (server->big) {
		*ret_text = malloc(server->big);
		assert_non_null(*ret_text);
		memset(*ret_text, 'x', server->big);
		*ret_size = server->big;
	} else {
		*ret_text = strdup(METRICS);
		*ret_size = strlen(METRICS);
	}
	return 0;
}

static void on_done(void *arg, uint32_t events)
{
	struct server *server = arg;
	uint64_t value;

	(void)events;
	assert_int_equal(read(server->done, &value, sizeof(value)), sizeof(value));
	ncg_loop_stop(server->loop);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int setup(void **state)
{
	struct server *server = calloc(1, sizeof(*server));
	int fd;

	assert_non_null(server);
	assert_int_equal(ncg_loop_new(&server->loop), 0);
	server->done = eventfd(0, EFD_CLOEXEC);
	assert_true(server->done >= 0);
	assert_int_equal(ncg_loop_add(server->loop, server->done, EPOLLIN, on_done, server), 0);
	assert_int_equal(ncg_http_listen("127.0.0.1:0", &fd), 0);
	server->port = port_of(fd);
	assert_int_equal(ncg_http_open(server->loop, fd, render, server, &server->http), 0);
	*state = server;
	return 0;
}

static int teardown(void **state)
{
	struct server *server = *state;

	ncg_http_close(server->http);
	ncg_loop_free(server->loop);
	close(server->done);
	free(server);
	return 0;
}

/* ------------------------------------------------------------------ the client */

struct exchange {
	struct server *server;
	const char *request; /* as sent */
	char *reply;	     /* as received, to the end of the stream */
	size_t size;
	bool hangs_up; /* after sending, without reading */
};

/* No assertions in this thread: cmocka's end in a longjmp. */
static void converse(struct exchange *exchange)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(exchange->server->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct timeval patience = { .tv_sec = 10 };
	ncg_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t length = strlen(exchange->request), room = BIG_SIZE + 65536;
	ssize_t n;

	exchange->reply = calloc(1, room);
	if (fd < 0 || !exchange->reply ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(fd, exchange->request, length, MSG_NOSIGNAL) != (ssize_t)length ||
	    exchange->hangs_up)
		return;
	while (exchange->size < room - 1) {
		n = recv(fd, exchange->reply + exchange->size, room - 1 - exchange->size, 0);
		if (n <= 0)
			break;
		exchange->size += n;
	}
}

static void *client(void *arg)
{
	struct exchange *exchange = arg;
	uint64_t one = 1;

	converse(exchange);
	if (write(exchange->server->done, &one, sizeof(one)) < 0)
		perror("write");
	return NULL;
}

static char *exchange_with(struct server *server, const char *request, bool hangs_up,
			   size_t *ret_size)
{
	struct exchange exchange = {
		.server = server, .request = request, .hangs_up = hangs_up,
	};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, client, &exchange), 0);
	assert_int_equal(ncg_loop_run(server->loop), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_non_null(exchange.reply);
	if (ret_size)
		*ret_size = exchange.size;
	return exchange.reply;
}

static char *ask(struct server *server, const char *method, const char *path)
{
	char request[256];

	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, path);
	return exchange_with(server, request, false, NULL);
}

static void assert_starts(const char *text, const char *start)
{
	if (strncmp(text, start, strlen(start)))
		fail_msg("expected it to start with '%s':\n%s", start, text);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static const char *body_of(const char *reply)
{
	const char *end = strstr(reply, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

/* -------------------------------------------------------------------- serving */

static void metrics_are_served(void **state)
{
	ncg_autofree char *reply = ask(*state, "GET", "/metrics");
	struct server *server = *state;

	assert_starts(reply, "HTTP/1.1 200 ");
	assert_has(reply, "\r\nContent-Type: " NCG_EXPOSITION_CONTENT_TYPE "\r\n");
	assert_string_equal(body_of(reply), METRICS);
	assert_int_equal(server->renders, 1);
}

static void a_query_does_not_hide_the_path(void **state)
{
	ncg_autofree char *reply = ask(*state, "GET", "/metrics?format=text");

	assert_starts(reply, "HTTP/1.1 200 ");
}

static void head_has_the_length_and_no_body(void **state)
{
	ncg_autofree char *reply = ask(*state, "HEAD", "/metrics");
	char length[64];

	snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", strlen(METRICS));
	assert_starts(reply, "HTTP/1.1 200 ");
	assert_has(reply, length);
	assert_string_equal(body_of(reply), "");
}

static void a_failed_render_is_a_500_with_a_sentence(void **state)
{
	struct server *server = *state;
	ncg_autofree char *reply = NULL;

	server->fail = -ENOMEM;
	reply = ask(server, "GET", "/metrics");
	assert_starts(reply, "HTTP/1.1 500 ");
	assert_has(body_of(reply), "The metrics could not be made: Cannot allocate memory.");
}

static void the_landing_page_names_the_metrics(void **state)
{
	ncg_autofree char *reply = ask(*state, "GET", "/");
	struct server *server = *state;

	assert_starts(reply, "HTTP/1.1 200 ");
	assert_has(reply, "\r\nContent-Type: text/plain");
	assert_has(body_of(reply), "ncgate " NCG_VERSION);
	assert_has(body_of(reply), "/metrics");
	assert_int_equal(server->renders, 0);
}

static void elsewhere_is_nothing(void **state)
{
	static const char *const paths[] = { "/metrics/", "/metric", "//", "/../metrics" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		ncg_autofree char *reply = ask(*state, "GET", paths[i]);

		assert_starts(reply, "HTTP/1.1 404 ");
	}
}

static void other_methods_are_refused(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "BREW" };
	struct server *server = *state;

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		ncg_autofree char *reply = ask(*state, methods[i], "/metrics");

		assert_starts(reply, "HTTP/1.1 405 ");
		assert_has(reply, "\r\nAllow: GET, HEAD\r\n");
	}
	assert_int_equal(server->renders, 0);
}

static void a_body_on_get_is_ignored(void **state)
{
	ncg_autofree char *reply = exchange_with(*state,
						 "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
						 "Connection: close\r\nContent-Length: 5\r\n\r\n"
						 "hello", false, NULL);

	assert_starts(reply, "HTTP/1.1 200 ");
	assert_string_equal(body_of(reply), METRICS);
}

static void a_connection_serves_many_requests(void **state)
{
	struct server *server = *state;
	ncg_autofree char *reply = exchange_with(
		server,
		"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
		"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		false, NULL);

	assert_int_equal(server->renders, 2);
	assert_has(body_of(reply), "HTTP/1.1 200 ");
}

/* More than any socket buffer: the reply needs many turns of the loop. */
static void a_large_reply_is_whole(void **state)
{
	struct server *server = *state;
	ncg_autofree char *reply = NULL;
	size_t size;

	server->big = BIG_SIZE;
	reply = exchange_with(server, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
				      "Connection: close\r\n\r\n", false, &size);
	assert_int_equal(reply + size - body_of(reply), BIG_SIZE);
}

static void a_client_that_hangs_up_harms_nobody(void **state)
{
	struct server *server = *state;
	ncg_autofree char *nothing = NULL, *reply = NULL;

	server->big = BIG_SIZE;
	nothing = exchange_with(server, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", true,
				NULL);
	server->big = 0;
	reply = ask(server, "GET", "/metrics");
	assert_starts(reply, "HTTP/1.1 200 ");
	assert_string_equal(body_of(reply), METRICS);
}

/* ---------------------------------------------------------------- slow clients */

#define SLOW 16

/* Begins a request by each of many connections, then asks by one more. */
struct crowd {
	struct exchange exchange; /* the one more */
	const char *begins;	  /* what each of the others sends */
	char replies[SLOW][512];  /* what each of them got meanwhile */
};

static int connect_to(const struct server *server, int receive_buffer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(server->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		perror("connect");
	return fd;
}

static void *crowd_of_clients(void *arg)
{
	struct crowd *crowd = arg;
	int slow[SLOW];

	for (size_t i = 0; i < SLOW; i++) {
		slow[i] = connect_to(crowd->exchange.server, 4096);
		if (send(slow[i], crowd->begins, strlen(crowd->begins), MSG_NOSIGNAL) < 0)
			perror("send");
	}
	converse(&crowd->exchange);
	for (size_t i = 0; i < SLOW; i++) {
		if (recv(slow[i], crowd->replies[i], sizeof(crowd->replies[i]) - 1,
			 MSG_DONTWAIT) < 0)
			crowd->replies[i][0] = '\0';
		close(slow[i]);
	}
	if (write(crowd->exchange.server->done, &(uint64_t){ 1 }, 8) < 0)
		perror("write");
	return NULL;
}

static void scrape_in(struct crowd *crowd)
{
	pthread_t thread;

	crowd->exchange.request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
				  "Connection: close\r\n\r\n";
	assert_int_equal(pthread_create(&thread, NULL, crowd_of_clients, crowd), 0);
	assert_int_equal(ncg_loop_run(crowd->exchange.server->loop), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* More than there are places for one address, and none of them has a whole request. */
static void a_scrape_is_served_in_a_crowd_of_slow_requests(void **state)
{
	static const char *const begins[] = { "", "GET /metr", "GET /metrics HTTP/1.1\r\nX: y\r\n",
					      "GET /metrics HTTP/1.1\r\nHost: a\r\n"
					      "Content-Length: 1000000000\r\n\r\nbody" };

	for (size_t b = 0; b < sizeof(begins) / sizeof(*begins); b++) {
		struct crowd crowd = { .exchange.server = *state, .begins = begins[b] };
		size_t told = 0;

		crowd.exchange.server->renders = 0;
		scrape_in(&crowd);
		assert_starts(crowd.exchange.reply, "HTTP/1.1 200 ");
		assert_string_equal(body_of(crowd.exchange.reply), METRICS);
		assert_int_equal(crowd.exchange.server->renders, 1);
		/* Who had to go was told so, in words. */
		for (size_t i = 0; i < SLOW; i++) {
			if (!*crowd.replies[i])
				continue;
			assert_starts(crowd.replies[i], "HTTP/1.1 503 ");
			assert_has(crowd.replies[i], "\r\nConnection: close\r\n");
			assert_has(body_of(crowd.replies[i]), "Too many connections are open");
			told++;
		}
		assert_int_equal(told, SLOW + 1 - 8);
		free(crowd.exchange.reply);
	}
}

/* As many that ask and take nothing of the reply. */
static void a_scrape_is_served_in_a_crowd_of_slow_readers(void **state)
{
	struct crowd crowd = {
		.exchange.server = *state,
		.begins = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
	};

	crowd.exchange.server->big = BIG_SIZE;
	scrape_in(&crowd);
	assert_starts(crowd.exchange.reply, "HTTP/1.1 200 ");
	assert_int_equal(crowd.exchange.reply + crowd.exchange.size -
			 body_of(crowd.exchange.reply), BIG_SIZE);
	free(crowd.exchange.reply);
}

/* Sends a line now and then, until it is answered; a limit so that a test ends. */
static void *trickling_client(void *arg)
{
	struct exchange *exchange = arg;
	int fd = connect_to(exchange->server, 0);
	struct pollfd answer = { .fd = fd, .events = POLLIN };
	const char *line = exchange->request;

	exchange->reply = calloc(1, 1024);
	for (int i = 0; i < 300 && poll(&answer, 1, 20) == 0; i++) {
		if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
			break;
		line = "X-More: x\r\n";
	}
	if (answer.revents)
		exchange->size = recv(fd, exchange->reply, 1023, 0);
	close(fd);
	if (write(exchange->server->done, &(uint64_t){ 1 }, 8) < 0)
		perror("write");
	return NULL;
}

static void a_request_has_one_deadline_however_it_trickles(void **state)
{
	struct exchange exchange = {
		.server = *state, .request = "GET /metrics HTTP/1.1\r\n",
	};
	pthread_t thread;

	ncg_http_set_deadlines(exchange.server->http, 200, 60000);
	assert_int_equal(pthread_create(&thread, NULL, trickling_client, &exchange), 0);
	assert_int_equal(ncg_loop_run(exchange.server->loop), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_starts(exchange.reply, "HTTP/1.1 408 ");
	assert_has(body_of(exchange.reply), "The request was not whole");
	assert_int_equal(exchange.server->renders, 0);
	free(exchange.reply);
}

/* Takes some of its reply now and then, so that no limit on idleness ends it. */
static void *sipping_client(void *arg)
{
	struct exchange *exchange = arg;
	int fd = connect_to(exchange->server, 4096);
	struct pollfd end = { .fd = fd };
	ssize_t n = 0;
	char some[256];

	if (send(fd, exchange->request, strlen(exchange->request), MSG_NOSIGNAL) < 0)
		perror("send");
	for (int i = 0; i < 300 && n >= 0 && poll(&end, 1, 20) == 0; i++) {
		n = recv(fd, some, sizeof(some), 0);
		if (n > 0)
			exchange->size += n;
	}
	exchange->hangs_up = n < 0 || end.revents & (POLLERR | POLLHUP);
	close(fd);
	if (write(exchange->server->done, &(uint64_t){ 1 }, 8) < 0)
		perror("write");
	return NULL;
}

static void a_reply_has_one_deadline_however_it_is_taken(void **state)
{
	struct exchange exchange = {
		.server = *state,
		.request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
	};
	pthread_t thread;

	exchange.server->big = BIG_SIZE;
	ncg_http_set_deadlines(exchange.server->http, 60000, 200);
	assert_int_equal(pthread_create(&thread, NULL, sipping_client, &exchange), 0);
	assert_int_equal(ncg_loop_run(exchange.server->loop), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(exchange.hangs_up);
	assert_true(exchange.size < BIG_SIZE);
}

/* A kept connection that asks nothing more goes without a word that nobody awaits. */
static void a_kept_connection_ends_in_silence(void **state)
{
	struct server *server = *state;
	ncg_autofree char *reply = NULL;
	size_t size;

	ncg_http_set_deadlines(server->http, 200, 60000);
	reply = exchange_with(server, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", false,
			      &size);
	assert_starts(reply, "HTTP/1.1 200 ");
	assert_string_equal(body_of(reply), METRICS);
}

static void bad_http_is_refused(void **state)
{
	ncg_autofree char *bad = exchange_with(*state, "\1\2\3 nonsense\r\n\r\n", false, NULL);
	ncg_autofree char *reply = ask(*state, "GET", "/metrics");
	struct server *server = *state;

	if (*bad)
		assert_starts(bad, "HTTP/1.");
	assert_null(strstr(bad, " 200 "));
	assert_starts(reply, "HTTP/1.1 200 ");
	assert_int_equal(server->renders, 1);
}

/* A close in the midst of a connection, and of a server that never had one. */
static void a_server_can_be_closed_at_any_time(void **state)
{
	struct server *server = *state;
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(server->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	ncg_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ncg_http_close(server->http);
	server->http = NULL;
	ncg_http_close(NULL);
}

/* ------------------------------------------------------------------- listening */

static void malformed_addresses_are_refused(void **state)
{
	static const char *const bad[] = {
		"", ":", "9188", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:80x",
		"127.0.0.1:-1", "127.0.0.1:+80", "127.0.0.1: 80", "127.0.0.1:65536",
		"127.0.0.1:123456", "::1:9188", "[::1]", "[::1]9188", "[]:9188", "[:9188",
		"::1]:9188", "[127.0.0.1]:9188", "[zz::]:9188", "localhost:9188", "256.0.0.1:9188",
		"[[::1]]:9188",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int fd = -1, r = ncg_http_listen(bad[i], &fd);

		if (r != -EINVAL || fd != -1)
			fail_msg("'%s' gave %d", bad[i], r);
	}
}

static void a_taken_port_is_told(void **state)
{
	struct server *server = *state;
	char address[32];
	int fd = -1;

	snprintf(address, sizeof(address), "127.0.0.1:%u", server->port);
	assert_int_equal(ncg_http_listen(address, &fd), -EADDRINUSE);
	assert_int_equal(fd, -1);
}

static void an_address_of_no_interface_is_told(void **state)
{
	int fd = -1;

	(void)state;
	/* TEST-NET-1, RFC 5737 */
	assert_int_equal(ncg_http_listen("192.0.2.1:0", &fd), -EADDRNOTAVAIL);
}

static bool connects(int family, uint16_t port)
{
	ncg_autoclose int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	return fd >= 0 && !connect(fd, family == AF_INET ? (void *)&v4 : (void *)&v6,
				   family == AF_INET ? sizeof(v4) : sizeof(v6));
}

static void ipv6_loopback(void **state)
{
	int fd = -1, r = ncg_http_listen("[::1]:0", &fd);

	(void)state;
	if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
		skip(); /* a machine without IPv6 */
	assert_int_equal(r, 0);
	assert_true(connects(AF_INET6, port_of(fd)));
	assert_false(connects(AF_INET, port_of(fd)));
	close(fd);
}

/* Every address of IPv6 is not every address: IPv4 was not asked for. */
static void all_ipv6_addresses(void **state)
{
	int fd = -1, r = ncg_http_listen("[::]:0", &fd);

	(void)state;
	if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
		skip();
	assert_int_equal(r, 0);
	assert_false(connects(AF_INET, port_of(fd)));
	close(fd);
}

static void all_addresses(void **state)
{
	int fd = -1;

	(void)state;
	assert_int_equal(ncg_http_listen(":0", &fd), 0);
	assert_true(connects(AF_INET, port_of(fd)));
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(metrics_are_served),
		TEST(a_query_does_not_hide_the_path),
		TEST(head_has_the_length_and_no_body),
		TEST(a_failed_render_is_a_500_with_a_sentence),
		TEST(the_landing_page_names_the_metrics),
		TEST(elsewhere_is_nothing),
		TEST(other_methods_are_refused),
		TEST(a_body_on_get_is_ignored),
		TEST(a_connection_serves_many_requests),
		TEST(a_large_reply_is_whole),
		TEST(a_client_that_hangs_up_harms_nobody),
		TEST(a_scrape_is_served_in_a_crowd_of_slow_requests),
		TEST(a_scrape_is_served_in_a_crowd_of_slow_readers),
		TEST(a_request_has_one_deadline_however_it_trickles),
		TEST(a_reply_has_one_deadline_however_it_is_taken),
		TEST(a_kept_connection_ends_in_silence),
		TEST(bad_http_is_refused),
		TEST(a_server_can_be_closed_at_any_time),
		cmocka_unit_test(malformed_addresses_are_refused),
		TEST(a_taken_port_is_told),
		cmocka_unit_test(an_address_of_no_interface_is_told),
		cmocka_unit_test(ipv6_loopback),
		cmocka_unit_test(all_ipv6_addresses),
		cmocka_unit_test(all_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
