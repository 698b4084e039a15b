// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a policy file whole, then parses and digests that one copy, so that the
 * SHA-256 in the audit trail is of exactly the text that was parsed, whatever
 * happens to the file meanwhile. Owns no state; fails closed.
 */
#include "policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

static void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_free_ __attribute__((cleanup(cleanup_free)))
#define _cleanup_close_ __attribute__((cleanup(cleanup_close)))
#define _cleanup_policy_ __attribute__((cleanup(ncg_policy_freep)))

/*
 * Reads all of path, or the first limit bytes. Not by its size: pipes and files
 * that change have none. 0 or -errno; the caller frees *ret_text.
 */
static int read_whole(const char *path, size_t limit, char **ret_text, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	size_t size = 0, room = 0;

	if (fd < 0)
		return -errno;
	while (size < limit) {
		ssize_t n;

		if (size == room) {
			size_t more = room ? 2 * room : 16384;
			char *bigger;

			if (more > limit)
				more = limit;
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
	*ret_text = text;
	*ret_size = size;
	text = NULL;
	return 0;
}

int ncg_policy_file_load(const char *path, struct ncg_policy **ret_policy,
			 struct ncg_policy_errors **ret_errors)
{
	_cleanup_policy_ struct ncg_policy *policy = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	*ret_policy = NULL;
	if (ret_errors)
		*ret_errors = NULL;

	/* One byte more than allowed, for the parser to see that it is too long. */
	r = read_whole(path, (size_t)NCG_POLICY_SIZE_MAX + 1, &text, &size);
	if (r < 0)
		return r;
	r = ncg_policy_parse_text(path, text, size, &policy, ret_errors);
	if (r < 0)
		return r;
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text ? text : "", size, policy->sha256) < 0)
		return -EIO;

	*ret_policy = policy;
	policy = NULL;
	return 0;
}
