/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs the built ncgate from outside, in a folder of the test's own, and stands in
 * for the daemon with canned replies through the real control socket. NCG_BIN_DIR
 * names the folder of the binary. Included by one .c file each.
 */
#ifndef NCGATE_TEST_CLI_RUN_H
#define NCGATE_TEST_CLI_RUN_H

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "cleanup.h"
#include "control.h"
#include "loop.h"
#include "tree.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define CLI_UNUSED __attribute__((unused))

/* ------------------------------------------------------------ the fake daemon */

struct replies {
	const char *status;
	const char *guests;
	const char *devices;
	const char *walk; /* its request whole, a newline, the reply */
};

struct fake {
	const struct replies *replies;
	char path[64];
	struct ncg_loop *loop;
	struct ncg_control *control;
	int stop;
	pthread_t thread;
};

static json_t *answer(void *arg, const char *request)
{
	const struct replies *replies = ((struct fake *)arg)->replies;
	const char *text = !strcmp(request, "status")  ? replies->status
			   : !strcmp(request, "guests") ? replies->guests
							: replies->devices;
	size_t asked = strlen(request);
	json_error_t error;
	json_t *json;

	if (!strncmp(request, "walk:", 5))
		text = replies->walk && !strncmp(replies->walk, request, asked) &&
		       replies->walk[asked] == '\n' ? replies->walk + asked : NULL;
	if (!text)
		return NULL;
	json = json_loads(text, 0, &error);
	if (!json)
		fprintf(stderr, "canned reply: %s at %d\n", error.text, error.position);
	return json;
}

static void on_stop(void *arg, uint32_t events)
{
	(void)events;
	ncg_loop_stop(((struct fake *)arg)->loop);
}

static void *serve(void *arg)
{
	return (void *)(intptr_t)ncg_loop_run(((struct fake *)arg)->loop);
}

static void fake_start(struct fake *fake, const struct replies *replies)
{
	int fd;

	*fake = (struct fake){ .replies = replies };
	snprintf(fake->path, sizeof(fake->path), "%s/socket", tree);
	fake->stop = eventfd(0, EFD_CLOEXEC);
	assert_true(fake->stop >= 0);
	assert_int_equal(ncg_loop_new(&fake->loop), 0);
	assert_int_equal(ncg_control_listen(fake->path, &fd), 0);
	assert_int_equal(ncg_control_open(fake->loop, fd, answer, fake, &fake->control), 0);
	assert_int_equal(ncg_loop_add(fake->loop, fake->stop, EPOLLIN, on_stop, fake), 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
}

static void fake_stop(struct fake *fake)
{
	uint64_t one = 1;

	assert_int_equal(write(fake->stop, &one, sizeof(one)), sizeof(one));
	pthread_join(fake->thread, NULL);
	ncg_control_close(fake->control);
	ncg_loop_free(fake->loop);
	close(fake->stop);
}

/* ----------------------------------------------------------------- the command */

struct result {
	int status;
	char *out;
	char *err;
};

CLI_UNUSED static void result_free(struct result *result)
{
	free(result->out);
	free(result->err);
}

/* A child of a process with threads: only async-signal-safe calls before exec. */
static void run_child(char *const *argv, char *const *env, int out, int err)
{
	if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0 || chdir(tree))
		_exit(126);
	execve(argv[0], argv, env);
	_exit(127);
}

static char *read_all(int fd)
{
	char *text = calloc(1, 1 << 20);
	size_t size = 0;
	ssize_t n;

	assert_non_null(text);
	/* A terminal whose other side is closed ends with EIO. */
	while ((n = read(fd, text + size, (1 << 20) - 1 - size)) > 0)
		size += n;
	return text;
}

static int temporary(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* Runs ncgate in the test's folder, with out as its standard output. */
static int run_to(const char *const *args, char *const *env, int out, int err)
{
	const char *dir = getenv("NCG_BIN_DIR");
	ncg_autofree char *binary = NULL;
	char *argv[16] = { 0 };
	int status;
	pid_t pid;

	if (!dir)
		fail_msg("NCG_BIN_DIR does not name the folder of the built ncgate");
	/* The child changes its folder, and the path may be relative. */
	binary = realpath(dir, NULL);
	if (!binary)
		fail_msg("NCG_BIN_DIR: there is no %s", dir);
	binary = realloc(binary, strlen(binary) + sizeof("/ncgate"));
	assert_non_null(binary);
	strcat(binary, "/ncgate");
	argv[0] = binary;
	for (size_t i = 0; args[i]; i++) {
		assert_true(i + 2 < ARRAY_SIZE(argv));
		argv[i + 1] = (char *)args[i];
	}
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		run_child(argv, env, out, err);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

CLI_UNUSED static void run(const char *const *args, struct result *ret_result)
{
	char *env[] = { "TERM=xterm", "LC_ALL=C.UTF-8", NULL };
	ncg_autoclose int out = temporary(), err = temporary();

	ret_result->status = run_to(args, env, out, err);
	lseek(out, 0, SEEK_SET);
	lseek(err, 0, SEEK_SET);
	ret_result->out = read_all(out);
	ret_result->err = read_all(err);
}

#define RUN(result, ...) run((const char *const[]){ __VA_ARGS__, NULL }, result)

/* --------------------------------------------------------------- table of lines */

struct line {
	const char *args[12];
	int status;
	/* Parts that must be there; a stream with none must be empty. */
	const char *out[6];
	const char *err[6];
};

static void check_stream(const struct line *line, const char *name, const char *text,
			 const char *const *parts)
{
	if (!parts[0] && *text)
		fail_msg("%s %s: %s is not empty:\n%s", line->args[0],
			 line->args[0] && line->args[1] ? line->args[1] : "", name, text);
	for (size_t i = 0; i < 6 && parts[i]; i++)
		if (!strstr(text, parts[i]))
			fail_msg("%s %s: no '%s' on %s:\n%s", line->args[0],
				 line->args[1] ? line->args[1] : "", parts[i], name, text);
}

CLI_UNUSED static void check_lines(const struct line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ncg_cleanup(result_free) struct result result = {};

		run(lines[i].args, &result);
		if (result.status != lines[i].status)
			fail_msg("line %zu: exit status %d, expected %d\n%s%s", i, result.status,
				 lines[i].status, result.out, result.err);
		check_stream(&lines[i], "standard output", result.out, lines[i].out);
		check_stream(&lines[i], "standard error", result.err, lines[i].err);
		assert_null(strchr(result.out, '\033'));
		assert_null(strchr(result.err, '\033'));
	}
}

/* ------------------------------------------------------------- with a fake daemon */

CLI_UNUSED static void show(const struct replies *replies, const char *const *args,
			    struct result *ret_result)
{
	struct fake fake;

	fake_start(&fake, replies);
	run(args, ret_result);
	fake_stop(&fake);
}

#define SHOW(replies, result, ...) \
	show(replies, (const char *const[]){ "--control", "socket", __VA_ARGS__, NULL }, result)

CLI_UNUSED static void assert_output(const struct result *result, const char *expected)
{
	assert_int_equal(result->status, 0);
	assert_string_equal(result->err, "");
	assert_string_equal(result->out, expected);
}

/* -------------------------------------------------------------------- the folder */

CLI_UNUSED static int cli_set_up(void **state)
{
	(void)state;
	tree_make();
	return 0;
}

CLI_UNUSED static int cli_tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

#define CLI_TEST(name) cmocka_unit_test_setup_teardown(name, cli_set_up, cli_tear_down)

#endif
