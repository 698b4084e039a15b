/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file of the audit trail: lines appended whole, made durable on demand, and the
 * file put aside when it is large or old. Owns the open file. A line is in the file
 * whole, or append says that it is not; what a failed write left of one is taken out
 * again. Where that cannot be, as in a file made append-only by chattr(1), it is ended
 * before the next, so that it spoils itself alone. Where a new file cannot be had, the
 * old one is written on.
 *
 * Rotated files stand beside it as PATH.YYYYMMDDTHHMMSS.uuuuuuZ, the moment at which
 * they were put aside; later ones have later names, whatever the clock does. They are
 * renamed once, never onto another file, and never written again. A name whose stamp is
 * not a time that there is (a 13th month) is another's, and left alone. A program that renames the file itself
 * (logrotate) has to have it opened again.
 */
#ifndef NCGATE_AUDIT_FILE_H
#define NCGATE_AUDIT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct ncg_audit_file;

struct ncg_audit_file_limits {
	uint64_t max_size; /* bytes; 0: as large as it gets */
	uint64_t max_age;  /* seconds since its first record; 0: as old as it gets */
	unsigned int keep; /* rotated files that stay; 0: all */
	uint64_t keep_age;   /* seconds that more stay than `keep`; 0: they do not */
	uint64_t keep_size;  /* bytes of them all beyond which none stays for it; 0: no bound */
	uint64_t remove_age; /* seconds after which they go, however few; 0: never */
};

/*
 * Opens (makes, mode 0640) the file for appending; one that cannot be opened is tried
 * again with each line. Returns 0 or -ENOMEM; *ret_file is the caller's.
 */
int ncg_audit_file_open(const char *path, const struct ncg_audit_file_limits *limits,
			struct ncg_audit_file **ret_file);

/* Makes durable what is not yet. Takes NULL. */
void ncg_audit_file_close(struct ncg_audit_file *file);

/* Appends one line; `line` ends in a newline. Returns 0 or -errno, not logged. */
int ncg_audit_file_append(struct ncg_audit_file *file, const char *line, size_t size);

/*
 * Returns 0 when all lines so far are on disk, by fdatasync(2); or -errno, not logged.
 * What is no file on a disk (a pipe) has nothing to be made durable.
 */
int ncg_audit_file_sync(struct ncg_audit_file *file);

/*
 * Opens the path again, after somebody renamed the file. Returns 0 or -errno, not
 * logged; the open file then stays.
 */
int ncg_audit_file_reopen(struct ncg_audit_file *file);

/* Whether the file is to be put aside before `more` bytes are appended. */
bool ncg_audit_file_due(const struct ncg_audit_file *file, size_t more, time_t now);

/*
 * Where the next line goes: which file, by its inode, and at which byte. Both 0 for
 * what is no file on a disk.
 */
void ncg_audit_file_place(const struct ncg_audit_file *file, uint64_t *ret_inode,
			  uint64_t *ret_offset);

#define NCG_AUDIT_FILE_STAMP_LEN 24 /* "20260131T235959.000001Z", NUL included */

/*
 * Puts the file aside and begins another. Returns 0 and where it went, a name within
 * its folder that is the caller's to free (NULL when somebody else had renamed it);
 * or -errno, not logged, with the file as it was.
 */
int ncg_audit_file_rotate(struct ncg_audit_file *file, char **ret_previous);

/*
 * Removes rotated files that the limits do not keep, the oldest first, and calls gone()
 * with the name of each. A file's age is that of its last record, by its time of
 * modification at `now`. Returns 0 or -errno, not logged.
 */
int ncg_audit_file_prune(struct ncg_audit_file *file, time_t now,
			 void (*gone)(void *arg, const char *name), void *arg);

/* A path as folder and name within it, both for the caller to free. 0 or -ENOMEM. */
int ncg_audit_file_split(const char *path, char **ret_folder, char **ret_base);

/*
 * Names of the rotated files of base in folder, the oldest first. The caller frees
 * them and the list with ncg_audit_file_free_names(). Returns 0 or -errno, not logged.
 */
int ncg_audit_file_list(const char *folder, const char *base, char ***ret_names,
			size_t *ret_count);
void ncg_audit_file_free_names(char **names, size_t count);

/* Whether a name ends as those of rotated files do: its stamp, else NULL. */
const char *ncg_audit_file_stamp(const char *name, const char *base);

#endif
