// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes events by the programs' own means, as often and in the order that the test
 * asks for: through the same ring buffer, counters and counts. Its state is its maps,
 * which go with the test.
 */
#include "event.bpf.h"
#include "use.bpf.h"

#include "events_test.h"

char LICENSE[] SEC("license") = "GPL";

/* An event of a type whose members after the head the test does not care about. */
static __always_inline void make(__u32 type, __u32 size, const struct test_event *t)
{
	struct {
		struct ncg_event event;
		struct ncg_task task;
	} *event = event_reserve(type, size);

	if (!event)
		return;
	event->task = t->task;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline void make_mmap(const struct test_event *t)
{
	struct ncg_event_bar_mmap *event = event_reserve(NCG_EVENT_BAR_MMAP, sizeof(*event));

	if (!event)
		return;
	event->task = t->task;
	event->pci.bar = t->bar;
	event->length = 0x1000;
	event->granted = 1;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline void make_decision(const struct test_event *t)
{
	struct ncg_event_decision *event = event_reserve(NCG_EVENT_DECISION, sizeof(*event));

	if (!event)
		return;
	event->task = t->task;
	event->pci.bar = t->bar;
	event->length = t->size ?: 0x1000;
	event->decision.verdict = NCG_VERDICT_DENY;
	event->decision.reason = t->bar ? NCG_REASON_DEFAULT : NCG_REASON_RULE;
	event->decision.mode = NCG_MODE_ENFORCE;
	event->decision.grade = NCG_GRADE_HOOK;
	event->decision.generation = 7;
	event->decision.line = 3;
	event->decision.file[0] = 'p';
	event->decision.audit = t->bar == 5;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline void make_vm(__u32 type, const struct test_event *t)
{
	struct ncg_event_vm *event = event_reserve(type, sizeof(*event));

	if (!event)
		return;
	event->task = t->task;
	event->vm = t->vm;
	bpf_ringbuf_submit(event, 0);
}

SEC("syscall")
int make_event(struct test_event *t)
{
	struct ncg_event_stage2 map = {};

	switch (t->type) {
	case NCG_EVENT_DECISION:
		make_decision(t);
		return 0;
	case NCG_EVENT_BAR_MMAP:
		make_mmap(t);
		return 0;
	case NCG_EVENT_STAGE2_FIRST:
		map.vm = t->vm;
		map.where = t->where;
		map.phys = 0x40000000;
		map.ipa = 0x8000000000;
		map.size = t->size;
		map.memtype = t->memtype;
		use_report(&map);
		return 0;
	case NCG_EVENT_VM_CREATE:
	case NCG_EVENT_VM_DESTROY:
		make_vm(t->type, t);
		return 0;
	default:
		make(t->type, sizeof(struct ncg_event) + sizeof(struct ncg_task), t);
		return 0;
	}
}
