// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads each file whole, then parses and digests that one copy, so that the SHA-256
 * in the audit trail is of exactly the text that was parsed, whatever happens to the
 * files meanwhile. Owns no state; fails closed.
 */
#include "policy_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "cleanup.h"
#include "device.h"
#include "policy_named.h"
#include "policy_names.h"
#include "policy_trust.h"
#include "text_file.h"

/* One load. */
struct load {
	const struct ncg_policy_file_options *options;
	gnutls_hash_hd_t hash; /* NULL: cannot be computed */
	size_t files;	       /* read so far */
	struct ncg_pci_ids *ids; /* NULL before the first name, and where there is none */
	bool ids_read;		 /* an attempt was made, with this end: */
	int ids_error;
	struct ncg_policy_trouble ids_trouble;
	char **warnings;
	size_t warning_count;
};

static void load_done(struct load *load)
{
	for (size_t i = 0; i < load->warning_count; i++)
		free(load->warnings[i]);
	free(load->warnings);
	ncg_pci_ids_free(load->ids);
	free(load->ids_trouble.problem);
	if (load->hash)
		gnutls_hash_deinit(load->hash, NULL);
}

/* --------------------------------------------------------------------- trust */

static int warn(struct load *load, const char *path, const char *problem)
{
	char **grown = reallocarray(load->warnings, load->warning_count + 1, sizeof(*grown));
	char *warning;

	if (!grown)
		return -ENOMEM;
	load->warnings = grown;
	if (asprintf(&warning, "%s: %s; ncgated would refuse it", path, problem) < 0)
		return -ENOMEM;
	load->warnings[load->warning_count++] = warning;
	return 0;
}

/* 0, or what refuses the file or folder. */
static int check_trust(struct load *load, int fd, const char *path,
		       struct ncg_policy_trouble *ret_trouble)
{
	ncg_autofree char *problem = NULL;
	int r = ncg_policy_trust_check(fd, path, &problem);

	if (r != -EPERM)
		return r;
	if (!load->options->trusted)
		return warn(load, path, problem);
	ret_trouble->problem = ncg_take_ptr(problem);
	ret_trouble->expected = NCG_POLICY_TRUST_EXPECTED;
	return r;
}

/* ------------------------------------------------------------------------ read */

/*
 * Reads all of a file, or a little more than limit bytes. Not by its size: pipes and
 * files that change have none. 0 or -errno; the caller frees *ret_text.
 */
static int read_whole(int fd, size_t limit, char **ret_text, size_t *ret_size)
{
	ncg_autofree char *text = NULL;
	size_t size = 0, room = 0;

	while (size <= limit) {
		ssize_t n;

		if (size == room) {
			size_t more = room ? 2 * room : 16384;
			char *bigger;

			/* One byte beyond, for the parser to see that it is too long. */
			if (more > limit + 1)
				more = limit + 1;
			bigger = realloc(text, more);
			if (!bigger)
				return -ENOMEM;
			text = bigger;
			room = more;
		}
		n = read(fd, text + size, room - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		size += n;
	}
	*ret_text = ncg_take_ptr(text);
	*ret_size = size;
	return 0;
}

static void digest(struct load *load, const char *text, size_t size)
{
	/* A NUL is in no text, so where one ends and the next begins counts. */
	if (load->hash &&
	    ((load->files++ && gnutls_hash(load->hash, "", 1) < 0) ||
	     (size && gnutls_hash(load->hash, text, size) < 0))) {
		gnutls_hash_deinit(load->hash, NULL);
		load->hash = NULL;
	}
}

static int on_read(void *context, const char *path, size_t limit, char **ret_text,
		   size_t *ret_size, struct ncg_policy_identity *ret_identity,
		   struct ncg_policy_trouble *ret_trouble)
{
	struct load *load = context;
	/* Nobody's pipe stops the daemon: with O_NONBLOCK it is opened, and refused. */
	ncg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY |
						  (load->options->trusted ? O_NONBLOCK : 0));
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	*ret_identity = (struct ncg_policy_identity){ st.st_dev, st.st_ino };
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	/* A pipe has no way to it; a draft may come through one, a policy may not. */
	if (S_ISREG(st.st_mode)) {
		r = check_trust(load, fd, path, ret_trouble);
	} else if (load->options->trusted) {
		ret_trouble->problem = strdup("is no regular file");
		ret_trouble->expected = NCG_POLICY_TRUST_EXPECTED;
		r = ret_trouble->problem ? -EPERM : -ENOMEM;
	} else {
		r = 0;
	}
	if (!r)
		r = read_whole(fd, limit, ret_text, ret_size);
	if (!r)
		digest(load, *ret_text, *ret_size);
	return r;
}

/* ------------------------------------------------------------------------ list */

struct paths {
	char **list;
	size_t count;
};

static void paths_done(struct paths *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		free(paths->list[i]);
	free(paths->list);
}

/* Adds FOLDER/NAME, or FOLDER where name is NULL. */
static int paths_add(struct paths *paths, const char *folder, const char *name)
{
	const char *slash = name && *folder && folder[strlen(folder) - 1] != '/' ? "/" : "";
	char **grown = reallocarray(paths->list, paths->count + 1, sizeof(*grown)), *path;

	if (!grown)
		return -ENOMEM;
	paths->list = grown;
	if (asprintf(&path, "%s%s%s", folder, slash, name ? name : "") < 0)
		return -ENOMEM;
	paths->list[paths->count++] = path;
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* As a shell's *.conf: what begins with a dot is hidden. */
static bool is_drop_in(const char *name)
{
	size_t length = strlen(name);

	return *name != '.' && length > strlen(".conf") &&
	       !strcmp(name + length - strlen(".conf"), ".conf");
}

static int read_folder(const char *path, DIR *dir, struct paths *paths)
{
	struct dirent *entry;
	int r;

	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		if (!is_drop_in(entry->d_name))
			continue;
		r = paths_add(paths, path, entry->d_name);
		if (r)
			return r;
	}
	if (errno)
		return -errno;
	if (paths->count)
		qsort(paths->list, paths->count, sizeof(*paths->list), compare_paths);
	return 0;
}

static int on_list(void *context, const char *path, char ***ret_paths, size_t *ret_count,
		   struct ncg_policy_trouble *ret_trouble)
{
	ncg_cleanup(paths_done) struct paths paths = { 0 };
	ncg_autoclosedir DIR *dir = opendir(path);
	int r;

	if (dir) {
		r = check_trust(context, dirfd(dir), path, ret_trouble);
		if (!r)
			r = read_folder(path, dir, &paths);
	} else if (errno == ENOTDIR) {
		r = paths_add(&paths, path, NULL);
	} else {
		r = -errno;
	}
	if (r)
		return r;
	*ret_count = paths.count;
	*ret_paths = ncg_take_ptr(paths.list);
	paths.count = 0;
	return 0;
}

/* ----------------------------------------------------------------------- names */

#define PCI_IDS_SIZE_MAX (64u << 20) /* bytes; the list of 2025 has 1.5 million */

/* Reads pci.ids, which decides with the policy where that has names. */
static int read_ids(struct load *load, const char *path, struct ncg_policy_trouble *ret_trouble)
{
	ncg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ncg_autofree char *text = NULL;
	size_t size, vendors;
	int r;

	if (fd < 0)
		return -errno;
	r = check_trust(load, fd, path, ret_trouble);
	if (!r)
		r = ncg_text_file_read_fd(fd, PCI_IDS_SIZE_MAX, &text, &size);
	if (!r)
		r = ncg_pci_ids_parse(text, size, &load->ids);
	if (r)
		return r;
	/* A file that names no vendor is not a pci.ids. */
	ncg_pci_ids_list(load->ids, NULL, &vendors);
	return vendors ? 0 : -ENOENT;
}

/* The same once, and with the path before what is wrong with it. */
static int need_ids(struct load *load)
{
	ncg_autofree char *own = NULL, *problem = NULL;
	struct ncg_policy_trouble trouble = { 0 };
	const char *path = load->options->pci_ids;
	int r;

	if (load->ids_read)
		return load->ids_error;
	if (!path)
		path = own = ncg_pci_names_path();
	if (!path)
		return -ENOMEM;
	r = read_ids(load, path, &trouble);
	problem = trouble.problem;
	if (problem && asprintf(&load->ids_trouble.problem, "%s %s", path, problem) < 0) {
		load->ids_trouble.problem = NULL;
		return -ENOMEM;
	}
	load->ids_trouble.expected = trouble.expected;
	load->ids_read = true;
	load->ids_error = r;
	return r;
}

static int on_ids(void *context, const __u16 *vendor, const char *name,
		  struct ncg_policy_ids *ret_ids, struct ncg_policy_trouble *ret_trouble)
{
	struct load *load = context;
	int r = need_ids(load);

	if (r && load->ids_trouble.problem) {
		ret_trouble->expected = load->ids_trouble.expected;
		ret_trouble->problem = strdup(load->ids_trouble.problem);
		return ret_trouble->problem ? r : -ENOMEM;
	}
	if (r)
		return r;
	ncg_policy_names_ids(load->ids, vendor, name, ret_ids);
	return 0;
}

static int on_nearest(void *context, const __u16 *vendor, const char *name, char **ret_nearest)
{
	struct load *load = context;

	return ncg_policy_names_nearest(load->ids, vendor, name, ret_nearest);
}

static int on_known(void *context, const char *name, __u16 *ret_vendor, __u16 *ret_device)
{
	const struct load *load = context;
	const struct ncg_policy_known_name *known =
		ncg_policy_known_find(load->options->known, name);

	if (!known)
		return -ENOENT;
	*ret_vendor = known->vendor;
	*ret_device = known->device;
	return 0;
}

/* What the names stand for is a part of what the policy says. */
static int digest_names(struct load *load, const struct ncg_policy *policy)
{
	for (size_t i = 0; i < policy->named_count; i++) {
		ncg_autofree char *line =
			ncg_policy_named_line(&policy->rules[policy->named[i]]);

		if (!line)
			return -ENOMEM;
		digest(load, line, strlen(line));
	}
	return 0;
}

/* ------------------------------------------------------------------------ load */

int ncg_policy_file_load_with(const char *path, const struct ncg_policy_file_options *options,
			      struct ncg_policy **ret_policy,
			      struct ncg_policy_errors **ret_errors)
{
	static const struct ncg_policy_file_options none;
	ncg_cleanup(load_done) struct load load = { .options = options ? options : &none };
	const struct ncg_policy_sources sources = { &load,  on_list,	on_read,
						    on_ids, on_nearest, on_known };
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	int r;

	*ret_policy = NULL;
	if (gnutls_hash_init(&load.hash, GNUTLS_DIG_SHA256) < 0)
		load.hash = NULL;
	r = ncg_policy_parse_file(path, &sources, &policy, ret_errors);
	if (!r)
		r = digest_names(&load, policy);
	if (r < 0)
		return r;
	if (!load.hash)
		return -EIO;
	gnutls_hash_output(load.hash, policy->sha256);
	policy->warnings = ncg_take_ptr(load.warnings);
	policy->warning_count = load.warning_count;
	load.warning_count = 0;
	*ret_policy = ncg_take_ptr(policy);
	return 0;
}

int ncg_policy_file_load(const char *path, struct ncg_policy **ret_policy,
			 struct ncg_policy_errors **ret_errors)
{
	return ncg_policy_file_load_with(path, NULL, ret_policy, ret_errors);
}
