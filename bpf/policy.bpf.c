// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides for each mmap of a vfio-pci BAR whether the VMA may carry
 * VM_ALLOW_ANY_UNCACHED, or where the kernel does not ask that, whether there may be
 * a VMA at all, by the policy in force, and reports every decision. Keeps no state.
 * Fails open to the kernel: with no policy, or in audit mode, it abstains and the
 * kernel's own default holds.
 */
#include "event.bpf.h"
#include "share.bpf.h"
#include "vfio.bpf.h"

static __always_inline const union ncg_pelement *ncg_policy_element(void *policy_map, __u32 index)
{
	return bpf_map_lookup_elem(policy_map, &index);
}

static __always_inline __u64 ncg_cgroup_of(void *task)
{
	return compat_cgroup_of(task);
}

static __always_inline long ncg_cgroup_part(__u64 cgroup, __u32 level, __u32 from, char *ret_part)
{
	return compat_cgroup_part(cgroup, level, from, ret_part);
}

#include "decide.h"

char LICENSE[] SEC("license") = "GPL";

/* Log2 of the page size; set before loading. */
const volatile __u32 page_shift = 12;

static __always_inline void fill_tuple(struct ncg_tuple *ret_tuple, const struct ncg_pci *pci,
				       struct task_struct *task)
{
	*ret_tuple = (struct ncg_tuple){
		.vendor = pci->vendor,
		.device = pci->device,
		.subvendor = pci->subvendor,
		.subdevice = pci->subdevice,
		.class_code = pci->class_code,
		.bar = pci->bar,
		.domain = pci->domain,
		.bus = pci->bus,
		.devfn = pci->devfn,
		.uid = task->cred->uid.val,
	};
}

static __always_inline void count_decision(__u32 verdict)
{
	if (verdict == NCG_VERDICT_ALLOW)
		count(NCG_CTR_DECISIONS_ALLOW);
	else if (verdict == NCG_VERDICT_DENY)
		count(NCG_CTR_DECISIONS_DENY);
	else
		count(NCG_CTR_DECISIONS_NONE);
}

static __always_inline void note_decided(struct pci_dev *pdev, __u32 bar,
					 const struct ncg_choice *choice, __u32 grade)
{
	struct task_struct *leader = bpf_get_current_task_btf()->group_leader;
	struct ncg_decided_key key = {
		.start_boot_ns = leader->start_boottime,
		.pid = leader->tgid,
		.domain = pdev->bus->domain_nr,
		.bus = pdev->bus->number,
		.devfn = pdev->devfn,
		.bar = bar,
	};
	struct ncg_decided value = {
		.generation = choice->head ? choice->head->generation : 0,
		.verdict = ncg_choice_verdict(choice),
		.grade = grade,
		.acts = ncg_choice_acts(choice),
	};

	/* Where there is no room the mapping will look like one that nobody decided. */
	if (bpf_map_update_elem(&decided, &key, &value, BPF_EXIST))
		share_add(NCG_SHARED_DECIDED, &decided, pci_bar_id(pdev, bar), &key, &value,
			  NCG_CTR_FULL_DECIDED);
}

/*
 * Decides for a mapping of length bytes and reports it. pdev: an argument of a
 * program, or from compat_pci_dev(). Returns the verdict that is to be acted on:
 * none where it is only recorded.
 *
 * inherited: of a copy that fork() makes. Nobody has asked for it, and who will use it is
 * not known, for the child may take another uid or cgroup. So what the policy acts on it
 * withholds, and nothing is reported or noted: the parent's own decision stands.
 */
static __always_inline __u32 decide(struct pci_dev *pdev, struct bar_place place, __u64 length,
				    __u32 grade, bool inherited)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ncg_event_decision *event;
	struct ncg_choice choice;
	struct ncg_tuple tuple;
	__u32 zero = 0, verdict;
	struct ncg_pci pci;
	/* The one look at which policy is in force. */
	void *map = bpf_map_lookup_elem(&policy, &zero);

	fill_pci(&pci, pdev, place.bar);
	fill_tuple(&tuple, &pci, task);
	ncg_decide(map, &tuple, task, &choice);
	if (inherited)
		return ncg_choice_acts(&choice) ? NCG_VERDICT_DENY : NCG_VERDICT_NONE;
	verdict = ncg_choice_verdict(&choice);
	count_decision(verdict);
	note_decided(pdev, place.bar, &choice, grade);

	event = event_reserve(NCG_EVENT_DECISION, sizeof(*event));
	if (event) {
		fill_task(&event->task);
		event->pci = pci;
		ncg_choice_record(map, &choice, &event->decision);
		event->decision.grade = grade;
		event->offset = place.offset;
		event->length = length;
		bpf_ringbuf_submit(event, 0);
	}
	return ncg_choice_acts(&choice) ? verdict : NCG_VERDICT_NONE;
}

/*
 * The hook's contract: above 0 grants, below 0 withholds, 0 abstains. Asked at each mmap of
 * a BAR, and when fork() copies a mapping that was granted: then the mapping's mm is the
 * child's, and the current task is the parent.
 */
SEC("fmod_ret/vfio_pci_uncached_policy")
int BPF_PROG(decide_hook, struct pci_dev *pdev, unsigned int index, struct vm_area_struct *vma,
	     int ret)
{
	struct bar_place place = compat_bar_place(vma->vm_pgoff, page_shift);
	bool inherited = vma->vm_mm != bpf_get_current_task_btf()->mm;

	/* The driver's word goes before the offset: it may map by another layout. */
	place.bar = index;
	switch (decide(pdev, place, vma->vm_end - vma->vm_start, NCG_GRADE_HOOK, inherited)) {
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

/* An mmap of a vfio-pci device's file, before there is a VMA. */
struct trap_ask {
	struct pci_dev *pdev;
	__u64 offset, length; /* bytes; 0 where the region is not known */
	__u32 bars;	      /* that it may be for, bit n for BAR n */
	__u32 denied;	      /* no bool: the verifier wants a branch for the answer */
};

static long ask_bar(__u64 bar, struct trap_ask *ask)
{
	struct bar_place place = { .bar = bar, .offset = ask->offset };

	if (bar >= NCG_NO_BAR || !(ask->bars & 1U << bar))
		return 0;
	ask->denied = decide(ask->pdev, place, ask->length, NCG_GRADE_TRAP, false) ==
		      NCG_VERDICT_DENY;
	return ask->denied;
}

/*
 * Without the hook: a denied BAR is not mapped, so that the VMM has to trap what the
 * guest does with it. Asked at every mmap on this host, so what is no file of a
 * vfio-pci device is let go first; of those only the BARs are looked at, also those that
 * only the driver exposes. Where the region is not known it could be any BAR that the
 * device may have, so it is refused when one of them is denied.
 */
SEC("lsm/mmap_file")
int BPF_PROG(decide_trap, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags)
{
	struct bar_place place = {};
	struct trap_ask ask = {};

	if (!trap_asked)
		trap_asked = true;
	/* Memory without a file is mapped by the same call. */
	ask.pdev = file ? vfio_pci_device(file, 0) : NULL;
	if (!ask.pdev)
		return 0;
	ask.bars = vfio_pci_bars(ask.pdev);
	if (vfio_asked_place(page_shift, &place, &ask.length))
		ask.bars &= 1U << place.bar;
	ask.offset = place.offset;
	/* A callback, so that the verifier goes through a decision once and not six times. */
	bpf_loop(NCG_NO_BAR, ask_bar, &ask, 0);
	return ask.denied ? -EPERM : 0;
}

/* Without either: decided and recorded once the BAR is mapped, by whichever driver. */
SEC("fexit/vfio_device_fops_mmap")
int BPF_PROG(decide_only, struct file *file, struct vm_area_struct *vma, int ret)
{
	struct pci_dev *pdev = vfio_opened_device(file);
	struct bar_place place;

	if (ret || !pdev)
		return 0;
	vfio_mapped_place(pdev, vma, ret, page_shift, &place);
	if (place.bar != NCG_NO_BAR)
		decide(pdev, place, vma->vm_end - vma->vm_start, NCG_GRADE_NONE, false);
	return 0;
}
