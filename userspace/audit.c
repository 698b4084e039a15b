// SPDX-License-Identifier: GPL-2.0-only
#include "audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "audit_journal.h"
#include "audit_kernel.h"
#include "cleanup.h"
#include "json.h"
#include "log.h"

/* Records that are not in the file. Times are CLOCK_BOOTTIME, of the records. */
struct loss {
	__u64 count;
	__u64 since;
	__u64 until;
	__u64 first_seq; /* of the events among them; 0: there is none */
	__u64 last_seq;
};

/* A record that waits until writing works again. */
struct kept {
	struct kept *next;
	__u64 boot_ns;
	json_t *fields;
	char type[32];
};

struct ncg_audit {
	char *path;
	struct ncg_audit_file *file;
	struct ncg_audit_kernel *kernel; /* NULL: it gets nothing */
	bool journal;
	__u64 records;
	__u64 errors;
	__u64 sink_errors[NCG_AUDIT_SINK_NR];
	struct loss loss;    /* since the last write that worked */
	__s64 clock;	     /* offset of audit_clock.h that the trail knows of */
	struct kept *kept;   /* the oldest first */
	size_t kept_count;
	bool sync_failing;   /* the last sync failed, and that was said */
	bool rotate_failing; /* the same of putting the file aside */
};

int ncg_audit_open(const struct ncg_audit_options *options, struct ncg_audit **ret_audit)
{
	struct ncg_audit *audit = calloc(1, sizeof(*audit));
	int r = -ENOMEM;

	if (!audit)
		return -ENOMEM;
	audit->clock = ncg_audit_clock_offset();
	audit->path = strdup(options->path);
	if (audit->path)
		r = ncg_audit_file_open(options->path, &options->limits, &audit->file);
	if (r) {
		ncg_audit_close(audit);
		return r;
	}
	audit->journal = options->journal && ncg_audit_journal_available();
	if (options->journal && !audit->journal)
		ncg_info("audit: there is no journal on this host; records go to %s alone",
			 options->path);
	r = options->kernel ? ncg_audit_kernel_open(&audit->kernel) : 0;
	if (r)
		ncg_info("audit: the kernel's audit subsystem gets no records: %s (%s)",
			 strerror(-r), ncg_log_errno_name(-r));
	*ret_audit = audit;
	return 0;
}

static void drop_kept(struct ncg_audit *audit)
{
	struct kept *kept = audit->kept;

	audit->kept = kept->next;
	audit->kept_count--;
	json_decref(kept->fields);
	free(kept);
}

void ncg_audit_close(struct ncg_audit *audit)
{
	if (!audit)
		return;
	while (audit->kept)
		drop_kept(audit);
	ncg_audit_file_close(audit->file);
	ncg_audit_kernel_close(audit->kernel);
	free(audit->path);
	free(audit);
}

int ncg_audit_reopen(struct ncg_audit *audit)
{
	int r = ncg_audit_file_reopen(audit->file);

	return r ? ncg_log_error(r, "the audit log %s cannot be opened again", audit->path) : 0;
}

/* ---------------------------------------------------------------------- writing */

/* The record itself: the caller's, NULL when there is no memory. fields are borrowed. */
static json_t *make_record(const char *type, __u64 boot_ns, json_t *fields)
{
	char when[NCG_AUDIT_TIME_LEN];
	json_t *record;

	ncg_audit_format_time(boot_ns, when);
	record = json_pack("{s:s, s:I, s:s}", "time", when, "boot_ns", (json_int_t)boot_ns,
			   "type", type);
	if (record && !json_object_update(record, fields))
		return record;
	json_decref(record);
	return NULL;
}

/* The record as a line, for the caller to free. */
static char *make_line(const json_t *record, size_t *ret_size)
{
	ncg_autofree char *text = json_dumps(record, JSON_COMPACT | JSON_PRESERVE_ORDER);
	char *line;
	int size = text ? asprintf(&line, "%s\n", text) : -1;

	if (size < 0)
		return NULL;
	*ret_size = size;
	return line;
}

static void note_sink(struct ncg_audit *audit, enum ncg_audit_sink sink, int error)
{
	if (error && !audit->sink_errors[sink]++)
		ncg_log_error(error, "audit: the %s does not take every record; what it misses is "
				     "in %s", ncg_audit_sink_name(sink), audit->path);
}

static void tell_others(struct ncg_audit *audit, const json_t *record, const char *line,
			size_t size)
{
	if (audit->journal)
		note_sink(audit, NCG_AUDIT_SINK_JOURNAL,
			  ncg_audit_journal_send(record, line, size - 1));
	if (audit->kernel)
		note_sink(audit, NCG_AUDIT_SINK_KERNEL,
			  ncg_audit_kernel_send(audit->kernel, record));
}

/* What is to become of a record. */
enum way {
	WAY_ALL,
	WAY_FILE_FIRST, /* the others hear of it when it is in the file: it is tried again */
	WAY_OTHERS,	/* the file cannot take it: then they are all that hears of it */
	WAY_FILE,	/* they have heard of it */
};

static int write_record(struct ncg_audit *audit, const char *type, __u64 boot_ns, json_t *fields,
			enum way way);

/*
 * Says that the wall clock was set, before anything has a time of the new one. Returns 0
 * or -errno: it is tried again before the next record.
 */
static int tell_clock(struct ncg_audit *audit)
{
	__s64 offset = ncg_audit_clock_offset(), now = ncg_audit_boot_ns();
	char before[NCG_AUDIT_TIME_LEN];
	json_t *fields;
	int r;

	if (!ncg_audit_clock_was_set(audit->clock, offset))
		return 0;
	ncg_audit_format_wall(audit->clock + now, before);
	fields = json_pack("{s:s, s:I}", "before", before, "moved_by_ns",
			   (json_int_t)(offset - audit->clock));
	r = write_record(audit, "clock_changed", now, fields, WAY_FILE_FIRST);
	json_decref(fields);
	if (r)
		return r;
	audit->records++;
	audit->clock = offset;
	ncg_warning("the clock of this host was set: it showed %s just before", before);
	return 0;
}

/* Counts a record that is not in the file. To be called before it is lost or kept. */
static void note_error(struct ncg_audit *audit, int error)
{
	audit->errors++;
	if (!ncg_audit_failing(audit))
		ncg_log_error(error, "the audit log %s cannot be written; records are lost and "
				     "counted until it can", audit->path);
}

/* Appends to what is kept. fields become the list's when this returns true. */
static bool keep(struct ncg_audit *audit, const char *type, __u64 boot_ns, json_t *fields,
		 int error)
{
	struct kept **last = &audit->kept, *kept;

	if (!fields || audit->kept_count == NCG_AUDIT_KEPT_MAX)
		return false;
	kept = calloc(1, sizeof(*kept));
	if (!kept)
		return false;
	*kept = (struct kept){ .boot_ns = boot_ns, .fields = fields };
	snprintf(kept->type, sizeof(kept->type), "%s", type);
	note_error(audit, error);
	while (*last)
		last = &(*last)->next;
	*last = kept;
	audit->kept_count++;
	return true;
}

static void name_removed(void *arg, const char *name)
{
	json_array_append_new(arg, ncg_json_string(name));
}

/* Puts the file aside and says so first in the new one, which is empty and so not due. */
static void rotate(struct ncg_audit *audit)
{
	const __u64 now = ncg_audit_boot_ns();
	json_t *removed = json_array(), *fields;
	ncg_autofree char *previous = NULL;
	int r = ncg_audit_file_rotate(audit->file, &previous);

	if (r) {
		if (!audit->rotate_failing)
			ncg_log_error(r, "the audit log %s cannot be put aside; it grows on",
				      audit->path);
		audit->rotate_failing = true;
		json_decref(removed);
		return;
	}
	audit->rotate_failing = false;
	r = ncg_audit_file_prune(audit->file, time(NULL), name_removed, removed);
	if (r)
		ncg_log_error(r, "old audit logs beside %s cannot be removed", audit->path);
	fields = json_pack("{s:o?, s:o}", "previous",
			   previous ? ncg_json_string(previous) : NULL, "removed", removed);
	r = write_record(audit, "rotation", now, fields, WAY_ALL);
	if (!r)
		audit->records++;
	if (!r || !keep(audit, "rotation", now, fields, r))
		json_decref(fields);
}

/* Returns 0 when the record is in the file, else -errno. */
static int write_record(struct ncg_audit *audit, const char *type, __u64 boot_ns, json_t *fields,
			enum way way)
{
	json_t *record = fields ? make_record(type, boot_ns, fields) : NULL;
	ncg_autofree char *line = NULL;
	size_t size;
	int r = -ENOMEM;

	if (record)
		line = make_line(record, &size);
	if (line && way != WAY_OTHERS) {
		if (ncg_audit_file_due(audit->file, size, time(NULL)))
			rotate(audit);
		r = ncg_audit_file_append(audit->file, line, size);
	}
	if (line && way != WAY_FILE && (!r || way != WAY_FILE_FIRST))
		tell_others(audit, record, line, size);
	json_decref(record);
	return r;
}

/* Says in the trail what is missing in it. Returns 0 or -errno. */
static int write_loss(struct ncg_audit *audit)
{
	const struct loss *loss = &audit->loss;
	json_t *fields = json_pack("{s:s, s:I}", "cause", "not_written", "lost",
				   (json_int_t)loss->count);
	int r;

	if (!fields)
		return -ENOMEM;
	ncg_audit_add_window(fields, loss->since, loss->until);
	if (loss->first_seq) {
		json_object_set_new(fields, "first_seq", json_integer(loss->first_seq));
		json_object_set_new(fields, "last_seq", json_integer(loss->last_seq));
	}
	r = write_record(audit, "gap", ncg_audit_boot_ns(), fields, WAY_FILE_FIRST);
	json_decref(fields);
	if (r)
		return r;
	audit->records++;
	audit->loss = (struct loss){};
	return 0;
}

/* Writes what could not be written before: first how much is lost, then what was kept. */
static int catch_up(struct ncg_audit *audit)
{
	__u64 lost = audit->loss.count;
	size_t kept = audit->kept_count;
	int r;

	if (!ncg_audit_failing(audit))
		return 0;
	r = lost ? write_loss(audit) : 0;
	while (!r && audit->kept) {
		r = write_record(audit, audit->kept->type, audit->kept->boot_ns,
				 audit->kept->fields, WAY_FILE);
		if (!r) {
			audit->records++;
			drop_kept(audit);
		}
	}
	if (r)
		return r;
	ncg_info("the audit log %s is written again; %llu records are missing in it, %zu were "
		 "kept until now", audit->path, lost, kept);
	return 0;
}

static void note_loss(struct ncg_audit *audit, __u64 boot_ns, const json_t *fields, int error)
{
	struct loss *loss = &audit->loss;
	__u64 seq = json_integer_value(json_object_get(fields, "seq"));

	note_error(audit, error);
	if (!loss->count++)
		loss->since = loss->until = boot_ns;
	if (boot_ns < loss->since)
		loss->since = boot_ns;
	if (boot_ns > loss->until)
		loss->until = boot_ns;
	if (seq && (!loss->first_seq || seq < loss->first_seq))
		loss->first_seq = seq;
	if (seq > loss->last_seq)
		loss->last_seq = seq;
}

/* Returns 0 when the record is in the file, after all that is missing before it. */
static int write_next(struct ncg_audit *audit, const char *type, __u64 boot_ns, json_t *fields)
{
	int r = fields ? tell_clock(audit) : -ENOMEM;

	if (!r)
		r = catch_up(audit);
	if (!r)
		r = write_record(audit, type, boot_ns, fields, WAY_ALL);
	else if (fields)
		write_record(audit, type, boot_ns, fields, WAY_OTHERS);
	if (!r)
		audit->records++;
	return r;
}

bool ncg_audit_write(struct ncg_audit *audit, const char *type, __u64 boot_ns, json_t *fields)
{
	int r;

	if (!boot_ns)
		boot_ns = ncg_audit_boot_ns();
	r = write_next(audit, type, boot_ns, fields);
	if (r)
		note_loss(audit, boot_ns, fields, r);
	json_decref(fields);
	return r == 0;
}

bool ncg_audit_write_kept(struct ncg_audit *audit, const char *type, json_t *fields)
{
	__u64 boot_ns = ncg_audit_boot_ns();
	int r = write_next(audit, type, boot_ns, fields);

	if (r && keep(audit, type, boot_ns, fields, r))
		return false;
	if (r)
		note_loss(audit, boot_ns, fields, r);
	json_decref(fields);
	return !r;
}

bool ncg_audit_sync(struct ncg_audit *audit)
{
	int r = ncg_audit_file_sync(audit->file);

	if (r) {
		audit->errors++;
		if (!audit->sync_failing)
			ncg_log_error(r, "records in the audit log %s may not outlive this host",
				      audit->path);
	}
	audit->sync_failing = r != 0;
	return r == 0;
}

void ncg_audit_tick(struct ncg_audit *audit)
{
	tell_clock(audit);
	catch_up(audit);
	if (ncg_audit_file_due(audit->file, 0, time(NULL)))
		rotate(audit);
	ncg_audit_sync(audit);
}

/* ----------------------------------------------------------------------- places */

void ncg_audit_place(const struct ncg_audit *audit, struct ncg_audit_place *ret_place)
{
	uint64_t inode, offset;

	ncg_audit_file_place(audit->file, &inode, &offset);
	*ret_place = (struct ncg_audit_place){ .file = inode, .offset = offset };
}

/* Who is told of records. */
struct listener {
	void (*found)(void *arg, const json_t *record);
	void *arg;
};

static int read_records(FILE *file, __u64 offset, const struct listener *listener)
{
	ncg_autofree char *line = NULL;
	size_t room = 0;
	ssize_t size;

	if (fseeko(file, offset, SEEK_SET))
		return -errno;
	while ((size = getline(&line, &room, file)) > 0) {
		/* What is cut is no record, and what it told is not in the trail. */
		json_t *record = json_loadb(line, size, 0, NULL);

		if (record)
			listener->found(listener->arg, record);
		json_decref(record);
	}
	return ferror(file) ? -EIO : 0;
}

static bool is_file(FILE *file, __u64 inode)
{
	struct stat st;

	return !fstat(fileno(file), &st) && S_ISREG(st.st_mode) && st.st_ino == inode;
}

/*
 * From the place to the end of what was put aside. Returns 1, 0 when the place is in none
 * of these files, or -errno.
 */
static int read_aside(const char *path, const struct ncg_audit_place *place,
		      const struct listener *listener)
{
	ncg_autofree char *folder = NULL, *base = NULL;
	bool found = false;
	char **names;
	size_t count;
	int r = ncg_audit_file_split(path, &folder, &base);

	if (!r)
		r = ncg_audit_file_list(folder, base, &names, &count);
	if (r)
		return r;
	for (size_t i = 0; i < count && !r; i++) {
		ncg_autofclose FILE *file = NULL;
		ncg_autofree char *aside = NULL;

		if (asprintf(&aside, "%s/%s", folder, names[i]) < 0)
			aside = NULL;
		else
			file = fopen(aside, "re");
		if (!file)
			r = aside ? -errno : -ENOMEM;
		else if (found)
			r = read_records(file, 0, listener);
		else if (is_file(file, place->file)) {
			found = true;
			r = read_records(file, place->offset, listener);
		}
	}
	ncg_audit_file_free_names(names, count);
	return r ? r : found;
}

int ncg_audit_since(const struct ncg_audit *audit, const struct ncg_audit_place *place,
		    void (*found)(void *arg, const json_t *record), void *arg)
{
	const struct listener listener = { .found = found, .arg = arg };
	ncg_autofclose FILE *file = fopen(audit->path, "re");
	int r = file ? 0 : -errno;

	if (!r && is_file(file, place->file)) {
		r = read_records(file, place->offset, &listener);
	} else if (!r && place->file) {
		r = read_aside(audit->path, place, &listener);
		if (r > 0)
			r = read_records(file, 0, &listener);
	}
	return r ? ncg_log_error(r, "the audit log %s cannot be read", audit->path) : 0;
}

/* ----------------------------------------------------------------------- counts */

bool ncg_audit_failing(const struct ncg_audit *audit)
{
	return audit->loss.count || audit->kept;
}

const char *ncg_audit_sink_name(enum ncg_audit_sink sink)
{
	static const char *const names[] = {
		[NCG_AUDIT_SINK_JOURNAL] = "journal",
		[NCG_AUDIT_SINK_KERNEL] = "kernel",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == NCG_AUDIT_SINK_NR,
		       "a name for every sink");
	return names[sink];
}

__s64 ncg_audit_clock(const struct ncg_audit *audit)
{
	return audit->clock;
}

void ncg_audit_set_clock(struct ncg_audit *audit, __s64 offset)
{
	audit->clock = offset;
}

__u64 ncg_audit_records(const struct ncg_audit *audit)
{
	return audit->records;
}

__u64 ncg_audit_errors(const struct ncg_audit *audit)
{
	return audit->errors;
}

__u64 ncg_audit_sink_errors(const struct ncg_audit *audit, enum ncg_audit_sink sink)
{
	return audit->sink_errors[sink];
}
