/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A folder made for one test, with files where the kernel would have them (/sys,
 * /proc). Included by one .c file each; the folder goes with tree_remove().
 */
#ifndef NCGATE_TEST_TREE_H
#define NCGATE_TEST_TREE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree[32]; /* its path, empty while there is none */

#define TREE_UNUSED __attribute__((unused))

/* The path of name within the tree; good until the fourth call after. */
static const char *tree_path(const char *name)
{
	static char paths[4][512];
	static unsigned int next;
	char *path = paths[next++ % 4];

	assert_true(snprintf(path, sizeof(paths[0]), "%s/%s", tree, name) < (int)sizeof(paths[0]));
	return path;
}

static void tree_make(void)
{
	strcpy(tree, "/tmp/ncgate-tree-XXXXXX");
	assert_non_null(mkdtemp(tree));
}

static int tree_drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void tree_remove(void)
{
	if (*tree)
		nftw(tree, tree_drop, 16, FTW_DEPTH | FTW_PHYS);
	*tree = '\0';
}

/* A folder and all above it. */
TREE_UNUSED static void tree_dir(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/", tree_path(name));
	for (char *slash = strchr(path + strlen(tree) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755))
			assert_int_equal(errno, EEXIST);
		*slash = '/';
	}
}

static void tree_parents(const char *name)
{
	char parent[256];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", name);
	slash = strrchr(parent, '/');
	if (!slash)
		return;
	*slash = '\0';
	tree_dir(parent);
}

TREE_UNUSED static void tree_bytes(const char *name, const void *bytes, size_t size)
{
	FILE *file;

	tree_parents(name);
	file = fopen(tree_path(name), "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

TREE_UNUSED static void tree_file(const char *name, const char *text)
{
	tree_bytes(name, text, strlen(text));
}

TREE_UNUSED static void tree_link(const char *name, const char *target)
{
	tree_parents(name);
	assert_int_equal(symlink(target, tree_path(name)), 0);
}

#endif
