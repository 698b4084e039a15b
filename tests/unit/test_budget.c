// SPDX-License-Identifier: GPL-2.0-only
/* A share of a CPU, on a clock made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "budget.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)

static void begins_full(void **state)
{
	struct ncg_budget budget;

	(void)state;
	ncg_budget_init(&budget, 0.01, 5 * S);
	assert_int_equal(ncg_budget_left(&budget, 5 * S), 100 * MS);
	/* and is never more than that */
	assert_int_equal(ncg_budget_left(&budget, 500 * S), 100 * MS);
}

static void grows_with_the_clock(void **state)
{
	struct ncg_budget budget;

	(void)state;
	ncg_budget_init(&budget, 0.01, 0);
	ncg_budget_spend(&budget, 100 * MS);
	assert_int_equal(ncg_budget_left(&budget, 0), 0);
	assert_int_equal(ncg_budget_left(&budget, 1 * S), 10 * MS);
	/* asked twice at one moment, it grows once; a clock that stands gives nothing */
	assert_int_equal(ncg_budget_left(&budget, 1 * S), 10 * MS);
	assert_int_equal(ncg_budget_left(&budget, S / 2), 10 * MS);
}

/* Over a long time no more than the share is spent, whatever single pieces take. */
static void debts_are_paid(void **state)
{
	const uint64_t end = 1000 * S;
	struct ncg_budget budget;
	uint64_t now = 0, spent = 0, wait;

	(void)state;
	ncg_budget_init(&budget, 0.02, now);
	while (now < end) {
		uint64_t piece = 300 * MS; /* more than can be saved */

		wait = ncg_budget_wait(&budget, now, 0);
		if (wait) {
			now += wait;
			assert_true(ncg_budget_left(&budget, now) >= 0);
			continue;
		}
		ncg_budget_spend(&budget, piece);
		spent += piece;
		now += piece;
	}
	assert_in_range(spent, 19 * S, 21 * S);
}

static void says_how_long_to_wait(void **state)
{
	struct ncg_budget budget;

	(void)state;
	ncg_budget_init(&budget, 0.5, 0);
	assert_int_equal(ncg_budget_wait(&budget, 0, 5 * S), 0);
	ncg_budget_spend(&budget, 6 * S);
	assert_in_range(ncg_budget_wait(&budget, 0, 0), 2 * S, 2 * S + 1);
	assert_in_range(ncg_budget_wait(&budget, 0, 1 * S), 4 * S, 4 * S + 1);
	/* more than it can ever hold: until it is full */
	assert_in_range(ncg_budget_wait(&budget, 0, 100 * S), 12 * S, 12 * S + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_full),
		cmocka_unit_test(grows_with_the_clock),
		cmocka_unit_test(debts_are_paid),
		cmocka_unit_test(says_how_long_to_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
