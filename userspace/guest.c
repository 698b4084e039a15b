// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the files of /proc that say who a guest is; guest_parse.c understands them.
 * Holds no state. Fails whole: an identity is never returned by halves.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "guest.h"
#include "guest_cache.h"
#include "guest_parse.h"

/*
 * More of a file than this is not looked at: a bound on what another process can make
 * this one read. A QEMU with hundreds of devices needs half of it for its command line.
 */
#define FILE_MAX (256 << 10)

/*
 * Reads a file of the process whole, NUL added, into *ret_text for the caller to
 * free; *ret_size is without that NUL.
 */
static int read_file(int dir, const char *name, char **ret_text, size_t *ret_size)
{
	ncg_autoclose int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ncg_autofree char *text = NULL;
	size_t used = 0, room = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	for (;;) {
		if (room - used < 2) {
			char *grown;

			if (used >= FILE_MAX)
				break;
			room = room ? 2 * room : 4096;
			grown = realloc(text, room);
			if (!grown)
				return -ENOMEM;
			text = grown;
		}
		got = read(fd, text + used, room - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += got;
	}
	text[used] = '\0';
	*ret_text = ncg_take_ptr(text);
	*ret_size = used;
	return 0;
}

/* A file without which there is no process: none means it has gone. */
static int read_vital_file(int dir, const char *name, char **ret_text, size_t *ret_size)
{
	int err = read_file(dir, name, ret_text, ret_size);

	return err == -ENOENT ? -ESRCH : err;
}

/* A file that may be missing or not be readable: the text is then empty. */
static int read_optional_file(int dir, const char *name, char **ret_text, size_t *ret_size)
{
	int err = read_file(dir, name, ret_text, ret_size);

	if (err != -ENOENT && err != -EACCES && err != -EPERM)
		return err;
	*ret_text = calloc(1, 1);
	*ret_size = 0;
	return *ret_text ? 0 : -ENOMEM;
}

static int read_vmm(int dir, char **ret_vmm)
{
	static const char deleted[] = " (deleted)";
	char target[PATH_MAX], name[NCG_TEXT_NAME_LEN];
	ssize_t length;
	char *last;

	length = readlinkat(dir, "exe", target, sizeof(target) - 1);
	if (length < 0 && errno != ENOENT && errno != EACCES && errno != EPERM)
		return -errno;
	target[length < 0 ? 0 : length] = '\0';
	/* The kernel's mark on a program that was replaced while it runs. */
	if (length > (ssize_t)strlen(deleted) &&
	    !strcmp(target + length - strlen(deleted), deleted))
		target[length - strlen(deleted)] = '\0';
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	ncg_text_name(last, strlen(last), name);
	*ret_vmm = strdup(name);
	return *ret_vmm ? 0 : -ENOMEM;
}

static int read_cgroup(int dir, char **ret_cgroup)
{
	ncg_autofree char *text = NULL;
	const char *path;
	size_t size;
	int err;

	err = read_optional_file(dir, "cgroup", &text, &size);
	if (err)
		return err;
	path = ncg_guest_parse_cgroup(text, size, &size);
	*ret_cgroup = strndup(path, size);
	return *ret_cgroup ? 0 : -ENOMEM;
}

static int read_stat(int dir, struct ncg_guest_stat *ret_stat)
{
	ncg_autofree char *text = NULL;
	size_t size;
	int err = read_vital_file(dir, "stat", &text, &size);

	return err ? err : ncg_guest_parse_stat(text, size, ret_stat);
}

static int read_uid(int dir, uint32_t *ret_uid)
{
	ncg_autofree char *text = NULL;
	size_t size;
	int err = read_vital_file(dir, "status", &text, &size);

	return err ? err : ncg_guest_parse_status(text, size, ret_uid);
}

static int read_claims(int dir, struct ncg_guest_claims *ret_claims)
{
	ncg_autofree char *text = NULL;
	size_t size;
	int err = read_optional_file(dir, "cmdline", &text, &size);

	if (!err)
		ncg_guest_parse_command_line(text, size, ret_claims);
	return err;
}

static bool has_ended(const struct ncg_guest_stat *stat)
{
	return stat->state == 'Z' || stat->state == 'X';
}

/*
 * A thread that lives in a process whose first one has ended: as a folder, or -1. What
 * belongs to the process is empty by way of the first thread then.
 */
static int open_living_thread(int process)
{
	int fd = openat(process, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ncg_autoclosedir DIR *threads = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (fd >= 0 && !threads)
		close(fd);
	while (threads && (entry = readdir(threads))) {
		ncg_autoclose int thread = -1;
		struct ncg_guest_stat stat;

		if (*entry->d_name == '.')
			continue;
		thread = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (thread >= 0 && !read_stat(thread, &stat) && !has_ended(&stat))
			return ncg_take_fd(&thread);
	}
	return -1;
}

/* A handle that stays with the process, also when its pid is used again; or -errno. */
static int open_process(const char *proc, pid_t pid)
{
	char path[PATH_MAX];
	int dir;

	if (pid <= 0)
		return -ESRCH;
	if (snprintf(path, sizeof(path), "%s/%d", proc ? proc : "/proc", (int)pid) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir >= 0 ? dir : errno == ENOENT ? -ESRCH : -errno;
}

int ncg_guest_read_start(const char *proc, pid_t pid, uint64_t *ret_ticks)
{
	ncg_autoclose int dir = open_process(proc, pid);
	struct ncg_guest_stat stat;
	int err = dir < 0 ? dir : read_stat(dir, &stat);

	if (!err)
		*ret_ticks = stat.start_ticks;
	return err;
}

int ncg_guest_read(const char *proc, pid_t pid, struct ncg_guest_cache *cache,
		   struct ncg_guest *ret_guest)
{
	ncg_autoguest struct ncg_guest guest = { .pid = pid };
	ncg_autoclose int dir = open_process(proc, pid), thread = -1;
	struct ncg_guest_claims claims = {};
	struct ncg_guest_stat stat, again;
	int alive, err;

	if (dir < 0)
		return dir;
	err = read_stat(dir, &stat);
	if (!err)
		err = read_uid(dir, &guest.uid);
	if (err)
		return err;
	if (has_ended(&stat)) {
		thread = open_living_thread(dir);
		guest.ended = thread < 0;
	}
	alive = thread < 0 ? dir : thread;

	err = read_vmm(alive, &guest.vmm);
	if (!err)
		err = read_cgroup(alive, &guest.cgroup);
	if (!err && !ncg_guest_cache_find(cache, pid, &stat, guest.vmm, &claims)) {
		err = read_claims(alive, &claims);
		if (!err && !guest.ended)
			ncg_guest_cache_note(cache, pid, &stat, guest.vmm, &claims);
	}
	/* What was empty above may have been so because the process had gone. */
	if (!err)
		err = read_stat(dir, &again);
	if (err)
		return err;
	if (again.start_ticks != stat.start_ticks)
		return -ESRCH;

	guest.start_ticks = stat.start_ticks;
	guest.name = strdup(claims.name);
	guest.uuid = strdup(claims.uuid);
	guest.pod = ncg_guest_pod(guest.cgroup);
	if (!guest.name || !guest.uuid || !guest.pod)
		return -ENOMEM;
	ncg_guest_format_id(pid, guest.start_ticks, guest.id);
	*ret_guest = guest;
	guest = (struct ncg_guest){ 0 }; /* the caller's now */
	return 0;
}

void ncg_guest_done(struct ncg_guest *guest)
{
	free(guest->vmm);
	free(guest->name);
	free(guest->uuid);
	free(guest->cgroup);
	free(guest->pod);
	*guest = (struct ncg_guest){ 0 };
}

uint64_t ncg_guest_ticks(uint64_t start_boot_ns)
{
	return start_boot_ns / (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
}

void ncg_guest_format_id(pid_t pid, uint64_t start_ticks, char ret_id[NCG_GUEST_ID_LEN])
{
	snprintf(ret_id, NCG_GUEST_ID_LEN, "%d-%" PRIu64, (int)pid, start_ticks);
}
