// SPDX-License-Identifier: GPL-2.0-only
/*
 * libmicrohttpd in external epoll mode: its epoll descriptor is one more
 * descriptor of our loop, and a timer stands for the timeouts it asks for.
 *
 * Connections are accepted here and then given to it, for it knows but two answers to one
 * too many: not to accept, or to reset. Who has to go (http_clients.c) is told why, and
 * shut down; libmicrohttpd finds the end of the stream and cleans up. A failure of one
 * connection ends that connection.
 */
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

#include <microhttpd.h>

#include "exposition.h"
#include "http_clients.h"
#include "log.h"

/*
 * Every limit is there so that whoever can reach the port cannot make the daemon hold
 * memory or descriptors without end. A request fits in one packet, and Prometheus gives a
 * scrape 10 s unless told otherwise.
 */
#define REQUEST_MS 15000
#define REPLY_MS 60000
#define BACKLOG 64
/* So long the server accepts nobody when it is out of descriptors or memory. */
#define PAUSE_MS 1000
/* Those that were shut down are libmicrohttpd's for a moment longer. */
#define LIBRARY_CONNECTIONS (4u * NCG_HTTP_CLIENTS)

#define ALLOWED_METHODS "GET, HEAD"
#define TEXT_PLAIN "text/plain; charset=utf-8"

#define LANDING_PAGE                                                       \
	"ncgate " NCG_VERSION "\n"                                         \
	"Decides which vfio-pci devices a KVM guest on arm64 may map as\n" \
	"Normal-NC, and shows what every guest has.\n"                     \
	"\n"                                                               \
	"/metrics  for Prometheus\n"

struct ncg_http {
	struct ncg_loop *loop;
	struct MHD_Daemon *daemon;
	int epoll_fd; /* libmicrohttpd's own; -1 while not in the loop */
	int timer_fd;
	int listen_fd;
	int64_t paused_until; /* ms; 0: listen_fd is in the loop */
	struct ncg_http_clients clients;
	ncg_http_render *render;
	void *arg;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ listening */

/* Splits "HOST:PORT"; host is empty for ":PORT". */
static int parse_address(const char *address_port, char *ret_host, size_t size,
			 const char **ret_port)
{
	const char *colon = strrchr(address_port, ':');
	const char *host = address_port;
	size_t length, digits;

	if (!colon)
		return -EINVAL;
	length = colon - host;
	digits = strspn(colon + 1, "0123456789");
	if (!digits || digits > 5 || colon[1 + digits] || strtoul(colon + 1, NULL, 10) > 65535)
		return -EINVAL;
	if (length && *host == '[') {
		if (length < 3 || host[length - 1] != ']' || !memchr(host, ':', length))
			return -EINVAL;
		host++;
		length -= 2;
	} else if (memchr(host, ':', length)) {
		return -EINVAL; /* where would the address end? */
	}
	if (length >= size)
		return -EINVAL;
	memcpy(ret_host, host, length);
	ret_host[length] = '\0';
	*ret_port = colon + 1;
	return 0;
}

static int listen_on(const struct addrinfo *address, int v6_only, int *ret_fd)
{
	ncg_autoclose int fd = socket(address->ai_family,
				      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -errno;
	/* A restart must not wait for the last connections' TIME_WAIT. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		return -errno;
	if (address->ai_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)))
		return -errno;
	if (bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, BACKLOG))
		return -errno;
	*ret_fd = ncg_take_fd(&fd);
	return 0;
}

static void free_addresses(struct addrinfo **addresses)
{
	if (*addresses)
		freeaddrinfo(*addresses);
}

/* What a numeric address is, for freeaddrinfo(); NULL: none. */
static struct addrinfo *resolve(const char *host, const char *port, int family)
{
	struct addrinfo *addresses;
	const struct addrinfo hints = {
		.ai_family = family,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	};

	return getaddrinfo(host, port, &hints, &addresses) ? NULL : addresses;
}

static int listen_family(const char *host, const char *port, int family, int *ret_fd)
{
	ncg_cleanup(free_addresses) struct addrinfo *addresses = resolve(host, port, family);

	return addresses ? listen_on(addresses, host != NULL, ret_fd) : -EINVAL;
}

static int family_of(const char *address_port)
{
	return *address_port == '[' ? AF_INET6 : AF_INET;
}

bool ncg_http_address_ok(const char *address_port)
{
	ncg_cleanup(free_addresses) struct addrinfo *addresses = NULL;
	char host[NI_MAXHOST];
	const char *port;

	if (parse_address(address_port, host, sizeof(host), &port))
		return false;
	if (!*host)
		return true;
	addresses = resolve(host, port, family_of(address_port));
	return addresses;
}

int ncg_http_listen(const char *address_port, int *ret_fd)
{
	char host[NI_MAXHOST];
	const char *port;
	int r;

	r = parse_address(address_port, host, sizeof(host), &port);
	if (r)
		return r;
	if (*host)
		return listen_family(host, port, family_of(address_port), ret_fd);
	r = listen_family(NULL, port, AF_INET6, ret_fd);
	/* A kernel without IPv6, or booted with it off, still has all addresses. */
	if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
		r = listen_family(NULL, port, AF_INET, ret_fd);
	return r;
}

/* ---------------------------------------------------------------- connections */

/* NULL for one that had to go. */
static struct ncg_http_client *client_of(struct ncg_http *http, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? ncg_http_clients_find(&http->clients, info->connect_fd) : NULL;
}

/*
 * Ends a connection: with a status and a sentence where it is our turn to speak, by the end
 * of the stream in the midst of a reply and where a connection was merely kept. One send:
 * a socket whose client does not listen is not waited for.
 */
static void end(struct ncg_http_client *client, const char *status, const char *sentence)
{
	const struct linger reset = { .l_onoff = 1 };
	char text[512];
	int size = snprintf(text, sizeof(text),
			    "HTTP/1.1 %s\r\nContent-Type: " TEXT_PLAIN "\r\n"
			    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
			    status, strlen(sentence), sentence);

	if (!client->replying && (client->begun || !client->served) &&
	    send(client->fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		ncg_debug("http: a client that has to go cannot be told: %s", strerror(errno));
	/* What a client does not take of a reply must not stay in the kernel. */
	if (client->replying)
		setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	shutdown(client->fd, SHUT_RDWR);
	ncg_http_client_remove(client);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct ncg_http_client *client = client_of(arg, connection);

	(void)context;
	if (client && code == MHD_CONNECTION_NOTIFY_CLOSED)
		ncg_http_client_remove(client);
}

/* Called with the first line of a request, before its header is whole. */
static void *on_first_line(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct ncg_http_client *client = client_of(arg, connection);

	(void)uri;
	if (client)
		client->begun = true;
	return NULL;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **request,
			 enum MHD_RequestTerminationCode code)
{
	struct ncg_http_client *client = client_of(arg, connection);

	(void)request;
	(void)code;
	if (client)
		ncg_http_client_waits(client, now_ms());
}

/* -------------------------------------------------------------------- serving */

static enum MHD_Result reply(struct ncg_http *http, struct MHD_Connection *connection,
			     unsigned int status, const char *type, struct MHD_Response *response)
{
	struct ncg_http_client *client = client_of(http, connection);
	enum MHD_Result result = MHD_NO;

	if (client)
		ncg_http_client_replies(client, now_ms());
	if (!response)
		return MHD_NO; /* no memory: the connection is closed */
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
	    (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
	     MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, ALLOWED_METHODS) == MHD_YES))
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result reply_text(struct ncg_http *http, struct MHD_Connection *connection,
				  unsigned int status, const char *text)
{
	return reply(http, connection, status, TEXT_PLAIN,
		     MHD_create_response_from_buffer(strlen(text), (void *)text,
						     MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result reply_metrics(struct ncg_http *http, struct MHD_Connection *connection)
{
	ncg_autofree char *text = NULL;
	struct MHD_Response *response;
	char sentence[256];
	size_t size = 0;
	int r;

	r = http->render(http->arg, &text, &size);
	if (r) {
		snprintf(sentence, sizeof(sentence),
			 "The metrics could not be made: %s. ncgated's log says more.\n",
			 strerror(r < 0 ? -r : EIO));
		return reply_text(http, connection, MHD_HTTP_INTERNAL_SERVER_ERROR, sentence);
	}
	response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (response)
		text = NULL;
	return reply(http, connection, MHD_HTTP_OK, NCG_EXPOSITION_CONTENT_TYPE, response);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **request)
{
	struct ncg_http *http = arg;
	static char seen;

	(void)version;
	(void)upload;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return reply_text(http, connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				  "Only GET and HEAD are served here.\n");
	if (!*request) {
		/* The header is in; a body, if any, is thrown away before the reply. */
		*request = &seen;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (!strcmp(url, "/metrics"))
		return reply_metrics(http, connection);
	if (!strcmp(url, "/"))
		return reply_text(http, connection, MHD_HTTP_OK, LANDING_PAGE);
	return reply_text(http, connection, MHD_HTTP_NOT_FOUND,
			  "There is nothing here; the metrics are at /metrics.\n");
}

/* A client's bad request is no event of ours, so this is debugging text. */
static void on_message(void *arg, const char *format, va_list args)
{
	char text[512];

	(void)arg;
	vsnprintf(text, sizeof(text), format, args);
	ncg_debug("http: %s", text);
}

/* The sooner of two waits in ms, of which -1 is for ever. */
static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void set_timer(struct ncg_http *http)
{
	int64_t ms = MHD_get_timeout64s(http->daemon), now = now_ms();
	struct itimerspec when = {};

	ms = sooner(ms, ncg_http_clients_wait(&http->clients, now));
	if (http->paused_until)
		ms = sooner(ms, http->paused_until > now ? http->paused_until - now : 0);
	if (ms > 0) {
		when.it_value.tv_sec = ms / 1000;
		when.it_value.tv_nsec = ms % 1000 * 1000000;
	} else if (!ms) {
		when.it_value.tv_nsec = 1; /* now; 0 would disarm the timer */
	}
	timerfd_settime(http->timer_fd, 0, &when, NULL);
}

static ncg_loop_callback on_listen;

static void end_late(struct ncg_http *http)
{
	struct ncg_http_client *client;

	while ((client = ncg_http_clients_late(&http->clients, now_ms())))
		end(client, "408 Request Timeout",
		    "The request was not whole in the time that there is for it.\n");
}

static void work(struct ncg_http *http)
{
	MHD_run(http->daemon);
	end_late(http);
	if (http->paused_until && now_ms() >= http->paused_until &&
	    !ncg_loop_add(http->loop, http->listen_fd, EPOLLIN, on_listen, http))
		http->paused_until = 0;
	/* Setting the timer anew also takes back an expiry that was not read. */
	set_timer(http);
}

static void on_event(void *arg, uint32_t events)
{
	(void)events;
	work(arg);
}

/* Accepts one connection; the request of a client that has sent it is served at once. */
static void on_listen(void *arg, uint32_t events)
{
	struct sockaddr_storage address = {};
	socklen_t size = sizeof(address);
	struct ncg_http *http = arg;
	struct ncg_http_client *client;
	int fd = accept4(http->listen_fd, (struct sockaddr *)&address, &size,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		/* The socket stays readable: asking again at once would take all of a CPU. */
		ncg_loop_remove(http->loop, http->listen_fd);
		http->paused_until = now_ms() + PAUSE_MS;
	}
	if (fd >= 0) {
		client = ncg_http_clients_crowded(&http->clients, &address);
		if (client)
			end(client, "503 Service Unavailable",
			    "Too many connections are open; this one has waited longest and "
			    "makes room for another.\n");
		ncg_http_clients_add(&http->clients, fd, &address, now_ms());
		/* Closes the descriptor where it fails. */
		if (MHD_add_connection(http->daemon, fd, (struct sockaddr *)&address, size) !=
		    MHD_YES && (client = ncg_http_clients_find(&http->clients, fd)))
			ncg_http_client_remove(client);
	}
	work(http);
}

static struct MHD_Daemon *start(struct ncg_http *http)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
					MHD_USE_NO_THREAD_SAFETY | MHD_USE_ERROR_LOG, 0,
				NULL, NULL, on_request, http,
				MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
				MHD_OPTION_URI_LOG_CALLBACK, on_first_line, http,
				MHD_OPTION_CONNECTION_LIMIT, LIBRARY_CONNECTIONS,
				MHD_OPTION_END);
}

int ncg_http_open(struct ncg_loop *loop, int fd, ncg_http_render *render, void *arg,
		  struct ncg_http **ret_http)
{
	ncg_autohttp struct ncg_http *http = calloc(1, sizeof(*http));
	const union MHD_DaemonInfo *info;
	int r;

	if (!http)
		return -ENOMEM;
	*http = (struct ncg_http){
		.loop = loop, .epoll_fd = -1, .timer_fd = -1, .listen_fd = -1,
		.render = render, .arg = arg,
	};
	ncg_http_clients_init(&http->clients, REQUEST_MS, REPLY_MS);
	http->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (http->timer_fd < 0)
		return -errno;
	errno = 0;
	http->daemon = start(http);
	if (!http->daemon)
		return errno ? -errno : -EIO;
	info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -EIO;
	r = ncg_loop_add(loop, http->timer_fd, EPOLLIN, on_event, http);
	if (r)
		return r;
	r = ncg_loop_add(loop, info->epoll_fd, EPOLLIN, on_event, http);
	if (r)
		return r;
	http->epoll_fd = info->epoll_fd;
	r = ncg_loop_add(loop, fd, EPOLLIN, on_listen, http);
	if (r)
		return r;
	http->listen_fd = fd;
	set_timer(http);
	*ret_http = ncg_take_ptr(http);
	return 0;
}

void ncg_http_set_deadlines(struct ncg_http *http, int64_t request_ms, int64_t reply_ms)
{
	http->clients.request_ms = request_ms;
	http->clients.reply_ms = reply_ms;
	set_timer(http);
}

void ncg_http_close(struct ncg_http *http)
{
	if (!http)
		return;
	if (http->epoll_fd >= 0)
		ncg_loop_remove(http->loop, http->epoll_fd);
	if (http->timer_fd >= 0) {
		ncg_loop_remove(http->loop, http->timer_fd);
		close(http->timer_fd);
	}
	if (http->listen_fd >= 0) {
		if (!http->paused_until)
			ncg_loop_remove(http->loop, http->listen_fd);
		close(http->listen_fd);
	}
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	free(http);
}
