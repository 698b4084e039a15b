// SPDX-License-Identifier: GPL-2.0-only
/*
 * From real ring buffers to the audit trail, on this machine's kernel: what is written of
 * the events that the programs' own code makes, and what is only counted.
 */
#include "events_world.h"

#include "allowance.h"

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
		make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = i, .task = { .pid = (1 << 22) + i });
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
		make_event(w, .type = NCG_EVENT_DECISION, .size = lengths[i],
			   .task.pid = (1 << 22) + i);
	make_event(w, .type = 1U << 31);
	assert_int_equal(ncg_events_drain(w->events), 0);
	trail(w);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		assert_true(number(find(w, "decision", i), "length") == INT64_MAX);
	assert_true(number(find(w, "invalid", 0), "unknown_type") == 1LL << 31);
	assert_int_equal(account(w), 0);
}

/* --------------------------------------------------------------------- counting */

#define PROCESS(n) { .pid = (1 << 22) + (n), .uid = 1000, .cgroup_id = 77, .start_boot_ns = 5 }

/* The entry of the nth `repeats` for a type, whose guest has this process. */
static const json_t *entry_of(const struct world *w, size_t n, const char *type, __u32 pid)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(find(w, "repeats", n), "of"), i, entry)
		if (!strcmp(text(entry, "type"), type) &&
		    number(json_object_get(entry, "guest"), "pid") == pid)
			return entry;
	fail_msg("no %s of process %u is counted", type, pid);
	return NULL;
}

/*
 * Repeats are counted from the second on, decisions too, over any number of batches; what
 * differs in anything that matters has a record.
 */
static void test_repeats(void **state)
{
	struct world *w = *state;
	const struct ncg_task a = PROCESS(1), b = PROCESS(2);
	const json_t *r;

	need_bpf();
	for (int i = 0; i < 40; i++) {
		make_event(w, .type = NCG_EVENT_DECISION, .task = a, .bar = i % 2);
		make_event(w, .type = NCG_EVENT_BAR_MMAP, .task = a, .bar = 2);
		if (i == 7)
			make_event(w, .type = NCG_EVENT_BAR_MMAP, .task = a, .bar = 0);
		if (i >= 38)
			make_event(w, .type = NCG_EVENT_DECISION, .task = b, .bar = 1);
		assert_int_equal(ncg_events_drain(w->events), 0);
	}
	trail(w);
	assert_int_equal(count_of(w, "repeats"), 0);
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "decision"), 3);
	assert_int_equal(count_of(w, "bar_mmap"), 2);
	assert_int_equal(count_of(w, "repeats"), 1);
	r = find(w, "repeats", 0);
	assert_int_equal(number(r, "count"), 38 + 39 + 1);
	assert_int_equal(json_array_size(json_object_get(r, "of")), 4);
	assert_true(number(r, "since_boot_ns") < number(r, "until_boot_ns"));
	/* in few ranges: around what has a record among them */
	assert_in_range(json_array_size(json_object_get(r, "seqs")), 1, 4);
	r = entry_of(w, 0, "bar_mmap", a.pid);
	assert_string_equal(text(r, "why"), "repeat");
	assert_int_equal(number(r, "count"), 39);
	assert_int_equal(number(json_object_get(r, "device"), "bar"), 2);
	assert_true(json_is_true(json_object_get(r, "granted")));
	assert_int_equal(number(json_object_get(r, "guest"), "uid"), 1000);
	r = entry_of(w, 0, "decision", b.pid);
	assert_int_equal(number(r, "count"), 1);
	assert_string_equal(text(r, "verdict"), "deny");
	assert_int_equal(number(r, "generation"), 7);

	/* once told it is forgotten, but not that it has a record */
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "repeats"), 1);
	make_event(w, .type = NCG_EVENT_BAR_MMAP, .task = a, .bar = 2);
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "bar_mmap"), 2);
	assert_int_equal(number(find(w, "repeats", 1), "count"), 1);
}

/*
 * More kinds than are told apart: the first of each has its record, the others are counted
 * by type, and none is dropped.
 */
static void test_repeats_of_many_kinds(void **state)
{
	struct world *w = *state;
	const json_t *entry;
	size_t i, exact = 0;

	need_bpf();
	for (int round = 0; round < 3; round++)
		for (__u32 n = 1; n <= 100; n++) {
			make_event(w, .type = NCG_EVENT_BAR_MMAP, .task = PROCESS(n));
			if (n % 10 == 0)
				make_event(w, .type = NCG_EVENT_DECISION, .task = PROCESS(n));
			make_map(w, n, NCG_MT_NORMAL_NC);
			if (n % 20 == 0)
				assert_int_equal(ncg_events_drain(w->events), 0);
		}
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "bar_mmap"), 100);
	assert_int_equal(count_of(w, "decision"), 10);
	assert_int_equal(count_of(w, "stage2_first"), 100);
	assert_int_equal(counted(w, "bar_mmap", "repeat"), 200);
	assert_int_equal(counted(w, "decision", "repeat"), 20);
	json_array_foreach(json_object_get(find(w, "repeats", 0), "of"), i, entry)
		exact += !!json_object_get(entry, "guest");
	assert_int_equal(exact, NCG_KEPT_EXACT);
	assert_in_range(i, NCG_KEPT_EXACT + 1, NCG_KEPT_ENTRIES);
}

/* Repeats far apart, each between two events with a record: told before numbers are too many. */
static void test_repeats_far_apart(void **state)
{
	struct world *w = *state;

	need_bpf();
	for (__u32 n = 1; n <= 5000; n++) {
		make_event(w, .type = NCG_EVENT_DECISION, .task = PROCESS(0));
		make_event(w, .type = NCG_EVENT_DECISION, .task = PROCESS(n));
		if (n % 50 == 0)
			assert_int_equal(ncg_events_drain(w->events), 0);
	}
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "decision"), 5001);
	assert_int_equal(counted(w, "decision", "repeat"), 4999);
	assert_in_range(count_of(w, "repeats"), 2, 5);
	assert_true(json_array_size(json_object_get(find(w, "repeats", 0), "seqs")) <= NCG_KEPT_RANGES);
}

/* A type that changes with every map: the first change each way has a record. */
static void test_repeats_of_changes(void **state)
{
	struct world *w = *state;

	need_bpf();
	for (int i = 0; i < 31; i++)
		make_map(w, 1, i % 2 ? NCG_MT_NORMAL_NC : NCG_MT_DEVICE_nGnRE);
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "stage2_first"), 2);
	assert_int_equal(count_of(w, "type_change"), 2);
	assert_int_equal(counted(w, "type_change", "repeat"), 28);
	assert_int_equal(json_array_size(json_object_get(find(w, "repeats", 0), "of")), 2);
	assert_int_equal(number(json_array_get(json_object_get(find(w, "repeats", 0), "of"), 0),
				"vm"), 1);
}

/* ------------------------------------------------------------------- allowances */

/* A guest: a VM of a process with one mapping. */
static void make_guest(const struct world *w, uint64_t vm, struct ncg_task task)
{
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = vm, .task = task);
	make_map(w, vm, NCG_MT_NORMAL_NC);
}

static void end_guest(const struct world *w, uint64_t vm, struct ncg_task task)
{
	make_event(w, .type = NCG_EVENT_VM_DESTROY, .vm = vm, .task = task);
}

/*
 * A process that makes VMs in a loop: the first have records, those beyond its allowance
 * are counted; not what is new of them, nor then their end. Nobody else's is left out.
 */
static void test_vms_in_a_loop(void **state)
{
	struct world *w = *state;
	const struct ncg_task looping = PROCESS(1), other = PROCESS(2);
	const uint64_t mine = 5000;
	struct ncg_use_key key;
	uint64_t vm;

	need_bpf();
	make_guest(w, mine, other);
	for (uint64_t i = 1; i <= 1000; i++) {
		make_guest(w, i, looping);
		if (i == 500)
			make_map(w, i, NCG_MT_NORMAL_WT);
		end_guest(w, i, looping);
		if (i % 50 == 0)
			assert_int_equal(ncg_events_drain(w->events), 0);
	}
	end_guest(w, mine, other);
	make_guest(w, mine + 1, other);
	end_guest(w, mine + 1, other);
	assert_int_equal(account(w), 0);
	/* of the loop the first, and those that a minute or two have added */
	assert_in_range(count_of(w, "vm_create"), NCG_ALLOWANCE_GUEST + 2, NCG_ALLOWANCE_GUEST + 5);
	assert_int_equal(count_of(w, "vm_destroy"), count_of(w, "vm_create") + 1);
	assert_int_equal(count_of(w, "stage2_first"), count_of(w, "vm_create") + 1);
	assert_int_equal(counted(w, "vm_create", "guest") + count_of(w, "vm_create"), 1002);
	assert_int_equal(counted(w, "vm_destroy", "guest") + count_of(w, "vm_destroy"), 1002);
	assert_int_equal(counted(w, "stage2_first", "guest") + count_of(w, "stage2_first"), 1003);
	for (size_t i = 0, ends = 0; i < w->count; i++)
		if (number(w->records[i], "vm") == 500) {
			const char *type = text(w->records[i], "type");

			ends += !strcmp(type, "vm_destroy");
			assert_int_not_equal(strcmp(type, "vm_create"), 0);
			if (!strcmp(type, "stage2_first"))
				assert_string_equal(text(w->records[i], "memory_type"), "normal_wt");
			assert_in_range(ends, 0, 1);
		}
	assert_int_not_equal(bpf_map_get_next_key(w->maps.uses, NULL, &key), 0);
	assert_int_not_equal(bpf_map_get_next_key(w->maps.recorded, NULL, &key), 0);
	assert_int_not_equal(bpf_map_get_next_key(w->maps.vm_notes, NULL, &vm), 0);
}

/*
 * Processes without end, each with a first decision of its own, by one cgroup: beyond its
 * allowance they are counted, with whose it is; another's has its record, and so has the
 * end of what is in the trail.
 */
static void test_processes_without_end(void **state)
{
	struct world *w = *state;
	const int processes = NCG_ALLOWANCE_CGROUP + 3000;
	struct ncg_task other = PROCESS(0);

	need_bpf();
	make_guest(w, 1, (struct ncg_task)PROCESS(0));
	for (int n = 1; n <= processes; n++) {
		make_event(w, .type = NCG_EVENT_DECISION, .task = PROCESS(n), .bar = 1);
		if (n % 100 == 0)
			assert_int_equal(ncg_events_drain(w->events), 0);
	}
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 2, .task = PROCESS(processes + 1));
	end_guest(w, 2, (struct ncg_task)PROCESS(processes + 1));
	end_guest(w, 1, (struct ncg_task)PROCESS(0));
	other.cgroup_id = 78;
	make_event(w, .type = NCG_EVENT_DECISION, .task = other, .bar = 1);
	assert_int_equal(account(w), 0);
	assert_int_equal(count_of(w, "vm_create"), 1);
	assert_int_equal(counted(w, "vm_create", "cgroup"), 1);
	assert_int_equal(count_of(w, "vm_destroy"), 1);
	assert_in_range(count_of(w, "decision"), NCG_ALLOWANCE_CGROUP - 5, NCG_ALLOWANCE_CGROUP + 30);
	assert_int_equal(counted(w, "decision", "cgroup") + count_of(w, "decision"), processes + 1);
	assert_int_equal(number(json_object_get(find(w, "decision", count_of(w, "decision") - 1),
						"guest"), "cgroup_id"), 78);
	/* whose they are, and few records for all of them */
	assert_int_equal(number(json_object_get(json_array_get(json_object_get(
			find(w, "repeats", 0), "of"), 0), "guest"), "cgroup_id"), 77);
	assert_in_range(count_of(w, "repeats"), 1, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_life_of_a_vm),
		test(test_nothing_is_left),
		test(test_first_by_several_cpus),
		test(test_unknown_event),
		test(test_hostile_length),
		test(test_repeats),
		test(test_repeats_of_many_kinds),
		test(test_repeats_far_apart),
		test(test_repeats_of_changes),
		test(test_vms_in_a_loop),
		test(test_processes_without_end),
	};

	ncg_log_open("test_events", NCG_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
