/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests that decide in the kernel share: loading a test's object, asking
 * its program, and policies as maps. The object and its maps belong to the group
 * and end with it; nothing is pinned.
 *
 * NCG_BPF_DIR: the folder of the objects; unset, the tests fail. Without the
 * privilege to load one they are skipped, which is not the same as passed.
 */
#ifndef NCGATE_TESTS_DECIDE_RUN_H
#define NCGATE_TESTS_DECIDE_RUN_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "decide_test.h"
#include "policy_compile.h"

static struct bpf_object *object;
static struct test_cgroup task_cgroup;
static int program_fd, policy_fd;

/* Loads NAME.bpf.o and its program `decide`. 0, or -1 when said why. */
static int load_object(const char *name)
{
	const char *folder = getenv("NCG_BPF_DIR");
	struct bpf_map *map;
	char path[512];
	int r;

	if (!folder) {
		print_error("NCG_BPF_DIR is not set\n");
		return -1;
	}
	snprintf(path, sizeof(path), "%s/%s.bpf.o", folder, name);
	object = bpf_object__open_file(path, NULL);
	if (!object) {
		print_error("%s: %s\n", path, strerror(errno));
		return -1;
	}
	/* Never the maps of a daemon that runs here. */
	bpf_object__for_each_map(map, object) {
		bpf_map__set_pin_path(map, NULL);
		bpf_map__set_autocreate(map, !strcmp(bpf_map__name(map), "policy"));
	}
	r = bpf_object__load(object);
	if (r == -EPERM && geteuid()) {
		bpf_object__close(object);
		object = NULL;
		return 0;
	}
	if (r < 0) {
		print_error("%s cannot be loaded: %s\n", path, strerror(-r));
		return -1;
	}
	program_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "decide"));
	policy_fd = bpf_object__find_map_fd_by_name(object, "policy");
	return program_fd < 0 || policy_fd < 0 ? -1 : 0;
}

static int unload_object(void **state)
{
	(void)state;
	bpf_object__close(object);
	return 0;
}

#define need_bpf() do {			\
		if (!object)		\
			skip();		\
	} while (0)

/* Puts the task that decides into the cgroup at path; "/" is the root. */
static inline void set_cgroup(const char *path)
{
	memset(&task_cgroup, 0, sizeof(task_cgroup));
	while (*path == '/' && path[1]) {
		size_t length = strcspn(++path, "/");

		assert_true(task_cgroup.depth < TEST_CGROUP_DEPTH && length < TEST_CGROUP_NAME);
		memcpy(task_cgroup.names[task_cgroup.depth++], path, length);
		path += length;
	}
}

static int run(struct test_decide_ctx *ctx)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = ctx, .ctx_size_in = sizeof(*ctx));
	int r = bpf_prog_test_run_opts(program_fd, &options);

	return r < 0 ? r : (int)options.retval;
}

/* Every byte but `grade` is rubbish before, so that all must be written. */
static struct ncg_decision decide_in_kernel(const struct ncg_tuple *tuple)
{
	struct test_decide_ctx ctx = { .tuple = *tuple,
					.cgroup = (uintptr_t)&task_cgroup };

	memset(&ctx.decision, 0xaa, sizeof(ctx.decision));
	ctx.decision.grade = NCG_GRADE_NONE;
	assert_int_equal(run(&ctx), 0);
	assert_int_equal(ctx.decision.grade, NCG_GRADE_NONE);
	assert_int_equal(ctx.acts, ctx.decision.mode == NCG_MODE_ENFORCE && !ctx.decision.audit);
	return ctx.decision;
}

#endif
