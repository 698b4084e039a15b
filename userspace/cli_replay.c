// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ncgate replay`: every recorded decision once more, by another policy. What would
 * have differed is shown once for each guest, BAR and change, with how often; repeats
 * that the trail only counts are counted with the decision that they repeat. A decision
 * whose cgroup is not recorded, and that depends on it, is neither the same nor another:
 * it is counted apart. Owns the tally while it runs. A trail's bad lines are told and do
 * not stop it.
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
#include "policy_explain.h"
#include "trail.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

struct replay {
	const struct ncg_policy *policy;
	json_t *differences; /* by what they have in common, in order of the first */
	json_t *latest;	     /* by guest and BAR: the key of its difference, "" for none */
	uint64_t decisions;
	uint64_t differ;
	uint64_t undecided;
};

/* By an unknown cgroup: what it is compared with, and what the rules can say. */
struct possible {
	bool same;
	bool other;
};

/* Whether a verdict reached the kernel: in mode enforce, and with something there. */
static bool acted(const struct ncg_decision *decision)
{
	return ncg_verdict_acts(decision) && decision->grade != NCG_GRADE_NONE;
}

/* Counts a difference, with those that are the same but for their time; ret_key is its. */
static const char *count_difference(struct replay *replay, const struct ncg_trail_decision *then,
				    const struct ncg_decision *now, char **ret_key)
{
	static const char no_memory[] = "no memory for it";
	ncg_autofree char *key = NULL;
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
	*ret_key = ncg_take_ptr(key);
	return NULL;
}

static void decide(const struct replay *replay, const struct ncg_trail_decision *then,
		   const char *cgroup, struct ncg_decision *ret_now)
{
	ncg_verdict_decide(replay->policy, &then->tuple, cgroup, ret_now);
	/* What the host could enforce then, it could under any policy. */
	ret_now->grade = then->decision.grade;
}

static bool same(const struct ncg_decision *now, const struct ncg_decision *then)
{
	return now->verdict == then->verdict && acted(now) == acted(then);
}

static void add_possible(struct possible *possible, const struct ncg_trail_decision *then,
			 enum ncg_verdict verdict, bool audit, enum ncg_mode mode)
{
	const struct ncg_decision now = {
		.verdict = verdict, .audit = audit, .mode = mode, .grade = then->decision.grade,
	};

	if (same(&now, &then->decision))
		possible->same = true;
	else
		possible->other = true;
}

/* All that the policy can say, in whatever cgroup the process was. */
static struct possible by_any_cgroup(const struct ncg_policy *policy,
				     const struct ncg_trail_decision *then)
{
	struct possible possible = {};

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[i];
		enum ncg_field differs = ncg_policy_explain_rule(rule, &then->tuple, NULL);

		if (differs != NCG_FIELD_NONE && differs != NCG_FIELD_CGROUP)
			continue;
		add_possible(&possible, then, rule->verdict, rule->audit, policy->mode);
		/* The root's is every process's. */
		if (differs == NCG_FIELD_NONE || (rule->cgroup && !strcmp(rule->cgroup, "/")))
			return possible;
	}
	add_possible(&possible, then, policy->fallback, false, policy->mode);
	return possible;
}

/* "GUEST SLOT BAR" of a record or of a part of one; for the caller to free. */
static char *latest_key(const json_t *part)
{
	const json_t *device = json_object_get(part, "device");
	char *key;

	if (asprintf(&key, "%s %s %lld", ncg_cli_text(json_object_get(part, "guest"), "id"),
		     ncg_cli_text(device, "slot"), ncg_cli_number(device, "bar")) < 0)
		return NULL;
	return key;
}

/* The very text that decided then says now what it said, whatever is not recorded. */
static bool same_text(const struct ncg_policy *policy, const json_t *record)
{
	json_t *sha256 = ncg_json_sha256(policy->sha256);
	bool equal = json_equal(sha256, json_object_get(json_object_get(record, "policy"),
							"sha256"));

	json_decref(sha256);
	return equal;
}

static const char *replay_decision(void *arg, const json_t *record)
{
	struct replay *replay = arg;
	ncg_autofree char *key = NULL, *of = latest_key(record);
	struct ncg_trail_decision then;
	struct ncg_decision now;
	const char *wrong = ncg_trail_decision(record, &then);
	struct possible possible = {};

	if (wrong)
		return wrong;
	replay->decisions++;
	/* An empty one is that of a process that was gone when it was looked at. */
	if (then.cgroup && *then.cgroup) {
		decide(replay, &then, then.cgroup, &now);
		possible.other = !same(&now, &then.decision);
		possible.same = !possible.other;
	} else {
		decide(replay, &then, NULL, &now);
		possible = by_any_cgroup(replay->policy, &then);
		if (same_text(replay->policy, record))
			possible = (struct possible){ .same = true };
	}
	if (possible.other && possible.same) {
		replay->undecided++;
	} else if (possible.other) {
		replay->differ++;
		wrong = count_difference(replay, &then, &now, &key);
	}
	if (of)
		json_object_set_new(replay->latest, of,
				    possible.other && possible.same ? json_null() :
								      json_string(key ? key : ""));
	return wrong;
}

/* Repeats of a decision are as it is. Of what is beyond an allowance nothing is known. */
static const char *replay_repeats(void *arg, const json_t *record)
{
	struct replay *replay = arg;
	const json_t *part;
	size_t i;

	json_array_foreach(json_object_get(record, "of"), i, part) {
		ncg_autofree char *of = latest_key(part);
		const json_t *latest = of ? json_object_get(replay->latest, of) : NULL;
		json_int_t count = ncg_cli_number(part, "count");
		json_t *entry;

		if (!latest || count < 1 || !ncg_cli_is(part, "type", "decision") ||
		    !ncg_cli_is(part, "why", "repeat"))
			continue;
		replay->decisions += count;
		if (json_is_null(latest))
			replay->undecided += count;
		entry = json_is_string(latest) ?
				json_object_get(replay->differences, json_string_value(latest)) :
				NULL;
		if (!entry)
			continue;
		replay->differ += count;
		json_object_set_new(entry, "last", json_string(ncg_cli_text(part, "until")));
		json_object_set_new(entry, "count",
				    json_integer(ncg_cli_number(entry, "count") + count));
	}
	return NULL;
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
	document = json_pack("{s:o, s:o, s:I, s:I, s:I, s:o, s:o}", "policy",
			     ncg_json_string(cli->args[0]), "audit",
			     ncg_json_string(cli->audit), "decisions",
			     (json_int_t)replay->decisions, "differ", (json_int_t)replay->differ,
			     "undecided", (json_int_t)replay->undecided, "differences", list,
			     "trail", ncg_trail_json(trail));
	r = document ? ncg_cli_print_json(document) : -ENOMEM;
	json_decref(document);
	return r;
}

enum ncg_exit ncg_cli_replay(const struct ncg_cli *cli)
{
	static const struct ncg_trail_wanted wanted[] = {
		{ "decision", replay_decision }, { "repeats", replay_repeats }, { NULL, NULL },
	};
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	enum ncg_exit status = ncg_cli_load_policy(cli, cli->args[0], &policy);
	struct replay replay = { .policy = policy };
	struct ncg_trail trail;
	int r;

	if (status)
		return status;
	replay.differences = json_object();
	replay.latest = json_object();
	r = ncg_trail_read(cli->audit, wanted, &replay, &trail);
	json_decref(replay.latest);
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
		if (replay.undecided)
			printf("%" PRIu64 " cannot be told: rules ask for a cgroup, and that of "
			       "the process is not recorded\n", replay.undecided);
		if (replay.differ)
			r = print_differences(cli, replay.differences);
	}
	json_decref(replay.differences);
	if (r)
		return ncg_cli_fail(r);
	return replay.differ ? NCG_EXIT_FINDINGS : NCG_EXIT_OK;
}
