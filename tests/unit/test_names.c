// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every value of every shared enum has a name, no two have the same, and what is
 * out of range is "invalid". The strings that are part of a stable interface are
 * written out here once more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "names.h"

static void check_all(const char *(*name)(__u32), __u32 first, __u32 count)
{
	__u32 i, j;

	for (i = first; i < first + count; i++) {
		assert_non_null(name(i));
		assert_string_not_equal(name(i), "");
		assert_string_not_equal(name(i), "invalid");
		for (j = first; j < i; j++)
			assert_string_not_equal(name(i), name(j));
	}
	assert_string_equal(name(first + count), "invalid");
	assert_string_equal(name(UINT32_MAX), "invalid");
}

static void every_value_has_a_name_of_its_own(void **state)
{
	(void)state;
	check_all(ncg_names_memtype, 0, NCG_MT_NR);
	check_all(ncg_names_verdict, 0, NCG_VERDICT_NR);
	check_all(ncg_names_reason, 0, NCG_REASON_NR);
	check_all(ncg_names_mode, 0, NCG_MODE_NR);
	check_all(ncg_names_grade, 0, NCG_GRADE_NR);
	check_all(ncg_names_counter, 0, NCG_CTR_NR);
	check_all(ncg_names_event, NCG_EVENT_DECISION, 6);
	assert_string_equal(ncg_names_event(0), "invalid");
}

static void stable_names(void **state)
{
	(void)state;
	assert_string_equal(ncg_names_memtype(NCG_MT_NORMAL_WB), "normal_wb");
	assert_string_equal(ncg_names_memtype(NCG_MT_NORMAL_NC), "normal_nc");
	assert_string_equal(ncg_names_memtype(NCG_MT_NORMAL_WT), "normal_wt");
	assert_string_equal(ncg_names_memtype(NCG_MT_DEVICE_nGnRnE), "device_nGnRnE");
	assert_string_equal(ncg_names_memtype(NCG_MT_DEVICE_nGnRE), "device_nGnRE");
	assert_string_equal(ncg_names_memtype(NCG_MT_DEVICE_nGRE), "device_nGRE");
	assert_string_equal(ncg_names_memtype(NCG_MT_DEVICE_GRE), "device_GRE");
	assert_string_equal(ncg_names_memtype(NCG_MT_OTHER), "other");
	assert_string_equal(ncg_names_verdict(NCG_VERDICT_ALLOW), "allow");
	assert_string_equal(ncg_names_verdict(NCG_VERDICT_DENY), "deny");
	assert_string_equal(ncg_names_verdict(NCG_VERDICT_NONE), "none");
	assert_string_equal(ncg_names_reason(NCG_REASON_NO_POLICY), "kernel default");
	assert_string_equal(ncg_names_mode(NCG_MODE_ENFORCE), "enforce");
	assert_string_equal(ncg_names_grade(NCG_GRADE_HOOK), "hook");
	assert_string_equal(ncg_names_grade(NCG_GRADE_TRAP), "trap");
	assert_string_equal(ncg_names_event(NCG_EVENT_STAGE2_FIRST), "stage2_first");
	assert_string_equal(ncg_names_event(NCG_EVENT_STAGE2_CHANGE), "type_change");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_has_a_name_of_its_own),
		cmocka_unit_test(stable_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
