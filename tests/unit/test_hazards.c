// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of hazards: every line of the shipped one, what is refused in another,
 * which host has which hazard, and what contradicts one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hazards.h"
#include "tree.h"
#include "pci_tree.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static int set_up(void **state)
{
	(void)state;
	tree_make();
	tree_dir("bus/pci/devices");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

static struct ncg_hazards *shipped(void)
{
	const char *top = getenv("NCG_TOP");
	struct ncg_hazards *hazards = NULL;
	ncg_autofree char *path = NULL, *error = NULL;

	assert_return_code(asprintf(&path, "%s/hazards.conf", top ? top : "."), 0);
	if (ncg_hazards_read(path, &hazards, &error))
		fail_msg("%s", error ? error : path);
	return hazards;
}

static struct ncg_devices *devices(void)
{
	struct ncg_devices *list;

	assert_int_equal(ncg_devices_read(tree, &list), 0);
	return list;
}

/* The ids of the shipped table that this host has, each followed by a blank. */
static void present(char ret_ids[256])
{
	ncg_autohazards struct ncg_hazards *table = shipped();
	ncg_autodevices struct ncg_devices *list = devices();

	ncg_hazards_match(table, tree, list);
	*ret_ids = '\0';
	for (size_t i = 0; i < table->count; i++)
		if (table->list[i].present) {
			strcat(ret_ids, table->list[i].id);
			strcat(ret_ids, " ");
		}
}

static void assert_present(const char *expected)
{
	char ids[256];

	present(ids);
	assert_string_equal(ids, expected);
}

static void cpu(const char *name, const char *midr)
{
	char path[128];

	snprintf(path, sizeof(path), "devices/system/cpu/%s/regs/identification/midr_el1", name);
	tree_file(path, midr);
}

static void soc(const char *name, const char *id, const char *revision)
{
	char path[64];

	snprintf(path, sizeof(path), "bus/soc/devices/%s/soc_id", name);
	tree_file(path, id);
	snprintf(path, sizeof(path), "bus/soc/devices/%s/revision", name);
	if (revision)
		tree_file(path, revision);
}

/* ------------------------------------------------------------------ the shipped */

static void the_shipped_table_names_its_sources(void **state)
{
	static const char *const ids[] = {
		"nvidia-t410-normal-nc", "ampere-altra-82288", "nvidia-olympus-1027",
		"nvgrace-gpu-resmem",
	};
	ncg_autohazards struct ncg_hazards *table = shipped();

	(void)state;
	assert_int_equal(table->count, ARRAY_SIZE(ids));
	for (size_t i = 0; i < table->count; i++) {
		assert_string_equal(table->list[i].id, ids[i]);
		assert_true(strlen(table->list[i].source) > 20);
	}
	assert_true(ncg_hazards_driver(table, "vfio-pci")->asks);
	assert_false(ncg_hazards_driver(table, "nvgrace_gpu_vfio_pci")->asks);
	assert_null(ncg_hazards_driver(table, "my_vfio"));
}

static void an_ordinary_host_has_none(void **state)
{
	(void)state;
	assert_present("");
	cpu("cpu0", "0x00000000410fd0c1\n"); /* Neoverse N1, as in Altra and elsewhere */
	cpu("cpufreq", "0x000000004e0f0100\n");
	soc("soc0", "jep106:036b:0241\n", "0x00000001\n");
	assert_present("");
}

static void t410_by_soc_and_revision(void **state)
{
	(void)state;
	soc("soc0", "jep106:036b:0410\n", "0x00000004\n");
	assert_present("nvidia-t410-normal-nc ");
	soc("soc0", "jep106:036b:0410\n", "0x00000005\n");
	assert_present("");
	/* Firmware that does not say may be the old one's. */
	soc("soc1", "jep106:036b:0410\n", NULL);
	assert_present("nvidia-t410-normal-nc ");
}

static void olympus_by_any_cpu(void **state)
{
	(void)state;
	cpu("cpu0", "0x00000000410fd0c1\n");
	cpu("cpu11", "0x000000004e1f0102\n");
	assert_present("nvidia-olympus-1027 ");
	/* Device ordering is the lesser evil where Normal-NC is not safe. */
	soc("soc0", "jep106:036b:0410\n", "0x00000001\n");
	assert_present("nvidia-t410-normal-nc ");
}

static void altra_by_its_root_complex(void **state)
{
	(void)state;
	pci_add(".", &(struct pci_entry){ .address = "0000:00:00.0", .vendor = 0x1def,
					  .device = 0xe100, .class_code = 0x060000 });
	assert_present("ampere-altra-82288 ");
}

#define BAR0 "0x0000000010000000 0x0000000010ffffff 0x0000000000140204\n"
#define BAR2 "0x0000400000000000 0x00004fffffffffff 0x000000000014220c\n"

static void grace_gpu_by_its_id(void **state)
{
	ncg_autohazards struct ncg_hazards *table = shipped();
	ncg_autodevices struct ncg_devices *list = NULL;
	const struct ncg_hazard *hazard = &table->list[3];

	(void)state;
	pci_add(".", &(struct pci_entry){ .address = "0009:01:00.0", .vendor = 0x10de,
					  .device = 0x2342, .class_code = 0x030200 });
	pci_add(".", &(struct pci_entry){ .address = "0009:02:00.0", .vendor = 0x10de,
					  .device = 0x1111, .class_code = 0x030200 });
	assert_present("nvgrace-gpu-resmem ");
	list = devices();
	assert_true(ncg_hazards_concern(hazard, &list->list[0], 2));
	assert_false(ncg_hazards_concern(hazard, &list->list[0], 0));
	assert_false(ncg_hazards_concern(hazard, &list->list[1], 2));
	assert_string_equal(ncg_hazards_unsafe(hazard), "device_nGnRE");
	assert_string_equal(ncg_hazards_unsafe(&table->list[0]), "normal_nc");
}

/* ----------------------------------------------------------------- what is wrong */

#define REST "because b\ninstead i\nsource s\n"
#define HEAD "hazard h\nunsafe normal_nc\n"

static void what_is_refused(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} cases[] = {
		{ "unsafe normal_nc\n", "t:1: 'unsafe' stands before any hazard or driver" },
		{ "hazard\n", "t:1: 'hazard' has no value" },
		{ "hazard  \t\n", "t:1: 'hazard' has no value" },
		{ HEAD "midr 4e:010\nsource s\n", "lacks unsafe, because, instead or source" },
		{ "hazard h\nmidr 4e:010\n" REST, "lacks unsafe" },
		{ HEAD REST, "t:6: hazard 'h' of line 1 says of no part" },
		{ HEAD "soc-revision-below 5\nmidr 4e:010\n" REST, "a revision and no soc-id" },
		{ "hazard h\nunsafe device\n", "t:2: 'device' is not normal_nc or device_nGnRE" },
		{ HEAD "midr 4e\n", "t:3: '4e' is not IMPLEMENTER:PART" },
		{ HEAD "midr 4e:1010\n", "is not IMPLEMENTER:PART" },
		{ HEAD "midr 4e:010x\n", "is not IMPLEMENTER:PART" },
		{ HEAD "pci 1def\n", "t:3: '1def' is not VENDOR:DEVICE" },
		{ HEAD "pci 1def:\n", "is not VENDOR:DEVICE" },
		{ HEAD "pci 1def:10000\n", "is not VENDOR:DEVICE" },
		{ HEAD "device 1def:1 bar=6\n", "has no BAR from 0 to 5" },
		{ HEAD "device 1def:1 bar=2 x\n", "goes on after VENDOR:DEVICE [bar=N]" },
		{ HEAD "soc-revision-below x\n", "is not a revision" },
		{ HEAD "soc-revision-below 0\n", "is not a revision above 0" },
		{ HEAD "because a\nbecause b\n", "t:4: a second 'because' in one entry" },
		{ HEAD "colour red\n", "t:3: 'colour' is no line of a hazard" },
		{ HEAD "midr 4e:010\n" REST HEAD, "t:7: hazard 'h' is there already, in line 1" },
		{ HEAD "midr 4e:010\nunless k\n" REST, "t:1: hazard 'h' names 'k'" },
		{ "driver d\n", "t:2: driver 'd' of line 1 lacks its source" },
		{ "driver d\nasks-the-hook never\n", "t:2: 'never' is not always or not-always" },
		{ "driver d\nunsafe normal_nc\n", "t:2: 'unsafe' is no line of a driver" },
		{ "driver d\nsource s\ndriver d\n", "t:3: driver 'd' is there already" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_autofree char *error = NULL;
		struct ncg_hazards *table = NULL;
		int r = ncg_hazards_parse("t", cases[i].text, strlen(cases[i].text), &table,
					  &error);

		if (r != -EINVAL || table || !error || !strstr(error, cases[i].error))
			fail_msg("case %zu: %d, '%s', expected '%s'", i, r, error ? error : "",
				 cases[i].error);
	}
}

/* With its size, for what holds a NUL. */
#define BYTES(literal) literal, sizeof(literal) - 1

/* What would vanish in a record or lie in a table is told by line and column. */
static void bytes_that_are_no_text(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *error;
	} cases[] = {
		{ BYTES("driver d\0x\nsource s\n"), "t:1:9: byte 0x00 is not" },
		{ BYTES("driver d\nsource s\n\0"), "t:3:1: byte 0x00 is not" },
		{ BYTES("driver d\nsource caf\xe9\n"), "t:2:11: byte 0xe9 is not" },
		{ BYTES("# caf\xe9\ndriver d\nsource s\n"), "t:1:6: byte 0xe9 is not" },
		{ BYTES("driver d\nsource s\033[2J\n"), "t:2:9: byte 0x1b is not" },
		{ BYTES("driver d\nsource s\xe2\x80\xae\n"), "t:2:9: byte 0xe2 is not" },
		{ BYTES("driver d\nsource a\rb\n"), "t:2:9: byte 0x0d is not" },
		{ BYTES("driver d\nsource s\xc3"), "t:2:9: byte 0xc3 is not" },
	};
	static const char good[] = "driver\tna\xc3\xafve\r\nsource\ts\r\n";
	ncg_autohazards struct ncg_hazards *table = NULL;
	char *error;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_autofree char *problem = NULL;
		struct ncg_hazards *none = NULL;
		int r = ncg_hazards_parse("t", cases[i].text, cases[i].size, &none, &problem);

		if (r != -EINVAL || none || !problem || strncmp(problem, cases[i].error,
								strlen(cases[i].error)))
			fail_msg("case %zu: %d, '%s', expected '%s'", i, r, problem ? problem : "",
				 cases[i].error);
	}
	assert_int_equal(ncg_hazards_parse("t", BYTES(good), &table, &error), 0);
	assert_string_equal(table->drivers[0].name, "na\xc3\xafve");
}

static void too_many_ids(void **state)
{
	ncg_autofree char *error = NULL;
	struct ncg_hazards *table;
	char text[1024] = HEAD;

	(void)state;
	for (int i = 0; i <= NCG_HAZARD_IDS_MAX; i++)
		strcat(text, "pci 1:2\n");
	assert_int_equal(ncg_hazards_parse("t", text, strlen(text), &table, &error), -EINVAL);
	assert_non_null(strstr(error, "t:19: more than 16"));
}

static void files_that_cannot_be_read(void **state)
{
	char *error = (char *)"";
	struct ncg_hazards *table;

	(void)state;
	assert_int_equal(ncg_hazards_read(tree_path("none"), &table, &error), -ENOENT);
	assert_null(error);
	tree_file("empty", "# nothing\r\n\n");
	assert_int_equal(ncg_hazards_read(tree_path("empty"), &table, &error), 0);
	assert_int_equal(table->count, 0);
	ncg_hazards_free(table);
	/* No table is that long. */
	assert_int_equal(ncg_hazards_read("/dev/zero", &table, &error), -EFBIG);
}

/* ------------------------------------------------------------------- conflicts */

/* What a policy would say: one verdict for BAR 2, another for the rest. */
struct model {
	enum ncg_verdict bar2;
	enum ncg_verdict rest;
	bool trial; /* the rule about BAR 2 says audit */
};

static void decide(void *arg, const struct ncg_device *device, unsigned int bar,
		   struct ncg_decision *ret_decision)
{
	const struct model *model = arg;

	(void)device;
	*ret_decision = (struct ncg_decision){
		.verdict = bar == 2 ? model->bar2 : model->rest,
		.reason = bar == 2 ? NCG_REASON_RULE : NCG_REASON_DEFAULT, .line = 7,
		.file = "p.conf", .audit = bar == 2 && model->trial,
	};
}

static void assert_conflicts(const struct ncg_hazard_policy *policy,
			     const char *const *expected, size_t count)
{
	ncg_autohazards struct ncg_hazards *table = shipped();
	ncg_autodevices struct ncg_devices *list = devices();
	ncg_autofree struct ncg_hazard_conflict *conflicts = NULL;
	ssize_t n;

	ncg_hazards_match(table, tree, list);
	n = ncg_hazards_check(table, list, policy, &conflicts);
	assert_int_equal(n, count);
	for (size_t i = 0; i < count; i++) {
		ncg_autofree char *sentence = ncg_hazards_format(&conflicts[i]);

		assert_non_null(sentence);
		if (!strstr(sentence, expected[i]))
			fail_msg("'%s', expected '%s'", sentence, expected[i]);
	}
}

#define CONFLICTS(policy, ...)                                                           \
	assert_conflicts(policy, (const char *const[]){ "", ##__VA_ARGS__ } + 1,         \
			 sizeof((const char *const[]){ "", ##__VA_ARGS__ }) / sizeof(char *) - 1)

static void the_gpu(void)
{
	pci_add(".", &(struct pci_entry){ .address = "0009:01:00.0", .vendor = 0x10de,
					  .device = 0x2342, .class_code = 0x030200, .group = "1",
					  .resource = BAR0 PCI_NO_BAR BAR2 });
	/* Nobody can pass these on. */
	pci_add(".", &(struct pci_entry){ .address = "0009:00:00.0", .vendor = 0x10de,
					  .device = 0x2342, .class_code = 0x060400, .group = "0",
					  .resource = BAR0 });
	pci_add(".", &(struct pci_entry){ .address = "0009:03:00.0", .vendor = 0x10de,
					  .device = 0x2342, .class_code = 0x030200,
					  .resource = BAR0 PCI_NO_BAR BAR2 });
}

static void conflicts_of_one_bar(void **state)
{
	struct model model = { NCG_VERDICT_DENY, NCG_VERDICT_DENY, false };
	struct ncg_hazard_policy policy = {
		decide, &model, NCG_VERDICT_DENY, true, NCG_VERDICT_ALLOW,
	};

	(void)state;
	the_gpu();
	CONFLICTS(&policy, "0009:01:00.0 BAR 2: deny by p.conf:7");
	model.bar2 = NCG_VERDICT_ALLOW;
	CONFLICTS(&policy);
	/* No policy denies nothing, and the kernel's default is the right one. */
	policy.fallback = NCG_VERDICT_NONE;
	policy.enforced = false;
	CONFLICTS(&policy);
	policy.kernel = NCG_VERDICT_DENY;
	CONFLICTS(&policy, "the kernel's own default, which no verdict overrules now, gives every "
			   "device device_nGnRE");
}

static void conflicts_of_the_whole_host(void **state)
{
	struct model model = { NCG_VERDICT_DENY, NCG_VERDICT_DENY, false };
	struct ncg_hazard_policy policy = {
		decide, &model, NCG_VERDICT_DENY, true, NCG_VERDICT_ALLOW,
	};

	(void)state;
	soc("soc0", "jep106:036b:0410\n", "0x00000000\n");
	pci_add(".", &(struct pci_entry){ .address = "0001:01:00.0", .vendor = 0x15b3,
					  .device = 0x101d, .class_code = 0x020000, .group = "4",
					  .resource = BAR0 PCI_NO_BAR BAR2 });
	CONFLICTS(&policy);
	model.bar2 = NCG_VERDICT_ALLOW;
	CONFLICTS(&policy, "0001:01:00.0 BAR 2: allow by p.conf:7");
	model.rest = NCG_VERDICT_ALLOW;
	policy.fallback = NCG_VERDICT_ALLOW;
	CONFLICTS(&policy, "`default allow` concerns every device",
		  "0001:01:00.0 BAR 0: allow by default", "0001:01:00.0 BAR 2: allow by p.conf:7");
	/* A rule that is only tried does not keep the device from it. */
	model = (struct model){ NCG_VERDICT_DENY, NCG_VERDICT_DENY, true };
	policy.fallback = NCG_VERDICT_DENY;
	CONFLICTS(&policy, "0001:01:00.0 BAR 2: left to the kernel's own default by the rule on "
			   "trial at p.conf:7");
	/* The right policy does not help where nobody asks for it. */
	model = (struct model){ NCG_VERDICT_DENY, NCG_VERDICT_DENY, false };
	policy.fallback = NCG_VERDICT_DENY;
	policy.enforced = false;
	CONFLICTS(&policy, "the kernel's own default");
	policy.kernel = NCG_VERDICT_NONE;
	CONFLICTS(&policy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_shipped_table_names_its_sources),
		TEST(an_ordinary_host_has_none),
		TEST(t410_by_soc_and_revision),
		TEST(olympus_by_any_cpu),
		TEST(altra_by_its_root_complex),
		TEST(grace_gpu_by_its_id),
		TEST(what_is_refused),
		TEST(bytes_that_are_no_text),
		TEST(too_many_ids),
		TEST(files_that_cannot_be_read),
		TEST(conflicts_of_one_bar),
		TEST(conflicts_of_the_whole_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
