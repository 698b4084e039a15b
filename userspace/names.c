// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables behind names.h. Holds constants only. A table that is shorter than
 * its enum does not compile; a hole in one is found by the unit test.
 */
#include <assert.h>
#include <stddef.h>

#include "names.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const char *const memtypes[] = {
	[NCG_MT_NORMAL_WB] = "normal_wb",
	[NCG_MT_NORMAL_NC] = "normal_nc",
	[NCG_MT_NORMAL_WT] = "normal_wt",
	[NCG_MT_DEVICE_nGnRnE] = "device_nGnRnE",
	[NCG_MT_DEVICE_nGnRE] = "device_nGnRE",
	[NCG_MT_DEVICE_nGRE] = "device_nGRE",
	[NCG_MT_DEVICE_GRE] = "device_GRE",
	[NCG_MT_OTHER] = "other",
};
static_assert(ARRAY_SIZE(memtypes) == NCG_MT_NR, "a memory type has no name");

static const char *const verdicts[] = {
	[NCG_VERDICT_NONE] = "none",
	[NCG_VERDICT_ALLOW] = "allow",
	[NCG_VERDICT_DENY] = "deny",
};
static_assert(ARRAY_SIZE(verdicts) == NCG_VERDICT_NR, "a verdict has no name");

static const char *const reasons[] = {
	[NCG_REASON_NO_POLICY] = "kernel default",
	[NCG_REASON_RULE] = "rule",
	[NCG_REASON_DEFAULT] = "default",
};
static_assert(ARRAY_SIZE(reasons) == NCG_REASON_NR, "a reason has no name");

static const char *const modes[] = {
	[NCG_MODE_AUDIT] = "audit",
	[NCG_MODE_ENFORCE] = "enforce",
};
static_assert(ARRAY_SIZE(modes) == NCG_MODE_NR, "a mode has no name");

static const char *const grades[] = {
	[NCG_GRADE_NONE] = "none",
	[NCG_GRADE_TRAP] = "trap",
	[NCG_GRADE_HOOK] = "hook",
};
static_assert(ARRAY_SIZE(grades) == NCG_GRADE_NR, "a grade has no name");

static const char *const counters[] = {
	[NCG_CTR_DECISIONS_ALLOW] = "decisions_allow",
	[NCG_CTR_DECISIONS_DENY] = "decisions_deny",
	[NCG_CTR_DECISIONS_NONE] = "decisions_none",
	[NCG_CTR_BAR_MMAPS_GRANTED] = "bar_mmaps_granted",
	[NCG_CTR_BAR_MMAPS_WITHHELD] = "bar_mmaps_withheld",
	[NCG_CTR_BAR_MMAPS_FAILED] = "bar_mmaps_failed",
	[NCG_CTR_STAGE2_MAPS_NORMAL_WB] = "stage2_maps_normal_wb",
	[NCG_CTR_STAGE2_MAPS_NORMAL_NC] = "stage2_maps_normal_nc",
	[NCG_CTR_STAGE2_MAPS_DEVICE_nGnRE] = "stage2_maps_device_nGnRE",
	[NCG_CTR_STAGE2_MAP_FAILURES] = "stage2_map_failures",
	[NCG_CTR_VMS_CREATED] = "vms_created",
	[NCG_CTR_VMS_DESTROYED] = "vms_destroyed",
	[NCG_CTR_EVENTS_LOST] = "events_lost",
	[NCG_CTR_FULL_BARS] = "full_bars",
	[NCG_CTR_FULL_REGIONS] = "full_regions",
	[NCG_CTR_FULL_OPENED] = "full_opened",
	[NCG_CTR_FULL_VM_IDS] = "full_vm_ids",
	[NCG_CTR_FULL_DECIDED] = "full_decided",
	[NCG_CTR_FULL_USES] = "full_uses",
};
static_assert(ARRAY_SIZE(counters) == NCG_CTR_NR, "a counter has no name");

static const char *name_of(const char *const *names, size_t count, __u32 value)
{
	return value < count && names[value] ? names[value] : "invalid";
}

const char *ncg_names_memtype(__u32 memtype)
{
	return name_of(memtypes, ARRAY_SIZE(memtypes), memtype);
}

const char *ncg_names_verdict(__u32 verdict)
{
	return name_of(verdicts, ARRAY_SIZE(verdicts), verdict);
}

const char *ncg_names_reason(__u32 reason)
{
	return name_of(reasons, ARRAY_SIZE(reasons), reason);
}

const char *ncg_names_mode(__u32 mode)
{
	return name_of(modes, ARRAY_SIZE(modes), mode);
}

const char *ncg_names_grade(__u32 grade)
{
	return name_of(grades, ARRAY_SIZE(grades), grade);
}

const char *ncg_names_counter(__u32 counter)
{
	return name_of(counters, ARRAY_SIZE(counters), counter);
}

/*
 * This enum starts at 1 and has no _NR, so there is nothing to assert a table's
 * size against. A switch without a default does it: -Wswitch refuses the build
 * when an event type is added and not named.
 */
const char *ncg_names_event(__u32 type)
{
	switch ((enum ncg_event_type)type) {
	case NCG_EVENT_DECISION:
		return "decision";
	case NCG_EVENT_BAR_MMAP:
		return "bar_mmap";
	case NCG_EVENT_STAGE2_FIRST:
		return "stage2_first";
	case NCG_EVENT_VM_CREATE:
		return "vm_create";
	case NCG_EVENT_VM_DESTROY:
		return "vm_destroy";
	case NCG_EVENT_STAGE2_CHANGE:
		return "type_change";
	}
	return "invalid";
}
