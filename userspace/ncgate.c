// SPDX-License-Identifier: GPL-2.0-only
/*
 * ncgate, the operator's command: asks the daemon, looks at the host and works on
 * policies. It changes nothing and owns nothing; this file is its command line, the
 * commands are in cli_*.c. Results go to standard output, everything else to
 * standard error; exit_status.h says what the exit status means.
 */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli.h"
#include "control.h"
#include "hazards.h"
#include "log.h"

#define EXIT_STATUS                                                                \
	"Exit status: 0 fine, 1 findings, 2 bad input or usage, 3 not possible on " \
	"this host (ncgated does not run, for example)."

/* What follows \v, argp prints below the options. */
#define BELOW "\v"

/* Which options a command takes, besides --json. */
enum {
	TAKES_CONTROL = 1 << 0,
	TAKES_POLICY = 1 << 1,
	TAKES_AUDIT = 1 << 2,
	TAKES_HAZARDS = 1 << 3,
	TAKES_AGAINST = 1 << 4,
	TAKES_BAR = 1 << 5,
	TAKES_MAPPER = 1 << 6,
	TAKES_BOUND = 1 << 7,
	TAKES_ROOT = 1 << 8,
	TAKES_RECORDS = 1 << 9,
};

struct command {
	const char *name;
	const char *help; /* in the list of commands */
	const char *doc;
	const char *args_doc; /* NULL: it takes no arguments */
	const char *needs;    /* what the first argument is; NULL: it needs none */
	unsigned int max_args;
	unsigned int takes;
	enum ncg_exit (*run)(const struct ncg_cli *cli);
};

#define ANY_NUMBER UINT_MAX

static const struct command commands[] = {
	{ "status", "what is enforced, and whether all is well",
	  "Show the grade of enforcement, the policy in force, what is not attached and what "
	  "was counted." BELOW EXIT_STATUS,
	  NULL, NULL, 0, TAKES_CONTROL, ncg_cli_status },
	{ "guests", "which guest maps what, with which memory type",
	  "Show what every guest's stage-2 tables hold, by device, BAR and memory type."
	  BELOW EXIT_STATUS,
	  NULL, NULL, 0, TAKES_CONTROL, ncg_cli_guests },
	{ "walk", "one guest's live tables, range by range",
	  "Walk the stage-2 tables of one guest, named by id, PID, name or UUID, and show every "
	  "range that is no RAM: guest-physical and host-physical address, size, level, memory "
	  "type, device and BAR; RAM as a sum." BELOW EXIT_STATUS,
	  "GUEST", "the guest to walk", 1, TAKES_CONTROL, ncg_cli_walk },
	{ "devices", "every device that a guest can have, verdict and use",
	  "Show the BARs of every device that can be passed to a guest (or of those named by "
	  "slot or VENDOR:DEVICE), the policy's verdict with its rule, and the memory types "
	  "that guests have. Without ncgated the verdicts are the policy file's and nothing is "
	  "observed." BELOW EXIT_STATUS,
	  "[DEVICE...]", NULL, ANY_NUMBER, TAKES_CONTROL | TAKES_POLICY | TAKES_BOUND | TAKES_ROOT,
	  ncg_cli_devices },
	{ "check", "check policy files and show what they resolve to",
	  "Check policy files as ncgated would read them, and show what they resolve to. "
	  "Needs no daemon. Errors go to standard error; with --json they are an array on "
	  "standard output. With --against, show instead which devices of this host have "
	  "another verdict under the one FILE than under OLD." BELOW EXIT_STATUS,
	  "FILE...", "the policy to check", ANY_NUMBER, TAKES_AGAINST | TAKES_MAPPER | TAKES_ROOT,
	  ncg_cli_check_command },
	{ "explain", "why a device gets its verdict",
	  "Show the verdict on a device's BARs, the rule that decides, and every rule before "
	  "it with what keeps it from matching. DEVICE is a slot or VENDOR:DEVICE, which need "
	  "not be in this host." BELOW EXIT_STATUS,
	  "DEVICE", "the device to explain", 1,
	  TAKES_POLICY | TAKES_BAR | TAKES_MAPPER | TAKES_ROOT, ncg_cli_explain },
	{ "replay", "what a policy would have decided so far",
	  "Decide every recorded decision again by the policy FILE, and show what would have "
	  "differed." BELOW EXIT_STATUS,
	  "FILE", "the policy to try", 1, TAKES_AUDIT, ncg_cli_replay },
	{ "suggest", "allow lines from what guests have used",
	  "Print allow lines for the BARs that guests had as Normal-NC, by the audit trail and "
	  "by what is observed now, as text for policy.conf." BELOW EXIT_STATUS,
	  NULL, NULL, 0, TAKES_CONTROL | TAKES_POLICY | TAKES_AUDIT | TAKES_ROOT,
	  ncg_cli_suggest },
	{ "audit", "what the audit trail says of whom and when",
	  "Print the records of the audit trail, or of those about a guest (name, UUID, id or "
	  "PID), a device (slot or VENDOR:DEVICE), a type or a time. With --had, show instead "
	  "which guests had BARs mapped with a memory type (normal_nc, for example), from when "
	  "to when and by which rule; then times choose who had one at any moment between them. "
	  "TIME is YYYY-MM-DD[ HH:MM[:SS]][Z], or how long ago as 90s, 5m, 2h or 3d."
	  BELOW EXIT_STATUS,
	  NULL, NULL, 0, TAKES_AUDIT | TAKES_RECORDS, ncg_cli_audit },
	{ "doctor", "what this host has, lacks and endangers",
	  "Show everything that ncgate needs of the host, what is missing and what follows "
	  "from it, and the known hazards of its parts." BELOW EXIT_STATUS,
	  NULL, NULL, 0, TAKES_CONTROL | TAKES_POLICY | TAKES_HAZARDS | TAKES_ROOT,
	  ncg_cli_doctor },
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

struct invocation {
	struct ncg_cli cli;
	const struct command *command;
};

enum {
	OPTION_CONTROL = 256, OPTION_JSON, OPTION_POLICY, OPTION_AUDIT, OPTION_HAZARDS,
	OPTION_AGAINST, OPTION_BAR, OPTION_UID, OPTION_CGROUP, OPTION_BOUND, OPTION_ROOT,
	OPTION_SINCE, OPTION_UNTIL, OPTION_GUEST, OPTION_DEVICE, OPTION_TYPE, OPTION_HAD,
	OPTION_FOLLOW,
};

static const struct {
	unsigned int takes; /* 0: every command */
	struct argp_option option;
} options[] = {
	{ 0, { "json", OPTION_JSON, NULL, 0, "Print JSON, with exact numbers", 0 } },
	{ TAKES_CONTROL,
	  { "control", OPTION_CONTROL, "PATH", 0, "Socket of ncgated (" NCG_CONTROL_PATH ")", 0 } },
	{ TAKES_POLICY,
	  { "policy", OPTION_POLICY, "FILE", 0, "Policy file (" NCG_CLI_POLICY_PATH ")", 0 } },
	{ TAKES_AUDIT,
	  { "audit", OPTION_AUDIT, "FILE", 0, "Audit trail (" NCG_CLI_AUDIT_PATH ")", 0 } },
	{ TAKES_HAZARDS,
	  { "hazards", OPTION_HAZARDS, "FILE", 0, "Table of hazards (" NCG_HAZARDS_PATH ")", 0 } },
	{ TAKES_AGAINST,
	  { "against", OPTION_AGAINST, "OLD", 0, "The policy to compare with", 0 } },
	{ TAKES_BAR, { "bar", OPTION_BAR, "N", 0, "This BAR alone, 0 to 5", 0 } },
	{ TAKES_MAPPER,
	  { "uid", OPTION_UID, "N", 0, "User of the process that maps (0)", 0 } },
	{ TAKES_MAPPER,
	  { "cgroup", OPTION_CGROUP, "PATH", 0, "Its cgroup, below /sys/fs/cgroup", 0 } },
	{ TAKES_BOUND,
	  { "bound", OPTION_BOUND, NULL, 0, "Only what is bound to VFIO or in a guest", 0 } },
	{ TAKES_RECORDS, { "since", OPTION_SINCE, "TIME", 0, "From this time on", 0 } },
	{ TAKES_RECORDS, { "until", OPTION_UNTIL, "TIME", 0, "Up to this time", 0 } },
	{ TAKES_RECORDS, { "guest", OPTION_GUEST, "GUEST", 0, "Of this guest", 0 } },
	{ TAKES_RECORDS, { "device", OPTION_DEVICE, "DEVICE", 0, "Of this device", 0 } },
	{ TAKES_RECORDS, { "type", OPTION_TYPE, "TYPE", 0, "Records of this type", 0 } },
	{ TAKES_RECORDS,
	  { "had", OPTION_HAD, "MEMORY-TYPE", 0, "Who had BARs mapped so, and when", 0 } },
	{ TAKES_RECORDS,
	  { "follow", OPTION_FOLLOW, NULL, 0, "Go on with records as they come", 0 } },
	/* For tests, and to look at what was collected from another host. */
	{ TAKES_ROOT,
	  { "root", OPTION_ROOT, "DIR", OPTION_HIDDEN, "Look for /sys and /proc there", 0 } },
};

#define OPTIONS (sizeof(options) / sizeof(*options))

const char *argp_program_version = "ncgate " NCG_VERSION;

/* "status, guests or check", for messages. The caller frees it. */
static char *list_commands(void)
{
	char *list = NULL;
	size_t size;
	FILE *out = open_memstream(&list, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "%s%s", !i ? "" : i + 1 < COMMANDS ? ", " : " or ", commands[i].name);
	if (fclose(out)) {
		free(list);
		return NULL;
	}
	return list;
}

/* ------------------------------------------------------------------- arguments */

static unsigned long number_of(struct argp_state *state, const char *option, const char *text,
			       unsigned long max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value > max)
		argp_error(state, "--%s: '%s' is not a number from 0 to %lu", option, text, max);
	return value;
}

static error_t parse_shared(int key, char *arg, struct argp_state *state,
			    struct invocation *invocation)
{
	struct ncg_cli *cli = &invocation->cli;

	switch (key) {
	case OPTION_CONTROL:
		cli->control = arg;
		return 0;
	case OPTION_JSON:
		cli->json = true;
		return 0;
	case OPTION_POLICY:
		cli->policy = arg;
		return 0;
	case OPTION_AUDIT:
		cli->audit = arg;
		return 0;
	case OPTION_HAZARDS:
		cli->hazards = arg;
		return 0;
	case OPTION_AGAINST:
		cli->against = arg;
		return 0;
	case OPTION_BAR:
		cli->bar = number_of(state, "bar", arg, NCG_DEVICE_BARS - 1);
		return 0;
	case OPTION_UID:
		cli->mapper.uid = number_of(state, "uid", arg, UINT32_MAX - 1);
		return 0;
	case OPTION_CGROUP:
		if (*arg != '/')
			argp_error(state, "--cgroup: '%s' does not begin with /", arg);
		cli->mapper.cgroup = arg;
		return 0;
	case OPTION_BOUND:
		cli->bound = true;
		return 0;
	case OPTION_ROOT:
		cli->root = arg;
		return 0;
	case OPTION_SINCE:
		cli->since = arg;
		return 0;
	case OPTION_UNTIL:
		cli->until = arg;
		return 0;
	case OPTION_GUEST:
		cli->guest = arg;
		return 0;
	case OPTION_DEVICE:
		cli->device = arg;
		return 0;
	case OPTION_TYPE:
		cli->type = arg;
		return 0;
	case OPTION_HAD:
		cli->had = arg;
		return 0;
	case OPTION_FOLLOW:
		cli->follow = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_command_option(int key, char *arg, struct argp_state *state)
{
	struct invocation *invocation = state->input;
	const struct command *command = invocation->command;

	switch (key) {
	case ARGP_KEY_ARG:
		if (!command->args_doc)
			argp_error(state, "'%s' is too much: %s takes no arguments", arg,
				   command->name);
		return ARGP_ERR_UNKNOWN; /* all of them come at once, below */
	case ARGP_KEY_ARGS:
		invocation->cli.args = state->argv + state->next;
		invocation->cli.arg_count = state->argc - state->next;
		if (invocation->cli.arg_count > command->max_args)
			argp_error(state, "'%s' is too much: %s takes one %s",
				   invocation->cli.args[command->max_args], command->name,
				   command->args_doc);
		return 0;
	case ARGP_KEY_NO_ARGS:
		if (command->needs)
			argp_error(state, "%s needs %s: %s", command->name, command->args_doc,
				   command->needs);
		return 0;
	default:
		return parse_shared(key, arg, state, invocation);
	}
}

/* The rest of the line belongs to the command, options in any order. */
static void parse_command(struct argp_state *state, const char *name)
{
	struct invocation *invocation = state->input;
	ncg_autofree char *full_name = NULL, *known = NULL;
	struct argp_option own[OPTIONS + 1] = {};
	struct argp argp = { own, parse_command_option, NULL, NULL, NULL, NULL, NULL };
	char **argv = state->argv + state->next - 1;
	size_t count = 0;

	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			invocation->command = &commands[i];
	if (!invocation->command) {
		known = list_commands();
		argp_error(state, "'%s' is not a command; expected %s", name, known ? known : "");
		return;
	}
	if (asprintf(&full_name, "ncgate %s", name) < 0) {
		full_name = NULL;
		argp_failure(state, NCG_EXIT_NOT_POSSIBLE, ENOMEM, "no memory");
	}
	for (size_t i = 0; i < OPTIONS; i++)
		if (!options[i].takes || options[i].takes & invocation->command->takes)
			own[count++] = options[i].option;
	argp.doc = invocation->command->doc;
	argp.args_doc = invocation->command->args_doc;
	argv[0] = full_name; /* for its messages */
	argp_parse(&argp, state->argc - state->next + 1, argv, 0, NULL, invocation);
	argv[0] = (char *)name;
	state->next = state->argc;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	ncg_autofree char *known = NULL;

	switch (key) {
	case ARGP_KEY_ARG:
		parse_command(state, arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		known = list_commands();
		argp_error(state, "no command given; expected %s", known ? known : "");
		return 0;
	default:
		return parse_shared(key, arg, state, state->input);
	}
}

/* --help's list of commands, from the table, so that none is forgotten. */
static char *make_doc(void)
{
	char *doc = NULL;
	size_t size;
	FILE *out = open_memstream(&doc, &size);

	if (!out)
		return NULL;
	fputs("Show which memory types KVM guests have on passthrough devices, and work on the "
	      "policy that decides it." BELOW "Commands (each has its own --help):\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\n" EXIT_STATUS, out);
	if (fclose(out)) {
		free(doc);
		return NULL;
	}
	return doc;
}

/* ------------------------------------------------------------------------- main */

static bool wants_colours(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no_color && *no_color)
		return false;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
}

int main(int argc, char **argv)
{
	struct invocation invocation = {
		.cli = {
			.control = NCG_CONTROL_PATH,
			.root = "",
			.policy = NCG_CLI_POLICY_PATH,
			.audit = NCG_CLI_AUDIT_PATH,
			.hazards = NCG_HAZARDS_PATH,
			.bar = -1,
		},
	};
	/* Before the command: what was there before commands had options of their own. */
	const struct argp_option shared[] = { options[0].option, options[1].option, { 0 } };
	ncg_autofree char *doc = make_doc();
	const struct argp argp = { shared, parse_option, "COMMAND [ARG...]", doc,
				   NULL, NULL, NULL };
	enum ncg_exit status;

	ncg_log_open("ncgate", NCG_LOG_INFO);
	argp_err_exit_status = NCG_EXIT_BAD_INPUT;
	/* In order: what stands behind the command is the command's. */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &invocation);
	invocation.cli.colours = wants_colours();

	status = invocation.command->run(&invocation.cli);
	/* A full disk must not look like a short, good result. */
	if (fflush(stdout) || ferror(stdout)) {
		ncg_log_error(-errno, "the result cannot be written");
		return NCG_EXIT_NOT_POSSIBLE;
	}
	return status;
}
