// SPDX-License-Identifier: GPL-2.0-only
/* Text whose bytes somebody else chose: what is UTF-8, what is hidden, where a name ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define BAD "\xef\xbf\xbd"
#define MARK "\xe2\x80\xa6"

/* With its size, for what holds a NUL. */
#define BYTES(literal) literal, sizeof(literal) - 1

static void characters(void **state)
{
	static const struct {
		const char *bytes;
		size_t size, length;
		uint32_t code;
	} rows[] = {
		{ BYTES("a"), 1, 'a' },
		{ BYTES("\0"), 1, 0 },
		{ BYTES("\x7f"), 1, 0x7f },
		{ BYTES("\xc2\x80"), 2, 0x80 },
		{ BYTES("\xdf\xbf"), 2, 0x7ff },
		{ BYTES("\xe0\xa0\x80"), 3, 0x800 },
		{ BYTES("\xed\x9f\xbf"), 3, 0xd7ff },
		{ BYTES("\xef\xbf\xbf"), 3, 0xffff },
		{ BYTES("\xf0\x90\x80\x80"), 4, 0x10000 },
		{ BYTES("\xf4\x8f\xbf\xbf"), 4, 0x10ffff },
		{ BYTES(""), 0, 0 },
		{ BYTES("\x80"), 0, 0 },	     /* goes on and did not begin */
		{ BYTES("\xc1\xbf"), 0, 0 },	     /* overlong */
		{ BYTES("\xe0\x9f\xbf"), 0, 0 },     /* overlong */
		{ BYTES("\xf0\x8f\xbf\xbf"), 0, 0 }, /* overlong */
		{ BYTES("\xed\xa0\x80"), 0, 0 },     /* a surrogate */
		{ BYTES("\xf4\x90\x80\x80"), 0, 0 }, /* above the last */
		{ BYTES("\xf5\x80\x80\x80"), 0, 0 },
		{ BYTES("\xff"), 0, 0 },
		{ BYTES("\xc3"), 0, 0 },	 /* cut */
		{ BYTES("\xe2\x82"), 0, 0 },	 /* cut */
		{ BYTES("\xe2\x82\x41"), 0, 0 }, /* does not go on */
		{ "\xc3\xa4", 1, 0, 0 },	 /* the second byte is not ours */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t code = 0xdead;

		assert_int_equal(ncg_text_character(rows[i].bytes, rows[i].size, &code),
				 rows[i].length);
		assert_int_equal(code, rows[i].length ? rows[i].code : 0xdead);
	}
}

static void what_is_hidden(void **state)
{
	static const uint32_t hidden[] = { 0, 0x1b, '\n', 0x1f, 0x7f, 0x80, 0x85, 0x9f, 0x61c,
					   0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e,
					   0x2066, 0x2069, 0xfeff, 0xe0001, 0xe007f };
	static const uint32_t seen[] = { ' ', '~', '\\', 0xa0, 0xe4, 0x200d, 0x2027, 0x202f, 0x2065,
					 0x206a, 0x4e00, 0x1f600, 0xe0080, 0x10ffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		assert_true(ncg_text_is_hidden(hidden[i]));
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		assert_false(ncg_text_is_hidden(seen[i]));
	assert_int_equal(ncg_text_first_hidden(BYTES("a\xc3\xa4z")), 4);
	assert_int_equal(ncg_text_first_hidden(BYTES("ab\033c")), 2);
	assert_int_equal(ncg_text_first_hidden(BYTES("\xc3\xa4\xe2\x80\xae")), 2);
	assert_int_equal(ncg_text_first_hidden(BYTES("abc\xff")), 3);
	assert_int_equal(ncg_text_first_hidden(BYTES("a\0b")), 1);
	assert_int_equal(ncg_text_first_hidden(BYTES("")), 0);
}

static void made_visible(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *visible, *repaired;
	} rows[] = {
		{ BYTES(""), "", "" },
		{ BYTES("web-\xc3\xa4 \\ \"1\""), "web-\xc3\xa4 \\ \"1\"", "web-\xc3\xa4 \\ \"1\"" },
		{ BYTES("a\nb\033[31m\x7f"), "a\\x0ab\\x1b[31m\\x7f", "a\nb\033[31m\x7f" },
		{ BYTES("a\0b"), "a\\x00b", "a" BAD "b" },
		{ BYTES("\xc2\x9b" "31m"), "\\u009b31m", "\xc2\x9b" "31m" },
		{ BYTES("x\xe2\x80\xaey"), "x\\u202ey", "x\xe2\x80\xaey" },
		{ BYTES("\xf3\xa0\x80\x81"), "\\U000e0001", "\xf3\xa0\x80\x81" },
		{ BYTES("a\xffz\xc3"), "a" BAD "z" BAD, "a" BAD "z" BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *visible = ncg_text_visible(rows[i].bytes, rows[i].size);
		char *repaired = ncg_text_repair(rows[i].bytes, rows[i].size);

		assert_string_equal(visible, rows[i].visible);
		assert_string_equal(repaired, rows[i].repaired);
		free(visible);
		free(repaired);
	}
}

static void names_that_are_cut(void **state)
{
	char name[NCG_TEXT_NAME_LEN], wanted[NCG_TEXT_NAME_LEN];
	static char text[1 << 20];

	(void)state;
	memset(text, 'x', sizeof(text));
	memset(wanted, 'x', sizeof(wanted));

	/* What fits stays whole. */
	ncg_text_name(text, 255, name);
	wanted[255] = '\0';
	assert_string_equal(name, wanted);
	/* One more, and a million more, are cut alike. */
	strcpy(wanted + 252, MARK);
	ncg_text_name(text, 256, name);
	assert_string_equal(name, wanted);
	ncg_text_name(text, sizeof(text), name);
	assert_string_equal(name, wanted);

	/* Never within a character: two bytes each, 127 of them are 254. */
	for (size_t i = 0; i < 400; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	ncg_text_name(text, 254, name);
	assert_int_equal(strlen(name), 254);
	ncg_text_name(text, 256, name);
	assert_int_equal(strlen(name), 252 + 3);
	assert_string_equal(name + 252, MARK);
	ncg_text_name(text + 1, 399, name); /* begins with half of one */
	assert_memory_equal(name, BAD "\xc3\xa4", 5);
	assert_int_equal(strlen(name), 251 + 3);
	assert_string_equal(name + 251, MARK);

	/* Nor within what stands for one. */
	memset(text, '\n', 400);
	ncg_text_name(text, 63, name);
	assert_int_equal(strlen(name), 252);
	ncg_text_name(text, 64, name);
	assert_int_equal(strlen(name), 252 + 3);
	assert_string_equal(name + 248, "\\x0a" MARK);

	ncg_text_name("", 0, name);
	assert_string_equal(name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters),
		cmocka_unit_test(what_is_hidden),
		cmocka_unit_test(made_visible),
		cmocka_unit_test(names_that_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
