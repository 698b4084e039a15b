// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that abstain, as many as leave room for one more on the hook: the kernel
 * attaches BPF_MAX_TRAMP_LINKS (38, include/linux/bpf.h) to one function. With ncgate's
 * own among them another cannot be attached, which is what a case wants to see.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define ABSTAIN(n)                                                                            \
	SEC("fmod_ret/vfio_pci_uncached_policy")                                              \
	int BPF_PROG(abstain_##n)                                                             \
	{                                                                                     \
		return 0;                                                                     \
	}
#define ABSTAIN_9(n)                                                                          \
	ABSTAIN(n##1) ABSTAIN(n##2) ABSTAIN(n##3) ABSTAIN(n##4) ABSTAIN(n##5) ABSTAIN(n##6)   \
	ABSTAIN(n##7) ABSTAIN(n##8) ABSTAIN(n##9)

ABSTAIN_9(1) ABSTAIN_9(2) ABSTAIN_9(3) ABSTAIN_9(4) ABSTAIN(0)
