// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ncgate's programs are held against. A decision: a program at the same hook that
 * does nothing, and one that goes through rules one by one. The second is as simple as
 * such a thing can be: it matches vendor and device alone and reports nothing. A stage-2
 * map that is observed: a program at the same function that does nothing. Their maps go
 * with them.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "baseline.h"

char LICENSE[] SEC("license") = "GPL";

struct baseline_rule rules[BASELINE_RULES_MAX]; /* the first that fits wins */
__u32 rule_count;

SEC("fmod_ret/vfio_pci_uncached_policy")
int BPF_PROG(empty, struct pci_dev *pdev, unsigned int index, struct vm_area_struct *vma, int ret)
{
	return 0;
}

struct scan {
	__u32 ids;
	int answer;
};

static long scan_one(__u32 i, struct scan *scan)
{
	const struct baseline_rule *rule;

	if (i >= BASELINE_RULES_MAX)
		return 1;
	rule = &rules[i];
	if ((scan->ids & rule->mask) != rule->value)
		return 0;
	scan->answer = rule->answer;
	return 1;
}

SEC("fmod_ret/vfio_pci_uncached_policy")
int BPF_PROG(linear, struct pci_dev *pdev, unsigned int index, struct vm_area_struct *vma, int ret)
{
	struct scan scan = { .ids = BASELINE_IDS(pdev->vendor, pdev->device) };

	bpf_loop(rule_count, scan_one, &scan, 0);
	return scan.answer;
}

SEC("fexit/kvm_pgtable_stage2_map")
int BPF_PROG(empty_map)
{
	return 0;
}
