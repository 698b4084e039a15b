// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ncgate's commands work from and how they speak: the second half of cli.h.
 * Owns no state.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cli.h"
#include "control.h"
#include "json.h"
#include "log.h"
#include "policy_file.h"
#include "text.h"

/* ------------------------------------------------------ what commands work from */

static enum ncg_exit no_reply(const char *path, int error)
{
	if (error == -ENOENT || error == -ECONNREFUSED)
		ncg_log_error(0, "ncgated does not run: nothing answers at %s", path);
	else if (error == -EACCES || error == -EPERM)
		ncg_log_error(0, "only root may ask ncgated: %s may not be opened", path);
	else if (error == -ETIMEDOUT)
		ncg_log_error(0, "ncgated at %s did not answer in time", path);
	else if (error == -EBADMSG)
		ncg_log_error(0, "what answers at %s is not ncgated: the reply is not JSON", path);
	else if (error == -ECONNRESET)
		ncg_log_error(0, "ncgated at %s hung up without an answer; its log says why", path);
	else
		ncg_log_error(error, "ncgated cannot be asked at %s", path);
	return NCG_EXIT_NOT_POSSIBLE;
}

/* Takes what the control socket returned; a refusal is told like no reply. */
static enum ncg_exit judge(const struct ncg_cli *cli, int r, json_t *reply, json_t **ret_reply)
{
	const char *error;

	if (r)
		return no_reply(cli->control, r);
	error = json_string_value(json_object_get(reply, "error"));
	if (error) {
		ncg_log_error(0, "ncgated: %s", error);
		json_decref(reply);
		return NCG_EXIT_NOT_POSSIBLE;
	}
	*ret_reply = reply;
	return NCG_EXIT_OK;
}

enum ncg_exit ncg_cli_ask(const struct ncg_cli *cli, const char *request, json_t **ret_reply)
{
	json_t *reply = NULL;
	int r = ncg_control_ask(cli->control, request, &reply);

	return judge(cli, r, reply, ret_reply);
}

enum ncg_exit ncg_cli_ask_if_there(const struct ncg_cli *cli, const char *request,
				   json_t **ret_reply)
{
	json_t *reply = NULL;
	int r;

	*ret_reply = NULL;
	/* The daemon of this host knows nothing of another root. */
	if (*cli->root)
		return NCG_EXIT_OK;
	r = ncg_control_ask(cli->control, request, &reply);
	if (r == -ENOENT || r == -ECONNREFUSED || r == -EACCES || r == -EPERM)
		return NCG_EXIT_OK;
	return judge(cli, r, reply, ret_reply);
}

struct ncg_policy_known *ncg_cli_load_known(const struct ncg_cli *cli)
{
	struct ncg_policy_known *known = NULL;
	ncg_autofree char *path = NULL, *problem = NULL;
	int r;

	if (asprintf(&path, "%s" NCG_POLICY_KNOWN_PATH, cli->root) < 0) {
		path = NULL;
		return NULL;
	}
	r = ncg_policy_known_read(path, &known, &problem);
	if (problem)
		ncg_warning("%s %s; ncgated would not go by it", path, problem);
	return r ? NULL : known;
}

/* One line for all: `check` names each. */
static void warn_of_gone(const struct ncg_policy *policy, const char *path)
{
	size_t gone = 0;

	for (size_t i = 0; i < policy->named_count; i++)
		gone += policy->rules[policy->named[i]].gone;
	if (gone)
		ncg_warning("%s: pci.ids has lost %zu name%s; taken as when the policy was put in "
			    "force", path, gone, gone == 1 ? "" : "s");
}

enum ncg_exit ncg_cli_load_policy(const struct ncg_cli *cli, const char *path,
				  struct ncg_policy **ret_policy)
{
	ncg_cleanup(ncg_policy_errors_freep) struct ncg_policy_errors *errors = NULL;
	ncg_autoknown struct ncg_policy_known *known = ncg_cli_load_known(cli);
	const struct ncg_policy_file_options options = { .known = known };
	ncg_autofree char *lines = NULL;
	int r = ncg_policy_file_load_with(path, &options, ret_policy, &errors);

	if (!r) {
		warn_of_gone(*ret_policy, path);
		return NCG_EXIT_OK;
	}
	if (r == -EINVAL && errors)
		lines = ncg_policy_errors_format(errors);
	if (lines)
		fputs(lines, stderr);
	else
		ncg_log_error(r, "the policy %s cannot be read", path);
	return NCG_EXIT_BAD_INPUT;
}

enum ncg_exit ncg_cli_load_devices(const struct ncg_cli *cli, struct ncg_devices **ret_devices)
{
	ncg_autopcinames struct ncg_pci_names *names = NULL;
	ncg_autofree char *sysfs = NULL;
	int r;

	if (asprintf(&sysfs, "%s/sys", cli->root) < 0) {
		sysfs = NULL;
		return ncg_cli_fail(-ENOMEM);
	}
	r = ncg_devices_read(sysfs, ret_devices);
	if (r) {
		ncg_log_error(r, "PCI devices cannot be read from %s", sysfs);
		return NCG_EXIT_NOT_POSSIBLE;
	}
	if (!ncg_pci_names_open(NULL, &names))
		ncg_devices_name(*ret_devices, names);
	return NCG_EXIT_OK;
}

bool ncg_cli_names_device(const char *text, const struct ncg_device *device)
{
	char id[16];

	snprintf(id, sizeof(id), "%04x:%04x", device->vendor, device->device);
	if (!strcasecmp(text, id) || !strcasecmp(text, device->address))
		return true;
	return !strncmp(device->address, "0000:", 5) && !strcasecmp(text, device->address + 5);
}

/* ------------------------------------------------------------------- what is shown */

const char *ncg_cli_text(const json_t *json, const char *key)
{
	const char *value = json_string_value(json_object_get(json, key));

	return value ? value : "";
}

long long ncg_cli_number(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

bool ncg_cli_is(const json_t *json, const char *key, const char *value)
{
	return !strcmp(ncg_cli_text(json, key), value);
}

/* All printable ASCII, so that no name in it can steer the terminal. */
static int print_json(const json_t *json, size_t flags)
{
	ncg_autofree char *text = json_dumps(json, flags | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);

	if (!text)
		return -ENOMEM;
	for (const char *c = text; *c; c++)
		if (*c == 0x7f) /* which the library leaves as it is */
			fputs("\\u007F", stdout);
		else
			putchar(*c);
	putchar('\n');
	return 0;
}

int ncg_cli_print_json(const json_t *json)
{
	return print_json(json, JSON_INDENT(2) | JSON_ENCODE_ANY);
}

int ncg_cli_print_json_line(const json_t *json)
{
	return print_json(json, JSON_COMPACT);
}

int ncg_cli_print_visible(const struct ncg_cli *cli, const json_t *json,
			  int (*print)(const struct ncg_cli *cli, const json_t *json))
{
	json_t *visible = ncg_json_visible(json);
	int r = visible ? print(cli, visible) : -ENOMEM;

	json_decref(visible);
	return r;
}

void ncg_cli_say(const char *format, ...)
{
	ncg_autofree char *text = NULL, *visible = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		text = NULL;
	else
		visible = ncg_text_visible(text, length);
	puts(visible ? visible : "no memory to say it");
}

enum ncg_colour ncg_cli_verdict_colour(const char *verdict)
{
	if (!strcmp(verdict, "allow"))
		return NCG_COLOUR_GREEN;
	return strcmp(verdict, "deny") ? NCG_COLOUR_YELLOW : NCG_COLOUR_RED;
}

enum ncg_colour ncg_cli_type_colour(const char *type)
{
	return strcmp(type, "normal_nc") ? NCG_COLOUR_NONE : NCG_COLOUR_YELLOW;
}

void ncg_cli_add_bytes(struct ncg_cli_table *table, unsigned long long bytes)
{
	char size[NCG_CLI_BYTES_LEN];

	ncg_cli_format_bytes(bytes, size);
	ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", size);
}

json_t *ncg_cli_side(const struct ncg_decision *decision, bool acts)
{
	json_t *json = json_object();

	ncg_json_put_decision(json, decision);
	json_object_set_new(json, "acts", json_boolean(acts));
	return json;
}

void ncg_cli_add_side(struct ncg_cli_table *table, const json_t *side)
{
	const char *verdict = ncg_cli_text(side, "verdict");

	ncg_cli_table_add(table, ncg_cli_verdict_colour(verdict), "%s%s", verdict,
			  json_is_true(json_object_get(side, "acts")) ? "" : ", recorded only");
	ncg_cli_add_reason(table, side);
}

void ncg_cli_add_reason(struct ncg_cli_table *table, const json_t *decision)
{
	const json_t *rule = json_object_get(decision, "rule");

	if (rule)
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s:%lld", ncg_cli_text(rule, "file"),
				  ncg_cli_number(rule, "line"));
	else
		ncg_cli_table_add(table, NCG_COLOUR_NONE, "%s", ncg_cli_text(decision, "reason"));
}

void ncg_cli_tell_trail(const struct ncg_cli *cli, const struct ncg_trail *trail)
{
	uint64_t all = trail->damaged + trail->foreign;

	for (size_t i = 0; i < trail->named; i++)
		ncg_warning("%s%s%s:%" PRIu64 ": %s; skipped", cli->audit,
			    *trail->bad[i].stamp ? "." : "", trail->bad[i].stamp,
			    trail->bad[i].line, trail->bad[i].why);
	if (all)
		ncg_warning("%s: %" PRIu64 " damaged and %" PRIu64 " foreign lines skipped",
			    cli->audit, trail->damaged, trail->foreign);
	if (trail->lost)
		ncg_warning("%s: %" PRIu64 " events were lost before they could be recorded",
			    cli->audit, trail->lost);
	if (trail->missing)
		ncg_warning("%s: %" PRIu64 " files that go before are not there; the trail is whole "
			    "from %s on", cli->audit, trail->missing, trail->whole_since);
}

enum ncg_exit ncg_cli_fail(int error)
{
	ncg_log_error(error, "the result cannot be made");
	return NCG_EXIT_NOT_POSSIBLE;
}
