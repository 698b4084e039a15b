// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides for each mmap of a vfio-pci BAR whether the VMA may carry
 * VM_ALLOW_ANY_UNCACHED, or where the kernel does not ask that, whether there may be
 * a VMA at all, by the policy in force, and reports every decision. Keeps no state.
 * Fails open to the kernel: with no policy, or in audit mode, it abstains and the
 * kernel's own default holds.
 */
#include "event.bpf.h"
#include "vfio.bpf.h"

static __always_inline void *ncg_policy_lookup(void *map, const struct ncg_pkey *key)
{
	return bpf_map_lookup_elem(map, key);
}

#include "decide.h"

char LICENSE[] SEC("license") = "GPL";

/* Log2 of the page size; set before loading. */
const volatile __u32 page_shift = 12;

/* What each CPU decides in: too large for the stack. Not shared, not pinned. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ncg_event_decision);
} scratch SEC(".maps");

/*
 * Decides for a mapping of length bytes and reports it. Returns the verdict that is
 * to be acted on: none where it is only recorded.
 */
static __always_inline __u32 decide(struct pci_dev *pdev, struct bar_place place, __u64 length,
				    __u32 grade)
{
	struct ncg_event_decision *s, *event;
	struct ncg_tuple tuple = {};
	__u32 zero = 0, verdict;
	bool acts;
	void *map;

	s = bpf_map_lookup_elem(&scratch, &zero);
	if (!s)
		return NCG_VERDICT_NONE;
	__builtin_memset(s, 0, sizeof(*s));

	fill_task(&s->task);
	fill_pci(&s->pci, pdev, place.bar);
	tuple.vendor = s->pci.vendor;
	tuple.device = s->pci.device;
	tuple.subvendor = s->pci.subvendor;
	tuple.subdevice = s->pci.subdevice;
	tuple.class_code = s->pci.class_code;
	tuple.bar = place.bar;
	tuple.domain = s->pci.domain;
	tuple.bus = s->pci.bus;
	tuple.devfn = s->pci.devfn;
	tuple.uid = s->task.uid;

	map = bpf_map_lookup_elem(&policy, &zero);
	ncg_decide(map, &tuple, &s->decision);
	s->decision.grade = grade;
	verdict = s->decision.verdict;
	acts = s->decision.mode == NCG_MODE_ENFORCE && !s->decision.audit;

	s->offset = place.offset;
	s->length = length;

	if (verdict == NCG_VERDICT_ALLOW)
		count(NCG_CTR_DECISIONS_ALLOW);
	else if (verdict == NCG_VERDICT_DENY)
		count(NCG_CTR_DECISIONS_DENY);
	else
		count(NCG_CTR_DECISIONS_NONE);

	event = event_reserve(NCG_EVENT_DECISION, sizeof(*event));
	if (event) {
		s->event = event->event;
		__builtin_memcpy(event, s, sizeof(*event));
		bpf_ringbuf_submit(event, 0);
	}
	return acts ? verdict : NCG_VERDICT_NONE;
}

static __always_inline __u64 length_of(struct vm_area_struct *vma)
{
	return BPF_CORE_READ(vma, vm_end) - BPF_CORE_READ(vma, vm_start);
}

/* The hook's contract: above 0 grants, below 0 withholds, 0 abstains. */
SEC("fmod_ret/vfio_pci_uncached_policy")
int BPF_PROG(decide_hook, struct pci_dev *pdev, unsigned int index, struct vm_area_struct *vma,
	     int ret)
{
	struct bar_place place = compat_bar_place(BPF_CORE_READ(vma, vm_pgoff), page_shift);

	/* The driver's word goes before the offset: it may map by another layout. */
	place.bar = index;
	switch (decide(pdev, place, length_of(vma), NCG_GRADE_HOOK)) {
	case NCG_VERDICT_ALLOW:
		return 1;
	case NCG_VERDICT_DENY:
		return -1;
	default:
		return 0;
	}
}

#define EPERM 1

/* The daemon looks here whether the kernel asks at all: BPF may be no LSM of it. */
bool trap_asked;

/*
 * Without the hook: a denied BAR is not mapped, so that the VMM has to trap what the
 * guest does with it. Asked at every mmap on this host, so what is no file of a
 * vfio-pci device is let go first; of those only the BARs are looked at. Where the
 * region is not known it could be any, so it is refused when any BAR is denied.
 */
SEC("lsm/mmap_file")
int BPF_PROG(decide_trap, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags)
{
	struct bar_place place = {};
	struct pci_dev *pdev;
	__u64 length = 0;
	__u32 bars;

	if (!trap_asked)
		trap_asked = true;
	/* Memory without a file is mapped by the same call. */
	pdev = file ? vfio_pci_device(file) : NULL;
	if (!pdev)
		return 0;
	bars = vfio_pci_bars(pdev);
	if (vfio_asked_place(page_shift, &place, &length))
		bars &= 1U << place.bar;
	for (__u32 bar = 0; bar < NCG_NO_BAR; bar++) {
		__u32 verdict;

		if (!(bars & 1U << bar))
			continue;
		place.bar = bar;
		compat_preempt_disable();
		verdict = decide(pdev, place, length, NCG_GRADE_TRAP);
		compat_preempt_enable();
		if (verdict == NCG_VERDICT_DENY)
			return -EPERM;
	}
	return 0;
}

/* Without either: decided and recorded once the driver has mapped the BAR. */
SEC("fexit/vfio_pci_core_mmap")
int BPF_PROG(decide_only, struct vfio_device___ncg *core, struct vm_area_struct *vma, int ret)
{
	struct device *dev = BPF_CORE_READ(core, dev);
	struct pci_dev *pdev = (void *)dev - bpf_core_field_offset(struct pci_dev, dev);
	struct bar_place place = { .bar = NCG_NO_BAR };

	if (ret == 0)
		place = compat_bar_mapped(pdev, BPF_CORE_READ(vma, vm_pgoff), page_shift);
	if (place.bar != NCG_NO_BAR)
		decide(pdev, place, length_of(vma), NCG_GRADE_NONE);
	return 0;
}
