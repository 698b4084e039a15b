// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements audit_file.h. One process writes; who renames or reads the files
 * meanwhile is anybody's choice.
 */
#include "audit_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

/* Names that are tried for a file that is put aside, when others have them. */
#define MOVE_TRIES 100

struct ncg_audit_file {
	char *path;
	char *folder;
	char *base; /* the last part of path */
	struct ncg_audit_file_limits limits;
	int fd; /* -1: it could not be opened yet */
	bool regular;
	uint64_t inode;
	bool torn;   /* the last line has no end: the next begins with one */
	bool dirty;  /* something is not on disk yet */
	uint64_t size;
	time_t began; /* time of the first record; 0 while there is none */
};

/* ---------------------------------------------------------------------- opening */

/* The time of the file's first record, which begins every line; 0 for none. */
static time_t first_time(int fd)
{
	static const char head[] = "{\"time\":\"";
	struct tm tm = {};
	char text[64] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0 || strncmp(text, head, strlen(head)) ||
	    !strptime(text + strlen(head), "%Y-%m-%dT%H:%M:%S", &tm))
		return 0;
	return timegm(&tm);
}

/* A new name in a folder is durable once the folder is. */
static int sync_folder(const struct ncg_audit_file *file)
{
	ncg_autoclose int dir = open(file->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || fsync(dir))
		return errno == EINVAL ? 0 : -errno;
	return 0;
}

/* Opens the path in place of what is open, which stays when that fails. */
static int open_path(struct ncg_audit_file *file)
{
	ncg_autoclose int fd = open(file->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	struct stat st;
	char last;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode) && !st.st_size) {
		r = sync_folder(file);
		if (r)
			return r;
	}
	ncg_cleanup_close(&file->fd);
	file->regular = S_ISREG(st.st_mode);
	file->inode = st.st_ino;
	file->size = file->regular ? st.st_size : 0;
	/* Not a file that can be read back (a pipe, a device): no line is cut. */
	file->torn = file->size && pread(fd, &last, 1, file->size - 1) == 1 && last != '\n';
	file->began = file->size ? first_time(fd) : 0;
	file->dirty = false;
	file->fd = ncg_take_fd(&fd);
	return 0;
}

int ncg_audit_file_split(const char *path, char **ret_folder, char **ret_base)
{
	const char *slash = strrchr(path, '/');
	char *folder, *base = strdup(slash ? slash + 1 : path);

	if (!slash)
		folder = strdup(".");
	else
		folder = strndup(path, slash == path ? 1 : slash - path);
	if (!folder || !base) {
		free(folder);
		free(base);
		return -ENOMEM;
	}
	*ret_folder = folder;
	*ret_base = base;
	return 0;
}

int ncg_audit_file_open(const char *path, const struct ncg_audit_file_limits *limits,
			struct ncg_audit_file **ret_file)
{
	struct ncg_audit_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return -ENOMEM;
	file->fd = -1;
	file->limits = *limits;
	file->path = strdup(path);
	r = ncg_audit_file_split(path, &file->folder, &file->base);
	if (!file->path)
		r = -ENOMEM;
	if (r) {
		ncg_audit_file_close(file);
		return r;
	}
	/* What cannot be opened now is tried again with each line. */
	open_path(file);
	*ret_file = file;
	return 0;
}

void ncg_audit_file_close(struct ncg_audit_file *file)
{
	if (!file)
		return;
	ncg_audit_file_sync(file);
	ncg_cleanup_close(&file->fd);
	free(file->path);
	free(file->folder);
	free(file->base);
	free(file);
}

/* ---------------------------------------------------------------------- writing */

/*
 * Takes the beginning of a line out again whose rest found no room, so that all others
 * stay whole lines. Where that is not to be (a pipe, chattr +a), the next line ends it.
 */
static void take_back(struct ncg_audit_file *file, size_t done)
{
	struct stat st;

	if (!done)
		return;
	/* The size as it is: others may have emptied the file. */
	if (!file->regular || fstat(file->fd, &st) || st.st_size < (off_t)done ||
	    ftruncate(file->fd, st.st_size - done)) {
		file->torn = true;
		return;
	}
	file->size -= done;
}

int ncg_audit_file_append(struct ncg_audit_file *file, const char *line, size_t size)
{
	int r = file->fd < 0 ? open_path(file) : 0;

	if (r)
		return r;
	if (file->torn) {
		if (write(file->fd, "\n", 1) != 1)
			return -errno;
		file->torn = false;
		file->size++;
	}
	/* Short writes go on where they stopped. */
	for (size_t done = 0; done < size;) {
		ssize_t n = write(file->fd, line + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int error = errno;

			take_back(file, done);
			return -error;
		}
		done += n;
		file->size += n;
		file->dirty = true;
	}
	if (!file->began)
		file->began = time(NULL);
	return 0;
}

int ncg_audit_file_sync(struct ncg_audit_file *file)
{
	if (!file->dirty)
		return 0;
	/* Said once: after an error the kernel has forgotten which pages it was about. */
	file->dirty = false;
	if (fdatasync(file->fd) && errno != EINVAL && errno != EROFS)
		return -errno;
	return 0;
}

void ncg_audit_file_place(const struct ncg_audit_file *file, uint64_t *ret_inode,
			  uint64_t *ret_offset)
{
	*ret_inode = file->regular ? file->inode : 0;
	*ret_offset = file->size;
}

/* --------------------------------------------------------------------- rotation */

int ncg_audit_file_reopen(struct ncg_audit_file *file)
{
	int r = ncg_audit_file_sync(file), opened = open_path(file);

	return opened ? opened : r;
}

bool ncg_audit_file_due(const struct ncg_audit_file *file, size_t more, time_t now)
{
	const struct ncg_audit_file_limits *limits = &file->limits;

	if (!file->regular || !file->size)
		return false;
	if (limits->max_size && file->size + more > limits->max_size)
		return true;
	return limits->max_age && file->began && now - file->began >= (time_t)limits->max_age;
}

static void format_stamp(struct timespec t, char ret_stamp[NCG_AUDIT_FILE_STAMP_LEN])
{
	struct tm tm;
	size_t n;

	gmtime_r(&t.tv_sec, &tm);
	n = strftime(ret_stamp, NCG_AUDIT_FILE_STAMP_LEN, "%Y%m%dT%H%M%S", &tm);
	snprintf(ret_stamp + n, NCG_AUDIT_FILE_STAMP_LEN - n, ".%06uZ",
		 (unsigned int)(t.tv_nsec / 1000) % 1000000);
}

/* The time that a stamp names; false where it has another form or there is no such time. */
static bool parse_stamp(const char *stamp, struct timespec *ret_time)
{
	static const char form[] = "00000000T000000.000000Z";
	char again[NCG_AUDIT_FILE_STAMP_LEN] = "";
	struct tm tm = {};
	struct timespec t;

	_Static_assert(sizeof(form) == NCG_AUDIT_FILE_STAMP_LEN, "the form is a stamp");
	if (strlen(stamp) != strlen(form))
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '0' ? !isdigit((unsigned char)stamp[i]) : stamp[i] != form[i])
			return false;
	/* strptime(3) takes a 30th of February: what it read is to be the same written again. */
	if (!strptime(stamp, "%Y%m%dT%H%M%S", &tm))
		return false;
	t = (struct timespec){ timegm(&tm), strtol(strchr(stamp, '.') + 1, NULL, 10) * 1000 };
	format_stamp(t, again);
	if (strcmp(stamp, again))
		return false;
	*ret_time = t;
	return true;
}

const char *ncg_audit_file_stamp(const char *name, const char *base)
{
	size_t length = strlen(base);
	struct timespec t;

	if (strncmp(name, base, length) || name[length] != '.' ||
	    !parse_stamp(name + length + 1, &t))
		return NULL;
	return name + length + 1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void ncg_audit_file_free_names(char **names, size_t count)
{
	while (count)
		free(names[--count]);
	free(names);
}

int ncg_audit_file_list(const char *folder, const char *base, char ***ret_names,
			size_t *ret_count)
{
	ncg_autoclosedir DIR *dir = opendir(folder);
	struct dirent *entry;
	char **names = NULL;
	size_t count = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		char **grown;

		if (!ncg_audit_file_stamp(entry->d_name, base))
			continue;
		grown = reallocarray(names, count + 1, sizeof(*names));
		if (grown) {
			names = grown;
			names[count] = strdup(entry->d_name);
		}
		if (!grown || !names[count]) {
			ncg_audit_file_free_names(names, count);
			return -ENOMEM;
		}
		count++;
	}
	if (count)
		qsort(names, count, sizeof(*names), by_name);
	*ret_names = names;
	*ret_count = count;
	return 0;
}

/* The stamp that follows another by a microsecond. 0, or -EOVERFLOW after the last of all. */
static int next_stamp(char stamp[NCG_AUDIT_FILE_STAMP_LEN])
{
	char next[NCG_AUDIT_FILE_STAMP_LEN] = "";
	struct timespec t;

	if (!parse_stamp(stamp, &t))
		return -EOVERFLOW;
	t.tv_nsec += 1000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec = 0;
	}
	format_stamp(t, next);
	if (!parse_stamp(next, &t))
		return -EOVERFLOW;
	strcpy(stamp, next);
	return 0;
}

/* A stamp of now that is later than those of all rotated files. */
static int choose_stamp(const struct ncg_audit_file *file,
			char ret_stamp[NCG_AUDIT_FILE_STAMP_LEN])
{
	struct timespec now;
	size_t count;
	char **names;
	int r = ncg_audit_file_list(file->folder, file->base, &names, &count);

	if (r)
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	format_stamp(now, ret_stamp);
	if (count) {
		const char *last = ncg_audit_file_stamp(names[count - 1], file->base);

		if (strcmp(last, ret_stamp) >= 0) {
			strcpy(ret_stamp, last);
			r = next_stamp(ret_stamp);
		}
	}
	ncg_audit_file_free_names(names, count);
	return r;
}

/*
 * Renames a file, never onto another: -EEXIST where the name is taken. Where the file
 * system knows no such renaming (NFS), by a second name and then without the first.
 */
static int move_to(const char *from, const char *to)
{
	if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL)
		return -errno;
	return link(from, to) || unlink(from) ? -errno : 0;
}

/* Puts the file at the path aside. Returns 0 and its new name, or -errno. */
static int move_aside(const struct ncg_audit_file *file, char **ret_name)
{
	char stamp[NCG_AUDIT_FILE_STAMP_LEN];
	int r = choose_stamp(file, stamp);

	/* Another program may make files of such names too, but not for ever. */
	for (unsigned int tries = 0; !r; tries++) {
		ncg_autofree char *target = NULL, *name = NULL;

		if (asprintf(&name, "%s.%s", file->base, stamp) < 0)
			name = NULL;
		if (asprintf(&target, "%s.%s", file->path, stamp) < 0)
			target = NULL;
		if (!name || !target)
			return -ENOMEM;
		r = move_to(file->path, target);
		if (!r) {
			*ret_name = ncg_take_ptr(name);
			return 0;
		}
		if (r == -EEXIST && tries < MOVE_TRIES)
			r = next_stamp(stamp);
	}
	return r;
}

int ncg_audit_file_rotate(struct ncg_audit_file *file, char **ret_previous)
{
	ncg_autofree char *previous = NULL;
	struct stat open_file, at_path;
	int r = ncg_audit_file_sync(file);

	if (r)
		return r;
	if (fstat(file->fd, &open_file))
		return -errno;
	/* What is at the path by now may be another's new file: not ours to rename. */
	if (!stat(file->path, &at_path) && at_path.st_dev == open_file.st_dev &&
	    at_path.st_ino == open_file.st_ino)
		r = move_aside(file, &previous);
	/* Where this fails, the renamed file is written on, and the next try ends here. */
	if (!r)
		r = open_path(file);
	if (r)
		return r;
	*ret_previous = ncg_take_ptr(previous);
	return 0;
}

/* A rotated file. */
struct old {
	char *path; /* NULL: it is gone already */
	uint64_t size;
	time_t written;
};

static int read_old(const struct ncg_audit_file *file, const char *name, struct old *ret_old)
{
	struct stat st;

	*ret_old = (struct old){};
	if (asprintf(&ret_old->path, "%s/%s", file->folder, name) < 0) {
		ret_old->path = NULL;
		return -ENOMEM;
	}
	if (lstat(ret_old->path, &st))
		return -errno;
	ret_old->size = st.st_size;
	ret_old->written = st.st_mtime;
	return 0;
}

/* Whether the oldest of `count` files goes, which have `size` bytes together. */
static bool goes(const struct ncg_audit_file_limits *limits, const struct old *old, size_t count,
		 uint64_t size, time_t now)
{
	/* Of a time to come, by a clock that was set: it is young. */
	uint64_t age = now > old->written ? now - old->written : 0;

	if (limits->remove_age && age >= limits->remove_age)
		return true;
	if (limits->keep_size && size > limits->keep_size)
		return true;
	return limits->keep && count > limits->keep &&
	       (!limits->keep_age || age >= limits->keep_age);
}

int ncg_audit_file_prune(struct ncg_audit_file *file, time_t now,
			 void (*gone)(void *arg, const char *name), void *arg)
{
	const struct ncg_audit_file_limits *limits = &file->limits;
	ncg_autofree struct old *olds = NULL;
	uint64_t size = 0;
	size_t count;
	char **names;
	int r;

	if (!limits->keep && !limits->keep_size && !limits->remove_age)
		return 0;
	r = ncg_audit_file_list(file->folder, file->base, &names, &count);
	if (r)
		return r;
	olds = calloc(count + 1, sizeof(*olds));
	for (size_t i = 0; i < count && !r; i++) {
		r = olds ? read_old(file, names[i], &olds[i]) : -ENOMEM;
		size += r ? 0 : olds[i].size;
	}
	for (size_t i = 0; i < count && !r && goes(limits, &olds[i], count - i, size, now); i++) {
		size -= olds[i].size;
		if (unlink(olds[i].path))
			r = -errno;
		else
			gone(arg, names[i]);
	}
	for (size_t i = 0; olds && i < count; i++)
		free(olds[i].path);
	ncg_audit_file_free_names(names, count);
	return r;
}
