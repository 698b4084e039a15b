// SPDX-License-Identifier: GPL-2.0-only
/* See policy_trust.h. */
#include "policy_trust.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

#define LINKS_MAX 40 /* as the kernel follows at most */

__attribute__((format(printf, 2, 3))) static int distrust(char **ret_problem, const char *format,
							   ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(ret_problem, format, args);
	va_end(args);
	if (n >= 0)
		return -EPERM;
	*ret_problem = NULL;
	return -ENOMEM;
}

/* What in a mode lets others than the owner change it. */
static bool open_to_others(const struct stat *st)
{
	/* Sticky: only the owner of a file, and root, remove or rename it. */
	if (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX)
		return false;
	return st->st_mode & (S_IWGRP | S_IWOTH);
}

/* One thing on the way; `through` is NULL for the thing itself. */
static int check_one(const struct stat *st, const char *through, char **ret_problem)
{
	const char *before = through ? "is reached through " : "";
	const char *after = through ? ", which " : "";

	if (!through)
		through = "";
	if (st->st_uid)
		return distrust(ret_problem, "%s%s%sbelongs to uid %u and not to root", before,
				through, after, st->st_uid);
	if (!S_ISLNK(st->st_mode) && open_to_others(st))
		return distrust(ret_problem,
				"%s%s%scan be written by others than root (mode %04o)", before,
				through, after, st->st_mode & 07777);
	return 0;
}

/*
 * The way to a path: `done` has been walked and has no links, `rest` is still to go.
 */
struct way {
	char done[PATH_MAX]; /* "" is the root */
	char rest[PATH_MAX];
	unsigned int links;
};

/* Takes the next name off rest, or "" at the end. Points into way->rest. */
static const char *next_name(struct way *way, char ret_name[NAME_MAX + 1])
{
	char *at = way->rest + strspn(way->rest, "/");
	size_t length = strcspn(at, "/");

	if (length > NAME_MAX)
		return NULL;
	memcpy(ret_name, at, length);
	ret_name[length] = '\0';
	memmove(way->rest, at + length, strlen(at + length) + 1);
	return ret_name;
}

/* Puts a link's target before the rest. */
static int follow(struct way *way, const char *link)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t length = readlink(link, target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	if (way->links++ == LINKS_MAX)
		return -ELOOP;
	target[length] = '\0';
	strcpy(rest, way->rest);
	if (snprintf(way->rest, sizeof(way->rest), "%s/%s", target, rest) >=
	    (int)sizeof(way->rest))
		return -ENAMETOOLONG;
	if (*target == '/')
		*way->done = '\0';
	return 0;
}

static int walk(struct way *way, char **ret_problem)
{
	for (;;) {
		char name[NAME_MAX + 1], here[PATH_MAX + NAME_MAX + 2];
		struct stat st;
		int r;

		if (!next_name(way, name))
			return -ENAMETOOLONG;
		/* The last is what is open, and was looked at. */
		if (!*name)
			return 0;
		if (!strcmp(name, "."))
			continue;
		if (!strcmp(name, "..")) {
			char *slash = strrchr(way->done, '/');

			if (slash)
				*slash = '\0';
			continue;
		}
		snprintf(here, sizeof(here), "%s/%s", way->done, name);
		if (lstat(here, &st))
			return -errno;
		if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode)) {
			r = check_one(&st, here, ret_problem);
			if (r)
				return r;
		}
		if (S_ISLNK(st.st_mode)) {
			r = follow(way, here);
			if (r)
				return r;
		} else if (strlen(here) >= sizeof(way->done)) {
			return -ENAMETOOLONG;
		} else {
			strcpy(way->done, here);
		}
	}
}

int ncg_policy_trust_check(int fd, const char *path, char **ret_problem)
{
	ncg_autofree struct way *way = calloc(1, sizeof(*way));
	struct stat st;
	int r;

	*ret_problem = NULL;
	if (!way)
		return -ENOMEM;
	if (fstat(fd, &st))
		return distrust(ret_problem, "cannot be looked at: %s", strerror(errno));
	r = check_one(&st, NULL, ret_problem);
	if (r)
		return r;

	/* A relative path begins in the current folder, which counts like the rest. */
	if (*path != '/' && !getcwd(way->rest, sizeof(way->rest)))
		return distrust(ret_problem, "is in a folder that cannot be found: %s",
				strerror(errno));
	if (strlen(way->rest) + strlen(path) + 2 > sizeof(way->rest))
		return distrust(ret_problem, "has too long a path");
	strcat(way->rest, "/");
	strcat(way->rest, path);
	if (stat("/", &st))
		return distrust(ret_problem, "has a root that cannot be looked at");
	r = check_one(&st, "/", ret_problem);
	if (!r)
		r = walk(way, ret_problem);
	if (r && r != -ENOMEM && !*ret_problem)
		return distrust(ret_problem, "has a way to it that cannot be looked at: %s",
				strerror(-r));
	return r;
}
