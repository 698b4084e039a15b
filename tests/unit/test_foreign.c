// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the daemon says of programs that others have on the hook: status, metrics, trail and
 * its sentences, of what comes, what changes places with ncgate's and what goes, once. The
 * case `foreign` of the emulated host finds real ones.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "foreign.h"
#include "record_text.h"
#include "tree.h"

static const struct ncg_hook_program ours = {
	.link = 10, .program = 100, .ours = true, .name = "decide_hook",
};
static const struct ncg_hook_program older = {
	.link = 9, .program = 90, .uid = 7, .name = "older", .tag = { 0x01, 0xab },
};
static const struct ncg_hook_program newer = {
	.link = 11, .program = 110, .name = "newer\xff", .tag = { 0xfe },
};

struct test {
	struct ncg_audit *audit;
	struct ncg_foreign *foreign;
};

static int set_up(void **state)
{
	static struct test test;

	tree_make();
	assert_int_equal(ncg_audit_open(&(struct ncg_audit_options){ .path = tree_path("audit") },
					&test.audit), 0);
	assert_int_equal(ncg_foreign_open(test.audit, &test.foreign), 0);
	*state = &test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	ncg_foreign_close(test->foreign);
	ncg_audit_close(test->audit);
	tree_remove();
	return 0;
}

/* Looks at programs, in the order in which they are asked. */
#define LOOK(test, records, ...) \
	look(test, records, (const struct ncg_hook_program[]){ __VA_ARGS__ }, \
	     sizeof((const struct ncg_hook_program[]){ __VA_ARGS__ }) / sizeof(ours))

static void look(const struct test *test, __u64 expected_records,
		 const struct ncg_hook_program *list, ssize_t count)
{
	ncg_foreign_look(test->foreign, list, count);
	assert_int_equal(ncg_audit_records(test->audit), expected_records);
}

/* The record that was written last. */
static void assert_record(const char *type, const char *program, const char *asked,
			  const char *sentence)
{
	ncg_autofclose FILE *file = fopen(tree_path("audit"), "r");
	ncg_autofree char *text = NULL;
	char line[4096] = "";
	json_t *record;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		;
	record = json_loads(line, 0, NULL);
	text = ncg_record_text(record);
	assert_string_equal(ncg_record_string(record, "type"), type);
	assert_string_equal(ncg_record_string(record, "program"), program);
	assert_string_equal(ncg_record_string(record, "asked"), asked);
	assert_string_equal(text, sentence);
	json_decref(record);
}

static void assert_shown(const struct test *test, const char *sample, bool there)
{
	ncg_autoexposition struct ncg_exposition *e = NULL;
	ncg_autofree char *text = NULL;

	assert_int_equal(ncg_exposition_new(0, &e), 0);
	ncg_foreign_metrics(test->foreign, e);
	assert_int_equal(ncg_exposition_finish(e, &text, NULL), 0);
	if (!strstr(text, sample) == there)
		fail_msg("'%s' %s in\n%s", sample, there ? "is not" : "is", text);
}

static void assert_listed(const struct test *test, size_t count)
{
	json_t *list = ncg_foreign_json(test->foreign);

	assert_true(json_is_array(list));
	assert_int_equal(json_array_size(list), count);
	json_decref(list);
}

static void what_comes_and_goes_is_said_once(void **state)
{
	const struct test *test = *state;
	json_t *list;

	LOOK(test, 0, ours);
	assert_listed(test, 0);
	assert_shown(test, "ncgate_hook_foreign_programs 0\n", true);

	LOOK(test, 1, newer, ours);
	LOOK(test, 1, newer, ours);
	assert_record("foreign_program", "newer\xef\xbf\xbd", "before",
		      "program 'newer\xef\xbf\xbd' (id 110, link 11) of another is on the hook and "
		      "is asked before ncgate's");
	LOOK(test, 2, newer, ours, older);
	assert_record("foreign_program", "older", "after",
		      "program 'older' (id 90, link 9) of another is on the hook and is asked "
		      "after ncgate's");
	assert_shown(test, "ncgate_hook_foreign_programs 2\n", true);
	assert_shown(test, "ncgate_hook_foreign_program_info{program=\"older\",id=\"90\","
			   "tag=\"01ab000000000000\",link=\"9\",asked=\"after\"} 1\n", true);
	list = ncg_foreign_json(test->foreign);
	/* The one that is asked first stands first. */
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "asked")),
			    "before");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 1), "uid")), 7);
	json_decref(list);

	LOOK(test, 3, ours, older);
	assert_record("foreign_program_gone", "newer\xef\xbf\xbd", "before",
		      "program 'newer\xef\xbf\xbd' (id 110, link 11) of another has left the hook");
	assert_shown(test, "newer", false);

	/* ncgate's own goes: nothing came, but what the other's answer means is another thing. */
	LOOK(test, 4, older);
	assert_record("foreign_program", "older", "alone",
		      "program 'older' (id 90, link 9) of another is on the hook, and ncgate's own "
		      "is not");
	look(test, 5, NULL, 0);
	assert_listed(test, 0);
}

/* While a newer daemon takes over, both programs of ncgate are there for a moment. */
static void two_of_ours(void **state)
{
	const struct test *test = *state;
	struct ncg_hook_program anew = ours;

	anew.link = 12;
	LOOK(test, 1, newer, ours);
	LOOK(test, 2, anew, newer, ours);
	assert_record("foreign_program", "newer\xef\xbf\xbd", "after",
		      "program 'newer\xef\xbf\xbd' (id 110, link 11) of another is on the hook and "
		      "is asked after ncgate's");
}

/* Not known is not none, and nothing has gone because nobody could look. */
static void what_is_not_known_is_not_shown(void **state)
{
	const struct test *test = *state;
	json_t *shown = ncg_foreign_json(test->foreign);

	assert_true(json_is_null(shown));
	assert_shown(test, "ncgate_hook_foreign_programs", false);
	LOOK(test, 1, newer, ours);
	look(test, 1, NULL, -EPERM);
	shown = ncg_foreign_json(test->foreign);
	assert_true(json_is_null(shown));
	assert_shown(test, "ncgate_hook_foreign_program", false);
	LOOK(test, 1, newer, ours);
	assert_listed(test, 1);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_comes_and_goes_is_said_once),
		test(two_of_ours),
		test(what_is_not_known_is_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
