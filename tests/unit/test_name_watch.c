// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is told when names of devices stand for something else: the daemon's part, with
 * a real audit trail, over starts and reloads and updates of pci.ids.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit.h"
#include "cleanup.h"
#include "name_watch.h"
#include "policy_file.h"
#include "text_file.h"
#include "tree.h"

#define OLD "fff0  Example Systems\n\t0001  Card A\n\t0002  Card B\n"
#define MOVED "fff0  Example Systems\n\t0001  Card A rev 1\n\t0002  Card B\n\t0003  Card A\n"
#define RENAMED "fff0  Example Systems Group\n\t0001  Card A\n\t0002  Card B\n"

#define CARD "{\"name\":\"\\\"Example Systems\\\":\\\"Card A\\\"\",\"vendor_id\":\"fff0\","
#define EVERY "{\"name\":\"\\\"Example Systems\\\":*\",\"vendor_id\":\"fff0\",\"device_id\":null"

struct world {
	struct ncg_audit *audit;
	struct ncg_name_watch *watch;
	char *names;
	unsigned long long generation;
};

static void start(struct world *world)
{
	assert_int_equal(ncg_name_watch_open(world->names, &world->watch), 0);
}

static void stop(struct world *world)
{
	ncg_name_watch_close(world->watch);
	world->watch = NULL;
}

static int set_up(void **state)
{
	static struct world world;
	const struct ncg_audit_options options = { .path = "/dev/null" };
	struct ncg_audit_options real = options;

	/* Trust asks for root's files: elsewhere there is nothing to be had. */
	if (getuid())
		return -1;
	tree_make();
	world = (struct world){ .names = strdup(tree_path("lib/names")) };
	real.path = tree_path("trail");
	assert_int_equal(ncg_audit_open(&real, &world.audit), 0);
	start(&world);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	stop(world);
	ncg_audit_close(world->audit);
	free(world->names);
	tree_remove();
	return 0;
}

/* The last line of the trail from its type on; "" for an empty one. Owned by the test. */
static char *last_record(void)
{
	ncg_autofree char *text = NULL;
	char *line, *type;
	size_t size;

	assert_int_equal(ncg_text_file_read(tree_path("trail"), 1 << 20, &text, &size), 0);
	if (!size)
		return strdup("");
	text[size - 1] = '\0';
	line = strrchr(text, '\n');
	type = strstr(line ? line : text, "\"type\"");
	assert_non_null(type);
	return strdup(type);
}

static size_t records(void)
{
	ncg_autofree char *text = NULL;
	size_t size, count = 0;

	assert_int_equal(ncg_text_file_read(tree_path("trail"), 1 << 20, &text, &size), 0);
	for (size_t i = 0; i < size; i++)
		count += text[i] == '\n';
	return count;
}

/* Standard error while it is away; the caller frees what was written. */
static int err_away(void)
{
	int saved = dup(STDERR_FILENO), fd = open(tree_path("err"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(saved >= 0 && fd >= 0);
	fflush(stderr);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	return saved;
}

static char *err_back(int saved)
{
	char *text;
	size_t size;

	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	assert_int_equal(ncg_text_file_read(tree_path("err"), 1 << 20, &text, &size), 0);
	return text;
}

/* Loads a policy as the daemon does; what was logged, for the caller to free. */
static char *enforce(struct world *world, const char *text, const char *ids)
{
	ncg_autofree char *pci_ids = strdup(tree_path("pci.ids"));
	const struct ncg_policy_file_options options = {
		.pci_ids = pci_ids, .known = ncg_name_watch_known(world->watch),
	};
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	struct ncg_phead head = { .generation = ++world->generation };
	int saved;

	tree_file("policy.conf", text);
	tree_file("pci.ids", ids);
	assert_int_equal(ncg_policy_file_load_with(tree_path("policy.conf"), &options, &policy,
						   NULL), 0);
	memcpy(head.sha256, policy->sha256, sizeof(head.sha256));
	saved = err_away();
	ncg_name_watch_enforced(world->watch, policy, "p", &head, world->audit);
	return err_back(saved);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in\n%s", part, text);
}

static void assert_json(json_t *json, const char *expected)
{
	ncg_autofree char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(json);
	assert_string_equal(text, expected);
}

#define POLICY "allow \"Example Systems\":\"Card A\"\ndeny \"Example Systems\":*\n"

static void test_nothing_to_tell(void **state)
{
	struct world *world = *state;
	ncg_autofree char *first = enforce(world, POLICY, OLD), *again = enforce(world, POLICY, OLD);

	assert_string_equal(first, "");
	assert_string_equal(again, "");
	assert_int_equal(records(), 0);
	assert_int_equal(ncg_name_watch_gone(world->watch), 0);
	assert_json(ncg_name_watch_gone_json(world->watch), "[]");
	assert_int_equal(access(world->names, F_OK), 0);
}

/* The file is written where it would say something else, and only there. */
static void test_written_when_needed(void **state)
{
	struct world *world = *state;
	struct stat first, same, other;
	ncg_autofree char *a = enforce(world, POLICY, OLD), *b = NULL, *c = NULL, *d = NULL;

	/* Each write makes another file; the old one is held, so that its number stays its. */
	ncg_autoclose int old = open(world->names, O_RDONLY | O_CLOEXEC);

	assert_int_equal(stat(world->names, &first), 0);
	stop(world);
	start(world);
	b = enforce(world, POLICY, OLD);
	assert_int_equal(stat(world->names, &same), 0);
	assert_int_equal(first.st_ino, same.st_ino);
	c = enforce(world, POLICY, RENAMED);
	assert_int_equal(stat(world->names, &other), 0);
	assert_int_not_equal(first.st_ino, other.st_ino);
	/* What could not be read is written anew. */
	stop(world);
	assert_int_equal(truncate(world->names, 10), 0);
	start(world);
	d = enforce(world, POLICY, OLD);
	stop(world);
	start(world);
	assert_int_equal(ncg_name_watch_known(world->watch)->count, 2);
}

static void test_moved(void **state)
{
	struct world *world = *state;
	ncg_autofree char *first = enforce(world, POLICY, OLD), *moved = enforce(world, POLICY, MOVED);
	ncg_autofree char *record = last_record(), *again = NULL;

	assert_has(moved, "policy.conf:1: \"Example Systems\":\"Card A\" now stands for fff0:0003 and "
			  "not for fff0:0001 as before: pci.ids has changed");
	assert_has(record, "\"type\":\"policy_names\"");
	assert_has(record, "\"generation\":2,");
	assert_has(record, "\"names\":[" CARD "\"device_id\":\"0003\",\"change\":\"moved\","
			   "\"before\":{\"vendor_id\":\"fff0\",\"device_id\":\"0001\"}}]");
	assert_int_equal(ncg_name_watch_gone(world->watch), 0);
	/* Once. */
	again = enforce(world, POLICY, MOVED);
	assert_string_equal(again, "");
	assert_int_equal(records(), 1);
}

/* It moved while no daemon ran. */
static void test_moved_between(void **state)
{
	struct world *world = *state;
	ncg_autofree char *first = enforce(world, POLICY, OLD), *moved = NULL;

	stop(world);
	start(world);
	moved = enforce(world, POLICY, MOVED);
	assert_has(moved, "now stands for fff0:0003 and not for fff0:0001");
	assert_int_equal(records(), 1);
}

/* A name goes, over starts, and comes back. */
static void test_gone(void **state)
{
	struct world *world = *state;
	ncg_autofree char *first = enforce(world, POLICY, OLD), *gone = enforce(world, POLICY, RENAMED);
	ncg_autofree char *record = last_record(), *again = NULL, *back = NULL, *record_back = NULL;

	assert_has(gone, "policy.conf:1: pci.ids no longer tells what \"Example Systems\":\"Card A\" "
			 "stands for; it goes on standing for fff0:0001 as before; write the ids");
	assert_has(gone, "policy.conf:2: pci.ids no longer tells what \"Example Systems\":* stands "
			 "for; it goes on standing for fff0:* as before;");
	assert_has(record, "\"names\":[" CARD "\"device_id\":\"0001\",\"gone\":true,\"change\":\"gone\","
			   "\"before\":{\"vendor_id\":\"fff0\",\"device_id\":\"0001\"}},"
			   EVERY ",\"gone\":true,\"change\":\"gone\","
			   "\"before\":{\"vendor_id\":\"fff0\",\"device_id\":null}}]");
	assert_int_equal(ncg_name_watch_gone(world->watch), 2);

	/* After a reboot: in the log at each load, in the trail once. */
	stop(world);
	start(world);
	assert_int_equal(ncg_name_watch_gone(world->watch), 2);
	again = enforce(world, POLICY, "fff1  Another\n");
	assert_has(again, "it goes on standing for fff0:0001");
	assert_int_equal(records(), 1);
	assert_json(ncg_name_watch_gone_json(world->watch),
		    "[" CARD "\"device_id\":\"0001\",\"gone\":true}," EVERY ",\"gone\":true}]");

	back = enforce(world, POLICY, OLD);
	record_back = last_record();
	assert_has(back, "pci.ids has \"Example Systems\":\"Card A\" again; it stands for fff0:0001");
	assert_has(record_back, CARD "\"device_id\":\"0001\",\"change\":\"back\"");
	assert_int_equal(ncg_name_watch_gone(world->watch), 0);
}

static void test_many_lines(void **state)
{
	struct world *world = *state;
	ncg_autofree char *ids = NULL, *text = NULL, *log = NULL, *first = NULL;
	size_t size, lines = 0;
	FILE *out = open_memstream(&ids, &size);

	fputs("fff0  V\n", out);
	for (unsigned int i = 0; i < 25; i++)
		fprintf(out, "\t%04x  D%u\n", i, i);
	fclose(out);
	out = open_memstream(&text, &size);
	for (unsigned int i = 0; i < 25; i++)
		fprintf(out, "allow fff0:\"D%u\"\n", i);
	fclose(out);
	first = enforce(world, text, ids);
	log = enforce(world, text, "fff0  V\n");
	for (char *at = log; (at = strstr(at, "goes on standing")); at++)
		lines++;
	assert_int_equal(lines, 10);
	assert_has(log, "15 more names are gone; see `ncgate check p`");
	assert_int_equal(ncg_name_watch_gone(world->watch), 25);
}

/* Without a file to keep it in, the policy is in force and this daemon goes on knowing. */
static void test_file_in_trouble(void **state)
{
	struct world *world = *state;
	ncg_autofree char *log = NULL, *gone = NULL, *opened = NULL;
	int saved;

	tree_file("lib", "in the way");
	log = enforce(world, POLICY, OLD);
	assert_has(log, "lib/names cannot be written: after the next start it is not known");
	gone = enforce(world, POLICY, RENAMED);
	assert_has(gone, "it goes on standing for fff0:0001");
	/* A damaged one says nothing, loudly. */
	unlink(tree_path("lib"));
	tree_file("lib/names", "fff0:0001");
	stop(world);
	saved = err_away();
	start(world);
	opened = err_back(saved);
	assert_has(opened, "lib/names is damaged; what names of devices stood for before is not known");
	assert_int_equal(ncg_name_watch_known(world->watch)->count, 0);
}

static void test_of_a_policy(void **state)
{
	struct world *world = *state;
	ncg_autofree char *pci_ids = strdup(tree_path("pci.ids"));
	const struct ncg_policy_file_options options = { .pci_ids = pci_ids };
	ncg_cleanup(ncg_policy_freep) struct ncg_policy *policy = NULL;
	ncg_autofree char *first = enforce(world, POLICY, OLD);

	assert_int_equal(ncg_policy_file_load_with(tree_path("policy.conf"), &options, &policy,
						   NULL), 0);
	assert_json(ncg_name_watch_names_json(policy),
		    "[" CARD "\"device_id\":\"0001\"}," EVERY "}]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_to_tell), TEST(test_written_when_needed), TEST(test_moved),	   TEST(test_moved_between),
		TEST(test_gone),	    TEST(test_many_lines), TEST(test_file_in_trouble),
		TEST(test_of_a_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
