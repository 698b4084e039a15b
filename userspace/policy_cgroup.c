// SPDX-License-Identifier: GPL-2.0-only
/*
 * See policy_cgroup.h. The paths are sorted so that a folder stands before what is
 * in it and siblings stand together; what each adds to the one before is then all
 * that is new. A first pass counts siblings, which says how many bits each level
 * needs, a second gives the codes.
 */
#include "policy_cgroup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* A path has at most as many folders as parts of names. */
#define LEVELS_MAX NCG_CGROUP_PARTS_MAX

/* A folder's name within a path. */
struct folder {
	const char *name;
	size_t length;
};

/* Takes the next folder off a path. False: there is none. */
static bool next_folder(const char **path, struct folder *ret_folder)
{
	if (**path == '/')
		(*path)++;
	ret_folder->name = *path;
	ret_folder->length = strcspn(*path, "/");
	*path += ret_folder->length;
	return ret_folder->length;
}

long ncg_policy_cgroup_part(const char *path, __u32 level, __u32 from, char *ret_part)
{
	struct folder folder = { path, 0 };
	size_t length;

	if (!path)
		return -1;
	for (__u32 i = 0; i < level; i++)
		if (!next_folder(&path, &folder))
			return -1;
	if (from > folder.length)
		return -1;
	length = folder.length - from;
	if (length > NCG_NAME_PART_LEN)
		length = NCG_NAME_PART_LEN;
	memcpy(ret_part, folder.name + from, length);
	return length;
}

/* By folder: '/' is less than any byte of a name. */
static int compare_paths(const char *a, const char *b)
{
	size_t same = 0;

	while (a[same] && a[same] == b[same])
		same++;
	if (a[same] == b[same])
		return 0;
	if (!a[same] || !b[same])
		return a[same] ? 1 : -1;
	if (a[same] == '/' || b[same] == '/')
		return a[same] == '/' ? -1 : 1;
	return (unsigned char)a[same] < (unsigned char)b[same] ? -1 : 1;
}

static int compare(const void *a, const void *b)
{
	const struct ncg_policy_cgroup *x = a, *y = b;

	return compare_paths(x->path, y->path);
}

/* The paths of all rules, each once. */
static int collect(const struct ncg_policy *policy, struct ncg_policy_cgroups *cgroups)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < policy->rule_count; i++)
		count += policy->rules[i].cgroup != NULL;
	if (!count)
		return 0;
	cgroups->list = calloc(count, sizeof(*cgroups->list));
	if (!cgroups->list)
		return -ENOMEM;
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].cgroup)
			cgroups->list[cgroups->count++].path = policy->rules[i].cgroup;
	qsort(cgroups->list, count, sizeof(*cgroups->list), compare);
	for (size_t i = 0; i < count; i++)
		if (!i || compare(&cgroups->list[kept - 1], &cgroups->list[i]))
			cgroups->list[kept++] = cgroups->list[i];
	cgroups->count = kept;
	return 0;
}

/*
 * Where one goes through the paths: of the present one, for each level the number
 * of its folder among those of the same parent.
 */
struct cursor {
	const char *path; /* NULL before the first */
	unsigned int depth;
	__u32 number[LEVELS_MAX];
};

/* Goes to a path. Its folders from *ret_new on have not been met before. */
static void cursor_move(struct cursor *cursor, const char *path, unsigned int *ret_new)
{
	const char *now = path, *before = cursor->path ? cursor->path : "";
	struct folder a, b;
	unsigned int level = 0;
	bool new = false;

	*ret_new = 0;
	for (; level < LEVELS_MAX && next_folder(&now, &a); level++) {
		new = new || !next_folder(&before, &b) || a.length != b.length ||
		      memcmp(a.name, b.name, a.length);
		if (!new)
			*ret_new = level + 1;
		else if (level == *ret_new && level < cursor->depth)
			cursor->number[level]++; /* a sibling of the last one */
		else
			cursor->number[level] = 1;
	}
	cursor->path = path;
	cursor->depth = level;
}

/* Adds the parts of one name below node; *ret_node is the folder's. */
static int add_folder(struct ncg_policy_table *table, __u32 *nodes, __u32 node, const char *path,
		      unsigned int level, __u64 code, __u32 *ret_node)
{
	long length = NCG_NAME_PART_LEN;

	for (__u32 from = 0; length == NCG_NAME_PART_LEN; from += NCG_NAME_PART_LEN) {
		struct ncg_pkey key = { .space = NCG_SPACE_NODE(node) };
		struct ncg_pslot *slot;
		bool new;

		length = ncg_policy_cgroup_part(path, level + 1, from, key.part);
		slot = ncg_policy_table_add(table, &key, &new);
		if (!slot)
			return -ENOMEM;
		if (new) {
			if (*nodes == NCG_NODES_MAX)
				return -E2BIG;
			slot->node.node = ++*nodes;
			slot->node.code = length == NCG_NAME_PART_LEN ? 0 : code;
		}
		node = slot->node.node;
	}
	*ret_node = node;
	return 0;
}

static unsigned int bits_for(__u32 number)
{
	return 32 - __builtin_clz(number);
}

static int give_codes(struct ncg_policy_cgroups *cgroups, struct ncg_policy_table *table,
		      const unsigned int shifts[LEVELS_MAX])
{
	struct cursor cursor = { 0 };
	__u32 node_at[LEVELS_MAX + 1] = { 0 }, nodes = 0;
	__u64 code_at[LEVELS_MAX + 1] = { 0 };

	for (size_t i = 0; i < cgroups->count; i++) {
		struct ncg_policy_cgroup *cgroup = &cgroups->list[i];
		unsigned int level;

		for (cursor_move(&cursor, cgroup->path, &level); level < cursor.depth; level++) {
			int r;

			code_at[level + 1] = code_at[level] |
					     (__u64)cursor.number[level] << shifts[level];
			r = add_folder(table, &nodes, node_at[level], cgroup->path, level,
				       code_at[level + 1], &node_at[level + 1]);
			if (r)
				return r;
		}
		cgroup->code = code_at[cursor.depth];
		/* Of the root there is nothing to compare. */
		cgroup->mask = cursor.depth ? ~0ULL << shifts[cursor.depth - 1] : 0;
	}
	return 0;
}

int ncg_policy_cgroups_number(const struct ncg_policy *policy, struct ncg_policy_table *table,
			      struct ncg_policy_cgroups *ret_cgroups)
{
	struct cursor cursor = { 0 };
	unsigned int shifts[LEVELS_MAX], used = 0, level;
	__u32 most[LEVELS_MAX] = { 0 };
	int r;

	*ret_cgroups = (struct ncg_policy_cgroups){ 0 };
	r = collect(policy, ret_cgroups);
	if (r)
		return r;
	for (size_t i = 0; i < ret_cgroups->count; i++)
		for (cursor_move(&cursor, ret_cgroups->list[i].path, &level);
		     level < cursor.depth; level++)
			if (cursor.number[level] > most[level])
				most[level] = cursor.number[level];
	for (level = 0; level < LEVELS_MAX && most[level]; level++) {
		used += bits_for(most[level]);
		if (used > 64)
			return -E2BIG;
		shifts[level] = 64 - used;
	}
	return give_codes(ret_cgroups, table, shifts);
}

const struct ncg_policy_cgroup *ncg_policy_cgroups_find(const struct ncg_policy_cgroups *cgroups,
							const char *path)
{
	const struct ncg_policy_cgroup key = { .path = path };

	return bsearch(&key, cgroups->list, cgroups->count, sizeof(key), compare);
}

void ncg_policy_cgroups_done(struct ncg_policy_cgroups *cgroups)
{
	free(cgroups->list);
	*cgroups = (struct ncg_policy_cgroups){ 0 };
}
