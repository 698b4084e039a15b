// SPDX-License-Identifier: GPL-2.0-only
/* See policy_load.h. */
#include "policy_load.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "policy_file.h"

void ncg_policy_loaded_done(struct ncg_policy_loaded *loaded)
{
	free(loaded->refusal);
	ncg_policy_free(loaded->policy);
	ncg_policy_compile_free(loaded->compiled);
	free(loaded->findings);
	*loaded = (struct ncg_policy_loaded){ 0 };
}

void ncg_policy_load_now(const char *path, const struct ncg_policy_known *known,
			 struct ncg_policy_loaded *ret_loaded)
{
	const struct ncg_policy_file_options options = { .trusted = true, .known = known };
	ncg_cleanup(ncg_policy_errors_freep) struct ncg_policy_errors *errors = NULL;
	struct ncg_policy_loaded loaded = { 0 };

	loaded.error = ncg_policy_file_load_with(path, &options, &loaded.policy, &errors);
	if (loaded.error && errors)
		loaded.refusal = ncg_policy_errors_format(errors);
	if (!loaded.error) {
		loaded.error = ncg_policy_compile(loaded.policy, 0, &loaded.compiled);
		if (loaded.error == -E2BIG)
			loaded.refusal = ncg_policy_compile_explain(loaded.policy);
	}
	if (!loaded.error && ncg_policy_review(loaded.policy, NULL, &loaded.findings))
		loaded.findings = NULL;
	*ret_loaded = loaded;
}

/* ---------------------------------------------------------------------- thread */

struct ncg_policy_load {
	struct ncg_loop *loop;
	void (*done)(void *arg, struct ncg_policy_loaded *loaded);
	void *arg;
	int ended; /* an eventfd, which the thread writes to last */
	bool runs;
	pthread_t thread;
	/* The thread's while it runs. */
	const char *path;
	const struct ncg_policy_known *known;
	struct ncg_policy_loaded loaded;
};

static void *work(void *arg)
{
	struct ncg_policy_load *load = arg;
	const uint64_t one = 1;

	ncg_policy_load_now(load->path, load->known, &load->loaded);
	/* Cannot fail: it is the only one, and it does not wait. */
	return (void *)(intptr_t)write(load->ended, &one, sizeof(one));
}

/* The result is the loop's from here. */
static void join(struct ncg_policy_load *load)
{
	pthread_join(load->thread, NULL);
	load->runs = false;
}

static void on_ended(void *arg, uint32_t ready)
{
	struct ncg_policy_load *load = arg;
	struct ncg_policy_loaded loaded;
	uint64_t count;

	(void)ready;
	if (read(load->ended, &count, sizeof(count)) != sizeof(count))
		return;
	join(load);
	/* done() may begin the next one. */
	loaded = load->loaded;
	load->loaded = (struct ncg_policy_loaded){ 0 };
	load->done(load->arg, &loaded);
	ncg_policy_loaded_done(&loaded);
}

int ncg_policy_load_open(struct ncg_loop *loop,
			 void (*done)(void *arg, struct ncg_policy_loaded *loaded), void *arg,
			 struct ncg_policy_load **ret_load)
{
	ncg_autofree struct ncg_policy_load *load = calloc(1, sizeof(*load));
	ncg_autoclose int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r;

	if (!load)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	load->loop = loop;
	load->done = done;
	load->arg = arg;
	r = ncg_loop_add(loop, fd, EPOLLIN, on_ended, load);
	if (r)
		return r;
	load->ended = ncg_take_fd(&fd);
	*ret_load = ncg_take_ptr(load);
	return 0;
}

void ncg_policy_load_close(struct ncg_policy_load *load)
{
	if (!load)
		return;
	if (load->runs)
		join(load);
	ncg_policy_loaded_done(&load->loaded);
	ncg_loop_remove(load->loop, load->ended);
	close(load->ended);
	free(load);
}

bool ncg_policy_load_runs(const struct ncg_policy_load *load)
{
	return load->runs;
}

int ncg_policy_load_begin(struct ncg_policy_load *load, const char *path,
			  const struct ncg_policy_known *known)
{
	int r;

	load->path = path;
	load->known = known;
	r = pthread_create(&load->thread, NULL, work, load);
	load->runs = !r;
	return -r;
}
