/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BTF as a kernel with or without the change would show it, for tests. Included
 * after tree.h by one .c file each.
 */
#ifndef NCGATE_TEST_BTF_FILES_H
#define NCGATE_TEST_BTF_FILES_H

#include <bpf/btf.h>

/* enum kvm_pgtable_prot, wide (enum64) as newer kernels have it or not. */
static void btf_prot(struct btf *btf, bool wide, bool normal_nc)
{
	if (wide) {
		assert_true(btf__add_enum64(btf, "kvm_pgtable_prot", 8, false) > 0);
		assert_int_equal(btf__add_enum64_value(btf, "KVM_PGTABLE_PROT_DEVICE", 8), 0);
		if (normal_nc)
			assert_int_equal(btf__add_enum64_value(
				btf, "KVM_PGTABLE_PROT_NORMAL_NC", 16), 0);
		assert_int_equal(btf__add_enum64_value(btf, "KVM_PGTABLE_PROT_SW0",
						       1ULL << 55), 0);
		return;
	}
	assert_true(btf__add_enum(btf, "kvm_pgtable_prot", 4) > 0);
	assert_int_equal(btf__add_enum_value(btf, "KVM_PGTABLE_PROT_DEVICE", 8), 0);
	if (normal_nc)
		assert_int_equal(btf__add_enum_value(btf, "KVM_PGTABLE_PROT_NORMAL_NC", 16), 0);
}

static void btf_function(struct btf *btf, const char *name)
{
	int proto = btf__add_func_proto(btf, 0);

	assert_true(proto > 0);
	assert_true(btf__add_func(btf, name, BTF_FUNC_GLOBAL, proto) > 0);
}

static void btf_write(const struct btf *btf, const char *name)
{
	__u32 size;
	const void *bytes = btf__raw_data(btf, &size);

	assert_non_null(bytes);
	tree_bytes(name, bytes, size);
}

/* <sys>/kernel/btf/vmlinux and, where module is set, vfio_pci_core beside it. */
static void btf_kernel(const char *sys, bool normal_nc, bool module, bool hook)
{
	struct btf *kernel = btf__new_empty(), *vfio;
	char name[128];

	assert_non_null(kernel);
	btf_prot(kernel, true, normal_nc);
	snprintf(name, sizeof(name), "%s/kernel/btf/vmlinux", sys);
	btf_write(kernel, name);
	if (module) {
		vfio = btf__new_empty_split(kernel);
		assert_non_null(vfio);
		btf_function(vfio, "vfio_pci_core_mmap");
		if (hook)
			btf_function(vfio, "vfio_pci_uncached_policy");
		snprintf(name, sizeof(name), "%s/kernel/btf/vfio_pci_core", sys);
		btf_write(vfio, name);
		btf__free(vfio);
		snprintf(name, sizeof(name), "%s/module/vfio_pci_core", sys);
		tree_dir(name);
	}
	btf__free(kernel);
}

#endif
