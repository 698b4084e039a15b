// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy parser and the texts of its errors, on any bytes. Input: the files of a
 * policy, in the order of `paths`, a NUL byte after each; what is left after the last
 * is the last file's, NUL bytes and all. Finds crashes, and rules and errors of a
 * shape that policy.h does not promise. Keeps no state between inputs.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "policy.h"
#include "policy_memory.h"
#include "policy_named.h"
#include "policy_word.h"

/* What may be included; policy_memory.h takes "d/" for a folder. */
static const char *const paths[] = { "policy.conf", "b", "c", "d/1.conf", "d/2.conf" };

#define FILES (sizeof(paths) / sizeof(*paths))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(const struct ncg_policy *policy, const struct ncg_policy_rule *rule)
{
	const uint8_t *value = (const void *)&rule->value, *mask = (const void *)&rule->mask;

	for (size_t i = 0; i < sizeof(rule->value); i++)
		check(!(value[i] & ~mask[i]));
	check(!rule->value.bar && !rule->mask.bar);
	check(!rule->value.zero && !rule->mask.zero);
	check(rule->bars < 1 << NCG_POLICY_BARS);
	check(rule->line > 0 && rule->file < policy->file_count);
	check(rule->verdict == NCG_VERDICT_ALLOW || rule->verdict == NCG_VERDICT_DENY);
	check(!rule->value.cgroup && !rule->mask.cgroup);
	check(!rule->cgroup || rule->cgroup[0] == '/');
}

/*
 * Names stand once each and in order, every rule's among them, and a name's line can be
 * read back: it is one word behind the ids.
 */
static void check_named(const struct ncg_policy *policy)
{
	size_t with = 0;

	for (size_t i = 0; i < policy->rule_count; i++)
		with += policy->rules[i].name != NULL;
	check(policy->named_count <= with && !policy->named_count == !with);
	for (size_t i = 0; i < policy->named_count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[policy->named[i]];
		struct ncg_policy_word rest, word;
		char *line;

		check(policy->named[i] < policy->rule_count && rule->name);
		check(rule->mask.vendor == 0xffff);
		check(!i || strcmp(policy->rules[policy->named[i - 1]].name, rule->name) < 0);
		line = ncg_policy_named_line(rule);
		check(line && !strchr(line, '\n'));
		rest = (struct ncg_policy_word){ line, strlen(line), 1 };
		check(ncg_policy_word_next(&rest, &word) && word.length <= strlen("10de:2330"));
		check(ncg_policy_word_next(&rest, &word) && ncg_policy_word_is(word, rule->name));
		check(!ncg_policy_word_next(&rest, &word));
		free(line);
	}
}

static void check_policy(const struct ncg_policy *policy)
{
	__u32 lines[NCG_FILES_MAX] = { 0 };

	check(policy->mode < NCG_MODE_NR);
	check(policy->fallback == NCG_VERDICT_ALLOW || policy->fallback == NCG_VERDICT_DENY);
	check(policy->without_hook < NCG_WITHOUT_HOOK_NR);
	check(policy->rule_count <= policy->rule_room);
	check(policy->file_count > 0 && policy->file_count <= NCG_FILES_MAX);
	/* Within one file a line is read once, and after those before it. */
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct ncg_policy_rule *rule = &policy->rules[i];

		check_rule(policy, rule);
		check(rule->line > lines[rule->file]);
		lines[rule->file] = rule->line;
	}
	check_named(policy);
}

/* What was accepted is text, of lines that are not too long. */
static void check_input(const char *text, size_t size)
{
	check(!size || !memchr(text, '\0', size));
	while (size) {
		const char *newline = memchr(text, '\n', size);
		size_t length = newline ? (size_t)(newline - text) : size;

		check(length <= NCG_POLICY_LINE_MAX + (text[length - !!length] == '\r'));
		length += !!newline;
		text += length;
		size -= length;
	}
}

/* Nothing of the input reaches a terminal as it is. */
static void check_text(const char *text, bool newlines)
{
	check(text);
	for (; *text; text++)
		check((*text >= ' ' && *text <= '~') || (newlines && *text == '\n'));
}

static bool is_path(const char *file)
{
	for (size_t i = 0; i < FILES; i++)
		if (!strcmp(file, paths[i]))
			return true;
	return false;
}

static void check_errors(const struct ncg_policy_errors *errors, size_t size)
{
	char *text;

	check(errors->count > 0 && errors->count <= NCG_POLICY_ERRORS_MAX);
	check(!errors->more || errors->count == NCG_POLICY_ERRORS_MAX);
	for (size_t i = 0; i < errors->count; i++) {
		const struct ncg_policy_error *e = &errors->list[i];

		check(is_path(e->file));
		check(!e->included == !strcmp(e->file, "policy.conf"));
		check(e->line > 0 && e->column > 0 && e->column <= size + 1);
		check(memchr(e->text, '\0', sizeof(e->text)));
		check(*e->problem && *e->expected);
		text = ncg_policy_error_format(e);
		check_text(text, false);
		check(!strncmp(text, e->file, strlen(e->file)));
		free(text);
	}
	text = ncg_policy_errors_format(errors);
	check_text(text, true);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_file files[FILES] = { 0 };
	static const struct memory_known known[] = { { "\"gone\":*", 7, 0 } };
	struct memory memory = { .files = files, .file_count = FILES, .known = known,
				 .known_count = 1 };
	const struct ncg_policy_sources sources = memory_sources(&memory);
	struct ncg_policy_errors *errors;
	struct ncg_policy *policy;
	char *text = malloc(size + 1), *at = text;
	int r;

	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < FILES; i++) {
		const size_t left = text + size - at;

		files[i].path = paths[i];
		files[i].text = at;
		files[i].size = i + 1 < FILES ? strlen(at) : left;
		at += files[i].size < left ? files[i].size + 1 : left;
	}
	r = ncg_policy_parse_file(paths[0], &sources, &policy, &errors);
	check(r == 0 || r == -EINVAL);
	check(!policy == (r != 0) && !errors == (r == 0));
	if (policy) {
		check_input(files[0].text, files[0].size);
		check_policy(policy);
	} else {
		check_errors(errors, size);
	}
	ncg_policy_free(policy);
	ncg_policy_errors_free(errors);
	free(text);
	return 0;
}
