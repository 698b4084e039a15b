// SPDX-License-Identifier: GPL-2.0-only
/*
 * The built ncgate on audit trails: `replay` and `suggest`, and what they make of
 * lines that are damaged or not ncgate's.
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

/* Records as events.c writes them; device ids are of makers pci.ids does not know. */
#define GUEST(name, uid, cgroup)                                                          \
	"\"guest\":{\"id\":\"1-2\",\"pid\":1,\"uid\":" uid ",\"comm\":\"q\",\"cgroup_id\":5," \
	"\"name\":\"" name "\",\"uuid\":\"\",\"vmm\":\"q\",\"cgroup\":\"" cgroup "\"}"
#define DEVICE(slot, id, bar)                                                             \
	"\"device\":{\"slot\":\"" slot "\",\"vendor_id\":\"fff1\",\"device_id\":\"" id "\","   \
	"\"subsystem_vendor_id\":\"0000\",\"subsystem_device_id\":\"0000\","                   \
	"\"class\":\"050000\",\"revision\":\"01\",\"bar\":" bar ",\"bar_start\":\"1000\","     \
	"\"bar_size\":4096,\"name\":\"Maker Card\"}"
#define DECISION(time, guest, device, verdict, reason, mode, grade)                       \
	"{\"time\":\"" time "\",\"boot_ns\":1,\"type\":\"decision\",\"seq\":1," guest ","      \
	device ",\"offset\":0,\"length\":4096,\"verdict\":\"" verdict "\",\"reason\":" reason  \
	",\"mode\":\"" mode "\",\"grade\":\"" grade "\",\"policy\":{\"generation\":1,"         \
	"\"sha256\":\"00\"}}\n"
#define RULE "\"rule\",\"rule\":{\"file\":\"then.conf\",\"line\":9}"
#define DEFAULT "\"default\""
#define MMAP(time, guest, device, granted)                                                \
	"{\"time\":\"" time "\",\"boot_ns\":1,\"type\":\"bar_mmap\",\"seq\":2," guest ","      \
	device ",\"offset\":0,\"length\":4096,\"granted\":" granted ",\"result\":0}\n"
#define MAP(time, guest, type, slot, bar)                                                 \
	"{\"time\":\"" time "\",\"boot_ns\":1,\"type\":\"stage2_first\",\"seq\":3," guest      \
	",\"vm\":1,\"memory_type\":\"" type "\",\"ipa\":\"1\",\"phys\":\"1\",\"size\":4096,"   \
	"\"device\":{\"slot\":\"" slot "\",\"bar\":" bar ",\"name\":\"Maker Card\"}}\n"

#define ALPHA GUEST("alpha", "0", "/a")
#define BETA GUEST("beta", "64055", "/vm.slice/b")
#define CARD1 DEVICE("0000:01:00.0", "0001", "2")
#define CARD2 DEVICE("0000:02:00.0", "0002", "2")

static const char trail[] =
	"{\"time\":\"2026-01-01T00:00:00Z\",\"boot_ns\":1,\"type\":\"daemon_start\"}\n"
	DECISION("2026-01-01T00:00:01Z", ALPHA, CARD1, "allow", RULE, "enforce", "hook")
	DECISION("2026-01-01T00:00:02Z", BETA, CARD2, "deny", DEFAULT, "enforce", "hook")
	DECISION("2026-01-01T00:00:03Z", BETA, CARD2, "deny", DEFAULT, "enforce", "hook")
	DECISION("2026-01-01T00:00:04Z", ALPHA, CARD2, "deny", DEFAULT, "audit", "hook")
	DECISION("2026-01-01T00:00:05Z", ALPHA, CARD2, "deny", DEFAULT, "enforce", "none");

static void replay_finds_differences(void **state)
{
	static const struct line lines[] = {
		{ { "replay", "same", "--audit", "trail" }, 1,
		  { "1 of 5 recorded decisions would have differed\n",
		    "    1  2026-01-01T00:00:04Z  alpha  0000:02:00.0  fff1:0002    2  deny, recorded "
		    "only  default  deny      default\n" }, {} },
		{ { "replay", "same", "--audit", "first" }, 0,
		  { "0 of 1 recorded decisions would have differed\n" }, {} },
		{ { "replay", "other", "--audit", "trail" }, 1,
		  { "5 of 5 recorded decisions would have differed\n",
		    "    1  2026-01-01T00:00:01Z  alpha  0000:01:00.0  fff1:0001    2  allow         "
		    "       then.conf:9  deny                  default\n",
		    "    2  2026-01-01T00:00:03Z  beta   0000:02:00.0  fff1:0002    2  deny          "
		    "       default      allow                 other:2\n",
		    /* Where nothing could be enforced, nothing is. */
		    "deny, recorded only  default      allow, recorded only  other:2\n" }, {} },
		{ { "replay", "uid", "--audit", "trail" }, 1,
		  { "3 of 5", "2  2026-01-01T00:00:03Z  beta " }, {} },
		{ { "replay", "bad", "--audit", "trail" }, 2, {},
		  { "bad:1:1: 'alow' is not a statement" } },
		{ { "replay", "same", "--audit", "none" }, 2, {},
		  { "the audit trail none cannot be read: No such file" } },
		{ { "replay", "same", "--audit", "." }, 2, {},
		  { "the audit trail . cannot be read: Is a directory" } },
		{ { "replay", "same", "--audit", "/dev/null" }, 0, { "0 of 0 recorded" }, {} },
	};

	(void)state;
	tree_file("trail", trail);
	tree_file("first", DECISION("2026-01-01T00:00:01Z", ALPHA, CARD1, "allow", RULE, "enforce",
				    "hook"));
	tree_file("same", "mode enforce\nallow fff1:0001\n");
	tree_file("other", "mode enforce\nallow fff1:0002\n");
	tree_file("uid", "mode enforce\nallow fff1:0001\nallow fff1:0002 uid=64055\n");
	tree_file("bad", "alow 1:2\n");
	check_lines(lines, ARRAY_SIZE(lines));
}

static void replay_as_json(void **state)
{
	ncg_cleanup(result_free) struct result result = {};
	json_t *document, *difference;

	(void)state;
	tree_file("trail", trail);
	tree_file("other", "mode enforce\nallow fff1:0002\n");
	RUN(&result, "replay", "--json", "other", "--audit", "trail");
	assert_int_equal(result.status, 1);
	document = json_loads(result.out, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(document, "decisions")), 5);
	assert_int_equal(json_integer_value(json_object_get(document, "differ")), 5);
	assert_int_equal(json_array_size(json_object_get(document, "differences")), 4);
	difference = json_array_get(json_object_get(document, "differences"), 1);
	assert_int_equal(json_integer_value(json_object_get(difference, "count")), 2);
	assert_string_equal(json_string_value(json_object_get(difference, "first")),
			    "2026-01-01T00:00:02Z");
	assert_string_equal(json_string_value(json_object_get(difference, "last")),
			    "2026-01-01T00:00:03Z");
	assert_string_equal(json_string_value(json_object_get(difference, "cgroup")),
			    "/vm.slice/b");
	assert_int_equal(json_integer_value(json_object_get(
		json_object_get(document, "trail"), "records")), 6);
	json_decref(document);
}

/* A rule on trial decided and did not act, wherever the record says so. */
static void replay_of_a_rule_on_trial(void **state)
{
	static const char *const rules[] = {
		"\"rule\",\"audit\":true,\"rule\":{\"file\":\"then.conf\",\"line\":9}",
		"\"rule\",\"rule\":{\"file\":\"then.conf\",\"line\":9,\"audit\":true}",
	};

	(void)state;
	tree_file("same", "mode enforce\nallow fff1:0001\n");
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		ncg_cleanup(result_free) struct result result = {};
		char text[2048];

		snprintf(text, sizeof(text), DECISION("2026-01-01T00:00:01Z", ALPHA, CARD1, "allow",
			 "%s", "enforce", "hook"), rules[i]);
		tree_file("trail", text);
		RUN(&result, "replay", "same", "--audit", "trail");
		assert_int_equal(result.status, 1);
		assert_non_null(strstr(result.out, "allow, recorded only  then.conf:9  allow     same:2"));
	}
}

/*
 * A process that had gone when it was looked at: its cgroup is not recorded. The policy
 * that decided says what it said; another one, only what it says of any cgroup.
 */
static void replay_without_a_cgroup(void **state)
{
#define GONE GUEST("gone", "0", "")
#define THEN "mode enforce\nallow fff1:0001 cgroup=/a\n"
	/* `printf 'mode enforce\nallow fff1:0001 cgroup=/a\n' | sha256sum` is `own` */
	static const char decision[] =
		"{\"time\":\"2026-01-01T00:00:01Z\",\"boot_ns\":1,\"type\":\"decision\",\"seq\":1," GONE
		"," CARD1 ",\"offset\":0,\"length\":4096,\"verdict\":\"allow\",\"reason\":" RULE
		",\"mode\":\"enforce\",\"grade\":\"hook\",\"policy\":{\"generation\":1,"
		"\"sha256\":\"%s\"}}\n";
	static const struct {
		const char *policy;
		const char *sha256;
		const char *out;
	} cases[] = {
		{ THEN, "OWN", "0 of 1 recorded decisions would have differed\n" },
		{ THEN, "00", "0 of 1 recorded decisions would have differed\n"
			      "1 cannot be told: rules ask for a cgroup" },
		{ "mode enforce\nallow fff1:0001 cgroup=/b\n", "00", "0 of 1 recorded decisions would have "
		  "differed\n1 cannot be told" },
		/* what every cgroup gets */
		{ "mode enforce\nallow fff1:0001 cgroup=/a\nallow fff1:0001\n", "00", "0 of 1 recorded "
		  "decisions would have differed\n" },
		{ "mode enforce\nallow fff1:0001 cgroup=/\n", "00", "0 of 1 recorded decisions would have "
		  "differed\n" },
		{ "mode enforce\ndefault allow\nallow fff1:0001 cgroup=/a\n", "00", "0 of 1 recorded "
		  "decisions would have differed\n" },
		{ "mode enforce\ndeny fff1:0001 cgroup=/a\n", "00", "1 of 1 recorded decisions would have "
		  "differed\n" },
		{ "mode enforce\nallow fff1:0002 cgroup=/a\n", "00", "1 of 1 recorded decisions would have "
		  "differed\n" },
		{ "mode audit\nallow fff1:0001 cgroup=/a\n", "00", "1 of 1 recorded decisions would have "
		  "differed\n" },
	};
	static const char own[] = "6a6da5a3b9c5ea85424fb7fb14cab104884a6b924de1eaff3526079463f55c29";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_cleanup(result_free) struct result result = {};
		bool told = strstr(cases[i].out, "cannot be told");
		char text[2048];

		snprintf(text, sizeof(text), decision,
			 strcmp(cases[i].sha256, "OWN") ? cases[i].sha256 : own);
		tree_file("trail", text);
		tree_file("policy", cases[i].policy);
		RUN(&result, "replay", "policy", "--audit", "trail");
		if (strncmp(result.out, cases[i].out, strlen(cases[i].out)) ||
		    !strstr(result.out, "cannot be told") == told)
			fail_msg("case %zu: %s", i, result.out);
		assert_int_equal(result.status, *result.out == '1');
	}
}

/* Repeats that the trail only counts go with the decision that they repeat. */
static void replay_with_repeats(void **state)
{
	static const struct line lines[] = {
		{ { "replay", "same", "--audit", "trail" }, 0,
		  { "0 of 8 recorded decisions would have differed\n" }, {} },
		{ { "replay", "other", "--audit", "trail" }, 1,
		  { "8 of 8 recorded decisions would have differed\n",
		    "    8  2026-01-01T00:00:30Z  alpha " }, {} },
	};

	(void)state;
	tree_file("same", "mode enforce\nallow fff1:0001\n");
	tree_file("other", "mode enforce\n");
	tree_file("trail",
		  DECISION("2026-01-01T00:00:01Z", ALPHA, CARD1, "allow", RULE, "enforce", "hook")
		  "{\"time\":\"2026-01-01T00:00:31Z\",\"boot_ns\":1,\"type\":\"repeats\",\"count\":21,\"of\":["
		  "{\"type\":\"decision\",\"why\":\"repeat\",\"count\":7,\"until\":\"2026-01-01T00:00:30Z\","
		  ALPHA "," CARD1 "},"
		  "{\"type\":\"bar_mmap\",\"why\":\"repeat\",\"count\":7," ALPHA "," CARD1 "},"
		  "{\"type\":\"decision\",\"why\":\"cgroup\",\"count\":7," ALPHA "," CARD1 "}]}\n");
	check_lines(lines, ARRAY_SIZE(lines));
}

/* Evidence may be damaged: what is bad is named, and the rest is used. */
static void bad_lines_are_named(void **state)
{
	ncg_cleanup(result_free) struct result result = {}, json = {};
	json_t *document, *bad;

	(void)state;
	tree_file("same", "mode enforce\nallow fff1:0001\n");
	tree_file("trail",
		  DECISION("2026-01-01T00:00:01Z", ALPHA, CARD1, "allow", RULE, "enforce", "hook")
		  "{\"time\":\"2026-01-01T00:00:02Z\",\"typ\n"
		  "\n"
		  "{\"message\":\"from someone else\"}\n"
		  "17\n"
		  DECISION("2026-01-01T00:00:03Z", ALPHA, DEVICE("somewhere", "0001", "2"), "allow",
			   RULE, "enforce", "hook")
		  DECISION("2026-01-01T00:00:04Z", ALPHA, CARD1, "maybe", RULE, "enforce", "hook")
		  DECISION("2026-01-01T00:00:05Z", ALPHA, CARD1, "allow", "\"rule\"", "enforce",
			   "hook")
		  DECISION("2026-01-01T00:00:06Z", ALPHA, DEVICE("0000:01:00.0", "x", "2"), "allow",
			   RULE, "enforce", "hook")
		  DECISION("2026-01-01T00:00:07Z", "\"guest\":{}", CARD1, "allow", RULE, "enforce",
			   "hook")
		  "{\"time\":\"t\",\"type\":\"gap\",\"first_seq\":1,\"last_seq\":7,\"lost\":7}\n"
		  "{\"time\":\"2026-01-01T00:00:09Z\",\"type\":\"deci");
	RUN(&result, "replay", "same", "--audit", "trail");
	assert_int_equal(result.status, 0);
	assert_string_equal(result.out, "0 of 1 recorded decisions would have differed\n");
	assert_string_equal(result.err,
		"ncgate: trail:2: not JSON, cut or overwritten; skipped\n"
		"ncgate: trail:4: no time and type of a record; skipped\n"
		"ncgate: trail:5: JSON, but no object; skipped\n"
		"ncgate: trail:6: no slot and BAR of its device; skipped\n"
		"ncgate: trail:7: a decision without verdict, reason, mode or grade; skipped\n"
		"ncgate: trail:8: a decision by a rule that is not named; skipped\n"
		"ncgate: trail:9: no ids of its device; skipped\n"
		"ncgate: trail:10: no user who maps; skipped\n"
		"ncgate: trail:12: not JSON, cut or overwritten; skipped\n"
		"ncgate: trail: 7 damaged and 2 foreign lines skipped\n"
		"ncgate: trail: 7 events were lost before they could be recorded\n");
	RUN(&json, "replay", "same", "--json", "--audit", "trail");
	document = json_loads(json.out, 0, NULL);
	bad = json_object_get(document, "trail");
	assert_int_equal(json_integer_value(json_object_get(bad, "damaged")), 7);
	assert_int_equal(json_integer_value(json_object_get(bad, "foreign")), 2);
	assert_int_equal(json_integer_value(json_object_get(bad, "lost")), 7);
	assert_int_equal(json_array_size(json_object_get(bad, "lines")), 9);
	json_decref(document);
}

/* Thousands of bad lines do not fill the terminal. */
static void many_bad_lines(void **state)
{
	ncg_cleanup(result_free) struct result result = {};
	FILE *file;

	(void)state;
	tree_file("same", "");
	file = fopen(tree_path("trail"), "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("{\n", file);
	assert_int_equal(fclose(file), 0);
	RUN(&result, "replay", "same", "--audit", "trail");
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(result.err, "trail:20: not JSON"));
	assert_null(strstr(result.err, "trail:21: not JSON"));
	assert_non_null(strstr(result.err, "trail: 1000 damaged and 0 foreign lines skipped\n"));
}

/* ------------------------------------------------------------------------ suggest */

static void card(const char *address, unsigned int id)
{
	pci_add("host/sys", &(struct pci_entry){
		.address = address, .vendor = 0xfff1, .device = id, .class_code = 0x050000,
		.group = "1", .driver = "vfio-pci", .resource = BAR0 PCI_NO_BAR BAR2 });
}

static const char used[] =
	MMAP("2026-01-01T00:00:01Z", ALPHA, CARD1, "true")
	MMAP("2026-01-01T00:00:01Z", ALPHA, DEVICE("0000:01:00.0", "0001", "0"), "true")
	MAP("2026-01-01T00:00:02Z", ALPHA, "normal_nc", "0000:01:00.0", "2")
	MAP("2026-01-01T00:00:02Z", ALPHA, "normal_nc", "0000:01:00.0", "0")
	MAP("2026-01-01T00:00:03Z", ALPHA, "device_nGnRE", "0000:03:00.0", "2")
	MAP("2026-01-02T00:00:00Z", BETA, "normal_nc", "0000:01:00.0", "2")
	MMAP("2026-01-01T00:00:05Z", BETA, CARD2, "true")
	MMAP("2026-01-01T00:00:05Z", BETA, DEVICE("0000:03:00.0", "0003", "2"), "false")
	/* Of a card that is gone. */
	MMAP("2026-01-01T00:00:06Z", BETA, DEVICE("0000:09:00.0", "0009", "4"), "true")
	MAP("2026-01-01T00:00:07Z", BETA, "normal_nc", "0000:09:00.0", "4")
	MAP("2026-01-01T00:00:08Z", BETA, "normal_nc", "0000:0a:00.0", "1");

static void the_host(void)
{
	tree_dir("host/sys/bus/pci/devices");
	card("0000:01:00.0", 1);
	card("0000:02:00.0", 2);
	card("0000:03:00.0", 3);
	tree_file("trail", used);
	tree_file("audit", "mode audit\n");
}

#define SUGGEST "suggest", "--root", "host", "--audit", "trail", "--policy"

static void suggest_what_was_used(void **state)
{
	ncg_cleanup(result_free) struct result result = {}, again = {}, check = {};

	(void)state;
	the_host();
	RUN(&result, SUGGEST, "audit");
	assert_int_equal(result.status, 1);
	assert_string_equal(result.err,
			    "ncgate: ncgated does not answer: by the audit trail alone\n");
	assert_string_equal(result.out,
		"# Suggested by ncgate " NCG_VERSION " from what guests had as Normal-NC.\n"
		"# That a BAR was mapped so tells that its guest may use write combining and\n"
		"# unaligned access there, not that it does: read before you use.\n"
		"# audit is in mode audit: before `mode enforce`, 2 lines have to be\n"
		"# added.\n"
		"\n# 0000:01:00.0 BAR 2\n"
		"# mapped Normal-NC by alpha, beta; first 2026-01-01T00:00:01Z, last "
		"2026-01-02T00:00:00Z\n"
		"allow fff1:0001 bar=2\n"
		"\n# 0000:01:00.0 BAR 0\n"
		"# mapped Normal-NC by alpha; first 2026-01-01T00:00:01Z, last "
		"2026-01-01T00:00:02Z\n"
		"# not prefetchable: write combining is not what such a BAR is made for\n"
		"#allow fff1:0001 bar=0\n"
		"\n# 0000:02:00.0 BAR 2\n"
		"# granted by beta; 2026-01-01T00:00:05Z\n"
		"# granted to the VMM, but in no guest's tables so far\n"
		"#allow fff1:0002 bar=2\n"
		"\n# 0000:09:00.0 BAR 4, not in this host now\n"
		"# mapped Normal-NC by beta; first 2026-01-01T00:00:06Z, last "
		"2026-01-01T00:00:07Z\n"
		"allow fff1:0009 bar=4\n"
		"\n# 0000:0a:00.0 BAR 1 was mapped Normal-NC, but which device that was is not\n"
		"# recorded, and it is not in this host now.\n");

	/* What is suggested is a policy, and once it is in place nothing is missing. */
	tree_file("suggested", result.out);
	RUN(&check, "check", "suggested");
	assert_int_equal(check.status, 0);
	assert_non_null(strstr(check.out, "2 rules"));
	RUN(&again, SUGGEST, "suggested");
	assert_int_equal(again.status, 0);
	assert_non_null(strstr(again.out, "# allowed already, by suggested:"));
	assert_null(strstr(again.out, "\nallow "));
}

/* However the trail tells that a BAR was Normal-NC, it is proposed. */
static void suggest_what_was_found(void **state)
{
#define FOUND(guest)                                                                      \
	"{\"time\":\"2026-01-01T00:00:09Z\",\"boot_ns\":1,\"type\":\"found_mapped\",\"vm\":1," guest \
	"\"source\":\"walk\",\"memory_type\":\"normal_nc\"," CARD1 "}\n"
	static const struct {
		const char *trail;
		const char *says;
	} cases[] = {
		{ FOUND(ALPHA ","), "# mapped Normal-NC by alpha; 2026-01-01T00:00:09Z\nallow fff1:0001 bar=2\n" },
		{ FOUND(""), "# mapped Normal-NC by a guest that is not known; 2026-01-01T00:00:09Z\n"
			     "allow fff1:0001 bar=2\n" },
		{ "{\"time\":\"2026-01-01T00:00:09Z\",\"boot_ns\":1,\"type\":\"vm_destroy\",\"vm\":1," BETA
		  ",\"mapped\":[{" CARD2 ",\"memory_type\":\"device_nGnRE\"},{" CARD1
		  ",\"memory_type\":\"normal_nc\"}]}\n",
		  "# mapped Normal-NC by beta; 2026-01-01T00:00:09Z\nallow fff1:0001 bar=2\n" },
		{ "{\"time\":\"2026-01-01T00:00:09Z\",\"boot_ns\":1,\"type\":\"gate\",\"grade\":\"hook\","
		  "\"mapped\":[{" ALPHA "," CARD2 ",\"granted\":false},{" ALPHA "," CARD1
		  ",\"granted\":true}]}\n",
		  "# granted by alpha; 2026-01-01T00:00:09Z\n# granted to the VMM, but in no guest's tables "
		  "so far\n#allow fff1:0001 bar=2\n" },
	};

	(void)state;
	the_host();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_cleanup(result_free) struct result result = {};

		tree_file("trail", cases[i].trail);
		RUN(&result, SUGGEST, "audit");
		if (!strstr(result.out, cases[i].says) || strstr(result.out, "0000:02:00.0"))
			fail_msg("case %zu: %s", i, result.out);
	}
}

/* A card that did without keeps its denial: the rule names the other's slot. */
static void suggest_one_of_two(void **state)
{
	ncg_cleanup(result_free) struct result result = {}, both = {};

	(void)state;
	the_host();
	card("0000:04:00.0", 1);
	RUN(&result, SUGGEST, "audit");
	assert_non_null(strstr(result.out, "\nallow fff1:0001 slot=0000:01:00.0 bar=2\n"));
	tree_file("trail", MMAP("2026-01-01T00:00:01Z", ALPHA, CARD1, "true")
		  MMAP("2026-01-01T00:00:01Z", ALPHA, DEVICE("0000:04:00.0", "0001", "2"), "true")
		  MAP("2026-01-01T00:00:02Z", ALPHA, "normal_nc", "0000:01:00.0", "2")
		  MAP("2026-01-01T00:00:02Z", ALPHA, "normal_nc", "0000:04:00.0", "2"));
	RUN(&both, SUGGEST, "audit");
	assert_non_null(strstr(both.out, "\nallow fff1:0001 bar=2\n"));
	assert_null(strstr(both.out, "slot="));
}

/* The name of a guest is what its owner typed; it may not become a rule. */
static void a_name_that_would_be_a_rule(void **state)
{
	ncg_cleanup(result_free) struct result result = {}, check = {};

	(void)state;
	the_host();
	tree_file("trail", MAP("2026-01-01T00:00:02Z",
			       GUEST("a\\nallow *:*\\u001b[2J", "0", "/"), "normal_nc",
			       "0000:01:00.0", "2"));
	RUN(&result, SUGGEST, "audit");
	assert_non_null(strstr(result.out, "# mapped Normal-NC by a\\x0aallow *:*\\x1b[2J; 2026"));
	tree_file("suggested", result.out);
	RUN(&check, "check", "suggested");
	assert_non_null(strstr(check.out, "1 rule\n"));
}

/* With a daemon the present counts as well, and the host is this one. */
static void suggest_from_the_present(void **state)
{
	static const struct replies replies = {
		.guests = "{\"guests\":[{\"guest\":\"5-5\",\"uid\":0,\"name\":\"gamma\",\"cgroup\":"
			  "\"/\",\"devices\":[{\"device\":\"ffff:ff:1f.7\",\"bar\":2,\"type\":"
			  "\"normal_nc\",\"bytes\":4096},{\"device\":\"ffff:ff:1f.7\",\"bar\":0,"
			  "\"type\":\"device_nGnRE\",\"bytes\":4096}]}]}",
	};
	ncg_cleanup(result_free) struct result result = {};

	(void)state;
	tree_file("trail", MMAP("2026-01-01T00:00:01Z", ALPHA,
				DEVICE("ffff:ff:1f.7", "0007", "2"), "true"));
	tree_file("audit", "");
	SHOW(&replies, &result, "suggest", "--audit", "trail", "--policy", "audit");
	assert_int_equal(result.status, 1);
	assert_non_null(strstr(result.out,
			       "# mapped Normal-NC by alpha, gamma; first 2026-01-01T00:00:01Z, "
			       "last now\nallow fff1:0007 bar=2\n"));
	assert_string_equal(result.err, "");
}

/* What is in the slot now says nothing of what was there. */
static void another_card_in_the_slot(void **state)
{
	ncg_cleanup(result_free) struct result result = {};

	(void)state;
	the_host();
	tree_file("trail", MMAP("2026-01-01T00:00:01Z", ALPHA, DEVICE("0000:01:00.0", "0abc", "0"),
				"true")
		  MAP("2026-01-01T00:00:02Z", ALPHA, "normal_nc", "0000:01:00.0", "0"));
	RUN(&result, SUGGEST, "audit");
	assert_int_equal(result.status, 1);
	assert_non_null(strstr(result.out, "\n# 0000:01:00.0 BAR 0, not in this host now\n"));
	assert_non_null(strstr(result.out, "\nallow fff1:0abc bar=0\n"));
}

static void suggest_as_json(void **state)
{
	ncg_cleanup(result_free) struct result result = {};
	json_t *document, *list, *one;

	(void)state;
	the_host();
	RUN(&result, SUGGEST, "audit", "--json");
	assert_int_equal(result.status, 1);
	document = json_loads(result.out, 0, NULL);
	list = json_object_get(document, "suggestions");
	assert_int_equal(json_array_size(list), 4);
	one = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(one, "line")),
			    "allow fff1:0001 bar=2");
	assert_true(json_is_true(json_object_get(one, "proposed")));
	assert_true(json_is_null(json_object_get(one, "doubt")));
	assert_int_equal(json_array_size(json_object_get(one, "guests")), 2);
	one = json_array_get(list, 1);
	assert_true(json_is_false(json_object_get(one, "proposed")));
	assert_true(json_is_string(json_object_get(one, "doubt")));
	json_decref(document);
}

static void suggest_without_what_it_needs(void **state)
{
	static const struct line lines[] = {
		{ { "suggest", "--root", "host", "--audit", "none", "--policy", "audit" }, 2, {},
		  { "the audit trail none cannot be read" } },
		{ { "suggest", "--root", "host", "--audit", "trail", "--policy", "none" }, 2, {},
		  { "the policy none cannot be read" } },
		{ { "suggest", "--root", "nowhere", "--audit", "trail", "--policy", "audit" }, 3, {},
		  { "PCI devices cannot be read" } },
		{ { "suggest", "--root", "host", "--audit", "/dev/null", "--policy", "audit" }, 0,
		  { "0 lines have to be\n# added.\n" }, { "by the audit trail alone" } },
	};

	(void)state;
	the_host();
	check_lines(lines, ARRAY_SIZE(lines));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(replay_finds_differences),
		CLI_TEST(replay_as_json),
		CLI_TEST(replay_of_a_rule_on_trial),
		CLI_TEST(replay_without_a_cgroup),
		CLI_TEST(replay_with_repeats),
		CLI_TEST(bad_lines_are_named),
		CLI_TEST(many_bad_lines),
		CLI_TEST(suggest_what_was_used),
		CLI_TEST(suggest_what_was_found),
		CLI_TEST(suggest_one_of_two),
		CLI_TEST(a_name_that_would_be_a_rule),
		CLI_TEST(suggest_from_the_present),
		CLI_TEST(another_card_in_the_slot),
		CLI_TEST(suggest_as_json),
		CLI_TEST(suggest_without_what_it_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
