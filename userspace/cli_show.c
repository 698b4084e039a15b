// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon's replies as text for a human. Owns no state. Nothing is decided
 * here: every word of what holds comes from the daemon.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "cli.h"
#include "cli_table.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The labels of the lines of `status` end here. */
#define LABEL_WIDTH 10

/* Normal-NC is what ncgate is about, so it stands out. */
/* ---------------------------------------------------------------------- status */

static bool waits_for_hook(const json_t *reply)
{
	const json_t *program;
	size_t i;

	json_array_foreach(json_object_get(reply, "programs"), i, program)
		if (ncg_cli_is(program, "name", "decide_hook"))
			return ncg_cli_is(program, "state", "waiting");
	return false;
}

static const char *grade_meaning(const json_t *reply)
{
	const json_t *policy = json_object_get(reply, "policy");
	bool audit = ncg_cli_is(policy, "mode", "audit");

	if (!json_is_object(policy))
		return "no policy is loaded, the kernel's own default holds";
	if (ncg_cli_is(reply, "grade", "hook"))
		return audit ? "vfio-pci-core asks ncgate at each BAR mmap; in mode audit "
			       "decisions are only recorded, and the kernel's own default holds"
			     : "vfio-pci-core asks ncgate at each BAR mmap; a denied BAR is mapped "
			       "Device-nGnRE, at full speed";
	if (ncg_cli_is(reply, "grade", "trap") && waits_for_hook(reply))
		return "vfio-pci-core is not loaded; until it is known whether it has the hook, the "
		       "BAR mmaps of a denied device are refused, so that its accesses trap";
	if (ncg_cli_is(reply, "grade", "trap"))
		return audit ? "vfio-pci-core has no hook; in mode audit decisions are only "
			       "recorded, and the kernel's own default holds"
			     : "vfio-pci-core has no hook; the BAR mmaps of a denied device are "
			       "refused, so that its accesses trap: safe, and slow";
	return "decisions are only recorded, the kernel's own default holds";
}

static const char *change_meaning(const json_t *reply)
{
	if (ncg_cli_is(reply, "change", "hook"))
		return "core change and hook";
	if (ncg_cli_is(reply, "change", "core"))
		return "core change only: every vfio-pci BAR that is mapped gets Normal-NC";
	if (ncg_cli_is(reply, "change", "none"))
		return "no change: every BAR is mapped Device-nGnRE";
	return "not known until vfio-pci-core is loaded";
}

static void print_label(const char *label)
{
	printf("%-*s", LABEL_WIDTH, label);
}

static void print_problem(const struct ncg_cli *cli, const char *problem)
{
	ncg_cli_print(stdout, cli->colours, NCG_COLOUR_RED, problem);
	putchar('\n');
}

/* Names that go on standing for what they stood for, though pci.ids has lost them. */
static void print_stale_names(const struct ncg_cli *cli, const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		const char *device = json_string_value(json_object_get(name, "device_id"));
		ncg_autofree char *text = NULL;

		if (asprintf(&text, "pci.ids has lost %s; it goes on standing for %s:%s",
			     ncg_cli_text(name, "name"), ncg_cli_text(name, "vendor_id"),
			     device ? device : "*") < 0) {
			text = NULL;
			return;
		}
		print_label("");
		print_problem(cli, text);
	}
}

static void print_policy(const struct ncg_cli *cli, const json_t *policy)
{
	print_label("policy");
	if (!json_is_object(policy)) {
		print_problem(cli, "none");
		return;
	}
	printf("%s: mode %s, default %s, %lld rule%s\n", ncg_cli_text(policy, "file"),
	       ncg_cli_text(policy, "mode"), ncg_cli_text(policy, "default"),
	       ncg_cli_number(policy, "rules"), ncg_cli_number(policy, "rules") == 1 ? "" : "s");
	print_label("");
	printf("generation %lld, loaded %s\n", ncg_cli_number(policy, "generation"),
	       ncg_cli_text(policy, "loaded"));
	print_label("");
	printf("sha256 %s\n", ncg_cli_text(policy, "sha256"));
	if (json_is_false(json_object_get(policy, "last_reload_ok"))) {
		print_label("");
		print_problem(cli, "the last reload was refused; this policy is still in force");
	}
	print_stale_names(cli, json_object_get(policy, "stale_names"));
}

static int print_programs(const struct ncg_cli *cli, const json_t *programs)
{
	static const struct ncg_cli_column columns[] = {
		{ "PROGRAM", false }, { "TARGET", false }, { "STATE", false },
		{ "ERRNO", false },   { "LOST", false },
	};
	ncg_autotable struct ncg_cli_table *table =
		ncg_cli_table_new(columns, ARRAY_SIZE(columns));
	size_t attached = 0, needed = 0, shown = 0, i;
	const json_t *program;

	json_array_foreach(programs, i, program) {
		bool older = json_is_true(json_object_get(program, "older_build"));

		if (ncg_cli_is(program, "state", "not-needed"))
			continue;
		needed++;
		attached += ncg_cli_is(program, "state", "attached");
		shown += older || !ncg_cli_is(program, "state", "attached");
		if (!older && ncg_cli_is(program, "state", "attached"))
			continue;
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(program, "name"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(program, "target"));
		ncg_cli_table_add(table, ncg_cli_is(program, "state", "failed") ? NCG_COLOUR_RED
									: NCG_COLOUR_YELLOW,
				  "%s", older ? "older build" : ncg_cli_text(program, "state"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(program, "error"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s",
				  older ? "this build's could not be attached" :
					  ncg_cli_text(program, "lost"));
	}
	print_label("programs");
	printf("%zu of %zu attached\n", attached, needed);
	return shown ? ncg_cli_table_print(table, stdout, cli->colours, LABEL_WIDTH) : 0;
}

static void print_counters(const struct ncg_cli *cli, const json_t *reply)
{
	json_t *counters = json_object_get(reply, "counters");
	const char *name, *label = "counters";
	json_t *value;

	json_object_foreach(counters, name, value) {
		bool lost = !strcmp(name, "events_lost");
		char line[96];

		/* A counter of 0 says little, but that nothing was lost says much. */
		if (!json_integer_value(value) && !lost)
			continue;
		snprintf(line, sizeof(line), "%s %lld", name, (long long)json_integer_value(value));
		print_label(label);
		if (lost && json_integer_value(value))
			print_problem(cli, line);
		else
			puts(line);
		label = "";
	}
}

static void print_errors(const struct ncg_cli *cli, const char *label, long long errors,
			 const char *what)
{
	char line[128];

	if (!errors)
		return;
	snprintf(line, sizeof(line), "%lld %s", errors, what);
	print_label(label);
	print_problem(cli, line);
}

static void print_hazards(const struct ncg_cli *cli, const json_t *hazards)
{
	const json_t *hazard;
	size_t i;

	json_array_foreach(hazards, i, hazard) {
		size_t n = json_array_size(json_object_get(hazard, "contradictions"));
		char line[256];

		snprintf(line, sizeof(line), "%s: %s is unsafe on this host, and %s",
			 ncg_cli_text(hazard, "hazard"), ncg_cli_text(hazard, "unsafe"),
			 n ? "that is not heeded: see `ncgate doctor`" : "that is heeded");
		print_label(i ? "" : "hazards");
		if (n)
			print_problem(cli, line);
		else
			puts(line);
	}
}

/* Who else answers for the hook, or that nobody knows. */
static void print_foreign(const struct ncg_cli *cli, const json_t *foreign)
{
	static const struct {
		const char *asked, *meaning;
	} kinds[] = {
		{ "before", "is asked before ncgate's, and its answer holds" },
		{ "after", "is asked after ncgate's, where that has no opinion" },
		{ "alone", "is asked, and ncgate's is not" },
	};
	const json_t *program;
	char line[192];
	size_t i;

	if (json_is_null(foreign)) {
		print_label("");
		print_problem(cli, "whether others have programs on the hook is not known");
		return;
	}
	json_array_foreach(foreign, i, program) {
		const char *meaning = "";

		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			if (ncg_cli_is(program, "asked", kinds[k].asked))
				meaning = kinds[k].meaning;
		snprintf(line, sizeof(line),
			 "foreign program '%s' (id %lld, tag %s, link %lld) on the hook %s",
			 ncg_cli_text(program, "program"), ncg_cli_number(program, "program_id"),
			 ncg_cli_text(program, "tag"), ncg_cli_number(program, "link_id"), meaning);
		print_label("");
		print_problem(cli, line);
	}
}

/* A line for each kind; the audit trail names guests and devices. */
static void print_mismatches(const struct ncg_cli *cli, const json_t *mismatches)
{
	static const struct {
		const char *name, *meaning;
	} kinds[] = {
		{ "stale", "mappings keep a Normal-NC that was granted before and is denied now" },
		{ "unexpected", "mappings have a Normal-NC that is denied and was never granted" },
		{ "absent", "mappings have no Normal-NC, though it is allowed" },
	};

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		const json_t *one;
		long long count = 0;
		size_t i;

		json_array_foreach(mismatches, i, one)
			count += ncg_cli_is(one, "mismatch", kinds[k].name);
		print_errors(cli, "", count, kinds[k].meaning);
	}
}

/* Prints the daemon's reply to request, whole as JSON or for a person by print. */
static enum ncg_exit show(const struct ncg_cli *cli, const char *request,
			  int (*print)(const struct ncg_cli *cli, const json_t *reply))
{
	json_t *reply;
	enum ncg_exit status = ncg_cli_ask(cli, request, &reply);
	int r;

	if (status)
		return status;
	r = cli->json ? ncg_cli_print_json(reply) : ncg_cli_print_visible(cli, reply, print);
	json_decref(reply);
	return r ? ncg_cli_fail(r) : NCG_EXIT_OK;
}

static int print_status(const struct ncg_cli *cli, const json_t *reply)
{
	const json_t *audit = json_object_get(reply, "audit");
	int r;

	ncg_cli_print(stdout, cli->colours, ncg_cli_is(reply, "grade", "none") ? NCG_COLOUR_YELLOW
								      : NCG_COLOUR_BOLD,
		      ncg_cli_text(reply, "grade"));
	printf(": %s\n", grade_meaning(reply));
	print_policy(cli, json_object_get(reply, "policy"));
	r = print_programs(cli, json_object_get(reply, "programs"));
	print_foreign(cli, json_object_get(reply, "foreign_programs"));
	print_label("guests");
	if (json_is_false(json_object_get(reply, "walk")))
		print_problem(cli, "unknown: stage-2 tables cannot be read on this host");
	else
		printf("%lld\n", ncg_cli_number(reply, "guests"));
	print_errors(cli, "", ncg_cli_number(reply, "walk_errors"),
		     "errors in reading stage-2 tables");
	print_errors(cli, "", ncg_cli_number(reply, "bar_mmaps_before_gate"),
		     "mappings of BARs are older than the program that decides");
	print_mismatches(cli, json_object_get(reply, "mismatches"));
	print_counters(cli, reply);
	print_label("audit");
	printf("%s: %lld record%s\n", ncg_cli_text(audit, "path"), ncg_cli_number(audit, "records"),
	       ncg_cli_number(audit, "records") == 1 ? "" : "s");
	print_errors(cli, "", ncg_cli_number(audit, "errors"), "records could not be written");
	print_label("kernel");
	printf("%s\n", change_meaning(reply));
	print_label("host");
	printf("ncgated %s, kernel %s, %lld KiB pages\n", ncg_cli_text(reply, "version"),
	       ncg_cli_text(reply, "kernel"), ncg_cli_number(reply, "page_size") / 1024);
	print_hazards(cli, json_object_get(reply, "hazards"));
	return r;
}

enum ncg_exit ncg_cli_status(const struct ncg_cli *cli)
{
	return show(cli, "status", print_status);
}

/* ---------------------------------------------------------------------- guests */

static void add_guest_row(struct ncg_cli_table *table, const json_t *guest, const char *device,
			  const char *bar, const char *type, long long bytes)
{
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(guest, "guest"));
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(guest, "name"));
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld", ncg_cli_number(guest, "pid"));
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", device);
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", bar);
	ncg_cli_table_add(table, ncg_cli_type_colour(type), "%s", type);
	if (bytes)
		ncg_cli_add_bytes(table, bytes);
	else
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", "");
}

/* Bytes of one type in a list of a guest's devices or other memory. */
static long long sum_of(const json_t *list, const char *type)
{
	const json_t *entry;
	long long sum = 0;
	size_t i;

	json_array_foreach(list, i, entry)
		if (ncg_cli_is(entry, "type", type))
			sum += ncg_cli_number(entry, "bytes");
	return sum;
}

static void add_guest(struct ncg_cli_table *table, const json_t *guest)
{
	const json_t *devices = json_object_get(guest, "devices");
	const json_t *other = json_object_get(guest, "other");
	json_t *types = json_object_get(guest, "types");
	const json_t *entry;
	const char *type;
	char where[32];
	json_t *bytes;
	bool any = false;
	size_t i;

	if (json_is_false(json_object_get(guest, "visible"))) {
		add_guest_row(table, guest, "", "", "not visible", 0);
		return;
	}
	/* RAM is what is left when devices and other memory are taken off. */
	json_object_foreach(types, type, bytes) {
		long long ram = json_integer_value(bytes) - sum_of(devices, type) -
				sum_of(other, type);

		if (ram > 0)
			add_guest_row(table, guest, "RAM", "", type, ram);
		any |= ram > 0;
	}
	json_array_foreach(devices, i, entry) {
		snprintf(where, sizeof(where), "%lld", ncg_cli_number(entry, "bar"));
		add_guest_row(table, guest, ncg_cli_text(entry, "device"), where,
			      ncg_cli_text(entry, "type"), ncg_cli_number(entry, "bytes"));
		any = true;
	}
	json_array_foreach(other, i, entry) {
		snprintf(where, sizeof(where), "at 0x%.20s", ncg_cli_text(entry, "phys"));
		add_guest_row(table, guest, where, "", ncg_cli_text(entry, "type"),
			      ncg_cli_number(entry, "bytes"));
		any = true;
	}
	if (!any)
		add_guest_row(table, guest, "", "", "nothing mapped", 0);
}

static int print_guests(const struct ncg_cli *cli, const json_t *reply)
{
	static const struct ncg_cli_column columns[] = {
		{ "GUEST", false }, { "NAME", false }, { "PID", true },	   { "DEVICE", false },
		{ "BAR", true },    { "TYPE", false }, { "BYTES", true },
	};
	ncg_autotable struct ncg_cli_table *table =
		ncg_cli_table_new(columns, ARRAY_SIZE(columns));
	const json_t *guests = json_object_get(reply, "guests"), *guest;
	size_t i;

	if (!json_array_size(guests)) {
		puts("no guests");
		return 0;
	}
	json_array_foreach(guests, i, guest)
		add_guest(table, guest);
	return ncg_cli_table_print(table, stdout, cli->colours, 0);
}

enum ncg_exit ncg_cli_guests(const struct ncg_cli *cli)
{
	return show(cli, "guests", print_guests);
}
