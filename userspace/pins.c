// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements pins.h. Below NCG_PINS_DIR stand
 *	maps/NAME	shared by all programs, pinned by libbpf
 *	links/NAME	one for each attached program
 *	layout		one map that says which layout the rest has, and which build made it
 * The lock is flock(2) on the folder itself, which none but root can open.
 */
#include "pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/magic.h>

#include "cleanup.h"
#include "log.h"

#define LAYOUT_PIN NCG_PINS_DIR "/layout"
#define ASIDE_MAX 100 /* folders of others that are moved aside, at most */

/* What `layout` holds. Its own form must never change. */
struct layout {
	__u32 layout;
	__u32 zero;
	__u8 build[NCG_SHA256_LEN]; /* of the programs' code; all 0: no build's yet */
};

struct ncg_pins {
	int folder; /* open, and locked as long as it is */
	struct layout ours;
	bool of_this_build;
};

/* ------------------------------------------------------------------- the folder */

static int check_bpffs(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs))
		return ncg_log_error(-errno, "/sys/fs/bpf cannot be looked at");
	if (fs.f_type != BPF_FS_MAGIC)
		return ncg_log_error(-ENODEV, "no BPF file system is mounted at /sys/fs/bpf "
					      "(mount -t bpf bpf /sys/fs/bpf)");
	return 0;
}

static int open_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * The folder is somebody else's: anybody may make one in a bpffs that all can write to,
 * before the first daemon does. It holds nothing of ours, so it only has to be out of
 * the way. (The kernel keeps names with a dot for itself there.)
 */
static int move_aside(const char *path, uid_t owner)
{
	char aside[NCG_PINS_PATH_LEN];

	for (int i = 1; i <= ASIDE_MAX; i++) {
		snprintf(aside, sizeof(aside), "%s-not-ours-%d", path, i);
		if (!renameat2(AT_FDCWD, path, AT_FDCWD, aside, RENAME_NOREPLACE)) {
			ncg_warning("%s belongs to uid %u and not to root; it was moved to %s", path,
				    owner, aside);
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return ncg_log_error(-errno, "%s belongs to uid %u and not to root, and cannot be moved "
				     "aside", path, owner);
}

/*
 * Opens a folder of the pins, made when it is missing and `make` says so. Never one that
 * others could have put something into. Returns the descriptor or -errno; what is
 * missing is not logged.
 */
static int open_own(const char *path, bool make)
{
	struct stat st;

	for (int tries = 0; tries < ASIDE_MAX; tries++) {
		ncg_autoclose int fd = -1;
		int r;

		if (make && mkdir(path, 0700) && errno != EEXIST)
			return ncg_log_error(-errno, "%s cannot be made", path);
		fd = open_folder(path);
		if (fd == -ENOENT && !make)
			return fd;
		if (fd == -ENOENT)
			continue;
		/* A link or a file where the folder should be is looked at like a folder. */
		if (fd < 0 ? lstat(path, &st) : fstat(fd, &st))
			return ncg_log_error(fd < 0 ? fd : -errno, "%s cannot be looked at", path);
		if (st.st_uid != geteuid()) {
			r = move_aside(path, st.st_uid);
			if (r)
				return r;
			continue;
		}
		if (fd < 0)
			return ncg_log_error(fd, "%s cannot be opened", path);
		if (st.st_mode & 022)
			return ncg_log_error(-EPERM,
					     "%s has mode %04o: others than root can change what is "
					     "pinned there; remove it with `ncgated --remove-state`",
					     path, st.st_mode & 07777);
		return ncg_take_fd(&fd);
	}
	return ncg_log_error(-EAGAIN, "%s comes and goes", path);
}

/* Whether the path still leads to the open folder. */
static bool is_at(int fd, const char *path)
{
	struct stat opened, there;

	return !fstat(fd, &opened) && !lstat(path, &there) && opened.st_dev == there.st_dev &&
	       opened.st_ino == there.st_ino;
}

/* Opens the folder and locks it. Returns the descriptor or -errno; -ENOENT not logged. */
static int take_folder(bool make)
{
	/* Who removes the state has the lock of a folder that is gone by the end. */
	for (;;) {
		ncg_autoclose int fd = open_own(NCG_PINS_DIR, make);

		if (fd < 0)
			return fd;
		if (flock(fd, LOCK_EX | LOCK_NB))
			return errno == EWOULDBLOCK ?
				       ncg_log_error(-EBUSY, "another ncgated uses %s: one at a "
							     "time; stop it first", NCG_PINS_DIR) :
				       ncg_log_error(-errno, "%s cannot be locked", NCG_PINS_DIR);
		if (is_at(fd, NCG_PINS_DIR))
			return ncg_take_fd(&fd);
	}
}

/* ----------------------------------------------------------------------- layout */

static int write_layout(const struct layout *layout)
{
	__u32 zero = 0;
	ncg_autoclose int fd = bpf_obj_get(LAYOUT_PIN);

	if (fd < 0) {
		fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ncg_layout", sizeof(zero),
				    sizeof(*layout), 1, NULL);
		if (fd < 0)
			return -errno;
		if (bpf_obj_pin(fd, LAYOUT_PIN))
			return -errno;
	}
	return bpf_map_update_elem(fd, &zero, layout, BPF_ANY) ? -errno : 0;
}

/* Reads what the pins are of. Returns 0, or -EPROTO, logged, when it is not ours to use. */
static int check_layout(struct ncg_pins *pins)
{
	struct layout theirs = {};
	struct bpf_map_info info = {};
	__u32 zero = 0, info_len = sizeof(info);
	ncg_autoclose int fd = bpf_obj_get(LAYOUT_PIN);

	if (fd >= 0) {
		if (bpf_obj_get_info_by_fd(fd, &info, &info_len) ||
		    info.value_size != sizeof(theirs) ||
		    bpf_map_lookup_elem(fd, &zero, &theirs) || theirs.layout != NCG_LAYOUT)
			return ncg_log_error(-EPROTO,
					     "%s holds state of layout %u, this ncgated knows "
					     "layout %u; run the version that made it, or end its "
					     "decisions with `ncgated --remove-state`",
					     NCG_PINS_DIR, theirs.layout, NCG_LAYOUT);
		pins->of_this_build = !memcmp(theirs.build, pins->ours.build,
					      sizeof(theirs.build));
		return 0;
	}
	if (errno != ENOENT)
		return ncg_log_error(-errno, "%s cannot be opened", LAYOUT_PIN);
	/* The layout is written first: without it nobody knows what the rest is. */
	if (!access(NCG_PINS_MAPS_DIR, F_OK))
		return ncg_log_error(-EPROTO, "%s holds state without a layout; remove it with "
					      "`ncgated --remove-state`", NCG_PINS_DIR);
	return 0;
}

/* ------------------------------------------------------------------ open, close */

int ncg_pins_open(const __u8 build[NCG_SHA256_LEN], struct ncg_pins **ret_pins)
{
	struct ncg_pins *pins;
	struct layout nobody = { .layout = NCG_LAYOUT };
	int r = check_bpffs();

	if (r)
		return r;
	pins = calloc(1, sizeof(*pins));
	if (!pins)
		return ncg_log_error(-ENOMEM, "no memory");
	pins->ours.layout = NCG_LAYOUT;
	memcpy(pins->ours.build, build, sizeof(pins->ours.build));
	pins->folder = take_folder(true);
	r = pins->folder < 0 ? pins->folder : check_layout(pins);
	/*
	 * From here on something of this build may be among the rest, and something of the
	 * other may stay. Ended in between, nothing is to be believed.
	 */
	if (!r && !pins->of_this_build) {
		r = write_layout(&nobody);
		if (r)
			ncg_log_error(r, "BPF cannot be used: %s",
				      r == -EPERM ? "CAP_BPF and CAP_PERFMON are needed" :
						    "the layout cannot be pinned");
	}
	for (size_t i = 0; !r && i < 2; i++) {
		int fd = open_own(i ? NCG_PINS_LINKS_DIR : NCG_PINS_MAPS_DIR, true);

		if (fd < 0)
			r = fd;
		else
			close(fd);
	}
	if (r) {
		ncg_pins_close(pins);
		return r;
	}
	*ret_pins = pins;
	return 0;
}

void ncg_pins_close(struct ncg_pins *pins)
{
	if (!pins)
		return;
	ncg_cleanup_close(&pins->folder);
	free(pins);
}

bool ncg_pins_of_this_build(const struct ncg_pins *pins)
{
	return pins->of_this_build;
}

int ncg_pins_note_build(struct ncg_pins *pins)
{
	int r = write_layout(&pins->ours);

	if (r)
		return ncg_log_error(r, "which build is attached cannot be noted in %s", LAYOUT_PIN);
	pins->of_this_build = true;
	return 0;
}

/* ------------------------------------------------------------------------ links */

void ncg_pins_link(const char *program, char ret_path[NCG_PINS_PATH_LEN])
{
	snprintf(ret_path, NCG_PINS_PATH_LEN, "%s/%s", NCG_PINS_LINKS_DIR, program);
}

__u32 ncg_pins_program(const char *path)
{
	ncg_autoclose int fd = bpf_obj_get(path);
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	return fd < 0 || bpf_link_get_info_by_fd(fd, &info, &size) ? 0 : info.prog_id;
}

int ncg_pins_wait_until_gone(const __u32 *ids, size_t count)
{
	for (int tries = 0; tries < 1000; tries++) {
		size_t left = 0;

		for (size_t i = 0; i < count; i++) {
			ncg_autoclose int fd = ids[i] ? bpf_prog_get_fd_by_id(ids[i]) : -1;

			left += fd >= 0;
		}
		if (!left)
			return 0;
		usleep(10000);
	}
	return -ETIMEDOUT;
}

/*
 * Unlinks what is in a folder and has none of the names. Returns how many, 0 when there
 * is no folder, or -errno.
 */
static int remove_files_but(const char *dir, const char *const *names, size_t count)
{
	ncg_autoclosedir DIR *d = opendir(dir);
	struct dirent *entry;
	int removed = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(d))) {
		size_t i = 0;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		while (i < count && strcmp(entry->d_name, names[i]))
			i++;
		if (i < count)
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0))
			return -errno;
		removed++;
	}
	return removed;
}

int ncg_pins_sweep_links(const char *const *names, size_t count)
{
	int r = remove_files_but(NCG_PINS_LINKS_DIR, names, count);

	return r < 0 ? ncg_log_error(r, "old links in %s cannot be removed", NCG_PINS_LINKS_DIR) : r;
}

/* ----------------------------------------------------------------------- remove */

/* The ids of all programs that are attached by pins, for the caller to free. */
static int list_programs(__u32 **ret_ids, size_t *ret_count)
{
	ncg_autoclosedir DIR *d = opendir(NCG_PINS_LINKS_DIR);
	ncg_autofree __u32 *ids = NULL;
	struct dirent *entry;
	size_t count = 0;

	while (d && (entry = readdir(d))) {
		char path[NCG_PINS_PATH_LEN];
		__u32 *grown = reallocarray(ids, count + 1, sizeof(*ids));

		if (!grown)
			return -ENOMEM;
		ids = grown;
		ncg_pins_link(entry->d_name, path);
		ids[count++] = ncg_pins_program(path);
	}
	*ret_ids = ncg_take_ptr(ids);
	*ret_count = count;
	return 0;
}

static int remove_folder(const char *dir)
{
	int r = remove_files_but(dir, NULL, 0);

	if (r < 0)
		return r;
	return rmdir(dir) && errno != ENOENT ? -errno : 0;
}

int ncg_pins_remove(void)
{
	ncg_autofree __u32 *ids = NULL;
	ncg_autoclose int folder = -1;
	struct stat st;
	size_t count;
	int r = check_bpffs();

	if (r)
		return r;
	/* Root's own with a mode that the daemon refuses is taken out like any other. */
	if (!lstat(NCG_PINS_DIR, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		chmod(NCG_PINS_DIR, 0700);
	folder = take_folder(false);
	if (folder < 0)
		return folder == -ENOENT ? 0 : folder;
	r = list_programs(&ids, &count);
	/* Links first: nothing may decide by maps that are going. */
	if (!r)
		r = remove_folder(NCG_PINS_LINKS_DIR);
	if (!r)
		r = ncg_pins_wait_until_gone(ids, count);
	if (!r)
		r = remove_folder(NCG_PINS_MAPS_DIR);
	if (!r)
		r = remove_folder(NCG_PINS_DIR);
	return r ? ncg_log_error(r, "%s cannot be removed", NCG_PINS_DIR) : 0;
}
