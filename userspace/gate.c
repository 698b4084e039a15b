// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements gate.h. Keeps no state of its own: what is in force is read from the
 * kernel each time.
 */
#include "gate.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "cleanup.h"
#include "log.h"
#include "policy_cgroup.h"
#include "policy_compile.h"

/* As the map of maps was made with. */
#define INNER_FLAGS (BPF_F_MMAPABLE | BPF_F_INNER_MAP)

/* The inner map in the slot, as a descriptor of the caller's; or -errno. */
static int current_fd(int policy_fd)
{
	__u32 zero = 0, id;
	int fd;

	do {
		if (bpf_map_lookup_elem(policy_fd, &zero, &id))
			return -errno;
		fd = bpf_map_get_fd_by_id(id);
		/* Replaced and gone between the two: the slot has the next one's id. */
	} while (fd < 0 && errno == ENOENT);
	return fd < 0 ? -errno : fd;
}

static int read_head(int fd, struct ncg_phead *ret_head)
{
	union ncg_pelement element;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(fd, &zero, &element))
		return -errno;
	*ret_head = element.head;
	return 0;
}

int ncg_gate_read(int policy_fd, struct ncg_phead *ret_head)
{
	ncg_autoclose int fd = current_fd(policy_fd);

	return fd < 0 ? fd : read_head(fd, ret_head);
}

/* ----------------------------------------------------------------- the whole */

/* A policy's elements, mapped. */
struct mapping {
	union ncg_pelement *elements;
	size_t size; /* bytes */
};

static void unmap(struct mapping *mapping)
{
	if (mapping->elements)
		munmap(mapping->elements, mapping->size);
}

static int map_elements(int fd, __u32 count, int protection, struct mapping *ret_mapping)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	const size_t size = ((size_t)count * sizeof(*ret_mapping->elements) + page - 1) &
			    ~(page - 1);
	void *elements = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

	if (elements == MAP_FAILED)
		return -errno;
	*ret_mapping = (struct mapping){ elements, size };
	return 0;
}

/* A new map that holds compiled, or -errno. */
static int make_map(const struct ncg_compiled *compiled)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = INNER_FLAGS);
	ncg_cleanup(unmap) struct mapping mapping = { 0 };
	ncg_autoclose int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ncg_policy", sizeof(__u32),
					      sizeof(union ncg_pelement), compiled->count,
					      &options);
	int r;

	if (fd < 0)
		return -errno;
	r = map_elements(fd, compiled->count, PROT_READ | PROT_WRITE, &mapping);
	if (r)
		return r;
	memcpy(mapping.elements, compiled->elements,
	       compiled->count * sizeof(*compiled->elements));
	return ncg_take_fd(&fd);
}

/* Whether the map holds compiled, but for the generation. */
static bool holds(int fd, const struct ncg_compiled *compiled)
{
	ncg_cleanup(unmap) struct mapping mapping = { 0 };
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	union ncg_pelement head;

	if (bpf_obj_get_info_by_fd(fd, &info, &size) || info.max_entries != compiled->count ||
	    map_elements(fd, compiled->count, PROT_READ, &mapping))
		return false;
	head = mapping.elements[0];
	head.head.generation = compiled->elements[0].head.generation;
	return !memcmp(&head, &compiled->elements[0], sizeof(head)) &&
	       !memcmp(mapping.elements + 1, compiled->elements + 1,
		       (compiled->count - 1) * sizeof(head));
}

int ncg_gate_load_compiled(int policy_fd, struct ncg_compiled *compiled,
			   struct ncg_phead *ret_head, bool *ret_changed)
{
	struct ncg_phead now = { 0 };
	ncg_autoclose int fd = -1, current = current_fd(policy_fd);
	__u32 zero = 0;
	int r;

	if (ret_changed)
		*ret_changed = false;
	r = current < 0 ? current : read_head(current, &now);
	if (r && r != -ENOENT)
		return ncg_log_error(r, "the policy in force cannot be read");
	compiled->elements[0].head.generation = now.generation + 1;
	if (current >= 0 && holds(current, compiled)) {
		*ret_head = now;
		return 0;
	}

	fd = make_map(compiled);
	if (fd < 0)
		return ncg_log_error(fd, "no map for a policy of %u elements", compiled->count);
	if (bpf_map_update_elem(policy_fd, &zero, &fd, BPF_ANY))
		return ncg_log_error(-errno, "the policy cannot be put in force");
	*ret_head = compiled->elements[0].head;
	if (ret_changed)
		*ret_changed = true;
	return 0;
}

int ncg_gate_load(int policy_fd, const struct ncg_policy *policy, struct ncg_phead *ret_head,
		  bool *ret_changed)
{
	ncg_cleanup(ncg_policy_compile_freep) struct ncg_compiled *compiled = NULL;
	int r = ncg_policy_compile(policy, 0, &compiled);

	if (ret_changed)
		*ret_changed = false;
	if (r == -E2BIG) {
		ncg_autofree char *why = ncg_policy_compile_explain(policy);

		return ncg_log_error(r, "%s", why ? why : "the policy is too large");
	}
	if (r)
		return ncg_log_error(r, "the policy cannot be compiled");
	return ncg_gate_load_compiled(policy_fd, compiled, ret_head, ret_changed);
}

/* -------------------------------------------------------------- one decision */

/* The head, and for each mask itself and two slots; of each part of a name two; a file. */
#define READS_MAX (1 + 3 * NCG_MASKS_MAX + 2 * NCG_CGROUP_PARTS_MAX + 1)

/*
 * A policy being read for one decision. The decider keeps elements by address while
 * it goes on, so each that is read has a place of its own.
 */
struct reader {
	int fd;
	__u32 reads;
	union ncg_pelement elements[READS_MAX];
};

static const union ncg_pelement *ncg_policy_element(void *policy, __u32 index)
{
	struct reader *reader = policy;
	union ncg_pelement *element = &reader->elements[reader->reads];

	if (reader->reads == READS_MAX || bpf_map_lookup_elem(reader->fd, &index, element))
		return NULL;
	reader->reads++;
	return element;
}

static __u64 ncg_cgroup_of(void *task)
{
	return (uintptr_t)task;
}

static long ncg_cgroup_part(__u64 cgroup, __u32 level, __u32 from, char *ret_part)
{
	return ncg_policy_cgroup_part((const char *)(uintptr_t)cgroup, level, from, ret_part);
}

#include "decide.h"

void ncg_gate_decide(int policy_fd, const struct ncg_tuple *tuple, const char *cgroup,
		     struct ncg_decision *ret_decision)
{
	struct reader reader = { .fd = current_fd(policy_fd) };
	void *policy = reader.fd < 0 ? NULL : &reader;
	struct ncg_tuple t = *tuple;
	struct ncg_choice choice;

	ncg_decide(policy, &t, (void *)cgroup, &choice);
	ncg_choice_record(policy, &choice, ret_decision);
	ret_decision->grade = NCG_GRADE_NONE;
	ncg_cleanup_close(&reader.fd);
}
