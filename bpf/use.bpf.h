/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps what each VM maps of each BAR, and reports what is new about a map: the first
 * of its memory type, or another type than the map before. Owns the counts in `uses`.
 * When the BAR's share is full, every map of it by a VM more is reported as a first one: a
 * first mapping may be told twice, never not at all. A report that is lost stays counted
 * here, where the daemon looks once it sees the loss.
 */
#ifndef NCGATE_USE_BPF_H
#define NCGATE_USE_BPF_H

#include "event.bpf.h"
#include "share.bpf.h"

_Static_assert((NCG_MT_NR & (NCG_MT_NR - 1)) == 0, "a memory type is masked to an index");

static const struct ncg_use no_use;

static __always_inline void use_event(__u32 type, const struct ncg_event_stage2 *map)
{
	struct ncg_event_stage2 *event = event_reserve(type, sizeof(*event));

	if (!event)
		return;
	fill_task(&event->task);
	event->vm = map->vm;
	event->where = map->where;
	event->ipa = map->ipa;
	event->phys = map->phys;
	event->size = map->size;
	event->memtype = map->memtype;
	event->before = map->before;
	bpf_ringbuf_submit(event, 0);
}

/*
 * Counts one successful map, of which vm, where, ipa, phys, size and memtype are
 * given. Several CPUs may do so at once: exactly one of them reports a first mapping.
 */
static __always_inline void use_report(struct ncg_event_stage2 *map)
{
	struct ncg_use_key key = { .vm = map->vm, .where = map->where };
	struct ncg_use *use = bpf_map_lookup_elem(&uses, &key);
	__u32 memtype = map->memtype & (NCG_MT_NR - 1);
	__u64 bit = 1ULL << memtype, last;
	bool first;

	map->before = NCG_MT_NR;
	if (!use) {
		share_add(NCG_SHARED_USES, &uses, key.where, &key, &no_use, NCG_CTR_FULL_USES);
		use = bpf_map_lookup_elem(&uses, &key);
	}
	if (!use) {
		use_event(NCG_EVENT_STAGE2_FIRST, map);
		return;
	}
	__sync_fetch_and_add(&use->maps[memtype], 1);
	__sync_fetch_and_add(&use->bytes[memtype], map->size);
	/* Most maps are like the one before: no write that other CPUs must see. */
	if (use->last == memtype + 1)
		return;

	first = !(__sync_fetch_and_or(&use->types, bit) & bit);
	if (first) {
		use->first_ns[memtype] = bpf_ktime_get_boot_ns();
		/* Who it is, for when all that told it is lost. */
		fill_task(&use->task);
	}
	last = __sync_lock_test_and_set(&use->last, memtype + 1);
	/* Another CPU may have mapped the same meanwhile. */
	if (last && last != memtype + 1)
		map->before = last - 1;
	if (first)
		use_event(NCG_EVENT_STAGE2_FIRST, map);
	if (map->before < NCG_MT_NR)
		use_event(NCG_EVENT_STAGE2_CHANGE, map);
}

#endif
