// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errors of a policy: how they are collected and how they read. Nothing of a file's
 * bytes gets into them that could act on a terminal or break JSON.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "policy_parse.h"

/* ------------------------------------------------------------------- collect */

static void error_done(struct ncg_policy_error *error)
{
	free(error->file);
	free(error->included);
	free(error->problem);
	free(error->nearest);
}

void ncg_policy_errors_free(struct ncg_policy_errors *errors)
{
	if (!errors)
		return;
	for (size_t i = 0; i < errors->count; i++)
		error_done(&errors->list[i]);
	free(errors);
}

void ncg_policy_errors_freep(struct ncg_policy_errors **errors)
{
	ncg_policy_errors_free(*errors);
}

int ncg_policy_no_memory(struct ncg_policy_parser *parser)
{
	parser->no_memory = true;
	return -ENOMEM;
}

/* Up to this many bytes of a text are shown, each of which may become "\xff". */
#define SHOWN (((sizeof((struct ncg_policy_error){ 0 }.text)) - sizeof("...")) / \
	       (sizeof("\\xff") - 1))

static void escape(FILE *out, const char *text, size_t length, size_t shown)
{
	for (size_t i = 0; i < length && i < shown; i++) {
		unsigned char c = text[i];

		if (c >= 0x20 && c < 0x7f)
			fputc(c, out);
		else
			fprintf(out, "\\x%02x", c);
	}
	if (length > shown)
		fputs("...", out);
}

/* All of it. NULL: no memory. */
static char *escape_text(const char *text)
{
	char *escaped = NULL;
	size_t size;
	FILE *out = open_memstream(&escaped, &size);

	if (!out)
		return NULL;
	escape(out, text, strlen(text), (size_t)-1);
	if (fclose(out)) {
		free(escaped);
		return NULL;
	}
	return escaped;
}

/* Which lines include the present file, the nearest first; NULL: none do. */
static int include_chain(const struct ncg_policy_parser *parser, char **ret_chain)
{
	char *chain = NULL;
	size_t size;
	FILE *out;

	*ret_chain = NULL;
	if (!parser->at->from)
		return 0;
	out = open_memstream(&chain, &size);
	if (!out)
		return -ENOMEM;
	for (const struct ncg_policy_place *place = parser->at->from; place; place = place->from) {
		const char *path = parser->policy->paths[place->file];

		escape(out, path, strlen(path), (size_t)-1);
		fprintf(out, ":%u%s", place->line, place->from ? ", " : "");
	}
	if (fclose(out)) {
		free(chain);
		return -ENOMEM;
	}
	*ret_chain = chain;
	return 0;
}

bool ncg_policy_error_is_shown(const struct ncg_policy_parser *parser)
{
	return !parser->errors || parser->errors->count < NCG_POLICY_ERRORS_MAX;
}

int ncg_policy_error_add(struct ncg_policy_parser *parser, struct ncg_policy_word at, __u32 column,
			 const char *nearest, const char *expected, const char *problem, ...)
{
	ncg_autofree char *text = NULL;
	struct ncg_policy_error *error;
	va_list args;
	FILE *out;
	int n;

	if (!parser->errors)
		parser->errors = calloc(1, sizeof(*parser->errors));
	if (!parser->errors)
		return ncg_policy_no_memory(parser);
	if (!ncg_policy_error_is_shown(parser)) {
		parser->errors->more++;
		return -EINVAL;
	}

	va_start(args, problem);
	n = vasprintf(&text, problem, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		return ncg_policy_no_memory(parser);
	}
	/* From here the list owns it, whole or not. */
	error = &parser->errors->list[parser->errors->count++];
	error->line = parser->at->line;
	error->column = column;
	error->expected = expected;
	error->file = strdup(parser->policy->paths[parser->at->file]);
	error->problem = escape_text(text);
	error->nearest = nearest ? escape_text(nearest) : NULL;
	out = fmemopen(error->text, sizeof(error->text), "w");
	if (!out)
		return ncg_policy_no_memory(parser);
	escape(out, at.text, at.length, SHOWN);
	if (fclose(out) || include_chain(parser, &error->included) || !error->file ||
	    !error->problem || (nearest && !error->nearest))
		return ncg_policy_no_memory(parser);
	return -EINVAL;
}

int ncg_policy_text_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			  char **ret_text)
{
	int r = ncg_policy_word_unquote(word, ret_text);

	if (r == -ENOMEM)
		return ncg_policy_no_memory(parser);
	if (r)
		return ncg_policy_error_word(parser, word,
					     "a text without quotes, or one wholly between double "
					     "quotes, in which \"\" stands for one",
					     "has a quote out of place");
	return 0;
}

/* -------------------------------------------------------------------- format */

static void error_write(FILE *out, const struct ncg_policy_error *error)
{
	escape(out, error->file, strlen(error->file), (size_t)-1);
	fputc(':', out);
	if (error->line)
		fprintf(out, "%u:%u:", error->line, error->column);
	if (*error->text)
		fprintf(out, " '%s'", error->text);
	fprintf(out, " %s; expected %s", error->problem, error->expected);
	if (error->nearest)
		fprintf(out, " (did you mean '%s'?)", error->nearest);
	if (error->included)
		fprintf(out, "; included from %s", error->included);
}

/* One error, or with errors all of them. NULL: no memory. */
static char *format(const struct ncg_policy_error *error, const struct ncg_policy_errors *errors)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool bad;

	if (!out)
		return NULL;
	if (error)
		error_write(out, error);
	for (size_t i = 0; errors && i < errors->count; i++) {
		error_write(out, &errors->list[i]);
		fputc('\n', out);
	}
	if (errors && errors->more) {
		escape(out, errors->list[0].file, strlen(errors->list[0].file), (size_t)-1);
		fprintf(out, ": %zu more errors are not shown\n", errors->more);
	}
	bad = ferror(out);
	if (fclose(out) || bad) {
		free(text);
		return NULL;
	}
	return text;
}

char *ncg_policy_error_format(const struct ncg_policy_error *error)
{
	return format(error, NULL);
}

char *ncg_policy_errors_format(const struct ncg_policy_errors *errors)
{
	return format(NULL, errors);
}
