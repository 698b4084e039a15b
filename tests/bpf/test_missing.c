// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a loss to the records of what it hid, in turns of the daemon's: real maps and events,
 * a trail, and VMs whose tables are in memory. No turn walks; the walk does, by its share.
 */
#include "events_world.h"

#include "missing.h"
#include "places.h"

#include "../unit/vm_memory.h"

struct scene {
	struct memory_host host;
	struct ncg_walk *walk;
	struct ncg_missing missing;
};

static void begin_scene(struct scene *s, int vms)
{
	const struct ncg_walk_options options = { .share = 1, .vm_ids_fd = -1 };
	struct ncg_walk_source source;

	*s = (struct scene){};
	for (int i = 0; i < vms; i++) {
		struct memory_vm *m = memory_vm(&s->host, 0);

		for (int t = 0; t < 20; t++)
			memory_map(m, t * 0x200000ULL, 0x1000000000, MEMORY_PAGE, MEMORY_WB);
	}
	source = memory_source(&s->host);
	assert_int_equal(ncg_walk_new(&options, &source, &s->walk), 0);
}

static void end_scene(struct scene *s)
{
	ncg_walk_close(s->walk);
	memory_free(&s->host);
}

/* One turn of the daemon's timer; that takes no page of any table. */
static bool turn(struct world *w, struct scene *s)
{
	size_t copies = s->host.copies;
	bool more;

	assert_int_equal(ncg_events_drain(w->events), 0);
	ncg_events_settle(w->events);
	ncg_audit_tick(w->audit);
	more = ncg_missing_look(&s->missing, w->events, s->walk, w->inventory,
				counter(w, NCG_CTR_EVENTS_LOST));
	assert_int_equal(s->host.copies, copies);
	return more;
}

static void lose_something(const struct world *w)
{
	uint64_t lost = counter(w, NCG_CTR_EVENTS_LOST);

	while (counter(w, NCG_CTR_EVENTS_LOST) < lost + 1)
		make_event(w, .type = 99);
}

/* Turns until a picture was taken, walking a piece between two. Returns the pieces. */
static size_t until_taken(struct world *w, struct scene *s)
{
	size_t pieces = 0, turns = 0;

	while (!turn(w, s))
		assert_true(++turns < 100); /* a loss is seen after two */
	do {
		size_t copies = s->host.copies;

		assert_true(++pieces < 10000);
		ncg_walk_background(s->walk);
		assert_in_range(s->host.copies - copies, 0, 1);
	} while (turn(w, s));
	return pieces;
}

static void the_walk_comes_before_the_picture(void **state)
{
	struct world *w = *state;
	struct ncg_bar_key key = { .prefix = 64 - 28 };
	struct scene s;
	const json_t *r;
	size_t pieces;

	need_bpf();
	memcpy(key.address, &(uint64_t){ __builtin_bswap64(BAR_START) }, 8);
	assert_int_equal(bpf_map_update_elem(w->maps.bars, &key, &(uint64_t){ DEVICE }, BPF_ANY),
			 0);
	begin_scene(&s, 5);
	lose_something(w);
	memory_map(&s.host.vms[0], 0x40000000, BAR_START, 4 * MEMORY_PAGE, MEMORY_NC);
	memory_map(&s.host.vms[4], 0x40000000, 0x8040000, 2 * MEMORY_PAGE, MEMORY_DEVICE);
	pieces = until_taken(w, &s);
	/* 24 tables of each, 8 at a time at the most. */
	assert_true(pieces >= 5 * 24 / MEMORY_BATCH);
	assert_false(turn(w, &s));
	trail(w);
	assert_int_equal(count_of(w, "vm_found"), 5);
	assert_int_equal(count_of(w, "found_mapped"), 2);
	for (size_t i = 0; i < 2; i++) {
		r = find(w, "found_mapped", i);
		assert_string_equal(text(r, "source"), "walk");
		if (number(r, "size") == 4 * MEMORY_PAGE)
			assert_string_equal(text(r, "phys"), "10000000");
		else
			assert_string_equal(text(r, "phys"), "8040000");
	}
	end_scene(&s);
}

/* What is lost while the walk is on its way may be behind it: there is another picture. */
static void a_loss_during_the_walk_has_its_own_picture(void **state)
{
	struct world *w = *state;
	struct scene s;

	need_bpf();
	begin_scene(&s, 2);
	lose_something(w);
	for (int turns = 0; !turn(w, &s); turns++)
		assert_true(turns < 100);
	while (ncg_walk_wanted(s.walk) == 2)
		ncg_walk_background(s.walk);
	/* One is walked; now both map something, and the loss is told before the other is. */
	for (int vm = 0; vm < 2; vm++)
		memory_map(&s.host.vms[vm], 0x40000000, 0x8040000, MEMORY_PAGE, MEMORY_DEVICE);
	lose_something(w);
	for (int turns = 0; turns < 3; turns++)
		assert_true(turn(w, &s));
	trail(w);
	assert_true(count_of(w, "gap") >= 2);
	while (ncg_walk_wanted(s.walk))
		ncg_walk_background(s.walk);
	/* taken, and then written */
	assert_false(turn(w, &s));
	turn(w, &s);
	trail(w);
	assert_int_equal(count_of(w, "found_mapped"), 1);
	until_taken(w, &s);
	turn(w, &s);
	trail(w);
	assert_int_equal(count_of(w, "found_mapped"), 2);
	end_scene(&s);
}

/* A VM that ends while others are walked, and one in its place, are two. */
static void another_vm_in_its_place_during_the_walk(void **state)
{
	struct world *w = *state;
	struct scene s;

	need_bpf();
	begin_scene(&s, 2);
	memory_map(&s.host.vms[0], 0x40000000, 0x8040000, MEMORY_PAGE, MEMORY_DEVICE);
	lose_something(w);
	for (int turns = 0; !turn(w, &s); turns++)
		assert_true(turns < 100);
	while (ncg_walk_wanted(s.walk))
		ncg_walk_background(s.walk);
	s.host.vms[0].vm.id = 99; /* another by now */
	assert_false(turn(w, &s));
	turn(w, &s);
	trail(w);
	assert_int_equal(count_of(w, "vm_found"), 2);
	assert_int_equal(count_of(w, "found_mapped"), 0);
	end_scene(&s);
}

/* Where tables cannot be read, what was counted is told at once. */
static void without_a_walk(void **state)
{
	struct world *w = *state;
	struct scene s = {};

	need_bpf();
	lose_something(w);
	bpf_map_update_elem(w->maps.vm_ids, &(uint64_t){ 0x1000 }, &(uint64_t){ 1 }, BPF_ANY);
	make_map(w, 1, NCG_MT_NORMAL_NC);
	for (int i = 0; i < 4; i++)
		assert_false(turn(w, &s));
	trail(w);
	assert_int_equal(count_of(w, "vm_found"), 1);
	assert_int_equal(count_of(w, "found_mapped"), 1);
	assert_string_equal(text(find(w, "vm_found", 0), "source"), "counts");
}

/* 96 GiB in pages of 4 KiB outside of all BARs: a look-up for each GiB, not for each leaf. */
static void a_place_is_asked_for_once(void **state)
{
	struct world *w = *state;
	struct ncg_bar_key key = { .prefix = 64 - 28 };
	struct ncg_places places = { .devices = w->devices };
	const __u64 gib = 1ULL << 30;
	struct ncg_ledger *ledger;
	__u64 part;

	need_bpf();
	memcpy(key.address, &(uint64_t){ __builtin_bswap64(BAR_START) }, 8);
	assert_int_equal(bpf_map_update_elem(w->maps.bars, &key, &(uint64_t){ DEVICE }, BPF_ANY),
			 0);
	assert_int_equal(ncg_ledger_open(&w->maps, &ledger), 0);
	places.ledger = ledger;
	for (__u64 phys = 16 * gib; phys < 112 * gib; phys += part)
		assert_int_equal(ncg_places_find(&places, phys, 112 * gib - phys, &part),
				 NCG_BLOCK_ID(phys));
	assert_int_equal(places.asked, 96);
	/* the same pages one by one, as ranges that do not join */
	for (__u64 phys = 16 * gib; phys < 17 * gib; phys += 4096) {
		assert_int_equal(ncg_places_find(&places, phys, 4096, &part), NCG_BLOCK_ID(phys));
		assert_int_equal(part, 4096);
	}
	assert_int_equal(places.asked, 97);
	/* a BAR in the midst of a GiB */
	assert_int_equal(ncg_places_find(&places, BAR_START - 4096, 3 * gib, &part),
			 NCG_BLOCK_ID(BAR_START - 4096));
	assert_int_equal(part, 4096);
	assert_int_equal(ncg_places_find(&places, BAR_START, 3 * gib, &part), DEVICE);
	assert_int_equal(part, 0x10000000);
	assert_int_equal(ncg_places_find(&places, BAR_START + part, 3 * gib, &part),
			 NCG_BLOCK_ID(0x20000000));
	assert_int_equal(part, gib - 0x20000000);
	assert_int_equal(ncg_places_find(&places, BAR_START + 4096, 4096, &part), DEVICE);
	/* the last of all addresses */
	ncg_places_find(&places, -4096ULL, 4096, &part);
	assert_int_equal(part, 4096);
	ncg_ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(the_walk_comes_before_the_picture),
		test(a_loss_during_the_walk_has_its_own_picture),
		test(another_vm_in_its_place_during_the_walk),
		test(without_a_walk),
		test(a_place_is_asked_for_once),
	};

	ncg_log_open("test_missing", NCG_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
