// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text of any bytes as JSON: what is UTF-8 stays, each byte that is not becomes U+FFFD.
 * Numbers without a sign: never negative ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"

#define BAD "\xef\xbf\xbd"

static void text_of_any_bytes(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *text;
	} cases[] = {
		{ "", 1, "" },
		{ "plain", 6, "plain" },
		{ "cut here", 3, "cut" },
		{ "caf\xc3\xa9", 6, "caf\xc3\xa9" },
		{ "\xf0\x9f\x98\x80.", 6, "\xf0\x9f\x98\x80." },
		/* a character that is cut, alone and before others */
		{ "caf\xc3\xa9", 4, "caf" BAD },
		{ "a\xe2\x82" "b", 5, "a" BAD BAD "b" },
		{ "\xff\xfe", 3, BAD BAD },
		/* too long a form, and half of a pair */
		{ "\xc0\xaf", 3, BAD BAD },
		{ "\xed\xa0\x80", 4, BAD BAD BAD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *json = ncg_json_text(cases[i].bytes, cases[i].size);

		assert_non_null(json);
		assert_string_equal(json_string_value(json), cases[i].text);
		json_decref(json);
	}
}

static void numbers_without_a_sign(void **state)
{
	static const struct {
		__u64 value;
		json_int_t number;
	} cases[] = {
		{ 0, 0 },
		{ 4096, 4096 },
		{ INT64_MAX, INT64_MAX },
		{ INT64_MAX + 1ULL, INT64_MAX },
		{ -4096ULL, INT64_MAX },
		{ UINT64_MAX, INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *json = ncg_json_unsigned(cases[i].value);

		assert_true(json_is_integer(json));
		assert_true(json_integer_value(json) == cases[i].number);
		json_decref(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_any_bytes),
		cmocka_unit_test(numbers_without_a_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
