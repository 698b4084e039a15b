/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files and names for the parser that are only in memory. A path that ends with '/'
 * is a folder, of the files whose paths begin with it and end with ".conf"; one that
 * is not there is missing; a file's number is its identity. Vendor V's name is
 * "Vendor V" and its device D's "Device D", in hex, but for those listed in `names`.
 *
 * Owns nothing but what it hands out.
 */
#ifndef NCGATE_TESTS_POLICY_MEMORY_H
#define NCGATE_TESTS_POLICY_MEMORY_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

struct memory_file {
	const char *path;
	const char *text;
	size_t size;
	const char *problem; /* instead of the text */
	int identity;	     /* 0: a file of its own */
};

struct memory_name {
	const char *name;
	int vendor; /* -1: it is a vendor's name */
	__u16 ids[NCG_POLICY_IDS_MAX];
	size_t count;
	const char *nearest;
};

/* A rule's name that is known from before. */
struct memory_known {
	const char *name;
	__u16 vendor;
	__u16 device;
};

struct memory {
	const struct memory_file *files;
	size_t file_count;
	const struct memory_name *names;
	size_t name_count;
	const struct memory_known *known;
	size_t known_count;
	int error; /* what ids() fails with */
	unsigned int hints; /* that were asked for */
};

static inline int memory_list(void *context, const char *path, char ***ret_paths,
			      size_t *ret_count, struct ncg_policy_trouble *ret_trouble)
{
	const struct memory *memory = context;
	size_t length = strlen(path);
	char **paths = calloc(memory->file_count + 1, sizeof(*paths));

	(void)ret_trouble;
	*ret_paths = paths;
	*ret_count = 0;
	if (!paths)
		return -ENOMEM;
	if (!length || path[length - 1] != '/') {
		paths[(*ret_count)++] = strdup(path);
		return 0;
	}
	for (size_t i = 0; i < memory->file_count; i++) {
		const char *name = memory->files[i].path;
		size_t all = strlen(name);

		if (all > length + 5 && !strncmp(name, path, length) &&
		    !strcmp(name + all - 5, ".conf"))
			paths[(*ret_count)++] = strdup(name);
	}
	return 0;
}

static inline int memory_read(void *context, const char *path, size_t limit, char **ret_text,
			      size_t *ret_size, struct ncg_policy_identity *ret_identity,
			      struct ncg_policy_trouble *ret_trouble)
{
	const struct memory *memory = context;

	for (size_t i = 0; i < memory->file_count; i++) {
		const struct memory_file *file = &memory->files[i];
		size_t size = file->size ? file->size : strlen(file->text ? file->text : "");

		if (strcmp(file->path, path))
			continue;
		if (file->problem) {
			ret_trouble->problem = strdup(file->problem);
			ret_trouble->expected = "something else";
			return -EPERM;
		}
		if (size > limit)
			size = limit + 1;
		ret_identity->device = 7;
		ret_identity->inode = file->identity ? (__u64)file->identity : 1000 + i;
		*ret_text = malloc(size + 1);
		if (!*ret_text)
			return -ENOMEM;
		memcpy(*ret_text, file->text ? file->text : "", size);
		*ret_size = size;
		return 0;
	}
	return -ENOENT;
}

static inline const struct memory_name *memory_name(const struct memory *memory,
						     const __u16 *vendor, const char *name)
{
	for (size_t i = 0; i < memory->name_count; i++) {
		const struct memory_name *n = &memory->names[i];

		if (!strcmp(n->name, name) && n->vendor == (vendor ? *vendor : -1))
			return n;
	}
	return NULL;
}

static inline int memory_ids(void *context, const __u16 *vendor, const char *name,
			     struct ncg_policy_ids *ret_ids,
			     struct ncg_policy_trouble *ret_trouble)
{
	const struct memory *memory = context;
	const struct memory_name *known = memory_name(memory, vendor, name);
	unsigned int id;
	int end = 0;

	(void)ret_trouble;
	if (memory->error)
		return memory->error;
	if (known) {
		memcpy(ret_ids->list, known->ids, sizeof(known->ids));
		ret_ids->count = known->count;
		return 0;
	}
	if (sscanf(name, vendor ? "Device %4x%n" : "Vendor %4x%n", &id, &end) == 1 &&
	    (size_t)end == strlen(name)) {
		ret_ids->list[0] = id;
		ret_ids->count = 1;
	}
	return 0;
}

static inline int memory_nearest(void *context, const __u16 *vendor, const char *name,
				 char **ret_nearest)
{
	struct memory *memory = context;
	const struct memory_name *known = memory_name(memory, vendor, name);

	memory->hints++;
	*ret_nearest = known && known->nearest ? strdup(known->nearest) : NULL;
	return 0;
}

static inline int memory_find_known(void *context, const char *name, __u16 *ret_vendor,
				    __u16 *ret_device)
{
	const struct memory *memory = context;

	for (size_t i = 0; i < memory->known_count; i++) {
		if (strcmp(memory->known[i].name, name))
			continue;
		*ret_vendor = memory->known[i].vendor;
		*ret_device = memory->known[i].device;
		return 0;
	}
	return -ENOENT;
}

static inline struct ncg_policy_sources memory_sources(struct memory *memory)
{
	return (struct ncg_policy_sources){ memory,	memory_list,	memory_read,
					    memory_ids, memory_nearest, memory_find_known };
}

#endif
