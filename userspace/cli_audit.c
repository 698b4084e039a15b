// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ncgate audit`: the records of the audit trail that are asked for, as sentences or as
 * they are, and with --follow those to come; with --had, which guests had BARs mapped
 * with a memory type, when and by which rule. Changes nothing.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli.h"
#include "history.h"
#include "json.h"
#include "log.h"
#include "names.h"
#include "record_text.h"
#include "text.h"
#include "trail.h"
#include "trail_filter.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define TIME_LEN 32

/* A follower looks at least so often, for file systems that tell nobody. */
#define LOOK_MS 1000

/* What is asked for. Times are as records have them, so they compare as text. */
struct query {
	const struct ncg_cli *cli;
	char since[TIME_LEN]; /* "": from the beginning */
	char until[TIME_LEN]; /* "": to the end */
	struct ncg_history *history; /* NULL: records are printed */
	struct ncg_trail_clock *clock;
	const struct ncg_trail_device *device; /* NULL: any */
};

/* ------------------------------------------------------------------------- times */

static void format_time(time_t seconds, const char *fraction, char ret_text[TIME_LEN])
{
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(ret_text, TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text + n, TIME_LEN - n, ".%sZ", fraction);
}

/* "90s", "5m", "2h", "3d": that long before now. */
static bool parse_ago(const char *text, char ret_text[TIME_LEN])
{
	static const char units[] = "smhd";
	static const time_t seconds[] = { 1, 60, 3600, 86400 };
	const char *unit;
	char *end;
	long count;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	count = strtol(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (!unit || end[1] || errno || count > 1000000000)
		return false;
	format_time(time(NULL) - count * seconds[unit - units], "000000", ret_text);
	return true;
}

/*
 * "2026-01-31", "2026-01-31 23:59", "2026-01-31T23:59:59.5Z": UTC with a Z or as a
 * record has it, else by this host's time zone.
 */
static bool parse_date(const char *text, char ret_text[TIME_LEN])
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
					     "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		char fraction[] = "000000";
		struct tm tm = { .tm_isdst = -1 };
		const char *rest = strptime(text, forms[i], &tm);
		size_t digits;

		if (!rest)
			continue;
		if (*rest == '.') {
			digits = strspn(++rest, "0123456789");
			memcpy(fraction, rest, digits < 6 ? digits : 6);
			rest += digits;
		}
		if (strcmp(rest, "") && strcmp(rest, "Z"))
			continue;
		format_time(*rest ? timegm(&tm) : mktime(&tm), fraction, ret_text);
		return true;
	}
	return false;
}

static bool parse_time(const char *option, const char *text, char ret_text[TIME_LEN])
{
	if (!text || parse_ago(text, ret_text) || parse_date(text, ret_text))
		return true;
	ncg_log_error(0, "--%s: '%s' is no time: YYYY-MM-DD[ HH:MM[:SS]][Z], or how long ago as "
			 "90s, 5m, 2h or 3d", option, text);
	return false;
}

/* ----------------------------------------------------------------------- records */

static bool is_between(const struct query *query, const char *when)
{
	return strcmp(when, query->since) >= 0 &&
	       (!*query->until || strcmp(when, query->until) <= 0);
}

/* By the time that the host's clock showed, or by the clock as it was set later. */
static bool was_asked_for(const struct query *query, const char *when)
{
	char corrected[NCG_AUDIT_TIME_LEN];

	ncg_trail_clock_correct(query->clock, when, corrected);
	return is_between(query, when) || is_between(query, corrected);
}

static const char *print_record(const struct query *query, const json_t *record)
{
	const struct ncg_cli *cli = query->cli;
	const char *when = ncg_cli_text(record, "time");
	char shown[NCG_TEXT_NAME_LEN];
	ncg_autofree char *text = NULL;

	if (!was_asked_for(query, when) ||
	    (cli->type && !ncg_cli_is(record, "type", cli->type)) ||
	    !ncg_trail_is_about(record, cli->guest, query->device))
		return NULL;
	if (cli->json)
		return ncg_cli_print_json_line(record) ? "no memory for it" : NULL;
	text = ncg_record_text(record);
	if (!text)
		return "no memory for it";
	ncg_text_name(when, strlen(when), shown);
	printf("%s  %s\n", shown, text);
	return NULL;
}

/* When the clock was set: to be known before the records are looked at by their times. */
static const char *learn_clock(void *arg, const json_t *record)
{
	struct query *query = arg;

	return ncg_trail_clock_learn(query->clock, record) ? "no memory for it" : NULL;
}

static const char *take_record(void *arg, const json_t *record)
{
	struct query *query = arg;

	ncg_trail_clock_follow(query->clock, record);
	if (!query->history)
		return print_record(query, record);
	ncg_history_take(query->history, record);
	return NULL;
}

/* --------------------------------------------------------------------- following */

/*
 * The lines that are whole by now. What is cut has not been written to its end yet, or
 * has no room and is taken out again: it is read anew the next time.
 */
static void print_new(const struct query *query, FILE *file)
{
	ncg_autofree char *line = NULL;
	size_t room = 0;
	ssize_t length;

	clearerr(file);
	while ((length = getline(&line, &room, file)) > 0) {
		json_t *record;

		if (line[length - 1] != '\n') {
			fseeko(file, -length, SEEK_CUR);
			break;
		}
		record = json_loadb(line, length, 0, NULL);
		if (json_is_object(record))
			print_record(query, record);
		json_decref(record);
	}
	fflush(stdout);
}

/* The place of the file among those that were put aside; count where it is none of them. */
static size_t find_aside(const char *folder, char *const *names, size_t count, FILE *file)
{
	size_t i;

	for (i = 0; i < count; i++) {
		ncg_autofree char *path = NULL;
		struct stat st, st_open;

		if (asprintf(&path, "%s/%s", folder, names[i]) < 0) {
			path = NULL;
			continue;
		}
		if (!stat(path, &st) && !fstat(fileno(file), &st_open) &&
		    st.st_dev == st_open.st_dev && st.st_ino == st_open.st_ino)
			break;
	}
	return i;
}

/*
 * The file that follows `file`; NULL while that is the one at the path. Of several that
 * were put aside meanwhile each has its turn.
 */
static FILE *open_next(const char *path, const char *folder, const char *base, FILE *file)
{
	/* Before the list is made: what is put aside after that is not in it. */
	ncg_autofclose FILE *last = fopen(path, "re");
	ncg_autofree char *next = NULL;
	struct stat st, st_open;
	char **names;
	size_t count, own;

	if (!last || fstat(fileno(last), &st) || fstat(fileno(file), &st_open) ||
	    (st.st_dev == st_open.st_dev && st.st_ino == st_open.st_ino) ||
	    ncg_audit_file_list(folder, base, &names, &count))
		return NULL;
	own = find_aside(folder, names, count, file);
	if (own + 1 < count && asprintf(&next, "%s/%s", folder, names[own + 1]) < 0)
		next = NULL;
	ncg_audit_file_free_names(names, count);
	return next ? fopen(next, "re") : ncg_take_ptr(last);
}

/*
 * Prints what comes, until it is killed or nobody reads. file is where reading ended; it
 * is closed. Returns 0 or -errno.
 */
static int follow(const struct query *query, FILE *file)
{
	const char *path = query->cli->audit;
	ncg_autofree char *folder = NULL, *base = NULL;
	ncg_autoclose int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd wait = { .fd = notify, .events = POLLIN };
	int r = ncg_audit_file_split(path, &folder, &base);

	if (!r && notify >= 0)
		inotify_add_watch(notify, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
	while (!r && !ferror(stdout)) {
		char events[4096];
		FILE *next = open_next(path, folder, base, file);

		/* Also of one that was put aside: it is not written again. */
		print_new(query, file);
		if (next) {
			fclose(file);
			file = next;
			continue;
		}
		if (poll(&wait, 1, LOOK_MS) < 0 && errno != EINTR)
			r = -errno;
		while (notify >= 0 && read(notify, events, sizeof(events)) > 0)
			;
	}
	fclose(file);
	return r;
}

/* -------------------------------------------------------------------------- had */

static json_t *choose_entries(const struct query *query)
{
	json_t *chosen = json_array(), *entry;
	size_t i;

	json_array_foreach(ncg_history_entries(query->history), i, entry)
		if (ncg_history_was(entry, query->since, query->until) &&
		    ncg_trail_is_about(entry, query->cli->guest, query->device))
			json_array_append(chosen, entry);
	return chosen;
}

static int print_entries(const struct ncg_cli *cli, const json_t *entries)
{
	static const struct ncg_cli_column columns[] = {
		{ "FROM", false },   { "UNTIL", false }, { "GUEST", false }, { "NAME", false },
		{ "DEVICE", false }, { "BAR", true },	 { "VERDICT", false }, { "BY", false },
		{ "POLICY", true },
	};
	ncg_autotable struct ncg_cli_table *table =
		ncg_cli_table_new(columns, ARRAY_SIZE(columns));
	const json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry) {
		const json_t *guest = json_object_get(entry, "guest");
		const json_t *device = json_object_get(entry, "device");
		const json_t *decision = json_object_get(entry, "decision");
		const json_t *policy = json_object_get(decision, "policy");
		const char *verdict = ncg_cli_text(decision, "verdict");

		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(entry, "from"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s%s%s", ncg_cli_text(entry, "until"),
				  ncg_cli_is(entry, "ended", "host") ? ", then the host began anew" :
								       "",
				  json_object_get(entry, "shown") ? ", its clock was set meanwhile" :
								    "");
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(guest, "id"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(guest, "name"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(device, "slot"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld", ncg_cli_number(device, "bar"));
		ncg_cli_table_add(table, ncg_cli_verdict_colour(verdict), "%s", verdict);
		ncg_cli_add_reason(table, decision);
		if (policy)
			ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld",
					  ncg_cli_number(policy, "generation"));
		else
			ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", "");
	}
	return ncg_cli_table_print(table, stdout, cli->colours, 0);
}

static int print_history(const struct query *query, const struct ncg_trail *trail)
{
	const struct ncg_cli *cli = query->cli;
	json_t *entries = choose_entries(query), *document;
	int r = 0;

	if (cli->json) {
		document = json_pack("{s:o, s:s, s:s, s:s, s:o, s:o}", "audit",
				     ncg_json_string(cli->audit), "memory_type", cli->had,
				     "since", query->since, "until", query->until, "had", entries,
				     "trail", ncg_trail_json(trail));
		r = document ? ncg_cli_print_json(document) : -ENOMEM;
		json_decref(document);
		return r;
	}
	if (json_array_size(entries))
		r = print_entries(cli, entries);
	else
		printf("no guest had %s\n", cli->had);
	json_decref(entries);
	return r;
}

/* ---------------------------------------------------------------------- command */

static bool is_memory_type(const char *name)
{
	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++)
		if (!strcmp(name, ncg_names_memtype(type)))
			return true;
	ncg_log_error(0, "--had: '%s' is no memory type; normal_nc is one, device_nGnRE another",
		      name);
	return false;
}

/* Reads the trail, twice where times matter. Returns 0 or -errno. */
static int read_trail(struct query *query, struct ncg_trail *ret_trail, FILE **ret_last)
{
	static const struct ncg_trail_wanted clocks[] = {
		{ "daemon_start", learn_clock }, { "clock_changed", learn_clock }, { NULL, NULL },
	};
	static const struct ncg_trail_wanted all[] = { { "*", take_record }, { NULL, NULL } };
	const char *path = query->cli->audit;
	int r = 0;

	if (query->history || *query->since || *query->until)
		r = ncg_trail_read(path, clocks, query, ret_trail);
	return r ? r : ncg_trail_read_to(path, all, query, ret_trail, ret_last);
}

/* What there cannot be is asked for by mistake: "nobody had it" would be no answer to it. */
static bool check_filters(const struct ncg_cli *cli, struct ncg_trail_device *ret_device)
{
	if (cli->device && !ncg_trail_device_parse(cli->device, ret_device)) {
		ncg_log_error(0, "--device: '%s' is not a device; expected a slot as in "
				 "0000:01:00.0 or 01:00.0, or an id as in 10de:2342", cli->device);
		return false;
	}
	if (cli->guest && !*cli->guest) {
		ncg_log_error(0, "--guest: expected a name, UUID, id or PID");
		return false;
	}
	if (cli->type && !ncg_record_is_type(cli->type)) {
		ncg_log_error(0, "--type: '%s' is not a type of record; see AUDIT TRAIL in ncgated(8)",
			      cli->type);
		return false;
	}
	return true;
}

enum ncg_exit ncg_cli_audit(const struct ncg_cli *cli)
{
	struct ncg_trail_device device;
	struct query query = { .cli = cli };
	struct ncg_trail trail;
	FILE *last = NULL;
	int r;

	if (!parse_time("since", cli->since, query.since) ||
	    !parse_time("until", cli->until, query.until) ||
	    (cli->had && !is_memory_type(cli->had)) || !check_filters(cli, &device))
		return NCG_EXIT_BAD_INPUT;
	query.device = cli->device ? &device : NULL;
	if (cli->had && (cli->follow || cli->type)) {
		ncg_log_error(0, "--had goes neither with --follow nor with --type");
		return NCG_EXIT_BAD_INPUT;
	}
	query.clock = ncg_trail_clock_new();
	if (cli->had && query.clock)
		query.history = ncg_history_new(cli->had, query.clock);
	if (!query.clock || (cli->had && !query.history)) {
		ncg_trail_clock_free(query.clock);
		return ncg_cli_fail(-ENOMEM);
	}
	r = read_trail(&query, &trail, cli->follow ? &last : NULL);
	if (r) {
		ncg_history_free(query.history);
		ncg_trail_clock_free(query.clock);
		ncg_log_error(r, "the audit trail %s cannot be read", cli->audit);
		return NCG_EXIT_BAD_INPUT;
	}
	ncg_cli_tell_trail(cli, &trail);
	if (query.history)
		r = print_history(&query, &trail);
	else if (cli->follow)
		r = follow(&query, last);
	ncg_history_free(query.history);
	ncg_trail_clock_free(query.clock);
	return r ? ncg_cli_fail(r) : NCG_EXIT_OK;
}
