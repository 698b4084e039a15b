// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel's BTF says of the change: each of the three answers, in every
 * form that kernels have them, and what is not known yet.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel_change.h"
#include "tree.h"
#include "btf_files.h"

static int set_up(void **state)
{
	(void)state;
	tree_make();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove();
	return 0;
}

static void assert_change(int error, enum ncg_change expected)
{
	enum ncg_change change = NCG_CHANGE_NR;

	assert_int_equal(ncg_kernel_change_read(tree, &change), error);
	assert_int_equal(change, expected);
}

static void a_kernel_before_the_change(void **state)
{
	(void)state;
	btf_kernel(".", false, true, false);
	assert_change(0, NCG_CHANGE_NONE);
}

/* A hook without the core has nothing to grant. */
static void a_hook_without_the_core(void **state)
{
	(void)state;
	btf_kernel(".", false, true, true);
	assert_change(0, NCG_CHANGE_NONE);
}

static void a_kernel_without_kvm(void **state)
{
	struct btf *btf = btf__new_empty();

	(void)state;
	btf_function(btf, "schedule");
	btf_write(btf, "kernel/btf/vmlinux");
	btf__free(btf);
	assert_change(0, NCG_CHANGE_NONE);
}

static void the_core_alone(void **state)
{
	(void)state;
	btf_kernel(".", true, true, false);
	assert_change(0, NCG_CHANGE_CORE);
}

static void the_core_and_the_hook(void **state)
{
	(void)state;
	btf_kernel(".", true, true, true);
	assert_change(0, NCG_CHANGE_HOOK);
}

static void an_enum_of_32_bits(void **state)
{
	struct btf *btf = btf__new_empty();

	(void)state;
	btf_prot(btf, false, true);
	btf_write(btf, "kernel/btf/vmlinux");
	btf__free(btf);
	assert_change(-EAGAIN, NCG_CHANGE_CORE);
}

static void a_module_that_is_not_loaded(void **state)
{
	(void)state;
	btf_kernel(".", true, false, false);
	assert_change(-EAGAIN, NCG_CHANGE_CORE);
}

/* Nothing can be attached to what has no BTF, so no hook is promised. */
static void a_module_without_btf(void **state)
{
	(void)state;
	btf_kernel(".", true, false, false);
	tree_dir("module/vfio_pci_core");
	assert_change(0, NCG_CHANGE_CORE);
	assert_int_equal(ncg_kernel_vfio_built_in(tree), 0);
}

static void vfio_built_into_the_kernel(void **state)
{
	struct btf *btf = btf__new_empty();

	(void)state;
	btf_prot(btf, true, true);
	btf_function(btf, "vfio_pci_core_mmap");
	btf_write(btf, "kernel/btf/vmlinux");
	assert_change(0, NCG_CHANGE_CORE);
	assert_int_equal(ncg_kernel_vfio_built_in(tree), 1);
	btf_function(btf, "vfio_pci_uncached_policy");
	btf_write(btf, "kernel/btf/vmlinux");
	assert_change(0, NCG_CHANGE_HOOK);
	btf__free(btf);
}

static void btf_that_cannot_be_read(void **state)
{
	(void)state;
	assert_change(-ENOENT, NCG_CHANGE_NR);
	assert_int_equal(ncg_kernel_vfio_built_in(tree), -ENOENT);
	tree_file("kernel/btf/vmlinux", "no BTF");
	assert_change(-EPROTO, NCG_CHANGE_NR);
	btf_kernel(".", true, true, true);
	tree_file("kernel/btf/vfio_pci_core", "no BTF");
	assert_change(-EPROTO, NCG_CHANGE_NR);
}

/* Scripts and documents have these words. */
static void the_words_are_stable(void **state)
{
	(void)state;
	assert_string_equal(ncg_kernel_change_name(NCG_CHANGE_NONE), "none");
	assert_string_equal(ncg_kernel_change_name(NCG_CHANGE_CORE), "core");
	assert_string_equal(ncg_kernel_change_name(NCG_CHANGE_HOOK), "hook");
	assert_string_equal(ncg_kernel_change_text(NCG_CHANGE_NONE), "no change");
	assert_string_equal(ncg_kernel_change_text(NCG_CHANGE_CORE), "core change only");
	assert_string_equal(ncg_kernel_change_text(NCG_CHANGE_HOOK), "core change and hook");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_kernel_before_the_change),
		TEST(a_hook_without_the_core),
		TEST(a_kernel_without_kvm),
		TEST(the_core_alone),
		TEST(the_core_and_the_hook),
		TEST(an_enum_of_32_bits),
		TEST(a_module_that_is_not_loaded),
		TEST(a_module_without_btf),
		TEST(vfio_built_into_the_kernel),
		TEST(btf_that_cannot_be_read),
		cmocka_unit_test(the_words_are_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
