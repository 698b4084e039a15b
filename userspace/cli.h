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

#include "exit_status.h"

struct ncg_cli {
	bool json;
	bool colours;	     /* of standard output */
	const char *control; /* the daemon's socket */
};

/*
 * Each prints a daemon's reply for a human, on standard output. Returns 0 or
 * -ENOMEM; write errors stay for ferror().
 */
int ncg_cli_print_status(const struct ncg_cli *cli, const json_t *reply);
int ncg_cli_print_guests(const struct ncg_cli *cli, const json_t *reply);
int ncg_cli_print_devices(const struct ncg_cli *cli, const json_t *reply);

/* Prints any document as --json does. Returns 0 or -ENOMEM. */
int ncg_cli_print_json(const json_t *json);

/*
 * Checks policy files: what they resolve to on standard output, what is wrong on
 * standard error; with --json an array of what is wrong on standard output, which
 * is empty when nothing is.
 */
enum ncg_exit ncg_cli_check(const struct ncg_cli *cli, char *const *files, size_t count);

#endif
