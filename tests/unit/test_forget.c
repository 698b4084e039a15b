// SPDX-License-Identifier: GPL-2.0-only
/* What is taken out of real maps, and what stays: skipped where BPF may not be used. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "abi.h"
#include "forget.h"
#include "guest.h"
#include "tree.h"

static int new_map(enum bpf_map_type type, size_t key, size_t value, bool preallocated)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = preallocated ? 0 : BPF_F_NO_PREALLOC);
	int fd = bpf_map_create(type, "test", key, value, 1024, &opts);

	if (fd == -EPERM)
		skip();
	assert_true(fd >= 0);
	return fd;
}

static size_t elements(int fd, size_t key_size)
{
	char key[64], next[64];
	size_t count = 0;
	int r = bpf_map_get_next_key(fd, NULL, next);

	for (; !r; count++) {
		memcpy(key, next, key_size);
		r = bpf_map_get_next_key(fd, key, next);
	}
	return count;
}

/* One of which 30 are this process's, 40 of one that ended, 50 of an older with our number. */
static void decisions_of_processes(void **state)
{
	const size_t size = sizeof(struct ncg_decided_key);
	int fd = new_map(BPF_MAP_TYPE_HASH, size, sizeof(struct ncg_decided), false);
	struct ncg_decided value = { .generation = 1 };
	struct ncg_forget forget = {};
	struct ncg_guest self;
	pid_t ended = fork();

	(void)state;
	if (!ended)
		_exit(0);
	assert_int_equal(waitpid(ended, NULL, 0), ended);
	assert_int_equal(ncg_guest_read(NULL, getpid(), NULL, &self), 0);
	for (unsigned int i = 0; i < 120; i++) {
		struct ncg_decided_key key = {
			/* in the middle of a tick of 10 ms */
			.start_boot_ns = self.start_ticks * 10000000 + 5000000, .pid = getpid(),
			.domain = i,
		};

		if (i >= 30 && i < 70)
			key.pid = ended;
		else if (i >= 70)
			key.start_boot_ns -= 20000000;
		assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY), 0);
	}
	ncg_guest_done(&self);
	assert_int_equal(ncg_forget_decided(&forget, fd, -1, NULL), 90);
	assert_int_equal(elements(fd, size), 30);
	assert_int_equal(ncg_forget_decided(&forget, fd, -1, NULL), 0);
	close(fd);
}

/* For each decision one file of fixed length is read, however long the command line is. */
static void only_the_start_is_read(void **state)
{
	const struct ncg_decided_key key = { .start_boot_ns = 75000000, .pid = 4711 };
	int fd = new_map(BPF_MAP_TYPE_HASH, sizeof(key), sizeof(struct ncg_decided), false);
	struct ncg_decided value = { .generation = 1 };

	(void)state;
	tree_make();
	tree_file("4711/stat", "4711 (q) S 1 1 1 0 -1 1 1 0 1 0 3 4 0 0 20 0 6 0 7\n");
	assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY), 0);
	assert_int_equal(ncg_forget_decided(&(struct ncg_forget){}, fd, -1, tree), 0);
	assert_int_equal(elements(fd, sizeof(key)), 1);
	tree_remove();
	close(fd);
}

static void maps_that_are_none(void **state)
{
	(void)state;
	assert_int_equal(ncg_forget_decided(&(struct ncg_forget){}, -1, -1, NULL), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions_of_processes),
		cmocka_unit_test(only_the_start_is_read),
		cmocka_unit_test(maps_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
