// SPDX-License-Identifier: GPL-2.0-only
/*
 * libmicrohttpd in external epoll mode: its epoll descriptor is one more
 * descriptor of our loop, and a timer stands for the timeouts it asks for.
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

#include <microhttpd.h>

#include "exposition.h"
#include "log.h"

/*
 * A few scrapers, each with a connection it keeps or opens anew. Every limit is
 * there so that whoever can reach the port cannot make the daemon hold memory
 * or descriptors without end.
 */
#define CONNECTIONS 32
#define CONNECTIONS_PER_IP 8
#define IDLE_SECONDS 15u
#define BACKLOG 64

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
	ncg_http_render *render;
	void *arg;
};

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

/* -------------------------------------------------------------------- serving */

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned int status,
			     const char *type, struct MHD_Response *response)
{
	enum MHD_Result result = MHD_NO;

	if (!response)
		return MHD_NO; /* no memory: the connection is closed */
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
	    (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
	     MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, ALLOWED_METHODS) == MHD_YES))
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result reply_text(struct MHD_Connection *connection, unsigned int status,
				  const char *text)
{
	return reply(connection, status, TEXT_PLAIN,
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
		return reply_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, sentence);
	}
	response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (response)
		text = NULL;
	return reply(connection, MHD_HTTP_OK, NCG_EXPOSITION_CONTENT_TYPE, response);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **request)
{
	static char seen;

	(void)version;
	(void)upload;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return reply_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
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
		return reply_metrics(arg, connection);
	if (!strcmp(url, "/"))
		return reply_text(connection, MHD_HTTP_OK, LANDING_PAGE);
	return reply_text(connection, MHD_HTTP_NOT_FOUND,
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

static void set_timer(struct ncg_http *http)
{
	struct itimerspec when = {};
	int64_t ms = MHD_get_timeout64s(http->daemon);

	if (ms > 0) {
		when.it_value.tv_sec = ms / 1000;
		when.it_value.tv_nsec = ms % 1000 * 1000000;
	} else if (!ms) {
		when.it_value.tv_nsec = 1; /* now; 0 would disarm the timer */
	}
	timerfd_settime(http->timer_fd, 0, &when, NULL);
}

static void on_event(void *arg, uint32_t events)
{
	struct ncg_http *http = arg;

	(void)events;
	MHD_run(http->daemon);
	/* Setting the timer anew also takes back an expiry that was not read. */
	set_timer(http);
}

static struct MHD_Daemon *start(struct ncg_http *http, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_THREAD_SAFETY | MHD_USE_ERROR_LOG, 0,
				NULL, NULL, on_request, http,
				MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
				MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
				MHD_OPTION_PER_IP_CONNECTION_LIMIT,
				(unsigned int)CONNECTIONS_PER_IP,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
				MHD_OPTION_END);
}

int ncg_http_open(struct ncg_loop *loop, int fd, ncg_http_render *render, void *arg,
		  struct ncg_http **ret_http)
{
	ncg_autohttp struct ncg_http *http = calloc(1, sizeof(*http));
	const union MHD_DaemonInfo *info;
	int copy, r;

	if (!http)
		return -ENOMEM;
	*http = (struct ncg_http){
		.loop = loop, .epoll_fd = -1, .timer_fd = -1, .render = render, .arg = arg,
	};
	http->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (http->timer_fd < 0)
		return -errno;
	/*
	 * libmicrohttpd does not promise whether it closes the socket when it
	 * fails to start; a copy keeps that from being the caller's question.
	 */
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	errno = 0;
	http->daemon = start(http, copy);
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
	set_timer(http);
	close(fd);
	*ret_http = ncg_take_ptr(http);
	return 0;
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
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	free(http);
}
