// SPDX-License-Identifier: GPL-2.0-only
/*
 * From real ring buffers to the audit trail, on this machine's kernel: events that the
 * programs' own code makes, what of them is written and what is folded, and what the
 * trail says after events were lost, could not be written, or were left by a daemon
 * that is gone. Each test has maps, a folder and a trail of its own; nothing is pinned.
 *
 * NCG_BPF_DIR: the folder of test_events.bpf.o; unset, the tests fail. Without the
 * privilege to load it they are skipped, which is not the same as passed. NCG_KEEP_TRAIL:
 * a file that every trail is appended to.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "events.h"
#include "guest.h"
#include "log.h"
#include "reconcile.h"

#include "events_test.h"

#include "../unit/tree.h"
#include "../unit/pci_tree.h"

#define RING (64 << 10)
#define RECORDS_MAX 4096

#define DEVICE NCG_BAR_ID(0, 0, 5 << 3, 2) /* 0000:00:05.0 BAR 2 */
#define BAR_START 0x10000000ULL

struct world {
	struct bpf_object *object;
	int program;
	struct ncg_ledger_maps maps;
	int events_fd;
	int counters_fd;
	struct ncg_inventory *inventory;
	struct ncg_audit *audit;
	struct ncg_events *events;
	struct ncg_devices *devices;
	json_t *records[RECORDS_MAX]; /* of the last trail() */
	size_t count;
	bool may_be_cut; /* a line, by a kill in the middle of writing it */
};

static bool loadable = true;

/* ------------------------------------------------------------------ the world */

static int map_of(const struct world *w, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(w->object, name);

	assert_true(fd >= 0);
	return fd;
}

static void load(struct world *w)
{
	const char *folder = getenv("NCG_BPF_DIR");
	struct bpf_map *map;
	char path[512];
	int r;

	assert_non_null(folder);
	snprintf(path, sizeof(path), "%s/test_events.bpf.o", folder);
	w->object = bpf_object__open_file(path, NULL);
	assert_non_null(w->object);
	/* Never the maps of a daemon that runs here. */
	bpf_object__for_each_map(map, w->object) {
		bpf_map__set_pin_path(map, NULL);
		if (!strcmp(bpf_map__name(map), "events"))
			bpf_map__set_max_entries(map, RING);
		if (!strcmp(bpf_map__name(map), "policy"))
			bpf_map__set_autocreate(map, false);
	}
	r = bpf_object__load(w->object);
	if (r == -EPERM && geteuid()) {
		loadable = false;
		return;
	}
	assert_int_equal(r, 0);
	w->program = bpf_program__fd(bpf_object__find_program_by_name(w->object, "make_event"));
	w->events_fd = map_of(w, "events");
	w->counters_fd = map_of(w, "counters");
	w->maps = (struct ncg_ledger_maps){
		.vm_ids = map_of(w, "vm_ids"),
		.uses = map_of(w, "uses"),
		.recorded = map_of(w, "recorded"),
		.vm_notes = map_of(w, "vm_notes"),
		.sequences = map_of(w, "sequences"),
		.bars = map_of(w, "bars"),
	};
}

/* A daemon begins and ends; the maps and the trail stay. */
static void begin(struct world *w)
{
	const struct ncg_audit_options options = { .path = tree_path("trail/log") };

	assert_int_equal(ncg_audit_open(&options, &w->audit), 0);
	assert_int_equal(ncg_events_open(w->events_fd, &w->maps, w->audit, w->inventory,
					 &w->events), 0);
}

static void end(struct world *w)
{
	ncg_events_close(w->events);
	ncg_audit_close(w->audit);
	w->events = NULL;
	w->audit = NULL;
}

/* One turn of the daemon's timer. */
static void tick(struct world *w, const struct ncg_walk_vm *walked)
{
	assert_int_equal(ncg_events_drain(w->events), 0);
	ncg_events_settle(w->events);
	ncg_audit_tick(w->audit);
	if (ncg_events_wants_picture(w->events))
		ncg_events_take_picture(w->events, walked ? &walked : NULL, !!walked);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	tree_make();
	tree_dir("trail");
	pci_add(".", &(struct pci_entry){
			     .address = "0000:00:05.0", .vendor = 0x1af4, .device = 0x1110,
			     .driver = "vfio-pci", .group = "3",
			     .resource = PCI_NO_BAR PCI_NO_BAR
				     "0x0000000010000000 0x000000001fffffff 0x000000000014220c\n" });
	assert_int_equal(ncg_devices_read(tree, &w->devices), 0);
	load(w);
	if (!loadable)
		return 0;
	assert_int_equal(ncg_inventory_open(&(struct ncg_inventory_maps){ -1, -1 },
					    &w->inventory), 0);
	begin(w);
	/* What a daemon looks for when it begins. */
	tick(w, NULL);
	tick(w, NULL);
	return 0;
}

static void forget(struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		json_decref(w->records[i]);
	w->count = 0;
}

static void keep_trail(void)
{
	const char *path = getenv("NCG_KEEP_TRAIL");
	ncg_autofclose FILE *from = fopen(tree_path("trail/log"), "r"), *to = NULL;
	int c;

	if (!path || !from)
		return;
	to = fopen(path, "a");
	while (to && (c = getc(from)) != EOF)
		putc(c, to);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	if (w->events)
		end(w);
	keep_trail();
	forget(w);
	ncg_inventory_close(w->inventory);
	ncg_devices_free(w->devices);
	bpf_object__close(w->object);
	free(w);
	umount2(tree_path("trail"), MNT_DETACH);
	tree_remove();
	return 0;
}

/* -------------------------------------------------------------- events, records */

static void make(const struct world *w, const struct test_event *event)
{
	struct test_event copy = *event;
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &copy, .ctx_size_in = sizeof(copy));

	assert_int_equal(bpf_prog_test_run_opts(w->program, &options), 0);
}

#define make_event(w, ...) make(w, &(struct test_event){ __VA_ARGS__ })

static void make_map(const struct world *w, uint64_t vm, enum ncg_memtype memtype)
{
	make_event(w, .type = NCG_EVENT_STAGE2_FIRST, .vm = vm, .where = DEVICE,
		   .memtype = memtype, .size = 0x1000);
}

static uint64_t counter(const struct world *w, __u32 index)
{
	uint64_t values[256] = { 0 }, sum = 0;

	assert_true(libbpf_num_possible_cpus() <= 256);
	assert_int_equal(bpf_map_lookup_elem(w->counters_fd, &index, values), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		sum += values[i];
	return sum;
}

static uint64_t sequence(const struct world *w, __u32 index)
{
	uint64_t value;

	assert_int_equal(bpf_map_lookup_elem(w->maps.sequences, &index, &value), 0);
	return value;
}

/* Reads the whole trail. */
static void trail(struct world *w)
{
	ncg_autofclose FILE *file = fopen(tree_path("trail/log"), "r");
	ncg_autofree char *line = NULL;
	size_t room = 0;

	assert_non_null(file);
	forget(w);
	while (getline(&line, &room, file) > 0) {
		assert_true(w->count < RECORDS_MAX);
		w->records[w->count] = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		if (w->records[w->count])
			w->count++;
		else if (!w->may_be_cut)
			fail_msg("no record: %s", line);
	}
}

static const char *text(const json_t *json, const char *key)
{
	const char *value = json_string_value(json_object_get(json, key));

	return value ? value : "";
}

static json_int_t number(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static size_t count_of(const struct world *w, const char *type)
{
	size_t count = 0;

	for (size_t i = 0; i < w->count; i++)
		count += !strcmp(text(w->records[i], "type"), type);
	return count;
}

/* The nth record of a type; there must be one. */
static const json_t *find(const struct world *w, const char *type, size_t n)
{
	for (size_t i = 0; i < w->count; i++)
		if (!strcmp(text(w->records[i], "type"), type) && !n--)
			return w->records[i];
	fail_msg("no such record of type %s", type);
	return NULL;
}

/*
 * Every event number once, by itself, in a fold or in a gap. Returns how many are in
 * gaps.
 */
static uint64_t account(const struct world *w)
{
	const uint64_t last = sequence(w, NCG_SEQUENCE_EVENT);
	unsigned char *seen = calloc(last + 2, 1);
	uint64_t missing = 0;

	for (size_t i = 0; i < w->count; i++) {
		const json_t *record = w->records[i], *range;
		const json_t *seqs = json_object_get(json_object_get(record, "folded"), "seqs");
		bool gap = !strcmp(text(record, "type"), "gap");
		size_t r;

		if (gap)
			missing += number(record, "lost");
		if (gap && json_object_get(record, "first_seq"))
			for (json_int_t s = number(record, "first_seq");
			     s <= number(record, "last_seq"); s++)
				seen[s]++;
		if (seqs)
			json_array_foreach(seqs, r, range)
				for (json_int_t s = json_integer_value(json_array_get(range, 0));
				     s <= json_integer_value(json_array_get(range, 1)); s++)
					seen[s]++;
		else if (json_object_get(record, "seq"))
			seen[number(record, "seq")]++;
	}
	for (uint64_t s = 1; s <= last; s++)
		if (seen[s] != 1)
			fail_msg("number %" PRIu64 " is in the trail %d times", s, seen[s]);
	free(seen);
	return missing;
}

#define need_bpf() do {			\
		if (!loadable)		\
			skip();		\
	} while (0)

/* ---------------------------------------------------------------- a VM's process */

struct process {
	struct ncg_task task;
	int pipe;
};

/* A process whose command line is a VMM's. */
static void process_begin(struct process *p, const char *name)
{
	ncg_autoguest struct ncg_guest guest = {};
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		char option[64];

		dup2(fds[0], STDIN_FILENO);
		close(fds[1]);
		snprintf(option, sizeof(option), "guest=%s", name);
		execl("/bin/sh", "sh", "-c", "read line", "sh", "-name", option, "-uuid",
		      "01234567-89ab-cdef-0123-456789abcdef", NULL);
		_exit(1);
	}
	close(fds[0]);
	p->pipe = fds[1];
	/* Until it is what it is to be. */
	do {
		ncg_guest_done(&guest);
		assert_int_equal(ncg_guest_read(NULL, pid, &guest), 0);
	} while (strcmp(guest.name, name));
	p->task = (struct ncg_task){ .pid = pid, .uid = 107, .comm = "sh" };
	p->task.start_boot_ns = guest.start_ticks * (UINT64_C(1000000000) / sysconf(_SC_CLK_TCK));
}

static void process_end(struct process *p)
{
	close(p->pipe);
	assert_int_equal(waitpid(p->task.pid, NULL, 0), p->task.pid);
}

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

/* ----------------------------------------------------------------------- losses */

static uint64_t now_ns(void)
{
	return ncg_audit_boot_ns();
}

/* Fills the ring buffer until also the smallest event is lost: two are. */
static void overflow(const struct world *w)
{
	while (!counter(w, NCG_CTR_EVENTS_LOST))
		make_event(w, .type = NCG_EVENT_DECISION, .bar = 1);
	while (counter(w, NCG_CTR_EVENTS_LOST) < 2)
		make_event(w, .type = 99);
}

/* A storm: what waits, however long, is not lost, and none of it is folded away. */
static void test_backlog(void **state)
{
	struct world *w = *state;

	need_bpf();
	for (uint64_t vm = 1; vm <= 100; vm++)
		make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = vm);
	for (int turn = 0; turn < 3; turn++) {
		assert_int_equal(ncg_events_drain_some(w->events), 0);
		ncg_events_settle(w->events);
	}
	trail(w);
	assert_in_range(count_of(w, "vm_create"), 1, 99);
	assert_int_equal(count_of(w, "gap"), 0);
	tick(w, NULL);
	tick(w, NULL);
	trail(w);
	assert_int_equal(count_of(w, "vm_create"), 100);
	assert_int_equal(account(w), 0);
}

/*
 * The buffer overflows: how much is missing and since when, and then what the loss
 * hid, by the counts alone.
 */
static void test_overflow(void **state)
{
	struct world *w = *state;
	uint64_t before, after, lost;
	const json_t *r;
	size_t gaps;

	need_bpf();
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 1);
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 2);
	assert_int_equal(ncg_events_drain(w->events), 0);
	before = now_ns();
	overflow(w);
	/* lost: a VM that begins, one that ends, a first mapping, and all of a third VM */
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 3);
	bpf_map_update_elem(w->maps.vm_ids, &(uint64_t){ 0x3000 }, &(uint64_t){ 3 }, BPF_ANY);
	bpf_map_update_elem(w->maps.vm_ids, &(uint64_t){ 0x1000 }, &(uint64_t){ 1 }, BPF_ANY);
	make_map(w, 1, NCG_MT_NORMAL_NC);
	make_map(w, 2, NCG_MT_NORMAL_NC);
	make_event(w, .type = NCG_EVENT_VM_DESTROY, .vm = 2);
	make_map(w, 4, NCG_MT_DEVICE_nGnRE);
	make_event(w, .type = NCG_EVENT_VM_DESTROY, .vm = 4);
	after = now_ns();
	lost = counter(w, NCG_CTR_EVENTS_LOST);
	assert_int_equal(lost, 2 + 6);

	/* No later event shows the loss: the number that was drawn does. */
	tick(w, NULL);
	trail(w);
	assert_int_equal(count_of(w, "gap"), 0);
	tick(w, NULL);
	trail(w);
	assert_int_equal(account(w), lost);
	/* after the first decision that was lost, smaller events may have found room */
	gaps = count_of(w, "gap");
	r = find(w, "gap", gaps - 1);
	assert_string_equal(text(r, "cause"), "not_received");
	assert_true(number(r, "lost") >= 7);
	assert_in_range(number(r, "since_boot_ns"), before, after);
	assert_true((uint64_t)number(r, "until_boot_ns") >= after);
	assert_int_equal(count_of(w, "found_mapped"), 0);

	tick(w, NULL);
	trail(w);
	assert_int_equal(count_of(w, "gap"), gaps);
	assert_int_equal(count_of(w, "vm_found"), 1);
	assert_int_equal(number(find(w, "vm_found", 0), "vm"), 3);
	assert_int_equal(count_of(w, "found_mapped"), 1);
	r = find(w, "found_mapped", 0);
	assert_int_equal(number(r, "vm"), 1);
	assert_string_equal(text(r, "memory_type"), "normal_nc");
	assert_string_equal(text(r, "source"), "counts");
	assert_string_equal(text(json_object_get(r, "device"), "slot"), "0000:00:05.0");
	assert_in_range(number(r, "first_boot_ns"), before, after);
	assert_int_equal(count_of(w, "vm_destroy"), 2);
	for (size_t i = 0; i < 2; i++) {
		r = find(w, "vm_destroy", i);
		assert_true(number(r, "vm") == 2 || number(r, "vm") == 4);
		assert_int_equal(json_array_size(json_object_get(r, "mapped")), 1);
		assert_string_equal(text(r, "source"), "counts");
		/* the fourth's beginning is lost as well: who mapped is who it is */
		if (number(r, "vm") == 4)
			assert_int_equal(number(json_object_get(r, "guest"), "pid"), getpid());
	}

	/* All told, and told once. */
	tick(w, NULL);
	tick(w, NULL);
	make_map(w, 1, NCG_MT_NORMAL_NC);
	tick(w, NULL);
	trail(w);
	assert_int_equal(count_of(w, "found_mapped") + count_of(w, "stage2_first"), 1);
	assert_int_equal(count_of(w, "vm_found"), 1);
	assert_int_equal(count_of(w, "vm_destroy"), 2);
}

/* The walk tells where; it finds also what was there before any program. */
static void test_walk_after_a_loss(void **state)
{
	struct world *w = *state;
	struct ncg_s2_range ranges[] = {
		{ .ipa = 0x8000000000, .phys = BAR_START, .size = 0x200000, .leaf_size = 0x1000,
		  .memtype = NCG_MT_NORMAL_NC },
		{ .ipa = 0x8001000000, .phys = BAR_START + 0x1000000, .size = 0x3000,
		  .leaf_size = 0x1000, .memtype = NCG_MT_NORMAL_NC },
		/* no BAR: a GICv2's virtual CPU interface */
		{ .ipa = 0x8010000, .phys = 0x8040000, .size = 0x2000, .leaf_size = 0x1000,
		  .memtype = NCG_MT_DEVICE_nGnRE },
	};
	struct process p;
	/* the VM, tables that shadow those of a guest within it, and a VM not yet walked */
	struct ncg_walk_vm vms[] = {
		{ .state = NCG_WALK_VISIBLE, .ranges = ranges, .range_count = 3 },
		{ .state = NCG_WALK_VISIBLE, .ranges = ranges, .range_count = 1, .vm.nested = 1 },
		{ .state = NCG_WALK_PENDING, .ranges = ranges, .range_count = 3 },
	};
	const struct ncg_walk_vm *const walked[] = { &vms[0], &vms[1], &vms[2] };
	struct ncg_reconcile *picture;
	struct ncg_ledger *ledger;
	struct ncg_bar_key key = { .prefix = 64 - 28 };
	const json_t *r;

	need_bpf();
	process_begin(&p, "beta");
	for (int i = 0; i < 2; i++) {
		vms[i].vm.k_kvm = 0xffff000012345678;
		vms[i].vm.pid = p.task.pid;
		vms[i].vm.start_boot_ns = p.task.start_boot_ns;
	}
	vms[2].vm.k_kvm = 0xffff0000aaaa0000;
	memcpy(key.address, &(uint64_t){ __builtin_bswap64(BAR_START) }, 8);
	assert_int_equal(bpf_map_update_elem(w->maps.bars, &key, &(uint64_t){ DEVICE }, BPF_ANY),
			 0);
	assert_int_equal(ncg_ledger_open(&w->maps, &ledger), 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(ncg_reconcile_begin(ledger, walked, 3, w->devices, &picture), 0);
		ncg_reconcile_finish(picture, ledger, w->audit, w->devices);
		trail(w);
		assert_int_equal(count_of(w, "vm_found"), 2);
		assert_int_equal(count_of(w, "found_mapped"), 2);
	}
	r = find(w, "vm_found", 0);
	assert_string_equal(text(json_object_get(r, "guest"), "name"), "beta");
	assert_string_equal(text(r, "source"), "walk");
	assert_true(number(r, "vm") > (json_int_t)NCG_VM_FOUND);
	r = find(w, "found_mapped", 0);
	assert_string_equal(text(json_object_get(r, "guest"), "name"), "beta");
	assert_string_equal(text(json_object_get(r, "device"), "slot"), "0000:00:05.0");
	assert_string_equal(text(json_object_get(r, "device"), "driver"), "vfio-pci");
	assert_string_equal(text(r, "ipa"), "8000000000");
	assert_string_equal(text(r, "phys"), "10000000");
	assert_int_equal(number(r, "size"), 0x203000);
	r = find(w, "found_mapped", 1);
	assert_null(json_object_get(r, "device"));
	assert_string_equal(text(r, "phys"), "8040000");

	/* It ended, and no program saw it: the next picture does. */
	process_end(&p);
	bpf_map_delete_elem(w->maps.vm_ids, &vms[0].vm.k_kvm);
	assert_int_equal(ncg_reconcile_begin(ledger, walked, 0, w->devices, &picture), 0);
	ncg_reconcile_finish(picture, ledger, w->audit, w->devices);
	trail(w);
	r = find(w, "vm_destroy", 0);
	assert_string_equal(text(json_object_get(r, "guest"), "name"), "beta");
	ncg_ledger_close(ledger);
}

/* A VM that ends between the picture and its use is told once, by its own event. */
static void test_end_during_the_picture(void **state)
{
	struct world *w = *state;
	const struct ncg_walk_vm walked = { .state = NCG_WALK_VISIBLE,
					    .vm.k_kvm = 0xffff000000001000 };
	uint64_t k_kvm = 0xffff000000001000, vm = 1;

	need_bpf();
	assert_int_equal(bpf_map_update_elem(w->maps.vm_ids, &k_kvm, &vm, BPF_ANY), 0);
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 1);
	make_map(w, 1, NCG_MT_NORMAL_NC);
	overflow(w);
	tick(w, &walked);
	tick(w, &walked);
	trail(w);
	assert_true(count_of(w, "gap") > 0);
	bpf_map_delete_elem(w->maps.vm_ids, &k_kvm);
	make_event(w, .type = NCG_EVENT_VM_DESTROY, .vm = 1);
	tick(w, &walked);
	tick(w, &walked);
	trail(w);
	assert_int_equal(count_of(w, "vm_destroy"), 1);
	assert_null(json_object_get(find(w, "vm_destroy", 0), "source"));
	assert_int_equal(count_of(w, "vm_found"), 0);
	assert_int_equal(count_of(w, "found_mapped"), 0);
}

/* ---------------------------------------------------------------------- daemons */

/* The next daemon goes on where this one stopped, knowing what it knew. */
static void test_next_daemon(void **state)
{
	struct world *w = *state;
	struct process p;
	const json_t *r;

	need_bpf();
	process_begin(&p, "gamma");
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 1, .task = p.task);
	bpf_map_update_elem(w->maps.vm_ids, &(uint64_t){ 0x1000 }, &(uint64_t){ 1 }, BPF_ANY);
	make_map(w, 1, NCG_MT_NORMAL_NC);
	assert_int_equal(ncg_events_drain(w->events), 0);
	end(w);

	make_map(w, 1, NCG_MT_DEVICE_nGnRE);
	process_end(&p);
	begin(w);
	for (int i = 0; i < 3; i++)
		tick(w, NULL);
	bpf_map_delete_elem(w->maps.vm_ids, &(uint64_t){ 0x1000 });
	make_event(w, .type = NCG_EVENT_VM_DESTROY, .vm = 1);
	for (int i = 0; i < 3; i++)
		tick(w, NULL);
	trail(w);
	assert_int_equal(account(w), 0);
	assert_int_equal(w->count, 5);
	r = find(w, "vm_destroy", 0);
	assert_string_equal(text(json_object_get(r, "guest"), "name"), "gamma");
	assert_int_equal(json_array_size(json_object_get(r, "mapped")), 2);
}

/*
 * A daemon that is killed once a record is written, and before it could note that: the
 * trail itself tells the next one, also where its file was put aside. Where the file has
 * gone meanwhile, a record is there again, in the new one.
 */
static void test_killed_after_writing(void **state)
{
	enum { STAYS, PUT_ASIDE, TAKEN_AWAY, ROUNDS };
	struct world *w = *state;
	uint64_t first;

	need_bpf();
	make_event(w, .type = NCG_EVENT_DECISION);
	assert_int_equal(ncg_events_drain(w->events), 0);
	first = sequence(w, NCG_SEQUENCE_EVENT) + 1;
	for (int round = STAYS; round < ROUNDS; round++) {
		uint64_t seq = first + 6 * round;

		for (int i = 0; i < 6; i++)
			make_event(w, .type = i ? NCG_EVENT_BAR_MMAP : NCG_EVENT_VM_CREATE, .vm = 1);
		assert_true(ncg_audit_write(w->audit, "vm_create", 0,
					    json_pack("{s:I}", "seq", (json_int_t)seq)));
		assert_true(ncg_audit_write(w->audit, "bar_mmap", 0,
					    json_pack("{s:I, s:{s:[[I, I], [I, I]]}}", "seq",
						      (json_int_t)seq + 3, "folded", "seqs",
						      (json_int_t)seq + 1, (json_int_t)seq + 1,
						      (json_int_t)seq + 3, (json_int_t)seq + 3)));
		end(w);
		if (round == PUT_ASIDE)
			assert_int_equal(rename(tree_path("trail/log"),
						tree_path("trail/log.20260101T000000.000000Z")), 0);
		if (round == TAKEN_AWAY)
			assert_int_equal(rename(tree_path("trail/log"), tree_path("trail/old")), 0);
		begin(w);
		for (int i = 0; i < 3; i++)
			tick(w, NULL);
		trail(w);
		assert_int_equal(count_of(w, "gap"), 0);
		assert_int_equal(count_of(w, "vm_create"), round != PUT_ASIDE);
		if (round == STAYS)
			assert_int_equal(account(w), 0);
	}
}

/*
 * A daemon that is killed once it wrote what came after a loss, and before it could tell
 * the loss: the next one tells it, and no more than was lost.
 */
static void test_killed_before_a_loss_is_told(void **state)
{
	struct world *w = *state;

	need_bpf();
	overflow(w);
	assert_int_equal(ncg_events_drain(w->events), 0);
	for (int i = 0; i < 20; i++)
		make_event(w, .type = NCG_EVENT_DECISION);
	assert_int_equal(ncg_events_drain(w->events), 0);
	end(w);
	begin(w);
	for (int i = 0; i < 3; i++)
		tick(w, NULL);
	trail(w);
	assert_int_equal(account(w), 2);
}

/*
 * A daemon that is killed in the middle of a batch: nothing is missing, and nothing is
 * there twice.
 */
static void test_killed_daemon(void **state)
{
	struct world *w = *state;
	uint64_t highest = 0;
	size_t halfway = 0;
	int fds[2];
	pid_t child;
	char c;

	need_bpf();
	w->may_be_cut = true;
	for (int round = 0; round < 50; round++) {
		end(w);
		assert_int_equal(pipe(fds), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child) {
			begin(w);
			assert_int_equal(write(fds[1], "", 1), 1);
			for (;;)
				ncg_events_drain(w->events);
		}
		assert_int_equal(read(fds[0], &c, 1), 1);
		for (int i = 0; i < 2 * (round + 1); i++)
			make_event(w, .type = NCG_EVENT_DECISION, .bar = i % 6);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		close(fds[0]);
		close(fds[1]);
		halfway += sequence(w, NCG_SEQUENCE_DRAINED) != sequence(w, NCG_SEQUENCE_EVENT);
		begin(w);
		for (int i = 0; i < 3; i++)
			tick(w, NULL);
	}
	trail(w);
	assert_int_equal(count_of(w, "gap"), 0);
	for (size_t i = 0; i < w->count; i++)
		assert_int_equal(number(w->records[i], "seq"), ++highest);
	assert_int_equal(highest, sequence(w, NCG_SEQUENCE_EVENT));
	printf("%zu of 50 were killed with work left\n", halfway);
}

/* --------------------------------------------------------------------- full disk */

/*
 * The trail's disk is full: events are counted and the daemon goes on; when there is
 * room again, the trail says what is missing, and then what that hid.
 */
static void test_full_disk(void **state)
{
	struct world *w = *state;
	const json_t *r;
	uint64_t position;
	int fd;

	need_bpf();
	end(w);
	if (mount("tmpfs", tree_path("trail"), "tmpfs", 0, "size=64k"))
		skip();
	begin(w);
	tick(w, NULL);
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 1);
	bpf_map_update_elem(w->maps.vm_ids, &(uint64_t){ 0x1000 }, &(uint64_t){ 1 }, BPF_ANY);
	tick(w, NULL);
	fd = open(tree_path("trail/other"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, &(char[512]){ 0 }, 512) > 0)
		;
	close(fd);
	position = sequence(w, NCG_SEQUENCE_DRAINED);
	/* into the last page that the trail has, until that is full as well */
	for (int i = 0; !ncg_audit_failing(w->audit); i++) {
		position = sequence(w, NCG_SEQUENCE_DRAINED);
		make_event(w, .type = NCG_EVENT_DECISION, .bar = i % 6);
		assert_int_equal(ncg_events_drain(w->events), 0);
	}
	make_map(w, 1, NCG_MT_NORMAL_NC);
	tick(w, NULL);
	tick(w, NULL);
	/* Were this daemon killed now, the next one would see them missing. */
	assert_int_equal(sequence(w, NCG_SEQUENCE_DRAINED), position);
	assert_int_equal(ncg_audit_errors(w->audit), 2);

	assert_int_equal(unlink(tree_path("trail/other")), 0);
	for (int i = 0; i < 4; i++)
		tick(w, NULL);
	assert_false(ncg_audit_failing(w->audit));
	/* what of a line was left before it is not JSON, and is known to be cut */
	{
		ncg_autofclose FILE *file = fopen(tree_path("trail/log"), "r+");
		ncg_autofree char *line = NULL;
		size_t room = 0;
		long at = 0;

		while (getline(&line, &room, file) > 0) {
			json_t *json = json_loads(line, 0, NULL);

			if (!json) {
				fseek(file, at, SEEK_SET);
				fprintf(file, "{}%*s", (int)strcspn(line, "\n") - 2, "");
				fseek(file, at + strlen(line), SEEK_SET);
			}
			json_decref(json);
			at = ftell(file);
		}
	}
	trail(w);
	r = find(w, "gap", 0);
	assert_string_equal(text(r, "cause"), "not_written");
	assert_int_equal(number(r, "lost"), 2);
	assert_int_equal(number(r, "first_seq"), position + 1);
	assert_int_equal(number(r, "last_seq"), position + 2);
	assert_int_equal(account(w), 2);
	r = find(w, "found_mapped", 0);
	assert_string_equal(text(r, "source"), "counts");
	assert_string_equal(text(r, "memory_type"), "normal_nc");
	assert_int_equal(sequence(w, NCG_SEQUENCE_DRAINED), position + 2);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_life_of_a_vm),
		test(test_nothing_is_left),
		test(test_first_by_several_cpus),
		test(test_unknown_event),
		test(test_fold),
		test(test_fold_of_many_kinds),
		test(test_fold_of_changes),
		test(test_backlog),
		test(test_overflow),
		test(test_walk_after_a_loss),
		test(test_end_during_the_picture),
		test(test_next_daemon),
		test(test_killed_after_writing),
		test(test_killed_before_a_loss_is_told),
		test(test_killed_daemon),
		test(test_full_disk),
	};

	ncg_log_open("test_events", NCG_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
