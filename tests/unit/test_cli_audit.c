// SPDX-License-Identifier: GPL-2.0-only
/*
 * The built ncgate on a whole audit trail, in files that were put aside and over two
 * boots of the host: `audit`, what it chooses, who had what, and records as they come.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli_run.h"

#define T(rest) "2026-01-" rest ".000000Z"
#define HEAD(time, type) "{\"time\":\"" T(time) "\",\"boot_ns\":1,\"type\":\"" type "\""
#define GUEST(id, pid, name)                                                            \
	",\"guest\":{\"id\":\"" id "\",\"pid\":" pid ",\"name\":\"" name "\",\"uuid\":\"u-" name "\"}"
#define CARD(slot, bar)                                                                 \
	"\"device\":{\"slot\":\"" slot "\",\"vendor_id\":\"fff1\",\"device_id\":\"0001\",\"bar\":" bar "}"
#define DECISION(time, guest, card, line)                                               \
	HEAD(time, "decision") guest "," card ",\"verdict\":\"allow\",\"reason\":\"rule\","   \
	"\"rule\":{\"file\":\"p.conf\",\"line\":" line "},\"mode\":\"enforce\","             \
	"\"grade\":\"hook\",\"policy\":{\"generation\":4}}\n"
#define MAP(time, type, guest, vm, card, memory)                                        \
	HEAD(time, type) guest ",\"vm\":" vm "," card ",\"memory_type\":\"" memory "\"}\n"
#define TOTAL(card, memory, first)                                                      \
	"{" card ",\"memory_type\":\"" memory "\",\"first\":\"" T(first) "\",\"maps\":3,\"bytes\":4096}"

#define ALPHA GUEST("1-1", "1", "alpha")
#define BETA GUEST("2-2", "2", "beta")
#define GAMMA GUEST("3-3", "3", "gamma")
#define DELTA GUEST("4-4", "4", "delta\\u001b[2J")
#define CARD1 CARD("0000:01:00.0", "2")
#define CARD2 CARD("0009:01:00.0", "0")

/* Two that were put aside, in an order that names alone tell, and the last. */
static int set_up(void **state)
{
	(void)state;
	tree_make();
	tree_file("log.20260101T000005.000000Z",
		  HEAD("01T00:00:00", "daemon_start") ",\"boot_id\":\"A\",\"version\":\"1\"}\n"
		  HEAD("01T00:00:01", "vm_create") ALPHA ",\"vm\":1}\n"
		  DECISION("01T00:00:02", ALPHA, CARD1, "3")
		  MAP("01T00:00:03", "stage2_first", ALPHA, "1", CARD1, "normal_nc")
		  MAP("01T00:00:04", "stage2_first", ALPHA, "1", CARD2, "device_nGnRE"));
	tree_file("log.20260101T000010.000000Z",
		  HEAD("01T00:00:05", "rotation") ",\"previous\":\"log.20260101T000005.000000Z\"}\n"
		  DECISION("01T00:00:06", BETA, CARD1, "7")
		  MAP("01T00:00:07", "stage2_first", BETA, "12", CARD1, "normal_nc")
		  /* came later than what it was mapped by */
		  DECISION("01T00:00:08", ALPHA, CARD1, "9"));
	tree_file("log",
		  HEAD("01T00:01:00", "vm_destroy") ALPHA ",\"vm\":1,\"mapped\":["
		  TOTAL(CARD1, "normal_nc", "01T00:00:03") ","
		  TOTAL(CARD2, "device_nGnRE", "01T00:00:04") "]}\n"
		  HEAD("02T00:00:00", "daemon_start") ",\"boot_id\":\"B\",\"version\":\"1\"}\n"
		  /* found later than it was mapped */
		  HEAD("02T00:00:01", "found_mapped") GAMMA ",\"vm\":1," CARD2
		  ",\"memory_type\":\"normal_nc\",\"first\":\"" T("01T23:59:58") "\"}\n"
		  HEAD("02T00:00:02", "gap") ",\"cause\":\"not_received\",\"lost\":2,"
		  "\"since\":\"a\",\"until\":\"b\"}\n"
		  HEAD("02T00:00:09", "vm_destroy") DELTA ",\"vm\":3,\"mapped\":["
		  TOTAL(CARD1, "normal_nc", "02T00:00:01") "]}\n");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

#define LOST "ncgate: log: 2 events were lost before they could be recorded\n"
#define AUDIT "audit", "--audit", "log"

static void records(void **state)
{
	static const struct line lines[] = {
		{ { AUDIT }, 0,
		  { T("01T00:00:00") "  ncgated 1 began, grade \n"
		    T("01T00:00:01") "  alpha: VM 1 began\n"
		    T("01T00:00:02") "  alpha: allow 0000:01:00.0 BAR 2 by p.conf:3 (mode enforce, grade hook)\n",
		    "nGnRE mapping of 0009:01:00.0 BAR 0\n" T("01T00:00:05") "  the audit log goes on here",
		    /* a name does not steer the terminal */
		    T("02T00:00:09") "  delta\\x1b[2J: VM 3 ended; it had normal_nc 0000:01:00.0 BAR 2\n" },
		  { LOST } },
		{ { AUDIT, "--json", "--type", "vm_create" }, 0,
		  { "{\"time\":\"" T("01T00:00:01") "\",\"boot_ns\":1,\"type\":\"vm_create\",\"guest\":" },
		  { LOST } },
	};

	(void)state;
	check_lines(lines, ARRAY_SIZE(lines));
}

/* Which records there are is told by their times. */
static void chosen(void **state)
{
	static const struct {
		const char *args[9];
		const char *times; /* of the month's first two days */
	} cases[] = {
		{ { "--guest", "alpha" }, "1/0:1 1/0:2 1/0:3 1/0:4 1/0:8 1/1:0" },
		{ { "--guest", "u-beta" }, "1/0:6 1/0:7" },
		{ { "--guest", "2-2" }, "1/0:6 1/0:7" },
		{ { "--guest", "2" }, "1/0:6 1/0:7" },
		{ { "--guest", "nobody" }, "" },
		/* also by what a VM's end lists */
		{ { "--device", "0009:01:00.0" }, "1/0:4 1/1:0 2/0:1" },
		{ { "--device", "01:00.0", "--guest", "beta" }, "1/0:6 1/0:7" },
		{ { "--device", "FFF1:0001", "--type", "stage2_first" }, "1/0:3 1/0:4 1/0:7" },
		{ { "--since", "2026-01-01T00:00:08Z" }, "1/0:8 1/1:0 2/0:0 2/0:1 2/0:2 2/0:9" },
		{ { "--since", "2026-01-01T00:00:07.000001Z", "--until", "2026-01-01T00:01:00Z" },
		  "1/0:8 1/1:0" },
		{ { "--since", "2026-01-02Z", "--type", "gap" }, "2/0:2" },
		{ { "--since", "1s" }, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_cleanup(result_free) struct result result = {};
		const char *args[16] = { AUDIT };
		char times[512] = "";
		size_t used = 0;

		memcpy(args + 3, cases[i].args, sizeof(cases[i].args));
		run(args, &result);
		assert_int_equal(result.status, 0);
		for (const char *line = result.out; *line; line = strchr(line, '\n') + 1) {
			unsigned int day, minute, second;

			assert_int_equal(sscanf(line, "2026-01-%2uT00:%2u:%2u", &day, &minute, &second),
					 3);
			used += snprintf(times + used, sizeof(times) - used, "%s%u/%u:%u",
					 used ? " " : "", day, minute, second);
		}
		if (strcmp(times, cases[i].times))
			fail_msg("%s %s: %s", args[3], args[4], times);
	}
}

static void had(void **state)
{
	static const struct line lines[] = {
		{ { AUDIT, "--had", "normal_nc" }, 0,
		  { "FROM                         UNTIL                                                  "
		    "GUEST  NAME          DEVICE        BAR  VERDICT  BY        POLICY\n",
		    T("01T00:00:03") "  " T("01T00:01:00") "                            1-1    alpha         "
		    "0000:01:00.0    2  allow    p.conf:3       4\n",
		    T("01T00:00:07") "  " T("01T00:01:00") ", then the host began anew  2-2    beta          "
		    "0000:01:00.0    2  allow    p.conf:7       4\n",
		    T("01T23:59:58") "  -                                                      3-3    gamma         "
		    "0009:01:00.0    0  -        -              -\n",
		    T("02T00:00:01") "  " T("02T00:00:09") "                            4-4    delta\\x1b[2J  "
		    "0000:01:00.0    2  -        -              -\n" },
		  { LOST } },
		{ { AUDIT, "--had", "normal_wt" }, 0, { "no guest had normal_wt\n" }, { LOST } },
		{ { AUDIT, "--had", "nc" }, 2, {}, { "--had: 'nc' is no memory type" } },
		{ { AUDIT, "--had", "normal_nc", "--type", "gap" }, 2, {},
		  { "--had goes neither with --follow nor with --type" } },
		{ { AUDIT, "--since", "soon" }, 2, {}, { "--since: 'soon' is no time" } },
		{ { AUDIT, "--until", "5x" }, 2, {}, { "--until: '5x' is no time" } },
		{ { "audit", "--audit", "none" }, 2, {}, { "the audit trail none cannot be read" } },
	};

	(void)state;
	check_lines(lines, ARRAY_SIZE(lines));
}

/* Who had it at any moment between two times, and not only who got it then. */
static void had_between(void **state)
{
	static const struct {
		const char *args[7];
		const char *guests;
	} cases[] = {
		{ { "--since", "2026-01-01T00:00:30Z", "--until", "2026-01-01T00:00:40Z" }, "1-1 2-2" },
		{ { "--since", "2026-01-01T00:01:01Z", "--until", "2026-01-01T23:00:00Z" }, "" },
		{ { "--until", "2026-01-01T00:00:05Z" }, "1-1" },
		{ { "--since", "2026-01-02T00:00:09Z" }, "3-3 4-4" },
		{ { "--since", "2026-01-02T00:00:10Z" }, "3-3" },
		{ { "--device", "0009:01:00.0" }, "3-3" },
		{ { "--guest", "beta" }, "2-2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_cleanup(result_free) struct result result = {};
		const char *args[16] = { AUDIT, "--json", "--had", "normal_nc" };
		json_t *document, *entry;
		char guests[512] = "";
		size_t used = 0, j;

		memcpy(args + 6, cases[i].args, sizeof(cases[i].args));
		run(args, &result);
		assert_int_equal(result.status, 0);
		document = json_loads(result.out, 0, NULL);
		assert_non_null(document);
		json_array_foreach(json_object_get(document, "had"), j, entry)
			used += snprintf(guests + used, sizeof(guests) - used, "%s%s", used ? " " : "",
					 json_string_value(json_object_get(
						 json_object_get(entry, "guest"), "id")));
		if (strcmp(guests, cases[i].guests))
			fail_msg("%s %s: %s", args[6], args[7], guests);
		json_decref(document);
	}
}

/* Runs `audit --had normal_nc --json` and returns whom it names, with when it ended. */
static const char *who_had(void)
{
	static char text[1024];
	ncg_cleanup(result_free) struct result result = {};
	const char *args[16] = { AUDIT, "--json", "--had", "normal_nc" };
	json_t *document, *entry;
	size_t used = 0, i;

	run(args, &result);
	assert_int_equal(result.status, 0);
	document = json_loads(result.out, 0, NULL);
	assert_non_null(document);
	*text = '\0';
	json_array_foreach(json_object_get(document, "had"), i, entry) {
		const char *name = json_string_value(json_object_get(json_object_get(entry, "guest"),
								     "name"));
		const char *until = json_string_value(json_object_get(entry, "until"));

		used += snprintf(text + used, sizeof(text) - used, "%s%s:%.8s", used ? " " : "",
				 name ? name : "?", until ? until + 11 : "-");
	}
	json_decref(document);
	return text;
}

/*
 * The programs' state was removed and a daemon began anew, in the same boot: ids are given
 * out again, and a VM is found, or its mapping or its end, under one that another had. A
 * VM whose own mapping was told before it was found is still the same.
 */
static void had_under_an_id_used_before(void **state)
{
	static const char began[] = HEAD("01T00:00:00", "daemon_start") ",\"boot_id\":\"A\"}\n"
		MAP("01T00:00:01", "stage2_first", ALPHA, "1", CARD1, "normal_nc")
		HEAD("01T00:00:02", "daemon_start") ",\"boot_id\":\"A\"}\n";
	static const struct {
		const char *then;
		const char *had;
	} cases[] = {
		{ HEAD("01T00:00:03", "vm_found") BETA ",\"vm\":1}\n"
		  MAP("01T00:00:04", "found_mapped", BETA, "1", CARD1, "normal_nc")
		  HEAD("01T00:00:05", "vm_destroy") BETA ",\"vm\":1,\"mapped\":["
		  TOTAL(CARD1, "normal_nc", "01T00:00:04") "]}\n", "alpha:- beta:00:00:05" },
		{ HEAD("01T00:00:03", "vm_found") ",\"vm\":1}\n"
		  HEAD("01T00:00:04", "found_mapped") ",\"vm\":1," CARD1
		  ",\"memory_type\":\"normal_nc\"}\n", "alpha:- ?:-" },
		{ MAP("01T00:00:04", "found_mapped", BETA, "1", CARD1, "normal_nc"), "alpha:- beta:-" },
		{ HEAD("01T00:00:05", "vm_destroy") BETA ",\"vm\":1,\"mapped\":["
		  TOTAL(CARD1, "normal_nc", "01T00:00:04") "]}\n", "alpha:- beta:00:00:05" },
		{ HEAD("01T00:00:03", "vm_found") ALPHA ",\"vm\":1}\n"
		  MAP("01T00:00:04", "found_mapped", ALPHA, "1", CARD1, "normal_nc")
		  HEAD("01T00:00:05", "vm_destroy") ALPHA ",\"vm\":1,\"mapped\":["
		  TOTAL(CARD1, "normal_nc", "01T00:00:01") "]}\n", "alpha:00:00:05" },
		/* ended by whoever had its last descriptor */
		{ HEAD("01T00:00:05", "vm_destroy") BETA ",\"vm\":1,\"mapped\":[]}\n", "alpha:00:00:05" },
		{ HEAD("01T00:00:05", "vm_destroy") ",\"vm\":1,\"mapped\":["
		  TOTAL(CARD1, "normal_nc", "01T00:00:01") "]}\n", "alpha:00:00:05" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_autofree char *trail = NULL;

		tear_down(NULL);
		tree_make();
		assert_true(asprintf(&trail, "%s%s", began, cases[i].then) > 0);
		tree_file("log", trail);
		if (strcmp(who_had(), cases[i].had))
			fail_msg("case %zu: %s", i, who_had());
	}
}

#define START(time, boot) HEAD(time, "daemon_start") ",\"boot_id\":\"" boot "\"}\n"
/*
 * One device or guest in several ways of writing it; and what is none, which is not
 * answered by "nobody had it".
 */
static void asked_for_in_other_words(void **state)
{
	static const char trail[] =
		HEAD("01T08:01:02", "stage2_first") ",\"guest\":{\"id\":\"900-100\",\"pid\":900,"
		"\"name\":\"vm-a\",\"uuid\":\"aaaaaaaa-1111-4222-8333-444444444444\"},\"vm\":1,"
		"\"device\":{\"slot\":\"0009:01:00.0\",\"vendor_id\":\"10de\",\"device_id\":\"2342\","
		"\"bar\":2},\"memory_type\":\"normal_nc\"}\n"
		HEAD("01T08:01:03", "stage2_first") BETA ",\"vm\":2," CARD("10000:02:1f.7", "0")
		",\"memory_type\":\"normal_nc\"}\n";
	static const struct {
		const char *option, *value;
		const char *guest; /* NULL: it is refused */
	} cases[] = {
		{ "--device", "0009:01:00.0", "vm-a" }, { "--device", "00000009:01:00.0", "vm-a" },
		{ "--device", "9:1:0.0", "vm-a" }, { "--device", "10DE:2342", "vm-a" },
		{ "--device", "00010000:02:1F.7", "beta" }, { "--device", "01:00.0", "" },
		{ "--device", "0009:01:00.1", "" }, { "--device", "10de:2343", "" },
		{ "--device", "0009:01:00", NULL }, { "--device", "nonsense", NULL },
		{ "--device", "", NULL }, { "--device", "0009:01:20.0", NULL },
		{ "--device", "0009:01:00.8", NULL }, { "--device", "0x9:01:00.0", NULL },
		{ "--device", " 9:01:00.0", NULL }, { "--device", "0009:01:00.0 ", NULL },
		{ "--device", "10de:234", NULL }, { "--device", "10de:23421", NULL },
		{ "--guest", "AAAAAAAA-1111-4222-8333-444444444444", "vm-a" },
		{ "--guest", "aaaaaaaa-1111-4222-8333-444444444444", "vm-a" },
		{ "--guest", "VM-A", "" }, { "--guest", "900", "vm-a" }, { "--guest", "900-100", "vm-a" },
		{ "--guest", "", NULL },
	};
	static const struct line lines[] = {
		{ { AUDIT, "--type", "Decision" }, 2, {}, { "--type: 'Decision' is not a type of record" } },
		{ { AUDIT, "--type", "" }, 2, {}, { "--type: '' is not a type of record" } },
		{ { AUDIT, "--type", "mismatch_over" }, 0, {}, {} },
	};

	(void)state;
	unlink(tree_path("log.20260101T000005.000000Z"));
	unlink(tree_path("log.20260101T000010.000000Z"));
	tree_file("log", trail);
	check_lines(lines, ARRAY_SIZE(lines));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *args[] = { AUDIT, "--had", "normal_nc", "--json", cases[i].option,
				       cases[i].value, NULL };
		ncg_cleanup(result_free) struct result result = {};
		json_t *document, *entries, *guest;
		const char *name;

		run(args, &result);
		if (!cases[i].guest) {
			if (result.status != 2)
				fail_msg("%s '%s': %d", cases[i].option, cases[i].value, result.status);
			continue;
		}
		document = json_loads(result.out, 0, NULL);
		entries = json_object_get(document, "had");
		guest = json_object_get(json_array_get(entries, 0), "guest");
		name = json_string_value(json_object_get(guest, "name"));
		if (result.status || strcmp(name ? name : "", cases[i].guest) ||
		    json_array_size(entries) > 1)
			fail_msg("%s '%s': %s", cases[i].option, cases[i].value, result.out);
		json_decref(document);
	}
}

/* Files of the trail are not there: from when on it is whole is told, and not refused. */
static void without_its_past(void **state)
{
#define ROTATION(time, previous) HEAD(time, "rotation") ",\"previous\":" previous ",\"removed\":[]}\n"
#define PAST "files that go before are not there; the trail is whole from "
	static const struct {
		const char *first, *second, *last; /* NULL: no such file */
		const char *says;		   /* NULL: nothing */
	} cases[] = {
		{ NULL, NULL, ROTATION("03T09:00:00", "\"log.20260101T000005.000000Z\""),
		  "1 " PAST T("03T09:00:00") " on\n" },
		{ START("01T00:00:00", "A"), NULL, ROTATION("03T09:00:00", "\"log.20260101T000010.000000Z\""),
		  "1 " PAST T("03T09:00:00") " on\n" },
		{ ROTATION("02T09:00:00", "\"log.20251231T000000.000000Z\""),
		  ROTATION("03T09:00:00", "\"log.20260101T000005.000000Z\""),
		  ROTATION("04T09:00:00", "\"log.20260101T000010.000000Z\""), "1 " PAST T("02T09:00:00") " on\n" },
		{ ROTATION("02T09:00:00", "\"other\""), NULL,
		  ROTATION("04T09:00:00", "\"log.20260101T000010.000000Z\""), "2 " PAST T("04T09:00:00") " on\n" },
		/* looked at under another name; put aside by another program */
		{ START("01T00:00:00", "A"), NULL, ROTATION("03T09:00:00", "\"audit.jsonl.20260101T000005.000000Z\""),
		  NULL },
		{ NULL, NULL, ROTATION("03T09:00:00", "null"), NULL },
	};
	static const char *const names[] = { "log.20260101T000005.000000Z", "log.20260101T000010.000000Z",
					     "log" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const texts[] = { cases[i].first, cases[i].second, cases[i].last };
		ncg_cleanup(result_free) struct result had = {}, json = {};
		json_t *document, *trail;

		for (size_t f = 0; f < 3; f++) {
			unlink(tree_path(names[f]));
			if (texts[f])
				tree_file(names[f], texts[f]);
		}
		run((const char *[]){ AUDIT, "--had", "normal_nc", NULL }, &had);
		assert_int_equal(had.status, 0);
		if (cases[i].says ? !strstr(had.err, cases[i].says) : !!*had.err)
			fail_msg("case %zu: %s", i, had.err);
		run((const char *[]){ AUDIT, "--had", "normal_nc", "--json", NULL }, &json);
		document = json_loads(json.out, 0, NULL);
		trail = json_object_get(document, "trail");
		assert_int_equal(json_is_null(json_object_get(trail, "whole_since")), !cases[i].says);
		assert_int_equal(json_integer_value(json_object_get(trail, "missing")),
				 cases[i].says ? *cases[i].says - '0' : 0);
		json_decref(document);
	}
}

/* ------------------------------------------------------------------------- clocks */

#define CLOCK(time, before, moved)                                                      \
	HEAD(time, "clock_changed") ",\"before\":\"" T(before) "\",\"moved_by_ns\":" moved "000000000}\n"
#define END(time, guest, vm, card, first)                                               \
	HEAD(time, "vm_destroy") guest ",\"vm\":" vm ",\"mapped\":[" TOTAL(card, "normal_nc", first) "]}\n"

/*
 * The clock was two hours ahead and is set right: alpha has the BAR from 12:00 by the wrong
 * clock, 10:00 by the right one, until 10:30. Beta began and ended by the wrong one, gamma
 * was there only later, in another boot.
 */
static const char clock_trail[] =
	START("01T11:00:00", "A")
	MAP("01T11:50:00", "stage2_first", BETA, "2", CARD1, "normal_nc")
	END("01T11:55:00", BETA, "2", CARD1, "01T11:50:00")
	MAP("01T12:00:00", "stage2_first", ALPHA, "1", CARD1, "normal_nc")
	CLOCK("01T10:05:00", "01T12:05:00", "-7200")
	END("01T10:30:00", ALPHA, "1", CARD1, "01T10:00:00")
	START("02T00:00:00", "B")
	MAP("02T00:10:00", "stage2_first", GAMMA, "1", CARD1, "normal_nc")
	CLOCK("02T00:20:00", "02T00:15:00", "300");

static void had_while_the_clock_was_set(void **state)
{
	static const struct {
		const char *since, *until, *guests;
	} cases[] = {
		/* by the clock as it was set later */
		{ "01T10:10:00", "01T10:20:00", "alpha" },
		{ "01T10:01:00", "01T10:02:00", "alpha" },
		{ "01T09:51:00", "01T09:52:00", "beta" },
		/* by what it showed then */
		{ "01T12:01:00", "01T12:02:00", "alpha" },
		{ "01T11:51:00", "01T11:52:00", "beta" },
		/* which it never showed while anyone had it */
		{ "01T10:31:00", "01T11:49:00", "" },
		{ "01T12:06:00", "01T13:00:00", "" },
		{ "01T09:56:00", "01T09:59:00", "" },
		/* another boot's clock is its own */
		{ "02T00:12:00", "02T00:12:30", "gamma" },
		{ "02T00:16:00", "02T00:17:00", "gamma" },
		{ "01T22:10:00", "01T22:30:00", "" },
	};

	(void)state;
	tree_file("log", clock_trail);
	unlink(tree_path("log.20260101T000005.000000Z"));
	unlink(tree_path("log.20260101T000010.000000Z"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ncg_cleanup(result_free) struct result result = {};
		char since[64], until[64], guests[64] = "";
		const char *args[16] = { AUDIT, "--json", "--had", "normal_nc", "--since", since,
					 "--until", until };
		json_t *document, *entry;
		size_t j;

		snprintf(since, sizeof(since), "2026-01-%sZ", cases[i].since);
		snprintf(until, sizeof(until), "2026-01-%sZ", cases[i].until);
		run(args, &result);
		document = json_loads(result.out, 0, NULL);
		json_array_foreach(json_object_get(document, "had"), j, entry) {
			const char *name = json_string_value(json_object_get(
				json_object_get(entry, "guest"), "name"));

			strcat(strcat(guests, *guests ? " " : ""), name);
		}
		if (strcmp(guests, cases[i].guests))
			fail_msg("%s to %s: '%s'", since, until, guests);
		json_decref(document);
	}
}

/* What is shown of it, and which records there are between two times. */
static void records_while_the_clock_was_set(void **state)
{
	static const struct line lines[] = {
		{ { AUDIT, "--had", "normal_nc", "--guest", "alpha" }, 0,
		  { T("01T12:00:00") "  " T("01T10:30:00") ", its clock was set meanwhile  1-1 " }, {} },
		{ { AUDIT, "--had", "normal_nc", "--guest", "alpha", "--json" }, 0,
		  { "\"shown\": [\n        {\n          \"from\": \"" T("01T12:00:00") "\",\n"
		    "          \"until\": \"" T("01T12:05:00") "\"\n        },\n        {\n"
		    "          \"from\": \"" T("01T10:05:00") "\",\n"
		    "          \"until\": \"" T("01T10:30:00") "\"",
		    "\"corrected\": {\n        \"from\": \"" T("01T10:00:00") "\",\n"
		    "        \"until\": \"" T("01T10:30:00") "\"" }, {} },
		{ { AUDIT, "--type", "clock_changed" }, 0,
		  { T("01T10:05:00") "  the host's clock was set back by 7200.000 s; it showed "
		    T("01T12:05:00") " just before\n"
		    T("02T00:20:00") "  the host's clock was set forward by 300.000 s" }, {} },
		/* by the right clock, and by what it showed */
		{ { AUDIT, "--type", "stage2_first", "--since", "2026-01-01T09:59Z", "--until",
		    "2026-01-01T10:01Z" }, 0, { T("01T12:00:00") "  alpha" }, {} },
		{ { AUDIT, "--type", "stage2_first", "--since", "2026-01-01T11:59Z", "--until",
		    "2026-01-01T12:01Z" }, 0, { T("01T12:00:00") "  alpha" }, {} },
	};

	(void)state;
	tree_file("log", clock_trail);
	unlink(tree_path("log.20260101T000005.000000Z"));
	unlink(tree_path("log.20260101T000010.000000Z"));
	check_lines(lines, ARRAY_SIZE(lines));
}

/* A trail that has no word of it, of an older daemon: nobody is left out. */
static void had_when_nobody_told_of_the_clock(void **state)
{
	static const char trail[] =
		MAP("01T12:00:00", "stage2_first", ALPHA, "1", CARD1, "normal_nc")
		END("01T10:30:00", ALPHA, "1", CARD1, "01T10:00:00");
	static const struct line lines[] = {
		{ { AUDIT, "--had", "normal_nc", "--since", "2026-01-01T10:10Z", "--until",
		    "2026-01-01T10:20Z" }, 0, { "  1-1 " }, {} },
		{ { AUDIT, "--had", "normal_nc", "--since", "2026-01-01T12:10Z" }, 0, { "  1-1 " }, {} },
		{ { AUDIT, "--had", "normal_nc", "--since", "2026-01-01T10:31Z", "--until",
		    "2026-01-01T11:59Z" }, 0, { "no guest had normal_nc\n" }, {} },
	};

	(void)state;
	tree_file("log", trail);
	unlink(tree_path("log.20260101T000005.000000Z"));
	unlink(tree_path("log.20260101T000010.000000Z"));
	check_lines(lines, ARRAY_SIZE(lines));
}

/* ---------------------------------------------------------------------- following */

static void append(const char *text)
{
	FILE *file = fopen(tree_path("log"), "a");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Reads until the text is there; fails when it does not come. */
static void expect(int fd, const char *text)
{
	static char got[4096];
	size_t used = 0;

	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t n;

		got[used] = '\0';
		if (strstr(got, text))
			return;
		if (poll(&wait, 1, 30000) != 1)
			fail_msg("no '%s' in '%s'", text, got);
		n = read(fd, got + used, sizeof(got) - 1 - used);
		assert_true(n > 0);
		used += n;
	}
}

/* How many bytes a process has read. */
static long long bytes_read(pid_t pid)
{
	char path[64];
	long long bytes = -1;

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	{
		ncg_autofclose FILE *file = fopen(path, "r");

		assert_non_null(file);
		assert_int_equal(fscanf(file, "rchar: %lld", &bytes), 1);
	}
	return bytes;
}

/*
 * Half a line that is taken out again once it was read, as ncgated does without room for
 * the rest. Long: what else may be read meanwhile, of inotify, is less.
 */
static void append_and_take_back(pid_t reader)
{
	const long long before = bytes_read(reader);
	char text[2000];
	struct stat st;

	snprintf(text, sizeof(text), "{\"half\":\"%01900d", 0);
	assert_int_equal(stat(tree_path("log"), &st), 0);
	append(text);
	for (int i = 0; bytes_read(reader) < before + (long long)strlen(text); i++) {
		assert_in_range(i, 0, 30000);
		poll(NULL, 0, 1);
	}
	/* whatever it does next, it has seen the half */
	kill(reader, SIGSTOP);
	assert_int_equal(waitpid(reader, NULL, WUNTRACED), reader);
	assert_int_equal(truncate(tree_path("log"), st.st_size), 0);
	kill(reader, SIGCONT);
}

/*
 * A line in two parts, one that is taken back, a file that is put aside, and one line of
 * a guest not asked for.
 */
static void follows(void **state)
{
	const char *dir = getenv("NCG_BIN_DIR");
	char *env[] = { "LC_ALL=C.UTF-8", NULL };
	ncg_autofree char *bin = dir ? realpath(dir, NULL) : NULL, *path = NULL;
	int fds[2];
	pid_t pid;

	(void)state;
	assert_non_null(bin);
	assert_true(asprintf(&path, "%s/ncgate", bin) > 0);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		char *argv[] = { path, "audit", "--audit", "log", "--follow", "--guest", "beta", NULL };

		run_child(argv, env, fds[1], fds[1]);
	}
	close(fds[1]);
	expect(fds[0], "beta: normal_nc mapping");
	append(MAP("03T00:00:01", "stage2_first", ALPHA, "9", CARD2, "normal_nc"));
	append("{\"time\":\"" T("03T00:00:02") "\",\"boot_ns\":1,\"type\":\"vm_cre");
	append("ate\"" BETA ",\"vm\":9}\n");
	expect(fds[0], T("03T00:00:02") "  beta: VM 9 began\n");
	append_and_take_back(pid);
	append(HEAD("03T00:00:03", "vm_create") BETA ",\"vm\":10}\n");
	expect(fds[0], T("03T00:00:03") "  beta: VM 10 began\n");
	assert_int_equal(rename(tree_path("log"), tree_path("log.20260103T000000.000000Z")), 0);
	append(HEAD("03T00:00:04", "vm_create") BETA ",\"vm\":11}\n");
	expect(fds[0], "beta: VM 11 began\n");
	/* More than one while it cannot look: none is passed over. */
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	append(HEAD("03T00:00:05", "vm_create") BETA ",\"vm\":12}\n");
	assert_int_equal(rename(tree_path("log"), tree_path("log.20260103T000001.000000Z")), 0);
	append(HEAD("03T00:00:06", "vm_create") BETA ",\"vm\":13}\n");
	assert_int_equal(rename(tree_path("log"), tree_path("log.20260103T000002.000000Z")), 0);
	append(HEAD("03T00:00:07", "vm_create") BETA ",\"vm\":14}\n");
	kill(pid, SIGCONT);
	expect(fds[0], T("03T00:00:05") "  beta: VM 12 began\n"
		       T("03T00:00:06") "  beta: VM 13 began\n"
		       T("03T00:00:07") "  beta: VM 14 began\n");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(chosen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(had, set_up, tear_down),
		cmocka_unit_test_setup_teardown(had_between, set_up, tear_down),
		cmocka_unit_test_setup_teardown(had_under_an_id_used_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(asked_for_in_other_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_its_past, set_up, tear_down),
		cmocka_unit_test_setup_teardown(had_while_the_clock_was_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(records_while_the_clock_was_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(had_when_nobody_told_of_the_clock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
