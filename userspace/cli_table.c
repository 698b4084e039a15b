// SPDX-License-Identifier: GPL-2.0-only
#include "cli_table.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define GAP 2 /* blanks between columns */

#define CELL_LEN 4096 /* of the last column, NUL included */

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const char *const colour_codes[] = {
	[NCG_COLOUR_NONE] = "",
	[NCG_COLOUR_BOLD] = "\033[1m",
	[NCG_COLOUR_GREEN] = "\033[32m",
	[NCG_COLOUR_RED] = "\033[31m",
	[NCG_COLOUR_YELLOW] = "\033[33m",
};
static_assert(ARRAY_SIZE(colour_codes) == NCG_COLOUR_NR, "a colour has no code");

struct cell {
	char *text;
	enum ncg_colour colour;
};

struct ncg_cli_table {
	const struct ncg_cli_column *columns;
	size_t column_count;
	struct cell *cells;
	size_t count;
	size_t room;
	bool failed; /* a cell had no memory */
};

struct ncg_cli_table *ncg_cli_table_new(const struct ncg_cli_column *columns, size_t count)
{
	struct ncg_cli_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->column_count = count;
	return table;
}

void ncg_cli_table_free(struct ncg_cli_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

void ncg_cli_table_add(struct ncg_cli_table *table, enum ncg_colour colour, const char *format,
		       ...)
{
	ncg_autofree char *text = NULL;
	char shown[CELL_LEN];
	va_list args;
	bool last;
	int length;

	if (!table || table->failed)
		return;
	if (table->count == table->room) {
		size_t room = table->room ? 2 * table->room : 64;
		struct cell *cells = reallocarray(table->cells, room, sizeof(*cells));

		if (!cells) {
			table->failed = true;
			return;
		}
		table->cells = cells;
		table->room = room;
	}
	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0) {
		text = NULL;
		table->failed = true;
		return;
	}
	/* What is longer than a name would stretch all rows, but for the last column. */
	last = table->count % table->column_count + 1 == table->column_count;
	ncg_text_cut(text, length, last ? CELL_LEN : NCG_TEXT_NAME_LEN, shown);
	table->cells[table->count].text = strdup(shown);
	table->cells[table->count].colour = colour;
	if (table->cells[table->count].text)
		table->count++;
	else
		table->failed = true;
}

/* Characters, not bytes: what UTF-8 continues with is not counted. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static const char *text_of(const struct cell *cell)
{
	return *cell->text ? cell->text : "-";
}

void ncg_cli_print(FILE *out, bool colours, enum ncg_colour colour, const char *text)
{
	bool coloured = colours && colour != NCG_COLOUR_NONE;

	fprintf(out, "%s%s%s", coloured ? colour_codes[colour] : "", text,
		coloured ? "\033[0m" : "");
}

static void print_cell(const struct ncg_cli_table *table, FILE *out, bool colours,
		       const size_t *widths, size_t column, const char *text,
		       enum ncg_colour colour)
{
	int blanks = widths[column] - width_of(text);
	bool last = column + 1 == table->column_count;

	if (table->columns[column].right)
		fprintf(out, "%*s", blanks, "");
	ncg_cli_print(out, colours, colour, text);
	/* No blanks at the end of a line. */
	if (last)
		fputc('\n', out);
	else
		fprintf(out, "%*s", (table->columns[column].right ? 0 : blanks) + GAP, "");
}

int ncg_cli_table_print(const struct ncg_cli_table *table, FILE *out, bool colours,
			unsigned int indent)
{
	ncg_autofree size_t *widths = NULL;

	if (!table || table->failed)
		return -ENOMEM;
	widths = calloc(table->column_count, sizeof(*widths));
	if (!widths)
		return -ENOMEM;
	for (size_t c = 0; c < table->column_count; c++)
		widths[c] = width_of(table->columns[c].title);
	for (size_t i = 0; i < table->count; i++) {
		size_t width = width_of(text_of(&table->cells[i]));

		if (width > widths[i % table->column_count])
			widths[i % table->column_count] = width;
	}
	fprintf(out, "%*s", (int)indent, "");
	for (size_t c = 0; c < table->column_count; c++)
		print_cell(table, out, colours, widths, c, table->columns[c].title,
			   NCG_COLOUR_BOLD);
	for (size_t i = 0; i < table->count; i++) {
		if (i % table->column_count == 0)
			fprintf(out, "%*s", (int)indent, "");
		print_cell(table, out, colours, widths, i % table->column_count,
			   text_of(&table->cells[i]), table->cells[i].colour);
	}
	return 0;
}

void ncg_cli_format_bytes(unsigned long long bytes, char ret_text[NCG_CLI_BYTES_LEN])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = bytes;
	size_t unit = 0;

	/* What would be printed as 1024.0 belongs to the next unit. */
	while (value >= 1023.95 && unit + 1 < ARRAY_SIZE(units)) {
		if (!unit && bytes < 1024)
			break;
		value /= 1024;
		unit++;
	}
	if (unit)
		snprintf(ret_text, NCG_CLI_BYTES_LEN, "%.1f %s", value, units[unit]);
	else
		snprintf(ret_text, NCG_CLI_BYTES_LEN, "%llu B", bytes);
}
