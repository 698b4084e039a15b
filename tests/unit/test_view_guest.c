// SPDX-License-Identifier: GPL-2.0-only
/* One guest as `ncgate guests --json` and `status --json` show it, whatever bytes it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "view_guest.h"

static struct ncg_walk_vm vm = { .vm = { .pid = 77 }, .state = NCG_WALK_PENDING };

static const char *text(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

/* Nothing is left out for a byte that is not UTF-8. */
static void names_that_are_no_text(void **state)
{
	const struct ncg_picture_guest guest = {
		.vm = &vm, .id = "77-500",
		.identity = { .name = "caf\xe9", .uuid = "\xff", .vmm = "q\xc3", .cgroup = "/a\xff/b" },
	};
	json_t *json = ncg_view_guest(&guest);

	(void)state;
	assert_string_equal(text(json, "guest"), "77-500");
	assert_string_equal(text(json, "name"), "caf\xef\xbf\xbd");
	assert_string_equal(text(json, "uuid"), "\xef\xbf\xbd");
	assert_string_equal(text(json, "vmm"), "q\xef\xbf\xbd");
	assert_string_equal(text(json, "cgroup"), "/a\xef\xbf\xbd/b");
	json_decref(json);
}

/* Of a process that is gone there is no identity. */
static void nobody(void **state)
{
	const struct ncg_picture_guest guest = { .vm = &vm, .id = "77-500" };
	json_t *json = ncg_view_guest(&guest);

	(void)state;
	assert_string_equal(text(json, "name"), "");
	assert_string_equal(text(json, "cgroup"), "");
	assert_string_equal(text(json, "tables"), "pending");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_are_no_text),
		cmocka_unit_test(nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
