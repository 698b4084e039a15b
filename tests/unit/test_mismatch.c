// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest has against what the policy says: every pair of decisions, and that
 * the trail says what is new and what is over, once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics_unique.h"
#include "mismatch.h"
#include "tree.h"

#define ENFORCED(v, g) \
	((struct ncg_decision){ .verdict = (v), .mode = NCG_MODE_ENFORCE, .generation = (g) })
#define DENY NCG_VERDICT_DENY
#define ALLOW NCG_VERDICT_ALLOW

static void kinds(void **state)
{
	/* then.acts 2: nothing was decided. */
	static const struct {
		struct ncg_decision now;
		struct ncg_decided then;
		enum ncg_memtype type;
		enum ncg_mismatch mismatch;
	} rows[] = {
		/* as it should be */
		{ { .verdict = DENY, .mode = NCG_MODE_ENFORCE, .generation = 2 },
		  { .generation = 2, .verdict = DENY, .grade = NCG_GRADE_HOOK, .acts = 1 },
		  NCG_MT_DEVICE_nGnRE, NCG_MISMATCH_NONE },
		{ { .verdict = ALLOW, .mode = NCG_MODE_ENFORCE, .generation = 2 },
		  { .generation = 2, .verdict = ALLOW, .grade = NCG_GRADE_HOOK, .acts = 1 },
		  NCG_MT_NORMAL_NC, NCG_MISMATCH_NONE },
		/* allowed now, mapped before anybody decided: as it should be as well */
		{ { .verdict = ALLOW, .mode = NCG_MODE_ENFORCE, .generation = 2 }, { .acts = 2 },
		  NCG_MT_NORMAL_NC, NCG_MISMATCH_NONE },
		/* what is not acted on is nobody's word */
		{ { .verdict = DENY, .mode = NCG_MODE_AUDIT }, { .acts = 2 }, NCG_MT_NORMAL_NC,
		  NCG_MISMATCH_NONE },
		{ { .verdict = DENY, .mode = NCG_MODE_ENFORCE, .audit = 1 }, { .acts = 2 },
		  NCG_MT_NORMAL_NC, NCG_MISMATCH_NONE },
		{ { .verdict = NCG_VERDICT_NONE, .mode = NCG_MODE_ENFORCE }, { .acts = 2 },
		  NCG_MT_NORMAL_NC, NCG_MISMATCH_NONE },
		/* granted by an older policy, or by a task that was another's then */
		{ { .verdict = DENY, .mode = NCG_MODE_ENFORCE, .generation = 2 },
		  { .generation = 1, .verdict = ALLOW, .grade = NCG_GRADE_HOOK, .acts = 1 },
		  NCG_MT_NORMAL_NC, NCG_MISMATCH_STALE },
		{ { .verdict = DENY, .mode = NCG_MODE_ENFORCE, .generation = 2 },
		  { .generation = 2, .verdict = ALLOW, .grade = NCG_GRADE_HOOK, .acts = 1 },
		  NCG_MT_NORMAL_NC, NCG_MISMATCH_STALE },
		/* left to the kernel by an older policy in audit mode */
		{ { .verdict = DENY, .mode = NCG_MODE_ENFORCE, .generation = 2 },
		  { .generation = 1, .verdict = DENY, .grade = NCG_GRADE_HOOK, .acts = 0 },
		  NCG_MT_NORMAL_NC, NCG_MISMATCH_STALE },
		/* never decided; denied, and there all the same; denied where nothing asks */
		{ { .verdict = DENY, .mode = NCG_MODE_ENFORCE, .generation = 2 }, { .acts = 2 },
		  NCG_MT_NORMAL_NC, NCG_MISMATCH_UNEXPECTED },
		{ { .verdict = DENY, .mode = NCG_MODE_ENFORCE, .generation = 2 },
		  { .generation = 1, .verdict = DENY, .grade = NCG_GRADE_HOOK, .acts = 1 },
		  NCG_MT_NORMAL_NC, NCG_MISMATCH_UNEXPECTED },
		{ { .verdict = DENY, .mode = NCG_MODE_ENFORCE, .generation = 2 },
		  { .generation = 2, .verdict = DENY, .grade = NCG_GRADE_NONE, .acts = 1 },
		  NCG_MT_NORMAL_NC, NCG_MISMATCH_UNEXPECTED },
		/* allowed, and not there */
		{ { .verdict = ALLOW, .mode = NCG_MODE_ENFORCE, .generation = 2 },
		  { .generation = 1, .verdict = DENY, .grade = NCG_GRADE_HOOK, .acts = 1 },
		  NCG_MT_DEVICE_nGnRE, NCG_MISMATCH_ABSENT },
		{ { .verdict = ALLOW, .mode = NCG_MODE_ENFORCE, .generation = 2 }, { .acts = 2 },
		  NCG_MT_DEVICE_nGnRE, NCG_MISMATCH_ABSENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum ncg_mismatch m = ncg_mismatch_of(&rows[i].now,
						      rows[i].then.acts == 2 ? NULL : &rows[i].then,
						      rows[i].type);

		if (m != rows[i].mismatch)
			fail_msg("row %zu: %s", i, ncg_mismatch_name(m));
	}
}

/* ------------------------------------------------------------------ the watch */

static struct ncg_decision now;
static struct ncg_decided then;
static bool was_decided;
static struct ncg_tuple asked;
static struct ncg_decided_key asked_key;

static void decide(void *arg, const struct ncg_tuple *tuple, const char *cgroup,
		   struct ncg_decision *ret_decision)
{
	(void)arg;
	assert_string_equal(cgroup, "/machine");
	asked = *tuple;
	*ret_decision = now;
}

static bool decided(void *arg, const struct ncg_decided_key *key, struct ncg_decided *ret_decided)
{
	(void)arg;
	asked_key = *key;
	*ret_decided = then;
	return was_decided;
}

static struct ncg_device device = {
	.address = "0001:02:03.4", .domain = 1, .bus = 2, .devfn = 0x1c, .vendor = 0x1af4,
	.device = 0x1110, .name = "memory", .driver = "vfio-pci",
};
static struct ncg_walk_vm vm = {
	.vm = { .pid = 77, .start_boot_ns = 5000000000 }, .state = NCG_WALK_VISIBLE,
};
static struct ncg_picture_use uses[2];
static struct ncg_picture_guest guest = {
	.vm = &vm, .id = "77-500", .uses = uses,
	.identity = { .uid = 64055, .name = "web\xff", .cgroup = "/machine" },
};
static const struct ncg_picture picture = { .guests = &guest, .count = 1 };

struct test {
	struct ncg_audit *audit;
	struct ncg_mismatch_watch *watch;
};

static int set_up(void **state)
{
	static struct test test;

	tree_make();
	assert_int_equal(ncg_audit_open(&(struct ncg_audit_options){ .path = tree_path("audit") },
					&test.audit), 0);
	assert_int_equal(ncg_mismatch_watch_open(&(struct ncg_mismatch_policy){ decide, decided,
										NULL },
						 test.audit, &test.watch), 0);
	uses[0] = (struct ncg_picture_use){ .device = &device, .bar = 2 };
	uses[0].bytes[NCG_MT_NORMAL_NC] = 4096;
	guest.use_count = 1;
	now = ENFORCED(DENY, 2);
	was_decided = false;
	*state = &test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	ncg_mismatch_watch_close(test->watch);
	ncg_audit_close(test->audit);
	*test = (struct test){};
	tree_remove();
	return 0;
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

static const char *text(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static void assert_metric(const struct ncg_mismatch_watch *watch, const char *sample, bool there)
{
	ncg_autoexposition struct ncg_exposition *e = NULL;
	ncg_autofree char *all = NULL;

	assert_int_equal(ncg_exposition_new(0, &e), 0);
	ncg_mismatch_watch_metrics(watch, e);
	assert_int_equal(ncg_exposition_finish(e, &all, NULL), 0);
	assert_metrics_unique(all);
	if (!strstr(all, sample) == there)
		fail_msg("'%s' %s in\n%s", sample, there ? "is not" : "is", all);
}

static void look(struct test *test, __u64 records)
{
	assert_int_equal(ncg_mismatch_watch_look(test->watch, &picture), 0);
	assert_int_equal(ncg_audit_records(test->audit), records);
}

static void recorded_once_and_once_over(void **state)
{
	struct test *test = *state;
	json_t *record;

	assert_metric(test->watch, "ncgate_mismatches{mismatch=\"unexpected\"} 0\n", true);
	look(test, 1);
	look(test, 1);
	uses[0].nested_bytes[NCG_MT_NORMAL_NC] = 8192; /* more of it is nothing new */
	look(test, 1);
	record = last_record();
	assert_string_equal(text(record, "type"), "mismatch");
	assert_string_equal(text(record, "mismatch"), "unexpected");
	assert_string_equal(text(record, "verdict"), "deny");
	assert_string_equal(text(json_object_get(record, "guest"), "id"), "77-500");
	/* A name that is no text is a guest's claim, and hides nothing. */
	assert_string_equal(text(json_object_get(record, "guest"), "name"), "web\xef\xbf\xbd");
	assert_string_equal(text(json_object_get(record, "guest"), "cgroup"), "/machine");
	assert_string_equal(text(json_object_get(record, "device"), "slot"), device.address);
	assert_string_equal(text(json_object_get(record, "device"), "driver"), "vfio-pci");
	assert_int_equal(json_integer_value(json_object_get(record, "bytes")), 4096);
	assert_true(json_is_null(json_object_get(record, "decided")));
	json_decref(record);
	assert_metric(test->watch, "ncgate_mismatches{mismatch=\"unexpected\"} 1\n", true);
	assert_metric(test->watch, "ncgate_mismatch_bytes{guest=\"77-500\","
				   "device=\"0001:02:03.4\",bar=\"2\",mismatch=\"unexpected\"} "
				   "12288\n", true);

	guest.use_count = 0;
	look(test, 2);
	record = last_record();
	assert_string_equal(text(record, "type"), "mismatch_over");
	assert_string_equal(text(record, "mismatch"), "unexpected");
	json_decref(record);
	assert_metric(test->watch, "ncgate_mismatch_bytes", false);
	look(test, 2);
}

/* Asked of this guest, this device, and what was decided then. */
static void asks_for_the_right_thing(void **state)
{
	struct test *test = *state;
	json_t *record;

	was_decided = true;
	then = (struct ncg_decided){
		.generation = 1, .verdict = ALLOW, .grade = NCG_GRADE_HOOK, .acts = 1,
	};
	look(test, 1);
	assert_int_equal(asked.vendor, 0x1af4);
	assert_int_equal(asked.bar, 2);
	assert_int_equal(asked.uid, 64055);
	assert_int_equal(asked_key.pid, 77);
	assert_int_equal(asked_key.start_boot_ns, 5000000000);
	assert_int_equal(asked_key.domain, 1);
	assert_int_equal(asked_key.bus, 2);
	assert_int_equal(asked_key.devfn, 0x1c);
	assert_int_equal(asked_key.bar, 2);
	record = last_record();
	assert_string_equal(text(record, "mismatch"), "stale");
	assert_string_equal(text(json_object_get(record, "decided"), "verdict"), "allow");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(record, "decided"),
							    "generation")), 1);
	json_decref(record);
}

/* Both in one BAR: each is looked at by itself. */
static void part_of_a_bar(void **state)
{
	struct test *test = *state;

	uses[0].bytes[NCG_MT_DEVICE_nGnRE] = 65536;
	now = ENFORCED(ALLOW, 2);
	look(test, 1);
	assert_metric(test->watch, "bar=\"2\",mismatch=\"absent\"} 65536\n", true);
	assert_metric(test->watch, "unexpected\"} 4096", false);
	now = ENFORCED(DENY, 3);
	look(test, 3);
	assert_metric(test->watch, "mismatch=\"absent\"} 65536\n", false);
	assert_metric(test->watch, "bar=\"2\",mismatch=\"unexpected\"} 4096\n", true);
}

/* Memory that is no BAR: Normal-NC is nobody's grant, Device is as it should be. */
static void memory_of_no_device(void **state)
{
	struct test *test = *state;
	json_t *record;

	uses[1] = (struct ncg_picture_use){ .phys = 0x80000000 };
	uses[1].bytes[NCG_MT_DEVICE_nGnRE] = 4096;
	guest.use_count = 2;
	now = ENFORCED(ALLOW, 2);
	look(test, 0);
	uses[1].bytes[NCG_MT_NORMAL_NC] = 4096;
	guest.uses = &uses[1];
	guest.use_count = 1;
	now = ENFORCED(DENY, 2);
	look(test, 1);
	record = last_record();
	assert_string_equal(text(record, "mismatch"), "unexpected");
	assert_string_equal(text(record, "phys"), "80000000");
	json_decref(record);
	assert_metric(test->watch, "ncgate_mismatches{mismatch=\"unexpected\"} 1\n", true);
	guest.uses = uses;
}

/* Of one process: each has its own id in metrics, and its own number in the trail. */
static void several_vms_of_one_process(void **state)
{
	struct test *test = *state;
	struct ncg_walk_vm other_vm = vm;
	struct ncg_picture_guest guests[] = { guest, guest };
	const struct ncg_picture both = { .guests = guests, .count = 2 };
	json_t *record;

	other_vm.vm.id = 9;
	guests[0].vm = &other_vm;
	strcpy(guests[0].id, "77-500.2");
	guests[0].use_count = guests[1].use_count = 1;
	assert_int_equal(ncg_mismatch_watch_look(test->watch, &both), 0);
	assert_int_equal(ncg_audit_records(test->audit), 2);
	assert_metric(test->watch, "ncgate_mismatches{mismatch=\"unexpected\"} 2\n", true);
	assert_metric(test->watch, "ncgate_mismatch_bytes{guest=\"77-500\",device=\"0001:02:03.4\","
				   "bar=\"2\",mismatch=\"unexpected\"} 4096\n", true);
	assert_metric(test->watch, "ncgate_mismatch_bytes{guest=\"77-500.2\",device=\"0001:02:03.4\","
				   "bar=\"2\",mismatch=\"unexpected\"} 4096\n", true);
	guests[0].use_count = 0;
	assert_int_equal(ncg_mismatch_watch_look(test->watch, &both), 0);
	record = last_record();
	assert_string_equal(text(record, "type"), "mismatch_over");
	assert_string_equal(text(json_object_get(record, "guest"), "id"), "77-500");
	assert_int_equal(json_integer_value(json_object_get(record, "vm")), 9);
	json_decref(record);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		test(recorded_once_and_once_over),
		test(asks_for_the_right_thing),
		test(part_of_a_bar),
		test(memory_of_no_device),
		test(several_vms_of_one_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
