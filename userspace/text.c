// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text whose bytes somebody else chose: see text.h for what is promised. Owns no
 * state. Fails towards being seen: what it does not know is shown as a mark, and
 * nothing is left out but the end of a name that is too long, which is marked too.
 */
#include "text.h"

#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
static const char ellipsis[] = "\xe2\x80\xa6";	  /* U+2026 */

/* Of one character as it is shown, NUL included: "\U000e0001" is the longest. */
#define SHOWN_LEN 16

size_t ncg_text_character(const char *text, size_t size, uint32_t *ret_code)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */
	uint32_t code;
	size_t length;

	if (!size)
		return 0;
	if (s[0] < 0x80) {
		*ret_code = s[0];
		return 1;
	}
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		length = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		length = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (size < length)
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	code = s[0] & (0x7f >> length);
	for (size_t i = 1; i < length; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	*ret_code = code;
	return length;
}

bool ncg_text_is_hidden(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00, 0x1f },	      /* C0 */
		{ 0x7f, 0x9f },	      /* DEL and C1 */
		{ 0x061c, 0x061c },   /* Arabic letter mark */
		{ 0x200b, 0x200b },   /* zero width space */
		{ 0x200e, 0x200f },   /* left-to-right and right-to-left mark */
		{ 0x2028, 0x202e },   /* separators, embeddings and overrides */
		{ 0x2060, 0x2060 },   /* word joiner */
		{ 0x2066, 0x2069 },   /* isolates */
		{ 0xfeff, 0xfeff },   /* byte order mark */
		{ 0xfff9, 0xfffb },   /* interlinear annotation */
		{ 0xe0000, 0xe007f }, /* tags */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

size_t ncg_text_first_hidden(const char *text, size_t size)
{
	size_t at = 0, length;
	uint32_t code;

	for (; at < size; at += length) {
		length = ncg_text_character(text + at, size - at, &code);
		if (!length || ncg_text_is_hidden(code))
			break;
	}
	return at;
}

static void put_code(char *ret_shown, char letter, int digits, uint32_t code)
{
	*ret_shown++ = '\\';
	*ret_shown++ = letter;
	while (digits--)
		*ret_shown++ = "0123456789abcdef"[code >> 4 * digits & 0xf];
	*ret_shown = '\0';
}

/* One character as it is shown; returns how many bytes of the text it was. */
static size_t show(const char *text, size_t size, char ret_shown[SHOWN_LEN])
{
	uint32_t code;
	size_t length = ncg_text_character(text, size, &code);

	if (!length) {
		strcpy(ret_shown, replacement);
		return 1;
	}
	if (!ncg_text_is_hidden(code)) {
		memcpy(ret_shown, text, length);
		ret_shown[length] = '\0';
	} else if (code < 0x80) {
		put_code(ret_shown, 'x', 2, code);
	} else {
		put_code(ret_shown, code > 0xffff ? 'U' : 'u', code > 0xffff ? 8 : 4, code);
	}
	return length;
}

char *ncg_text_visible(const char *text, size_t size)
{
	char shown[SHOWN_LEN];
	size_t used = 0;
	char *visible;

	/* Twice: the first time to learn how much room it takes. */
	for (size_t at = 0; at < size;) {
		at += show(text + at, size - at, shown);
		used += strlen(shown);
	}
	visible = malloc(used + 1);
	if (!visible)
		return NULL;
	used = 0;
	for (size_t at = 0; at < size;) {
		at += show(text + at, size - at, shown);
		memcpy(visible + used, shown, strlen(shown));
		used += strlen(shown);
	}
	visible[used] = '\0';
	return visible;
}

void ncg_text_cut(const char *text, size_t size, size_t room, char *ret_text)
{
	size_t used = 0, cut = 0; /* cut: where the mark still has room */
	char shown[SHOWN_LEN];

	for (size_t at = 0; at < size;) {
		size_t length;

		at += show(text + at, size - at, shown);
		length = strlen(shown);
		if (used + length >= room) {
			strcpy(ret_text + cut, ellipsis);
			return;
		}
		memcpy(ret_text + used, shown, length);
		used += length;
		if (used + strlen(ellipsis) < room)
			cut = used;
	}
	ret_text[used] = '\0';
}

void ncg_text_name(const char *text, size_t size, char ret_name[NCG_TEXT_NAME_LEN])
{
	ncg_text_cut(text, size, NCG_TEXT_NAME_LEN, ret_name);
}

char *ncg_text_repair(const char *text, size_t size)
{
	/* At worst each byte becomes a mark. */
	char *repaired = malloc(size * strlen(replacement) + 1);
	size_t used = 0;

	if (!repaired)
		return NULL;
	for (size_t at = 0; at < size;) {
		uint32_t code = 0;
		size_t length = ncg_text_character(text + at, size - at, &code);

		if (length && code) {
			memcpy(repaired + used, text + at, length);
			used += length;
			at += length;
		} else {
			memcpy(repaired + used, replacement, strlen(replacement));
			used += strlen(replacement);
			at++;
		}
	}
	repaired[used] = '\0';
	return repaired;
}
