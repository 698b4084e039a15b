// SPDX-License-Identifier: GPL-2.0-only
#include "picture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

void ncg_picture_release(struct ncg_picture *picture)
{
	for (size_t i = 0; i < picture->count; i++) {
		ncg_guest_done(&picture->guests[i].identity);
		free(picture->guests[i].uses);
	}
	free(picture->guests);
	*picture = (struct ncg_picture){};
}

__u64 ncg_picture_bytes(const struct ncg_walk_vm *vm, enum ncg_memtype type)
{
	__u64 bytes = 0;

	for (int level = 0; level < NCG_S2_LEVELS; level++)
		bytes += vm->totals.bytes[type][level];
	return bytes;
}

__u64 ncg_picture_leaf_size(const struct ncg_walk_vm *vm, int level_index)
{
	struct ncg_s2_geometry geometry;

	if (ncg_s2_geometry_read(&vm->vm, &geometry))
		return 0;
	return ncg_s2_entry_size(&geometry, level_index + NCG_S2_LEVEL_MIN);
}

static struct ncg_picture_use *use_of(struct ncg_picture_guest *guest,
				      const struct ncg_device *device, unsigned int bar, __u64 phys)
{
	struct ncg_picture_use *uses;

	for (size_t i = 0; i < guest->use_count; i++) {
		struct ncg_picture_use *use = &guest->uses[i];

		if (use->device == device && use->bar == bar && (device || use->phys == phys))
			return use;
	}
	uses = reallocarray(guest->uses, guest->use_count + 1, sizeof(*uses));
	if (!uses)
		return NULL;
	guest->uses = uses;
	uses[guest->use_count] =
		(struct ncg_picture_use){ .device = device, .bar = bar, .phys = phys };
	return &uses[guest->use_count++];
}

const struct ncg_device *ncg_picture_part(const struct ncg_devices *devices, __u64 phys,
					  __u64 left, unsigned int *ret_bar, __u64 *ret_size)
{
	unsigned int bar = 0;
	uint64_t next;
	const struct ncg_device *device = ncg_devices_lookup(devices, phys, &bar);

	if (device)
		next = device->bars[bar].start + device->bars[bar].size;
	else
		next = ncg_devices_next(devices, phys);
	*ret_bar = bar;
	*ret_size = next - phys < left ? next - phys : left;
	return device;
}

/* Splits the ranges of a set of tables at the borders of BARs. */
static int attribute(const struct ncg_picture *picture, struct ncg_picture_guest *guest,
		     const struct ncg_walk_vm *vm)
{
	for (size_t i = 0; i < vm->range_count; i++) {
		const struct ncg_s2_range *range = &vm->ranges[i];
		__u64 phys = range->phys, left = range->size, part;

		for (; left; phys += part, left -= part) {
			unsigned int bar;
			const struct ncg_device *device =
				ncg_picture_part(picture->devices, phys, left, &bar, &part);
			struct ncg_picture_use *use = use_of(guest, device, bar, device ? 0 : phys);

			if (!use)
				return -ENOMEM;
			if (vm->vm.nested)
				use->nested_bytes[range->memtype] += part;
			else
				use->bytes[range->memtype] += part;
		}
	}
	return 0;
}

static void name_guest(struct ncg_picture *picture, size_t index, struct ncg_guest_cache *cache)
{
	struct ncg_picture_guest *guest = &picture->guests[index];
	const struct ncg_vm *vm = &guest->vm->vm;
	__u64 ticks = ncg_guest_ticks(vm->start_boot_ns);
	char id[NCG_GUEST_ID_LEN];
	unsigned int same = 1;

	ncg_guest_format_id(vm->pid, ticks, id);
	if (ncg_guest_read(NULL, vm->pid, cache, &guest->identity) ||
	    guest->identity.start_ticks != ticks)
		ncg_guest_done(&guest->identity);
	/* KVM lists the newest first; older VMs of one process keep their id. */
	for (size_t i = index + 1; i < picture->count; i++)
		if (picture->guests[i].vm->vm.pid == vm->pid)
			same++;
	if (same > 1)
		snprintf(guest->id, sizeof(guest->id), "%s.%u", id, same);
	else
		snprintf(guest->id, sizeof(guest->id), "%s", id);
}

static int take_guests(struct ncg_picture *picture, struct ncg_guest_cache *cache)
{
	size_t count = ncg_walk_count(picture->walk);

	picture->guests = calloc(count + 1, sizeof(*picture->guests));
	if (!picture->guests)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct ncg_walk_vm *vm = ncg_walk_vm(picture->walk, i);

		/* A VM's shadows stand behind it. */
		if (!vm->vm.nested)
			picture->guests[picture->count++] =
				(struct ncg_picture_guest){ .vm = vm, .index = i };
		else if (picture->count)
			picture->guests[picture->count - 1].shadows++;
	}
	for (size_t i = 0; i < picture->count; i++) {
		struct ncg_picture_guest *guest = &picture->guests[i];
		int r = 0;

		name_guest(picture, i, cache);
		for (size_t s = 0; s <= guest->shadows && !r; s++)
			r = attribute(picture, guest, ncg_walk_vm(picture->walk, guest->index + s));
		if (r)
			return r;
	}
	return 0;
}

int ncg_picture_take(struct ncg_walk *walk, struct ncg_inventory *inventory,
		     struct ncg_guest_cache *cache, struct ncg_picture *ret_picture)
{
	ncg_autopicture struct ncg_picture picture = { .walk = walk };
	int r = ncg_inventory_refresh(inventory);

	if (r)
		return r;
	if (walk) {
		r = ncg_walk_refresh(walk);
		if (r)
			return r;
		ncg_inventory_learn(inventory, walk);
	}
	picture.devices = ncg_inventory_devices(inventory);
	r = walk ? take_guests(&picture, cache) : 0;
	if (r)
		return ncg_log_error(r, "guests cannot be listed");
	*ret_picture = picture;
	picture = (struct ncg_picture){};
	return 0;
}
