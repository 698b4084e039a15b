// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ncgate check NEW --against OLD`: which BARs of this host's devices have another
 * verdict, or one that is acted on where it was not. Owns no state.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "cli.h"
#include "json.h"
#include "log.h"
#include "names.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What both policies said about one BAR. */
struct pair {
	struct ncg_decision old;
	struct ncg_decision new;
};

static bool differs(const struct pair *pair)
{
	return pair->old.verdict != pair->new.verdict ||
	       ncg_verdict_acts(&pair->old) != ncg_verdict_acts(&pair->new);
}

static int add_change(json_t *list, const struct ncg_device *device, unsigned int bar,
		      const struct pair *pair)
{
	json_t *json = ncg_json_device(device);

	if (!json)
		return -ENOMEM;
	json_object_set_new(json, "bar", json_integer(bar));
	json_object_set_new(json, "old", ncg_cli_side(&pair->old, ncg_verdict_acts(&pair->old)));
	json_object_set_new(json, "new", ncg_cli_side(&pair->new, ncg_verdict_acts(&pair->new)));
	return json_array_append_new(list, json) ? -ENOMEM : 0;
}

static int compare(const struct ncg_cli *cli, const struct ncg_devices *devices,
		   const struct ncg_policy *old, const struct ncg_policy *new, json_t *list,
		   size_t *ret_bars)
{
	int r = 0;

	*ret_bars = 0;
	for (size_t i = 0; i < devices->count; i++) {
		const struct ncg_device *device = &devices->list[i];

		if (!ncg_device_assignable(device))
			continue;
		for (unsigned int bar = 0; !r && bar < NCG_DEVICE_BARS; bar++) {
			struct pair pair;

			if (!ncg_verdict_has_bar(device, bar))
				continue;
			(*ret_bars)++;
			ncg_verdict_bar(old, device, bar, &cli->mapper, &pair.old);
			ncg_verdict_bar(new, device, bar, &cli->mapper, &pair.new);
			if (differs(&pair))
				r = add_change(list, device, bar, &pair);
		}
	}
	return r;
}

static int print_changes(const struct ncg_cli *cli, const json_t *changes, size_t bars)
{
	static const struct ncg_cli_column columns[] = {
		{ "DEVICE", false },   { "ID", false },	 { "NAME", false },
		{ "BAR", true },       { "OLD", false }, { "OLD RULE", false },
		{ "NEW", false },      { "NEW RULE", false },
	};
	ncg_autotable struct ncg_cli_table *table =
		ncg_cli_table_new(columns, ARRAY_SIZE(columns));
	const json_t *change;
	size_t i;

	printf("%zu of %zu BARs have another verdict\n", json_array_size(changes), bars);
	if (!json_array_size(changes))
		return 0;
	json_array_foreach(changes, i, change) {
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(change, "device"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s:%s",
				  ncg_cli_text(change, "vendor_id"),
				  ncg_cli_text(change, "device_id"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(change, "name"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld", ncg_cli_number(change, "bar"));
		ncg_cli_add_side(table, json_object_get(change, "old"));
		ncg_cli_add_side(table, json_object_get(change, "new"));
	}
	return ncg_cli_table_print(table, stdout, cli->colours, 0);
}

/* Rules that only some processes meet may be hidden from this comparison. */
static bool asks_who_maps(const struct ncg_policy *policy)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].mask.uid || policy->rules[i].cgroup)
			return true;
	return false;
}

static enum ncg_exit check_against(const struct ncg_cli *cli)
{
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *old = NULL;
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *new = NULL;
	ncg_autodevices struct ncg_devices *devices = NULL;
	enum ncg_exit status = ncg_cli_load_policy(cli, cli->against, &old);
	json_t *changes, *document;
	size_t bars, count;
	int r;

	if (!status)
		status = ncg_cli_load_policy(cli, cli->args[0], &new);
	if (!status)
		status = ncg_cli_load_devices(cli, &devices);
	if (status)
		return status;
	changes = json_array();
	r = changes ? compare(cli, devices, old, new, changes, &bars) : -ENOMEM;
	count = json_array_size(changes);
	if (asks_who_maps(old) || asks_who_maps(new))
		ncg_info("there are rules with uid= or cgroup=: compared for uid %llu, cgroup %s",
			 cli->mapper.uid, cli->mapper.cgroup ? cli->mapper.cgroup : "not given");
	if (!r && cli->json) {
		document = json_pack("{s:o, s:o, s:I, s:O}", "old",
				     ncg_json_string(cli->against), "new",
				     ncg_json_string(cli->args[0]), "bars", (json_int_t)bars,
				     "changes", changes);
		r = document ? ncg_cli_print_json(document) : -ENOMEM;
		json_decref(document);
	} else if (!r) {
		r = print_changes(cli, changes, bars);
	}
	json_decref(changes);
	if (r)
		return ncg_cli_fail(r);
	return count ? NCG_EXIT_FINDINGS : NCG_EXIT_OK;
}

enum ncg_exit ncg_cli_check_command(const struct ncg_cli *cli)
{
	if (!cli->against)
		return ncg_cli_check(cli, cli->args, cli->arg_count);
	if (cli->arg_count == 1)
		return check_against(cli);
	ncg_log_error(0, "--against compares with one FILE, not with %zu", cli->arg_count);
	return NCG_EXIT_BAD_INPUT;
}
