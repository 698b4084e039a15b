// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk's copy program in the kernel of this machine: what is copied, what is
 * refused, and that one bad request costs no other, at each size of a table page.
 * An object and its maps belong to one page size's tests; nothing is pinned.
 *
 * NCG_BPF_DIR: the folder of test_copy.bpf.o; unset, the tests fail. Without the
 * privilege to load it they are skipped, which is not the same as passed.
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
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "abi.h"

#include "../unit/policy_model.h"

#define BATCH NCG_WALK_BATCH
#define UNTOUCHED 0x5a5a5a5a

/*
 * Addresses that no kernel has memory at: user space's, the hole between the two
 * halves, and the unused terabytes of Documentation/arch/x86/x86_64/mm.rst.
 */
static const __u64 unreadable[] = { 0, 0x1000, 1ull << 62, 0xfffffc0000000000 };
#define UNREADABLE (sizeof(unreadable) / sizeof(*unreadable))

/* As in test_copy.bpf.c. */
struct test_copy_where {
	__u32 index;
	__u32 zero;
	__u64 table;
	__u64 entry;
	__u64 page;
};

static struct bpf_object *object;
static size_t page_size;
static int copy_fd, where_fd;
static struct ncg_walk_request *requests;
static char *pages, *tables;
static __u64 *entries;
static struct test_copy_where where[BATCH];
static size_t mapped[4];

static int run(int program_fd, void *context, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = context, .ctx_size_in = size);
	int r = bpf_prog_test_run_opts(program_fd, &options);

	return r < 0 ? r : (int)options.retval;
}

static void *map_array(const char *name, size_t *ret_size)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	size_t page = sysconf(_SC_PAGESIZE), size;
	void *at;

	if (!map)
		return NULL;
	size = (bpf_map__max_entries(map) * bpf_map__value_size(map) + page - 1) & ~(page - 1);
	*ret_size = size;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	return at == MAP_FAILED ? NULL : at;
}

static int set_page_size(void)
{
	static const char *const sized[] = { "pages", "tables" };
	struct bpf_map *map;

	for (size_t i = 0; i < 2; i++) {
		map = bpf_object__find_map_by_name(object, sized[i]);
		if (!map || bpf_map__set_value_size(map, page_size))
			return -1;
	}
	bpf_object__for_each_map(map, object) {
		size_t size;
		void *value = bpf_map__initial_value(map, &size);

		if (!value || !strstr(bpf_map__name(map), ".rodata"))
			continue;
		/* page_size is the object's only constant */
		if (size != sizeof(__u32))
			return -1;
		*(__u32 *)value = page_size;
		return 0;
	}
	return -1;
}

static int setup(void **state)
{
	const char *folder = getenv("NCG_BPF_DIR");
	char path[512];
	int r;

	(void)state;
	if (!folder) {
		print_error("NCG_BPF_DIR is not set\n");
		return -1;
	}
	snprintf(path, sizeof(path), "%s/test_copy.bpf.o", folder);
	object = bpf_object__open_file(path, NULL);
	if (!object) {
		print_error("%s: %s\n", path, strerror(errno));
		return -1;
	}
	if (set_page_size()) {
		print_error("%s is not built as this test expects\n", path);
		return -1;
	}
	r = bpf_object__load(object);
	if (r == -EPERM && geteuid()) {
		bpf_object__close(object);
		object = NULL;
		return 0;
	}
	if (r < 0) {
		print_error("%s cannot be loaded: %s\n", path, strerror(-r));
		return -1;
	}
	copy_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "copy_tables"));
	where_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "where_is"));
	requests = map_array("requests", &mapped[0]);
	pages = map_array("pages", &mapped[1]);
	tables = map_array("tables", &mapped[2]);
	entries = map_array("entries", &mapped[3]);
	if (copy_fd < 0 || where_fd < 0 || !requests || !pages || !tables || !entries)
		return -1;
	for (__u32 i = 0; i < BATCH; i++) {
		where[i] = (struct test_copy_where){ .index = i };
		if (run(where_fd, &where[i], sizeof(where[i])) || !where[i].table)
			return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	void *const at[] = { requests, pages, tables, entries };

	(void)state;
	for (size_t i = 0; i < 4 && object; i++)
		munmap(at[i], mapped[i]);
	bpf_object__close(object);
	object = NULL;
	return 0;
}

static int setup_4k(void **state)
{
	page_size = 4096;
	return setup(state);
}

static int setup_16k(void **state)
{
	page_size = 16384;
	return setup(state);
}

static int setup_64k(void **state)
{
	page_size = 65536;
	return setup(state);
}

/* Before each test: new tables, and results that no copy leaves. */
static int fresh(void **state)
{
	static uint64_t seed = 20260131;

	(void)state;
	if (!object)
		return 0;
	for (size_t i = 0; i < BATCH * page_size / sizeof(__u64); i++)
		((__u64 *)tables)[i] = model_random(&seed);
	for (size_t i = 0; i < BATCH; i++) {
		entries[i] = model_random(&seed);
		requests[i] = (struct ncg_walk_request){ .table = where[i].table,
							 .status = UNTOUCHED };
	}
	memset(pages, 0xaa, BATCH * page_size);
	return 0;
}

#define need_bpf() do {			\
		if (!object)		\
			skip();		\
	} while (0)

static void copy(__u32 count)
{
	struct ncg_walk_batch batch = { .count = count };

	assert_int_equal(run(copy_fd, &batch, sizeof(batch)), 0);
}

static bool copied(size_t i)
{
	return !memcmp(pages + i * page_size, tables + i * page_size, page_size);
}

static void expect(size_t i, int status)
{
	if (requests[i].status != status)
		fail_msg("request %zu: status %d instead of %d", i, requests[i].status, status);
	if (!status && !copied(i))
		fail_msg("request %zu: the copy is not the page", i);
}

/* Request i was not looked at. */
static void expect_untouched(size_t i)
{
	assert_int_equal(requests[i].status, UNTOUCHED);
	for (size_t byte = 0; byte < page_size; byte++)
		assert_int_equal((__u8)pages[i * page_size + byte], 0xaa);
}

/* -------------------------------------------------------------------- tests */

static void test_page_is_copied(void **state)
{
	(void)state;
	need_bpf();
	assert_false(copied(0));
	copy(1);
	expect(0, 0);
	expect_untouched(1);
}

static void test_none_asked(void **state)
{
	(void)state;
	need_bpf();
	copy(0);
	expect_untouched(0);
}

/* Whatever page a request names, the copy goes where the request stands. */
static void test_any_page(void **state)
{
	(void)state;
	need_bpf();
	requests[0].table = where[60].table;
	requests[1].table = where[0].table;
	requests[2].table = where[0].table;
	copy(3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(requests[i].status, 0);
	assert_memory_equal(pages, tables + 60 * page_size, page_size);
	assert_memory_equal(pages + page_size, tables, page_size);
	assert_memory_equal(pages + 2 * page_size, tables, page_size);
}

static void test_unreadable_page(void **state)
{
	(void)state;
	need_bpf();
	for (size_t i = 0; i < UNREADABLE; i++)
		requests[2 * i].table = unreadable[i];
	copy(2 * UNREADABLE);
	for (size_t i = 0; i < UNREADABLE; i++) {
		expect(2 * i, -EFAULT);
		expect(2 * i + 1, 0);
	}
	expect_untouched(2 * UNREADABLE);
}

/* The way of request i: steps entries, the last of them entries[i], all as expected. */
static void lead(size_t i, __u32 steps)
{
	requests[i].steps = steps;
	for (__u32 s = 0; s < steps; s++) {
		size_t at = (i + BATCH - (steps - 1 - s)) % BATCH;

		requests[i].way[s].where = where[at].entry;
		requests[i].way[s].expect = entries[at];
	}
}

static void test_way(void **state)
{
	enum { EQUAL, CHANGED, LOWEST_BIT, HIGHEST_BIT, GONE, CASES };

	(void)state;
	need_bpf();
	for (size_t i = 0; i < CASES; i++) {
		lead(i, 2);
		requests[i].way[0] = (struct ncg_walk_step){ where[CASES].entry, entries[CASES] };
	}
	entries[CHANGED] = 0;
	requests[LOWEST_BIT].way[1].expect ^= 1;
	requests[HIGHEST_BIT].way[1].expect ^= 1ull << 63;
	requests[GONE].way[1].where = 0xfffffc0000000000;
	copy(CASES);
	expect(EQUAL, 0);
	expect(CHANGED, -ESTALE);
	expect(LOWEST_BIT, -ESTALE);
	expect(HIGHEST_BIT, -ESTALE);
	expect(GONE, -ESTALE);
	/* a page that cannot be read is that, whatever became of the way to it */
	requests[CHANGED].table = 0;
	copy(CASES);
	expect(CHANGED, -EFAULT);
	expect(EQUAL, 0);
}

/* Every step is looked at: a table that was freed still points where it did. */
static void test_each_step(void **state)
{
	(void)state;
	need_bpf();
	for (size_t i = 0; i < NCG_WALK_STEPS; i++) {
		lead(i, NCG_WALK_STEPS);
		requests[i].way[i].expect ^= 4;
	}
	lead(NCG_WALK_STEPS, NCG_WALK_STEPS);
	copy(NCG_WALK_STEPS + 1);
	expect(0, -ESRCH);
	for (size_t i = 1; i < NCG_WALK_STEPS; i++)
		expect(i, -ESTALE);
	expect(NCG_WALK_STEPS, 0);
}

/* Only the steps that there are. */
static void test_no_way(void **state)
{
	(void)state;
	need_bpf();
	requests[0].way[0].expect = 0x1234;
	lead(1, 1);
	requests[1].way[1].expect = 0x1234;
	copy(2);
	expect(0, 0);
	expect(1, 0);
}

/*
 * The way is read after the page, not before: this entry lies in the copy, and so
 * has its value only once the page is copied.
 */
static void test_way_is_read_last(void **state)
{
	const size_t last = page_size - sizeof(__u64);

	(void)state;
	need_bpf();
	requests[0].steps = 1;
	requests[0].way[0].where = where[0].page + last;
	memcpy(&requests[0].way[0].expect, tables + last, sizeof(__u64));
	copy(1);
	expect(0, 0);
}

/* A status of an earlier batch is not left standing. */
static void test_again(void **state)
{
	(void)state;
	need_bpf();
	requests[0].table = 0;
	lead(1, 2);
	requests[1].way[1].expect = ~entries[1];
	copy(2);
	expect(0, -EFAULT);
	expect(1, -ESTALE);
	requests[0].table = where[0].table;
	requests[1].way[1].expect = entries[1];
	copy(2);
	expect(0, 0);
	expect(1, 0);
}

static void test_whole_batch(void **state)
{
	(void)state;
	need_bpf();
	for (size_t i = 0; i < BATCH; i++) {
		lead(i, i % 3);
		if (!(i % 5))
			requests[i].way[1].expect = ~entries[i];
		if (!(i % 7))
			requests[i].table = unreadable[i / 7 % UNREADABLE];
	}
	copy(BATCH);
	for (size_t i = 0; i < BATCH; i++)
		expect(i, !(i % 7) ? -EFAULT : i % 3 == 2 && !(i % 5) ? -ESTALE : 0);
}

/* More than there are places: all places are served, and that is all. */
static void test_beyond_the_batch(void **state)
{
	(void)state;
	need_bpf();
	copy(BATCH + 1);
	for (size_t i = 0; i < BATCH; i++)
		expect(i, 0);
}

#define test(function) cmocka_unit_test_setup(function, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_page_is_copied),
		test(test_none_asked),
		test(test_any_page),
		test(test_unreadable_page),
		test(test_way),
		test(test_each_step),
		test(test_no_way),
		test(test_way_is_read_last),
		test(test_again),
		test(test_whole_batch),
		test(test_beyond_the_batch),
	};

	return cmocka_run_group_tests_name("4k", tests, setup_4k, teardown) +
	       cmocka_run_group_tests_name("16k", tests, setup_16k, teardown) +
	       cmocka_run_group_tests_name("64k", tests, setup_64k, teardown);
}
