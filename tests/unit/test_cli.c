// SPDX-License-Identifier: GPL-2.0-only
/*
 * The built ncgate, from outside: for each command line its exit status and what
 * goes to which stream. What works on the host, on policies and on the audit trail
 * is in test_cli_*.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli_run.h"
#include "cli_table.h"

/* ------------------------------------------------------------- canned replies */

#define PROGRAM(name, state, error, lost)                                               \
	"{\"name\":\"" name "\",\"target\":\"" name "_target\",\"state\":\"" state "\"," \
	"\"adopted\":false,\"error\":" error ",\"lost\":\"" lost "\"}"

#define POLICY(mode, ok)                                                                   \
	"{\"file\":\"/etc/ncgate/policy.conf\",\"mode\":\"" mode "\",\"default\":\"deny\"," \
	"\"generation\":3,\"rules\":2,\"sha256\":\"00ff\","                                 \
	"\"loaded\":\"2026-01-02T03:04:05Z\",\"last_reload_ok\":" ok "}"

#define STATUS(grade, policy, programs, walk, lost, errors)                              \
	"{\"version\":\"9.9\",\"kernel\":\"6.12.0\",\"page_size\":16384,\"grade\":\"" grade \
	"\",\"policy\":" policy ",\"programs\":[" programs "],\"walk\":" walk               \
	",\"guests\":2,\"counters\":{\"decisions_allow\":7,\"decisions_deny\":0,"           \
	"\"events_lost\":" lost "},\"audit\":{\"path\":\"/var/log/ncgate/audit.jsonl\","    \
	"\"records\":1,\"errors\":" errors "},\"walk_errors\":" errors "}"

#define GUESTS                                                                              \
	"{\"guests\":[{\"guest\":\"812-4711\",\"pid\":812,\"uid\":0,\"name\":\"caf\xc3\xa9\"," \
	"\"uuid\":\"\",\"vmm\":\"qemu\",\"cgroup\":\"/\",\"vcpus\":2,\"visible\":true,"        \
	"\"fwb\":null,\"types\":{\"normal_wb\":1073741824,\"normal_nc\":16777216,"             \
	"\"device_nGnRE\":69632},\"leaves\":[],\"devices\":["                                  \
	"{\"device\":\"0000:00:05.0\",\"bar\":2,\"type\":\"normal_nc\",\"bytes\":16777216},"   \
	"{\"device\":\"0000:00:06.0\",\"bar\":0,\"type\":\"device_nGnRE\",\"bytes\":65536}],"  \
	"\"other\":[{\"phys\":\"8040000\",\"bytes\":4096,\"type\":\"device_nGnRE\"}]},"        \
	"{\"guest\":\"9-1\",\"pid\":9,\"name\":\"\\u001b[31mevil\\u009b\",\"visible\":false,"  \
	"\"types\":{},\"devices\":[],\"other\":[]}]}"

#define DEVICES                                                                              \
	"{\"devices\":[{\"device\":\"0000:00:05.0\",\"vendor_id\":\"10de\","                    \
	"\"device_id\":\"2342\",\"name\":\"NVIDIA GH200\",\"driver\":\"nvgrace_gpu_vfio_pci\"," \
	"\"verdict\":\"mixed\",\"bars\":[{\"bar\":0,\"start\":\"1000\",\"size\":16777216,"      \
	"\"prefetchable\":false,\"verdict\":\"deny\",\"reason\":\"default\",\"guests\":[]},"    \
	"{\"bar\":2,\"start\":\"2000\",\"size\":103079215104,\"prefetchable\":true,"            \
	"\"verdict\":\"allow\",\"reason\":\"rule\",\"rule\":{\"file\":\"policy.conf\","         \
	"\"line\":12},\"guests\":[{\"guest\":\"812-4711\",\"type\":\"normal_nc\",\"bytes\":1}," \
	"{\"guest\":\"9-1\",\"type\":\"device_nGnRE\",\"bytes\":1}]}]},"                        \
	"{\"device\":\"0000:00:06.0\",\"vendor_id\":\"1234\",\"device_id\":\"0001\","           \
	"\"name\":\"\",\"driver\":\"vfio-pci\",\"verdict\":\"none\",\"bars\":[]}]}"

static void usage(void **state)
{
	static const struct line lines[] = {
		{ { NULL }, 2, {},
		  { "no command given; expected status, guests, walk, devices, check, explain, replay, "
		    "suggest, audit or doctor\n" } },
		{ { "stauts" }, 2, {}, { "'stauts' is not a command; expected status" } },
		{ { "--jsn" }, 2, {}, { "--jsn" } },
		{ { "--control" }, 2, {}, { "--control" } },
		{ { "status", "--nope" }, 2, {}, { "ncgate status: ", "--nope" } },
		{ { "status", "x" }, 2, {}, { "'x' is too much: status takes no arguments" } },
		{ { "guests", "x" }, 2, {}, { "guests takes no arguments" } },
		{ { "doctor", "x" }, 2, {}, { "doctor takes no arguments" } },
		{ { "suggest", "x" }, 2, {}, { "suggest takes no arguments" } },
		{ { "status", "--policy", "x" }, 2, {}, { "ncgate status: ", "--policy" } },
		{ { "explain" }, 2, {}, { "explain needs DEVICE: the device to explain" } },
		{ { "explain", "a", "b" }, 2, {}, { "'b' is too much: explain takes one DEVICE" } },
		{ { "explain", "--bar", "6", "a" }, 2, {},
		  { "--bar: '6' is not a number from 0 to 5" } },
		{ { "explain", "--bar", "", "a" }, 2, {}, { "--bar: '' is not a number" } },
		{ { "explain", "--bar", "-1", "a" }, 2, {}, { "--bar: '-1' is not a number" } },
		{ { "explain", "--uid", "me", "a" }, 2, {}, { "--uid: 'me' is not a number" } },
		{ { "explain", "--cgroup", "a", "a" }, 2, {},
		  { "--cgroup: 'a' does not begin with /" } },
		{ { "replay" }, 2, {}, { "replay needs FILE: the policy to try" } },
		{ { "check" }, 2, {}, { "check needs FILE" } },
		{ { "check", "--json" }, 2, {}, { "check needs FILE" } },
		{ { "--version" }, 0, { "ncgate " NCG_VERSION "\n" }, {} },
		{ { "--help" }, 0,
		  { "COMMAND", "--control", "--json", "\n  guests ", "\n  check ", "Exit status:" },
		  {} },
		{ { "status", "--help" }, 0, { "Usage: ncgate status [", "Exit status:" }, {} },
		{ { "check", "--help" }, 0, { "Usage: ncgate check [", "FILE...", "--json" }, {} },
	};

	(void)state;
	check_lines(lines, ARRAY_SIZE(lines));
}

static void no_daemon(void **state)
{
	static const struct line lines[] = {
		{ { "status", "--control", "none" }, 3, {},
		  { "ncgate: ncgated does not run: nothing answers at none\n" } },
		{ { "--control", "none", "guests", "--json" }, 3, {}, { "ncgated does not run" } },
		{ { "guests", "--control=none" }, 3, {}, { "ncgated does not run" } },
		{ { "--control", "dead", "status" }, 3, {}, { "ncgated does not run" } },
	};
	char path[64];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/dead", tree);
	assert_int_equal(ncg_control_listen(path, &fd), 0);
	close(fd);
	check_lines(lines, ARRAY_SIZE(lines));
}

/* ----------------------------------------------------------------------- check */

#define GOOD                                                            \
	"mode enforce\ndefault allow\nwithout-hook trap\n"              \
	"allow 10de:2342 bar=3,2 uid=33\n"                              \
	"deny *:* class=0302 slot=0000:*:1f.* subsystem=*:12  # why\n"  \
	"deny 15b3:*\n"                                                \
	"deny fff1:1   # of a maker that pci.ids does not know\n"
#define BAD "mode enforce\nalow 1:2\nallow 10de:2342 bra=2\n"

static void policies_are_checked(void **state)
{
	static const struct line lines[] = {
		{ { "check", "good" }, 0,
		  { "good: mode enforce, default allow, without-hook trap, 4 rules\n  sha256 ",
		    "\n  RULE    VERDICT  MATCHES\n",
		    "\n  good:4  allow    10de:2342 bar=2,3 uid=33  # NVIDIA Corporation GH100 ",
		    "\n  good:5  deny     *:* subsystem=*:0012 class=0302 slot=0000:*:1f.*\n",
		    "\n  good:6  deny     15b3:*  # Mellanox Technologies\n",
		    "\n  good:7  deny     fff1:0001\n" },
		  {} },
		{ { "check", "cgroups" }, 0,
		  { "  allow    *:* uid=7 cgroup=/a/b audit\n",
		    "  deny     *:* cgroup=\"/a \"\"b\" audit\n" },
		  {} },
		{ { "check", "empty" }, 0,
		  { "empty: mode ", "0 rules\n", "  sha256 e3b0c442" }, {} },
		{ { "check", "bad" }, 2, {},
		  { "bad:2:1: 'alow' is not a statement; expected ", "(did you mean 'allow'?)\n",
		    "bad:3:17: 'bra' " } },
		{ { "check", "good", "bad", "empty" }, 2,
		  { "good: mode enforce", "empty: mode " }, { "bad:2:1: 'alow'" } },
		{ { "check", "none" }, 2, {},
		  { "none: cannot be read: No such file or directory\n" } },
		{ { "check", "." }, 2, {}, { ".: cannot be read: Is a directory\n" } },
		{ { "check", "none", "good" }, 2,
		  { "good: mode enforce" }, { "none: cannot be read" } },
		{ { "check", "--json", "good" }, 0, { "[]\n" }, {} },
		{ { "check", "--", "good" }, 0, { "good: mode enforce" }, {} },
	};

	(void)state;
	tree_file("good", GOOD);
	tree_file("bad", BAD);
	tree_file("empty", "");
	tree_file("cgroups", "allow *:* uid=7 cgroup=/a/b audit\n"
			     "deny *:* audit cgroup=\"/a \"\"b\"\n");
	check_lines(lines, ARRAY_SIZE(lines));
}

/* Rules that never decide are findings; who can change a draft is only said. */
static void check_warns(void **state)
{
	static const struct line lines[] = {
		{ { "check", "shadowed", "--root", "." }, 1, { "3 rules\n" },
		  { "ncgate: shadowed:2: never decides: more/a.conf:1 stands before it and matches "
		    "all that it does\n",
		    "ncgate: shadowed:3: contradicts more/a.conf:1, which matches the same" } },
		{ { "check", "--json", "shadowed" }, 1,
		  { "\"file\": \"shadowed\"", "\"line\": 2", "\"severity\": \"warning\"" }, {} },
		{ { "check", "shadowed", "bad" }, 2, { "3 rules\n" }, { "bad:2:1: 'alow'", "never decides" } },
		{ { "check", "open" }, 0, { "1 rule\n" },
		  { "open: can be written by others than root (mode 0666); ncgated would refuse it\n" } },
	};

	(void)state;
	tree_file("bad", BAD);
	tree_file("more/a.conf", "allow 1:*\n");
	tree_file("shadowed", "include more\nallow 1:2\ndeny 1:*\n");
	tree_file("open", "allow 1:2\n");
	assert_int_equal(chmod(tree_path("open"), 0666), 0);
	check_lines(lines, ARRAY_SIZE(lines));
}

static void check_errors_as_json(void **state)
{
	ncg_cleanup(result_free) struct result result = {};
	json_t *list, *entry;

	(void)state;
	tree_file("bad", BAD);
	RUN(&result, "check", "bad", "none", "--json");
	assert_int_equal(result.status, 2);
	assert_string_equal(result.err, "");
	list = json_loads(result.out, 0, NULL);
	assert_int_equal(json_array_size(list), 3);
	entry = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(entry, "file")), "bad");
	assert_int_equal(json_integer_value(json_object_get(entry, "line")), 2);
	assert_int_equal(json_integer_value(json_object_get(entry, "column")), 1);
	assert_string_equal(json_string_value(json_object_get(entry, "text")), "alow");
	assert_string_equal(json_string_value(json_object_get(entry, "nearest")), "allow");
	assert_true(json_is_string(json_object_get(entry, "expected")));
	assert_non_null(strstr(json_string_value(json_object_get(entry, "message")),
			       "bad:2:1: 'alow' is not a statement"));
	entry = json_array_get(list, 2);
	assert_string_equal(json_string_value(json_object_get(entry, "file")), "none");
	assert_int_equal(json_object_size(entry), 7);
	assert_true(json_is_null(json_object_get(entry, "nearest")));
	json_decref(list);
}

/* More distinct sets of matches than the kernel's form holds. */
static void a_policy_too_large_to_compile(void **state)
{
	ncg_cleanup(result_free) struct result human = {}, json = {};
	char path[64];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/masks", tree);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int set = 0; set < 128; set++)
		fprintf(file, "allow %s:%s%s%s%s%s%s\n", set & 1 ? "1" : "*", set & 2 ? "2" : "*",
			set & 4 ? " subsystem=1:2" : "", set & 8 ? " class=02" : "",
			set & 16 ? " slot=0:1:2.3" : "", set & 32 ? " bar=1" : "",
			set & 64 ? " uid=1" : "");
	assert_int_equal(fclose(file), 0);
	RUN(&human, "check", "masks");
	assert_int_equal(human.status, 2);
	assert_string_equal(human.out, "");
	assert_non_null(strstr(human.err, "masks"));
	RUN(&json, "check", "masks", "--json");
	assert_int_equal(json.status, 2);
	assert_non_null(strstr(json.out, "\"message\": \"masks"));
}

/* File names are bytes; neither stream may break on them. */
static void a_file_name_that_is_not_utf8(void **state)
{
	ncg_cleanup(result_free) struct result result = {};
	json_t *list;

	(void)state;
	RUN(&result, "check", "--json", "\xff\xfe");
	assert_int_equal(result.status, 2);
	list = json_loads(result.out, 0, NULL);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
}

static void a_result_that_cannot_be_written(void **state)
{
	char *env[] = { NULL };
	const char *const args[] = { "check", "good", NULL };
	ncg_autoclose int full = open("/dev/full", O_WRONLY | O_CLOEXEC), err = temporary();
	ncg_autofree char *text = NULL;

	(void)state;
	assert_true(full >= 0);
	tree_file("good", GOOD);
	assert_int_equal(run_to(args, env, full, err), 3);
	lseek(err, 0, SEEK_SET);
	text = read_all(err);
	assert_non_null(strstr(text, "ncgate: the result cannot be written: No space left"));
}

/* ------------------------------------------------------------------ the replies */

static void status_when_all_is_well(void **state)
{
	static const struct replies replies = {
		.status = STATUS("hook", POLICY("enforce", "true"),
				 PROGRAM("decide_hook", "attached", "null", "decisions") ","
				 PROGRAM("decide_only", "not-needed", "null", "x"),
				 "true", "0", "0"),
	};
	ncg_cleanup(result_free) struct result result = {};

	(void)state;
	SHOW(&replies, &result, "status");
	assert_output(&result,
		      "hook: vfio-pci-core asks ncgate at each BAR mmap; a denied BAR is mapped "
		      "Device-nGnRE, at full speed\n"
		      "policy    /etc/ncgate/policy.conf: mode enforce, default deny, 2 rules\n"
		      "          generation 3, loaded 2026-01-02T03:04:05Z\n"
		      "          sha256 00ff\n"
		      "programs  1 of 1 attached\n"
		      "guests    2\n"
		      "counters  decisions_allow 7\n"
		      "          events_lost 0\n"
		      "audit     /var/log/ncgate/audit.jsonl: 1 record\n"
		      "kernel    not known until vfio-pci-core is loaded\n"
		      "host      ncgated 9.9, kernel 6.12.0, 16 KiB pages\n");
}

static void status_with_stale_names(void **state)
{
	static const struct replies replies = {
		.status = "{\"policy\":{\"file\":\"p\",\"mode\":\"enforce\",\"default\":\"deny\","
			  "\"last_reload_ok\":true,\"stale_names\":["
			  "{\"name\":\"\\\"V\\\":\\\"D\\\"\",\"vendor_id\":\"fff0\","
			  "\"device_id\":\"0001\",\"gone\":true},"
			  "{\"name\":\"\\\"V\\\":*\",\"vendor_id\":\"fff0\","
			  "\"device_id\":null,\"gone\":true}]}}",
	};
	ncg_cleanup(result_free) struct result result = {};

	(void)state;
	SHOW(&replies, &result, "status");
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(result.out,
			       "          pci.ids has lost \"V\":\"D\"; it goes on standing for fff0:0001\n"
			       "          pci.ids has lost \"V\":*; it goes on standing for fff0:*\n"));
}

static void status_says_what_the_kernel_has(void **state)
{
	static const struct {
		struct replies replies;
		const char *line;
	} cases[] = {
		{ { .status = "{\"change\":\"hook\"}" }, "kernel    core change and hook\n" },
		{ { .status = "{\"change\":\"core\"}" },
		  "kernel    core change only: every vfio-pci BAR that is mapped gets Normal-NC\n" },
		{ { .status = "{\"change\":\"none\"}" },
		  "kernel    no change: every BAR is mapped Device-nGnRE\n" },
		{ { .status = "{\"change\":null}" },
		  "kernel    not known until vfio-pci-core is loaded\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_cleanup(result_free) struct result result = {};

		SHOW(&cases[i].replies, &result, "status");
		assert_non_null(strstr(result.out, cases[i].line));
	}
}

static void status_with_hazards(void **state)
{
	static const struct replies replies = {
		.status = "{\"version\":\"9.9\",\"kernel\":\"6.1.0\",\"page_size\":4096,"
			  "\"grade\":\"none\",\"hazards\":["
			  "{\"hazard\":\"a\",\"unsafe\":\"normal_nc\",\"contradictions\":[{}]},"
			  "{\"hazard\":\"b\",\"unsafe\":\"device_nGnRE\",\"contradictions\":[]}]}",
	};
	ncg_cleanup(result_free) struct result result = {};

	(void)state;
	SHOW(&replies, &result, "status");
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(result.out,
			       "host      ncgated 9.9, kernel 6.1.0, 4 KiB pages\n"
			       "hazards   a: normal_nc is unsafe on this host, and that is not "
			       "heeded: see `ncgate doctor`\n"
			       "          b: device_nGnRE is unsafe on this host, and that is "
			       "heeded\n"));
}

static void status_with_mismatches(void **state)
{
	static const struct replies replies = {
		.status = "{\"guests\":2,\"mismatches\":[{\"mismatch\":\"stale\"},"
			  "{\"mismatch\":\"absent\"},{\"mismatch\":\"stale\"}]}",
	};
	ncg_cleanup(result_free) struct result result = {};

	(void)state;
	SHOW(&replies, &result, "status");
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(result.out,
			       "guests    2\n"
			       "          2 mappings keep a Normal-NC that was granted before and is "
			       "denied now\n"
			       "          1 mappings have no Normal-NC, though it is allowed\n"));
}

static void status_when_much_is_wrong(void **state)
{
	static const struct replies replies = {
		.status = STATUS("none", POLICY("enforce", "false"),
				 PROGRAM("decide_hook", "failed", "\"ENOTSUPP\"", "enforcement") ","
				 PROGRAM("bar_mmap", "waiting", "null", "BAR events") ","
				 PROGRAM("stage2_map", "attached", "null", "maps"),
				 "false", "5", "4"),
	};
	ncg_cleanup(result_free) struct result result = {};

	(void)state;
	SHOW(&replies, &result, "status");
	assert_output(&result,
		      "none: decisions are only recorded, the kernel's own default holds\n"
		      "policy    /etc/ncgate/policy.conf: mode enforce, default deny, 2 rules\n"
		      "          generation 3, loaded 2026-01-02T03:04:05Z\n"
		      "          sha256 00ff\n"
		      "          the last reload was refused; this policy is still in force\n"
		      "programs  1 of 3 attached\n"
		      "          PROGRAM      TARGET              STATE    ERRNO     LOST\n"
		      "          decide_hook  decide_hook_target  failed   ENOTSUPP  enforcement\n"
		      "          bar_mmap     bar_mmap_target     waiting  -         BAR events\n"
		      "guests    unknown: stage-2 tables cannot be read on this host\n"
		      "          4 errors in reading stage-2 tables\n"
		      "counters  decisions_allow 7\n"
		      "          events_lost 5\n"
		      "audit     /var/log/ncgate/audit.jsonl: 1 record\n"
		      "          4 records could not be written\n"
		      "kernel    not known until vfio-pci-core is loaded\n"
		      "host      ncgated 9.9, kernel 6.12.0, 16 KiB pages\n");
}

/* The first line must not claim more than what holds. */
static void the_first_line_of_status(void **state)
{
	static const struct {
		struct replies replies;
		const char *start;
	} cases[] = {
		{ { .status = STATUS("hook", POLICY("audit", "true"), "", "true", "0", "0") },
		  "hook: vfio-pci-core asks ncgate at each BAR mmap; in mode audit decisions are "
		  "only recorded, and the kernel's own default holds\n" },
		{ { .status = STATUS("hook", "null", "", "true", "0", "0") },
		  "hook: no policy is loaded, the kernel's own default holds\npolicy    none\n" },
		{ { .status = STATUS("trap", POLICY("enforce", "true"), "", "true", "0", "0") },
		  "trap: vfio-pci-core has no hook; the BAR mmaps of a denied device are refused, "
		  "so that its accesses trap: safe, and slow\n" },
		{ { .status = STATUS("trap", POLICY("audit", "true"), "", "true", "0", "0") },
		  "trap: vfio-pci-core has no hook; in mode audit decisions are only recorded" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_cleanup(result_free) struct result result = {};

		SHOW(&cases[i].replies, &result, "status");
		assert_int_equal(result.status, 0);
		if (strncmp(result.out, cases[i].start, strlen(cases[i].start)))
			fail_msg("expected '%s' at the start of\n%s", cases[i].start, result.out);
	}
}

#define WALK                                                                                \
	"walk:812-4711\n{\"guest\":\"812-4711\",\"tables\":\"visible\",\"leaves\":["          \
	"{\"type\":\"normal_wb\",\"size\":2097152,\"count\":3},"                            \
	"{\"type\":\"normal_nc\",\"size\":2097152,\"count\":8}],\"ranges\":["              \
	"{\"ipa\":\"8000000000\",\"phys\":\"10000000\",\"size\":16777216,"                \
	"\"leaf_size\":2097152,\"level\":2,\"type\":\"normal_nc\","                        \
	"\"device\":\"0000:00:05.0\",\"bar\":2,\"name\":\"\"},"                            \
	"{\"ipa\":\"8040000\",\"phys\":\"8040000\",\"size\":4096,\"leaf_size\":4096,"   \
	"\"level\":3,\"type\":\"device_nGnRE\",\"nested\":1}],"                    \
	"\"shadows\":[{\"nested\":1,\"leaves\":["                                           \
	"{\"type\":\"normal_wb\",\"size\":4096,\"count\":12}]}]}"

static void walk_shows_ranges(void **state)
{
	static const struct replies replies = { .guests = GUESTS, .walk = WALK };
	/* by id, PID and name */
	static const char *const names[] = { "812-4711", "812", "caf\xc3\xa9" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ncg_cleanup(result_free) struct result result = {};

		SHOW(&replies, &result, "walk", names[i]);
		assert_output(&result,
			      "GUEST-PHYSICAL  HOST-PHYSICAL      SIZE  LEVEL  TYPE          "
			      "DEVICE        BAR  NESTED\n"
			      "  0x8000000000     0x10000000  16.0 MiB      2  normal_nc     "
			      "0000:00:05.0    2       -\n"
			      "     0x8040000      0x8040000   4.0 KiB      3  device_nGnRE  "
			      "-               -       1\n"
			      "normal_wb: 3 leaves of 2.0 MiB\n"
			      "nested 1 normal_wb: 12 leaves of 4.0 KiB\n");
	}
}

static void walk_of_what_is_not_there(void **state)
{
	static const struct {
		struct replies replies;
		const char *name, *said;
		int status;
	} rows[] = {
		{ { .guests = GUESTS }, "nobody", "there is no guest 'nobody'\n", 2 },
		{ { .guests = "{\"guests\":[{\"guest\":\"1-1\",\"pid\":1,\"name\":\"x\"},"
			      "{\"guest\":\"2-1\",\"pid\":2,\"name\":\"x\"}]}" },
		  "x", "2 guests are called 'x'; name one by its id\n", 2 },
		{ { .guests = GUESTS, .walk = "walk:9-1\n{\"error\":\"there is no guest 9-1\"}" },
		  "9", "there is no guest 9-1", 3 },
		{ { .guests = "{\"error\":\"cannot be read\"}" }, "9", "cannot be read", 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ncg_cleanup(result_free) struct result result = {};

		SHOW(&rows[i].replies, &result, "walk", rows[i].name);
		assert_int_equal(result.status, rows[i].status);
		assert_string_equal(result.out, "");
		assert_non_null(strstr(result.err, rows[i].said));
	}
}

/* A guest may call itself by another's id or PID: that does not hide the other. */
static void walk_is_not_misled(void **state)
{
	static const struct replies replies = {
		.guests = "{\"guests\":[{\"guest\":\"1-1\",\"pid\":1,\"name\":\"2-1\","
			  "\"uuid\":\"2\"},{\"guest\":\"2-1\",\"pid\":2,\"name\":\"\"}]}",
		.walk = "walk:2-1\n{\"tables\":\"hidden\"}",
	};
	static const char *const names[] = { "2-1", "2" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ncg_cleanup(result_free) struct result result = {};

		SHOW(&replies, &result, "walk", names[i]);
		assert_output(&result, "tables not visible: the hypervisor keeps them "
				       "(protected KVM)\n");
	}
}

static void guests_as_a_table(void **state)
{
	static const struct replies replies = { .guests = GUESTS };
	ncg_cleanup(result_free) struct result result = {};

	(void)state;
	SHOW(&replies, &result, "guests");
	assert_output(&result,
		      "GUEST     NAME                PID  DEVICE        BAR  TYPE             BYTES\n"
		      "812-4711  caf\xc3\xa9                812  "
		      "RAM             -  normal_wb      1.0 GiB\n"
		      "812-4711  caf\xc3\xa9                812  "
		      "0000:00:05.0    2  normal_nc     16.0 MiB\n"
		      "812-4711  caf\xc3\xa9                812  "
		      "0000:00:06.0    0  device_nGnRE  64.0 KiB\n"
		      "812-4711  caf\xc3\xa9                812  "
		      "at 0x8040000    -  device_nGnRE   4.0 KiB\n"
		      "9-1       \\x1b[31mevil\\u009b    9  -               -  not visible          -\n");
}

static void json_is_the_whole_reply(void **state)
{
	static const struct replies replies = {
		.status = STATUS("hook", "null", "", "true", "0", "0"),
		.guests = GUESTS,
		.devices = DEVICES,
	};
	const char *const requests[] = { "status", "guests", "devices" };
	const char *const texts[] = { replies.status, replies.guests, replies.devices };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		ncg_cleanup(result_free) struct result result = {};
		json_t *expected = json_loads(texts[i], 0, NULL), *got;

		SHOW(&replies, &result, requests[i], "--json");
		assert_int_equal(result.status, 0);
		assert_string_equal(result.err, "");
		got = json_loads(result.out, 0, NULL);
		assert_non_null(expected);
		assert_true(json_equal(expected, got));
		/* A name in it may not steer the terminal. */
		for (const char *c = result.out; *c; c++)
			assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
		json_decref(expected);
		json_decref(got);
	}
}

static void nothing_to_show(void **state)
{
	static const struct replies replies = {
		.status = "{}", .guests = "{\"guests\":[]}", .devices = "{\"devices\":[]}",
	};
	ncg_cleanup(result_free) struct result guests = {}, devices = {}, status = {};

	(void)state;
	SHOW(&replies, &guests, "guests");
	assert_output(&guests, "no guests\n");
	SHOW(&replies, &devices, "devices");
	assert_output(&devices, "no devices: none has an IOMMU group or a VFIO driver\n");
	/* A daemon of another version may leave things out. */
	SHOW(&replies, &status, "status");
	assert_int_equal(status.status, 0);
}

static void a_daemon_that_cannot_answer(void **state)
{
	static const struct replies refusal = { .guests = "{\"error\":\"the tables are shut\"}" };
	ncg_cleanup(result_free) struct result none = {}, error = {};

	(void)state;
	SHOW(&refusal, &none, "status", "--json");
	assert_int_equal(none.status, 3);
	assert_string_equal(none.out, "");
	assert_non_null(strstr(none.err, "ncgate: ncgated: the daemon has no answer to 'status'"));
	SHOW(&refusal, &error, "guests");
	assert_int_equal(error.status, 3);
	assert_string_equal(error.out, "");
	assert_string_equal(error.err, "ncgate: ncgated: the tables are shut\n");
}

/* --------------------------------------------------------------------- colours */

static char *on_terminal(char *const *env)
{
	const char *const args[] = { "check", "good", NULL };
	ncg_autoclose int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ncg_autoclose int out = -1, err = temporary();
	char *text;

	assert_true(terminal >= 0);
	assert_int_equal(grantpt(terminal), 0);
	assert_int_equal(unlockpt(terminal), 0);
	out = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(out >= 0);
	/* The output fits the terminal's buffer, so nobody need read meanwhile. */
	assert_int_equal(run_to(args, env, out, err), 0);
	close(ncg_take_fd(&out));
	text = read_all(terminal);
	assert_non_null(strstr(text, "good: mode enforce"));
	return text;
}

static void colours_only_on_a_terminal(void **state)
{
	char *plain[] = { "TERM=xterm", NULL }, *no_color[] = { "TERM=xterm", "NO_COLOR=1", NULL };
	char *empty[] = { "TERM=xterm", "NO_COLOR=", NULL }, *dumb[] = { "TERM=dumb", NULL };
	ncg_autofree char *with = NULL, *without = NULL, *ignored = NULL, *simple = NULL;

	(void)state;
	tree_file("good", GOOD);
	with = on_terminal(plain);
	assert_non_null(strstr(with, "\033[32mallow\033[0m"));
	without = on_terminal(no_color);
	assert_null(strchr(without, '\033'));
	/* no-color.org: it counts when it is not empty. */
	ignored = on_terminal(empty);
	assert_non_null(strchr(ignored, '\033'));
	simple = on_terminal(dumb);
	assert_null(strchr(simple, '\033'));
}

static void bytes_for_a_human(void **state)
{
	static const struct {
		unsigned long long bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" }, { 1, "1 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" }, { 16777216, "16.0 MiB" }, { 1048575, "1.0 MiB" },
		{ 1073741824, "1.0 GiB" }, { 103079215104, "96.0 GiB" },
		{ ~0ull, "16.0 EiB" },
	};
	char text[NCG_CLI_BYTES_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_cli_format_bytes(cases[i].bytes, text);
		assert_string_equal(text, cases[i].text);
	}
}

/* ------------------------------------------------------------------------ main */

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(usage),
		CLI_TEST(no_daemon),
		CLI_TEST(policies_are_checked),
		CLI_TEST(check_warns),
		CLI_TEST(check_errors_as_json),
		CLI_TEST(a_policy_too_large_to_compile),
		CLI_TEST(a_file_name_that_is_not_utf8),
		CLI_TEST(a_result_that_cannot_be_written),
		CLI_TEST(status_when_all_is_well),
		CLI_TEST(status_with_stale_names),
		CLI_TEST(status_says_what_the_kernel_has),
		CLI_TEST(status_with_hazards),
		CLI_TEST(status_with_mismatches),
		CLI_TEST(status_when_much_is_wrong),
		CLI_TEST(the_first_line_of_status),
		CLI_TEST(walk_shows_ranges),
		CLI_TEST(walk_of_what_is_not_there),
		CLI_TEST(walk_is_not_misled),
		CLI_TEST(guests_as_a_table),
		CLI_TEST(json_is_the_whole_reply),
		CLI_TEST(nothing_to_show),
		CLI_TEST(a_daemon_that_cannot_answer),
		CLI_TEST(colours_only_on_a_terminal),
		cmocka_unit_test(bytes_for_a_human),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
