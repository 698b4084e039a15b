// SPDX-License-Identifier: GPL-2.0-only
/*
 * From real ring buffers to the audit trail, on this machine's kernel: what is written of
 * the events that the programs' own code makes, and what is folded.
 */
#include "events_world.h"

/* ---------------------------------------------------------------------- records */

/* A VM's life, as the programs tell it: first types, a change each way, the totals. */
static void test_life_of_a_vm(void **state)
{
	struct world *w = *state;
	struct process p;
	const json_t *r, *use;

	need_bpf();
	process_begin(&p, "alpha");
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 1, .task = p.task);
	make_map(w, 1, NCG_MT_DEVICE_nGnRE);
	make_map(w, 1, NCG_MT_DEVICE_nGnRE);
	make_map(w, 1, NCG_MT_NORMAL_NC);
	assert_int_equal(ncg_events_drain(w->events), 0);
	/* another batch: back again, which is no first mapping */
	make_map(w, 1, NCG_MT_DEVICE_nGnRE);
	assert_int_equal(ncg_events_drain(w->events), 0);
	process_end(&p);
	/* somebody else has the last descriptor, and the process is gone */
	make_event(w, .type = NCG_EVENT_VM_DESTROY, .vm = 1, .task = { .pid = 1, .comm = "x" });
	assert_int_equal(ncg_events_drain(w->events), 0);

	trail(w);
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "stage2_first"), 2);
	assert_int_equal(count_of(w, "type_change"), 2);
	r = find(w, "vm_create", 0);
	assert_string_equal(text(json_object_get(r, "guest"), "name"), "alpha");
	assert_int_equal(number(json_object_get(r, "guest"), "uid"), 107);
	r = find(w, "stage2_first", 0);
	assert_string_equal(text(r, "memory_type"), "device_nGnRE");
	assert_null(json_object_get(r, "before"));
	r = find(w, "stage2_first", 1);
	assert_string_equal(text(r, "memory_type"), "normal_nc");
	assert_string_equal(text(r, "before"), "device_nGnRE");
	r = find(w, "type_change", 0);
	assert_string_equal(text(r, "memory_type"), "normal_nc");
	assert_string_equal(text(r, "before"), "device_nGnRE");
	r = find(w, "type_change", 1);
	assert_string_equal(text(r, "memory_type"), "device_nGnRE");
	assert_string_equal(text(r, "before"), "normal_nc");

	r = find(w, "vm_destroy", 0);
	assert_string_equal(text(json_object_get(r, "guest"), "name"), "alpha");
	assert_string_equal(text(json_object_get(r, "guest"), "uuid"),
			    "01234567-89ab-cdef-0123-456789abcdef");
	assert_int_equal(number(json_object_get(r, "guest"), "pid"), p.task.pid);
	assert_int_equal(number(r, "began_boot_ns"),
			 number(find(w, "vm_create", 0), "boot_ns"));
	assert_int_equal(json_array_size(json_object_get(r, "mapped")), 2);
	for (size_t i = 0; i < 2; i++) {
		bool nc;

		use = json_array_get(json_object_get(r, "mapped"), i);
		nc = !strcmp(text(use, "memory_type"), "normal_nc");
		assert_string_equal(text(json_object_get(use, "device"), "slot"), "0000:00:05.0");
		assert_int_equal(number(json_object_get(use, "device"), "bar"), 2);
		assert_int_equal(number(use, "maps"), nc ? 1 : 3);
		assert_int_equal(number(use, "bytes"), nc ? 0x1000 : 0x3000);
	}
}

/* Nothing of a VM is left once its end is recorded: a thousand come and go. */
static void test_nothing_is_left(void **state)
{
	struct world *w = *state;
	struct ncg_use_key key;
	uint64_t vm;

	need_bpf();
	for (uint64_t i = 1; i <= 1000; i++) {
		make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = i);
		make_map(w, i, NCG_MT_NORMAL_NC);
		make_event(w, .type = NCG_EVENT_VM_DESTROY, .vm = i);
		if (i % 50 == 0)
			assert_int_equal(ncg_events_drain(w->events), 0);
	}
	trail(w);
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "vm_destroy"), 1000);
	assert_int_not_equal(bpf_map_get_next_key(w->maps.uses, NULL, &key), 0);
	assert_int_not_equal(bpf_map_get_next_key(w->maps.recorded, NULL, &key), 0);
	assert_int_not_equal(bpf_map_get_next_key(w->maps.vm_notes, NULL, &vm), 0);
}

/* Of several CPUs that map the same at once, one reports it. */
static void *map_often(void *arg)
{
	for (int i = 0; i < 20000; i++)
		make_map(arg, 1 + i / 100, NCG_MT_NORMAL_NC);
	return NULL;
}

static void test_first_by_several_cpus(void **state)
{
	struct world *w = *state;
	pthread_t threads[4];
	struct ncg_ledger *ledger;
	struct ncg_ledger_use *uses;

	need_bpf();
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, map_often, w), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(ncg_events_drain(w->events), 0);
	trail(w);
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "stage2_first"), 200);
	assert_int_equal(count_of(w, "type_change"), 0);
	for (size_t i = 0; i < 200; i++)
		assert_null(json_object_get(find(w, "stage2_first", i), "before"));
	/* and none of the maps is forgotten */
	assert_int_equal(ncg_ledger_open(&w->maps, &ledger), 0);
	assert_int_equal(ncg_ledger_uses(ledger, 0, &uses), 200);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(uses[i].use.maps[NCG_MT_NORMAL_NC], 400);
	free(uses);
	ncg_ledger_close(ledger);
}

/* Unknown types are told, not read wrong. */
static void test_unknown_event(void **state)
{
	struct world *w = *state;

	need_bpf();
	make_event(w, .type = 99);
	assert_int_equal(ncg_events_drain(w->events), 0);
	trail(w);
	assert_int_equal(number(find(w, "invalid", 0), "unknown_type"), 99);
	assert_int_equal(account(w), 0);
}

/* A length is what somebody asked for, and may be any number: none becomes negative. */
static void test_hostile_length(void **state)
{
	static const __u64 lengths[] = { 1ULL << 63, -4096ULL, UINT64_MAX };
	struct world *w = *state;

	need_bpf();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		make_event(w, .type = NCG_EVENT_DECISION, .size = lengths[i]);
	make_event(w, .type = 1U << 31);
	assert_int_equal(ncg_events_drain(w->events), 0);
	trail(w);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		assert_true(number(find(w, "decision", i), "length") == INT64_MAX);
	assert_true(number(find(w, "invalid", 0), "unknown_type") == 1LL << 31);
	assert_int_equal(account(w), 0);
}

/* ---------------------------------------------------------------------- folding */

/* Repeats of an mmap are one record with a count; decisions are never folded. */
static void test_fold(void **state)
{
	struct world *w = *state;
	const struct ncg_task a = { .pid = 1 << 22, .start_boot_ns = 1 }, b = { .pid = 1 << 22 };
	const json_t *r;

	need_bpf();
	for (int i = 0; i < 40; i++) {
		make_event(w, .type = NCG_EVENT_DECISION, .task = a, .bar = i % 2);
		make_event(w, .type = NCG_EVENT_BAR_MMAP, .task = a, .bar = 2);
		if (i < 2)
			make_event(w, .type = NCG_EVENT_BAR_MMAP, .task = b, .bar = 2);
		if (i == 7)
			make_event(w, .type = NCG_EVENT_BAR_MMAP, .task = a, .bar = 0);
	}
	assert_int_equal(ncg_events_drain(w->events), 0);
	trail(w);
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "decision"), 40);
	/* of a and BAR 2 the first and 39; of b both; of a and BAR 0 the one */
	assert_int_equal(count_of(w, "bar_mmap"), 5);
	r = find(w, "bar_mmap", 3);
	assert_int_equal(number(json_object_get(r, "folded"), "count"), 39);
	assert_int_equal(number(json_object_get(r, "guest"), "start_boot_ns"), 1);
	assert_true(number(json_object_get(r, "folded"), "since_boot_ns") <
		    number(json_object_get(r, "folded"), "until_boot_ns"));
	assert_null(json_object_get(find(w, "bar_mmap", 4), "folded"));

	/* nothing is kept back for another batch */
	make_event(w, .type = NCG_EVENT_BAR_MMAP, .task = a, .bar = 2);
	assert_int_equal(ncg_events_drain(w->events), 0);
	trail(w);
	assert_int_equal(count_of(w, "bar_mmap"), 6);
	assert_int_equal(account(w), 0);
}

/*
 * More kinds of repeats than are kept track of: written one by one, none dropped. Among
 * them each decision and each first mapping is a record of its own.
 */
static void test_fold_of_many_kinds(void **state)
{
	struct world *w = *state;

	need_bpf();
	for (int round = 0; round < 3; round++)
		for (__u32 pid = 1; pid <= 100; pid++) {
			make_event(w, .type = NCG_EVENT_BAR_MMAP,
				   .task = { .pid = (1 << 22) + pid });
			if (pid % 10 == 0)
				make_event(w, .type = NCG_EVENT_DECISION);
			make_map(w, pid, NCG_MT_NORMAL_NC);
		}
	assert_int_equal(ncg_events_drain(w->events), 0);
	trail(w);
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "bar_mmap"), 2 * 64 + 3 * 36);
	assert_int_equal(count_of(w, "decision"), 30);
	assert_int_equal(count_of(w, "stage2_first"), 100);
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(text(w->records[i], "type"), "bar_mmap"))
			assert_null(json_object_get(w->records[i], "folded"));
}

/* A type that changes with every map: the last change is what is told. */
static void test_fold_of_changes(void **state)
{
	struct world *w = *state;
	const json_t *r;

	need_bpf();
	for (int i = 0; i < 31; i++)
		make_map(w, 1, i % 2 ? NCG_MT_NORMAL_NC : NCG_MT_DEVICE_nGnRE);
	assert_int_equal(ncg_events_drain(w->events), 0);
	trail(w);
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "stage2_first"), 2);
	assert_int_equal(count_of(w, "type_change"), 2);
	r = find(w, "type_change", 1);
	assert_int_equal(number(json_object_get(r, "folded"), "count"), 29);
	assert_string_equal(text(r, "memory_type"), "device_nGnRE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_life_of_a_vm),
		test(test_nothing_is_left),
		test(test_first_by_several_cpus),
		test(test_unknown_event),
		test(test_hostile_length),
		test(test_fold),
		test(test_fold_of_many_kinds),
		test(test_fold_of_changes),
	};

	ncg_log_open("test_events", NCG_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
