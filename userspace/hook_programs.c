// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks the kernel for all its BPF links and keeps those that may change what one function
 * answers. A link names its target by number; what the number stands for is in the types
 * of the kernel or the module, which take long to read, so each target is looked up once.
 *
 * Owns the list of targets that were looked up. A link that goes while it is looked at is
 * left out; anything else that cannot be read fails the whole list.
 */
#include "hook_programs.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "cleanup.h"

/* What the kernel allows one program (MAX_USED_MAPS of linux/bpf_verifier.h). */
#define PROGRAM_MAPS_MAX 64

NCG_DEFINE_CLEANUP(struct btf *, btf__free)
#define autobtf ncg_cleanup(btf__free_cleanup)

/* A function as a link names it. Numbers of types are not used twice in one boot. */
struct target {
	__u32 object; /* id of the types of the kernel, or of a module */
	__u32 type;   /* in them */
	bool is_function;
};

struct ncg_hook_programs {
	const char *function;
	__u32 our_map;
	struct target *targets;
	size_t target_count;
};

int ncg_hook_programs_open(const char *function, __u32 our_map,
			   struct ncg_hook_programs **ret_programs)
{
	struct ncg_hook_programs *programs = calloc(1, sizeof(*programs));

	if (!programs)
		return -ENOMEM;
	programs->function = function;
	programs->our_map = our_map;
	*ret_programs = programs;
	return 0;
}

void ncg_hook_programs_close(struct ncg_hook_programs *programs)
{
	if (!programs)
		return;
	free(programs->targets);
	free(programs);
}

/* ------------------------------------------------------------------- targets */

/* Whether a type of the kernel, or of one of its modules, is the function. Or -errno. */
static int is_function(const struct ncg_hook_programs *programs, __u32 object, __u32 type)
{
	autobtf struct btf *kernel = btf__load_vmlinux_btf();
	autobtf struct btf *btf = kernel ? btf__load_from_kernel_by_id_split(object, kernel) : NULL;
	const struct btf_type *t = btf ? btf__type_by_id(btf, type) : NULL;

	if (!t)
		return -errno;
	return btf_is_func(t) && !strcmp(btf__name_by_offset(btf, t->name_off), programs->function);
}

/* The same, looked up once for each target. */
static int is_target(struct ncg_hook_programs *programs, __u32 object, __u32 type)
{
	struct target *more;
	int r;

	for (size_t i = 0; i < programs->target_count; i++)
		if (programs->targets[i].object == object && programs->targets[i].type == type)
			return programs->targets[i].is_function;
	r = is_function(programs, object, type);
	if (r < 0)
		return r;
	more = reallocarray(programs->targets, programs->target_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	programs->targets = more;
	more[programs->target_count++] = (struct target){ object, type, r };
	return r;
}

/* ---------------------------------------------------------------------- links */

static int read_program(const struct ncg_hook_programs *programs, __u32 id,
			struct ncg_hook_program *ret_program)
{
	ncg_autoclose int fd = bpf_prog_get_fd_by_id(id);
	__u32 maps[PROGRAM_MAPS_MAX] = {};
	struct bpf_prog_info info = { .map_ids = (uintptr_t)maps, .nr_map_ids = PROGRAM_MAPS_MAX };
	__u32 size = sizeof(info);

	if (fd < 0 || bpf_prog_get_info_by_fd(fd, &info, &size))
		return -errno;
	ret_program->program = id;
	ret_program->uid = info.created_by_uid;
	ret_program->ours = false;
	memcpy(ret_program->tag, info.tag, sizeof(ret_program->tag));
	memcpy(ret_program->name, info.name, sizeof(ret_program->name));
	for (__u32 i = 0; i < info.nr_map_ids && i < PROGRAM_MAPS_MAX; i++)
		ret_program->ours |= maps[i] == programs->our_map;
	return 0;
}

/* Returns 1 when the link is on the function, 0 when not, or -errno. */
static int read_link(struct ncg_hook_programs *programs, __u32 id,
		     struct ncg_hook_program *ret_program)
{
	ncg_autoclose int fd = bpf_link_get_fd_by_id(id);
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);
	int r;

	if (fd < 0 || bpf_link_get_info_by_fd(fd, &info, &size))
		return -errno;
	/* fentry and fexit cannot change an answer. */
	if (info.type != BPF_LINK_TYPE_TRACING || info.tracing.attach_type != BPF_MODIFY_RETURN)
		return 0;
	r = is_target(programs, info.tracing.target_obj_id, info.tracing.target_btf_id);
	if (r <= 0)
		return r;
	r = read_program(programs, info.prog_id, ret_program);
	ret_program->link = id;
	return r ? r : 1;
}

static int newest_first(const void *a, const void *b)
{
	const struct ncg_hook_program *x = a, *y = b;

	return x->link < y->link ? 1 : x->link > y->link ? -1 : 0;
}

ssize_t ncg_hook_programs_read(struct ncg_hook_programs *programs,
			       struct ncg_hook_program **ret_list)
{
	ncg_autofree struct ncg_hook_program *list = NULL;
	struct ncg_hook_program program, *more;
	size_t count = 0;
	__u32 id = 0;
	int r;

	while (!bpf_link_get_next_id(id, &id)) {
		r = read_link(programs, id, &program);
		/* ENOENT: it has gone. EAGAIN: it is being made, and there at the next look. */
		if (!r || r == -ENOENT || r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		more = reallocarray(list, count + 1, sizeof(*list));
		if (!more)
			return -ENOMEM;
		list = more;
		list[count++] = program;
	}
	if (errno != ENOENT)
		return -errno;
	if (count)
		qsort(list, count, sizeof(*list), newest_first);
	*ret_list = ncg_take_ptr(list);
	return count;
}
