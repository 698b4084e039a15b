// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements guest.h. Holds no state.
 */
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "guest.h"

/*
 * More of a command line than this is not looked at: a bound on what another
 * process can make this one allocate. A QEMU with hundreds of devices needs a
 * tenth of it.
 */
#define FILE_MAX (1 << 20)

#define UUID_LENGTH 36

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

/*
 * Field 22, starttime. The second field is the command in parentheses, which may
 * hold spaces and parentheses itself; nothing after it does, so the fields are
 * counted from the last ')'.
 */
static int read_start_ticks(int dir, uint64_t *ret_ticks)
{
	ncg_autofree char *text = NULL;
	unsigned int field;
	size_t size;
	char *at, *end;
	int err;

	err = read_vital_file(dir, "stat", &text, &size);
	if (err)
		return err;
	at = memrchr(text, ')', size);
	if (!at)
		return -EBADMSG;
	at++;
	for (field = 3; field <= 22; field++) {
		if (*at++ != ' ')
			return -EBADMSG;
		if (field < 22)
			at += strcspn(at, " \n");
	}
	if (!isdigit((unsigned char)*at))
		return -EBADMSG;
	errno = 0;
	*ret_ticks = strtoull(at, &end, 10);
	if (errno || (*end && *end != ' ' && *end != '\n'))
		return -EBADMSG;
	return 0;
}

static int read_uid(int dir, uint32_t *ret_uid)
{
	ncg_autofree char *text = NULL;
	size_t size;
	char *at;
	int err;

	err = read_vital_file(dir, "status", &text, &size);
	if (err)
		return err;
	/* Not the first line, whose text the process chooses (and cannot break). */
	at = strstr(text, "\nUid:");
	if (!at || sscanf(at, "\nUid: %" SCNu32, ret_uid) != 1)
		return -EBADMSG;
	return 0;
}

static int read_vmm(int dir, char **ret_vmm)
{
	static const char deleted[] = " (deleted)";
	char target[PATH_MAX];
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
	*ret_vmm = strdup(last ? last + 1 : target);
	return *ret_vmm ? 0 : -ENOMEM;
}

/* The line of the unified hierarchy starts with "0::"; others are version 1. */
static int read_cgroup(int dir, char **ret_cgroup)
{
	ncg_autofree char *text = NULL;
	const char *path = "";
	char *line, *next;
	size_t size;
	int err;

	err = read_optional_file(dir, "cgroup", &text, &size);
	if (err)
		return err;
	for (line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!strncmp(line, "0::", 3)) {
			path = line + 3;
			break;
		}
	}
	*ret_cgroup = strdup(path);
	return *ret_cgroup ? 0 : -ENOMEM;
}

/* Length of a pod's UID at text: a UUID, or 32 digits for what kubelet starts itself. */
static size_t pod_uid_length(const char *text, size_t size)
{
	size_t length = 0;

	while (length < size && (isxdigit((unsigned char)text[length]) || text[length] == '-' ||
				 text[length] == '_'))
		length++;
	return length == 32 || length == UUID_LENGTH ? length : 0;
}

char *ncg_guest_pod(const char *cgroup)
{
	bool kubepods = false;

	for (const char *at = cgroup; *at; at += strspn(at, "/")) {
		size_t size = strcspn(at, "/"), length = 0;
		const char *uid = NULL;

		kubepods |= !strncmp(at, "kubepods", 8);
		if (!strncmp(at, "pod", 3))
			uid = at + 3;
		for (size_t i = 0; i + 4 < size; i++)
			if (!strncmp(at + i, "-pod", 4))
				uid = at + i + 4;
		if (uid)
			length = pod_uid_length(uid, at + size - uid);
		if (kubepods && length) {
			char *pod = strndup(uid, length);

			for (char *c = pod; c && *c; c++)
				if (*c == '_')
					*c = '-';
			return pod;
		}
		at += size;
	}
	return calloc(1, 1);
}

/*
 * The value of -name, QEMU's option syntax (docs of -name, util/qemu-option.c):
 * keys and values with commas between, ",," for a comma in a value, and a first
 * value without a key is the guest's name. `name=` is kept for VMMs that spell
 * it so. Of several, the last counts. NULL: it says nothing of the name.
 */
static int parse_name(const char *value, char **ret_name)
{
	ncg_autofree char *name = NULL;
	const char *at = value;
	bool first = true;

	while (*at) {
		ncg_autofree char *part = malloc(strlen(at) + 1);
		const char *guest = NULL;
		size_t used = 0;

		if (!part)
			return -ENOMEM;
		for (; *at; at++) {
			if (*at == ',' && *++at != ',')
				break;
			part[used++] = *at;
		}
		part[used] = '\0';

		if (!strncmp(part, "guest=", 6))
			guest = part + 6;
		else if (!strncmp(part, "name=", 5))
			guest = part + 5;
		else if (first && !strchr(part, '='))
			guest = part;
		first = false;

		if (guest) {
			free(name);
			name = strdup(guest);
			if (!name)
				return -ENOMEM;
		}
	}
	*ret_name = ncg_take_ptr(name);
	return 0;
}

/* A UUID in its usual form, in lower case; else NULL. */
static int parse_uuid(const char *value, char **ret_uuid)
{
	char *uuid;
	size_t i;

	*ret_uuid = NULL;
	if (strlen(value) != UUID_LENGTH)
		return 0;
	for (i = 0; i < UUID_LENGTH; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? value[i] != '-' : !isxdigit((unsigned char)value[i]))
			return 0;
	}
	uuid = strdup(value);
	if (!uuid)
		return -ENOMEM;
	for (i = 0; i < UUID_LENGTH; i++)
		uuid[i] = tolower((unsigned char)uuid[i]);
	*ret_uuid = uuid;
	return 0;
}

/*
 * The value of an option that is an argument of its own ("-name X", "--name X")
 * or ends the argument ("--name=X"). *next is the argument after, or NULL.
 */
static const char *option_value(const char *argument, const char *option, const char *next)
{
	size_t length = strlen(option);

	if (*argument++ != '-')
		return NULL;
	if (*argument == '-')
		argument++;
	if (strncmp(argument, option, length))
		return NULL;
	if (argument[length] == '=')
		return argument + length + 1;
	return argument[length] ? NULL : next;
}

static int read_command_line(int dir, struct ncg_guest *guest)
{
	ncg_autofree char *text = NULL;
	const char *argument, *next, *end, *value;
	size_t size;
	int err;

	err = read_optional_file(dir, "cmdline", &text, &size);
	if (err)
		return err;
	end = text + size;
	for (argument = text; argument < end; argument = next) {
		char *found = NULL;

		next = argument + strlen(argument) + 1;
		if ((value = option_value(argument, "name", next < end ? next : NULL))) {
			err = parse_name(value, &found);
			if (err)
				return err;
			if (found) {
				free(guest->name);
				guest->name = found;
			}
		} else if ((value = option_value(argument, "uuid", next < end ? next : NULL))) {
			err = parse_uuid(value, &found);
			if (err)
				return err;
			if (found) {
				free(guest->uuid);
				guest->uuid = found;
			}
		} else {
			continue;
		}
		/* The value is no option, whatever it looks like. */
		if (value == next)
			next += strlen(next) + 1;
	}
	if (!guest->name)
		guest->name = calloc(1, 1);
	if (!guest->uuid)
		guest->uuid = calloc(1, 1);
	return guest->name && guest->uuid ? 0 : -ENOMEM;
}

int ncg_guest_read(const char *proc, pid_t pid, struct ncg_guest *ret_guest)
{
	ncg_autoguest struct ncg_guest guest = { .pid = pid };
	ncg_autoclose int dir = -1;
	char path[PATH_MAX];
	uint64_t again;
	int err;

	if (pid <= 0)
		return -ESRCH;
	if (snprintf(path, sizeof(path), "%s/%d", proc ? proc : "/proc", (int)pid) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	/* This handle stays with the process, also when its pid is used again. */
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;

	err = read_start_ticks(dir, &guest.start_ticks);
	if (!err)
		err = read_uid(dir, &guest.uid);
	if (!err)
		err = read_vmm(dir, &guest.vmm);
	if (!err)
		err = read_cgroup(dir, &guest.cgroup);
	if (!err) {
		guest.pod = ncg_guest_pod(guest.cgroup);
		err = guest.pod ? 0 : -ENOMEM;
	}
	if (!err)
		err = read_command_line(dir, &guest);
	/* What was empty above may have been so because the process had gone. */
	if (!err)
		err = read_start_ticks(dir, &again);
	if (err)
		return err;
	if (again != guest.start_ticks)
		return -ESRCH;

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
