// SPDX-License-Identifier: GPL-2.0-only
/*
 * The built ncgate on an audit trail and replies in which every text is what somebody
 * made up to steer a terminal, begin a line of their own or stretch a table: what is
 * printed for people is text, and lines have an end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli_run.h"
#include "pci_tree.h"
#include "text.h"

/* A newline, ESC, C1, an override of the direction, DEL: as JSON writes them. */
#define EVIL "a\\nallow *:*\\u001b[2J\\u009b31m\\u202e\\u007f"
#define EVIL_SHOWN "a\\x0aallow *:*\\x1b[2J\\u009b31m\\u202e\\x7f"

/* 2,000 bytes. */
#define TEN(text) text text text text text text text text text text
#define LONG TEN(TEN(TEN("xy")))
#define LONG_LINE 5000

#define GUEST \
	"{\"id\":\"" EVIL "\",\"guest\":\"" EVIL "\",\"pid\":1,\"uid\":0,\"comm\":\"" EVIL "\"," \
	"\"cgroup_id\":5,\"name\":\"" EVIL LONG "\",\"uuid\":\"" EVIL "\",\"vmm\":\"" EVIL "\","   \
	"\"cgroup\":\"" EVIL "\"}"
#define DEVICE                                                                            \
	"{\"slot\":\"" EVIL "\",\"device\":\"" EVIL "\",\"vendor_id\":\"fff1\","           \
	"\"device_id\":\"0001\",\"bar\":2,\"name\":\"" EVIL "\",\"driver\":\"" EVIL "\"}"
#define RECORD(type, more)                                                                \
	"{\"time\":\"2026-01-01" EVIL "\",\"boot_ns\":1,\"type\":\"" type "\",\"seq\":1,"  \
	"\"guest\":" GUEST ",\"device\":" DEVICE ",\"source\":\"" EVIL "\"" more "}\n"

/* A device that replay and suggest take for one. */
#define CARD                                                                              \
	"{\"slot\":\"0000:01:00.0\",\"vendor_id\":\"fff1\",\"device_id\":\"0001\","          \
	"\"subsystem_vendor_id\":\"0000\",\"subsystem_device_id\":\"0000\","                   \
	"\"class\":\"050000\",\"revision\":\"01\",\"bar\":2,\"bar_start\":\"1000\","         \
	"\"bar_size\":4096,\"name\":\"" EVIL "\"}"
#define OF_CARD(type, more)                                                               \
	"{\"time\":\"2026-01-01" EVIL "\",\"boot_ns\":1,\"type\":\"" type "\",\"seq\":1,"  \
	"\"guest\":" GUEST ",\"device\":" CARD more "}\n"

static const char hostile_trail[] =
	OF_CARD("bar_mmap", ",\"offset\":0,\"length\":4096,\"granted\":true,\"result\":0")
	OF_CARD("decision", ",\"offset\":0,\"length\":4096,\"verdict\":\"allow\",\"reason\":\"rule\","
		"\"rule\":{\"file\":\"" EVIL "\",\"line\":9},\"mode\":\"enforce\",\"grade\":\"hook\","
		"\"policy\":{\"generation\":1,\"sha256\":\"00\"}")
	RECORD("decision", ",\"verdict\":\"" EVIL "\",\"reason\":\"rule\",\"rule\":{\"file\":\""
	       EVIL "\",\"line\":1},\"mode\":\"" EVIL "\",\"grade\":\"" EVIL "\"")
	RECORD("bar_mmap", ",\"granted\":true,\"result\":0")
	RECORD("stage2_first", ",\"vm\":1,\"memory_type\":\"normal_nc\",\"ipa\":\"" EVIL "\"")
	RECORD("type_change", ",\"vm\":1,\"memory_type\":\"" EVIL "\",\"before\":\"" EVIL "\"")
	RECORD("vm_destroy", ",\"vm\":1,\"mapped\":[{\"memory_type\":\"" EVIL "\",\"phys\":\"" EVIL
	       "\"}]")
	RECORD("policy_load", ",\"file\":\"" EVIL "\",\"mode\":\"" EVIL "\",\"default\":\"" EVIL "\"")
	RECORD("policy_refused", ",\"file\":\"" EVIL "\",\"message\":\"" EVIL "\"")
	RECORD("policy_refused", ",\"file\":\"" EVIL "\",\"error\":\"" EVIL LONG LONG LONG "\"")
	RECORD("daemon_start", ",\"version\":\"" EVIL "\",\"boot_id\":\"" EVIL "\"")
	RECORD("gap", ",\"lost\":1,\"since\":\"" EVIL "\",\"until\":\"" EVIL "\"")
	RECORD("rotation", ",\"previous\":\"" EVIL "\"")
	RECORD(EVIL, "");

static const struct replies hostile_replies = {
	.status = "{\"grade\":\"" EVIL "\",\"kernel\":\"" EVIL "\",\"version\":\"" EVIL "\","
		  "\"walk\":true,\"guests\":1,\"policy\":{\"file\":\"" EVIL "\",\"mode\":\"" EVIL
		  "\",\"default\":\"" EVIL "\",\"loaded\":\"" EVIL "\",\"sha256\":\"" EVIL "\"},"
		  "\"programs\":[{\"name\":\"" EVIL LONG "\",\"target\":\"" EVIL "\",\"state\":\"" EVIL
		  "\",\"error\":\"" EVIL "\",\"lost\":\"" EVIL "\"}],\"counters\":{\"" EVIL "\":1},"
		  "\"hazards\":[{\"hazard\":\"" EVIL "\",\"unsafe\":\"" EVIL "\"}],"
		  "\"audit\":{\"path\":\"" EVIL "\",\"records\":1}}",
	.guests = "{\"guests\":[{\"guest\":\"1-1\",\"name\":\"" EVIL LONG "\",\"pid\":1,\"visible\":true,"
		  "\"types\":{\"" EVIL "\":4096},\"devices\":[{\"device\":\"" EVIL "\",\"bar\":1,"
		  "\"type\":\"" EVIL "\",\"bytes\":4096}],\"other\":[{\"phys\":\"" EVIL "\","
		  "\"type\":\"" EVIL "\",\"bytes\":4096}]}]}",
	.devices = "{\"observed\":true,\"devices\":[{\"device\":\"" EVIL "\",\"vendor_id\":\"" EVIL
		   "\",\"device_id\":\"" EVIL "\",\"name\":\"" EVIL LONG "\",\"driver\":\"vfio" EVIL
		   "\",\"bars\":[{\"bar\":1,\"size\":4096,\"verdict\":\"" EVIL "\",\"reason\":\"" EVIL
		   "\",\"guests\":[{\"guest\":\"" EVIL "\",\"type\":\"" EVIL "\",\"bytes\":1}]}]}]}",
	.walk = "walk:1-1\n{\"tables\":\"visible\",\"ranges\":[{\"ipa\":\"" EVIL "\",\"phys\":\"" EVIL
		"\",\"size\":4096,\"level\":3,\"type\":\"" EVIL "\",\"device\":\"" EVIL "\",\"bar\":1}],"
		"\"leaves\":[]}",
};

static void assert_harmless(const char *what, const char *text, bool json)
{
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		size_t hidden = ncg_text_first_hidden(line, length);

		if (hidden < length)
			fail_msg("%s: byte %zu of '%.*s'", what, hidden, (int)length, line);
		if (length > LONG_LINE && !json)
			fail_msg("%s: a line of %zu bytes", what, length);
		/* What somebody typed begins no line. */
		assert_false(!strncmp(line, "allow *", 7));
		line += length + !!line[length];
	}
}

/* must_show: what stands in it for people; NULL: it is JSON, or says nothing. */
static void check_harmless(const char *what, const struct result *result, const char *must_show)
{
	assert_harmless(what, result->out, !must_show);
	assert_harmless(what, result->err, false);
	if (must_show && !strstr(result->out, must_show))
		fail_msg("%s: no '%s' in:\n%s", what, must_show, result->out);
}

static void trails(void **state)
{
	static const struct {
		const char *args[10];
		const char *must_show;
	} rows[] = {
		{ { "audit", "--audit", "trail" }, EVIL_SHOWN },
		{ { "audit", "--audit", "trail", "--json" }, NULL },
		{ { "audit", "--audit", "trail", "--had", "normal_nc" }, EVIL_SHOWN },
		{ { "replay", "deny", "--audit", "trail" }, EVIL_SHOWN },
		{ { "suggest", "--root", "host", "--audit", "trail", "--policy", "deny" },
		  EVIL_SHOWN },
	};

	(void)state;
	tree_dir("host/sys/bus/pci/devices");
	tree_file("trail", hostile_trail);
	tree_file("deny", "default deny\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ncg_cleanup(result_free) struct result result = {};

		run(rows[i].args, &result);
		check_harmless(rows[i].args[0], &result, rows[i].must_show);
	}
}

/* Each record by itself, so that the sentence of every type is seen. */
static void sentences(void **state)
{
	ncg_cleanup(result_free) struct result result = {};
	size_t lines = 0;

	(void)state;
	tree_file("trail", hostile_trail);
	RUN(&result, "audit", "--audit", "trail");
	for (const char *c = result.out; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 14);
	/* A name of 2,000 bytes is cut, and what comes after it is there. */
	assert_non_null(strstr(result.out, "\xe2\x80\xa6: mmap of "));
}

static void replies(void **state)
{
	static const struct {
		const char *command, *argument, *must_show;
	} rows[] = {
		{ "status", NULL, EVIL_SHOWN },
		{ "guests", NULL, EVIL_SHOWN },
		{ "devices", NULL, EVIL_SHOWN },
		{ "walk", "1-1", EVIL_SHOWN },
		{ "guests", "--json", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ncg_cleanup(result_free) struct result result = {};

		SHOW(&hostile_replies, &result, rows[i].command, rows[i].argument);
		assert_int_equal(result.status, 0);
		check_harmless(rows[i].command, &result, rows[i].must_show);
	}
}

/* What is not UTF-8 in a file's or a driver's name takes nothing else away. */
static void paths(void **state)
{
	ncg_cleanup(result_free) struct result check = {}, explain = {}, json = {}, log = {};

	(void)state;
	tree_file("p\xff\033.conf", "deny 1:2\n");
	RUN(&check, "check", "p\xff\033.conf");
	assert_int_equal(check.status, 0);
	check_harmless("check", &check, "p\xef\xbf\xbd\\x1b.conf: mode ");
	RUN(&log, "audit", "--audit", "none\xff\n");
	check_harmless("audit", &log, NULL);
	assert_non_null(strstr(log.err, "none\xef\xbf\xbd\\x0a"));
	tree_dir("host/sys/bus/pci/devices");
	pci_add("host/sys", &(struct pci_entry){
		.address = "0000:01:00.0", .vendor = 0xfff1, .device = 1, .class_code = 0x050000,
		.group = "1", .driver = "vfio-\xff\033",
		.resource = "0x0000000010000000 0x0000000010000fff 0x0000000000040200\n" });
	RUN(&explain, "explain", "0000:01:00.0", "--root", "host", "--policy", "p\xff\033.conf");
	assert_int_equal(explain.status, 0);
	check_harmless("explain", &explain, "vfio-\xef\xbf\xbd\\x1b");
	RUN(&json, "devices", "--root", "host", "--policy", "p\xff\033.conf", "--json");
	assert_int_equal(json.status, 0);
	assert_non_null(strstr(json.out, "\"driver\": \"vfio-\\uFFFD\\\\x1b\""));
	assert_non_null(strstr(json.out, "p\\uFFFD\\u001B.conf"));
}

static int set_up(void **state)
{
	(void)state;
	tree_make();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(trails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sentences, set_up, tear_down),
		cmocka_unit_test_setup_teardown(replies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(paths, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
