/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables for a human at a terminal: columns as wide as they need to be, headings,
 * colours. A table owns copies of its cells. The first error sticks and printing
 * reports it, so that a table is printed whole or not at all.
 *
 * What stands in cells may be what a guest's owner typed: each is shown as
 * ncg_text_cut() does it, up to 255 bytes; the last column, which stretches nothing, up
 * to 4095.
 */
#ifndef NCGATE_CLI_TABLE_H
#define NCGATE_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cleanup.h"

enum ncg_colour {
	NCG_COLOUR_NONE,
	NCG_COLOUR_BOLD,
	NCG_COLOUR_GREEN,
	NCG_COLOUR_RED,
	NCG_COLOUR_YELLOW,
	NCG_COLOUR_NR,
};

struct ncg_cli_column {
	const char *title;
	bool right; /* numbers */
};

struct ncg_cli_table;

/* columns is borrowed and outlives the table. NULL when there is no memory. */
struct ncg_cli_table *ncg_cli_table_new(const struct ncg_cli_column *columns, size_t count);

/* Takes NULL. */
void ncg_cli_table_free(struct ncg_cli_table *table);

NCG_DEFINE_CLEANUP(struct ncg_cli_table *, ncg_cli_table_free)
#define ncg_autotable ncg_cleanup(ncg_cli_table_free_cleanup)

/*
 * The next cell, row by row; an empty one is shown as "-". Takes a table of NULL,
 * which printing then reports.
 */
__attribute__((format(printf, 3, 4))) void ncg_cli_table_add(struct ncg_cli_table *table,
							     enum ncg_colour colour,
							     const char *format, ...);

/*
 * Prints headings and rows, each line indented by that many blanks. Returns 0 or
 * -ENOMEM; errors of out stay for ferror().
 */
int ncg_cli_table_print(const struct ncg_cli_table *table, FILE *out, bool colours,
			unsigned int indent);

/* One word or sentence in colour, outside of a table. */
void ncg_cli_print(FILE *out, bool colours, enum ncg_colour colour, const char *text);

#define NCG_CLI_BYTES_LEN 16

/* "16.0 MiB", "512 B": rounded to the nearest tenth of the largest fitting unit. */
void ncg_cli_format_bytes(unsigned long long bytes, char ret_text[NCG_CLI_BYTES_LEN]);

#endif
