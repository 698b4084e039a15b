// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shares of the trail by their numbers: what they give at once and with time, that one's
 * is not another's, and that nobody gets a new one by asking under many names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "allowance.h"
#include "cleanup.h"

#define HOUR UINT64_C(3600000000000)

static void freep(struct ncg_allowance **allowance)
{
	ncg_allowance_free(*allowance);
}

#define auto_allowance ncg_cleanup(freep) struct ncg_allowance

static struct ncg_task task(__u32 pid, __u64 cgroup, __u32 uid)
{
	return (struct ncg_task){ .pid = pid, .start_boot_ns = 1, .cgroup_id = cgroup, .uid = uid };
}

/* How many records task gets at that time before it is refused, and why then. */
static unsigned int records(struct ncg_allowance *allowance, struct ncg_task who, __u64 now,
			    enum ncg_fold_why *ret_why)
{
	unsigned int count = 0;

	while (!(*ret_why = ncg_allowance_record(allowance, &who, now)))
		count++;
	return count;
}

static unsigned int vms(struct ncg_allowance *allowance, struct ncg_task who, __u64 now)
{
	unsigned int count = 0;

	while (!ncg_allowance_vm(allowance, &who, now))
		count++;
	return count;
}

static void test_vms(void **state)
{
	auto_allowance *a = ncg_allowance_new();

	(void)state;
	assert_int_equal(vms(a, task(1, 0, 0), HOUR), NCG_ALLOWANCE_GUEST);
	assert_int_equal(vms(a, task(1, 0, 0), HOUR + HOUR / NCG_ALLOWANCE_GUEST_HOUR - 1), 0);
	assert_int_equal(vms(a, task(1, 0, 0), HOUR + HOUR / NCG_ALLOWANCE_GUEST_HOUR), 1);
	assert_int_equal(vms(a, task(1, 0, 0), HOUR), 0); /* an earlier event's */
	assert_int_equal(vms(a, task(1, 0, 0), 100 * HOUR), NCG_ALLOWANCE_GUEST);
	assert_int_equal(vms(a, task(2, 0, 0), 100 * HOUR), NCG_ALLOWANCE_GUEST);
}

/* What is left between two askings is not lost: a share fills at its rate however often. */
static void test_fills_at_its_rate(void **state)
{
	auto_allowance *a = ncg_allowance_new();
	enum ncg_fold_why why;
	unsigned int sum = 0;

	(void)state;
	assert_int_equal(records(a, task(1, 7, 0), HOUR, &why), NCG_ALLOWANCE_CGROUP);
	assert_int_equal(why, NCG_FOLD_CGROUP);
	for (__u64 i = 1; i <= 1000; i++)
		sum += records(a, task(1, 7, 0), HOUR + i * HOUR / 1000, &why);
	assert_int_equal(sum, NCG_ALLOWANCE_CGROUP_HOUR);
}

/* A cgroup takes nothing from another; a user's many end at the user's share. */
static void test_shares(void **state)
{
	auto_allowance *a = ncg_allowance_new();
	enum ncg_fold_why why;

	(void)state;
	assert_int_equal(records(a, task(1, 1, 1000), HOUR, &why), NCG_ALLOWANCE_CGROUP);
	assert_int_equal(why, NCG_FOLD_CGROUP);
	assert_int_equal(records(a, task(1, 2, 1000), HOUR, &why), NCG_ALLOWANCE_CGROUP);
	assert_int_equal(records(a, task(1, 3, 1000), HOUR, &why),
			 NCG_ALLOWANCE_USER - 2 * NCG_ALLOWANCE_CGROUP);
	assert_int_equal(why, NCG_FOLD_USER);
	/* who is refused by one share has used nothing of the others */
	assert_int_equal(records(a, task(1, 3, 1001), HOUR, &why), NCG_ALLOWANCE_CGROUP);
	assert_int_equal(why, NCG_FOLD_CGROUP);
}

/* Under any number of names, processes, cgroups and users: the host's share is the end. */
static void test_many_names(void **state)
{
	auto_allowance *a = ncg_allowance_new();
	unsigned int sum = 0;

	(void)state;
	for (__u32 n = 1; n <= 400000; n++) {
		struct ncg_task who = task(n, n, n);

		sum += !ncg_allowance_record(a, &who, HOUR);
	}
	assert_int_equal(sum, NCG_ALLOWANCE_HOST);
}

/* One whose share is empty does not get another by crowds that come and go meanwhile. */
static void test_crowds(void **state)
{
	auto_allowance *a = ncg_allowance_new();
	enum ncg_fold_why why;

	(void)state;
	assert_int_equal(records(a, task(1, 1, 1000), HOUR, &why), NCG_ALLOWANCE_CGROUP);
	for (__u32 n = 2; n <= 20000; n++) {
		struct ncg_task who = task(n, n, 1000000 + n);

		ncg_allowance_record(a, &who, HOUR);
	}
	assert_int_equal(records(a, task(1, 1, 1000), HOUR, &why), 0);
	assert_int_equal(why, NCG_FOLD_CGROUP);
}

static void test_gaps(void **state)
{
	auto_allowance *a = ncg_allowance_new();
	unsigned int count = 0;

	(void)state;
	while (ncg_allowance_gap(a, HOUR))
		count++;
	assert_int_equal(count, NCG_ALLOWANCE_GAPS);
	assert_true(ncg_allowance_gap(a, HOUR + HOUR / NCG_ALLOWANCE_GAPS_HOUR));
	assert_false(ncg_allowance_gap(a, HOUR + HOUR / NCG_ALLOWANCE_GAPS_HOUR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vms),
		cmocka_unit_test(test_fills_at_its_rate),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_crowds),
		cmocka_unit_test(test_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
