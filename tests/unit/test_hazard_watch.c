// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the daemon says of hazards: a record when something changes and none when
 * nothing does, the metrics, and that a bad table costs nothing else.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hazard_watch.h"
#include "tree.h"
#include "pci_tree.h"

#define BAR0 "0x0000000010000000 0x0000000010000fff 0x0000000000040200\n"

static enum ncg_verdict verdict; /* of every BAR */

static void decide(void *arg, const struct ncg_device *device, unsigned int bar,
		   struct ncg_decision *ret_decision)
{
	(void)arg;
	(void)device;
	(void)bar;
	*ret_decision = (struct ncg_decision){ .verdict = verdict, .reason = NCG_REASON_RULE,
					       .line = 4, .file = "p" };
}

static const struct ncg_hazard_policy policy = {
	.decide = decide, .fallback = NCG_VERDICT_DENY, .enforced = true,
	.kernel = NCG_VERDICT_ALLOW,
};

struct test {
	struct ncg_audit *audit;
	struct ncg_devices *devices;
	struct ncg_hazard_watch *watch;
};

static int set_up(void **state)
{
	static struct test test;

	tree_make();
	tree_dir("bus/pci/devices");
	pci_add(".", &(struct pci_entry){ .address = "0000:01:00.0", .vendor = 0xfff1,
					  .device = 1, .group = "1", .resource = BAR0 });
	tree_file("table", "hazard h\nunsafe normal_nc\npci fff1:1\nbecause b\ninstead i\n"
			   "source s\nhazard other\nunsafe normal_nc\npci fff1:2\nbecause b\n"
			   "instead i\nsource s\n");
	assert_int_equal(ncg_audit_open(&(struct ncg_audit_options){ .path = tree_path("audit") },
					&test.audit), 0);
	assert_int_equal(ncg_devices_read(tree, &test.devices), 0);
	verdict = NCG_VERDICT_DENY;
	*state = &test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	ncg_hazard_watch_close(test->watch);
	ncg_devices_free(test->devices);
	ncg_audit_close(test->audit);
	*test = (struct test){};
	tree_remove();
	return 0;
}

static void look(struct test *test, __u64 expected_records)
{
	ncg_hazard_watch_look(test->watch, tree, test->devices, &policy, test->audit);
	assert_int_equal(ncg_audit_records(test->audit), expected_records);
}

static void assert_metric(const struct ncg_hazard_watch *watch, const char *sample, bool there)
{
	ncg_autoexposition struct ncg_exposition *e = NULL;
	ncg_autofree char *text = NULL;

	assert_int_equal(ncg_exposition_new(0, &e), 0);
	ncg_hazard_watch_metrics(watch, e);
	assert_int_equal(ncg_exposition_finish(e, &text, NULL), 0);
	if (!strstr(text, sample) == there)
		fail_msg("'%s' %s in\n%s", sample, there ? "is not" : "is", text);
}

static json_t *last_record(void)
{
	ncg_autofclose FILE *file = fopen(tree_path("audit"), "r");
	char line[4096] = "";

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		;
	return json_loads(line, 0, NULL);
}

static void what_changes_is_recorded_once(void **state)
{
	struct test *test = *state;
	json_t *record, *list;

	assert_int_equal(ncg_hazard_watch_open(tree_path("table"), &test->watch), 0);
	look(test, 1);
	look(test, 1);
	record = last_record();
	assert_string_equal(json_string_value(json_object_get(record, "type")), "hazard");
	assert_string_equal(json_string_value(json_object_get(record, "hazard")), "h");
	assert_int_equal(json_array_size(json_object_get(record, "contradictions")), 0);
	json_decref(record);
	assert_metric(test->watch, "ncgate_hazards_known 2\n", true);
	assert_metric(test->watch, "ncgate_hazard{hazard=\"h\",unsafe=\"normal_nc\"} 1\n", true);
	assert_metric(test->watch, "ncgate_hazard_contradictions{hazard=\"h\"} 0\n", true);
	assert_metric(test->watch, "other", false);

	verdict = NCG_VERDICT_ALLOW;
	look(test, 2);
	look(test, 2);
	record = last_record();
	list = json_object_get(record, "contradictions");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "device")),
			    "0000:01:00.0");
	json_decref(record);
	assert_metric(test->watch, "ncgate_hazard_contradictions{hazard=\"h\"} 1\n", true);
	list = ncg_hazard_watch_json(test->watch);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);

	verdict = NCG_VERDICT_DENY;
	look(test, 3);
}

static void a_device_that_goes_takes_its_hazard(void **state)
{
	struct test *test = *state;
	struct ncg_devices none = {};
	json_t *list;

	assert_int_equal(ncg_hazard_watch_open(tree_path("table"), &test->watch), 0);
	look(test, 1);
	ncg_hazard_watch_look(test->watch, tree, &none, &policy, test->audit);
	list = ncg_hazard_watch_json(test->watch);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	/* It is news when it comes back. */
	look(test, 2);
}

static void a_table_that_cannot_be_read(void **state)
{
	struct test *test = *state;

	assert_int_equal(ncg_hazard_watch_open(tree_path("none"), &test->watch), 0);
	look(test, 0);
	assert_metric(test->watch, "ncgate_hazards_known 0\n", true);
	ncg_hazard_watch_close(test->watch);
	tree_file("table", "hazard\n");
	assert_int_equal(ncg_hazard_watch_open(tree_path("table"), &test->watch), 0);
	look(test, 0);
	assert_metric(test->watch, "ncgate_hazards_known 0\n", true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_changes_is_recorded_once),
		TEST(a_device_that_goes_takes_its_hazard),
		TEST(a_table_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
