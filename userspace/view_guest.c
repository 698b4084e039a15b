// SPDX-License-Identifier: GPL-2.0-only
#include "view_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "names.h"

static const char *const state_names[NCG_WALK_STATE_NR] = {
	[NCG_WALK_PENDING] = "pending",
	[NCG_WALK_VISIBLE] = "visible",
	[NCG_WALK_HIDDEN] = "hidden",
	[NCG_WALK_UNREADABLE] = "unreadable",
};

static bool visible(const struct ncg_picture_guest *guest)
{
	return guest->vm->state == NCG_WALK_VISIBLE;
}

static double seconds_since(__u64 at)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9 - at / 1e9;
}

/* The types that KVM uses are always shown, so that 0 is seen as 0. */
static bool always_shown(enum ncg_memtype type)
{
	return type == NCG_MT_NORMAL_WB || type == NCG_MT_NORMAL_NC || type == NCG_MT_DEVICE_nGnRE;
}

/* ------------------------------------------------------------------- metrics */

static void tables_metrics(struct ncg_exposition *e, const struct ncg_picture *picture,
			   const struct ncg_picture_guest *guest)
{
	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++) {
		const char *name = ncg_names_memtype(type);
		__u64 bytes = ncg_picture_bytes(guest->vm, type), nested = 0;

		if (bytes || always_shown(type))
			ncg_exposition_u64(e, NCG_MF_GUEST_STAGE2_BYTES, bytes,
					   NCG_LABELS(guest->id, name));
		for (int level = 0; level < NCG_S2_LEVELS; level++) {
			__u64 leaves = guest->vm->totals.leaves[type][level];
			char size[24];

			if (!leaves)
				continue;
			snprintf(size, sizeof(size), "%llu",
				 ncg_picture_leaf_size(guest->vm, level));
			ncg_exposition_u64(e, NCG_MF_GUEST_STAGE2_LEAVES, leaves,
					   NCG_LABELS(guest->id, name, size));
		}
		for (size_t s = 1; s <= guest->shadows; s++)
			nested += ncg_picture_bytes(ncg_walk_vm(picture->walk, guest->index + s),
						    type);
		if (nested || (guest->shadows && always_shown(type)))
			ncg_exposition_u64(e, NCG_MF_GUEST_NESTED_STAGE2_BYTES, nested,
					   NCG_LABELS(guest->id, name));
	}
}

static void use_metrics(struct ncg_exposition *e, const struct ncg_picture_guest *guest,
			const struct ncg_picture_use *use)
{
	char bar[8];

	if (!use->device)
		return;
	snprintf(bar, sizeof(bar), "%u", use->bar);
	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++) {
		const char *name = ncg_names_memtype(type);

		if (use->bytes[type])
			ncg_exposition_u64(e, NCG_MF_DEVICE_STAGE2_BYTES, use->bytes[type],
					   NCG_LABELS(guest->id, use->device->address, bar, name));
		if (use->nested_bytes[type])
			ncg_exposition_u64(e, NCG_MF_DEVICE_NESTED_STAGE2_BYTES,
					   use->nested_bytes[type],
					   NCG_LABELS(guest->id, use->device->address, bar, name));
	}
}

static void guest_metrics(struct ncg_exposition *e, const struct ncg_picture *picture,
			  const struct ncg_picture_guest *guest)
{
	const struct ncg_guest *identity = &guest->identity;
	char pid[16];

	snprintf(pid, sizeof(pid), "%u", guest->vm->vm.pid);
	ncg_exposition_u64(e, NCG_MF_GUEST_INFO, 1,
			   NCG_LABELS(guest->id, pid, identity->name, identity->uuid,
				      identity->vmm, identity->cgroup));
	ncg_exposition_u64(e, NCG_MF_GUEST_TABLES, 1,
			   NCG_LABELS(guest->id, state_names[guest->vm->state]));
	if (!visible(guest))
		return;
	ncg_exposition_double(e, NCG_MF_WALK_AGE_SECONDS, seconds_since(guest->vm->whole_at),
			      NCG_LABELS(guest->id, "all"));
	ncg_exposition_double(e, NCG_MF_WALK_AGE_SECONDS, seconds_since(guest->vm->devices_at),
			      NCG_LABELS(guest->id, "devices"));
	tables_metrics(e, picture, guest);
	for (size_t u = 0; u < guest->use_count; u++)
		use_metrics(e, guest, &guest->uses[u]);
}

void ncg_view_guest_metrics(struct ncg_exposition *e, const struct ncg_picture *picture)
{
	struct ncg_walk_stats stats = ncg_walk_stats(picture->walk);
	__u64 not_visible = 0;

	for (size_t i = 0; i < picture->count; i++) {
		guest_metrics(e, picture, &picture->guests[i]);
		not_visible += !visible(&picture->guests[i]);
	}
	ncg_exposition_u64(e, NCG_MF_GUESTS, picture->count, NCG_LABELS());
	ncg_exposition_u64(e, NCG_MF_GUESTS_NOT_VISIBLE, not_visible, NCG_LABELS());
	ncg_exposition_u64(e, NCG_MF_WALK_ERRORS_TOTAL, stats.errors, NCG_LABELS());
	ncg_exposition_double(e, NCG_MF_WALK_SECONDS_TOTAL, stats.nanoseconds / 1e9, NCG_LABELS());
	ncg_exposition_u64(e, NCG_MF_WALK_ENTRIES_TOTAL, stats.entries, NCG_LABELS());
	ncg_exposition_double(e, NCG_MF_WALK_LONGEST_PIECE_SECONDS, stats.longest_ns / 1e9,
			      NCG_LABELS());
}

/* ---------------------------------------------------------------------- JSON */

json_t *ncg_view_leaves(const struct ncg_walk_vm *vm)
{
	json_t *leaves = json_array();

	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++)
		for (int level = 0; level < NCG_S2_LEVELS; level++)
			if (vm->totals.leaves[type][level])
				json_array_append_new(leaves, json_pack(
					"{s:s, s:I, s:I}", "type", ncg_names_memtype(type), "size",
					(json_int_t)ncg_picture_leaf_size(vm, level), "count",
					(json_int_t)vm->totals.leaves[type][level]));
	return leaves;
}

json_t *ncg_view_guest(const struct ncg_picture_guest *guest)
{
	const struct ncg_vm *vm = &guest->vm->vm;
	const struct ncg_guest *identity = &guest->identity;
	json_t *json = json_object(), *types = json_object();
	json_t *devices = json_array(), *other = json_array();

	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++) {
		const char *name = ncg_names_memtype(type);
		__u64 bytes = ncg_picture_bytes(guest->vm, type);

		if (bytes)
			json_object_set_new(types, name, json_integer(bytes));
	}
	for (size_t u = 0; u < guest->use_count; u++) {
		const struct ncg_picture_use *use = &guest->uses[u];

		for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++) {
			const char *name = ncg_names_memtype(type);

			if (!use->bytes[type])
				continue;
			if (use->device)
				json_array_append_new(devices, json_pack(
					"{s:s, s:i, s:s, s:I}", "device", use->device->address,
					"bar", (int)use->bar, "type", name, "bytes",
					(json_int_t)use->bytes[type]));
			else
				json_array_append_new(other, json_pack(
					"{s:o, s:I, s:s}", "phys", ncg_json_hex(1, use->phys), "bytes",
					(json_int_t)use->bytes[type], "type", name));
		}
	}
	json_object_set_new(json, "guest", json_string(guest->id));
	json_object_set_new(json, "pid", json_integer(vm->pid));
	json_object_set_new(json, "uid", json_integer(identity->uid));
	json_object_set_new(json, "name", ncg_json_string(identity->name));
	json_object_set_new(json, "uuid", ncg_json_string(identity->uuid));
	json_object_set_new(json, "vmm", ncg_json_string(identity->vmm));
	json_object_set_new(json, "cgroup", ncg_json_string(identity->cgroup));
	json_object_set_new(json, "vcpus", json_integer(vm->vcpus));
	json_object_set_new(json, "visible", json_boolean(visible(guest)));
	json_object_set_new(json, "tables", json_string(state_names[guest->vm->state]));
	/* Unknown until a guest of this host has run. */
	json_object_set_new(json, "fwb",
			    vm->hcr ? json_boolean(!!(vm->hcr & NCG_HCR_FWB)) : json_null());
	json_object_set_new(json, "types", types);
	json_object_set_new(json, "leaves", ncg_view_leaves(guest->vm));
	json_object_set_new(json, "devices", devices);
	json_object_set_new(json, "other", other);
	return json;
}
