// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of policy.h: a line is cut into words, its first word picks the
 * statement, and each statement has a function of its own. To add a statement, add a
 * row to `statements`; policy_match.c has what rules match.
 *
 * Fails closed: a policy with any error is never handed out.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "policy_named.h"
#include "policy_parse.h"

#define SIZE_EXPECTED "at most 16 MiB"
static_assert(NCG_POLICY_SIZE_MAX == 16 << 20, "the message names it");

/* Words whose position in the list is their value; NULL-terminated. */
static const char *const mode_words[] = {
	[NCG_MODE_AUDIT] = "audit",
	[NCG_MODE_ENFORCE] = "enforce",
	NULL,
};
static_assert(sizeof(mode_words) / sizeof(*mode_words) == NCG_MODE_NR + 1, "a word for each mode");

static const char *const verdict_words[] = {
	[NCG_VERDICT_NONE] = "",	/* nothing an operator can write */
	[NCG_VERDICT_ALLOW] = "allow",
	[NCG_VERDICT_DENY] = "deny",
	NULL,
};
static_assert(sizeof(verdict_words) / sizeof(*verdict_words) == NCG_VERDICT_NR + 1,
	      "a word for each verdict");

static const char *const without_hook_words[] = {
	[NCG_WITHOUT_HOOK_AUDIT] = "audit",
	[NCG_WITHOUT_HOOK_TRAP] = "trap",
	NULL,
};
static_assert(sizeof(without_hook_words) / sizeof(*without_hook_words) == NCG_WITHOUT_HOOK_NR + 1,
	      "a word for each behaviour");

/* ------------------------------------------------------------------ memory */

void ncg_policy_free(struct ncg_policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->file_count; i++)
		free(policy->paths[i]);
	for (size_t i = 0; i < policy->rule_count; i++) {
		free(policy->rules[i].cgroup);
		free(policy->rules[i].name);
	}
	for (size_t i = 0; i < policy->warning_count; i++)
		free(policy->warnings[i]);
	free(policy->paths);
	free(policy->files);
	free(policy->rules);
	free(policy->named);
	free(policy->warnings);
	free(policy);
}

void ncg_policy_parse_free(struct ncg_policy_parser *parser)
{
	if (!parser)
		return;
	ncg_policy_free(parser->policy);
	ncg_policy_errors_free(parser->errors);
	free(parser);
}

void ncg_policy_freep(struct ncg_policy **policy)
{
	ncg_policy_free(*policy);
}

void ncg_policy_parse_freep(struct ncg_policy_parser **parser)
{
	ncg_policy_parse_free(*parser);
}

/* ------------------------------------------------------------------- settings */

static int nothing_left(struct ncg_policy_parser *parser, struct ncg_policy_word *rest)
{
	struct ncg_policy_word word;

	if (!ncg_policy_word_next(rest, &word))
		return 0;
	return ncg_policy_error_word(parser, word, "the end of the line", "is one word too many");
}

/* Notes that a setting is given here; that it was before is an error. */
static int setting_note(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
			enum ncg_policy_setting setting)
{
	__u32 line = parser->set_at[setting].line;
	__u16 file = parser->set_at[setting].file;

	if (!line) {
		parser->set_at[setting].line = parser->at->line;
		parser->set_at[setting].file = parser->at->file;
		return 0;
	}
	if (file == parser->at->file)
		return ncg_policy_error_add(parser, statement, statement.column, NULL, "it once",
					    "was already given in line %u", line);
	return ncg_policy_error_add(parser, statement, statement.column, NULL, "it once",
				    "was already given in %s:%u", parser->policy->paths[file],
				    line);
}

/* A statement that stands once, with one word out of a list. */
static int setting_parse(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
			 struct ncg_policy_word rest, enum ncg_policy_setting setting,
			 const char *const words[], const char *expected, unsigned int *ret_value)
{
	struct ncg_policy_nearest nearest = { 0 };
	struct ncg_policy_word word;
	int r = setting_note(parser, statement, setting);

	if (r < 0)
		return r;
	if (!ncg_policy_word_next(&rest, &word))
		return ncg_policy_error_add(parser, statement, ncg_policy_word_end(statement),
					    NULL, expected, "has no value");
	for (unsigned int i = 0; words[i]; i++) {
		if (*words[i] && ncg_policy_word_is(word, words[i])) {
			*ret_value = i;
			return nothing_left(parser, &rest);
		}
		ncg_policy_nearest_try(&nearest, word, words[i]);
	}
	return ncg_policy_error_add(parser, word, word.column, nearest.word, expected,
				    "is not a value of '%.*s'", (int)statement.length,
				    statement.text);
}

static int mode_parse(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
		      struct ncg_policy_word rest)
{
	unsigned int value = parser->policy->mode;
	int r = setting_parse(parser, statement, rest, NCG_POLICY_SETTING_MODE, mode_words,
			      "enforce or audit", &value);

	parser->policy->mode = value;
	return r;
}

static int default_parse(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
			 struct ncg_policy_word rest)
{
	unsigned int value = parser->policy->fallback;
	int r = setting_parse(parser, statement, rest, NCG_POLICY_SETTING_DEFAULT, verdict_words,
			      "allow or deny", &value);

	parser->policy->fallback = value;
	return r;
}

static int without_hook_parse(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
			      struct ncg_policy_word rest)
{
	unsigned int value = parser->policy->without_hook;
	int r = setting_parse(parser, statement, rest, NCG_POLICY_SETTING_WITHOUT_HOOK,
			      without_hook_words, "audit or trap", &value);

	parser->policy->without_hook = value;
	return r;
}

/* ---------------------------------------------------------------------- rules */

static int rule_parse(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
		      struct ncg_policy_word rest, enum ncg_verdict verdict)
{
	struct ncg_policy *policy = parser->policy;
	struct ncg_policy_rule rule = {
		.verdict = verdict,
		.line = parser->at->line,
		.file = parser->at->file,
	};
	ncg_autofree char *cgroup = NULL, *name = NULL;
	int r = ncg_policy_match_parse(parser, statement, rest, &rule);

	cgroup = rule.cgroup;
	name = rule.name;
	if (r < 0)
		return r;
	if (policy->rule_count == policy->rule_room) {
		size_t room = policy->rule_room ? 2 * policy->rule_room : 16;
		struct ncg_policy_rule *rules = reallocarray(policy->rules, room, sizeof(*rules));

		if (!rules)
			return ncg_policy_no_memory(parser);
		policy->rules = rules;
		policy->rule_room = room;
	}
	policy->rules[policy->rule_count++] = rule;
	cgroup = name = NULL;
	return 0;
}

static int allow_parse(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
		       struct ncg_policy_word rest)
{
	return rule_parse(parser, statement, rest, NCG_VERDICT_ALLOW);
}

static int deny_parse(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
		      struct ncg_policy_word rest)
{
	return rule_parse(parser, statement, rest, NCG_VERDICT_DENY);
}

/* ------------------------------------------------------------------- includes */

/* Adds a file to the policy's; its number is then file_count - 1. 0 or -ENOMEM. */
static int file_add(struct ncg_policy *policy, const char *path)
{
	size_t count = policy->file_count;
	char(*files)[NCG_PATH_LEN] = reallocarray(policy->files, count + 1, sizeof(*files));
	char **paths;

	if (!files)
		return -ENOMEM;
	policy->files = files;
	paths = reallocarray(policy->paths, count + 1, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	policy->paths = paths;
	paths[count] = strdup(path);
	if (!paths[count])
		return -ENOMEM;
	ncg_policy_path_shorten(path, files[count]);
	policy->file_count++;
	return 0;
}

/* An include that led to nothing, because of what is at path. */
static int include_error(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			 const char *asked, const char *path, int error,
			 struct ncg_policy_trouble *trouble)
{
	ncg_autofree char *problem = trouble->problem;
	bool same = !strcmp(asked, path);

	if (error == -ENOMEM)
		return ncg_policy_no_memory(parser);
	return ncg_policy_error_add(parser, word, word.column, NULL,
				    trouble->expected ? trouble->expected :
							"a file, or a folder with *.conf",
				    "%s%s%s%s%s", same ? "" : "leads to ", same ? "" : path,
				    same ? "" : ", which ",
				    problem ? problem : "cannot be read: ",
				    problem ? "" : strerror(-error));
}

static void lines_parse(struct ncg_policy_parser *parser, const char *text, size_t size);

/* The file at path; asked is what the statement says, made whole. */
static int file_include(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			const char *asked, const char *path)
{
	const size_t limit = NCG_POLICY_SIZE_MAX - parser->size;
	struct ncg_policy_trouble trouble = { 0 };
	struct ncg_policy_place place = {
		.from = parser->at,
		.file = parser->policy->file_count,
		.depth = parser->at->depth + 1,
		.known = true,
	};
	ncg_autofree char *text = NULL;
	size_t size;
	int r;

	/* These first: they also bound how much is read. */
	if (parser->policy->file_count == NCG_FILES_MAX)
		return ncg_policy_error_add(parser, word, word.column, NULL, "fewer includes",
					    "is one file too many: a policy has at most %u",
					    NCG_FILES_MAX);
	if (place.depth == NCG_POLICY_DEPTH_MAX)
		return ncg_policy_error_add(parser, word, word.column, NULL, "fewer levels",
					    "is too deep: at most %u files include each other",
					    NCG_POLICY_DEPTH_MAX);
	r = parser->sources->read(parser->sources->context, path, limit, &text, &size,
				  &place.identity, &trouble);
	if (r < 0)
		return include_error(parser, word, asked, path, r, &trouble);
	for (const struct ncg_policy_place *at = parser->at; at; at = at->from)
		if (at->known && at->identity.device == place.identity.device &&
		    at->identity.inode == place.identity.inode)
			return ncg_policy_error_add(parser, word, word.column, NULL,
						    "a file that does not include this one",
						    "leads back to %s",
						    parser->policy->paths[at->file]);
	if (size > limit)
		return ncg_policy_error_word(parser, word, SIZE_EXPECTED " in all files",
					     "makes the policy too long");
	parser->size += size;
	if (file_add(parser->policy, path))
		return ncg_policy_no_memory(parser);

	parser->at = &place;
	lines_parse(parser, text, size);
	parser->at = place.from;
	return 0;
}

/* A path in the present file, from the folder that the file is in. NULL: no memory. */
static char *path_resolve(const struct ncg_policy_parser *parser, const char *path)
{
	const char *from = parser->policy->paths[parser->at->file], *slash = strrchr(from, '/');
	size_t length = *path == '/' || !slash ? 0 : slash - from + 1;
	char *whole = malloc(length + strlen(path) + 1);

	if (!whole)
		return NULL;
	memcpy(whole, from, length);
	strcpy(whole + length, path);
	return whole;
}

static void paths_free(char **paths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
}

static int include_parse(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
			 struct ncg_policy_word rest)
{
	const struct ncg_policy_sources *sources = parser->sources;
	ncg_autofree char *path = NULL, *whole = NULL;
	struct ncg_policy_trouble trouble = { 0 };
	struct ncg_policy_word word;
	char **paths = NULL;
	size_t count = 0;
	int r;

	if (!ncg_policy_word_next(&rest, &word))
		return ncg_policy_error_add(parser, statement, ncg_policy_word_end(statement),
					    NULL, "a file, or a folder with *.conf",
					    "has no path");
	r = nothing_left(parser, &rest);
	if (r < 0)
		return r;
	r = ncg_policy_text_parse(parser, word, &path);
	if (r < 0)
		return r;
	if (!*path)
		return ncg_policy_error_word(parser, word, "a file, or a folder with *.conf",
					     "is no path");
	if (!sources || !sources->list || !sources->read)
		return ncg_policy_error_word(parser, statement, "no include",
					     "cannot be followed: this policy is no file");
	whole = path_resolve(parser, path);
	if (!whole)
		return ncg_policy_no_memory(parser);
	r = sources->list(sources->context, whole, &paths, &count, &trouble);
	if (r < 0)
		return include_error(parser, word, whole, whole, r, &trouble);
	/* One file's errors must not hide the next one's. */
	for (size_t i = 0; i < count && r != -ENOMEM; i++)
		r = file_include(parser, word, whole, paths[i]);
	paths_free(paths, count);
	return r;
}

/* ----------------------------------------------------------------- statements */

static const struct {
	const char *word;
	int (*parse)(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
		     struct ncg_policy_word rest);
} statements[] = {
	{ "mode", mode_parse },
	{ "default", default_parse },
	{ "without-hook", without_hook_parse },
	{ "include", include_parse },
	{ "allow", allow_parse },
	{ "deny", deny_parse },
};

#define STATEMENTS_EXPECTED "mode, default, without-hook, include, allow or deny"

int ncg_policy_parse_line(struct ncg_policy_parser *parser, const char *line, size_t length)
{
	struct ncg_policy_word rest = { line, length, 1 }, statement;
	struct ncg_policy_nearest nearest = { 0 };
	const char *nul;

	parser->at->line++;
	if (length && line[length - 1] == '\r')
		rest.length--;
	if (rest.length > NCG_POLICY_LINE_MAX)
		return ncg_policy_error_word(
			parser,
			ncg_policy_word_part(rest, NCG_POLICY_LINE_MAX,
					     rest.length - NCG_POLICY_LINE_MAX),
			"a line of at most 4096 bytes", "goes beyond the longest line");
	static_assert(NCG_POLICY_LINE_MAX == 4096, "the message above names it");
	/* Also in a comment: a NUL says that this is no text, or UTF-16. */
	nul = memchr(rest.text, '\0', rest.length);
	if (nul)
		return ncg_policy_error_word(parser,
					     ncg_policy_word_part(rest, nul - rest.text, 1),
					     "text", "is a NUL byte");

	if (!ncg_policy_word_next(&rest, &statement))
		return 0;
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
		if (ncg_policy_word_is(statement, statements[i].word))
			return statements[i].parse(parser, statement, rest);
		ncg_policy_nearest_try(&nearest, statement, statements[i].word);
	}
	return ncg_policy_error_add(parser, statement, statement.column, nearest.word,
				    STATEMENTS_EXPECTED, "is not a statement");
}

/* All lines of the present file. Errors are in the list, and one hides no other. */
static void lines_parse(struct ncg_policy_parser *parser, const char *text, size_t size)
{
	while (size && !parser->no_memory) {
		const char *newline = memchr(text, '\n', size);
		size_t length = newline ? (size_t)(newline - text) : size;

		ncg_policy_parse_line(parser, text, length);
		length += !!newline;
		text += length;
		size -= length;
	}
}

/* ------------------------------------------------------------------- public */

void ncg_policy_path_shorten(const char *path, char ret_name[NCG_PATH_LEN])
{
	static const char gap[] = "...";
	size_t length = strlen(path);

	memset(ret_name, 0, NCG_PATH_LEN);
	if (length >= NCG_PATH_LEN) {
		path += length - (NCG_PATH_LEN - sizeof(gap));
		/* not into the middle of a UTF-8 character */
		while ((*path & 0xc0) == 0x80)
			path++;
		strcpy(ret_name, gap);
	}
	strcat(ret_name, path);
}

int ncg_policy_parse_init(const char *name, struct ncg_policy_parser **ret_parser)
{
	ncg_cleanup(ncg_policy_parse_freep) struct ncg_policy_parser *parser =
		calloc(1, sizeof(*parser));

	*ret_parser = NULL;
	if (!parser)
		return -ENOMEM;
	parser->at = &parser->first;
	parser->policy = calloc(1, sizeof(*parser->policy));
	if (!parser->policy || file_add(parser->policy, name))
		return -ENOMEM;

	/* What a policy that says nothing means: nothing changes for anyone. */
	parser->policy->mode = NCG_MODE_AUDIT;
	parser->policy->fallback = NCG_VERDICT_DENY;
	parser->policy->without_hook = NCG_WITHOUT_HOOK_AUDIT;

	*ret_parser = ncg_take_ptr(parser);
	return 0;
}

void ncg_policy_parse_sources(struct ncg_policy_parser *parser,
			      const struct ncg_policy_sources *sources)
{
	parser->sources = sources;
}

int ncg_policy_parse_finish(struct ncg_policy_parser *parser, struct ncg_policy **ret_policy,
			    struct ncg_policy_errors **ret_errors)
{
	*ret_policy = NULL;
	if (ret_errors)
		*ret_errors = NULL;
	/* A list of errors with holes would be mistaken for the whole of it. */
	if (parser->no_memory)
		return -ENOMEM;
	if (parser->errors) {
		if (ret_errors)
			*ret_errors = ncg_take_ptr(parser->errors);
		return -EINVAL;
	}
	if (ncg_policy_named_collect(parser->policy))
		return -ENOMEM;
	*ret_policy = ncg_take_ptr(parser->policy);
	return 0;
}

/* An error of the file as a whole. */
static void file_error(struct ncg_policy_parser *parser, const char *expected, const char *problem)
{
	ncg_policy_error_add(parser, (struct ncg_policy_word){ "", 0, 0 }, 0, NULL, expected, "%s",
			     problem);
}

/* The first file, whole. */
static void first_parse(struct ncg_policy_parser *parser, const char *text, size_t size)
{
	if (size > NCG_POLICY_SIZE_MAX) {
		file_error(parser, SIZE_EXPECTED, "the policy is too long");
		return;
	}
	parser->size = size;
	lines_parse(parser, text, size);
}

int ncg_policy_parse_text(const char *name, const char *text, size_t size,
			  struct ncg_policy **ret_policy, struct ncg_policy_errors **ret_errors)
{
	ncg_cleanup(ncg_policy_parse_freep) struct ncg_policy_parser *parser = NULL;
	int r;

	*ret_policy = NULL;
	if (ret_errors)
		*ret_errors = NULL;
	r = ncg_policy_parse_init(name, &parser);
	if (r < 0)
		return r;
	first_parse(parser, text, size);
	return ncg_policy_parse_finish(parser, ret_policy, ret_errors);
}

int ncg_policy_parse_file(const char *path, const struct ncg_policy_sources *sources,
			  struct ncg_policy **ret_policy, struct ncg_policy_errors **ret_errors)
{
	ncg_cleanup(ncg_policy_parse_freep) struct ncg_policy_parser *parser = NULL;
	struct ncg_policy_trouble trouble = { 0 };
	ncg_autofree char *text = NULL;
	size_t size;
	int r;

	*ret_policy = NULL;
	if (ret_errors)
		*ret_errors = NULL;
	r = ncg_policy_parse_init(path, &parser);
	if (r < 0)
		return r;
	ncg_policy_parse_sources(parser, sources);
	r = sources->read(sources->context, path, NCG_POLICY_SIZE_MAX, &text, &size,
			  &parser->first.identity, &trouble);
	if (r < 0 && !trouble.problem)
		return r;
	parser->first.known = true;
	if (r < 0)
		file_error(parser, trouble.expected, trouble.problem);
	else
		first_parse(parser, text, size);
	free(trouble.problem);
	return ncg_policy_parse_finish(parser, ret_policy, ret_errors);
}
