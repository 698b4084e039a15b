// SPDX-License-Identifier: GPL-2.0-only
#include "kernel_change.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

#include "cleanup.h"
#include "text_file.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The core: a protection bit that KVM has since v6.9. */
#define CORE_ENUM "kvm_pgtable_prot"
#define CORE_MEMBER "KVM_PGTABLE_PROT_NORMAL_NC"
/* In vfio-pci-core whatever else it has: tells that BTF is of that code. */
#define VFIO_FUNCTION "vfio_pci_core_mmap"
#define VFIO_MODULE "vfio_pci_core"

NCG_DEFINE_CLEANUP(struct btf *, btf__free)
#define autobtf ncg_cleanup(btf__free_cleanup)

/* Members with bits above 31 make it an enum64; older pahole writes an enum. */
static bool enum_has(const struct btf *btf, const char *name, const char *member)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_ENUM64);
	const struct btf_type *type;

	if (id < 0)
		id = btf__find_by_name_kind(btf, name, BTF_KIND_ENUM);
	if (id < 0)
		return false;
	type = btf__type_by_id(btf, id);
	for (int i = 0; i < btf_vlen(type); i++) {
		__u32 at = btf_is_enum64(type) ? btf_enum64(type)[i].name_off
					       : btf_enum(type)[i].name_off;

		if (!strcmp(btf__name_by_offset(btf, at), member))
			return true;
	}
	return false;
}

static bool has_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

/* Borrows base, which the result refers to; NULL for the kernel's own. */
static int read_btf(const char *sysfs, const char *name, struct btf *base, struct btf **ret_btf)
{
	char path[PATH_MAX];
	struct btf *btf;

	if (snprintf(path, sizeof(path), "%s/kernel/btf/%s", sysfs, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	btf = btf__parse_raw_split(path, base);
	if (!btf)
		return -errno;
	*ret_btf = btf;
	return 0;
}

static bool module_loaded(const char *sysfs, const char *module)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/module/%s", sysfs, module) < (int)sizeof(path) &&
	       !access(path, F_OK);
}

int ncg_kernel_change_read(const char *sysfs, enum ncg_change *ret_change)
{
	autobtf struct btf *kernel = NULL;
	autobtf struct btf *module = NULL;
	int r;

	if (!sysfs)
		sysfs = "/sys";
	r = read_btf(sysfs, "vmlinux", NULL, &kernel);
	if (r)
		return r;
	if (!enum_has(kernel, CORE_ENUM, CORE_MEMBER)) {
		*ret_change = NCG_CHANGE_NONE;
		return 0;
	}
	if (!has_function(kernel, VFIO_FUNCTION)) {
		r = read_btf(sysfs, VFIO_MODULE, kernel, &module);
		if (r && r != -ENOENT)
			return r;
	}
	/* Without BTF nothing can be attached to a hook: as good as none. */
	*ret_change = has_function(module ? module : kernel, NCG_HOOK_FUNCTION) ? NCG_CHANGE_HOOK
									   : NCG_CHANGE_CORE;
	return r == -ENOENT && !module_loaded(sysfs, VFIO_MODULE) ? -EAGAIN : 0;
}

int ncg_kernel_change(enum ncg_change *ret_change)
{
	return ncg_kernel_change_read(NULL, ret_change);
}

int ncg_kernel_vfio_built_in(const char *sysfs)
{
	autobtf struct btf *kernel = NULL;
	int r = read_btf(sysfs ? sysfs : "/sys", "vmlinux", NULL, &kernel);

	return r ? r : has_function(kernel, VFIO_FUNCTION);
}

enum ncg_verdict ncg_kernel_default(const char *sysfs, enum ncg_change change)
{
	ncg_autofree char *path = NULL, *text = NULL;
	size_t size;

	if (asprintf(&path, "%s/module/" VFIO_MODULE "/parameters/uncached_default",
		     sysfs ? sysfs : "/sys") < 0) {
		path = NULL;
		return NCG_VERDICT_NONE;
	}
	if (!ncg_text_file_read(path, PATH_MAX, &text, &size)) {
		if (!strcmp(text, "allow\n"))
			return NCG_VERDICT_ALLOW;
		return strcmp(text, "deny\n") ? NCG_VERDICT_NONE : NCG_VERDICT_DENY;
	}
	if (change == NCG_CHANGE_NR)
		return NCG_VERDICT_NONE;
	return change == NCG_CHANGE_NONE ? NCG_VERDICT_DENY : NCG_VERDICT_ALLOW;
}

static const struct {
	const char *name;
	const char *text;
} words[] = {
	[NCG_CHANGE_NONE] = { "none", "no change" },
	[NCG_CHANGE_CORE] = { "core", "core change only" },
	[NCG_CHANGE_HOOK] = { "hook", "core change and hook" },
};
static_assert(ARRAY_SIZE(words) == NCG_CHANGE_NR, "a change has no name");

const char *ncg_kernel_change_name(enum ncg_change change)
{
	return words[change].name;
}

const char *ncg_kernel_change_text(enum ncg_change change)
{
	return words[change].text;
}
