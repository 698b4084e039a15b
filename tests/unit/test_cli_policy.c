// SPDX-License-Identifier: GPL-2.0-only
/*
 * The built ncgate on policies and the devices of a made host: `check --against`
 * and `explain`. The devices are of makers that pci.ids does not know.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli_run.h"
#include "pci_tree.h"

#define BAR0 "0x0000000010000000 0x0000000010000fff 0x0000000000040200\n"
#define BAR2 "0x0000400000000000 0x000040000fffffff 0x000000000014220c\n"

static int set_up(void **state)
{
	cli_set_up(state);
	tree_dir("host/sys/bus/pci/devices");
	pci_add("host/sys", &(struct pci_entry){
		.address = "0000:01:00.0", .vendor = 0xfff1, .device = 0x1110,
		.class_code = 0x050000, .driver = "vfio-pci", .group = "3",
		.resource = BAR0 PCI_NO_BAR BAR2 });
	pci_add("host/sys", &(struct pci_entry){
		.address = "0000:02:00.0", .vendor = 0xfff1, .device = 0x1110,
		.class_code = 0x050000, .group = "4", .resource = BAR0 PCI_NO_BAR BAR2 });
	pci_add("host/sys", &(struct pci_entry){
		.address = "0001:03:00.1", .vendor = 0xfff2, .device = 0x10d3,
		.class_code = 0x020000, .group = "5", .resource = BAR0 });
	/* Nobody can have the bridge. */
	pci_add("host/sys", &(struct pci_entry){
		.address = "0000:00:00.0", .vendor = 0x1b36, .device = 0x0008,
		.class_code = 0x060000, .group = "0", .resource = BAR0 });
	tree_file("old", "mode enforce\ndefault deny\nallow fff1:1110 bar=2\n");
	tree_file("new", "mode enforce\ndefault deny\nallow fff1:1110 bar=2 slot=0:1:0.0\n"
			 "allow fff2:*\n");
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, cli_tear_down)

/* --------------------------------------------------------------------- against */

static void against_shows_what_changes(void **state)
{
	static const struct line lines[] = {
		{ { "check", "--root", "host", "old", "--against", "old" }, 0,
		  { "0 of 5 BARs have another verdict\n" }, {} },
		{ { "check", "--root", "host", "new", "--against", "old" }, 1,
		  { "2 of 5 BARs have another verdict\n",
		    "0000:02:00.0  fff1:1110  ",
		    "  2  allow  old:3     deny   default\n", "  0  deny   default   allow  new:4\n" },
		  {} },
		{ { "check", "--root", "host", "trial", "--against", "old" }, 1,
		  { "5 of 5 BARs", "allow  old:3     allow, recorded only  trial:1\n",
		    "deny   default   deny, recorded only   default\n" },
		  {} },
		{ { "check", "--root", "host", "uid", "--against", "old" }, 1,
		  { "2 of 5 BARs" },
		  { "there are rules with uid= or cgroup=: compared for uid 0, cgroup not given" } },
		{ { "check", "--root", "host", "uid", "--against", "old", "--uid", "64055" }, 0,
		  { "0 of 5 BARs" }, { "compared for uid 64055" } },
		{ { "check", "--root", "host", "bad", "--against", "old" }, 2, {},
		  { "bad:1:1: 'alow' is not a statement" } },
		{ { "check", "--root", "host", "old", "--against", "none" }, 2, {},
		  { "the policy none cannot be read: No such file" } },
		{ { "check", "--root", "host", "old", "new", "--against", "old" }, 2, {},
		  { "--against compares with one FILE, not with 2" } },
		{ { "check", "--root", "nowhere", "old", "--against", "old" }, 3, {},
		  { "PCI devices cannot be read from nowhere/sys: No such file" } },
	};

	(void)state;
	tree_file("trial", "allow fff1:1110 bar=2\n");
	tree_file("uid", "mode enforce\nallow fff1:1110 bar=2 uid=64055\n");
	tree_file("bad", "alow 1:2\n");
	check_lines(lines, ARRAY_SIZE(lines));
}

static void against_as_json(void **state)
{
	ncg_cleanup(result_free) struct result result = {};
	json_t *document, *changes, *change;

	(void)state;
	RUN(&result, "check", "--json", "--root", "host", "--against", "old", "new");
	assert_int_equal(result.status, 1);
	document = json_loads(result.out, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(document, "old")), "old");
	assert_int_equal(json_integer_value(json_object_get(document, "bars")), 5);
	changes = json_object_get(document, "changes");
	assert_int_equal(json_array_size(changes), 2);
	change = json_array_get(changes, 0);
	assert_string_equal(json_string_value(json_object_get(change, "device")),
			    "0000:02:00.0");
	assert_int_equal(json_integer_value(json_object_get(change, "bar")), 2);
	assert_string_equal(json_string_value(json_object_get(json_object_get(change, "old"),
							      "verdict")), "allow");
	assert_true(json_is_true(json_object_get(json_object_get(change, "new"), "acts")));
	json_decref(document);
}

static void check_notes_absent_devices(void **state)
{
	ncg_cleanup(result_free) struct result result = {};

	(void)state;
	tree_file("absent", "allow fff1:* uid=7\nallow fff9:*\ndeny *:* slot=1:3:0.1 cgroup=/a\n");
	RUN(&result, "check", "--root", "host", "absent");
	assert_int_equal(result.status, 0);
	assert_string_equal(result.err, "");
	assert_non_null(strstr(result.out,
			       "\n  note: absent:2: matches no device of this host\n"));
	assert_null(strstr(result.out, "absent:1: matches no"));
	assert_null(strstr(result.out, "absent:3: matches no"));
}

/* ----------------------------------------------------------------------- names */

/* A vendor that the system's pci.ids has, once, and a name that it has not. */
#define NAMES                                             \
	"mode enforce\n"                                 \
	"allow \"NVIDIA Corporation\":2330 bar=0,2\n"  \
	"deny 10de:*\n"                                  \
	"deny fff1:\"Card \"\"A\"\"\" cgroup=/a\n"

#define BY_IDS                                                                           \
	"p:2: an update of pci.ids may change what its name stands for; write: allow "   \
	"10de:2330 bar=0,2  # \"NVIDIA Corporation\":2330\n"
#define LOST                                                                             \
	"p:4: pci.ids has lost its name, and ncgated goes on with the ids of before; "   \
	"write: deny fff1:1110 cgroup=/a  # fff1:\"Card \"\"A\"\"\"\n"

static void known_names(const char *text)
{
	tree_file("host/var/lib/ncgate/names", text);
	assert_int_equal(chmod(tree_path("host/var/lib/ncgate/names"), 0600), 0);
}

static void check_warns_of_names(void **state)
{
	static const struct line unknown[] = {
		{ { "check", "--root", "host", "p" }, 2, {},
		  { "p:4:11: '\"Card \"\"A\"\"\"' is not a device name of vendor fff1 in pci.ids" } },
		{ { "explain", "01:00.0", "--bar", "0", "--root", "host", "--policy", "p" }, 2, {},
		  { "is not a device name of vendor fff1" } },
	};
	static const struct line known[] = {
		{ { "check", "--root", "host", "p" }, 1,
		  { "3 rules\n", "p:2   allow    10de:2330 bar=0,2  # NVIDIA Corporation ",
		    "p:4   deny     fff1:1110 cgroup=/a\n" },
		  { BY_IDS, LOST } },
		{ { "check", "--root", "host", "p", "--json" }, 1,
		  { "\"message\": \"p:2: an update of pci.ids may", "\"message\": \"p:4: pci.ids has lost",
		    "\"severity\": \"warning\"" },
		  {} },
		{ { "check", "--root", "host", "ids" }, 0, { "1 rule\n" }, {} },
		/* What the daemon has in force can be explained. */
		{ { "explain", "01:00.0", "--bar", "0", "--root", "host", "--policy", "p", "--cgroup",
		    "/a" }, 0,
		  { "BAR 0: deny by p:4\n" },
		  { "p: pci.ids has lost 1 name; taken as when the policy was put in force\n" } },
	};

	(void)state;
	if (getuid())
		skip();
	tree_file("p", NAMES);
	tree_file("ids", "allow fff1:1110 # \"not\":\"a name\"\n");
	check_lines(unknown, ARRAY_SIZE(unknown));
	known_names("fff1:1110 fff1:\"Card \"\"A\"\"\"\n");
	check_lines(known, ARRAY_SIZE(known));
	/* Others may have written it. */
	assert_int_equal(chmod(tree_path("host/var/lib/ncgate/names"), 0606), 0);
	check_lines(unknown, 1);
}

/* --------------------------------------------------------------------- explain */

#define EXPLAINED                                                    \
	"mode enforce\n"                                             \
	"default allow\n"                                            \
	"  deny fff2:* class=02 # every network card\n"              \
	"allow *:1111\n"                                             \
	"deny *:* slot=0:2:*.*\n"                                    \
	"deny *:* uid=7\n"                                           \
	"deny fff1:* bar=2,4\n"                                      \
	"allow fff1:1110\n"

static void explain_tells_every_rule(void **state)
{
	ncg_cleanup(result_free) struct result result = {};

	(void)state;
	tree_file("p", EXPLAINED);
	RUN(&result, "explain", "01:00.0", "--root", "host", "--policy", "p");
	assert_output(&result,
		      "0000:01:00.0 fff1:1110, vfio-pci\n"
		      "BAR 0: allow by p:8\n"
		      "  RULE  TEXT                   WHY\n"
		      "  p:3   deny fff2:* class=02   vendor is fff1, not fff2\n"
		      "  p:4   allow *:1111           device is 1110, not 1111\n"
		      "  p:5   deny *:* slot=0:2:*.*  slot's bus is 01, not 02\n"
		      "  p:6   deny *:* uid=7         uid is 0, not 7\n"
		      "  p:7   deny fff1:* bar=2,4    bar 0 is not in its list\n"
		      "  p:8   allow fff1:1110        matches\n"
		      "BAR 2: deny by p:7\n"
		      "  RULE  TEXT                   WHY\n"
		      "  p:3   deny fff2:* class=02   vendor is fff1, not fff2\n"
		      "  p:4   allow *:1111           device is 1110, not 1111\n"
		      "  p:5   deny *:* slot=0:2:*.*  slot's bus is 01, not 02\n"
		      "  p:6   deny *:* uid=7         uid is 0, not 7\n"
		      "  p:7   deny fff1:* bar=2,4    matches\n");
}

static void explain_other_ways(void **state)
{
	static const struct line lines[] = {
		/* One BAR; who maps. */
		{ { "explain", "1:00.0", "--root", "host", "--policy", "p" }, 2, {},
		  { "'1:00.0' is no device of this host; expected a slot" } },
		{ { "explain", "01:00.0", "--bar", "2", "--uid", "7", "--root", "host", "--policy",
		    "p" }, 0, { "\nBAR 2: deny by p:6\n" }, {} },
		{ { "explain", "0000:02:00.0", "--root", "host", "--policy", "p" }, 0,
		  { "0000:02:00.0 fff1:1110", ", no driver\nBAR 0, 2: deny by p:5\n" }, {} },
		/* By id: each device that has it. */
		{ { "explain", "FFF1:1110", "--bar", "0", "--root", "host", "--policy", "p" }, 0,
		  { "0000:01:00.0 fff1:1110", "BAR 0: allow by p:8\n", "0000:02:00.0 fff1:1110",
		    "BAR 0: deny by p:5\n" }, {} },
		/* What is not here. */
		{ { "explain", "10de:2342", "--root", "host", "--policy", "p" }, 0,
		  { "10de:2342, not in this host: subsystem, class and slot are taken as 0\n"
		    "BAR 0, 1, 2, 3, 4, 5: allow by default: no rule matches\n",
		    "p:8   allow fff1:1110", "vendor is 10de, not fff1\n" }, {} },
		{ { "explain", "0000:09:00.0", "--root", "host", "--policy", "p" }, 2, {},
		  { "is no device of this host" } },
		{ { "explain", "10de", "--root", "host", "--policy", "p" }, 2, {},
		  { "is no device of this host" } },
		/* Policies without rules, on trial, and none. */
		{ { "explain", "02:00.0", "--root", "host", "--policy", "empty" }, 0,
		  { "BAR 0, 2: deny by default: no rule matches; recorded only\n"
		    "  there is no rule\n" }, {} },
		{ { "explain", "02:00.0", "--root", "host", "--policy", "none" }, 2, {},
		  { "the policy none cannot be read: No such file" } },
		{ { "explain", "02:00.0", "--root", "host", "--policy", "bad" }, 2, {},
		  { "bad:1:1: 'alow' is not a statement" } },
	};

	(void)state;
	tree_file("p", EXPLAINED);
	tree_file("empty", "");
	tree_file("bad", "alow 1:2\n");
	check_lines(lines, ARRAY_SIZE(lines));
}

/* Each field in its own words. */
static void explain_why(void **state)
{
	static const struct {
		const char *rule;
		const char *why;
	} cases[] = {
		{ "allow *:* subsystem=1:*", "subsystem vendor is 0000, not 0001" },
		{ "allow *:* subsystem=*:2", "subsystem device is 0000, not 0002" },
		{ "allow *:* class=0302", "class is 050000" },
		{ "allow *:* slot=1:*:*.*", "slot's domain is 0000, not 0001" },
		{ "allow *:* slot=*:*:1f.*", "slot's device is 00, not 1f" },
		{ "allow *:* slot=*:*:*.7", "slot's function is 0, not 7" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_cleanup(result_free) struct result result = {};
		char text[128];

		snprintf(text, sizeof(text), "%s\n", cases[i].rule);
		tree_file("p", text);
		RUN(&result, "explain", "01:00.0", "--bar", "0", "--root", "host", "--policy", "p");
		assert_int_equal(result.status, 0);
		if (!strstr(result.out, cases[i].why) || !strstr(result.out, cases[i].rule))
			fail_msg("no '%s' in\n%s", cases[i].why, result.out);
	}
}

static void explain_as_json(void **state)
{
	ncg_cleanup(result_free) struct result result = {};
	json_t *document, *device, *verdict, *rules, *rule;

	(void)state;
	tree_file("p", EXPLAINED);
	RUN(&result, "explain", "01:00.0", "--json", "--bar", "2", "--root", "host", "--policy",
	    "p");
	assert_int_equal(result.status, 0);
	document = json_loads(result.out, 0, NULL);
	device = json_array_get(json_object_get(document, "devices"), 0);
	assert_true(json_is_true(json_object_get(device, "present")));
	assert_string_equal(json_string_value(json_object_get(device, "vendor_id")), "fff1");
	verdict = json_array_get(json_object_get(device, "verdicts"), 0);
	assert_int_equal(json_array_size(json_object_get(verdict, "bars")), 1);
	assert_true(json_is_true(json_object_get(verdict, "acts")));
	rules = json_object_get(verdict, "rules");
	assert_int_equal(json_array_size(rules), 5);
	rule = json_array_get(rules, 0);
	assert_string_equal(json_string_value(json_object_get(rule, "differs")), "vendor");
	assert_string_equal(json_string_value(json_object_get(rule, "text")),
			    "deny fff2:* class=02");
	rule = json_array_get(rules, 4);
	assert_true(json_is_true(json_object_get(rule, "matches")));
	assert_true(json_is_null(json_object_get(rule, "differs")));
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(against_shows_what_changes),
		TEST(against_as_json),
		TEST(check_notes_absent_devices),
		TEST(check_warns_of_names),
		TEST(explain_tells_every_rule),
		TEST(explain_other_ways),
		TEST(explain_why),
		TEST(explain_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
