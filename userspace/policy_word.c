// SPDX-License-Identifier: GPL-2.0-only
/* See policy_word.h. */
#include "policy_word.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool ncg_policy_word_is(struct ncg_policy_word word, const char *text)
{
	return word.length == strlen(text) && !memcmp(word.text, text, word.length);
}

struct ncg_policy_word ncg_policy_word_part(struct ncg_policy_word word, size_t from,
					    size_t length)
{
	return (struct ncg_policy_word){ word.text + from, length, word.column + from };
}

__u32 ncg_policy_word_end(struct ncg_policy_word word)
{
	return word.column + word.length;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool ncg_policy_word_next(struct ncg_policy_word *rest, struct ncg_policy_word *ret_word)
{
	size_t start = 0, end;
	bool quoted = false;

	while (start < rest->length && is_blank(rest->text[start]))
		start++;
	/*
	 * '#' within a word is a part of it, as in a shell: a path may hold one,
	 * and a comment glued to a value is more likely a slip than a wish.
	 */
	if (start == rest->length || rest->text[start] == '#')
		return false;

	for (end = start; end < rest->length; end++) {
		if (rest->text[end] == '"')
			quoted = !quoted;
		else if (!quoted && is_blank(rest->text[end]))
			break;
	}

	*ret_word = ncg_policy_word_part(*rest, start, end - start);
	*rest = ncg_policy_word_part(*rest, end, rest->length - end);
	return true;
}

bool ncg_policy_word_cut(struct ncg_policy_word word, char separator,
			 struct ncg_policy_word *ret_before, struct ncg_policy_word *ret_after)
{
	bool quoted = false;

	for (size_t i = 0; i < word.length; i++) {
		if (word.text[i] == '"')
			quoted = !quoted;
		if (quoted || word.text[i] != separator)
			continue;
		*ret_before = ncg_policy_word_part(word, 0, i);
		*ret_after = ncg_policy_word_part(word, i + 1, word.length - i - 1);
		return true;
	}
	return false;
}

bool ncg_policy_word_quoted(struct ncg_policy_word word)
{
	return word.length && word.text[0] == '"';
}

int ncg_policy_word_unquote(struct ncg_policy_word word, char **ret_text)
{
	bool quoted = ncg_policy_word_quoted(word);
	const char *at = word.text + quoted, *end = word.text + word.length;
	char *text, *to;

	if (quoted && (word.length < 2 || *--end != '"'))
		return -EINVAL;
	to = text = malloc(word.length + 1);
	if (!text)
		return -ENOMEM;
	while (at < end) {
		/* Between quotes a quote is written twice, elsewhere not at all. */
		if (*at == '"' && (!quoted || ++at == end || *at != '"')) {
			free(text);
			return -EINVAL;
		}
		*to++ = *at++;
	}
	*to = '\0';
	*ret_text = text;
	return 0;
}

/* ------------------------------------------------------------------ nearest */

#define WORD_MAX 127 /* nothing longer is compared */
#define DISTANCE_MAX 2

/* Levenshtein's distance, row by row. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t row[WORD_MAX + 1];

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

/* Whether only a few letters differ, so that a slip explains it; *ret_distance: how many. */
static bool is_slip(struct ncg_policy_word word, const char *candidate, size_t length,
		    size_t *ret_distance)
{
	size_t most = word.length / 4;

	if (most < DISTANCE_MAX)
		most = DISTANCE_MAX;
	if (!length || length > WORD_MAX || word.length > WORD_MAX ||
	    length > word.length + most || word.length > length + most)
		return false;
	*ret_distance = edit_distance(word.text, word.length, candidate, length);
	/* A word of which no letter is left is no misspelling. */
	return *ret_distance <= most && *ret_distance < word.length;
}

bool ncg_policy_nearest_try(struct ncg_policy_nearest *nearest, struct ncg_policy_word word,
			    const char *candidate)
{
	size_t length = strlen(candidate), same = 0, distance;

	while (same < word.length && same < length && word.text[same] == candidate[same])
		same++;
	/* Decided already, before the expensive comparison. */
	if (nearest->word && same < nearest->beginning)
		return false;
	if (!is_slip(word, candidate, length, &distance)) {
		distance = word.length + length - 2 * same;
		if (word.length >= 3 && memmem(candidate, length, word.text, word.length))
			distance = length - word.length;
		else if (!(same >= 2 && same == word.length) &&
			 !(same >= 4 && 2 * same >= word.length))
			return false;
	}
	if (nearest->word && same == nearest->beginning && distance >= nearest->distance)
		return false;
	*nearest = (struct ncg_policy_nearest){ candidate, same, distance };
	return true;
}
