// SPDX-License-Identifier: GPL-2.0-only
/* See policy_known.h. Fails closed: what is not read whole is not known. */
#include "policy_known.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy_named.h"
#include "policy_trust.h"
#include "policy_word.h"
#include "text_file.h"

/* Bytes; names as long as lines of a policy may be, and as many as its rules. */
#define SIZE_MAX_OF_FILE (NCG_POLICY_SIZE_MAX + NCG_RULES_MAX * sizeof("10de:2330  gone\n"))

void ncg_policy_known_free(struct ncg_policy_known *known)
{
	if (!known)
		return;
	for (size_t i = 0; i < known->count; i++)
		free(known->list[i].name);
	free(known->list);
	free(known);
}

static int compare(const void *left, const void *right)
{
	const struct ncg_policy_known_name *a = left, *b = right;

	return strcmp(a->name, b->name);
}

const struct ncg_policy_known_name *ncg_policy_known_find(const struct ncg_policy_known *known,
							  const char *name)
{
	const struct ncg_policy_known_name key = { .name = (char *)name };

	return known && known->count ?
		       bsearch(&key, known->list, known->count, sizeof(key), compare) : NULL;
}

bool ncg_policy_known_equal(const struct ncg_policy_known *a, const struct ncg_policy_known *b)
{
	bool equal = a->count == b->count;

	for (size_t i = 0; equal && i < a->count; i++)
		equal = !strcmp(a->list[i].name, b->list[i].name) &&
			a->list[i].vendor == b->list[i].vendor &&
			a->list[i].device == b->list[i].device &&
			a->list[i].gone == b->list[i].gone;
	return equal;
}

/* Adds an entry behind the last; text need not end with a NUL. */
static int add(struct ncg_policy_known *known, const char *text, size_t length, __u16 vendor,
	       __u16 device, bool gone)
{
	struct ncg_policy_known_name *grown;
	char *name;

	/* By powers of two. */
	if (!(known->count & (known->count - 1))) {
		grown = reallocarray(known->list, known->count ? 2 * known->count : 1,
				     sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		known->list = grown;
	}
	name = strndup(text, length);
	if (!name)
		return -ENOMEM;
	known->list[known->count++] =
		(struct ncg_policy_known_name){ name, vendor, device, gone };
	return 0;
}

int ncg_policy_known_take(const struct ncg_policy *policy, struct ncg_policy_known **ret_known)
{
	ncg_autoknown struct ncg_policy_known *known = calloc(1, sizeof(*known));

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < policy->named_count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[policy->named[i]];

		if (add(known, rule->name, strlen(rule->name), rule->value.vendor,
			rule->value.device, rule->gone))
			return -ENOMEM;
	}
	*ret_known = ncg_take_ptr(known);
	return 0;
}

/* ------------------------------------------------------------------------ read */

/* "10de:2330" or "10de:*", whole. */
static bool parse_ids(struct ncg_policy_word word, __u16 *ret_vendor, __u16 *ret_device)
{
	char text[NCG_POLICY_NAMED_IDS_LEN];
	unsigned int vendor, device = 0;
	int end = 0;

	if (word.length >= sizeof(text))
		return false;
	memcpy(text, word.text, word.length);
	text[word.length] = '\0';
	if (sscanf(text, "%4x:%4x%n", &vendor, &device, &end) != 2 &&
	    sscanf(text, "%4x:*%n", &vendor, &end) != 1)
		return false;
	*ret_vendor = vendor;
	*ret_device = device;
	return end && (size_t)end == word.length;
}

/* 0; -EBADMSG; -ENOMEM. */
static int parse_line(struct ncg_policy_known *known, const char *line, size_t length)
{
	struct ncg_policy_word rest = { line, length, 1 }, ids, name, mark;
	__u16 vendor, device;
	bool gone;
	int r;

	if (!ncg_policy_word_next(&rest, &ids))
		return 0;
	if (!parse_ids(ids, &vendor, &device) || !ncg_policy_word_next(&rest, &name))
		return -EBADMSG;
	gone = ncg_policy_word_next(&rest, &mark);
	if (gone && (!ncg_policy_word_is(mark, "gone") || ncg_policy_word_next(&rest, &mark)))
		return -EBADMSG;
	r = add(known, name.text, name.length, vendor, device, gone);
	if (r)
		return r;
	if (known->count > 1 && compare(&known->list[known->count - 2],
					&known->list[known->count - 1]) >= 0)
		return -EBADMSG;
	return 0;
}

static int parse(const char *text, size_t size, struct ncg_policy_known *known)
{
	int r = 0;

	while (!r && size) {
		const char *newline = memchr(text, '\n', size);
		size_t length = newline ? (size_t)(newline - text) : size;

		/* Each line was written whole, with its end. */
		r = newline && !memchr(text, '\0', length) ? parse_line(known, text, length) :
							     -EBADMSG;
		text += length + !!newline;
		size -= length + !!newline;
	}
	return r;
}

int ncg_policy_known_read(const char *path, struct ncg_policy_known **ret_known,
			  char **ret_problem)
{
	ncg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ncg_autoknown struct ncg_policy_known *known = calloc(1, sizeof(*known));
	ncg_autofree char *text = NULL;
	size_t size = 0;
	int r = 0;

	*ret_problem = NULL;
	if (!known)
		return -ENOMEM;
	if (fd >= 0) {
		r = ncg_policy_trust_check(fd, path, ret_problem);
		if (!r)
			r = ncg_text_file_read_fd(fd, SIZE_MAX_OF_FILE, &text, &size);
		if (!r)
			r = parse(text, size, known);
	} else if (errno != ENOENT) {
		r = -errno;
	}
	if (r == -EBADMSG) {
		*ret_problem = strdup("is damaged");
		return *ret_problem ? r : -ENOMEM;
	}
	if (r)
		return r;
	*ret_known = ncg_take_ptr(known);
	return 0;
}

/* ----------------------------------------------------------------------- write */

static int write_names(FILE *out, const struct ncg_policy_known *known)
{
	fputs("# What the names in ncgate's policy stood for when it was put in force.\n"
	      "# ncgated writes this file and goes by it where pci.ids has lost a name.\n", out);
	for (size_t i = 0; i < known->count; i++) {
		const struct ncg_policy_known_name *name = &known->list[i];
		/* A name for every device ends with the colon and the star. */
		const char *end = name->name + strlen(name->name) - 2;

		fprintf(out, "%04x:", name->vendor);
		if (!strcmp(end, ":*"))
			fputc('*', out);
		else
			fprintf(out, "%04x", name->device);
		fprintf(out, " %s%s\n", name->name, name->gone ? " gone" : "");
	}
	errno = 0;
	if (!fflush(out) && !ferror(out))
		return 0;
	return errno ? -errno : -EIO;
}

/* The folder that path is in, open; made where it alone is missing. */
static int open_folder(const char *path)
{
	ncg_autofree char *copy = strdup(path);
	const char *folder;
	int fd;

	if (!copy)
		return -ENOMEM;
	folder = dirname(copy);
	if (mkdir(folder, 0700) && errno != EEXIST)
		return -errno;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int ncg_policy_known_write(const char *path, const struct ncg_policy_known *known)
{
	ncg_autofree char *new = NULL;
	ncg_autofclose FILE *out = NULL;
	ncg_autoclose int folder = -1;
	int fd, r;

	if (!known->count)
		return unlink(path) && errno != ENOENT ? -errno : 0;
	folder = open_folder(path);
	if (folder < 0)
		return folder;
	if (asprintf(&new, "%s.new", path) < 0) {
		new = NULL;
		return -ENOMEM;
	}
	/* What an earlier one left half. */
	if (unlink(new) && errno != ENOENT)
		return -errno;
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		unlink(new);
		return -ENOMEM;
	}
	r = write_names(out, known);
	if (!r && (fsync(fd) || rename(new, path) || fsync(folder)))
		r = -errno;
	if (r)
		unlink(new);
	return r;
}
