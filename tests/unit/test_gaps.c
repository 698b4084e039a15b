// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which numbers are settled as lost: by a table of short histories, by random
 * ones against a list of what was delivered, and beyond the bound, where a loss
 * may be shown too large and never too small. No state outside each test.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gaps.h"
#include "policy_model.h"

/* When a number was drawn. */
#define TIME(seq) (5 + (uint64_t)(seq))

static void begin(struct ncg_gaps *gaps, uint64_t last)
{
	ncg_gaps_init(gaps, last, TIME(last));
}

static bool take(struct ncg_gaps *gaps, uint64_t seq)
{
	return ncg_gaps_seen(gaps, seq, TIME(seq));
}

/* Hands out a gap of any number; its window holds all that is missing. */
static bool settled(struct ncg_gaps *gaps, struct ncg_gap *ret_gap)
{
	if (!ncg_gaps_settle(gaps, UINT64_MAX, ret_gap))
		return false;
	assert_true(ret_gap->since < TIME(ret_gap->first));
	assert_true(ret_gap->until > TIME(ret_gap->last));
	return true;
}

/* -------------------------------------------------------------------- table */

#define STEPS 8

struct history {
	const char *name;
	uint64_t last; /* to begin after */
	struct {
		uint64_t seq;
		bool is_new;
		uint64_t done; /* after it */
	} step[STEPS]; /* up to seq 0 */
	struct {
		uint64_t first;
		uint64_t last;
	} lost[STEPS]; /* up to first 0 */
};

static const struct history histories[] = {
	{ "nothing", 7, {}, {} },
	{ "in order", 0, { { 1, true, 1 }, { 2, true, 2 }, { 3, true, 3 } }, {} },
	{ "after a restart", 41, { { 42, true, 42 }, { 43, true, 43 } }, {} },
	{ "two change places", 0, { { 2, true, 0 }, { 1, true, 2 }, { 3, true, 3 } }, {} },
	{ "one is missing", 0, { { 1, true, 1 }, { 3, true, 1 } }, { { 2, 2 } } },
	{ "the first are missing", 0, { { 3, true, 0 } }, { { 1, 2 } } },
	{ "two gaps", 10, { { 12, true, 10 }, { 15, true, 10 } }, { { 11, 11 }, { 13, 14 } } },
	{ "the younger gap closes", 0, { { 2, true, 0 }, { 4, true, 0 }, { 3, true, 0 } },
	  { { 1, 1 } } },
	{ "the older gap closes", 0, { { 2, true, 0 }, { 4, true, 0 }, { 1, true, 2 } },
	  { { 3, 3 } } },
	{ "from below", 0, { { 5, true, 0 }, { 1, true, 1 }, { 2, true, 2 } }, { { 3, 4 } } },
	{ "from above", 0, { { 5, true, 0 }, { 4, true, 0 }, { 3, true, 0 } }, { { 1, 2 } } },
	{ "in the middle", 0, { { 6, true, 0 }, { 3, true, 0 } }, { { 1, 2 }, { 4, 5 } } },
	{ "all of it, middle first", 0,
	  { { 4, true, 0 }, { 2, true, 0 }, { 1, true, 2 }, { 3, true, 4 } }, {} },
	{ "older than the start", 9, { { 9, false, 9 }, { 1, false, 9 }, { 10, true, 10 } }, {} },
	{ "repeats", 0,
	  { { 1, true, 1 }, { 1, false, 1 }, { 4, true, 1 }, { 4, false, 1 }, { 3, true, 1 },
	    { 3, false, 1 } },
	  { { 2, 2 } } },
	{ "large numbers", UINT64_C(1) << 60,
	  { { (UINT64_C(1) << 60) + 2, true, UINT64_C(1) << 60 } },
	  { { (UINT64_C(1) << 60) + 1, (UINT64_C(1) << 60) + 1 } } },
};

static void history_check(const struct history *h)
{
	struct ncg_gaps gaps;
	struct ncg_gap gap;

	begin(&gaps, h->last);
	assert_int_equal(ncg_gaps_done(&gaps), h->last);
	for (size_t i = 0; i < STEPS && h->step[i].seq; i++) {
		bool is_new = take(&gaps, h->step[i].seq);

		if (is_new != h->step[i].is_new || ncg_gaps_done(&gaps) != h->step[i].done)
			fail_msg("%s: number %" PRIu64 ": new %d, done %" PRIu64, h->name,
				 h->step[i].seq, is_new, ncg_gaps_done(&gaps));
	}
	for (size_t i = 0; i < STEPS && h->lost[i].first; i++) {
		if (ncg_gaps_done(&gaps) != h->lost[i].first - 1)
			fail_msg("%s: done %" PRIu64 " before loss %zu", h->name,
				 ncg_gaps_done(&gaps), i);
		if (!settled(&gaps, &gap) || gap.first != h->lost[i].first ||
		    gap.last != h->lost[i].last)
			fail_msg("%s: loss %zu is not as expected", h->name, i);
	}
	if (settled(&gaps, &gap))
		fail_msg("%s: %" PRIu64 " to %" PRIu64 " lost as well", h->name, gap.first,
			 gap.last);
	assert_int_equal(ncg_gaps_done(&gaps), gaps.next - 1);
}

static void test_histories(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(histories) / sizeof(*histories); i++)
		history_check(&histories[i]);
}

static void test_settled_is_dealt_with(void **state)
{
	struct ncg_gaps gaps;
	struct ncg_gap gap;

	(void)state;
	begin(&gaps, 0);
	take(&gaps, 4);
	assert_true(settled(&gaps, &gap));
	assert_int_equal(ncg_gaps_done(&gaps), 4);
	/* it was recorded as lost: to record it as seen too would be twice */
	assert_false(take(&gaps, 2));
	assert_true(take(&gaps, 5));
	assert_int_equal(ncg_gaps_done(&gaps), 5);
}

/* Only what ends at or before the number that is due; the rest may still come. */
static void test_not_due_stays(void **state)
{
	struct ncg_gaps gaps;
	struct ncg_gap gap;

	(void)state;
	begin(&gaps, 0);
	take(&gaps, 3);
	take(&gaps, 7);
	assert_false(ncg_gaps_settle(&gaps, 1, &gap));
	assert_true(ncg_gaps_settle(&gaps, 5, &gap));
	assert_int_equal(gap.first, 1);
	assert_int_equal(gap.last, 2);
	/* 4 to 6 is missing, and 6 is not due yet */
	assert_false(ncg_gaps_settle(&gaps, 5, &gap));
	assert_int_equal(ncg_gaps_done(&gaps), 3);
	assert_true(take(&gaps, 6));
	assert_true(ncg_gaps_settle(&gaps, 5, &gap));
	assert_int_equal(gap.first, 4);
	assert_int_equal(gap.last, 5);
}

/* Numbers that were drawn are missed although no later one ever comes. */
static void test_expected(void **state)
{
	struct ncg_gaps gaps;
	struct ncg_gap gap;

	(void)state;
	begin(&gaps, 10);
	ncg_gaps_expect(&gaps, 10, 1000);
	assert_false(ncg_gaps_settle(&gaps, UINT64_MAX, &gap));
	ncg_gaps_expect(&gaps, 13, 1000);
	ncg_gaps_expect(&gaps, 12, 2000);
	assert_int_equal(ncg_gaps_done(&gaps), 10);
	/* one of them comes after all, and is no repeat */
	assert_true(take(&gaps, 11));
	assert_true(settled(&gaps, &gap));
	assert_int_equal(gap.first, 12);
	assert_int_equal(gap.last, 13);
	assert_int_equal(gap.since, TIME(10));
	assert_int_equal(gap.until, 1000);
	assert_false(settled(&gaps, &gap));
	assert_true(take(&gaps, 14));
	assert_int_equal(ncg_gaps_done(&gaps), 14);
}

/* A loss that could not be recorded is handed out again. */
static void test_put_back(void **state)
{
	struct ncg_gaps gaps;
	struct ncg_gap gap, again;

	(void)state;
	begin(&gaps, 0);
	take(&gaps, 3);
	take(&gaps, 5);
	assert_true(settled(&gaps, &gap));
	ncg_gaps_put_back(&gaps, &gap);
	assert_int_equal(ncg_gaps_done(&gaps), 0);
	assert_true(settled(&gaps, &again));
	assert_memory_equal(&again, &gap, sizeof(gap));
	assert_true(settled(&gaps, &gap));
	assert_int_equal(gap.first, 4);
	assert_false(settled(&gaps, &gap));
}

/* The later number of two CPUs may carry the earlier time. */
static void test_times_out_of_order(void **state)
{
	struct ncg_gaps gaps;
	struct ncg_gap gap;

	(void)state;
	ncg_gaps_init(&gaps, 0, 100);
	ncg_gaps_seen(&gaps, 2, 90);
	assert_true(ncg_gaps_settle(&gaps, 2, &gap));
	assert_int_equal(gap.since, 90);
	assert_int_equal(gap.until, 100);
}

/* ------------------------------------------------------------------- random */

#define RUNS 300
#define BLOCKS 12
#define BLOCK_MAX 1500 /* with every third missing, and MAX not reached */

enum fate { MISSING, SEEN, LOST };

struct world {
	struct ncg_gaps gaps;
	uint64_t seed;
	uint64_t last;	 /* numbers are last + 1 on */
	uint64_t drawn;	 /* so many of them */
	enum fate fate[BLOCKS * BLOCK_MAX];
	uint64_t done;	 /* as a count of numbers */
};

static void check(struct world *w)
{
	uint64_t highest = w->gaps.next - 1 - w->last;

	/* A missing number above the highest seen is none yet. */
	while (w->done < highest && w->fate[w->done] != MISSING)
		w->done++;
	assert_int_equal(ncg_gaps_done(&w->gaps), w->last + w->done);
	assert_in_range(w->gaps.count, 0, NCG_GAPS_MAX);
}

static void settle(struct world *w, size_t limit)
{
	struct ncg_gap gap;

	while (limit-- && settled(&w->gaps, &gap)) {
		assert_true(gap.first <= gap.last);
		assert_in_range(gap.last - w->last, 1, w->drawn);
		for (uint64_t seq = gap.first; seq <= gap.last; seq++) {
			assert_int_equal(w->fate[seq - w->last - 1], MISSING);
			w->fate[seq - w->last - 1] = LOST;
		}
		check(w);
	}
}

/* Draws one block of numbers and delivers what is not withheld, shuffled. */
static void deliver(struct world *w)
{
	static uint32_t order[BLOCK_MAX];
	const unsigned int withhold = model_below(&w->seed, 34);
	size_t size = 1 + model_below(&w->seed, BLOCK_MAX), count = 0, reach;

	for (size_t i = 0; i < size; i++)
		if (!model_chance(&w->seed, withhold))
			order[count++] = w->drawn + i;
	w->drawn += size;
	/* Two CPUs change a few places, a stopped one changes many. */
	reach = 1 + model_below(&w->seed, model_chance(&w->seed, 70) ? 8 : BLOCK_MAX);
	for (size_t i = 0; i < count; i++) {
		size_t most = count - i < reach ? count - i : reach;
		size_t other = i + model_below(&w->seed, most);
		uint32_t swap = order[i];

		order[i] = order[other];
		order[other] = swap;
	}

	for (size_t i = 0; i < count; i++) {
		assert_true(take(&w->gaps, w->last + 1 + order[i]));
		w->fate[order[i]] = SEEN;
		check(w);
		if (model_chance(&w->seed, 5)) {
			size_t again = order[model_below(&w->seed, i + 1)];

			assert_false(take(&w->gaps, w->last + 1 + again));
			check(w);
		}
	}
}

static void test_exactly_the_withheld_are_lost(void **state)
{
	static struct world w;
	uint64_t seed = model_seed(20260131), seen = 0, lost = 0;

	(void)state;
	for (size_t run = 0; run < RUNS; run++) {
		memset(&w, 0, sizeof(w));
		w.seed = model_random(&seed);
		w.last = model_chance(&w.seed, 50) ? 0 : model_random(&w.seed) >> 1;
		begin(&w.gaps, w.last);
		for (size_t block = 0; block < BLOCKS; block++) {
			deliver(&w);
			/* nothing of a block comes after it: all, some or none may settle */
			settle(&w, model_chance(&w.seed, 50) ? SIZE_MAX :
							       model_below(&w.seed, 20));
			if (w.gaps.count > NCG_GAPS_MAX / 2)
				settle(&w, SIZE_MAX);
		}
		/* the end of all: a number that shows what is missing before it */
		w.drawn += w.drawn < BLOCKS * BLOCK_MAX;
		take(&w.gaps, w.last + w.drawn);
		w.fate[w.drawn - 1] = SEEN;
		settle(&w, SIZE_MAX);
		for (uint64_t i = 0; i < w.drawn; i++) {
			assert_int_not_equal(w.fate[i], MISSING);
			seen += w.fate[i] == SEEN;
			lost += w.fate[i] == LOST;
		}
		assert_int_equal(ncg_gaps_done(&w.gaps), w.last + w.drawn);
	}
	printf("%" PRIu64 " seen, %" PRIu64 " lost\n", seen, lost);
	assert_true(seen > 100000 && lost > 10000);
}

/* ------------------------------------------------------------------- ranges */

static void expect_same(const struct ncg_gaps *a, const struct ncg_gaps *b)
{
	assert_int_equal(a->next, b->next);
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		assert_int_equal(a->open[i].first, b->open[i].first);
		assert_int_equal(a->open[i].last, b->open[i].last);
	}
}

/* A range is all its numbers, one after the other. */
static void test_range_is_its_numbers(void **state)
{
	static struct ncg_gaps whole, single;
	uint64_t seed = model_seed(20260606);

	(void)state;
	for (size_t run = 0; run < 2000; run++) {
		uint64_t start = model_random(&seed) >> 2;

		begin(&whole, start);
		begin(&single, start);
		for (size_t i = 0; i < 40; i++) {
			uint64_t first = start - 3 + model_below(&seed, 100);
			uint64_t size = 1 + model_below(&seed, model_chance(&seed, 50) ? 3 : 40);

			ncg_gaps_seen_range(&whole, first, first + size - 1, TIME(first + size));
			for (uint64_t seq = first; seq < first + size; seq++)
				ncg_gaps_seen(&single, seq, TIME(first + size));
			expect_same(&whole, &single);
		}
	}
}

/* A loss of any size is dealt with at once: number by number this would never end. */
static void test_range_of_any_size(void **state)
{
	const uint64_t far = UINT64_C(1) << 62;
	struct ncg_gaps gaps;
	struct ncg_gap gap;

	(void)state;
	begin(&gaps, 0);
	ncg_gaps_seen_range(&gaps, 10, far, TIME(far));
	assert_int_equal(ncg_gaps_done(&gaps), 0);
	ncg_gaps_seen_range(&gaps, 1, 4, TIME(far));
	assert_int_equal(ncg_gaps_done(&gaps), 4);
	/* backwards is no range */
	ncg_gaps_seen_range(&gaps, 9, 5, TIME(far));
	assert_true(ncg_gaps_settle(&gaps, far, &gap));
	assert_int_equal(gap.first, 5);
	assert_int_equal(gap.last, 9);
	assert_int_equal(ncg_gaps_done(&gaps), far);
	assert_false(ncg_gaps_seen(&gaps, far, TIME(far)));
	assert_true(ncg_gaps_seen(&gaps, far + 1, TIME(far + 1)));
}

/* ----------------------------------------------------------------- overflow */

/* The two nearest are made one; the others are left alone. */
static void test_overflow_joins_the_nearest(void **state)
{
	static struct ncg_gaps gaps;
	struct ncg_gap gap;
	uint64_t seq = 0;

	(void)state;
	/* each gap is one number, ten seen ones after it; only gap 500 is near 501 */
	begin(&gaps, 0);
	for (size_t i = 0; i <= NCG_GAPS_MAX; i++) {
		seq++;
		for (size_t j = 0; j < (i == 500 ? 3 : 10); j++)
			assert_true(take(&gaps, ++seq));
	}
	assert_int_equal(gaps.count, NCG_GAPS_MAX);
	for (size_t i = 0; i < NCG_GAPS_MAX; i++) {
		assert_true(settled(&gaps, &gap));
		/* 5501 and 5505 are one now; those after them come 7 sooner */
		assert_int_equal(gap.first, 1 + 11 * i + (i > 500 ? 4 : 0));
		assert_int_equal(gap.last, gap.first + (i == 500 ? 4 : 0));
	}
	assert_false(settled(&gaps, &gap));
	assert_int_equal(ncg_gaps_done(&gaps), seq);
}

/* A number inside a gap while all places are taken: it splits like any other. */
static void test_overflow_in_the_middle(void **state)
{
	static const size_t where[] = { 0, 1, NCG_GAPS_MAX / 2, NCG_GAPS_MAX - 1 };

	(void)state;
	for (size_t w = 0; w < sizeof(where) / sizeof(*where); w++) {
		static struct ncg_gaps gaps;
		const uint64_t middle = 6 * where[w] + 3;
		uint64_t named = 0;
		struct ncg_gap gap;

		/* gaps of five, one seen number after each: 1-5, 7-11, ... */
		begin(&gaps, 0);
		for (size_t i = 1; i <= NCG_GAPS_MAX; i++)
			assert_true(take(&gaps, 6 * i));
		assert_int_equal(gaps.count, NCG_GAPS_MAX);
		assert_true(take(&gaps, middle));
		assert_int_equal(gaps.count, NCG_GAPS_MAX);
		assert_int_equal(ncg_gaps_done(&gaps), 0);
		while (settled(&gaps, &gap)) {
			named += gap.last - gap.first + 1;
			/* all are equally near: the oldest two were joined, not its halves */
			if (where[w])
				assert_false(middle >= gap.first && middle <= gap.last);
		}
		/* one number too many, the least that a join costs */
		assert_int_equal(named, 5 * NCG_GAPS_MAX - 1 + 1);
		assert_int_equal(ncg_gaps_done(&gaps), 6 * NCG_GAPS_MAX);
	}
}

#define FLOOD 20000

static void test_overflow_forgets_nothing(void **state)
{
	static uint32_t order[FLOOD];
	static bool seen[FLOOD + 1], named[FLOOD + 1];
	uint64_t seed = model_seed(20260201);
	size_t too_many = 0, full = 0;

	(void)state;
	for (size_t run = 0; run < 25; run++) {
		static struct ncg_gaps gaps;
		struct ncg_gap gap;
		uint64_t previous = 0;
		size_t count = 0, reach = run & 1 ? FLOOD : 50;

		memset(seen, 0, sizeof(seen));
		memset(named, 0, sizeof(named));
		for (size_t i = 1; i <= FLOOD; i++)
			if (i == FLOOD || !model_chance(&seed, 30))
				order[count++] = i;
		for (size_t i = 0; i < count; i++) {
			size_t most = count - i < reach ? count - i : reach;
			size_t other = i + model_below(&seed, most);
			uint32_t swap = order[i];

			order[i] = order[other];
			order[other] = swap;
		}

		begin(&gaps, 0);
		for (size_t i = 0; i < count; i++) {
			uint64_t done;

			assert_true(take(&gaps, order[i]));
			seen[order[i]] = true;
			assert_in_range(gaps.count, 0, NCG_GAPS_MAX);
			full += gaps.count == NCG_GAPS_MAX;
			/* never beyond what is missing, and never back */
			done = ncg_gaps_done(&gaps);
			assert_true(done >= previous);
			for (uint64_t seq = previous + 1; seq <= done; seq++)
				assert_true(seen[seq]);
			previous = done;
		}
		while (settled(&gaps, &gap)) {
			assert_in_range(gap.first, previous + 1, FLOOD);
			assert_in_range(gap.last, gap.first, FLOOD);
			previous = gap.last;
			for (uint64_t seq = gap.first; seq <= gap.last; seq++)
				named[seq] = true;
		}
		for (size_t seq = 1; seq <= FLOOD; seq++) {
			assert_true(seen[seq] || named[seq]);
			too_many += seen[seq] && named[seq];
		}
		assert_int_equal(ncg_gaps_done(&gaps), FLOOD);
	}
	printf("full %zu times, %zu of %d named too many\n", full, too_many, 25 * FLOOD);
	assert_true(full > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
		cmocka_unit_test(test_settled_is_dealt_with),
		cmocka_unit_test(test_not_due_stays),
		cmocka_unit_test(test_expected),
		cmocka_unit_test(test_put_back),
		cmocka_unit_test(test_times_out_of_order),
		cmocka_unit_test(test_exactly_the_withheld_are_lost),
		cmocka_unit_test(test_range_is_its_numbers),
		cmocka_unit_test(test_range_of_any_size),
		cmocka_unit_test(test_overflow_joins_the_nearest),
		cmocka_unit_test(test_overflow_in_the_middle),
		cmocka_unit_test(test_overflow_forgets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
