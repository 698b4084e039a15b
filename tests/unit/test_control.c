// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket: the two sides against each other, and the server against
 * clients that do not behave. The server runs in the loop of the test's thread;
 * a client is a thread that blocks and stops the loop when it is done.
 */
#include <fcntl.h>
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
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "control.h"
#include "loop.h"

#define BIG 200000 /* numbers in the large reply: more than any socket buffer */
#define MANY 40	   /* clients at once: more than the server has places */
#define SILENT 24  /* more than it has places, fewer than places and backlog */

struct server {
	struct ncg_loop *loop;
	struct ncg_control *control;
	int done; /* the client writes, the loop stops */
	char folder[64];
	char path[96];
	unsigned int answers;
	char asked[NCG_CONTROL_REQUEST_MAX + 1];
};

static json_t *answer(void *arg, const char *request)
{
	struct server *server = arg;
	json_t *list;

	server->answers++;
	snprintf(server->asked, sizeof(server->asked), "%s", request);
	if (!strcmp(request, "big")) {
		list = json_array();
		for (int i = 0; i < BIG; i++)
			json_array_append_new(list, json_integer(i));
		return json_pack("{s:o}", "list", list);
	}
	if (!strcmp(request, "nothing"))
		return NULL;
	return json_pack("{s:s}", "asked", request);
}

static void on_done(void *arg, uint32_t events)
{
	struct server *server = arg;
	uint64_t value;

	(void)events;
	assert_int_equal(read(server->done, &value, sizeof(value)), sizeof(value));
	ncg_loop_stop(server->loop);
}

static int setup_folder(void **state)
{
	struct server *server = calloc(1, sizeof(*server));

	assert_non_null(server);
	strcpy(server->folder, "/tmp/ncgate-control-XXXXXX");
	assert_non_null(mkdtemp(server->folder));
	snprintf(server->path, sizeof(server->path), "%s/run/control.sock", server->folder);
	*state = server;
	return 0;
}

static int setup(void **state)
{
	struct server *server;
	int fd;

	setup_folder(state);
	server = *state;
	assert_int_equal(ncg_loop_new(&server->loop), 0);
	server->done = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	assert_true(server->done >= 0);
	assert_int_equal(ncg_loop_add(server->loop, server->done, EPOLLIN, on_done, server), 0);
	assert_int_equal(ncg_control_listen(server->path, &fd), 0);
	assert_int_equal(ncg_control_open(server->loop, fd, answer, server, &server->control), 0);
	return 0;
}

static int teardown(void **state)
{
	struct server *server = *state;
	char path[128];

	ncg_control_close(server->control);
	ncg_loop_free(server->loop);
	if (server->done > 0)
		close(server->done);
	unlink(server->path);
	snprintf(path, sizeof(path), "%s.lock", server->path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/run", server->folder);
	rmdir(path);
	/* Nothing else may be left there. */
	assert_int_equal(rmdir(server->folder), 0);
	free(server);
	return 0;
}

/* ----------------------------------------------------------------- the clients */

struct question {
	struct server *server;
	const char *request;
	int result;
	json_t *reply;
};

/* No assertions in other threads: cmocka's end in a longjmp. */
static void finish(struct server *server)
{
	uint64_t one = 1;

	if (write(server->done, &one, sizeof(one)) < 0)
		perror("write");
}

static void *asker(void *arg)
{
	struct question *question = arg;

	question->result = ncg_control_ask(question->server->path, question->request,
					   &question->reply);
	finish(question->server);
	return NULL;
}

static int ask(struct server *server, const char *request, json_t **ret_reply)
{
	struct question question = { .server = server, .request = request };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, asker, &question), 0);
	assert_int_equal(ncg_loop_run(server->loop), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	*ret_reply = question.reply;
	return question.result;
}

static int raw_connection(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

struct raw {
	struct server *server;
	const char *parts[3]; /* each sent by itself */
	char reply[4096];
};

static void *raw_client(void *arg)
{
	struct raw *raw = arg;
	ncg_autoclose int fd = raw_connection(raw->server->path);
	size_t size = 0;
	ssize_t n;

	for (size_t i = 0; i < 3 && raw->parts[i]; i++)
		if (send(fd, raw->parts[i], strlen(raw->parts[i]), MSG_NOSIGNAL) < 0)
			break;
	while ((n = recv(fd, raw->reply + size, sizeof(raw->reply) - 1 - size, 0)) > 0)
		size += n;
	finish(raw->server);
	return NULL;
}

/* What the server says to these bytes, to the end of its stream. */
static json_t *say(struct server *server, const char *first, const char *second)
{
	struct raw raw = { .server = server, .parts = { first, second } };
	pthread_t thread;
	json_t *reply;

	assert_int_equal(pthread_create(&thread, NULL, raw_client, &raw), 0);
	assert_int_equal(ncg_loop_run(server->loop), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	reply = json_loads(raw.reply, 0, NULL);
	if (!reply)
		fail_msg("not JSON: '%s'", raw.reply);
	return reply;
}

static void assert_error(json_t *reply, const char *part)
{
	const char *error = json_string_value(json_object_get(reply, "error"));

	assert_non_null(error);
	if (!strstr(error, part))
		fail_msg("'%s' is not in '%s'", part, error);
	json_decref(reply);
}

static void assert_asked(json_t *reply, const char *request)
{
	const char *asked = json_string_value(json_object_get(reply, "asked"));

	assert_non_null(asked);
	assert_string_equal(asked, request);
	json_decref(reply);
}

/* ---------------------------------------------------------------------- asking */

static void a_request_is_answered(void **state)
{
	struct server *server = *state;
	json_t *reply = NULL;

	assert_int_equal(ask(server, "status", &reply), 0);
	assert_asked(reply, "status");
	assert_int_equal(server->answers, 1);
	assert_string_equal(server->asked, "status");
}

static void a_large_reply_is_whole(void **state)
{
	json_t *reply = NULL;

	assert_int_equal(ask(*state, "big", &reply), 0);
	assert_int_equal(json_array_size(json_object_get(reply, "list")), BIG);
	json_decref(reply);
}

static void no_answer_is_an_error_in_words(void **state)
{
	json_t *reply = NULL;

	assert_int_equal(ask(*state, "nothing", &reply), 0);
	assert_error(reply, "no answer to 'nothing'");
}

static void a_request_is_one_word(void **state)
{
	static const char *const bad[] = {
		"", "two words", "line\nfeed", "tab\tbed",
		"0123456789012345678901234567890123456789012345678901234567890123",
	};
	struct server *server = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		json_t *reply = NULL;

		assert_int_equal(ncg_control_ask(server->path, bad[i], &reply), -EINVAL);
		assert_null(reply);
	}
}

static void not_running(void **state)
{
	struct server *server = *state;
	json_t *reply = NULL;
	int fd;

	assert_int_equal(ncg_control_ask(server->path, "status", &reply), -ENOENT);
	/* What a killed daemon leaves behind. */
	assert_int_equal(ncg_control_listen(server->path, &fd), 0);
	close(fd);
	assert_int_equal(ncg_control_ask(server->path, "status", &reply), -ECONNREFUSED);
	assert_null(reply);
}

static void *hang_up(void *arg)
{
	int fd = accept(*(int *)arg, NULL, NULL);
	char line[8];

	if (fd >= 0) {
		if (recv(fd, line, sizeof(line), 0) < 0)
			perror("recv");
		close(fd);
	}
	return NULL;
}

static void *speak_nonsense(void *arg)
{
	int fd = accept(*(int *)arg, NULL, NULL);

	if (fd >= 0) {
		if (send(fd, "{\"half\":", 8, MSG_NOSIGNAL) < 0)
			perror("send");
		shutdown(fd, SHUT_WR);
		while (recv(fd, (char[8]){ 0 }, 8, 0) > 0)
			;
		close(fd);
	}
	return NULL;
}

static void a_daemon_that_does_not_reply(void **state)
{
	struct server *server = *state;
	pthread_t thread;
	json_t *reply = NULL;
	int fd, flags;

	assert_int_equal(ncg_control_listen(server->path, &fd), 0);
	flags = fcntl(fd, F_GETFL);
	assert_int_equal(fcntl(fd, F_SETFL, flags & ~O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&thread, NULL, hang_up, &fd), 0);
	assert_int_equal(ncg_control_ask(server->path, "status", &reply), -ECONNRESET);
	pthread_join(thread, NULL);
	assert_int_equal(pthread_create(&thread, NULL, speak_nonsense, &fd), 0);
	assert_int_equal(ncg_control_ask(server->path, "status", &reply), -EBADMSG);
	pthread_join(thread, NULL);
	assert_null(reply);
	close(fd);
}

/* --------------------------------------------------- clients that do not behave */

static void a_request_may_come_in_pieces(void **state)
{
	assert_asked(say(*state, "sta", "tus\n"), "status");
}

static void what_follows_the_line_is_ignored(void **state)
{
	struct server *server = *state;

	assert_asked(say(server, "status\nguests\n", NULL), "status");
	assert_int_equal(server->answers, 1);
}

static void a_bad_request_is_told_so(void **state)
{
	struct server *server = *state;
	char full[2 * NCG_CONTROL_REQUEST_MAX];

	assert_error(say(server, "two words\n", NULL), "one word");
	assert_error(say(server, "\x1b[31m\n", NULL), "one word");
	assert_error(say(server, "caf\xc3\xa9\n", NULL), "one word");
	assert_error(say(server, "\n", NULL), "no answer to ''");
	memset(full, 'x', sizeof(full));
	full[sizeof(full) - 1] = '\0';
	assert_error(say(server, full, NULL), "too long");
	assert_int_equal(server->answers, 0);

	full[NCG_CONTROL_REQUEST_MAX] = '\0';
	assert_asked(say(server, full, "\n"), full);
}

static void *crowd(void *arg)
{
	struct server *server = arg;
	struct question questions[MANY];
	pthread_t threads[MANY];

	for (size_t i = 0; i < MANY; i++) {
		questions[i] = (struct question){ .server = server, .request = "status" };
		if (pthread_create(&threads[i], NULL, asker, &questions[i]))
			abort();
	}
	for (size_t i = 0; i < MANY; i++) {
		pthread_join(threads[i], NULL);
		if (questions[i].result || !questions[i].reply)
			return (void *)(intptr_t)(questions[i].result ?: -1);
		json_decref(questions[i].reply);
	}
	return NULL;
}

static void more_clients_than_places_are_all_answered(void **state)
{
	struct server *server = *state;
	pthread_t thread;
	void *result;

	assert_int_equal(pthread_create(&thread, NULL, crowd, server), 0);
	for (unsigned int i = 0; i < MANY; i++)
		assert_int_equal(ncg_loop_run(server->loop), 0);
	pthread_join(thread, &result);
	assert_null(result);
	assert_int_equal(server->answers, MANY);
}

/* Ask for what does not fit a socket buffer, and go without reading it. */
static void a_client_that_hangs_up_harms_nobody(void **state)
{
	struct server *server = *state;
	int fd = raw_connection(server->path);
	json_t *reply = NULL;

	assert_true(fd >= 0);
	assert_int_equal(send(fd, "big\n", 4, MSG_NOSIGNAL), 4);
	assert_int_equal(ask(server, "status", &reply), 0);
	assert_asked(reply, "status");
	assert_int_equal(server->answers, 2);
	close(fd);
	assert_int_equal(ask(server, "status", &reply), 0);
	assert_asked(reply, "status");
}

/*
 * Clients that connect and say nothing take every place and more wait; they are
 * dropped, with a word, and who waited behind them is answered.
 */
static void *silent_clients(void *arg)
{
	struct question *question = arg;
	int silent[SILENT];
	char text[128] = "";

	for (size_t i = 0; i < SILENT; i++)
		silent[i] = raw_connection(question->server->path);
	/* Half a request buys no more time. */
	if (send(silent[0], "stat", 4, MSG_NOSIGNAL) != 4)
		perror("send");
	question->result = ncg_control_ask(question->server->path, question->request,
					   &question->reply);
	if (recv(silent[0], text, sizeof(text) - 1, MSG_DONTWAIT) < 0 ||
	    strcmp(text, "{\"error\":\"others wait, and no request came\"}\n"))
		question->result = 1; /* it was not dropped, or not told why */
	for (size_t i = 0; i < SILENT; i++)
		close(silent[i]);
	finish(question->server);
	return NULL;
}

static void silent_clients_are_dropped(void **state)
{
	struct question question = { .server = *state, .request = "guests" };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, silent_clients, &question), 0);
	assert_int_equal(ncg_loop_run(question.server->loop), 0);
	pthread_join(thread, NULL);
	assert_int_equal(question.result, 0);
	assert_asked(question.reply, "guests");
	assert_int_equal(question.server->answers, 1);
}

/* So many that ask for what fits no socket buffer and take nothing of it. */
static void *deaf_clients(void *arg)
{
	struct question *question = arg;
	int deaf[SILENT];

	for (size_t i = 0; i < SILENT; i++) {
		deaf[i] = raw_connection(question->server->path);
		if (send(deaf[i], "big\n", 4, MSG_NOSIGNAL) != 4)
			perror("send");
	}
	question->result = ncg_control_ask(question->server->path, question->request,
					   &question->reply);
	for (size_t i = 0; i < SILENT; i++)
		close(deaf[i]);
	finish(question->server);
	return NULL;
}

static void clients_that_do_not_read_are_dropped(void **state)
{
	struct question question = { .server = *state, .request = "guests" };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, deaf_clients, &question), 0);
	assert_int_equal(ncg_loop_run(question.server->loop), 0);
	pthread_join(thread, NULL);
	assert_int_equal(question.result, 0);
	assert_asked(question.reply, "guests");
	assert_int_equal(question.server->answers, SILENT + 1);
}

/* Word upon word without a newline: told once, and nothing of it is kept. */
static void *endless_client(void *arg)
{
	struct raw *raw = arg;
	ncg_autoclose int fd = raw_connection(raw->server->path);
	char words[4096];

	memset(words, 'x', sizeof(words));
	for (int i = 0; i < 1000; i++)
		if (send(fd, words, sizeof(words), MSG_NOSIGNAL) < 0)
			break;
	if (recv(fd, raw->reply, sizeof(raw->reply) - 1, 0) < 0)
		perror("recv");
	finish(raw->server);
	return NULL;
}

static void a_request_of_endless_length_ends(void **state)
{
	struct raw raw = { .server = *state };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, endless_client, &raw), 0);
	assert_int_equal(ncg_loop_run(raw.server->loop), 0);
	pthread_join(thread, NULL);
	assert_error(json_loads(raw.reply, 0, NULL), "too long");
	assert_int_equal(raw.server->answers, 0);
}

static void a_server_can_be_closed_at_any_time(void **state)
{
	struct server *server = *state;
	int fd = raw_connection(server->path);
	json_t *reply = NULL;

	assert_true(fd >= 0);
	/* A turn of the loop, in which it takes the silent one too. */
	assert_int_equal(ask(server, "status", &reply), 0);
	assert_asked(reply, "status");
	ncg_control_close(server->control);
	server->control = NULL;
	assert_int_equal(recv(fd, (char[1]){ 0 }, 1, 0), 0);
	close(fd);
	ncg_control_close(NULL);
}

/* ------------------------------------------------------------------- listening */

static void the_socket_is_for_its_owner_alone(void **state)
{
	struct server *server = *state;
	mode_t before = umask(0);
	char folder[80];
	struct stat st;
	int fd;

	snprintf(folder, sizeof(folder), "%s/run", server->folder);
	assert_int_equal(ncg_control_listen(server->path, &fd), 0);
	assert_int_equal(stat(server->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	close(fd);
	umask(before);
}

static void the_folder_is_open_under_a_strict_umask(void **state)
{
	struct server *server = *state;
	mode_t before = umask(077);
	char folder[80];
	struct stat st;
	int fd;

	snprintf(folder, sizeof(folder), "%s/run", server->folder);
	assert_int_equal(ncg_control_listen(server->path, &fd), 0);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	close(fd);
	umask(before);
}

static void a_dead_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct server *server = *state;
	int fd, other = -1;

	assert_int_equal(ncg_control_listen(server->path, &fd), 0);
	assert_int_equal(ncg_control_listen(server->path, &other), -EADDRINUSE);
	assert_int_equal(other, -1);
	close(fd);
	assert_int_equal(ncg_control_listen(server->path, &other), 0);
	close(other);
}

static void a_busy_daemon_is_not_taken_for_dead(void **state)
{
	struct server *server = *state;
	int fd, other = -1, full[64];
	size_t count = 0;

	assert_int_equal(ncg_control_listen(server->path, &fd), 0);
	/* Nobody accepts: fill the backlog. */
	while (count < 64) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };

		strcpy(address.sun_path, server->path);
		full[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(full[count++], (struct sockaddr *)&address, sizeof(address)))
			break;
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(ncg_control_listen(server->path, &other), -EADDRINUSE);
	while (count)
		close(full[--count]);
	close(fd);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct server *server = *state;
	char folder[80];
	int fd = -1;

	snprintf(folder, sizeof(folder), "%s/run", server->folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	close(open(server->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(ncg_control_listen(server->path, &fd), -EEXIST);
	assert_int_equal(access(server->path, F_OK), 0);
}

static void bad_paths_are_refused(void **state)
{
	char path[256];
	int fd = -1;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(ncg_control_listen(path, &fd), -ENAMETOOLONG);
	assert_int_equal(ncg_control_listen("", &fd), -EINVAL);
	assert_int_equal(ncg_control_listen("/proc/no/such/folder/socket", &fd), -ENOENT);
	assert_int_equal(fd, -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered),
		TEST(a_large_reply_is_whole),
		TEST(no_answer_is_an_error_in_words),
		TEST(a_request_is_one_word),
		FOLDER_TEST(not_running),
		FOLDER_TEST(a_daemon_that_does_not_reply),
		TEST(a_request_may_come_in_pieces),
		TEST(what_follows_the_line_is_ignored),
		TEST(a_bad_request_is_told_so),
		TEST(more_clients_than_places_are_all_answered),
		TEST(a_client_that_hangs_up_harms_nobody),
		TEST(silent_clients_are_dropped),
		TEST(clients_that_do_not_read_are_dropped),
		TEST(a_request_of_endless_length_ends),
		TEST(a_server_can_be_closed_at_any_time),
		FOLDER_TEST(the_socket_is_for_its_owner_alone),
		FOLDER_TEST(the_folder_is_open_under_a_strict_umask),
		FOLDER_TEST(a_dead_socket_is_replaced_and_a_live_one_is_not),
		FOLDER_TEST(a_busy_daemon_is_not_taken_for_dead),
		FOLDER_TEST(a_file_that_is_no_socket_is_left_alone),
		FOLDER_TEST(bad_paths_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
