/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words of a policy's line, and which of the words that would have been right is
 * most like one that is not. Pure; words are borrowed from the line.
 */
#ifndef NCGATE_POLICY_WORD_H
#define NCGATE_POLICY_WORD_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"

/* A piece of a line: a word, or a part of one. */
struct ncg_policy_word {
	const char *text;
	size_t length;
	__u32 column; /* from 1, in bytes */
};

bool ncg_policy_word_is(struct ncg_policy_word word, const char *text);

struct ncg_policy_word ncg_policy_word_part(struct ncg_policy_word word, size_t from,
					    size_t length);

/* The column behind a word: where the next would have been. */
__u32 ncg_policy_word_end(struct ncg_policy_word word);

/*
 * Takes the next word off rest. Blanks end a word but not between double quotes; a
 * comment ends the line. False: no more.
 */
bool ncg_policy_word_next(struct ncg_policy_word *rest, struct ncg_policy_word *ret_word);

/*
 * Cuts word at the first separator that is not between double quotes: false when
 * there is none.
 */
bool ncg_policy_word_cut(struct ncg_policy_word word, char separator,
			 struct ncg_policy_word *ret_before, struct ncg_policy_word *ret_after);

bool ncg_policy_word_quoted(struct ncg_policy_word word);

/*
 * The word without its double quotes, of which a doubled one within stands for one;
 * the caller frees *ret_text. 0; -ENOMEM; -EINVAL when the word has quotes but is not
 * wholly between two.
 */
int ncg_policy_word_unquote(struct ncg_policy_word word, char **ret_text);

/* What a search for the nearest has found. */
struct ncg_policy_nearest {
	const char *word; /* borrowed; NULL while there is nothing */
	size_t beginning; /* letters that both begin with */
	size_t distance;  /* letters that differ */
};

/*
 * Takes candidate where it is like word at all, and more so than what was found; whether
 * it was taken is returned. Like it is what
 *   - differs in at most 2 letters, or a quarter of the word when that is more, not all;
 *   - holds all of a word of 3 letters or more, or begins with a word of 2;
 *   - begins as the word does, for at least 4 letters and half of the word.
 * More so is what begins as it does for more letters; then what differs in fewer.
 */
bool ncg_policy_nearest_try(struct ncg_policy_nearest *nearest, struct ncg_policy_word word,
			    const char *candidate);

#endif
