/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owners that clean up after themselves: a variable tagged ncg_auto… releases
 * what it holds when it leaves its scope, so every return path is right, and a
 * function hands ownership on only by an explicit ncg_take_…(). A reader can
 * judge one function without reading what it calls.
 *
 * Holds no state. Releasing NULL, or a negative file descriptor, does nothing;
 * errno is kept, so an error path may still report it.
 */
#ifndef NCGATE_CLEANUP_H
#define NCGATE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ncg_cleanup(function) __attribute__((cleanup(function)))

static inline void ncg_cleanup_free(void *pointer)
{
	int saved = errno;

	free(*(void **)pointer);
	errno = saved;
}

static inline void ncg_cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void ncg_cleanup_fclose(FILE **file)
{
	int saved = errno;

	if (*file)
		fclose(*file);
	errno = saved;
}

static inline void ncg_cleanup_closedir(DIR **dir)
{
	int saved = errno;

	if (*dir)
		closedir(*dir);
	errno = saved;
}

#define ncg_autofree ncg_cleanup(ncg_cleanup_free)
#define ncg_autoclose ncg_cleanup(ncg_cleanup_close)
#define ncg_autofclose ncg_cleanup(ncg_cleanup_fclose)
#define ncg_autoclosedir ncg_cleanup(ncg_cleanup_closedir)

/*
 * Defines NAME##_cleanup for ncg_cleanup() from a function that frees one owner
 * and takes NULL: NCG_DEFINE_CLEANUP(struct ncg_x *, ncg_x_free).
 */
#define NCG_DEFINE_CLEANUP(type, function)                        \
	static inline void function##_cleanup(type *owner)        \
	{                                                         \
		int saved_errno = errno;                          \
								  \
		function(*owner);                                 \
		errno = saved_errno;                              \
	}

/* Hands a pointer on: its value, and the owner is NULL from here. */
#define ncg_take_ptr(pointer)                                \
	({                                                   \
		__typeof__(pointer) *ncg_taken_at = &(pointer); \
		__typeof__(pointer) ncg_taken = *ncg_taken_at;  \
		*ncg_taken_at = NULL;                        \
		ncg_taken;                                   \
	})

/* Hands a file descriptor on: its number, and the owner is -1 from here. */
static inline int ncg_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
