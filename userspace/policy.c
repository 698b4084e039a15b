// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of policy.h: a line is cut into words, its first word picks the
 * statement, and each statement has a function of its own. To add a match, add a
 * row to `matches` with its function; to add a statement, a row to `statements`.
 *
 * The parser owns the policy and the errors until finish gives one of them away.
 * Fails closed: a policy with any error is never handed out.
 */
#include "policy.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A piece of the present line: a word, or a part of one. */
struct word {
	const char *text;
	size_t length;
	__u32 column;
};

/* The statements that may stand once only. */
enum setting {
	SETTING_MODE,
	SETTING_DEFAULT,
	SETTING_WITHOUT_HOOK,
	SETTING_NR,
};

struct ncg_policy_parser {
	struct ncg_policy *policy;
	struct ncg_policy_errors *errors;	/* NULL while there are none */
	char *name;
	__u32 line;
	__u32 set_at[SETTING_NR];	/* line of the first one; 0: none yet */
	bool no_memory;
};

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

static void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

#define _cleanup_free_ __attribute__((cleanup(cleanup_free)))
#define _cleanup_parser_ __attribute__((cleanup(ncg_policy_parse_freep)))

void ncg_policy_free(struct ncg_policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->file_count; i++)
		free(policy->paths[i]);
	free(policy->paths);
	for (size_t i = 0; i < policy->rule_count; i++)
		free(policy->rules[i].cgroup);
	free(policy->files);
	free(policy->rules);
	free(policy);
}

void ncg_policy_errors_free(struct ncg_policy_errors *errors)
{
	if (!errors)
		return;
	for (size_t i = 0; i < errors->count; i++) {
		free(errors->list[i].file);
		free(errors->list[i].problem);
	}
	free(errors);
}

void ncg_policy_parse_free(struct ncg_policy_parser *parser)
{
	if (!parser)
		return;
	ncg_policy_free(parser->policy);
	ncg_policy_errors_free(parser->errors);
	free(parser->name);
	free(parser);
}

void ncg_policy_freep(struct ncg_policy **policy)
{
	ncg_policy_free(*policy);
}

void ncg_policy_errors_freep(struct ncg_policy_errors **errors)
{
	ncg_policy_errors_free(*errors);
}

void ncg_policy_parse_freep(struct ncg_policy_parser **parser)
{
	ncg_policy_parse_free(*parser);
}

/* ------------------------------------------------------------------- words */

static bool word_is(struct word word, const char *text)
{
	return word.length == strlen(text) && !memcmp(word.text, text, word.length);
}

static struct word word_part(struct word word, size_t from, size_t length)
{
	return (struct word){ word.text + from, length, word.column + from };
}

/* Where the next word would have been; for what is missing. */
static __u32 word_end(struct word word)
{
	return word.column + word.length;
}

/* Takes the next word off rest; a comment ends the line. False: no more. */
static bool word_next(struct word *rest, struct word *ret_word)
{
	size_t start = 0, end;

	while (start < rest->length && (rest->text[start] == ' ' || rest->text[start] == '\t'))
		start++;
	/*
	 * '#' within a word is a part of it, as in a shell: a path may hold one,
	 * and a comment glued to a value is more likely a slip than a wish.
	 */
	if (start == rest->length || rest->text[start] == '#')
		return false;

	for (end = start; end < rest->length; end++)
		if (rest->text[end] == ' ' || rest->text[end] == '\t')
			break;

	*ret_word = word_part(*rest, start, end - start);
	*rest = word_part(*rest, end, rest->length - end);
	return true;
}

/* Cuts word at the first separator: false when there is none. */
static bool word_cut(struct word word, char separator, struct word *ret_before,
		     struct word *ret_after)
{
	const char *at = memchr(word.text, separator, word.length);
	size_t length;

	if (!at)
		return false;
	length = at - word.text;
	*ret_before = word_part(word, 0, length);
	*ret_after = word_part(word, length + 1, word.length - length - 1);
	return true;
}

/* ------------------------------------------------------------------ errors */

#define SUGGEST_WORD_MAX 16
#define SUGGEST_DISTANCE_MAX 2

/* Levenshtein's distance, row by row. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t row[SUGGEST_WORD_MAX + 1];

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_length];
}

/* What a search for the valid word nearest to one that is not has found. */
struct nearest {
	const char *word;
	size_t distance;
};

static void nearest_try(struct nearest *nearest, struct word word, const char *candidate)
{
	size_t length = strlen(candidate), distance;

	if (!length || length > SUGGEST_WORD_MAX || word.length > SUGGEST_WORD_MAX)
		return;
	distance = edit_distance(word.text, word.length, candidate, length);
	/* A word of which no letter is left is no misspelling. */
	if (distance > SUGGEST_DISTANCE_MAX || distance >= word.length)
		return;
	if (!nearest->word || distance < nearest->distance)
		*nearest = (struct nearest){ candidate, distance };
}

/* Writes text so that no byte of a file can act on a terminal or break JSON. */
static void escape(const char *text, size_t length, char *ret_text, size_t size)
{
	const size_t shown = (size - sizeof("...")) / strlen("\\xff");
	size_t out = 0;

	for (size_t i = 0; i < length && i < shown; i++) {
		unsigned char c = text[i];

		if (c >= 0x20 && c < 0x7f)
			ret_text[out++] = c;
		else
			out += sprintf(ret_text + out, "\\x%02x", c);
	}
	strcpy(ret_text + out, length > shown ? "..." : "");
}

/*
 * Collects one error. Returns -EINVAL, or -ENOMEM when it could not be kept, in
 * which case finish fails with that.
 */
__attribute__((format(printf, 6, 7)))
static int error_add(struct ncg_policy_parser *parser, struct word at, __u32 column,
		     const char *nearest, const char *expected, const char *problem, ...)
{
	struct ncg_policy_error *error;
	char *file, *text;
	va_list args;
	int length;

	if (!parser->errors)
		parser->errors = calloc(1, sizeof(*parser->errors));
	if (!parser->errors)
		goto no_memory;
	if (parser->errors->count == NCG_POLICY_ERRORS_MAX) {
		parser->errors->more++;
		return -EINVAL;
	}

	file = strdup(parser->name);
	if (!file)
		goto no_memory;
	va_start(args, problem);
	length = vasprintf(&text, problem, args);
	va_end(args);
	if (length < 0) {
		free(file);
		goto no_memory;
	}

	error = &parser->errors->list[parser->errors->count++];
	error->file = file;
	error->line = parser->line;
	error->column = column;
	escape(at.text, at.length, error->text, sizeof(error->text));
	error->problem = text;
	error->expected = expected;
	error->nearest = nearest;
	return -EINVAL;

no_memory:
	parser->no_memory = true;
	return -ENOMEM;
}

/* The common case: the error is the word itself and has no near relative. */
#define error_word(parser, word, expected, problem) \
	error_add(parser, word, (word).column, NULL, expected, problem)

static int nothing_left(struct ncg_policy_parser *parser, struct word *rest)
{
	struct word word;

	if (!word_next(rest, &word))
		return 0;
	return error_word(parser, word, "the end of the line", "is one word too many");
}

/* ------------------------------------------------------------------ numbers */

enum number {
	NUMBER_OK,
	NUMBER_NONE,	/* not digits, or no digit at all */
	NUMBER_RANGE,
};

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Not strtoull(): that takes blanks, signs and a prefix of what it is given. */
static enum number number_parse(struct word word, int base, __u64 max, __u64 *ret_value)
{
	__u64 value = 0;
	bool range = false;

	if (!word.length)
		return NUMBER_NONE;
	for (size_t i = 0; i < word.length; i++) {
		int digit = digit_value(word.text[i]);

		if (digit >= base)
			return NUMBER_NONE;
		value = value * base + digit;
		/* max is at most 32 bits wide, so the next step cannot wrap */
		if (value > max) {
			range = true;
			value = max;
		}
	}
	*ret_value = value;
	return range ? NUMBER_RANGE : NUMBER_OK;
}

static struct word skip_0x(struct word word)
{
	if (word.length > 2 && word.text[0] == '0' && (word.text[1] | 0x20) == 'x')
		return word_part(word, 2, word.length - 2);
	return word;
}

/*
 * One hex field, or `*`, which leaves value and mask alone: mask is set to all
 * ones of a field of that maximum.
 */
static int field_parse(struct ncg_policy_parser *parser, struct word word, bool prefix, __u64 max,
		       const char *expected, __u64 *ret_value, __u64 *ret_mask)
{
	*ret_value = 0;
	*ret_mask = 0;
	if (word_is(word, "*"))
		return 0;

	switch (number_parse(prefix ? skip_0x(word) : word, 16, max, ret_value)) {
	case NUMBER_OK:
		*ret_mask = max;
		return 0;
	case NUMBER_RANGE:
		return error_word(parser, word, expected, "is out of range");
	default:
		return error_word(parser, word, expected, "is not a hex number");
	}
}

/* ------------------------------------------------------------------ matches */

/* VENDOR:DEVICE, also a subsystem's. */
static int ids_parse(struct ncg_policy_parser *parser, struct word word, __u16 ret_values[2],
		     __u16 ret_masks[2])
{
	struct word parts[2];
	int ret = 0;

	if (!word_cut(word, ':', &parts[0], &parts[1]) || !parts[0].length || !parts[1].length ||
	    memchr(parts[1].text, ':', parts[1].length))
		return error_word(parser, word, "two hex ids, * for any, as 10de:2330",
				  "is not VENDOR:DEVICE");

	for (int i = 0; i < 2; i++) {
		__u64 value, mask;
		int r = field_parse(parser, parts[i], true, 0xffff, "0 to ffff in hex, or *",
				    &value, &mask);

		if (r < 0)
			ret = r;
		ret_values[i] = value;
		ret_masks[i] = mask;
	}
	return ret;
}

static int subsystem_parse(struct ncg_policy_parser *parser, struct word word,
			   struct ncg_policy_rule *rule)
{
	__u16 values[2], masks[2];
	int r = ids_parse(parser, word, values, masks);

	if (r < 0)
		return r;
	rule->value.subvendor = values[0];
	rule->value.subdevice = values[1];
	rule->mask.subvendor = masks[0];
	rule->mask.subdevice = masks[1];
	return 0;
}

static int class_parse(struct ncg_policy_parser *parser, struct word word,
		       struct ncg_policy_rule *rule)
{
	struct word digits = skip_0x(word);
	unsigned int missing;
	__u64 value;

	/* How much is matched follows from how much is written. */
	if ((digits.length != 2 && digits.length != 4 && digits.length != 6) ||
	    number_parse(digits, 16, 0xffffff, &value) != NUMBER_OK)
		return error_word(parser, word, "2, 4 or 6 hex digits: base, sub, interface",
				  "is not a class");
	missing = 4 * (6 - digits.length);
	rule->value.class_code = value << missing;
	rule->mask.class_code = 0xffffffu << missing & 0xffffff;
	return 0;
}

static int slot_parse(struct ncg_policy_parser *parser, struct word word,
		      struct ncg_policy_rule *rule)
{
	static const struct {
		__u64 max;
		const char *expected;
	} fields[] = {
		{ 0xffffffff, "a domain from 0 to ffffffff, or *" },	/* VMD's exceed 16 bits */
		{ 0xff, "a bus from 0 to ff, or *" },
		{ 0x1f, "a device from 0 to 1f, or *" },
		{ 0x7, "a function from 0 to 7, or *" },
	};
	struct word parts[4];
	__u64 values[4], masks[4];
	int ret = 0;

	if (!word_cut(word, ':', &parts[0], &parts[1]) ||
	    !word_cut(parts[1], ':', &parts[1], &parts[2]) ||
	    !word_cut(parts[2], '.', &parts[2], &parts[3]) ||
	    !parts[0].length || !parts[1].length || !parts[2].length || !parts[3].length)
		return error_word(parser, word, "DDDD:BB:DD.F in hex, * for any part",
				  "is not a slot");

	for (int i = 0; i < 4; i++) {
		int r = field_parse(parser, parts[i], false, fields[i].max, fields[i].expected,
				    &values[i], &masks[i]);
		if (r < 0)
			ret = r;
	}
	rule->value.domain = values[0];
	rule->value.bus = values[1];
	rule->value.devfn = values[2] << 3 | values[3];
	rule->mask.domain = masks[0];
	rule->mask.bus = masks[1];
	rule->mask.devfn = masks[2] << 3 | masks[3];
	return ret;
}

static int bar_parse(struct ncg_policy_parser *parser, struct word word,
		     struct ncg_policy_rule *rule)
{
	const char *const expected = "BARs from 0 to 5 with commas between, as 0,2";
	struct word rest = word, bar;
	bool last = false;
	int ret = 0, r;

	while (!last) {
		__u64 value;

		last = !word_cut(rest, ',', &bar, &rest);
		if (last)
			bar = rest;
		if (!bar.length)
			return error_add(parser, word, bar.column, NULL, expected,
					 "has an empty place");

		r = 0;
		switch (number_parse(bar, 10, NCG_POLICY_BARS - 1, &value)) {
		case NUMBER_OK:
			if (rule->bars & 1u << value)
				r = error_word(parser, bar, "each BAR once", "is listed twice");
			rule->bars |= 1u << value;
			break;
		case NUMBER_RANGE:
			r = error_word(parser, bar, expected, "is out of range");
			break;
		default:
			r = error_word(parser, bar, expected, "is not a BAR");
		}
		if (r < 0)
			ret = r;
	}
	return ret;
}

static int uid_parse(struct ncg_policy_parser *parser, struct word word,
		     struct ncg_policy_rule *rule)
{
	/* (uid_t)-1 is no user */
	const __u64 max = 0xfffffffe;
	const char *const expected = "a decimal number from 0 to 4294967294";
	__u64 value;

	switch (number_parse(word, 10, max, &value)) {
	case NUMBER_OK:
		rule->value.uid = value;
		rule->mask.uid = ~0ull;
		return 0;
	case NUMBER_RANGE:
		return error_word(parser, word, expected, "is out of range");
	default:
		return error_word(parser, word, expected, "is not a uid");
	}
}

static const struct match {
	const char *key;
	const char *offer;	/* as suggested; NULL: not before it is supported */
	const char *form;
	int (*parse)(struct ncg_policy_parser *parser, struct word word,
		     struct ncg_policy_rule *rule);
} matches[] = {
	{ "subsystem", "subsystem=", "subsystem=VENDOR:DEVICE", subsystem_parse },
	{ "class", "class=", "class=CC, CCSS or CCSSPP", class_parse },
	{ "slot", "slot=", "slot=DDDD:BB:DD.F", slot_parse },
	{ "bar", "bar=", "bar=N or bar=N,N", bar_parse },
	{ "uid", "uid=", "uid=N", uid_parse },
	{ "cgroup", NULL, NULL, NULL },
};

#define MATCHES (sizeof(matches) / sizeof(*matches))
#define MATCHES_EXPECTED "subsystem=, class=, slot=, bar= or uid="

/* One KEY=VALUE. seen has a bit for each match that the rule has had. */
static int match_parse(struct ncg_policy_parser *parser, struct word word, unsigned int *seen,
		       struct ncg_policy_rule *rule)
{
	struct word key = word, value = { 0 };
	struct nearest nearest = { 0 };

	word_cut(word, '=', &key, &value);
	if (!key.length)
		key = word;	/* so that there is something to show */
	for (size_t i = 0; i < MATCHES; i++) {
		const struct match *match = &matches[i];

		if (!word_is(key, match->key)) {
			struct nearest before = nearest;

			/* compared without the '=', offered with it */
			if (match->offer)
				nearest_try(&nearest, key, match->key);
			if (nearest.word != before.word)
				nearest.word = match->offer;
			continue;
		}
		if (!match->parse)
			return error_word(parser, key, MATCHES_EXPECTED,
					  "is not supported yet by this version");
		if (*seen & 1u << i)
			return error_word(parser, key, "each match once", "is given twice");
		*seen |= 1u << i;
		if (!value.length)
			return error_add(parser, key, word_end(word), NULL, match->form,
					 "has no value");
		return match->parse(parser, value, rule);
	}
	return error_add(parser, key, key.column, nearest.word, MATCHES_EXPECTED,
			 "is not a match");
}

/* --------------------------------------------------------------- statements */

static int rule_parse(struct ncg_policy_parser *parser, struct word statement, struct word rest,
		      enum ncg_verdict verdict)
{
	struct ncg_policy *policy = parser->policy;
	struct ncg_policy_rule rule = { .verdict = verdict, .line = parser->line };
	__u16 values[2], masks[2];
	unsigned int seen = 0;
	struct word word;
	int ret, r;

	if (!word_next(&rest, &word))
		return error_add(parser, statement, word_end(statement), NULL,
				 "VENDOR:DEVICE in hex, * for any", "has no device");

	ret = ids_parse(parser, word, values, masks);
	while (word_next(&rest, &word)) {
		r = match_parse(parser, word, &seen, &rule);
		if (r < 0)
			ret = r;
	}
	if (ret < 0)
		return ret;

	rule.value.vendor = values[0];
	rule.value.device = values[1];
	rule.mask.vendor = masks[0];
	rule.mask.device = masks[1];

	if (policy->rule_count == policy->rule_room) {
		size_t room = policy->rule_room ? 2 * policy->rule_room : 16;
		struct ncg_policy_rule *rules = reallocarray(policy->rules, room, sizeof(*rules));

		if (!rules) {
			parser->no_memory = true;
			return -ENOMEM;
		}
		policy->rules = rules;
		policy->rule_room = room;
	}
	policy->rules[policy->rule_count++] = rule;
	return 0;
}

static int allow_parse(struct ncg_policy_parser *parser, struct word statement, struct word rest)
{
	return rule_parse(parser, statement, rest, NCG_VERDICT_ALLOW);
}

static int deny_parse(struct ncg_policy_parser *parser, struct word statement, struct word rest)
{
	return rule_parse(parser, statement, rest, NCG_VERDICT_DENY);
}

/* A statement that stands once, with one word out of a list. */
static int setting_parse(struct ncg_policy_parser *parser, struct word statement,
			 struct word rest, enum setting setting, const char *const words[],
			 const char *expected, unsigned int *ret_value)
{
	struct nearest nearest = { 0 };
	struct word word;

	if (parser->set_at[setting])
		return error_add(parser, statement, statement.column, NULL, "it once",
				 "was already given in line %u", parser->set_at[setting]);
	parser->set_at[setting] = parser->line;

	if (!word_next(&rest, &word))
		return error_add(parser, statement, word_end(statement), NULL, expected,
				 "has no value");
	for (unsigned int i = 0; words[i]; i++) {
		if (*words[i] && word_is(word, words[i])) {
			*ret_value = i;
			return nothing_left(parser, &rest);
		}
		nearest_try(&nearest, word, words[i]);
	}
	return error_add(parser, word, word.column, nearest.word, expected,
			 "is not a value of '%.*s'", (int)statement.length, statement.text);
}

static int mode_parse(struct ncg_policy_parser *parser, struct word statement, struct word rest)
{
	unsigned int value = parser->policy->mode;
	int r = setting_parse(parser, statement, rest, SETTING_MODE, mode_words,
			      "enforce or audit", &value);

	parser->policy->mode = value;
	return r;
}

static int default_parse(struct ncg_policy_parser *parser, struct word statement,
			 struct word rest)
{
	unsigned int value = parser->policy->fallback;
	int r = setting_parse(parser, statement, rest, SETTING_DEFAULT, verdict_words,
			      "allow or deny", &value);

	parser->policy->fallback = value;
	return r;
}

static int without_hook_parse(struct ncg_policy_parser *parser, struct word statement,
			      struct word rest)
{
	unsigned int value = parser->policy->without_hook;
	int r = setting_parse(parser, statement, rest, SETTING_WITHOUT_HOOK, without_hook_words,
			      "audit or trap", &value);

	parser->policy->without_hook = value;
	return r;
}

static const struct {
	const char *word;
	/* NULL: known, not supported yet, and not suggested before it is */
	int (*parse)(struct ncg_policy_parser *parser, struct word statement, struct word rest);
} statements[] = {
	{ "mode", mode_parse },
	{ "default", default_parse },
	{ "without-hook", without_hook_parse },
	{ "allow", allow_parse },
	{ "deny", deny_parse },
	{ "include", NULL },
};

#define STATEMENTS_EXPECTED "mode, default, without-hook, allow or deny"

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
	_cleanup_parser_ struct ncg_policy_parser *parser = calloc(1, sizeof(*parser));
	struct ncg_policy *policy;

	*ret_parser = NULL;
	if (!parser)
		return -ENOMEM;
	parser->name = strdup(name);
	parser->policy = policy = calloc(1, sizeof(*policy));
	if (!parser->name || !policy)
		return -ENOMEM;
	policy->files = calloc(1, sizeof(*policy->files));
	policy->paths = calloc(1, sizeof(*policy->paths));
	if (!policy->files || !policy->paths)
		return -ENOMEM;
	policy->file_count = 1;
	policy->paths[0] = strdup(name);
	if (!policy->paths[0])
		return -ENOMEM;
	ncg_policy_path_shorten(name, policy->files[0]);

	/* What a policy that says nothing means: nothing changes for anyone. */
	policy->mode = NCG_MODE_AUDIT;
	policy->fallback = NCG_VERDICT_DENY;
	policy->without_hook = NCG_WITHOUT_HOOK_AUDIT;

	*ret_parser = parser;
	parser = NULL;
	return 0;
}

int ncg_policy_parse_line(struct ncg_policy_parser *parser, const char *line, size_t length)
{
	struct word rest = { line, length, 1 }, statement;
	struct nearest nearest = { 0 };
	const char *nul;

	parser->line++;
	if (length && line[length - 1] == '\r')
		rest.length--;
	if (rest.length > NCG_POLICY_LINE_MAX)
		return error_word(parser, word_part(rest, NCG_POLICY_LINE_MAX,
						    rest.length - NCG_POLICY_LINE_MAX),
				  "a line of at most 4096 bytes", "goes beyond the longest line");
	static_assert(NCG_POLICY_LINE_MAX == 4096, "the message above names it");
	/* Also in a comment: a NUL says that this is no text, or UTF-16. */
	nul = memchr(rest.text, '\0', rest.length);
	if (nul)
		return error_word(parser, word_part(rest, nul - rest.text, 1), "text",
				  "is a NUL byte");

	if (!word_next(&rest, &statement))
		return 0;
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
		if (word_is(statement, statements[i].word)) {
			if (statements[i].parse)
				return statements[i].parse(parser, statement, rest);
			return error_word(parser, statement, STATEMENTS_EXPECTED,
					  "is not supported yet by this version");
		}
		if (statements[i].parse)
			nearest_try(&nearest, statement, statements[i].word);
	}
	return error_add(parser, statement, statement.column, nearest.word, STATEMENTS_EXPECTED,
			 "is not a statement");
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
		if (ret_errors) {
			*ret_errors = parser->errors;
			parser->errors = NULL;
		}
		return -EINVAL;
	}
	*ret_policy = parser->policy;
	parser->policy = NULL;
	return 0;
}

int ncg_policy_parse_text(const char *name, const char *text, size_t size,
			  struct ncg_policy **ret_policy, struct ncg_policy_errors **ret_errors)
{
	_cleanup_parser_ struct ncg_policy_parser *parser = NULL;
	int r;

	*ret_policy = NULL;
	if (ret_errors)
		*ret_errors = NULL;
	r = ncg_policy_parse_init(name, &parser);
	if (r < 0)
		return r;

	if (size > NCG_POLICY_SIZE_MAX) {
		error_add(parser, (struct word){ "", 0, 0 }, 0, NULL, "at most 16 MiB",
			  "the policy is too long");
		static_assert(NCG_POLICY_SIZE_MAX == 16 << 20, "the message above names it");
		size = 0;
	}
	while (size) {
		const char *newline = memchr(text, '\n', size);
		size_t length = newline ? (size_t)(newline - text) : size;

		/* -EINVAL is in the list, and one error must not hide the next */
		if (ncg_policy_parse_line(parser, text, length) == -ENOMEM)
			break;
		length += !!newline;
		text += length;
		size -= length;
	}
	return ncg_policy_parse_finish(parser, ret_policy, ret_errors);
}

static void error_write(FILE *out, const struct ncg_policy_error *error)
{
	fprintf(out, "%s:", error->file);
	if (error->line)
		fprintf(out, "%u:%u:", error->line, error->column);
	if (*error->text)
		fprintf(out, " '%s'", error->text);
	fprintf(out, " %s; expected %s", error->problem, error->expected);
	if (error->nearest)
		fprintf(out, " (did you mean '%s'?)", error->nearest);
}

char *ncg_policy_error_format(const struct ncg_policy_error *error)
{
	_cleanup_free_ char *text = NULL;
	char *taken;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool bad;

	if (!out)
		return NULL;
	error_write(out, error);
	bad = ferror(out);
	if (fclose(out) || bad)
		return NULL;
	taken = text;
	text = NULL;
	return taken;
}

char *ncg_policy_errors_format(const struct ncg_policy_errors *errors)
{
	_cleanup_free_ char *text = NULL;
	char *taken;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool bad;

	if (!out)
		return NULL;
	for (size_t i = 0; i < errors->count; i++) {
		error_write(out, &errors->list[i]);
		fputc('\n', out);
	}
	if (errors->more)
		fprintf(out, "%s: %zu more errors are not shown\n", errors->list[0].file,
			errors->more);
	bad = ferror(out);
	if (fclose(out) || bad)
		return NULL;
	taken = text;
	text = NULL;
	return taken;
}
