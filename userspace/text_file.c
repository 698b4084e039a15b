// SPDX-License-Identifier: GPL-2.0-only
#include "text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"

int ncg_text_file_read(const char *path, size_t limit, char **ret_text, size_t *ret_size)
{
	ncg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : ncg_text_file_read_fd(fd, limit, ret_text, ret_size);
}

int ncg_text_file_read_fd(int fd, size_t limit, char **ret_text, size_t *ret_size)
{
	ncg_autofree char *text = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t n;

		/* One byte for the NUL, or to see that there is more. */
		if (size + 1 >= room) {
			char *bigger;

			room = room ? 2 * room : 4096;
			bigger = realloc(text, room);
			if (!bigger)
				return -ENOMEM;
			text = bigger;
		}
		n = read(fd, text + size, room - 1 - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		size += n;
		if (size > limit)
			return -EFBIG;
	}
	text[size] = '\0';
	*ret_text = ncg_take_ptr(text);
	*ret_size = size;
	return 0;
}
