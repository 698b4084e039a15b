// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements exposition.h: one growing text for each family, joined at the end.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "exposition.h"
#include "text.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const struct ncg_family_desc families[] = {
	[NCG_MF_BUILD_INFO] = {
		"ncgate_build_info", NCG_FAMILY_GAUGE,
		"The version of the running ncgated, as a label; always 1.",
		{ "version" },
	},
	[NCG_MF_ENFORCEMENT_GRADE] = {
		"ncgate_enforcement_grade", NCG_FAMILY_GAUGE,
		"1 for the grade of enforcement in force: hook, trap or none.",
		{ "grade" },
	},
	[NCG_MF_KERNEL_CHANGE] = {
		"ncgate_kernel_change", NCG_FAMILY_GAUGE,
		"1 for what the kernel has of the change: none, core (Normal-NC for every "
		"vfio-pci device) or hook.",
		{ "change" },
	},
	[NCG_MF_HAZARDS_KNOWN] = {
		"ncgate_hazards_known", NCG_FAMILY_GAUGE,
		"Entries of the table of hazards; 0 where it could not be read.",
		{ NULL },
	},
	[NCG_MF_HAZARD] = {
		"ncgate_hazard", NCG_FAMILY_GAUGE,
		"A known hazard that this host has, with the memory type that is unsafe; always 1.",
		{ "hazard", "unsafe" },
	},
	[NCG_MF_HAZARD_CONTRADICTIONS] = {
		"ncgate_hazard_contradictions", NCG_FAMILY_GAUGE,
		"Verdicts and defaults that give a BAR the memory type that a hazard makes "
		"unsafe.",
		{ "hazard" },
	},
	[NCG_MF_PROGRAM_ATTACHED] = {
		"ncgate_program_attached", NCG_FAMILY_GAUGE,
		"Whether a BPF program is attached (1) or could not be (0).",
		{ "program" },
	},
	[NCG_MF_PROGRAM_OLDER_BUILD] = {
		"ncgate_program_older_build", NCG_FAMILY_GAUGE,
		"1 where an older build's BPF program stays attached because this build's could "
		"not be.",
		{ "program" },
	},
	[NCG_MF_POLICY_INFO] = {
		"ncgate_policy_info", NCG_FAMILY_GAUGE,
		"The policy in force, as labels; always 1.",
		{ "mode", "default", "sha256", "file" },
	},
	[NCG_MF_POLICY_GENERATION] = {
		"ncgate_policy_generation", NCG_FAMILY_GAUGE,
		"How often a policy has been put in force; 0 before the first.",
		{ NULL },
	},
	[NCG_MF_POLICY_RULES] = {
		"ncgate_policy_rules", NCG_FAMILY_GAUGE,
		"Rules of the policy in force.",
		{ NULL },
	},
	[NCG_MF_POLICY_STALE_NAMES] = {
		"ncgate_policy_stale_names", NCG_FAMILY_GAUGE,
		"Names in the policy in force that pci.ids has lost; they stand for the ids of before.",
		{ NULL },
	},
	[NCG_MF_POLICY_LOADED_TIMESTAMP_SECONDS] = {
		"ncgate_policy_loaded_timestamp_seconds", NCG_FAMILY_GAUGE,
		"When this daemon last loaded the policy, in seconds since 1970.",
		{ NULL },
	},
	[NCG_MF_POLICY_LAST_RELOAD_SUCCESSFUL] = {
		"ncgate_policy_last_reload_successful", NCG_FAMILY_GAUGE,
		"1 if the last attempt to load the policy file succeeded.",
		{ NULL },
	},
	[NCG_MF_DECISIONS_TOTAL] = {
		"ncgate_decisions_total", NCG_FAMILY_COUNTER,
		"Decisions on BAR mmaps, by verdict; none: no policy was loaded.",
		{ "verdict" },
	},
	[NCG_MF_BAR_MMAPS_TOTAL] = {
		"ncgate_bar_mmaps_total", NCG_FAMILY_COUNTER,
		"mmaps of PCI devices' BARs seen in vfio, by whether Normal-NC was granted.",
		{ "result" },
	},
	[NCG_MF_BAR_MMAPS_BEFORE_GATE] = {
		"ncgate_bar_mmaps_before_gate", NCG_FAMILY_GAUGE,
		"Mappings of BARs that were there before the program that decides was attached.",
		{ NULL },
	},
	[NCG_MF_STAGE2_MAPS_TOTAL] = {
		"ncgate_stage2_maps_total", NCG_FAMILY_COUNTER,
		"Successful stage-2 map operations of all guests, by memory type.",
		{ "type" },
	},
	[NCG_MF_STAGE2_MAP_FAILURES_TOTAL] = {
		"ncgate_stage2_map_failures_total", NCG_FAMILY_COUNTER,
		"Stage-2 map operations that failed.",
		{ NULL },
	},
	[NCG_MF_VMS_CREATED_TOTAL] = {
		"ncgate_vms_created_total", NCG_FAMILY_COUNTER,
		"Virtual machines seen to be created.",
		{ NULL },
	},
	[NCG_MF_VMS_DESTROYED_TOTAL] = {
		"ncgate_vms_destroyed_total", NCG_FAMILY_COUNTER,
		"Virtual machines seen to be destroyed.",
		{ NULL },
	},
	[NCG_MF_GUESTS] = {
		"ncgate_guests", NCG_FAMILY_GAUGE,
		"Virtual machines that exist now.",
		{ NULL },
	},
	[NCG_MF_GUESTS_NOT_VISIBLE] = {
		"ncgate_guests_not_visible", NCG_FAMILY_GAUGE,
		"Virtual machines whose stage-2 tables could not be read.",
		{ NULL },
	},
	[NCG_MF_GUESTS_DIFFERENCE] = {
		"ncgate_guests_difference", NCG_FAMILY_GAUGE,
		"Virtual machines that the walk finds, less those that the programs saw created "
		"and not destroyed.",
		{ NULL },
	},
	[NCG_MF_GUEST_INFO] = {
		"ncgate_guest_info", NCG_FAMILY_GAUGE,
		"Identity of a guest's virtual machine monitor; always 1.",
		{ "guest", "pid", "name", "uuid", "vmm", "cgroup" },
	},
	[NCG_MF_GUEST_STAGE2_BYTES] = {
		"ncgate_guest_stage2_bytes", NCG_FAMILY_GAUGE,
		"Bytes mapped in a guest's stage-2 tables, by memory type.",
		{ "guest", "type" },
	},
	[NCG_MF_GUEST_STAGE2_LEAVES] = {
		"ncgate_guest_stage2_leaves", NCG_FAMILY_GAUGE,
		"Leaf entries in a guest's stage-2 tables, by memory type and size in bytes.",
		{ "guest", "type", "size" },
	},
	[NCG_MF_GUEST_NESTED_STAGE2_BYTES] = {
		"ncgate_guest_nested_stage2_bytes", NCG_FAMILY_GAUGE,
		"Bytes mapped in the tables that shadow those of a hypervisor within the guest, "
		"by memory type.",
		{ "guest", "type" },
	},
	[NCG_MF_GUEST_TABLES] = {
		"ncgate_guest_tables", NCG_FAMILY_GAUGE,
		"What is known of a guest's stage-2 tables; always 1. visible; pending: not yet "
		"walked to the end; hidden: kept by protected KVM; unreadable.",
		{ "guest", "state" },
	},
	[NCG_MF_DEVICE_STAGE2_BYTES] = {
		"ncgate_device_stage2_bytes", NCG_FAMILY_GAUGE,
		"Bytes of a device's BAR mapped in a guest's stage-2 tables, by memory type.",
		{ "guest", "device", "bar", "type" },
	},
	[NCG_MF_DEVICE_NESTED_STAGE2_BYTES] = {
		"ncgate_device_nested_stage2_bytes", NCG_FAMILY_GAUGE,
		"Bytes of a device's BAR mapped for a guest within a guest, by memory type.",
		{ "guest", "device", "bar", "type" },
	},
	[NCG_MF_DEVICE_STAGE2_DIFFERENCE_BYTES] = {
		"ncgate_device_stage2_difference_bytes", NCG_FAMILY_GAUGE,
		"Bytes of a device's BAR that the walk finds in a guest's tables, nested ones too, "
		"less those that the programs have counted as mapped.",
		{ "guest", "device", "bar", "type" },
	},
	[NCG_MF_DEVICE_INFO] = {
		"ncgate_device_info", NCG_FAMILY_GAUGE,
		"A PCI device and what the policy in force says about it; always 1.",
		{ "device", "vendor_id", "device_id", "class", "driver", "name", "verdict" },
	},
	[NCG_MF_MISMATCHES] = {
		"ncgate_mismatches", NCG_FAMILY_GAUGE,
		"Mappings of guests that are not what the policy in force says. stale: Normal-NC, "
		"granted before and denied now; unexpected: Normal-NC, denied and never granted; "
		"absent: allowed, and not Normal-NC.",
		{ "mismatch" },
	},
	[NCG_MF_MISMATCH_BYTES] = {
		"ncgate_mismatch_bytes", NCG_FAMILY_GAUGE,
		"Bytes of a device's BAR in a guest's stage-2 tables that are not what the policy "
		"in force says.",
		{ "guest", "device", "bar", "mismatch" },
	},
	[NCG_MF_EVENTS_LOST_TOTAL] = {
		"ncgate_events_lost_total", NCG_FAMILY_COUNTER,
		"Events that did not fit in the ring buffer.",
		{ NULL },
	},
	[NCG_MF_AUDIT_RECORDS_TOTAL] = {
		"ncgate_audit_records_total", NCG_FAMILY_COUNTER,
		"Records written to the audit log.",
		{ NULL },
	},
	[NCG_MF_AUDIT_WRITE_ERRORS_TOTAL] = {
		"ncgate_audit_write_errors_total", NCG_FAMILY_COUNTER,
		"Audit records that could not be written.",
		{ NULL },
	},
	[NCG_MF_AUDIT_SINK_ERRORS_TOTAL] = {
		"ncgate_audit_sink_errors_total", NCG_FAMILY_COUNTER,
		"Audit records that the journal or the kernel's audit subsystem did not take.",
		{ "sink", NULL },
	},
	[NCG_MF_MAP_ENTRIES] = {
		"ncgate_map_entries", NCG_FAMILY_GAUGE,
		"Entries of a pinned BPF map.",
		{ "map" },
	},
	[NCG_MF_MAP_MAX_ENTRIES] = {
		"ncgate_map_max_entries", NCG_FAMILY_GAUGE,
		"Entries that a pinned BPF map has room for.",
		{ "map" },
	},
	[NCG_MF_MAP_FULL_TOTAL] = {
		"ncgate_map_full_total", NCG_FAMILY_COUNTER,
		"Entries that a program left out: the map had no room, or the BAR had its share "
		"of it.",
		{ "map" },
	},
	[NCG_MF_BARS_LEFT_OUT] = {
		"ncgate_bars_left_out", NCG_FAMILY_GAUGE,
		"Address ranges of BARs that did not fit in the map bars; 0 as a rule.",
		{ NULL },
	},
	[NCG_MF_WALK_ERRORS_TOTAL] = {
		"ncgate_walk_errors_total", NCG_FAMILY_COUNTER,
		"Table pages that could not be read or changed while they were.",
		{ NULL },
	},
	[NCG_MF_WALK_SECONDS_TOTAL] = {
		"ncgate_walk_seconds_total", NCG_FAMILY_COUNTER,
		"Processor time spent walking stage-2 tables.",
		{ NULL },
	},
	[NCG_MF_WALK_ENTRIES_TOTAL] = {
		"ncgate_walk_entries_total", NCG_FAMILY_COUNTER,
		"Entries of stage-2 tables that walks have looked at.",
		{ NULL },
	},
	[NCG_MF_WALK_LONGEST_PIECE_SECONDS] = {
		"ncgate_walk_longest_piece_seconds", NCG_FAMILY_GAUGE,
		"The longest that a walk went on without a rest since the daemon's start.",
		{ NULL },
	},
	[NCG_MF_WALK_AGE_SECONDS] = {
		"ncgate_walk_age_seconds", NCG_FAMILY_GAUGE,
		"How long ago the walk began that a guest's gauges are from: devices for what is "
		"no RAM, all for the rest.",
		{ "guest", "of" },
	},
};
static_assert(ARRAY_SIZE(families) == NCG_MF_NR, "a metric family is not declared");

static const char *const types[] = {
	[NCG_FAMILY_GAUGE] = "gauge",
	[NCG_FAMILY_COUNTER] = "counter",
};
static_assert(ARRAY_SIZE(types) == NCG_FAMILY_TYPE_NR, "a family type has no name");

/* Where each counter of the BPF programs appears; label NULL: it has none. */
static const struct {
	enum ncg_family family;
	const char *label;
} counter_samples[] = {
	[NCG_CTR_DECISIONS_ALLOW] = { NCG_MF_DECISIONS_TOTAL, "allow" },
	[NCG_CTR_DECISIONS_DENY] = { NCG_MF_DECISIONS_TOTAL, "deny" },
	[NCG_CTR_DECISIONS_NONE] = { NCG_MF_DECISIONS_TOTAL, "none" },
	[NCG_CTR_BAR_MMAPS_GRANTED] = { NCG_MF_BAR_MMAPS_TOTAL, "granted" },
	[NCG_CTR_BAR_MMAPS_WITHHELD] = { NCG_MF_BAR_MMAPS_TOTAL, "withheld" },
	[NCG_CTR_BAR_MMAPS_FAILED] = { NCG_MF_BAR_MMAPS_TOTAL, "failed" },
	[NCG_CTR_STAGE2_MAPS_NORMAL_WB] = { NCG_MF_STAGE2_MAPS_TOTAL, "normal_wb" },
	[NCG_CTR_STAGE2_MAPS_NORMAL_NC] = { NCG_MF_STAGE2_MAPS_TOTAL, "normal_nc" },
	[NCG_CTR_STAGE2_MAPS_DEVICE_nGnRE] = { NCG_MF_STAGE2_MAPS_TOTAL, "device_nGnRE" },
	[NCG_CTR_STAGE2_MAP_FAILURES] = { NCG_MF_STAGE2_MAP_FAILURES_TOTAL, NULL },
	[NCG_CTR_VMS_CREATED] = { NCG_MF_VMS_CREATED_TOTAL, NULL },
	[NCG_CTR_VMS_DESTROYED] = { NCG_MF_VMS_DESTROYED_TOTAL, NULL },
	[NCG_CTR_EVENTS_LOST] = { NCG_MF_EVENTS_LOST_TOTAL, NULL },
	[NCG_CTR_FULL_BARS] = { NCG_MF_MAP_FULL_TOTAL, "bars" },
	[NCG_CTR_FULL_REGIONS] = { NCG_MF_MAP_FULL_TOTAL, "regions" },
	[NCG_CTR_FULL_OPENED] = { NCG_MF_MAP_FULL_TOTAL, "opened" },
	[NCG_CTR_FULL_VM_IDS] = { NCG_MF_MAP_FULL_TOTAL, "vm_ids" },
	[NCG_CTR_FULL_DECIDED] = { NCG_MF_MAP_FULL_TOTAL, "decided" },
	[NCG_CTR_FULL_USES] = { NCG_MF_MAP_FULL_TOTAL, "uses" },
};
static_assert(ARRAY_SIZE(counter_samples) == NCG_CTR_NR, "a counter has no metric");

struct text {
	char *bytes;
	size_t used;
	size_t room;
};

struct ncg_exposition {
	struct text families[NCG_MF_NR];
	size_t limit; /* 0: none */
	size_t used;  /* over all families */
	int error;
};

const struct ncg_family_desc *ncg_exposition_family(enum ncg_family family)
{
	return (unsigned int)family < NCG_MF_NR ? &families[family] : NULL;
}

int ncg_exposition_new(size_t limit, struct ncg_exposition **ret_exposition)
{
	struct ncg_exposition *exposition = calloc(1, sizeof(*exposition));

	if (!exposition)
		return -ENOMEM;
	exposition->limit = limit;
	*ret_exposition = exposition;
	return 0;
}

void ncg_exposition_free(struct ncg_exposition *exposition)
{
	size_t i;

	if (!exposition)
		return;
	for (i = 0; i < NCG_MF_NR; i++)
		free(exposition->families[i].bytes);
	free(exposition);
}

static void put_bytes(struct ncg_exposition *exposition, struct text *text, const char *bytes,
		      size_t size)
{
	if (exposition->error)
		return;
	if (exposition->limit && size > exposition->limit - exposition->used) {
		exposition->error = -ENOMEM;
		return;
	}
	if (size > text->room - text->used) {
		size_t room = text->room ? text->room : 256;
		char *grown;

		while (size > room - text->used)
			room *= 2;
		grown = realloc(text->bytes, room);
		if (!grown) {
			exposition->error = -ENOMEM;
			return;
		}
		text->bytes = grown;
		text->room = room;
	}
	memcpy(text->bytes + text->used, bytes, size);
	text->used += size;
	exposition->used += size;
}

static void put_string(struct ncg_exposition *exposition, struct text *text, const char *string)
{
	put_bytes(exposition, text, string, strlen(string));
}

static void put_label_value(struct ncg_exposition *exposition, struct text *text,
			    const char *value)
{
	size_t size = strlen(value), plain;
	ncg_autofree char *visible = NULL;

	if (ncg_text_first_hidden(value, size) < size) {
		visible = ncg_text_visible(value, size);
		if (!visible) {
			exposition->error = -ENOMEM;
			return;
		}
		value = visible;
	}
	for (; *value; value += plain) {
		plain = strcspn(value, "\\\"");
		put_bytes(exposition, text, value, plain);
		if (!value[plain])
			break;
		put_string(exposition, text, "\\");
		put_bytes(exposition, text, value + plain, 1);
		plain++;
	}
}

static void put_sample(struct ncg_exposition *exposition, enum ncg_family family,
		       const char *value, const char *const *labels, size_t labels_count)
{
	const struct ncg_family_desc *desc = ncg_exposition_family(family);
	struct text *text;
	size_t i;

	if (exposition->error)
		return;
	if (!desc) {
		exposition->error = -EINVAL;
		return;
	}
	for (i = 0; desc->labels[i]; i++)
		;
	if (i != labels_count) {
		exposition->error = -EINVAL;
		return;
	}

	text = &exposition->families[family];
	put_string(exposition, text, desc->name);
	for (i = 0; i < labels_count; i++) {
		put_string(exposition, text, i ? "," : "{");
		put_string(exposition, text, desc->labels[i]);
		put_string(exposition, text, "=\"");
		if (labels[i])
			put_label_value(exposition, text, labels[i]);
		put_string(exposition, text, "\"");
	}
	put_string(exposition, text, labels_count ? "} " : " ");
	put_string(exposition, text, value);
	put_string(exposition, text, "\n");
}

void ncg_exposition_u64(struct ncg_exposition *exposition, enum ncg_family family,
			uint64_t value, const char *const *labels, size_t labels_count)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, value);
	put_sample(exposition, family, number, labels, labels_count);
}

void ncg_exposition_double(struct ncg_exposition *exposition, enum ncg_family family,
			   double value, const char *const *labels, size_t labels_count)
{
	char number[40];
	char *comma;

	if (isnan(value)) {
		strcpy(number, "NaN");
	} else if (isinf(value)) {
		strcpy(number, value > 0 ? "+Inf" : "-Inf");
	} else {
		/* 15 digits read well; 17 always give the same double back. */
		snprintf(number, sizeof(number), "%.15g", value);
		if (strtod(number, NULL) != value)
			snprintf(number, sizeof(number), "%.17g", value);
		/* The format's point is a point, whatever the locale's is. */
		comma = strchr(number, ',');
		if (comma)
			*comma = '.';
	}
	put_sample(exposition, family, number, labels, labels_count);
}

void ncg_exposition_counters(struct ncg_exposition *exposition,
			     const __u64 counters[NCG_CTR_NR])
{
	size_t i;

	for (i = 0; i < NCG_CTR_NR; i++)
		ncg_exposition_u64(exposition, counter_samples[i].family, counters[i],
				   &counter_samples[i].label, counter_samples[i].label ? 1 : 0);
}

int ncg_exposition_finish(struct ncg_exposition *exposition, char **ret_text, size_t *ret_size)
{
	/* Not part of the writer, so its limit does not apply. */
	struct ncg_exposition joined = { .error = exposition->error };
	struct text all = { 0 };
	size_t i;

	for (i = 0; i < NCG_MF_NR; i++) {
		const struct text *text = &exposition->families[i];

		if (!text->used)
			continue;
		put_string(&joined, &all, "# HELP ");
		put_string(&joined, &all, families[i].name);
		put_string(&joined, &all, " ");
		put_string(&joined, &all, families[i].help);
		put_string(&joined, &all, "\n# TYPE ");
		put_string(&joined, &all, families[i].name);
		put_string(&joined, &all, " ");
		put_string(&joined, &all, types[families[i].type]);
		put_string(&joined, &all, "\n");
		put_bytes(&joined, &all, text->bytes, text->used);
	}
	put_bytes(&joined, &all, "", 1);
	if (joined.error) {
		free(all.bytes);
		exposition->error = joined.error;
		return joined.error;
	}
	*ret_text = all.bytes;
	if (ret_size)
		*ret_size = all.used - 1;
	return 0;
}
