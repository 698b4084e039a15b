// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who maps a BAR again and again fills its own share of a map, and nobody else's: the
 * programs' own code upon real maps, and what the daemon gives back. Nothing is pinned.
 * Skipped where BPF may not be used.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "abi.h"
#include "exposition.h"
#include "forget.h"
#include "ledger.h"
#include "log.h"
#include "map_keys.h"
#include "map_watch.h"
#include "shares.h"

#include "test_shares.h"

#define GREEDY NCG_BAR_ID(0, 1, 0, 2)
#define MODEST NCG_BAR_ID(0, 2, 0, 2)

static struct bpf_object *object;
static int program;

static int map_of(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	assert_true(fd >= 0);
	return fd;
}

static int set_up(void **state)
{
	const char *folder = getenv("NCG_BPF_DIR");
	struct bpf_map *map;
	char path[512];
	int r;

	(void)state;
	assert_non_null(folder);
	snprintf(path, sizeof(path), "%s/test_shares.bpf.o", folder);
	object = bpf_object__open_file(path, NULL);
	assert_non_null(object);
	bpf_object__for_each_map(map, object) {
		/* Never the maps of a daemon that runs here. */
		bpf_map__set_pin_path(map, NULL);
		if (!strcmp(bpf_map__name(map), "policy"))
			bpf_map__set_autocreate(map, false);
	}
	r = bpf_object__load(object);
	if (r == -EPERM && geteuid())
		skip();
	assert_int_equal(r, 0);
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "act"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bpf_object__close(object);
	return 0;
}

static void act(enum test_share_act what, __u64 who, __u64 where)
{
	struct test_share t = { .act = what, .who = who, .where = where };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &t, .ctx_size_in = sizeof(t));

	assert_int_equal(bpf_prog_test_run_opts(program, &opts), 0);
}

static __u64 counter(__u32 which)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 *values = calloc(cpus, sizeof(*values)), sum = 0;

	assert_int_equal(bpf_map_lookup_elem(map_of("counters"), &which, values), 0);
	for (int i = 0; i < cpus; i++)
		sum += values[i];
	free(values);
	return sum;
}

static struct ncg_ledger *new_ledger(void)
{
	const struct ncg_ledger_maps maps = {
		.vm_ids = map_of("vm_ids"), .uses = map_of("uses"), .recorded = map_of("recorded"),
		.vm_notes = map_of("vm_notes"), .sequences = map_of("sequences"),
		.bars = map_of("bars"), .shares = map_of("shares"),
	};
	struct ncg_ledger *ledger;

	assert_int_equal(ncg_ledger_open(&maps, &ledger), 0);
	return ledger;
}

/* Many VMs that map one BAR: the BAR comes to its end, the others' do not. */
static void many_vms_of_one_bar(void **state)
{
	const int max = NCG_SHARE_MAX(NCG_SHARED_USES);
	struct ncg_ledger *ledger = new_ledger();

	(void)state;
	for (int vm = 1; vm <= max + 10; vm++)
		act(TEST_SHARE_USE, vm, GREEDY);
	assert_int_equal(ncg_map_count(map_of("uses")), max);
	assert_int_equal(counter(NCG_CTR_FULL_USES), 10);
	act(TEST_SHARE_USE, 1, MODEST);
	assert_int_equal(ncg_map_count(map_of("uses")), max + 1);
	assert_int_equal(ncg_shares_used(map_of("shares"), NCG_SHARED_USES), max + 1);

	/* A VM ends, with all that it had: its place is another's. */
	ncg_ledger_forget_vm(ledger, 1);
	assert_int_equal(ncg_shares_used(map_of("shares"), NCG_SHARED_USES), max - 1);
	act(TEST_SHARE_USE, 5000, GREEDY);
	act(TEST_SHARE_USE, 5001, GREEDY);
	assert_int_equal(ncg_map_count(map_of("uses")), max);
	assert_int_equal(counter(NCG_CTR_FULL_USES), 11);
	ncg_ledger_close(ledger);
}

/* Many processes that map one BAR and end. */
static void many_processes_of_one_bar(void **state)
{
	const int max = NCG_SHARE_MAX(NCG_SHARED_DECIDED);
	struct ncg_forget forget = {};

	(void)state;
	for (int process = 1; process <= max + 3; process++)
		act(TEST_SHARE_DECIDED, process, GREEDY);
	assert_int_equal(ncg_map_count(map_of("decided")), max);
	assert_int_equal(counter(NCG_CTR_FULL_DECIDED), 3);
	act(TEST_SHARE_DECIDED, 100000, MODEST);
	assert_int_equal(ncg_map_count(map_of("decided")), max + 1);
	/* None of them is a process (number 0), so all go, a piece at a time. */
	do {
		assert_in_range(ncg_forget_decided(&forget, map_of("decided"), map_of("shares"),
						   NULL), 0, NCG_FORGET_AT_ONCE);
	} while (forget.within);
	assert_int_equal(ncg_map_count(map_of("decided")), 0);
	assert_int_equal(ncg_shares_used(map_of("shares"), NCG_SHARED_DECIDED), 0);
	/* What was given back too often leaves a share larger, and never none. */
	ncg_shares_give(map_of("shares"), NCG_SHARED_DECIDED, GREEDY);
	act(TEST_SHARE_DECIDED, 1, GREEDY);
	assert_int_equal(ncg_map_count(map_of("decided")), 1);
	assert_int_equal(counter(NCG_CTR_FULL_DECIDED), 3);
}

/* One-page mappings of a BAR that a driver exposes. */
static void many_parts_of_one_bar(void **state)
{
	const int max = NCG_SHARE_MAX(NCG_SHARED_REGIONS);

	(void)state;
	for (__u64 page = 1; page <= (__u64)max + 5; page++)
		act(TEST_SHARE_REGION, page << 12, NCG_BAR_ID(0, 1, 0, 0));
	assert_int_equal(ncg_map_count(map_of("regions")), max);
	assert_int_equal(counter(NCG_CTR_FULL_REGIONS), 5);
	/* once more the same takes nothing; another device's is noted */
	act(TEST_SHARE_REGION, 1 << 12, NCG_BAR_ID(0, 1, 0, 0));
	act(TEST_SHARE_REGION, 1ULL << 40, NCG_BAR_ID(0, 2, 0, 0));
	assert_int_equal(ncg_map_count(map_of("regions")), max + 1);
	assert_int_equal(counter(NCG_CTR_FULL_REGIONS), 5);
	/* another device where the first had one gives that back to the first */
	act(TEST_SHARE_REGION, 1 << 12, NCG_BAR_ID(0, 2, 0, 0));
	act(TEST_SHARE_REGION, 1ULL << 41, NCG_BAR_ID(0, 1, 0, 0));
	assert_int_equal(ncg_map_count(map_of("regions")), max + 2);
	assert_int_equal(counter(NCG_CTR_FULL_REGIONS), 5);
}

static bool is_known(__u64 file)
{
	struct ncg_opened_key key = { .k_file = file, .k_operations = 1 };
	struct ncg_region region;

	return !bpf_map_lookup_elem(map_of("opened"), &key, &region);
}

/* A device opened again and again makes no other device's files forgotten. */
static void many_files_of_one_device(void **state)
{
	const __u64 many = 10000;

	(void)state;
	act(TEST_SHARE_FILE, 1, NCG_BAR_ID(0, 2, 0, 0));
	for (__u64 file = 100; file < 100 + many; file++)
		act(TEST_SHARE_FILE, file, NCG_BAR_ID(0, 1, 0, 0));
	assert_true(is_known(1));
	assert_int_equal(ncg_map_count(map_of("opened")), NCG_OPENED_PER_DEVICE + 1);
	/* the newest are known, the oldest is not */
	assert_true(is_known(100 + many - 1));
	assert_true(is_known(100 + many - NCG_OPENED_PER_DEVICE));
	assert_false(is_known(100 + many - NCG_OPENED_PER_DEVICE - 1));
	/* a file's address is used again for another device: the first forgets it not for it */
	act(TEST_SHARE_FILE, 100 + many - NCG_OPENED_PER_DEVICE, NCG_BAR_ID(0, 2, 0, 0));
	act(TEST_SHARE_FILE, 100 + many, NCG_BAR_ID(0, 1, 0, 0));
	assert_true(is_known(100 + many - NCG_OPENED_PER_DEVICE));
	assert_int_equal(counter(NCG_CTR_FULL_OPENED), 0);
}

static void assert_sample(const char *text, const char *sample)
{
	if (!strstr(text, sample))
		fail_msg("no '%s' in:\n%s", sample, text);
}

/* How full each is can be seen, and a full one is warned of once. */
static void maps_are_watched(void **state)
{
	struct ncg_map_watch_maps maps = { .shares = map_of("shares") };
	ncg_autoexposition struct ncg_exposition *e = NULL;
	__u64 counters[NCG_CTR_NR] = {};
	struct ncg_map_watch *watch;
	char *text, line[128];

	(void)state;
	for (enum ncg_watched_map m = 0; m < NCG_WATCHED_NR; m++)
		maps.fds[m] = map_of(ncg_map_watch_name(m));
	assert_int_equal(ncg_map_watch_open(&maps, &watch), 0);
	act(TEST_SHARE_USE, 1, GREEDY);
	act(TEST_SHARE_USE, 2, GREEDY);
	act(TEST_SHARE_FILE, 7, GREEDY);
	assert_int_equal(ncg_exposition_new(0, &e), 0);
	ncg_map_watch_metrics(watch, 17, e);
	assert_int_equal(ncg_exposition_finish(e, &text, NULL), 0);
	assert_sample(text, "ncgate_map_entries{map=\"bars\"} 17\n");
	assert_sample(text, "ncgate_map_entries{map=\"uses\"} 2\n");
	assert_sample(text, "ncgate_map_entries{map=\"opened\"} 1\n");
	assert_sample(text, "ncgate_map_entries{map=\"vm_notes\"} 0\n");
	snprintf(line, sizeof(line), "ncgate_map_max_entries{map=\"decided\"} %d\n", NCG_USES_MIN);
	assert_sample(text, line);
	free(text);

	assert_int_equal(ncg_map_watch_look(watch, counters, 0), 0);
	counters[NCG_CTR_FULL_USES] = 1;
	assert_int_equal(ncg_map_watch_look(watch, counters, 0), 1);
	counters[NCG_CTR_FULL_USES] = 2;
	assert_int_equal(ncg_map_watch_look(watch, counters, 0), 0);
	assert_int_equal(ncg_map_watch_look(watch, counters, 1), 1);
	assert_int_equal(ncg_map_watch_look(watch, counters, 2), 0);
	ncg_map_watch_close(watch);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(many_vms_of_one_bar),
		test(many_processes_of_one_bar),
		test(many_parts_of_one_bar),
		test(many_files_of_one_device),
		test(maps_are_watched),
	};

	ncg_log_open("test_shares", NCG_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
