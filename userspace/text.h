/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text whose bytes somebody else chose: what a VMM says of itself, what stands in a
 * file or in an audit trail. The one place that says what is UTF-8, which characters
 * could make a terminal or a log lie, and where a name is cut. Pure; time and memory
 * are linear in the input.
 */
#ifndef NCGATE_TEXT_H
#define NCGATE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A name is never longer, in bytes and without its NUL: as long as Linux allows a file
 * name, and what struct ncg_vm_note of abi.h has room for.
 */
#define NCG_TEXT_NAME_MAX 255
#define NCG_TEXT_NAME_LEN (NCG_TEXT_NAME_MAX + 1)

/*
 * The length in bytes of the UTF-8 character at the beginning of text, of at most size
 * bytes, and its code point. 0 where there is none, *ret_code is then untouched: the
 * well-formed sequences of the Unicode Standard, table 3-7 (no overlong forms, no
 * surrogates, nothing above U+10FFFF).
 */
size_t ncg_text_character(const char *text, size_t size, uint32_t *ret_code);

/*
 * Whether a character steers instead of being seen: C0, DEL, C1, line and paragraph
 * separators, what changes the direction of writing, and marks without a width.
 */
bool ncg_text_is_hidden(uint32_t code);

/* The first byte that is not UTF-8 or begins a hidden character; size: there is none. */
size_t ncg_text_first_hidden(const char *text, size_t size);

/*
 * The text as people may see it, for the caller to free: a hidden character becomes
 * \x1b or \u202e, a byte that is not UTF-8 becomes U+FFFD. NULL when there is no memory.
 */
char *ncg_text_visible(const char *text, size_t size);

/*
 * The same with a bound: what is longer than room - 1 bytes is cut between two
 * characters and ends in U+2026. room is 4 at least, the NUL included.
 */
void ncg_text_cut(const char *text, size_t size, size_t room, char *ret_text);

/* The same for a name. */
void ncg_text_name(const char *text, size_t size, char ret_name[NCG_TEXT_NAME_LEN]);

/*
 * The text as UTF-8, for the caller to free: a NUL or a byte that is not UTF-8 becomes
 * U+FFFD, all else stays. NULL when there is no memory.
 */
char *ncg_text_repair(const char *text, size_t size);

#endif
