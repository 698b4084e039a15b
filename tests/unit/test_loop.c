// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event loop: who is called and, above all, who is not called any more. The
 * events of one batch are made ready before the loop runs, so nothing here
 * depends on time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "loop.h"

#define SOURCES 4

struct fixture;

struct source {
	struct fixture *fixture;
	int fd;
	unsigned int calls;
};

struct fixture {
	struct ncg_loop *loop;
	struct source sources[SOURCES];
	unsigned int calls;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(ncg_loop_new(&f->loop), 0);
	for (size_t i = 0; i < SOURCES; i++) {
		f->sources[i].fixture = f;
		f->sources[i].fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_true(f->sources[i].fd >= 0);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ncg_loop_free(f->loop);
	for (size_t i = 0; i < SOURCES; i++)
		close(f->sources[i].fd);
	free(f);
	return 0;
}

static void stop(void *arg, uint32_t events)
{
	struct source *source = arg;

	assert_true(events & EPOLLIN);
	source->calls++;
	ncg_loop_stop(source->fixture->loop);
}

static void callbacks_run_until_stop(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ncg_loop_add(f->loop, f->sources[0].fd, EPOLLIN, stop, &f->sources[0]), 0);
	assert_int_equal(ncg_loop_run(f->loop), 0);
	assert_int_equal(f->sources[0].calls, 1);
	/* It is level-triggered, and the loop can be run again. */
	assert_int_equal(ncg_loop_run(f->loop), 0);
	assert_int_equal(f->sources[0].calls, 2);
}

static void a_stop_before_the_run_counts(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ncg_loop_add(f->loop, f->sources[0].fd, EPOLLIN, stop, &f->sources[0]), 0);
	ncg_loop_stop(f->loop);
	assert_int_equal(ncg_loop_run(f->loop), 0);
	assert_int_equal(f->sources[0].calls, 0);
}

/* Whichever of the batch comes first removes all the others. */
static void remove_others(void *arg, uint32_t events)
{
	struct source *source = arg;
	struct fixture *f = source->fixture;

	(void)events;
	source->calls++;
	f->calls++;
	for (size_t i = 0; i < SOURCES; i++)
		if (&f->sources[i] != source)
			assert_int_equal(ncg_loop_remove(f->loop, f->sources[i].fd), 0);
	ncg_loop_stop(f->loop);
}

static void one_removed_by_another_is_not_called(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < SOURCES; i++)
		assert_int_equal(ncg_loop_add(f->loop, f->sources[i].fd, EPOLLIN, remove_others,
					      &f->sources[i]), 0);
	assert_int_equal(ncg_loop_run(f->loop), 0);
	assert_int_equal(f->calls, 1);
}

static void count(void *arg, uint32_t events)
{
	struct source *source = arg;

	(void)events;
	source->fixture->calls++;
	source->calls++;
}

static void remove_self(void *arg, uint32_t events)
{
	struct source *source = arg;
	struct fixture *f = source->fixture;

	(void)events;
	source->calls++;
	assert_int_equal(ncg_loop_remove(f->loop, source->fd), 0);
	/* A callback may go on using what it was called with. */
	if (++f->calls == SOURCES)
		ncg_loop_stop(f->loop);
}

static void a_callback_may_remove_itself(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < SOURCES; i++)
		assert_int_equal(ncg_loop_add(f->loop, f->sources[i].fd, EPOLLIN, remove_self,
					      &f->sources[i]), 0);
	assert_int_equal(ncg_loop_run(f->loop), 0);
	for (size_t i = 0; i < SOURCES; i++)
		assert_int_equal(f->sources[i].calls, 1);
}

/*
 * The first one called closes all others and puts descriptors with nothing to
 * read in their places, under the same numbers: what the batch still holds of the
 * old ones must not reach the new.
 */
static void replace_others(void *arg, uint32_t events)
{
	struct source *source = arg;
	struct fixture *f = source->fixture;

	(void)events;
	f->calls++;
	for (size_t i = 0; i < SOURCES; i++) {
		int fd = f->sources[i].fd;

		assert_int_equal(ncg_loop_remove(f->loop, fd), 0);
		if (&f->sources[i] == source)
			continue;
		close(fd);
		assert_int_equal(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), fd);
		assert_int_equal(ncg_loop_add(f->loop, fd, EPOLLIN, count, &f->sources[i]), 0);
	}
	ncg_loop_stop(f->loop);
}

static void a_reused_number_gets_no_stale_event(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < SOURCES; i++)
		assert_int_equal(ncg_loop_add(f->loop, f->sources[i].fd, EPOLLIN, replace_others,
					      &f->sources[i]), 0);
	assert_int_equal(ncg_loop_run(f->loop), 0);
	assert_int_equal(f->calls, 1);
}

static void change_interest(void *arg, uint32_t events)
{
	struct source *source = arg;
	struct fixture *f = source->fixture;

	if (!source->calls++) {
		assert_int_equal(events, EPOLLIN);
		assert_int_equal(ncg_loop_remove(f->loop, source->fd), 0);
		assert_int_equal(ncg_loop_add(f->loop, source->fd, EPOLLOUT, change_interest,
					      source), 0);
		return;
	}
	assert_int_equal(events, EPOLLOUT);
	ncg_loop_stop(f->loop);
}

static void a_callback_may_add_itself_anew(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ncg_loop_add(f->loop, f->sources[0].fd, EPOLLIN, change_interest,
				      &f->sources[0]), 0);
	assert_int_equal(ncg_loop_run(f->loop), 0);
	assert_int_equal(f->sources[0].calls, 2);
}

static void errors_are_told(void **state)
{
	struct fixture *f = *state;
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(ncg_loop_remove(f->loop, f->sources[0].fd), -ENOENT);
	assert_int_equal(ncg_loop_add(f->loop, f->sources[0].fd, EPOLLIN, count, f), 0);
	assert_int_equal(ncg_loop_add(f->loop, f->sources[0].fd, EPOLLIN, count, f), -EEXIST);
	assert_int_equal(ncg_loop_add(f->loop, fileno(file), EPOLLIN, count, f), -EPERM);
	assert_int_equal(ncg_loop_add(f->loop, -1, EPOLLIN, count, f), -EBADF);
	assert_int_equal(ncg_loop_remove(f->loop, f->sources[0].fd), 0);
	assert_int_equal(ncg_loop_remove(f->loop, f->sources[0].fd), -ENOENT);
	fclose(file);
	ncg_loop_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(callbacks_run_until_stop),
		TEST(a_stop_before_the_run_counts),
		TEST(one_removed_by_another_is_not_called),
		TEST(a_callback_may_remove_itself),
		TEST(a_reused_number_gets_no_stale_event),
		TEST(a_callback_may_add_itself_anew),
		TEST(errors_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
