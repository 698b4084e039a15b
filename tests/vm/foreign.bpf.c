// SPDX-License-Identifier: GPL-2.0-only
/*
 * What another tool could have on the hook: a program that grants everything, one that
 * withholds everything, and one that only looks on and so is none of ncgate's business.
 * Each is an object of its own (tests.mk), for `bpftool prog load … autoattach`. Keeps no
 * state.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#if defined(FOREIGN_grant)
SEC("fmod_ret/vfio_pci_uncached_policy")
int foreign_grant(void *ctx)
{
	return 1;
}
#elif defined(FOREIGN_withhold)
SEC("fmod_ret/vfio_pci_uncached_policy")
int foreign_deny(void *ctx)
{
	return -1;
}
#elif defined(FOREIGN_watch)
SEC("fexit/vfio_pci_uncached_policy")
int foreign_watch(void *ctx)
{
	return 0;
}
#endif
