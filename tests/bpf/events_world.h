/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A world for tests of the way from the programs to the audit trail: real ring buffer,
 * maps and events by the programs' own code (test_events.bpf.o), a folder and a trail.
 * Each test has its own; nothing is pinned. Included by one .c file each.
 *
 * NCG_BPF_DIR: the folder of test_events.bpf.o; unset, the tests fail. Without the
 * privilege to load it they are skipped, which is not the same as passed. NCG_KEEP_TRAIL:
 * a file that every trail is appended to.
 */
#ifndef NCGATE_EVENTS_WORLD_H
#define NCGATE_EVENTS_WORLD_H

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
#define RECORDS_MAX 40000

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
		.kept = map_of(w, "kept"),
		.sequences = map_of(w, "sequences"),
		.bars = map_of(w, "bars"),
		.shares = map_of(w, "shares"),
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
	assert_int_equal(ncg_inventory_open(&(struct ncg_inventory_maps){ -1, -1, -1, NULL },
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

TREE_UNUSED static uint64_t counter(const struct world *w, __u32 index)
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
 * Every event number once, by itself, among repeats or in a gap. Returns how many are in
 * gaps. What is counted is told first.
 */
TREE_UNUSED static uint64_t account_told(const struct world *w)
{
	const uint64_t last = sequence(w, NCG_SEQUENCE_EVENT);
	unsigned char *seen = calloc(last + 2, 1);
	uint64_t missing = 0;

	for (size_t i = 0; i < w->count; i++) {
		const json_t *record = w->records[i], *range;
		/* `folded`: of an ncgated before this one */
		const json_t *folded = json_object_get(record, "folded");
		const json_t *seqs = json_object_get(folded ? folded : record, "seqs");
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

/* Tells what is counted and reads the whole trail. */
TREE_UNUSED static void tell(struct world *w)
{
	assert_int_equal(ncg_events_finish(w->events), 0);
	trail(w);
}

TREE_UNUSED static uint64_t account(struct world *w)
{
	tell(w);
	return account_told(w);
}

/* How many events of a type the `repeats` of the trail stand for, and for which reason. */
TREE_UNUSED static uint64_t counted(const struct world *w, const char *type, const char *why)
{
	uint64_t count = 0;

	for (size_t i = 0; i < w->count; i++) {
		const json_t *entry;
		size_t e;

		json_array_foreach(json_object_get(w->records[i], "of"), e, entry)
			if (!strcmp(text(entry, "type"), type) && !strcmp(text(entry, "why"), why))
				count += number(entry, "count");
	}
	return count;
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
TREE_UNUSED static void process_begin(struct process *p, const char *name)
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
		assert_int_equal(ncg_guest_read(NULL, pid, NULL, &guest), 0);
	} while (strcmp(guest.name, name));
	p->task = (struct ncg_task){ .pid = pid, .uid = 107, .comm = "sh" };
	p->task.start_boot_ns = guest.start_ticks * (UINT64_C(1000000000) / sysconf(_SC_CLK_TCK));
}

TREE_UNUSED static void process_end(struct process *p)
{
	close(p->pipe);
	assert_int_equal(waitpid(p->task.pid, NULL, 0), p->task.pid);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
