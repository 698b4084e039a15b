// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a walk knows of VMs and when it looks again: real tables in memory, the walk's own
 * schedule and decoder. Work is counted, time is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "log.h"
#include "walk.h"

#include "vm_memory.h"

#define BAR 0x9000000000ULL
#define BAR_IPA 0x40000000ULL
#define RAM 0x1000000000ULL

static struct memory_host host;
static struct ncg_walk *walk;

static bool bar_of(void *arg, __u64 phys, __u64 *ret_start, __u64 *ret_size)
{
	(void)arg;
	if (phys - BAR >= 0x10000)
		return false;
	*ret_start = BAR;
	*ret_size = 0x10000;
	return true;
}

static void open_walk(double share)
{
	const struct ncg_walk_options options = { .share = share, .vm_ids_fd = -1, .extent = bar_of };
	const struct ncg_walk_source source = memory_source(&host);

	assert_int_equal(ncg_walk_new(&options, &source, &walk), 0);
}

static int set_up(void **state)
{
	(void)state;
	host = (struct memory_host){};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ncg_walk_close(walk);
	walk = NULL;
	memory_free(&host);
	return 0;
}

/* Turns in the background until nothing is wanted; a bound, so that a test ends. */
static size_t until_walked(void)
{
	size_t turns = 0;

	for (; ncg_walk_wanted(walk) && turns < 10000; turns++)
		ncg_walk_background(walk);
	assert_int_equal(ncg_walk_wanted(walk), 0);
	return turns;
}

static __u64 bytes_of(const struct ncg_walk_vm *vm, enum ncg_memtype type)
{
	__u64 bytes = 0;

	for (int level = 0; level < NCG_S2_LEVELS; level++)
		bytes += vm->totals.bytes[type][level];
	return bytes;
}

static void pending_until_walked_to_the_end(void **state)
{
	struct memory_vm *m = memory_vm(&host, 100);
	const struct ncg_walk_vm *vm;
	struct ncg_walk_stats stats;

	(void)state;
	memory_map(m, 0, RAM, 64 * MEMORY_PAGE, MEMORY_WB);
	memory_map(m, BAR_IPA, BAR, 4 * MEMORY_PAGE, MEMORY_NC);
	memory_map(m, BAR_IPA + 0x8000, BAR + 0x8000, MEMORY_PAGE, MEMORY_DEVICE);
	open_walk(1);
	assert_int_equal(ncg_walk_list(walk), 0);
	assert_int_equal(ncg_walk_count(walk), 1);
	vm = ncg_walk_vm(walk, 0);
	assert_int_equal(vm->state, NCG_WALK_PENDING);
	assert_int_equal(host.copies, 0);

	assert_int_equal(ncg_walk_want_all(walk), 0);
	assert_int_equal(ncg_walk_wanted(walk), 1);
	until_walked();
	vm = ncg_walk_vm(walk, 0);
	assert_int_equal(vm->state, NCG_WALK_VISIBLE);
	assert_int_equal(bytes_of(vm, NCG_MT_NORMAL_WB), 64 * MEMORY_PAGE);
	assert_int_equal(bytes_of(vm, NCG_MT_NORMAL_NC), 4 * MEMORY_PAGE);
	assert_int_equal(bytes_of(vm, NCG_MT_DEVICE_nGnRE), MEMORY_PAGE);
	assert_int_equal(vm->range_count, 2);
	assert_int_equal(vm->ranges[0].ipa, BAR_IPA);
	assert_int_equal(vm->ranges[0].phys, BAR);
	assert_int_equal(vm->ranges[0].size, 4 * MEMORY_PAGE);
	assert_int_equal(vm->ranges[1].memtype, NCG_MT_DEVICE_nGnRE);
	stats = ncg_walk_stats(walk);
	assert_int_equal(stats.errors, 0);
	assert_int_equal(stats.pieces, host.copies + 1); /* the last finds nothing more */
	/* the root, two of level 2, two of level 3 */
	assert_int_equal(stats.entries, 5 * 512);
}

/* A refresh looks at the whole of a BAR of which some was mapped, and at nothing else. */
static void known_devices_are_looked_at_again(void **state)
{
	struct memory_vm *m = memory_vm(&host, 100);
	const struct ncg_walk_vm *vm;

	(void)state;
	memory_map(m, 0, RAM, MEMORY_PAGE, MEMORY_WB);
	memory_map(m, BAR_IPA, BAR, MEMORY_PAGE, MEMORY_NC);
	open_walk(1);
	ncg_walk_want_all(walk);
	until_walked();
	memory_map(m, BAR_IPA + 0xf000, BAR + 0xf000, MEMORY_PAGE, MEMORY_DEVICE);
	*memory_entry(m, 3, BAR_IPA) = 0;
	assert_int_equal(ncg_walk_refresh(walk), 0);
	vm = ncg_walk_vm(walk, 0);
	assert_int_equal(bytes_of(vm, NCG_MT_NORMAL_NC), 0);
	assert_int_equal(bytes_of(vm, NCG_MT_DEVICE_nGnRE), MEMORY_PAGE);
	assert_int_equal(vm->range_count, 1);
	assert_int_equal(vm->ranges[0].phys, BAR + 0xf000);
	assert_int_equal(bytes_of(vm, NCG_MT_NORMAL_WB), MEMORY_PAGE);
}

static void what_ends_is_forgotten(void **state)
{
	struct memory_vm *a = memory_vm(&host, 100), *b = memory_vm(&host, 200);

	(void)state;
	memory_map(a, 0, RAM, MEMORY_PAGE, MEMORY_WB);
	memory_map(b, 0, RAM, MEMORY_PAGE, MEMORY_WB);
	open_walk(1);
	ncg_walk_want_all(walk);
	until_walked();
	assert_int_equal(ncg_walk_count(walk), 2);
	/* newest first */
	assert_int_equal(ncg_walk_vm(walk, 0)->vm.pid, 200);
	a->gone = true;
	assert_int_equal(ncg_walk_list(walk), 0);
	assert_int_equal(ncg_walk_count(walk), 1);
	assert_int_equal(ncg_walk_vm(walk, 0)->vm.pid, 200);
	assert_int_equal(ncg_walk_vm(walk, 0)->state, NCG_WALK_VISIBLE);
}

/* Addresses are used again: another VM at the same place has nothing of the first's. */
static void another_in_its_place_begins_anew(void **state)
{
	struct memory_vm *m = memory_vm(&host, 100);

	(void)state;
	memory_map(m, BAR_IPA, BAR, MEMORY_PAGE, MEMORY_NC);
	open_walk(1);
	ncg_walk_want_all(walk);
	until_walked();
	assert_int_equal(ncg_walk_vm(walk, 0)->range_count, 1);
	m->vm.id = 77;
	assert_int_equal(ncg_walk_list(walk), 0);
	assert_int_equal(ncg_walk_vm(walk, 0)->state, NCG_WALK_PENDING);
	assert_int_equal(ncg_walk_vm(walk, 0)->range_count, 0);
}

/* One that ends in the midst of its walk leaves nothing that looks whole. */
static void an_end_in_the_midst_of_a_walk(void **state)
{
	struct memory_vm *m = memory_vm(&host, 100);

	(void)state;
	for (int i = 0; i < 40; i++)
		memory_map(m, i * 0x200000ULL, RAM, MEMORY_PAGE, MEMORY_WB);
	open_walk(1);
	ncg_walk_want_all(walk);
	ncg_walk_background(walk);
	assert_int_equal(ncg_walk_wanted(walk), 1);
	m->root_pointer = 0; /* as KVM leaves it */
	until_walked();
	assert_int_equal(ncg_walk_vm(walk, 0)->state, NCG_WALK_PENDING);
	/* the other end: all copied, and by then another VM's */
	m->root_pointer = m->vm.pgd_phys;
	ncg_walk_want_all(walk);
	m->gone = true;
	until_walked();
	assert_int_equal(ncg_walk_vm(walk, 0)->state, NCG_WALK_PENDING);
}

static void what_cannot_be_read_says_so(void **state)
{
	struct memory_vm *hidden = memory_vm(&host, 1), *none = memory_vm(&host, 2);
	struct memory_vm *strange = memory_vm(&host, 3);

	(void)state;
	hidden->vm.hidden = 1;
	none->vm.pgd_phys = 0;
	strange->vm.vtcr |= 3 << 14; /* no such page size */
	open_walk(1);
	assert_int_equal(ncg_walk_want_all(walk), 0);
	assert_int_equal(ncg_walk_wanted(walk), 2);
	until_walked();
	assert_int_equal(ncg_walk_vm(walk, 2)->state, NCG_WALK_HIDDEN);
	assert_int_equal(ncg_walk_vm(walk, 1)->state, NCG_WALK_UNREADABLE);
	assert_int_equal(ncg_walk_vm(walk, 0)->state, NCG_WALK_UNREADABLE);
}

/*
 * After a loss all are walked anew however lately they were, a piece at a time: no turn
 * makes more than one call to the kernel for pages.
 */
static void all_are_wanted_anew(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct memory_vm *m = memory_vm(&host, 100 + i);

		for (int t = 0; t < 30; t++)
			memory_map(m, t * 0x200000ULL, RAM, MEMORY_PAGE, MEMORY_WB);
	}
	open_walk(1);
	ncg_walk_want_all(walk);
	until_walked();
	for (int i = 0; i < 8; i++)
		memory_map(&host.vms[i], BAR_IPA, BAR, MEMORY_PAGE, MEMORY_NC);
	/* In the background nobody would look for a minute. */
	for (int i = 0; i < 20; i++)
		ncg_walk_background(walk);
	assert_int_equal(ncg_walk_vm(walk, 0)->range_count, 0);

	assert_int_equal(ncg_walk_want_all(walk), 0);
	assert_int_equal(ncg_walk_wanted(walk), 8);
	for (size_t turns = 0; ncg_walk_wanted(walk); turns++) {
		size_t before = host.copies;

		assert_true(turns < 1000);
		ncg_walk_background(walk);
		assert_in_range(host.copies - before, 0, 1);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(ncg_walk_vm(walk, i)->range_count, 1);
}

/* A walk on the way when it is wanted is begun again: it may have passed what is new. */
static void a_walk_on_the_way_begins_again(void **state)
{
	struct memory_vm *m = memory_vm(&host, 100);

	(void)state;
	for (int t = 0; t < 60; t++)
		memory_map(m, t * 0x200000ULL, RAM, MEMORY_PAGE, MEMORY_WB);
	open_walk(1);
	ncg_walk_want_all(walk);
	for (int i = 0; i < 4; i++)
		ncg_walk_background(walk);
	assert_int_equal(ncg_walk_wanted(walk), 1);
	/* where it has been, in the first table */
	memory_map(m, MEMORY_PAGE, BAR, MEMORY_PAGE, MEMORY_NC);
	ncg_walk_want_all(walk);
	until_walked();
	assert_int_equal(ncg_walk_vm(walk, 0)->range_count, 1);
}

/* One that goes is not waited for, and one that comes later not either. */
static void who_comes_and_goes_is_not_waited_for(void **state)
{
	struct memory_vm *a = memory_vm(&host, 100), *b = memory_vm(&host, 200);

	(void)state;
	memory_map(a, 0, RAM, MEMORY_PAGE, MEMORY_WB);
	memory_map(b, 0, RAM, MEMORY_PAGE, MEMORY_WB);
	open_walk(1);
	assert_int_equal(ncg_walk_want_all(walk), 0);
	assert_int_equal(ncg_walk_wanted(walk), 2);
	a->gone = true;
	memory_vm(&host, 300);
	assert_int_equal(ncg_walk_list(walk), 0);
	assert_int_equal(ncg_walk_count(walk), 2);
	assert_int_equal(ncg_walk_wanted(walk), 1);
	until_walked();
}

/* What the share does not allow is not done, whoever wants it. */
static void the_share_holds_for_what_is_wanted(void **state)
{
	struct memory_vm *m = memory_vm(&host, 100);
	size_t copies;
	__u64 wait;

	(void)state;
	for (int t = 0; t < 60; t++)
		memory_map(m, t * 0x200000ULL, RAM, MEMORY_PAGE, MEMORY_WB);
	open_walk(1e-9);
	ncg_walk_want_all(walk);
	ncg_walk_background(walk);
	copies = host.copies;
	for (int i = 0; i < 10; i++) {
		wait = ncg_walk_background(walk);
		assert_true(wait > 0);
	}
	assert_int_equal(host.copies, copies);
	assert_int_equal(ncg_walk_wanted(walk), 1);
	/* One that somebody asks for by name is walked at once, and counts. */
	assert_int_equal(ncg_walk_now(walk, 0), 0);
	assert_true(host.copies > copies);
	assert_int_equal(ncg_walk_wanted(walk), 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(pending_until_walked_to_the_end),
		test(known_devices_are_looked_at_again),
		test(what_ends_is_forgotten),
		test(another_in_its_place_begins_anew),
		test(an_end_in_the_midst_of_a_walk),
		test(what_cannot_be_read_says_so),
		test(all_are_wanted_anew),
		test(a_walk_on_the_way_begins_again),
		test(who_comes_and_goes_is_not_waited_for),
		test(the_share_holds_for_what_is_wanted),
	};

	ncg_log_open("test_walk", NCG_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
