// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoll hands out pointers to watches, not descriptor numbers, and a removed
 * watch is only freed when the batch it may still stand in is dealt with. So a
 * stale event finds a watch marked as removed, never freed memory and never the
 * new owner of a reused number.
 */
#include "loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define BATCH 64

struct watch {
	int fd;
	bool removed;
	ncg_loop_callback *callback;
	void *arg;
	struct watch *next;
};

struct ncg_loop {
	int epoll_fd;
	bool stop;
	bool dispatching;
	struct watch *watches;
	struct watch *removed; /* may stand in the batch at hand */
};

static void free_list(struct watch **list)
{
	while (*list) {
		struct watch *watch = *list;

		*list = watch->next;
		free(watch);
	}
}

int ncg_loop_new(struct ncg_loop **ret_loop)
{
	ncg_autofree struct ncg_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	*ret_loop = ncg_take_ptr(loop);
	return 0;
}

void ncg_loop_free(struct ncg_loop *loop)
{
	if (!loop)
		return;
	free_list(&loop->watches);
	free_list(&loop->removed);
	close(loop->epoll_fd);
	free(loop);
}

int ncg_loop_add(struct ncg_loop *loop, int fd, uint32_t events, ncg_loop_callback *callback,
		 void *arg)
{
	ncg_autofree struct watch *watch = calloc(1, sizeof(*watch));
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){ .fd = fd, .callback = callback, .arg = arg };
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	watch->next = loop->watches;
	loop->watches = ncg_take_ptr(watch);
	return 0;
}

int ncg_loop_remove(struct ncg_loop *loop, int fd)
{
	struct watch **at = &loop->watches;
	struct watch *watch;

	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	watch = *at;
	if (!watch)
		return -ENOENT;
	*at = watch->next;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	if (!loop->dispatching) {
		free(watch);
		return 0;
	}
	watch->removed = true;
	watch->next = loop->removed;
	loop->removed = watch;
	return 0;
}

static void dispatch(struct ncg_loop *loop, const struct epoll_event *events, int count)
{
	loop->dispatching = true;
	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		if (!watch->removed)
			watch->callback(watch->arg, events[i].events);
	}
	loop->dispatching = false;
	free_list(&loop->removed);
}

int ncg_loop_run(struct ncg_loop *loop)
{
	struct epoll_event events[BATCH];

	while (!loop->stop) {
		int count = epoll_wait(loop->epoll_fd, events, BATCH, -1);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		dispatch(loop, events, count);
	}
	loop->stop = false;
	return 0;
}

void ncg_loop_stop(struct ncg_loop *loop)
{
	loop->stop = true;
}
