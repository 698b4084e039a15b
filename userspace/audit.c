// SPDX-License-Identifier: GPL-2.0-only
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

#define NS 1000000000ULL

struct ncg_audit {
	char *path;
	int fd;
	__u64 records;
	__u64 errors;
	bool failing; /* the last write failed, and that was said */
	bool torn;    /* the last line has no end: the next record begins with one */
};

/*
 * Opens the file; *ret_torn says whether its last line has no end, which a full
 * disk or a lost machine may have left.
 */
static int open_file(const char *path, bool *ret_torn)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	off_t size;
	char last;

	if (fd < 0)
		return -errno;
	size = lseek(fd, 0, SEEK_END);
	/* Not a file that can be read back (a pipe, a device): no line is cut. */
	*ret_torn = size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
	return fd;
}

int ncg_audit_open(const char *path, struct ncg_audit **ret_audit)
{
	struct ncg_audit *audit = calloc(1, sizeof(*audit));
	int fd;

	if (!audit)
		return -ENOMEM;
	audit->path = strdup(path);
	fd = audit->path ? open_file(path, &audit->torn) : -ENOMEM;
	if (fd < 0) {
		free(audit->path);
		free(audit);
		return fd;
	}
	audit->fd = fd;
	*ret_audit = audit;
	return 0;
}

void ncg_audit_close(struct ncg_audit *audit)
{
	if (!audit)
		return;
	close(audit->fd);
	free(audit->path);
	free(audit);
}

int ncg_audit_reopen(struct ncg_audit *audit)
{
	bool torn;
	int fd = open_file(audit->path, &torn);

	if (fd < 0)
		return ncg_log_error(fd, "the audit log %s cannot be opened again", audit->path);
	close(audit->fd);
	audit->fd = fd;
	audit->torn = torn;
	return 0;
}

__u64 ncg_audit_boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

static void format_time(__u64 boot_ns, char *ret_text, size_t size)
{
	struct timespec wall;
	struct tm tm;
	__u64 ns;
	time_t seconds;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &wall);
	ns = wall.tv_sec * NS + wall.tv_nsec - (ncg_audit_boot_ns() - boot_ns);
	seconds = ns / NS;
	gmtime_r(&seconds, &tm);
	n = strftime(ret_text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text + n, size - n, ".%06lluZ", ns % NS / 1000);
}

/* One line, whole, or -errno. Short writes go on where they stopped. */
static int write_line(struct ncg_audit *audit, const char *line, size_t size)
{
	if (audit->torn) {
		if (write(audit->fd, "\n", 1) != 1)
			return -errno;
		audit->torn = false;
	}
	for (size_t done = 0; done < size;) {
		ssize_t n = write(audit->fd, line + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			audit->torn = done > 0;
			return -errno;
		}
		done += n;
	}
	return 0;
}

static int write_record(struct ncg_audit *audit, const char *type, __u64 boot_ns, json_t *fields)
{
	ncg_autofree char *text = NULL, *line = NULL;
	char when[40];
	json_t *record;
	int size, r;

	format_time(boot_ns, when, sizeof(when));
	record = json_pack("{s:s, s:I, s:s}", "time", when, "boot_ns", (json_int_t)boot_ns,
			   "type", type);
	if (!record || json_object_update(record, fields)) {
		json_decref(record);
		return -ENOMEM;
	}
	text = json_dumps(record, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(record);
	if (!text)
		return -ENOMEM;
	size = asprintf(&line, "%s\n", text);
	if (size < 0) {
		line = NULL;
		return -ENOMEM;
	}
	r = write_line(audit, line, size);
	return r;
}

void ncg_audit_write(struct ncg_audit *audit, const char *type, __u64 boot_ns, json_t *fields)
{
	int r = fields ? write_record(audit, type, boot_ns ? boot_ns : ncg_audit_boot_ns(),
				      fields) : -ENOMEM;

	json_decref(fields);
	if (r) {
		audit->errors++;
		if (!audit->failing)
			ncg_log_error(r, "the audit log %s cannot be written; records are lost "
					 "and counted until it can", audit->path);
	} else {
		audit->records++;
	}
	audit->failing = r != 0;
}

__u64 ncg_audit_records(const struct ncg_audit *audit)
{
	return audit->records;
}

__u64 ncg_audit_errors(const struct ncg_audit *audit)
{
	return audit->errors;
}
