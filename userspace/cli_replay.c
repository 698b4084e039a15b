// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ncgate replay`: every recorded decision once more, by another policy. What would
 * have differed is shown once for each guest, BAR and change, with how often. Owns
 * the tally while it runs. A trail's bad lines are told and do not stop it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "cli.h"
#include "json.h"
#include "log.h"
#include "names.h"
#include "trail.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

struct replay {
	const struct ncg_policy *policy;
	json_t *differences; /* by what they have in common, in order of the first */
	uint64_t decisions;
	uint64_t differ;
};

/* Whether a verdict reached the kernel: in mode enforce, and with something there. */
static bool acted(const struct ncg_decision *decision)
{
	return ncg_verdict_acts(decision) && decision->grade != NCG_GRADE_NONE;
}

/* Counts a difference, with those that are the same but for their time. */
static const char *count_difference(struct replay *replay, const struct ncg_trail_decision *then,
				    const struct ncg_decision *now)
{
	static const char no_memory[] = "no memory for it";
	ncg_autofree char *key = NULL, *what = NULL;
	json_t *entry, *recorded = ncg_cli_side(&then->decision, acted(&then->decision)),
	       *replayed = ncg_cli_side(now, acted(now));
	char vendor[8], device[8];

	snprintf(vendor, sizeof(vendor), "%04x", then->tuple.vendor);
	snprintf(device, sizeof(device), "%04x", then->tuple.device);
	entry = json_pack("{s:s, s:I, s:s?, s:s, s:s, s:s, s:s, s:i, s:o, s:o}", "guest",
			  then->guest, "uid", (json_int_t)then->tuple.uid, "cgroup", then->cgroup,
			  "device", then->slot, "vendor_id", vendor, "device_id", device, "name",
			  then->name, "bar", (int)then->tuple.bar, "recorded", recorded, "replayed",
			  replayed);
	key = entry ? json_dumps(entry, JSON_COMPACT) : NULL;
	if (!key) {
		json_decref(entry);
		return no_memory;
	}
	if (json_object_get(replay->differences, key)) {
		json_decref(entry);
		entry = json_object_get(replay->differences, key);
	} else {
		json_object_set_new(entry, "count", json_integer(0));
		json_object_set_new(entry, "first", json_string(then->time));
		if (json_object_set_new(replay->differences, key, entry))
			return no_memory;
	}
	json_object_set_new(entry, "last", json_string(then->time));
	json_integer_set(json_object_get(entry, "count"),
			 json_integer_value(json_object_get(entry, "count")) + 1);
	return NULL;
}

static const char *replay_decision(void *arg, const json_t *record)
{
	struct replay *replay = arg;
	struct ncg_trail_decision then;
	struct ncg_decision now;
	const char *wrong = ncg_trail_decision(record, &then);

	if (wrong)
		return wrong;
	replay->decisions++;
	ncg_verdict_decide(replay->policy, &then.tuple, then.cgroup, &now);
	/* What the host could enforce then, it could under any policy. */
	now.grade = then.decision.grade;
	if (now.verdict == then.decision.verdict && acted(&now) == acted(&then.decision))
		return NULL;
	replay->differ++;
	return count_difference(replay, &then, &now);
}

/* ------------------------------------------------------------------------ shown */

static int print_differences(const struct ncg_cli *cli, json_t *differences)
{
	static const struct ncg_cli_column columns[] = {
		{ "TIMES", true },     { "LAST", false },     { "GUEST", false },
		{ "DEVICE", false },   { "ID", false },	      { "BAR", true },
		{ "RECORDED", false }, { "BY", false },	      { "REPLAYED", false },
		{ "BY", false },
	};
	ncg_autotable struct ncg_cli_table *table =
		ncg_cli_table_new(columns, ARRAY_SIZE(columns));
	const char *key;
	json_t *entry;

	json_object_foreach(differences, key, entry) {
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld", ncg_cli_number(entry, "count"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(entry, "last"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(entry, "guest"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(entry, "device"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s:%s", ncg_cli_text(entry, "vendor_id"),
				  ncg_cli_text(entry, "device_id"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%lld", ncg_cli_number(entry, "bar"));
		ncg_cli_add_side(table, json_object_get(entry, "recorded"));
		ncg_cli_add_side(table, json_object_get(entry, "replayed"));
	}
	return ncg_cli_table_print(table, stdout, cli->colours, 0);
}

static int print_json(const struct ncg_cli *cli, const struct replay *replay,
		      const struct ncg_trail *trail)
{
	json_t *list = json_array(), *document, *entry;
	const char *key;
	int r;

	json_object_foreach(replay->differences, key, entry)
		json_array_append(list, entry);
	document = json_pack("{s:o, s:o, s:I, s:I, s:o, s:o}", "policy",
			     ncg_json_string(cli->args[0]), "audit",
			     ncg_json_string(cli->audit), "decisions",
			     (json_int_t)replay->decisions, "differ", (json_int_t)replay->differ,
			     "differences", list, "trail", ncg_trail_json(trail));
	r = document ? ncg_cli_print_json(document) : -ENOMEM;
	json_decref(document);
	return r;
}

enum ncg_exit ncg_cli_replay(const struct ncg_cli *cli)
{
	static const struct ncg_trail_wanted wanted[] = {
		{ "decision", replay_decision }, { NULL, NULL },
	};
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	enum ncg_exit status = ncg_cli_load_policy(cli, cli->args[0], &policy);
	struct replay replay = { .policy = policy };
	struct ncg_trail trail;
	int r;

	if (status)
		return status;
	replay.differences = json_object();
	r = ncg_trail_read(cli->audit, wanted, &replay, &trail);
	if (r) {
		json_decref(replay.differences);
		ncg_log_error(r, "the audit trail %s cannot be read", cli->audit);
		return NCG_EXIT_BAD_INPUT;
	}
	ncg_cli_tell_trail(cli, &trail);
	if (cli->json) {
		r = print_json(cli, &replay, &trail);
	} else {
		printf("%" PRIu64 " of %" PRIu64 " recorded decisions would have differed\n",
		       replay.differ, replay.decisions);
		if (replay.differ)
			r = print_differences(cli, replay.differences);
	}
	json_decref(replay.differences);
	if (r)
		return ncg_cli_fail(r);
	return replay.differ ? NCG_EXIT_FINDINGS : NCG_EXIT_OK;
}
