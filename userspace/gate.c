// SPDX-License-Identifier: GPL-2.0-only
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

	if (bpf_map_lookup_elem(policy_fd, &zero, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
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

/* A policy being read: the room that look-ups of one decision return into. */
struct reader {
	int fd;
	unsigned int turn;
	union ncg_pvalue values[NCG_MASKS_MAX + 4];
};

static void *ncg_policy_lookup(void *map, const struct ncg_pkey *key)
{
	struct reader *reader = map;
	union ncg_pvalue *value;

	/* HEAD and rules are kept by address until the end: give each its own room. */
	if (key->kind == NCG_PKIND_MASK)
		value = &reader->values[NCG_MASKS_MAX + 2];
	else if (key->kind == NCG_PKIND_FILE)
		value = &reader->values[NCG_MASKS_MAX + 3];
	else
		value = &reader->values[reader->turn++ % (NCG_MASKS_MAX + 2)];
	return bpf_map_lookup_elem(reader->fd, key, value) ? NULL : value;
}

#include "decide.h"

void ncg_gate_decide(int policy_fd, const struct ncg_tuple *tuple,
		     struct ncg_decision *ret_decision)
{
	struct reader reader = { .fd = current_fd(policy_fd) };

	ncg_decide(reader.fd < 0 ? NULL : &reader, tuple, ret_decision);
	ret_decision->grade = NCG_GRADE_NONE;
	ncg_cleanup_close(&reader.fd);
}
