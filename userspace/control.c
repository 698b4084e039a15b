// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two sides of the control socket. The server owns its clients' places; whoever holds
 * one without using it loses it, told why. A client that fails ends alone.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>

#include "log.h"

#define CLIENTS 16
#define BACKLOG 16
#define CLIENT_MS 5000 /* to say the request, and then to take the reply */
#define PATIENCE_MS 1000 /* without a step forward, when every place is taken */
#define TICK_MS 500
#define ASK_MS 30000
#define REPLY_MAX (256u << 20) /* bytes that the command accepts */

struct client {
	struct ncg_control *control;
	int fd; /* -1: a free place */
	int64_t deadline;
	int64_t since; /* it came, or took something of its reply */
	struct ncg_control_request request;
	char *reply; /* NULL until the request is whole */
	size_t reply_size;
	size_t sent;
};

struct ncg_control {
	struct ncg_loop *loop;
	int listen_fd;
	int timer_fd;
	bool accepting; /* listen_fd is in the loop */
	bool ticking;
	ncg_control_answer *answer;
	void *arg;
	unsigned int client_count;
	struct client clients[CLIENTS];
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int make_address(const char *path, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(ret_address->sun_path))
		return -ENAMETOOLONG;
	strcpy(ret_address->sun_path, path);
	return 0;
}

/* ------------------------------------------------------------------ listening */

static int make_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	ncg_autofree char *folder = NULL;

	if (!slash || slash == path)
		return 0;
	folder = strndup(path, slash - path);
	if (!folder)
		return -ENOMEM;
	if (mkdir(folder, 0755))
		return errno == EEXIST ? 0 : -errno;
	/* Ours, and the umask may have taken something away. */
	return chmod(folder, 0755) ? -errno : 0;
}

/*
 * Two daemons that start at once must not both find a dead socket and replace
 * each other's. The lock is a file of its own since only root can open it; a
 * lock on the folder could be held by anyone.
 */
static int lock(const char *path, int *ret_fd)
{
	ncg_autofree char *name = NULL;
	ncg_autoclose int fd = -1;

	if (asprintf(&name, "%s.lock", path) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX))
		if (errno != EINTR)
			return -errno;
	*ret_fd = ncg_take_fd(&fd);
	return 0;
}

/* Removes the socket of a dead daemon; -EADDRINUSE when it is not dead. */
static int remove_stale(const struct sockaddr_un *address)
{
	ncg_autoclose int fd = -1;
	struct stat st;

	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	/* connect() answers ECONNREFUSED for a regular file as well. */
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		return -EADDRINUSE;
	if (errno == EAGAIN) /* its backlog is full: busy, not dead */
		return -EADDRINUSE;
	if (errno != ECONNREFUSED)
		return -errno;
	return unlink(address->sun_path) && errno != ENOENT ? -errno : 0;
}

int ncg_control_listen(const char *path, int *ret_fd)
{
	ncg_autoclose int fd = -1, lock_fd = -1;
	struct sockaddr_un address;
	int r;

	r = make_address(path, &address);
	if (r)
		return r;
	r = make_folder(path);
	if (r)
		return r;
	r = lock(path, &lock_fd);
	if (r)
		return r;
	r = remove_stale(&address);
	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Before bind(), which gives the file this mode: it is never wider. */
	if (fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, BACKLOG))
		return -errno;
	*ret_fd = ncg_take_fd(&fd);
	return 0;
}

/* -------------------------------------------------------------------- serving */

static ncg_loop_callback on_listen, on_readable, on_writable;

/*
 * A regular tick while there is anything that time can change. Never set anew
 * while it runs: a stream of new clients would put it off for ever.
 */
static void set_timer(struct ncg_control *control)
{
	bool needed = control->client_count || !control->accepting;
	struct itimerspec when = {};

	if (needed == control->ticking)
		return;
	control->ticking = needed;
	if (needed) {
		when.it_value.tv_nsec = TICK_MS * 1000000;
		when.it_interval = when.it_value;
	}
	timerfd_settime(control->timer_fd, 0, &when, NULL);
}

static void set_accepting(struct ncg_control *control, bool accepting)
{
	if (control->accepting == accepting)
		return;
	if (!accepting)
		ncg_loop_remove(control->loop, control->listen_fd);
	else if (ncg_loop_add(control->loop, control->listen_fd, EPOLLIN, on_listen, control))
		return; /* the next tick tries again */
	control->accepting = accepting;
}

static void drop(struct client *client)
{
	struct ncg_control *control = client->control;

	ncg_loop_remove(control->loop, client->fd);
	close(client->fd);
	client->fd = -1;
	free(client->reply);
	client->reply = NULL;
	control->client_count--;
	set_accepting(control, true);
	set_timer(control);
}

static json_t *make_reply(struct ncg_control *control, const char *request)
{
	json_t *reply = *request ? control->answer(control->arg, request) : NULL;

	return reply ? reply : json_pack("{s:o}", "error",
					 json_sprintf("the daemon has no answer to '%s'; its log "
						      "may say why", request));
}

/* The reply to a whole request is made, and goes out as the client takes it. */
static void begin_reply(struct client *client, json_t *reply)
{
	struct ncg_control *control = client->control;

	if (reply)
		client->reply = json_dumps(reply, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(reply);
	if (!client->reply) {
		ncg_log_error(-ENOMEM, "a request on the control socket has no reply");
		drop(client);
		return;
	}
	client->reply_size = strlen(client->reply);
	/* For whoever asks with a plain tool; JSON does not mind. */
	client->reply[client->reply_size++] = '\n';
	client->sent = 0;
	client->deadline = now_ms() + CLIENT_MS;
	ncg_loop_remove(control->loop, client->fd);
	if (ncg_loop_add(control->loop, client->fd, EPOLLOUT, on_writable, client)) {
		drop(client);
		return;
	}
	on_writable(client, EPOLLOUT);
}

static void on_writable(void *arg, uint32_t events)
{
	struct client *client = arg;

	(void)events;
	while (client->sent < client->reply_size) {
		ssize_t n = send(client->fd, client->reply + client->sent,
				 client->reply_size - client->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
		client->sent += n;
		client->since = now_ms();
	}
	drop(client);
}

/* Drops a client whose time is over; one that asked nothing yet hears why. */
static void give_up(struct client *client, const char *why)
{
	char text[128];
	int size = snprintf(text, sizeof(text), "{\"error\":\"%s\"}\n", why);

	if (!client->reply && send(client->fd, text, size, MSG_NOSIGNAL) < 0)
		ncg_debug("a client of the control socket cannot be told why it is dropped");
	drop(client);
}

static void on_readable(void *arg, uint32_t events)
{
	char bytes[sizeof(((struct ncg_control_request *)NULL)->text)];
	struct client *client = arg;
	const char *error;
	ssize_t n;

	(void)events;
	n = recv(client->fd, bytes, sizeof(bytes), 0);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		drop(client);
		return;
	}
	switch (ncg_control_request_take(&client->request, bytes, n, &error)) {
	case NCG_CONTROL_REQUEST_MORE:
		break;
	case NCG_CONTROL_REQUEST_WHOLE:
		begin_reply(client, make_reply(client->control, client->request.text));
		break;
	case NCG_CONTROL_REQUEST_BAD:
		begin_reply(client, json_pack("{s:s}", "error", error));
		break;
	}
}

static void on_listen(void *arg, uint32_t events)
{
	struct ncg_control *control = arg;
	struct client *client = control->clients;
	int fd;

	(void)events;
	fd = accept4(control->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		/* Out of descriptors or memory: the socket stays readable, so wait. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			set_accepting(control, false);
			set_timer(control);
		}
		return;
	}
	while (client->fd >= 0) /* there is one, or we would not accept */
		client++;
	*client = (struct client){
		.control = control, .fd = fd, .since = now_ms(),
		.deadline = now_ms() + CLIENT_MS,
	};
	if (ncg_loop_add(control->loop, fd, EPOLLIN, on_readable, client)) {
		close(fd);
		client->fd = -1;
		return;
	}
	/* When every place is taken, the others wait in the backlog. */
	if (++control->client_count == CLIENTS)
		set_accepting(control, false);
	set_timer(control);
}

static void on_tick(void *arg, uint32_t events)
{
	struct ncg_control *control = arg;
	bool full = control->client_count == CLIENTS;
	int64_t now = now_ms();
	uint64_t ticks;

	(void)events;
	if (read(control->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *client = &control->clients[i];

		if (client->fd >= 0 && now >= client->deadline)
			give_up(client, "the request did not come in time");
		else if (client->fd >= 0 && full && now - client->since >= PATIENCE_MS)
			give_up(client, "others wait, and no request came");
	}
	if (control->client_count < CLIENTS)
		set_accepting(control, true);
	set_timer(control);
}

int ncg_control_open(struct ncg_loop *loop, int fd, ncg_control_answer *answer, void *arg,
		     struct ncg_control **ret_control)
{
	ncg_autocontrol struct ncg_control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return -ENOMEM;
	*control = (struct ncg_control){
		.loop = loop, .listen_fd = -1, .timer_fd = -1, .answer = answer, .arg = arg,
	};
	for (size_t i = 0; i < CLIENTS; i++)
		control->clients[i].fd = -1;
	control->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (control->timer_fd < 0)
		return -errno;
	r = ncg_loop_add(loop, control->timer_fd, EPOLLIN, on_tick, control);
	if (r)
		return r;
	r = ncg_loop_add(loop, fd, EPOLLIN, on_listen, control);
	if (r)
		return r;
	control->listen_fd = fd;
	control->accepting = true;
	*ret_control = ncg_take_ptr(control);
	return 0;
}

void ncg_control_close(struct ncg_control *control)
{
	if (!control)
		return;
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *client = &control->clients[i];

		if (client->fd < 0)
			continue;
		ncg_loop_remove(control->loop, client->fd);
		close(client->fd);
		free(client->reply);
	}
	if (control->accepting)
		ncg_loop_remove(control->loop, control->listen_fd);
	if (control->listen_fd >= 0)
		close(control->listen_fd);
	if (control->timer_fd >= 0) {
		ncg_loop_remove(control->loop, control->timer_fd);
		close(control->timer_fd);
	}
	free(control);
}

/* --------------------------------------------------------------------- asking */

static int open_connection(const char *path, int *ret_fd)
{
	const struct timeval patience = { .tv_sec = ASK_MS / 1000 };
	ncg_autoclose int fd = -1;
	struct sockaddr_un address;
	int r;

	r = make_address(path, &address);
	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Bounds connect() too, which waits while the backlog is full. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	*ret_fd = ncg_take_fd(&fd);
	return 0;
}

/* All until the end of the stream; the caller frees *ret_text. */
static int read_reply(int fd, int64_t deadline, char **ret_text, size_t *ret_size)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ncg_autofree char *text = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		int64_t left = deadline - now_ms();
		ssize_t n;
		int r;

		r = left > 0 ? poll(&wait, 1, left) : 0;
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (!r)
			return -ETIMEDOUT;
		if (size == room) {
			size_t more = room ? 2 * room : 65536;
			char *bigger = more > REPLY_MAX ? NULL : realloc(text, more);

			if (!bigger)
				return more > REPLY_MAX ? -EMSGSIZE : -ENOMEM;
			text = bigger;
			room = more;
		}
		n = recv(fd, text + size, room - size, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		size += n;
	}
	*ret_text = ncg_take_ptr(text);
	*ret_size = size;
	return 0;
}

int ncg_control_ask(const char *path, const char *request, json_t **ret_reply)
{
	int64_t deadline = now_ms() + ASK_MS;
	char line[NCG_CONTROL_REQUEST_MAX + 2];
	ncg_autofree char *text = NULL;
	size_t length = strlen(request), size = 0;
	ncg_autoclose int fd = -1;
	json_t *reply;
	int r;

	if (!length || length > NCG_CONTROL_REQUEST_MAX || strpbrk(request, " \t\r\n"))
		return -EINVAL;
	memcpy(line, request, length);
	line[length++] = '\n';
	r = open_connection(path, &fd);
	if (r)
		return r;
	/* So short that a fresh socket takes it whole or not at all. */
	if (send(fd, line, length, MSG_NOSIGNAL) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : errno == EPIPE ? -ECONNRESET : -errno;
	r = read_reply(fd, deadline, &text, &size);
	if (r)
		return r;
	if (!size)
		return -ECONNRESET;
	reply = json_loadb(text, size, 0, NULL);
	if (!reply)
		return -EBADMSG;
	*ret_reply = reply;
	return 0;
}
