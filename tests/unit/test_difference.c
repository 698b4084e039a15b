// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the walk finds against what the programs counted, and the samples it becomes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cleanup.h"
#include "difference.h"
#include "metrics_unique.h"

static struct ncg_device device = {
	.address = "0001:02:03.4", .domain = 1, .bus = 2, .devfn = 0x1c,
};
static struct ncg_walk_vm vm = { .state = NCG_WALK_VISIBLE };
static struct ncg_picture_use uses[2];
static struct ncg_picture_guest guest = { .vm = &vm, .id = "77-500", .uses = uses };
static const struct ncg_picture picture = { .guests = &guest, .count = 1 };

static struct ncg_use counted;

/* Of VM 5 and BAR 2 of the device something is counted. */
static bool count_of(void *arg, const struct ncg_use_key *key, struct ncg_use *ret_use)
{
	*(int *)arg += 1;
	if (key->vm != 5 || key->where != NCG_BAR_ID(1ULL, 2, 0x1c, 2))
		return false;
	*ret_use = counted;
	return true;
}

static int set_up(void **state)
{
	(void)state;
	vm.vm.id = 5;
	uses[0] = (struct ncg_picture_use){ .device = &device, .bar = 2 };
	uses[1] = (struct ncg_picture_use){ .phys = 1 << 30 };
	guest.use_count = 2;
	counted = (struct ncg_use){};
	return 0;
}

/* The samples, and how often a count was asked for. */
static void assert_samples(const char *samples, int asked)
{
	static const char family[] = "ncgate_device_stage2_difference_bytes{guest=\"77-500\","
				     "device=\"0001:02:03.4\",bar=\"2\",type=\"";
	ncg_autoexposition struct ncg_exposition *e = NULL;
	ncg_autofree char *all = NULL;
	char found[256] = "";
	int times = 0;

	assert_int_equal(ncg_exposition_new(0, &e), 0);
	ncg_difference_metrics(e, &picture, &(struct ncg_difference_counts){ count_of, &times });
	assert_int_equal(ncg_exposition_finish(e, &all, NULL), 0);
	for (char *at = all; (at = strstr(at, family)); at++)
		strncat(found, at + sizeof(family) - 1, strcspn(at, "\n") - sizeof(family) + 2);
	assert_string_equal(found, samples);
	assert_int_equal(times, asked);
}

static void equal_is_zero(void **state)
{
	(void)state;
	uses[0].bytes[NCG_MT_NORMAL_NC] = counted.bytes[NCG_MT_NORMAL_NC] = 16ULL << 30;
	assert_samples("normal_nc\"} 0\n", 1);
}

static void never_counted_is_above_zero(void **state)
{
	(void)state;
	uses[0].bytes[NCG_MT_NORMAL_NC] = (16ULL << 30) + 4096;
	counted.bytes[NCG_MT_NORMAL_NC] = 4096;
	assert_samples("normal_nc\"} 17179869184\n", 1);
	/* A VM that the programs do not know has nothing counted, whatever is at id 0. */
	vm.vm.id = 0;
	assert_samples("normal_nc\"} 17179873280\n", 0);
}

static void not_there_any_more_is_below_zero(void **state)
{
	(void)state;
	uses[0].bytes[NCG_MT_NORMAL_NC] = counted.bytes[NCG_MT_NORMAL_NC] = 4096;
	counted.bytes[NCG_MT_DEVICE_nGnRE] = 2097152;
	assert_samples("normal_nc\"} 0\ndevice_nGnRE\"} -2097152\n", 1);
}

static void nested_guests_are_counted_as_the_vm(void **state)
{
	(void)state;
	uses[0].bytes[NCG_MT_NORMAL_NC] = 4096;
	uses[0].nested_bytes[NCG_MT_NORMAL_NC] = 8192;
	counted.bytes[NCG_MT_NORMAL_NC] = 12288;
	assert_samples("normal_nc\"} 0\n", 1);
}

static void another_bar_is_not_this_one(void **state)
{
	(void)state;
	uses[0].bytes[NCG_MT_NORMAL_NC] = counted.bytes[NCG_MT_NORMAL_NC] = 4096;
	uses[0].bar = 0;
	assert_samples("", 1); /* none of BAR 2 */
}

static void several_vms_of_one_process(void **state)
{
	struct ncg_picture_guest guests[] = { guest, guest };
	const struct ncg_picture both = { .guests = guests, .count = 2 };
	ncg_autoexposition struct ncg_exposition *e = NULL;
	ncg_autofree char *all = NULL;
	int times = 0;

	(void)state;
	uses[0].bytes[NCG_MT_NORMAL_NC] = 4096;
	strcpy(guests[0].id, "77-500.2");
	assert_int_equal(ncg_exposition_new(0, &e), 0);
	ncg_difference_metrics(e, &both, &(struct ncg_difference_counts){ count_of, &times });
	assert_int_equal(ncg_exposition_finish(e, &all, NULL), 0);
	assert_metrics_unique(all);
	assert_non_null(strstr(all, "guest=\"77-500.2\""));
	assert_non_null(strstr(all, "guest=\"77-500\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(equal_is_zero, set_up),
		cmocka_unit_test_setup(never_counted_is_above_zero, set_up),
		cmocka_unit_test_setup(not_there_any_more_is_below_zero, set_up),
		cmocka_unit_test_setup(nested_guests_are_counted_as_the_vm, set_up),
		cmocka_unit_test_setup(another_bar_is_not_this_one, set_up),
		cmocka_unit_test_setup(several_vms_of_one_process, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
