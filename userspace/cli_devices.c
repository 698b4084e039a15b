// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ncgate devices`: what can be passed to a guest, the verdict on it and what is
 * observed. The daemon's own picture where it answers; without it, what sysfs and
 * the policy file tell, said to be that. Owns no state.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cli.h"
#include "json.h"
#include "log.h"
#include "names.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* ----------------------------------------------------------- without the daemon */

static const char *verdict_of_all(const json_t *bars)
{
	const char *verdict = NULL, *one;
	const json_t *bar;
	size_t i;

	json_array_foreach(bars, i, bar) {
		one = ncg_cli_text(bar, "verdict");
		if (verdict && strcmp(verdict, one))
			return "mixed";
		verdict = one;
	}
	return verdict ? verdict : ncg_names_verdict(NCG_VERDICT_NONE);
}

/* As the daemon shows a device, but for guests, which nobody sees. */
static json_t *local_device(const struct ncg_device *device, const struct ncg_policy *policy)
{
	json_t *json = ncg_json_device(device), *bars = json_array();

	for (unsigned int bar = 0; bar < NCG_DEVICE_BARS; bar++) {
		struct ncg_decision decision = {};
		json_t *entry;

		if (!ncg_verdict_has_bar(device, bar))
			continue;
		if (policy)
			ncg_verdict_bar(policy, device, bar, NULL, &decision);
		entry = ncg_json_bar(device, bar);
		ncg_json_put_decision(entry, &decision);
		json_array_append_new(bars, entry);
	}
	json_object_set_new(json, "verdict", json_string(verdict_of_all(bars)));
	json_object_set_new(json, "bars", bars);
	return json;
}

/* A policy that cannot be read leaves the verdicts open; what is wrong was said. */
static enum ncg_exit local_reply(const struct ncg_cli *cli, json_t **ret_reply)
{
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	ncg_autodevices struct ncg_devices *devices = NULL;
	enum ncg_exit status = ncg_cli_load_devices(cli, &devices);
	json_t *list = json_array();

	if (status)
		return status;
	ncg_cli_load_policy(cli, cli->policy, &policy);
	ncg_info("ncgated does not answer: nothing is observed, and verdicts are by %s",
		 policy ? cli->policy : "no policy");
	for (size_t i = 0; i < devices->count; i++)
		if (ncg_device_assignable(&devices->list[i]))
			json_array_append_new(list, local_device(&devices->list[i], policy));
	*ret_reply = json_pack("{s:b, s:o?, s:o}", "observed", 0, "policy",
			       policy ? ncg_json_string(cli->policy) : NULL, "devices", list);
	return *ret_reply ? NCG_EXIT_OK : ncg_cli_fail(-ENOMEM);
}

/* --------------------------------------------------------------------- filters */

static bool in_use(const json_t *device)
{
	const json_t *bar;
	size_t i;

	if (strstr(ncg_cli_text(device, "driver"), "vfio"))
		return true;
	json_array_foreach(json_object_get(device, "bars"), i, bar)
		if (json_array_size(json_object_get(bar, "guests")))
			return true;
	return false;
}

static bool named(const struct ncg_cli *cli, const json_t *json)
{
	struct ncg_device device = {
		.vendor = strtoul(ncg_cli_text(json, "vendor_id"), NULL, 16),
		.device = strtoul(ncg_cli_text(json, "device_id"), NULL, 16),
	};

	snprintf(device.address, sizeof(device.address), "%s", ncg_cli_text(json, "device"));
	for (size_t i = 0; i < cli->arg_count; i++)
		if (ncg_cli_names_device(cli->args[i], &device))
			return true;
	return !cli->arg_count;
}

/* Takes out what was not asked for. */
static void filter(const struct ncg_cli *cli, json_t *devices)
{
	for (size_t i = json_array_size(devices); i-- > 0;) {
		const json_t *device = json_array_get(devices, i);

		if (!named(cli, device) || (cli->bound && !in_use(device)))
			json_array_remove(devices, i);
	}
}

/* --------------------------------------------------------------------- as a table */

/* "normal_nc (812-4711), device_nGnRE (900-5000)"; the caller frees it. */
static char *observed(const json_t *guests, bool *ret_normal_nc)
{
	char *line = NULL;
	const json_t *guest;
	size_t size, i;
	FILE *out = open_memstream(&line, &size);

	*ret_normal_nc = false;
	if (!out)
		return NULL;
	json_array_foreach(guests, i, guest) {
		fprintf(out, "%s%s (%s)", i ? ", " : "", ncg_cli_text(guest, "type"),
			ncg_cli_text(guest, "guest"));
		*ret_normal_nc |= ncg_cli_is(guest, "type", "normal_nc");
	}
	if (fclose(out)) {
		free(line);
		return NULL;
	}
	return line;
}

static void add_device(struct ncg_cli_table *table, const json_t *device)
{
	long long group = json_object_get(device, "iommu_group")
				  ? ncg_cli_number(device, "iommu_group") : -1;

	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(device, "device"));
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s:%s", ncg_cli_text(device, "vendor_id"),
			  ncg_cli_text(device, "device_id"));
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(device, "name"));
	if (group >= 0)
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld", group);
	else
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", "");
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(device, "driver"));
}

static int add_bar(struct ncg_cli_table *table, const json_t *bar, bool seen)
{
	const char *verdict = ncg_cli_text(bar, "verdict");
	ncg_autofree char *types = NULL;
	bool normal_nc;

	types = observed(json_object_get(bar, "guests"), &normal_nc);
	if (!types)
		return -ENOMEM;
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld", ncg_cli_number(bar, "bar"));
	ncg_cli_add_bytes(table, ncg_cli_number(bar, "size"));
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s",
			  json_is_true(json_object_get(bar, "prefetchable")) ? "yes" : "no");
	ncg_cli_table_add(table, ncg_cli_verdict_colour(verdict), "%s", verdict);
	ncg_cli_add_reason(table, bar);
	ncg_cli_table_add(table, normal_nc ? NCG_COLOUR_YELLOW : NCG_COLOUR_NONE, "%s",
			  seen ? types : "not known");
	return 0;
}

/* What cannot be mapped has no verdict either. */
static void add_no_bar(struct ncg_cli_table *table)
{
	for (int i = 0; i < 3; i++)
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", "");
	ncg_cli_table_add(table, NCG_COLOUR_YELLOW, "%s", "none");
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", "");
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", "");
}

static int print_devices(const struct ncg_cli *cli, const json_t *reply)
{
	static const struct ncg_cli_column columns[] = {
		{ "DEVICE", false },  { "ID", false },	    { "NAME", false },
		{ "GROUP", true },    { "DRIVER", false },  { "BAR", true },
		{ "SIZE", true },     { "PREFETCH", false }, { "VERDICT", false },
		{ "RULE", false },    { "OBSERVED", false },
	};
	ncg_autotable struct ncg_cli_table *table =
		ncg_cli_table_new(columns, ARRAY_SIZE(columns));
	const json_t *devices = json_object_get(reply, "devices"), *device, *bar;
	bool seen = !json_is_false(json_object_get(reply, "observed"));
	size_t i, b;
	int r;

	if (!json_array_size(devices)) {
		puts(cli->arg_count || cli->bound ? "no such devices"
						  : "no devices: none has an IOMMU group or a "
						    "VFIO driver");
		return 0;
	}
	json_array_foreach(devices, i, device) {
		const json_t *bars = json_object_get(device, "bars");

		if (!json_array_size(bars)) {
			add_device(table, device);
			add_no_bar(table);
		}
		json_array_foreach(bars, b, bar) {
			add_device(table, device);
			r = add_bar(table, bar, seen);
			if (r)
				return r;
		}
	}
	return ncg_cli_table_print(table, stdout, cli->colours, 0);
}

enum ncg_exit ncg_cli_devices(const struct ncg_cli *cli)
{
	json_t *reply;
	enum ncg_exit status = ncg_cli_ask_if_there(cli, "devices", &reply);
	int r;

	if (!status && !reply)
		status = local_reply(cli, &reply);
	if (status)
		return status;
	filter(cli, json_object_get(reply, "devices"));
	r = cli->json ? ncg_cli_print_json(reply) : ncg_cli_print_visible(cli, reply, print_devices);
	json_decref(reply);
	return r ? ncg_cli_fail(r) : NCG_EXIT_OK;
}
