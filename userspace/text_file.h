/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small text file read whole. No state.
 */
#ifndef NCGATE_TEXT_FILE_H
#define NCGATE_TEXT_FILE_H

#include <stddef.h>

/*
 * Reads at most limit bytes of path into *ret_text, a NUL behind them, for the
 * caller to free; *ret_size is without it. Not by the file's size: sysfs and pipes
 * have none. Returns 0; -EFBIG when there is more; or another -errno. Not logged.
 */
int ncg_text_file_read(const char *path, size_t limit, char **ret_text, size_t *ret_size);

/* The same from where an open file stands; fd stays the caller's. */
int ncg_text_file_read_fd(int fd, size_t limit, char **ret_text, size_t *ret_size);

#endif
