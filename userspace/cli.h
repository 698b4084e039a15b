/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ncgate's sub-commands share: their options, and how replies of the daemon
 * become text. Owns nothing. A reply that lacks something is shown with gaps,
 * never refused: a command may be older or newer than the daemon it asks.
 */
#ifndef NCGATE_CLI_H
#define NCGATE_CLI_H

#include <jansson.h>
#include <stdbool.h>

#include "cli_table.h"
#include "device.h"
#include "exit_status.h"
#include "policy.h"
#include "policy_known.h"
#include "trail.h"
#include "verdict.h"

#define NCG_CLI_POLICY_PATH "/etc/ncgate/policy.conf"
#define NCG_CLI_AUDIT_PATH "/var/log/ncgate/audit.jsonl"

/* One invocation. Options that a command does not take have their default. */
struct ncg_cli {
	bool json;
	bool colours;	     /* of standard output */
	const char *control; /* the daemon's socket */
	const char *root;    /* stands for / where the host is looked at; "" */
	const char *policy;
	const char *audit;
	const char *hazards;
	const char *against; /* NULL: not asked for */
	struct ncg_mapper mapper;
	int bar; /* -1: every one */
	bool bound;
	const char *since; /* these: NULL, not asked for */
	const char *until;
	const char *guest;
	const char *device;
	const char *type;
	const char *had;
	bool follow;
	char *const *args; /* what is no option, borrowed */
	size_t arg_count;
};

/* Commands, for ncgate.c's table; each says on standard error what went wrong. */
enum ncg_exit ncg_cli_audit(const struct ncg_cli *cli);
enum ncg_exit ncg_cli_check_command(const struct ncg_cli *cli);
enum ncg_exit ncg_cli_devices(const struct ncg_cli *cli);
enum ncg_exit ncg_cli_doctor(const struct ncg_cli *cli);
enum ncg_exit ncg_cli_explain(const struct ncg_cli *cli);
enum ncg_exit ncg_cli_guests(const struct ncg_cli *cli);
enum ncg_exit ncg_cli_replay(const struct ncg_cli *cli);
enum ncg_exit ncg_cli_status(const struct ncg_cli *cli);
enum ncg_exit ncg_cli_suggest(const struct ncg_cli *cli);
enum ncg_exit ncg_cli_walk(const struct ncg_cli *cli);

/*
 * Checks policy files: what they resolve to on standard output, what is wrong on
 * standard error; with --json an array of what is wrong on standard output, which
 * is empty when nothing is.
 */
enum ncg_exit ncg_cli_check(const struct ncg_cli *cli, char *const *files, size_t count);

/* ------------------------------------------------------ what commands work from */

/*
 * Asks the daemon. NCG_EXIT_OK and *ret_reply, the caller's, or the reason on
 * standard error.
 */
enum ncg_exit ncg_cli_ask(const struct ncg_cli *cli, const char *request, json_t **ret_reply);

/* The same, but where no daemon runs, or only root may ask it, *ret_reply is NULL. */
enum ncg_exit ncg_cli_ask_if_there(const struct ncg_cli *cli, const char *request,
				   json_t **ret_reply);

/*
 * What names of devices stood for when ncgated last put a policy in force. NULL where
 * that is not known, or not to who asks: only root may read it. The caller frees it.
 */
struct ncg_policy_known *ncg_cli_load_known(const struct ncg_cli *cli);

/*
 * Loads a policy file as ncgated would, or says why not as `check` does:
 * NCG_EXIT_BAD_INPUT. Names that pci.ids has lost are warned of.
 */
enum ncg_exit ncg_cli_load_policy(const struct ncg_cli *cli, const char *path,
				  struct ncg_policy **ret_policy);

/* The host's PCI devices with their names; the caller frees them. */
enum ncg_exit ncg_cli_load_devices(const struct ncg_cli *cli, struct ncg_devices **ret_devices);

/*
 * Whether text names the device: DDDD:BB:DD.F, BB:DD.F in domain 0, or
 * VENDOR:DEVICE.
 */
bool ncg_cli_names_device(const char *text, const struct ncg_device *device);

/* ------------------------------------------------------------------- what is shown */

/* Prints any document as --json does; or an object as one line. 0 or -ENOMEM. */
int ncg_cli_print_json(const json_t *json);
int ncg_cli_print_json_line(const json_t *json);

/*
 * Prints a document for people by print, which gets a copy in which all text is visible
 * and may write it down as it is. Returns what print does, or -ENOMEM.
 */
int ncg_cli_print_visible(const struct ncg_cli *cli, const json_t *json,
			  int (*print)(const struct ncg_cli *cli, const json_t *json));

/* Members of a reply: "" and 0 where there is none. */
const char *ncg_cli_text(const json_t *json, const char *key);
long long ncg_cli_number(const json_t *json, const char *key);
bool ncg_cli_is(const json_t *json, const char *key, const char *value);

/*
 * Prints a line on standard output in which words of others may stand: made visible as a
 * whole, so the newline is not part of the format.
 */
__attribute__((format(printf, 1, 2))) void ncg_cli_say(const char *format, ...);

enum ncg_colour ncg_cli_type_colour(const char *type); /* a memory type */
enum ncg_colour ncg_cli_verdict_colour(const char *verdict);

/* A cell of bytes, as a person reads them. */
void ncg_cli_add_bytes(struct ncg_cli_table *table, unsigned long long bytes);

/*
 * One side of a comparison as JSON: the decision, and whether it was acted on; and
 * as two cells, verdict and reason. Reasons alone stand in other tables too.
 */
json_t *ncg_cli_side(const struct ncg_decision *decision, bool acts);
void ncg_cli_add_side(struct ncg_cli_table *table, const json_t *side);
void ncg_cli_add_reason(struct ncg_cli_table *table, const json_t *decision);

/* Says on standard error which lines of the audit trail were skipped. */
void ncg_cli_tell_trail(const struct ncg_cli *cli, const struct ncg_trail *trail);

/* Says that the result could not be made, and returns NCG_EXIT_NOT_POSSIBLE. */
enum ncg_exit ncg_cli_fail(int error);

#endif
