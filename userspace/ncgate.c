// SPDX-License-Identifier: GPL-2.0-only
/*
 * ncgate, the operator's command: asks the daemon and checks policies. It changes
 * nothing and owns nothing. Results go to standard output, everything else to
 * standard error; exit_status.h says what the exit status means.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli.h"
#include "control.h"
#include "log.h"

#define EXIT_STATUS                                                                \
	"Exit status: 0 fine, 1 findings, 2 bad input or usage, 3 not possible on " \
	"this host (ncgated does not run, for example)."

/* What follows \v, argp prints below the options. */
#define BELOW "\v"

struct command {
	const char *name;
	const char *help; /* in the list of commands */
	const char *doc;
	const char *args_doc; /* NULL: it takes no arguments */
	/* Commands that show a reply of the daemon: */
	const char *request;
	int (*print)(const struct ncg_cli *cli, const json_t *reply);
};

static const struct command commands[] = {
	{ "status", "what is enforced, and whether all is well",
	  "Show the grade of enforcement, the policy in force, what is not attached and what "
	  "was counted." BELOW EXIT_STATUS,
	  NULL, "status", ncg_cli_print_status },
	{ "guests", "which guest maps what, with which memory type",
	  "Show what every guest's stage-2 tables hold, by device, BAR and memory type."
	  BELOW EXIT_STATUS,
	  NULL, "guests", ncg_cli_print_guests },
	{ "devices", "the verdict for each device, and what is observed",
	  "Show each passthrough device's BARs, the policy's verdict with its rule, and the "
	  "memory types that guests have." BELOW EXIT_STATUS,
	  NULL, "devices", ncg_cli_print_devices },
	{ "check", "check policy files and show what they resolve to",
	  "Check policy files as ncgated would read them, and show what they resolve to. "
	  "Needs no daemon. Errors go to standard error; with --json they are an array on "
	  "standard output." BELOW EXIT_STATUS,
	  "FILE...", NULL, NULL },
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

#define NAMES "status, guests, devices or check"

struct invocation {
	struct ncg_cli cli;
	const struct command *command;
	char **files; /* of check: the rest of the arguments, borrowed */
	size_t file_count;
};

enum { OPTION_CONTROL = 256, OPTION_JSON };

static const struct argp_option option_table[] = {
	{ "control", OPTION_CONTROL, "PATH", 0, "Socket of ncgated (" NCG_CONTROL_PATH ")", 0 },
	{ "json", OPTION_JSON, NULL, 0, "Print JSON, with exact numbers", 0 },
	{ 0 },
};

const char *argp_program_version = "ncgate " NCG_VERSION;

/* ------------------------------------------------------------------- arguments */

static error_t parse_shared(int key, char *arg, struct invocation *invocation)
{
	switch (key) {
	case OPTION_CONTROL:
		invocation->cli.control = arg;
		return 0;
	case OPTION_JSON:
		invocation->cli.json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_command_option(int key, char *arg, struct argp_state *state)
{
	struct invocation *invocation = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (!invocation->command->args_doc)
			argp_error(state, "'%s' is too much: %s takes no arguments", arg,
				   invocation->command->name);
		return ARGP_ERR_UNKNOWN; /* all of them come at once, below */
	case ARGP_KEY_ARGS:
		invocation->files = state->argv + state->next;
		invocation->file_count = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		if (invocation->command->args_doc)
			argp_error(state, "%s needs %s: the policy to check",
				   invocation->command->name, invocation->command->args_doc);
		return 0;
	default:
		return parse_shared(key, arg, invocation);
	}
}

/* The rest of the line belongs to the command, options in any order. */
static void parse_command(struct argp_state *state, const char *name)
{
	struct invocation *invocation = state->input;
	ncg_autofree char *full_name = NULL;
	struct argp argp = { option_table, parse_command_option, NULL, NULL, NULL, NULL, NULL };
	char **argv = state->argv + state->next - 1;

	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			invocation->command = &commands[i];
	if (!invocation->command)
		argp_error(state, "'%s' is not a command; expected " NAMES, name);
	if (asprintf(&full_name, "ncgate %s", name) < 0) {
		full_name = NULL;
		argp_failure(state, NCG_EXIT_NOT_POSSIBLE, ENOMEM, "no memory");
	}
	argp.doc = invocation->command->doc;
	argp.args_doc = invocation->command->args_doc;
	argv[0] = full_name; /* for its messages */
	argp_parse(&argp, state->argc - state->next + 1, argv, 0, NULL, invocation);
	argv[0] = (char *)name;
	state->next = state->argc;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		parse_command(state, arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no command given; expected " NAMES);
		return 0;
	default:
		return parse_shared(key, arg, state->input);
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
	fputs("Show which memory types KVM guests have on passthrough devices, and check the "
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

/* -------------------------------------------------------------------- commands */

static bool wants_colours(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no_color && *no_color)
		return false;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
}

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

static enum ncg_exit show(const struct ncg_cli *cli, const struct command *command)
{
	const char *error;
	json_t *reply;
	int r;

	r = ncg_control_ask(cli->control, command->request, &reply);
	if (r)
		return no_reply(cli->control, r);
	error = json_string_value(json_object_get(reply, "error"));
	if (error) {
		ncg_log_error(0, "ncgated: %s", error);
		json_decref(reply);
		return NCG_EXIT_NOT_POSSIBLE;
	}
	r = cli->json ? ncg_cli_print_json(reply) : command->print(cli, reply);
	json_decref(reply);
	if (r) {
		ncg_log_error(r, "the reply cannot be shown");
		return NCG_EXIT_NOT_POSSIBLE;
	}
	return NCG_EXIT_OK;
}

int main(int argc, char **argv)
{
	struct invocation invocation = { .cli.control = NCG_CONTROL_PATH };
	ncg_autofree char *doc = make_doc();
	const struct argp argp = { option_table, parse_option, "COMMAND [ARG...]", doc,
				   NULL, NULL, NULL };
	enum ncg_exit status;

	ncg_log_open("ncgate", NCG_LOG_INFO);
	argp_err_exit_status = NCG_EXIT_BAD_INPUT;
	/* In order: what stands behind the command is the command's. */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &invocation);
	invocation.cli.colours = wants_colours();

	if (invocation.command->request)
		status = show(&invocation.cli, invocation.command);
	else
		status = ncg_cli_check(&invocation.cli, invocation.files, invocation.file_count);
	/* A full disk must not look like a short, good result. */
	if (fflush(stdout) || ferror(stdout)) {
		ncg_log_error(-errno, "the result cannot be written");
		return NCG_EXIT_NOT_POSSIBLE;
	}
	return status;
}
