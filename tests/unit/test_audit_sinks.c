// SPDX-License-Identifier: GPL-2.0-only
/*
 * Audit records on their other ways: to the journal, which is a socket of this test at
 * the journal's path in a /run of its own, and to the kernel, of which the messages'
 * text is tested here (the emulated host sends them). What is missing is named once,
 * and the file goes on. Needs root for a mount namespace; else those are skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit.h"
#include "audit_kernel.h"
#include "cleanup.h"
#include "log.h"
#include "record_text.h"

#include "tree.h"

#define SOCKET "/run/systemd/journal/socket"

#define GUEST(name, uuid)                                                             \
	"\"guest\":{\"id\":\"185-1068\",\"pid\":185,\"uid\":107,\"name\":" name       \
	",\"uuid\":\"" uuid "\",\"vmm\":\"qemu\",\"cgroup\":\"/a\",\"pod\":\"\"}"
#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define ALPHA GUEST("\"alpha\"", UUID)
#define DEVICE "\"device\":{\"slot\":\"0000:00:05.0\",\"bar\":2,\"name\":\"card\"}"
#define DECISION(verdict)                                                               \
	"\"type\":\"decision\",\"seq\":17," ALPHA "," DEVICE ",\"verdict\":\"" verdict  \
	"\",\"reason\":\"rule\",\"rule\":{\"file\":\"/etc/p.conf\",\"line\":4},"         \
	"\"mode\":\"enforce\",\"grade\":\"hook\",\"policy\":{\"generation\":3,\"sha256\":\"ab\"}"

static json_t *record(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (!json)
		fail_msg("%s at %d: %s", error.text, error.position, text);
	return json;
}

/* ----------------------------------------------------------------- the kernel's */

#define TAIL(end) " exe=\"/usr/sbin/ncgated\" hostname=? addr=? terminal=? res=" end
#define HEAD(kind, reason) "virt=kvm resrc=" kind " reason=" reason " vm=\"alpha\" uuid=" UUID
#define PCI " bus=pci device=\"0000:00:05.0\" bar=2 vm-pid=185"
#define NC "normal_nc:0000:00:05.0:2"
#define DEV "device_nGnRE:0000:00:05.0:2"

static const struct {
	const char *record;
	const char *messages[3];
} messages[] = {
	{ "{" DECISION("allow") "}",
	  { HEAD("dev", "decide") " verdict=allow mode=enforce grade=hook generation=3"
				  " rule=\"/etc/p.conf\" line=4" PCI " seq=17" TAIL("success") } },
	{ "{" DECISION("deny") "}",
	  { HEAD("dev", "decide") " verdict=deny mode=enforce grade=hook generation=3"
				  " rule=\"/etc/p.conf\" line=4" PCI " seq=17" TAIL("failed") } },
	{ "{\"type\":\"stage2_first\",\"seq\":18," ALPHA "," DEVICE ",\"memory_type\":\"normal_nc\"}",
	  { HEAD("mem", "map") " old-mem=? new-mem=" NC PCI " seq=18" TAIL("success") } },
	/* told as the change that it is as well */
	{ "{\"type\":\"stage2_first\",\"seq\":18," ALPHA "," DEVICE
	  ",\"memory_type\":\"normal_nc\",\"before\":\"device_nGnRE\"}", { NULL } },
	{ "{\"type\":\"type_change\",\"seq\":19," ALPHA "," DEVICE
	  ",\"memory_type\":\"normal_nc\",\"before\":\"device_nGnRE\"}",
	  { HEAD("mem", "change") " old-mem=" DEV " new-mem=" NC PCI " seq=19" TAIL("success") } },
	{ "{\"type\":\"found_mapped\"," ALPHA "," DEVICE ",\"memory_type\":\"normal_nc\"}",
	  { HEAD("mem", "map") " old-mem=? new-mem=" NC PCI TAIL("success") } },
	/* no device's */
	{ "{\"type\":\"stage2_first\"," ALPHA ",\"memory_type\":\"device_nGnRE\"}", { NULL } },
	{ "{\"type\":\"vm_destroy\",\"seq\":20," ALPHA ",\"mapped\":[{" DEVICE
	  ",\"memory_type\":\"normal_nc\"},{\"phys\":\"8000000\",\"memory_type\":\"device_nGnRE\"},{"
	  DEVICE ",\"memory_type\":\"device_nGnRE\"}]}",
	  { HEAD("mem", "end") " old-mem=" NC " new-mem=?" PCI " seq=20" TAIL("success"),
	    HEAD("mem", "end") " old-mem=" DEV " new-mem=?" PCI " seq=20" TAIL("success") } },
	{ "{\"type\":\"bar_mmap\"," ALPHA "," DEVICE "}", { NULL } },
	{ "{\"type\":\"gap\",\"lost\":1}", { NULL } },
};

static void test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		json_t *json = record(messages[i].record);
		char *texts = ncg_audit_kernel_format(json, "/usr/sbin/ncgated"), *at = texts;

		for (size_t m = 0; messages[i].messages[m]; m++) {
			assert_string_equal(at, messages[i].messages[m]);
			at += strlen(at) + 1;
		}
		assert_string_equal(at, "");
		free(texts);
		json_decref(json);
	}
}

/* What a guest calls itself cannot end a field or begin another. */
static void test_names_in_messages(void **state)
{
	static const struct {
		const char *guest;
		const char *field;
	} names[] = {
		{ GUEST("\"plain-1\"", ""), " vm=\"plain-1\" uuid=? " },
		{ GUEST("\"a b\"", ""), " vm=612062 uuid=? " },
		{ GUEST("\"x\\\" res=success\"", ""), " vm=7822207265733D73756363657373 uuid=? " },
		{ GUEST("\"caf\xc3\xa9\"", ""), " vm=636166C3A9 uuid=? " },
		{ GUEST("\"l\\nl\"", ""), " vm=6C0A6C uuid=? " },
		/* nameless: by its id */
		{ GUEST("\"\"", ""), " vm=\"185-1068\" uuid=? " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char text[1024];
		json_t *json;
		char *message;

		snprintf(text, sizeof(text),
			 "{\"type\":\"stage2_first\",%s," DEVICE ",\"memory_type\":\"normal_nc\"}",
			 names[i].guest);
		json = record(text);
		message = ncg_audit_kernel_format(json, "x");
		if (!strstr(message, names[i].field))
			fail_msg("no '%s' in '%s'", names[i].field, message);
		free(message);
		json_decref(json);
	}
}

/* ---------------------------------------------------------------------- sentences */

static const struct {
	const char *record;
	const char *sentence;
} sentences[] = {
	{ "{" DECISION("deny") "}",
	  "alpha: deny 0000:00:05.0 BAR 2 by /etc/p.conf:4 (mode enforce, grade hook)" },
	{ "{\"type\":\"decision\"," GUEST("\"\"", "") "," DEVICE ",\"verdict\":\"allow\","
	  "\"reason\":\"default\",\"mode\":\"audit\",\"grade\":\"none\"}",
	  "185-1068: allow 0000:00:05.0 BAR 2 by default (mode audit, grade none)" },
	{ "{\"type\":\"bar_mmap\"," ALPHA "," DEVICE ",\"result\":0,\"granted\":true}",
	  "alpha: mmap of 0000:00:05.0 BAR 2, Normal-NC granted" },
	{ "{\"type\":\"bar_mmap\"," ALPHA "," DEVICE ",\"result\":0,\"granted\":false,"
	  "\"folded\":{\"count\":9}}",
	  "alpha: mmap of 0000:00:05.0 BAR 2, Normal-NC withheld, 9 times" },
	{ "{\"type\":\"bar_mmap\"," ALPHA "," DEVICE ",\"result\":-22}",
	  "alpha: mmap of 0000:00:05.0 BAR 2 failed: Invalid argument" },
	{ "{\"type\":\"bar_mmap\"," GUEST("\"a\\nb\\u001b[2J\\u202e\"", "") "," DEVICE
	  ",\"result\":0}",
	  "a\\x0ab\\x1b[2J\\u202e: mmap of 0000:00:05.0 BAR 2, Normal-NC withheld" },
	{ "{\"type\":\"stage2_first\"," ALPHA "," DEVICE ",\"memory_type\":\"normal_nc\"}",
	  "alpha: normal_nc mapping of 0000:00:05.0 BAR 2" },
	{ "{\"type\":\"found_mapped\"," ALPHA ",\"phys\":\"8040000\",\"source\":\"walk\","
	  "\"memory_type\":\"device_nGnRE\"}",
	  "alpha: device_nGnRE mapping of memory at 0x8040000, told by the walk" },
	{ "{\"type\":\"type_change\"," ALPHA "," DEVICE
	  ",\"memory_type\":\"normal_nc\",\"before\":\"device_nGnRE\"}",
	  "alpha: 0000:00:05.0 BAR 2 changed from device_nGnRE to normal_nc" },
	{ "{\"type\":\"vm_create\",\"vm\":3," ALPHA "}", "alpha: VM 3 began" },
	{ "{\"type\":\"vm_destroy\",\"vm\":3," ALPHA ",\"mapped\":[{" DEVICE
	  ",\"memory_type\":\"normal_nc\"},{\"phys\":\"0\",\"memory_type\":\"device_nGnRE\"}]}",
	  "alpha: VM 3 ended; it had normal_nc 0000:00:05.0 BAR 2, device_nGnRE memory at 0x0" },
	{ "{\"type\":\"policy_load\",\"file\":\"p\",\"generation\":2,\"mode\":\"enforce\","
	  "\"default\":\"deny\",\"rules\":5}",
	  "policy p in force: generation 2, mode enforce, default deny, 5 rules" },
	{ "{\"type\":\"policy_names\",\"names\":["
	  "{\"name\":\"a:b\",\"vendor_id\":\"0001\",\"device_id\":\"0002\",\"change\":\"moved\"},"
	  "{\"name\":\"c:*\",\"vendor_id\":\"0003\",\"device_id\":null,\"change\":\"gone\"},"
	  "{\"name\":\"d:e\",\"vendor_id\":\"0003\",\"device_id\":\"0004\",\"change\":\"back\"}]}",
	  "a:b now stands for 0001:0002; c:* is lost to pci.ids and goes on standing for 0003:*; "
	  "d:e is in pci.ids again and stands for 0003:0004" },
	{ "{\"type\":\"policy_refused\",\"file\":\"p\",\"error\":\"EINVAL\","
	  "\"message\":\"p:1:1: 'x'\\np:2:1: 'y'\"}",
	  "policy p refused: p:1:1: 'x'" },
	{ "{\"type\":\"policy_refused\",\"file\":\"p\",\"error\":\"ENOENT\",\"message\":null}",
	  "policy p refused: ENOENT" },
	{ "{\"type\":\"daemon_start\",\"version\":\"1\",\"grade\":\"hook\"}",
	  "ncgated 1 began, grade hook" },
	{ "{\"type\":\"daemon_stop\"}", "ncgated ended" },
	{ "{\"type\":\"gap\",\"cause\":\"not_received\",\"lost\":3,\"since\":\"a\",\"until\":\"b\"}",
	  "3 events that never came are missing, from a to b" },
	{ "{\"type\":\"rotation\",\"previous\":\"x.1\"}",
	  "the audit log goes on here; before: x.1" },
	{ "{\"type\":\"stale_grant\"," ALPHA "," DEVICE "}", "alpha: stale_grant 0000:00:05.0 BAR 2" },
	{ "{\"type\":\"news\"}", "news" },
	{ "{}", "" },
};

static void test_sentences(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++) {
		json_t *json = record(sentences[i].record);
		ncg_autofree char *text = ncg_record_text(json);

		assert_string_equal(text, sentences[i].sentence);
		json_decref(json);
	}
}

/* --------------------------------------------------------------------- the journal */

static int journal = -1;

static int own_run(void **state)
{
	(void)state;
	tree_make();
	if (unshare(CLONE_NEWNS))
		return 0; /* need_run() says so */
	/* EINVAL: in the tool root, which is no mount point and has private mounts anyway. */
	if (mount("", "/", "", MS_REC | MS_PRIVATE, NULL) && errno != EINVAL)
		return 0;
	if (mount("tmpfs", "/run", "tmpfs", 0, NULL))
		return 0;
	mkdir("/run/systemd", 0755);
	mkdir("/run/systemd/journal", 0755);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

static bool have_run(void)
{
	return !access("/run/systemd/journal", W_OK) && !geteuid();
}

#define need_run() do {			\
		if (!have_run())	\
			skip();		\
	} while (0)

static void listen_as_journal(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	struct timeval limit = { .tv_sec = 10 };

	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(journal >= 0);
	assert_int_equal(bind(journal, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(journal, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static void stop_as_journal(void)
{
	close(journal);
	unlink(SOCKET);
}

/* One message; its fields by the native protocol, a line each. */
static char message[8192];

static void receive(void)
{
	ssize_t size = recv(journal, message, sizeof(message) - 1, 0);

	assert_true(size > 0);
	message[size] = '\0';
	assert_int_equal(strlen(message), size);
}

static const char *field(const char *name)
{
	static char value[4096];
	size_t length = strlen(name);

	for (const char *at = message; *at; at += strcspn(at, "\n") + 1)
		if (!strncmp(at, name, length) && at[length] == '=') {
			snprintf(value, sizeof(value), "%.*s",
				 (int)strcspn(at + length + 1, "\n"), at + length + 1);
			return value;
		}
	return NULL;
}

static int errors_to(const char *path)
{
	int saved = dup(STDERR_FILENO), fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	return saved;
}

/* How often a text is in a file. */
static int times(const char *path, const char *what)
{
	ncg_autofclose FILE *file = fopen(path, "r");
	char line[4096];
	int count = 0;

	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, what) != NULL;
	return count;
}

static void test_journal(void **state)
{
	const struct ncg_audit_options options = { .path = tree_path("log"), .journal = true };
	struct ncg_audit *audit;
	const char *line;
	json_t *written;

	(void)state;
	need_run();
	listen_as_journal();
	assert_int_equal(ncg_audit_open(&options, &audit), 0);
	assert_true(ncg_audit_write(audit, "decision", 5, record("{" DECISION("deny") "}")));
	receive();
	assert_string_equal(field("MESSAGE"), sentences[0].sentence);
	assert_string_equal(field("MESSAGE_ID"), "f4a1b7c2d0e54c0f9a3d6b8e2c715a90");
	assert_string_equal(field("SYSLOG_IDENTIFIER"), "ncgated");
	assert_string_equal(field("PRIORITY"), "6");
	assert_string_equal(field("NCGATE_TYPE"), "decision");
	assert_string_equal(field("NCGATE_SEQ"), "17");
	assert_string_equal(field("NCGATE_GUEST"), "185-1068");
	assert_string_equal(field("NCGATE_GUEST_NAME"), "alpha");
	assert_string_equal(field("NCGATE_GUEST_UUID"), UUID);
	assert_string_equal(field("NCGATE_DEVICE"), "0000:00:05.0");
	assert_string_equal(field("NCGATE_BAR"), "2");
	assert_string_equal(field("NCGATE_VERDICT"), "deny");
	assert_string_equal(field("NCGATE_RULE_FILE"), "/etc/p.conf");
	assert_string_equal(field("NCGATE_RULE_LINE"), "4");
	assert_string_equal(field("NCGATE_POLICY_GENERATION"), "3");
	assert_string_equal(field("NCGATE_POLICY_SHA256"), "ab");
	/* empty ones are left out */
	assert_null(field("NCGATE_GUEST_POD"));
	line = field("NCGATE_RECORD");
	written = record(line);
	assert_int_equal(json_integer_value(json_object_get(written, "boot_ns")), 5);
	json_decref(written);
	/* the journal's protocol knows values with newlines; JSON has none */
	assert_int_equal(ncg_audit_sink_errors(audit, NCG_AUDIT_SINK_JOURNAL), 0);
	ncg_audit_close(audit);
	stop_as_journal();
}

/*
 * The disk is full: the journal has every record, and not each time anew the gap that
 * is tried again.
 */
static void test_journal_when_the_disk_is_full(void **state)
{
	const struct ncg_audit_options options = { .path = "/dev/full", .journal = true };
	struct ncg_audit *audit;
	int saved;

	(void)state;
	need_run();
	listen_as_journal();
	assert_int_equal(ncg_audit_open(&options, &audit), 0);
	saved = errors_to("/dev/null");
	assert_false(ncg_audit_write(audit, "a", 5, json_object()));
	assert_false(ncg_audit_write(audit, "b", 5, json_object()));
	ncg_audit_tick(audit);
	assert_false(ncg_audit_write(audit, "c", 5, json_object()));
	dup2(saved, STDERR_FILENO);
	close(saved);
	for (const char *type = "abc"; *type; type++) {
		receive();
		assert_int_equal(*field("NCGATE_TYPE"), *type);
	}
	assert_int_equal(recv(journal, message, sizeof(message), MSG_DONTWAIT), -1);
	ncg_audit_close(audit);
	stop_as_journal();
}

static void test_journal_goes_away(void **state)
{
	const struct ncg_audit_options options = { .path = tree_path("log2"), .journal = true };
	struct ncg_audit *audit;
	int saved;

	(void)state;
	need_run();
	/* not there when it begins: said once, and never tried */
	saved = errors_to(tree_path("stderr"));
	assert_int_equal(ncg_audit_open(&options, &audit), 0);
	assert_true(ncg_audit_write(audit, "a", 0, json_object()));
	assert_true(ncg_audit_write(audit, "a", 0, json_object()));
	assert_int_equal(ncg_audit_sink_errors(audit, NCG_AUDIT_SINK_JOURNAL), 0);
	ncg_audit_close(audit);

	/* there, and then nobody listens */
	listen_as_journal();
	assert_int_equal(ncg_audit_open(&options, &audit), 0);
	close(journal);
	assert_true(ncg_audit_write(audit, "a", 0, json_object()));
	assert_true(ncg_audit_write(audit, "a", 0, json_object()));
	assert_int_equal(ncg_audit_sink_errors(audit, NCG_AUDIT_SINK_JOURNAL), 2);
	unlink(SOCKET);
	ncg_audit_close(audit);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(times(tree_path("stderr"), "there is no journal"), 1);
	assert_int_equal(times(tree_path("stderr"), "the journal does not take"), 1);
	assert_int_equal(times(tree_path("log2"), "\"type\":\"a\""), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_names_in_messages),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_journal_when_the_disk_is_full),
		cmocka_unit_test(test_journal_goes_away),
	};

	ncg_log_open("test_audit_sinks", NCG_LOG_INFO);
	return cmocka_run_group_tests(tests, own_run, leave);
}
