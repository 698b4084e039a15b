// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the audit trail says after events were lost, could not be written, or were left by a
 * daemon that is gone; on this machine's kernel, with real ring buffers.
 */
#include "events_world.h"

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
 * A loss of any size in what a daemon wrote before it was killed: the next one is there
 * at once. A record of numbers that nobody drew hides no event that will have them.
 */
static void test_killed_after_a_large_gap(void **state)
{
	struct world *w = *state;
	const uint64_t far = UINT64_C(1) << 62;
	uint64_t first;
	json_t *gap;

	need_bpf();
	make_event(w, .type = NCG_EVENT_DECISION);
	assert_int_equal(ncg_events_drain(w->events), 0);
	first = sequence(w, NCG_SEQUENCE_EVENT) + 1;
	assert_int_equal(bpf_map_update_elem(w->maps.sequences,
					     &(__u32){ NCG_SEQUENCE_EVENT }, &far, BPF_ANY), 0);
	gap = json_pack("{s:s, s:I, s:I, s:I}", "cause", "not_received", "lost",
			(json_int_t)(far - first + 1), "first_seq", (json_int_t)first, "last_seq",
			(json_int_t)far);
	ncg_audit_add_window(gap, 1, 2);
	assert_true(ncg_audit_write(w->audit, "gap", 0, gap));
	assert_true(ncg_audit_write(w->audit, "invalid", 0,
				    json_pack("{s:I, s:i, s:i}", "seq", (json_int_t)far + 1,
					      "unknown_type", 1, "size", 1)));
	end(w);
	begin(w);
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 1);
	for (int i = 0; i < 3; i++)
		tick(w, NULL);
	trail(w);
	assert_int_equal(count_of(w, "gap"), 1);
	assert_int_equal(count_of(w, "vm_create"), 1);
	assert_int_equal(sequence(w, NCG_SEQUENCE_DRAINED), far + 1);
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
 * The clock is set while no daemon runs: the next one says so before all else. What a
 * daemon said and could not note, because it was killed, is not said again.
 */
static void test_clock_set_meanwhile(void **state)
{
	struct world *w = *state;
	const __s64 hour = 3600 * (__s64)1000000000;
	const json_t *r;

	need_bpf();
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 1);
	assert_int_equal(ncg_events_drain(w->events), 0);
	end(w);
	for (int again = 0; again < 2; again++) {
		__s64 wrong = ncg_audit_clock_offset() + hour;

		assert_int_equal(bpf_map_update_elem(w->maps.sequences,
						     &(__u32){ NCG_SEQUENCE_CLOCK }, &wrong, BPF_ANY), 0);
		begin(w);
		assert_true(ncg_audit_write(w->audit, "daemon_stop", 0, json_pack("{s:i}", "pid", 1)));
		end(w);
	}
	trail(w);
	assert_int_equal(count_of(w, "clock_changed"), 1);
	assert_string_equal(text(w->records[w->count - 3], "type"), "clock_changed");
	r = find(w, "clock_changed", 0);
	assert_false(ncg_audit_clock_was_set(number(r, "moved_by_ns"), -hour));
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

/* Leaves no room in the trail's folder, but for what fits the last page of its file. */
static void fill_disk(void)
{
	int fd = open(tree_path("trail/other"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	while (write(fd, &(char[512]){ 0 }, 512) > 0)
		;
	close(fd);
}

/*
 * The disk is full just when what is missing is to be written: it is looked for again, and
 * told, once there is room.
 */
static void test_full_disk_when_told(void **state)
{
	struct world *w = *state;
	const uint64_t k_kvm = 0x1000, vm = 1;
	const struct ncg_use_key key = { .vm = vm, .where = DEVICE };
	const struct ncg_use use = { .types = 1 << NCG_MT_NORMAL_NC, .task.pid = getpid() };

	need_bpf();
	end(w);
	if (mount("tmpfs", tree_path("trail"), "tmpfs", 0, "size=64k"))
		skip();
	/* before the daemon: neither its beginning nor its mapping came as an event */
	bpf_map_update_elem(w->maps.vm_ids, &k_kvm, &vm, BPF_ANY);
	bpf_map_update_elem(w->maps.uses, &key, &use, BPF_ANY);
	begin(w);
	tick(w, NULL); /* takes the picture */
	fill_disk(); /* the file is empty and has no page */
	tick(w, NULL); /* writes what is missing, and cannot */
	assert_true(ncg_audit_failing(w->audit));
	for (int i = 0; i < 3; i++)
		tick(w, NULL);
	trail(w);
	assert_int_equal(count_of(w, "vm_found"), 0);
	assert_int_equal(unlink(tree_path("trail/other")), 0);
	for (int i = 0; i < 4; i++)
		tick(w, NULL);
	trail(w);
	assert_int_equal(count_of(w, "vm_found"), 1);
	assert_int_equal(count_of(w, "found_mapped"), 1);
	assert_string_equal(text(find(w, "found_mapped", 0), "memory_type"), "normal_nc");
	for (int i = 0; i < 3; i++)
		tick(w, NULL);
	trail(w);
	assert_int_equal(count_of(w, "vm_found"), 1);
	assert_int_equal(count_of(w, "found_mapped"), 1);
}

/*
 * The trail's disk is full: events are counted and the daemon goes on; when there is
 * room again, the trail says what is missing, and then what that hid.
 */
static void test_full_disk(void **state)
{
	struct world *w = *state;
	const json_t *r;
	uint64_t position;

	need_bpf();
	end(w);
	if (mount("tmpfs", tree_path("trail"), "tmpfs", 0, "size=64k"))
		skip();
	begin(w);
	tick(w, NULL);
	make_event(w, .type = NCG_EVENT_VM_CREATE, .vm = 1);
	bpf_map_update_elem(w->maps.vm_ids, &(uint64_t){ 0x1000 }, &(uint64_t){ 1 }, BPF_ANY);
	tick(w, NULL);
	fill_disk();
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_backlog),
		test(test_overflow),
		test(test_walk_after_a_loss),
		test(test_end_during_the_picture),
		test(test_next_daemon),
		test(test_killed_after_writing),
		test(test_killed_after_a_large_gap),
		test(test_killed_before_a_loss_is_told),
		test(test_clock_set_meanwhile),
		test(test_killed_daemon),
		test(test_full_disk),
		test(test_full_disk_when_told),
	};

	ncg_log_open("test_losses", NCG_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
