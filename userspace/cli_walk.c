// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ncgate walk`: the live stage-2 tables of one guest, range by range. Owns nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cli.h"
#include "log.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static bool is_pid(const json_t *guest, const char *text)
{
	char pid[24];

	snprintf(pid, sizeof(pid), "%lld", ncg_cli_number(guest, "pid"));
	return !strcmp(pid, text);
}

/*
 * The id of the one guest that text names, by id, PID, name or UUID; in that order,
 * for what a guest calls itself must not hide another's id. NULL, said: none or many.
 */
static const char *find(const json_t *guests, const char *text)
{
	static const char *const keys[] = { "guest", NULL, "name", "uuid" };

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		const char *found = NULL;
		const json_t *guest;
		size_t i, count = 0;

		json_array_foreach(guests, i, guest)
			if (keys[k] ? ncg_cli_is(guest, keys[k], text) : is_pid(guest, text)) {
				found = ncg_cli_text(guest, "guest");
				count++;
			}
		if (count == 1)
			return found;
		if (count > 1) {
			ncg_log_error(0, "%zu guests are called '%s'; name one by its id", count,
				      text);
			return NULL;
		}
	}
	ncg_log_error(0, "there is no guest '%s'", text);
	return NULL;
}

static void add_hex(struct ncg_cli_table *table, const json_t *range, const char *key)
{
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "0x%s", ncg_cli_text(range, key));
}

static int print_ranges(const struct ncg_cli *cli, const json_t *ranges)
{
	static const struct ncg_cli_column columns[] = {
		{ "GUEST-PHYSICAL", true }, { "HOST-PHYSICAL", true }, { "SIZE", true },
		{ "LEVEL", true },	    { "TYPE", false },	       { "DEVICE", false },
		{ "BAR", true },	    { "NESTED", true },
	};
	ncg_autotable struct ncg_cli_table *table =
		ncg_cli_table_new(columns, ARRAY_SIZE(columns));
	const json_t *range;
	size_t i;

	json_array_foreach(ranges, i, range) {
		const char *type = ncg_cli_text(range, "type");
		bool device = json_object_get(range, "device");

		add_hex(table, range, "ipa");
		add_hex(table, range, "phys");
		ncg_cli_add_bytes(table, ncg_cli_number(range, "size"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld", ncg_cli_number(range, "level"));
		ncg_cli_table_add(table, ncg_cli_type_colour(type), "%s", type);
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s",
				  device ? ncg_cli_text(range, "device") : "");
		if (device)
			ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld",
					  ncg_cli_number(range, "bar"));
		else
			ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", "");
		if (json_object_get(range, "nested"))
			ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld",
					  ncg_cli_number(range, "nested"));
		else
			ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", "");
	}
	return ncg_cli_table_print(table, stdout, cli->colours, 0);
}

/* RAM is thousands of ranges that nobody reads: its leaves by size. */
static void print_ram(const char *whose, const json_t *leaves)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(leaves, i, entry) {
		char size[NCG_CLI_BYTES_LEN];

		if (!ncg_cli_is(entry, "type", "normal_wb"))
			continue;
		ncg_cli_format_bytes(ncg_cli_number(entry, "size"), size);
		printf("%snormal_wb: %lld leaves of %s\n", whose, ncg_cli_number(entry, "count"),
		       size);
	}
}

static int print_walk(const struct ncg_cli *cli, const json_t *reply)
{
	const json_t *ranges = json_object_get(reply, "ranges");
	const char *tables = ncg_cli_text(reply, "tables");
	const json_t *shadow;
	size_t i;

	if (!strcmp(tables, "hidden")) {
		puts("tables not visible: the hypervisor keeps them (protected KVM)");
		return 0;
	}
	if (strcmp(tables, "visible")) {
		puts("tables not visible: they could not be read");
		return 0;
	}
	if (json_array_size(ranges)) {
		int r = print_ranges(cli, ranges);

		if (r)
			return r;
	}
	print_ram("", json_object_get(reply, "leaves"));
	json_array_foreach(json_object_get(reply, "shadows"), i, shadow) {
		char whose[40];

		snprintf(whose, sizeof(whose), "nested %lld ", ncg_cli_number(shadow, "nested"));
		print_ram(whose, json_object_get(shadow, "leaves"));
	}
	return 0;
}

enum ncg_exit ncg_cli_walk(const struct ncg_cli *cli)
{
	json_t *guests = NULL, *reply = NULL;
	enum ncg_exit status = ncg_cli_ask(cli, "guests", &guests);
	const char *id;
	char request[64];
	int r = 0;

	if (status)
		return status;
	id = find(json_object_get(guests, "guests"), cli->args[0]);
	if (id)
		snprintf(request, sizeof(request), "walk:%s", id);
	json_decref(guests);
	if (!id)
		return NCG_EXIT_BAD_INPUT;
	status = ncg_cli_ask(cli, request, &reply);
	if (!status)
		r = cli->json ? ncg_cli_print_json(reply) : ncg_cli_print_visible(cli, reply, print_walk);
	json_decref(reply);
	return r ? ncg_cli_fail(r) : status;
}
