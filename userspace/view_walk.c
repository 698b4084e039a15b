// SPDX-License-Identifier: GPL-2.0-only
#include "view_walk.h"

#include <errno.h>
#include <string.h>

#include "json.h"
#include "names.h"
#include "view_guest.h"

/* The level whose entries are that large; NCG_S2_LEVEL_MIN - 1 for none. */
static int level_of(const struct ncg_walk_vm *vm, __u64 leaf_size)
{
	for (int index = NCG_S2_LEVELS - 1; index >= 0; index--)
		if (ncg_picture_leaf_size(vm, index) == leaf_size)
			return index + NCG_S2_LEVEL_MIN;
	return NCG_S2_LEVEL_MIN - 1;
}

/* Adds one range, cut at the borders of BARs. */
static void add_range(json_t *list, const struct ncg_picture *picture,
		      const struct ncg_walk_vm *vm, const struct ncg_s2_range *range)
{
	__u64 done = 0, part;

	for (; done < range->size; done += part) {
		unsigned int bar;
		const struct ncg_device *device = ncg_picture_part(
			picture->devices, range->phys + done, range->size - done, &bar, &part);
		json_t *json = json_pack("{s:o, s:o, s:I, s:I, s:i, s:s}", "ipa",
					 ncg_json_hex(1, range->ipa + done), "phys",
					 ncg_json_hex(1, range->phys + done), "size",
					 (json_int_t)part, "leaf_size",
					 (json_int_t)range->leaf_size, "level",
					 level_of(vm, range->leaf_size), "type",
					 ncg_names_memtype(range->memtype));

		if (device) {
			json_object_set_new(json, "device", json_string(device->address));
			json_object_set_new(json, "bar", json_integer(bar));
			json_object_set_new(json, "name",
					    ncg_json_name(device->name, sizeof(device->name)));
		}
		if (vm->vm.nested)
			json_object_set_new(json, "nested", json_integer(vm->vm.nested));
		json_array_append_new(list, json);
	}
}

static json_t *no_such_guest(const char *id)
{
	return json_pack("{s:s+}", "error", "there is no guest ", id);
}

json_t *ncg_view_walk(struct ncg_picture *picture, const char *id)
{
	const struct ncg_picture_guest *guest = NULL;
	json_t *json, *ranges = json_array(), *shadows = json_array();

	for (size_t i = 0; i < picture->count && !guest; i++)
		if (!strcmp(picture->guests[i].id, id))
			guest = &picture->guests[i];
	for (size_t s = 0; guest && s <= guest->shadows; s++) {
		size_t index = guest->index + s;
		const struct ncg_walk_vm *vm = ncg_walk_vm(picture->walk, index);

		/* A shadow may go at any moment; the guest's own tables are the guest. */
		if (vm->state == NCG_WALK_HIDDEN || ncg_walk_now(picture->walk, index))
			continue;
		for (size_t r = 0; r < vm->range_count; r++)
			add_range(ranges, picture, vm, &vm->ranges[r]);
		if (vm->vm.nested)
			json_array_append_new(shadows,
					      json_pack("{s:i, s:o}", "nested", vm->vm.nested,
							"leaves", ncg_view_leaves(vm)));
	}
	if (!guest) {
		json_decref(ranges);
		json_decref(shadows);
		return no_such_guest(id);
	}
	json = ncg_view_guest(guest);
	json_object_set_new(json, "ia_bits", json_integer(guest->vm->vm.ia_bits));
	json_object_set_new(json, "start_level", json_integer(guest->vm->vm.start_level));
	json_object_set_new(json, "ranges", ranges);
	json_object_set_new(json, "shadows", shadows);
	return json;
}
