// SPDX-License-Identifier: GPL-2.0-only
/*
 * `ncgate explain`: the verdict on a device's BARs by a policy file, with every rule
 * that was looked at before and what kept it from matching. BARs about which the
 * same is to be said stand together. Owns no state.
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
#include "policy_explain.h"
#include "text_file.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------- rules in their own words */

/* The text of one policy file, cut into lines. */
struct source {
	char *text;
	char **lines;
	size_t count;
};

static void sources_free(struct source *sources, size_t count)
{
	for (size_t i = 0; sources && i < count; i++) {
		free(sources[i].text);
		free(sources[i].lines);
	}
	free(sources);
}

static int cut(struct source *source)
{
	char *rest = source->text, *line;

	while ((line = strsep(&rest, "\n"))) {
		char **lines = reallocarray(source->lines, source->count + 1, sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		source->lines = lines;
		lines[source->count++] = line;
	}
	return 0;
}

/* Files of a policy; one that changed or went meanwhile leaves its rules textless. */
static struct source *sources_read(const struct ncg_policy *policy)
{
	struct source *sources = calloc(policy->file_count + 1, sizeof(*sources));
	size_t size;

	for (size_t i = 0; sources && i < policy->file_count; i++)
		if (!ncg_text_file_read(policy->paths[i], NCG_POLICY_SIZE_MAX, &sources[i].text,
					&size) &&
		    cut(&sources[i])) {
			sources_free(sources, policy->file_count);
			return NULL;
		}
	return sources;
}

/* Without blanks and comment around it, written into room. */
static const char *rule_text(const struct source *sources, const struct ncg_policy_rule *rule,
			     char *room, size_t size)
{
	const struct source *source = &sources[rule->file];
	const char *line;
	size_t length;

	if (!rule->line || rule->line > source->count)
		return "";
	line = source->lines[rule->line - 1];
	line += strspn(line, " \t");
	length = strcspn(line, "#\r");
	while (length && strchr(" \t", line[length - 1]))
		length--;
	snprintf(room, size, "%.*s", (int)length, line);
	return room;
}

/* --------------------------------------------------------------- why a rule is not it */

/* What a field holds and what a rule asks for, in so many hexadecimal digits. */
struct ids {
	int digits; /* 0: it is no such field */
	unsigned int is;
	unsigned int wanted;
};

static struct ids ids_of(const struct ncg_tuple *t, const struct ncg_tuple *v,
			 enum ncg_field field)
{
	switch (field) {
	case NCG_FIELD_VENDOR:
		return (struct ids){ 4, t->vendor, v->vendor };
	case NCG_FIELD_DEVICE:
		return (struct ids){ 4, t->device, v->device };
	case NCG_FIELD_SUBVENDOR:
		return (struct ids){ 4, t->subvendor, v->subvendor };
	case NCG_FIELD_SUBDEVICE:
		return (struct ids){ 4, t->subdevice, v->subdevice };
	case NCG_FIELD_DOMAIN:
		return (struct ids){ 4, t->domain, v->domain };
	case NCG_FIELD_BUS:
		return (struct ids){ 2, t->bus, v->bus };
	case NCG_FIELD_SLOT:
		return (struct ids){ 2, t->devfn >> 3, v->devfn >> 3 };
	case NCG_FIELD_FUNCTION:
		return (struct ids){ 1, t->devfn & 7, v->devfn & 7 };
	default:
		return (struct ids){};
	}
}

static void describe(const struct ncg_policy_rule *rule, const struct ncg_tuple *t,
		     const char *cgroup, enum ncg_field field, char *ret_why, size_t size)
{
	const char *name = ncg_policy_explain_field(field);
	struct ids ids = ids_of(t, &rule->value, field);

	if (field == NCG_FIELD_NONE)
		snprintf(ret_why, size, "matches");
	else if (ids.digits)
		snprintf(ret_why, size, "%s is %0*x, not %0*x", name, ids.digits, ids.is,
			 ids.digits, ids.wanted);
	else if (field == NCG_FIELD_CLASS)
		/* How much of a class counts is in the rule's text. */
		snprintf(ret_why, size, "%s is %06x", name, t->class_code);
	else if (field == NCG_FIELD_BAR)
		snprintf(ret_why, size, "%s %u is not in its list", name, t->bar);
	else if (field == NCG_FIELD_UID)
		snprintf(ret_why, size, "%s is %llu, not %llu", name, t->uid, rule->value.uid);
	else if (field == NCG_FIELD_CGROUP && cgroup)
		snprintf(ret_why, size, "%s %s is not within %s", name, cgroup, rule->cgroup);
	else
		snprintf(ret_why, size, "%s is not given", name);
}

/* ----------------------------------------------------------------------- one BAR */

struct explainer {
	const struct ncg_cli *cli;
	const struct ncg_policy *policy;
	struct source *sources;
};

/* How many rules are looked at for a BAR, the deciding one included. */
static size_t looked_at(const struct explainer *e, const struct ncg_tuple *tuple)
{
	struct ncg_explanation why;

	ncg_policy_explain(e->policy, tuple, e->cli->mapper.cgroup, &why);
	return why.rule + (why.reason == NCG_REASON_RULE);
}

static json_t *rules_json(const struct explainer *e, const struct ncg_tuple *tuple)
{
	const char *cgroup = e->cli->mapper.cgroup;
	size_t count = looked_at(e, tuple);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct ncg_policy_rule *rule = &e->policy->rules[i];
		enum ncg_field field = ncg_policy_explain_rule(rule, tuple, cgroup);
		char text[NCG_POLICY_LINE_MAX + 1], why[512];

		describe(rule, tuple, cgroup, field, why, sizeof(why));
		json_array_append_new(
			list,
			json_pack("{s:o, s:I, s:o, s:s, s:b, s:s?, s:o}", "file",
				  ncg_json_string(e->policy->paths[rule->file]), "line",
				  (json_int_t)rule->line, "text",
				  ncg_json_string(rule_text(e->sources, rule, text,
							      sizeof(text))),
				  "verdict", ncg_names_verdict(rule->verdict), "matches",
				  field == NCG_FIELD_NONE, "differs",
				  field == NCG_FIELD_NONE ? NULL : ncg_policy_explain_field(field),
				  "why", ncg_json_string(why)));
	}
	return list;
}

static json_t *bar_json(const struct explainer *e, const struct ncg_device *device,
			unsigned int bar)
{
	struct ncg_tuple tuple = ncg_verdict_tuple(device, bar, &e->cli->mapper);
	json_t *json = json_pack("{s:[i]}", "bars", (int)bar);
	struct ncg_decision decision;

	ncg_verdict_bar(e->policy, device, bar, &e->cli->mapper, &decision);
	ncg_json_put_decision(json, &decision);
	json_object_set_new(json, "mode", json_string(ncg_names_mode(decision.mode)));
	json_object_set_new(json, "acts", json_boolean(ncg_verdict_acts(&decision)));
	json_object_set_new(json, "rules", rules_json(e, &tuple));
	return json;
}

/* Whether two BARs differ in nothing but their number. */
static bool same(json_t *a, json_t *b)
{
	static const char *const members[] = { "verdict", "reason", "rule", "rules" };

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		json_t *x = json_object_get(a, members[i]), *y = json_object_get(b, members[i]);

		if (x != y && (!x || !y || !json_equal(x, y)))
			return false;
	}
	return true;
}

static void add_bar(json_t *list, json_t *bar)
{
	json_t *other;
	size_t i;

	json_array_foreach(list, i, other)
		if (same(other, bar)) {
			json_array_extend(json_object_get(other, "bars"),
					  json_object_get(bar, "bars"));
			json_decref(bar);
			return;
		}
	json_array_append_new(list, bar);
}

/* A device that is not in this host may have any BAR. */
static json_t *device_json(const struct explainer *e, const struct ncg_device *device)
{
	bool present = *device->address;
	json_t *json = ncg_json_device(device), *bars = json_array();

	for (unsigned int bar = 0; bar < NCG_DEVICE_BARS; bar++)
		if (e->cli->bar >= 0 ? (unsigned int)e->cli->bar == bar
				     : !present || ncg_verdict_has_bar(device, bar))
			add_bar(bars, bar_json(e, device, bar));
	json_object_set_new(json, "present", json_boolean(present));
	json_object_set_new(json, "verdicts", bars);
	return json;
}

/* ------------------------------------------------------------------ for a person */

static int print_rules(const struct ncg_cli *cli, const json_t *rules)
{
	static const struct ncg_cli_column columns[] = {
		{ "RULE", false }, { "TEXT", false }, { "WHY", false },
	};
	ncg_autotable struct ncg_cli_table *table =
		ncg_cli_table_new(columns, ARRAY_SIZE(columns));
	const json_t *rule;
	size_t i;

	if (!json_array_size(rules)) {
		puts("  there is no rule");
		return 0;
	}
	json_array_foreach(rules, i, rule) {
		bool matches = json_is_true(json_object_get(rule, "matches"));

		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s:%lld", ncg_cli_text(rule, "file"),
				  ncg_cli_number(rule, "line"));
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(rule, "text"));
		ncg_cli_table_add(table, matches ? NCG_COLOUR_BOLD : NCG_COLOUR_NONE, "%s",
				  ncg_cli_text(rule, "why"));
	}
	return ncg_cli_table_print(table, stdout, cli->colours, 2);
}

static int print_verdict(const struct ncg_cli *cli, const json_t *json)
{
	const json_t *bars = json_object_get(json, "bars");
	const json_t *rule = json_object_get(json, "rule"), *bar;
	const char *verdict = ncg_cli_text(json, "verdict");
	size_t i;

	printf("BAR");
	json_array_foreach(bars, i, bar)
		printf("%s %lld", i ? "," : "", (long long)json_integer_value(bar));
	printf(": ");
	ncg_cli_print(stdout, cli->colours, ncg_cli_verdict_colour(verdict), verdict);
	if (rule)
		printf(" by %s:%lld", ncg_cli_text(rule, "file"), ncg_cli_number(rule, "line"));
	else
		printf(" by default: no rule matches");
	puts(json_is_true(json_object_get(json, "acts")) ? "" : "; recorded only");
	return print_rules(cli, json_object_get(json, "rules"));
}

static int print_device(const struct ncg_cli *cli, const json_t *device)
{
	const json_t *verdicts = json_object_get(device, "verdicts"), *verdict;
	bool present = json_is_true(json_object_get(device, "present"));
	const char *name = ncg_cli_text(device, "name"), *driver = ncg_cli_text(device, "driver");
	size_t i;
	int r = 0;

	printf("%s%s%s:%s", present ? ncg_cli_text(device, "device") : "", present ? " " : "",
	       ncg_cli_text(device, "vendor_id"), ncg_cli_text(device, "device_id"));
	if (present)
		printf("%s%s, %s\n", *name ? " " : "", name, *driver ? driver : "no driver");
	else
		puts(", not in this host: subsystem, class and slot are taken as 0");
	if (!json_array_size(verdicts))
		puts("no BAR that could be mapped");
	json_array_foreach(verdicts, i, verdict)
		r = r ? r : print_verdict(cli, verdict);
	return r;
}

/* ------------------------------------------------------------------------ command */

/* "10de:2342" of a device that need not be here. */
static bool parse_id(const char *text, struct ncg_device *ret_device)
{
	unsigned int vendor, id;
	char extra;

	if (strlen(text) != 9 || sscanf(text, "%4x:%4x%c", &vendor, &id, &extra) != 2)
		return false;
	*ret_device = (struct ncg_device){ .vendor = vendor, .device = id, .iommu_group = -1 };
	return true;
}

static json_t *explain(const struct explainer *e, const struct ncg_devices *devices)
{
	const char *wanted = e->cli->args[0];
	json_t *list = json_array();
	struct ncg_device absent;

	for (size_t i = 0; devices && i < devices->count; i++)
		if (ncg_cli_names_device(wanted, &devices->list[i]))
			json_array_append_new(list, device_json(e, &devices->list[i]));
	if (!json_array_size(list) && parse_id(wanted, &absent))
		json_array_append_new(list, device_json(e, &absent));
	return list;
}

enum ncg_exit ncg_cli_explain(const struct ncg_cli *cli)
{
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	ncg_autodevices struct ncg_devices *devices = NULL;
	struct explainer e = { .cli = cli };
	enum ncg_exit status = ncg_cli_load_policy(cli, cli->policy, &policy);
	json_t *list, *device, *document;
	size_t i;
	int r = 0;

	if (!status)
		status = ncg_cli_load_devices(cli, &devices);
	if (status)
		return status;
	e.policy = policy;
	e.sources = sources_read(policy);
	list = e.sources ? explain(&e, devices) : NULL;
	sources_free(e.sources, policy->file_count);
	if (!list)
		return ncg_cli_fail(-ENOMEM);
	if (!json_array_size(list)) {
		ncg_log_error(0, "'%s' is no device of this host; expected a slot as in "
				 "`ncgate devices`, or VENDOR:DEVICE", cli->args[0]);
		json_decref(list);
		return NCG_EXIT_BAD_INPUT;
	}
	if (cli->json) {
		document = json_pack("{s:o, s:O}", "policy", ncg_json_string(cli->policy),
				     "devices", list);
		r = document ? ncg_cli_print_json(document) : -ENOMEM;
		json_decref(document);
	} else {
		json_array_foreach(list, i, device)
			r = r ? r : ncg_cli_print_visible(cli, device, print_device);
	}
	json_decref(list);
	return r ? ncg_cli_fail(r) : NCG_EXIT_OK;
}
