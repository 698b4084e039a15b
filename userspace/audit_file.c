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

const char *ncg_audit_file_stamp(const char *name, const char *base)
{
	static const char form[] = "00000000T000000.000000Z";
	size_t length = strlen(base);
	const char *stamp = name + length + 1;

	_Static_assert(sizeof(form) == NCG_AUDIT_FILE_STAMP_LEN, "the form is a stamp");
	if (strncmp(name, base, length) || name[length] != '.' || strlen(stamp) != strlen(form))
		return NULL;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '0' ? !isdigit((unsigned char)stamp[i]) : stamp[i] != form[i])
			return NULL;
	return stamp;
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

static void format_stamp(struct timespec t, char ret_stamp[NCG_AUDIT_FILE_STAMP_LEN])
{
	struct tm tm;
	size_t n;

	gmtime_r(&t.tv_sec, &tm);
	n = strftime(ret_stamp, NCG_AUDIT_FILE_STAMP_LEN, "%Y%m%dT%H%M%S", &tm);
	snprintf(ret_stamp + n, NCG_AUDIT_FILE_STAMP_LEN - n, ".%06uZ",
		 (unsigned int)(t.tv_nsec / 1000) % 1000000);
}

/* The stamp that follows another by a microsecond. */
static void format_next(const char *stamp, char ret_stamp[NCG_AUDIT_FILE_STAMP_LEN])
{
	struct timespec t = {};
	struct tm tm = {};
	const char *rest = strptime(stamp, "%Y%m%dT%H%M%S", &tm);

	t.tv_sec = timegm(&tm);
	t.tv_nsec = (rest ? strtol(rest + 1, NULL, 10) + 1 : 0) * 1000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec = 0;
	}
	format_stamp(t, ret_stamp);
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

		if (strcmp(last, ret_stamp) >= 0)
			format_next(last, ret_stamp);
	}
	ncg_audit_file_free_names(names, count);
	return 0;
}

int ncg_audit_file_rotate(struct ncg_audit_file *file, char **ret_previous)
{
	ncg_autofree char *target = NULL, *previous = NULL;
	char stamp[NCG_AUDIT_FILE_STAMP_LEN];
	struct stat open_file, at_path;
	int r = ncg_audit_file_sync(file);

	if (r)
		return r;
	if (fstat(file->fd, &open_file))
		return -errno;
	/* What is at the path by now may be another's new file: not ours to rename. */
	if (!stat(file->path, &at_path) && at_path.st_dev == open_file.st_dev &&
	    at_path.st_ino == open_file.st_ino) {
		r = choose_stamp(file, stamp);
		if (r)
			return r;
		if (asprintf(&previous, "%s.%s", file->base, stamp) < 0) {
			previous = NULL;
			return -ENOMEM;
		}
		if (asprintf(&target, "%s.%s", file->path, stamp) < 0) {
			target = NULL;
			return -ENOMEM;
		}
		if (rename(file->path, target))
			return -errno;
	}
	/* Where this fails, the renamed file is written on, and the next try ends here. */
	r = open_path(file);
	if (r)
		return r;
	*ret_previous = ncg_take_ptr(previous);
	return 0;
}

int ncg_audit_file_prune(struct ncg_audit_file *file, void (*gone)(void *arg, const char *name),
			 void *arg)
{
	size_t count, keep = file->limits.keep;
	char **names;
	int r;

	if (!keep)
		return 0;
	r = ncg_audit_file_list(file->folder, file->base, &names, &count);
	if (r)
		return r;
	for (size_t i = 0; i + keep < count; i++) {
		ncg_autofree char *path = NULL;

		if (asprintf(&path, "%s/%s", file->folder, names[i]) < 0)
			path = NULL;
		if (!path || unlink(path))
			r = path ? -errno : -ENOMEM;
		else
			gone(arg, names[i]);
	}
	ncg_audit_file_free_names(names, count);
	return r;
}
