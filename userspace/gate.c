// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements gate.h. Keeps no state of its own: what is in force is read from the
 * kernel each time.
 */
#include "gate.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "cleanup.h"
#include "log.h"
#include "policy_compile.h"

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

int ncg_gate_read(int policy_fd, struct ncg_phead *ret_head)
{
	struct ncg_pkey key = { .kind = NCG_PKIND_HEAD };
	ncg_autoclose int fd = current_fd(policy_fd);
	union ncg_pvalue value;

	if (fd < 0)
		return fd;
	if (bpf_map_lookup_elem(fd, &key, &value))
		return -errno;
	*ret_head = value.head;
	return 0;
}

static int fill(int fd, const struct ncg_compiled *compiled)
{
	for (size_t i = 0; i < compiled->count; i++)
		if (bpf_map_update_elem(fd, &compiled->entries[i].key, &compiled->entries[i].value,
					BPF_NOEXIST))
			return -errno;
	return 0;
}

int ncg_gate_load(int policy_fd, const struct ncg_policy *policy, struct ncg_phead *ret_head,
		  bool *ret_changed)
{
	__attribute__((cleanup(ncg_policy_compile_freep))) struct ncg_compiled *compiled = NULL;
	struct ncg_phead now = {};
	ncg_autoclose int fd = -1;
	__u32 zero = 0;
	int r;

	if (ret_changed)
		*ret_changed = false;
	r = ncg_gate_read(policy_fd, &now);
	if (r && r != -ENOENT)
		return ncg_log_error(r, "the policy in force cannot be read");
	if (!r && !memcmp(now.sha256, policy->sha256, sizeof(now.sha256))) {
		*ret_head = now;
		return 0;
	}

	r = ncg_policy_compile(policy, now.generation + 1, &compiled);
	if (r == -E2BIG) {
		ncg_autofree char *why = ncg_policy_compile_explain(policy);

		return ncg_log_error(r, "%s", why ? why : "the policy is too large");
	}
	if (r)
		return ncg_log_error(r, "the policy cannot be compiled");

	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "ncg_policy", sizeof(struct ncg_pkey),
			    sizeof(union ncg_pvalue), compiled->count, NULL);
	if (fd < 0)
		return ncg_log_error(-errno, "no map for %zu policy entries", compiled->count);
	r = fill(fd, compiled);
	if (r)
		return ncg_log_error(r, "the policy cannot be written");
	if (bpf_map_update_elem(policy_fd, &zero, &fd, BPF_ANY))
		return ncg_log_error(-errno, "the policy cannot be put in force");
	*ret_head = compiled->entries[0].value.head;
	if (ret_changed)
		*ret_changed = true;
	return 0;
}

/*
 * A policy being read, with the room that look-ups of one decision return into.
 * The decider keeps the head and the best rule by address while it goes on, so
 * the rule of each mask has a place of its own; of masks and files it looks at
 * one at a time.
 */
struct reader {
	int fd;
	union ncg_pvalue head;
	union ncg_pvalue mask;
	union ncg_pvalue file;
	union ncg_pvalue rules[NCG_MASKS_MAX];
};

static void *ncg_policy_lookup(void *map, const struct ncg_pkey *key)
{
	struct reader *reader = map;
	union ncg_pvalue *value = NULL;

	switch ((enum ncg_pkind)key->kind) {
	case NCG_PKIND_HEAD:
		value = &reader->head;
		break;
	case NCG_PKIND_MASK:
		value = &reader->mask;
		break;
	case NCG_PKIND_FILE:
		value = &reader->file;
		break;
	case NCG_PKIND_RULE:
		value = &reader->rules[key->index];
		break;
	}
	return value && !bpf_map_lookup_elem(reader->fd, key, value) ? value : NULL;
}

#include "decide.h"

void ncg_gate_decide(int policy_fd, const struct ncg_tuple *tuple, const char *cgroup,
		     struct ncg_decision *ret_decision)
{
	(void)cgroup;
	struct reader reader = { .fd = current_fd(policy_fd) };

	ncg_decide(reader.fd < 0 ? NULL : &reader, tuple, ret_decision);
	ret_decision->grade = NCG_GRADE_NONE;
	ncg_cleanup_close(&reader.fd);
}
