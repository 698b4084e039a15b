// SPDX-License-Identifier: GPL-2.0-only
/*
 * The picture of PCI devices and its copy in the map `bars`. Owns both. When sysfs cannot be
 * read the last picture stays; a range that the map has no room for is left out and counted.
 */
#include "inventory.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "abi.h"
#include "cleanup.h"
#include "log.h"
#include "map_keys.h"
#include "map_sizes.h"
#include "mapped.h"
#include "shares.h"

/* One element of the map `bars`. */
struct bar_prefix {
	__u64 start;
	__u32 bits;
	__u64 where; /* NCG_BAR_ID() */
};

struct ncg_inventory {
	struct ncg_devices *devices;
	struct ncg_pci_names *names;
	__u64 read_at; /* CLOCK_BOOTTIME, ns: before the last reading of sysfs */
	struct ncg_inventory_maps maps;
	struct bar_prefix *written; /* by this daemon, sorted */
	size_t written_count;
	size_t left_out; /* ranges that found no room */
	size_t work;	 /* writes to the map */
	/* Host-physical addresses in no BAR that were asked about, oldest overwritten. */
	__u64 asked[256];
	size_t asked_count;
};

static int by_key(const void *a, const void *b)
{
	const struct bar_prefix *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->bits > y->bits) - (x->bits < y->bits);
}

/*
 * The address ranges of a picture as prefixes, sorted, each once, for the caller to free: a
 * BAR is one, and one that is no power of two several. Returns their number or -ENOMEM.
 */
static ssize_t make_prefixes(const struct ncg_devices *devices, struct bar_prefix **ret_prefixes)
{
	ncg_autofree struct bar_prefix *prefixes =
		calloc(ncg_map_needs_of(devices).prefixes + 1, sizeof(*prefixes));
	size_t count = 0, unique = 0;

	if (!prefixes)
		return -ENOMEM;
	for (size_t i = 0; i < devices->ranges_count; i++) {
		const struct ncg_device_range *range = &devices->ranges[i];
		const struct ncg_device *d = &devices->list[range->device];
		__u64 left = range->end - range->start + 1, start = range->start, part;

		for (; left; start += part, left -= part) {
			part = ncg_device_block(start, left);
			prefixes[count++] = (struct bar_prefix){
				.start = start,
				.bits = 64 - __builtin_ctzll(part),
				.where = NCG_BAR_ID(d->domain, d->bus, d->devfn, range->bar),
			};
		}
	}
	qsort(prefixes, count, sizeof(*prefixes), by_key);
	for (size_t i = 0; i < count; i++)
		if (!i || by_key(&prefixes[i], &prefixes[i - 1]))
			prefixes[unique++] = prefixes[i];
	*ret_prefixes = ncg_take_ptr(prefixes);
	return unique;
}

static struct ncg_bar_key key_of(const struct bar_prefix *prefix)
{
	struct ncg_bar_key key = { .prefix = prefix->bits };
	__u64 be = htobe64(prefix->start);

	memcpy(key.address, &be, sizeof(be));
	return key;
}

/* Takes out of the map what was written and is not wanted any more; returns how many. */
static size_t remove_bars(const struct ncg_inventory *inventory, const struct bar_prefix *wanted,
			  size_t count)
{
	size_t removed = 0;

	for (size_t i = 0; i < inventory->written_count; i++) {
		const struct bar_prefix *old = &inventory->written[i];
		struct ncg_bar_key key = key_of(old);

		if (bsearch(old, wanted, count, sizeof(*wanted), by_key))
			continue;
		bpf_map_delete_elem(inventory->maps.bars, &key);
		removed++;
	}
	return removed;
}

/*
 * Writes into the map what is new, and no more: a range that stays is there at every moment.
 * What finds no room is left out, counted, and tried again with the next picture: a host
 * with more BARs than the map was made for is still looked after. Returns 0 or -errno.
 */
static int sync_bars(struct ncg_inventory *inventory)
{
	ncg_autofree struct bar_prefix *wanted = NULL;
	ssize_t count;
	size_t kept = 0;

	if (inventory->maps.bars < 0)
		return 0;
	count = make_prefixes(inventory->devices, &wanted);
	if (count < 0)
		return count;
	inventory->work += remove_bars(inventory, wanted, count);
	inventory->left_out = 0;
	for (ssize_t i = 0; i < count; i++) {
		const struct bar_prefix *old =
			inventory->written_count ?
				bsearch(&wanted[i], inventory->written, inventory->written_count,
					sizeof(*wanted), by_key) : NULL;
		struct ncg_bar_key key = key_of(&wanted[i]);
		int r = 0;

		if (!old || old->where != wanted[i].where) {
			r = bpf_map_update_elem(inventory->maps.bars, &key, &wanted[i].where,
						BPF_ANY) ? -errno : 0;
			inventory->work++;
		}
		if (r == -ENOSPC || r == -E2BIG || r == -ENOMEM)
			inventory->left_out++;
		else if (r)
			return r;
		else
			wanted[kept++] = wanted[i];
	}
	free(inventory->written);
	inventory->written = ncg_take_ptr(wanted);
	inventory->written_count = kept;
	return 0;
}

static bool same_ranges(const struct ncg_devices *a, const struct ncg_devices *b)
{
	if (!a || a->ranges_count != b->ranges_count)
		return false;
	for (size_t i = 0; i < a->ranges_count; i++) {
		const struct ncg_device_range *x = &a->ranges[i], *y = &b->ranges[i];

		if (x->start != y->start || x->end != y->end || x->bar != y->bar ||
		    strcmp(a->list[x->device].address, b->list[y->device].address))
			return false;
	}
	return true;
}

/* Whether a region of the map is still one: its device is there, with the same driver. */
static bool region_holds(const struct ncg_devices *devices, const struct ncg_region *region,
			 __u64 phys)
{
	unsigned int bar = region->where & 0xffff;
	const struct ncg_device *d = ncg_devices_find(devices, region->where >> 32,
						      region->where >> 24, region->where >> 16);

	if (!d || bar >= NCG_DEVICE_BARS || !region->size ||
	    strncmp(d->driver, region->driver, sizeof(region->driver) - 1))
		return false;
	/* A BAR that PCI knows was only not known here when its guest mapped it. */
	return phys - d->bars[bar].start >= d->bars[bar].size;
}

/* Adds what drivers show to a fresh snapshot, and takes out of the map what has ended. */
static int show_regions(const struct ncg_inventory *inventory, struct ncg_devices *devices)
{
	ncg_autofree struct ncg_device_shown *shown = NULL;
	int fd = inventory->maps.regions;
	__u64 phys, next, *key = NULL;
	size_t count = 0;
	long room;
	bool more;

	if (fd < 0)
		return 0;
	room = ncg_map_max(fd);
	if (room < 0)
		return room;
	shown = calloc(room, sizeof(*shown));
	if (!shown)
		return -ENOMEM;
	/* Deleting the present key would start the list anew: so look one ahead. */
	for (more = !bpf_map_get_next_key(fd, key, &next); more && count < (size_t)room;) {
		struct ncg_region region;

		phys = next;
		key = &phys;
		more = !bpf_map_get_next_key(fd, key, &next);
		if (bpf_map_lookup_elem(fd, key, &region))
			continue;
		if (!region_holds(devices, &region, phys)) {
			if (!bpf_map_delete_elem(fd, key))
				ncg_shares_give(inventory->maps.shares, NCG_SHARED_REGIONS,
						region.where);
			continue;
		}
		shown[count++] = (struct ncg_device_shown){
			.domain = region.where >> 32,
			.bus = region.where >> 24,
			.devfn = region.where >> 16,
			.bar = region.where & 0xffff,
			.start = phys,
			.size = region.size,
		};
	}
	return ncg_devices_show(devices, shown, count);
}

int ncg_inventory_refresh(struct ncg_inventory *inventory)
{
	struct ncg_devices *old = inventory->devices, *fresh;
	struct timespec t;
	int r;

	clock_gettime(CLOCK_BOOTTIME, &t);
	r = ncg_devices_read(inventory->maps.sysfs, &fresh);
	/* A host without PCI has no devices to pass through; that is no error. */
	if (r == -ENOENT) {
		fresh = calloc(1, sizeof(*fresh));
		r = fresh ? 0 : -ENOMEM;
	}
	if (r)
		return ncg_log_error(r, "PCI devices cannot be read from sysfs");
	ncg_devices_name(fresh, inventory->names);
	r = show_regions(inventory, fresh);
	if (r) {
		ncg_devices_free(fresh);
		return ncg_log_error(r, "what drivers show as BARs cannot be read");
	}
	inventory->devices = fresh;
	inventory->read_at = t.tv_sec * 1000000000ULL + t.tv_nsec;
	if (!same_ranges(old, fresh) || inventory->left_out) {
		r = sync_bars(inventory);
		if (r)
			ncg_log_error(r, "address ranges of BARs cannot be written");
	}
	ncg_devices_free(old);
	return r;
}

int ncg_inventory_open(const struct ncg_inventory_maps *maps,
		       struct ncg_inventory **ret_inventory)
{
	struct ncg_inventory *inventory = calloc(1, sizeof(*inventory));
	int r;

	if (!inventory)
		return ncg_log_error(-ENOMEM, "no memory");
	inventory->maps = *maps;
	r = ncg_pci_names_open(NULL, &inventory->names);
	if (!r)
		r = ncg_inventory_refresh(inventory);
	if (r) {
		ncg_inventory_close(inventory);
		return r;
	}
	*ret_inventory = inventory;
	return 0;
}

void ncg_inventory_close(struct ncg_inventory *inventory)
{
	if (!inventory)
		return;
	ncg_devices_free(inventory->devices);
	ncg_pci_names_free(inventory->names);
	free(inventory->written);
	free(inventory);
}

struct ncg_inventory_bars ncg_inventory_bars(const struct ncg_inventory *inventory)
{
	return (struct ncg_inventory_bars){
		.used = inventory->written_count,
		.left_out = inventory->left_out,
		.writes = inventory->work,
	};
}

const struct ncg_devices *ncg_inventory_devices(const struct ncg_inventory *inventory)
{
	return inventory->devices;
}

/* Whether that BAR of it is where somebody has just mapped it. */
static bool is_there(const struct ncg_device *d, const struct ncg_pci *pci)
{
	return d && (pci->bar >= NCG_DEVICE_BARS || d->bars[pci->bar].shown ||
		     d->bars[pci->bar].start == pci->bar_start);
}

const struct ncg_device *ncg_inventory_find(struct ncg_inventory *inventory,
					    const struct ncg_pci *pci, __u64 boot_ns)
{
	const struct ncg_device *d =
		ncg_devices_find(inventory->devices, pci->domain, pci->bus, pci->devfn);

	if (!is_there(d, pci) && inventory->read_at < boot_ns && !ncg_inventory_refresh(inventory))
		d = ncg_devices_find(inventory->devices, pci->domain, pci->bus, pci->devfn);
	return d;
}

const struct ncg_device *ncg_inventory_lookup(struct ncg_inventory *inventory, uint64_t phys,
					      unsigned int *ret_bar)
{
	const struct ncg_device *d = ncg_devices_lookup(inventory->devices, phys, ret_bar);

	if (!d && !ncg_inventory_refresh(inventory))
		d = ncg_devices_lookup(inventory->devices, phys, ret_bar);
	return d;
}

/* Whether to ask about a place, which it is remembered for. */
static bool ask_about(struct ncg_inventory *inventory, __u64 phys)
{
	size_t room = sizeof(inventory->asked) / sizeof(inventory->asked[0]);

	for (size_t i = 0; i < room && i < inventory->asked_count; i++)
		if (inventory->asked[i] == phys)
			return false;
	inventory->asked[inventory->asked_count++ % room] = phys;
	return true;
}

/* Only a driver of vfio's for devices of one kind shows other memory than PCI's. */
static bool has_variant_driver(const struct ncg_devices *devices)
{
	for (size_t i = 0; i < devices->count; i++) {
		const char *driver = devices->list[i].driver;

		if (strstr(driver, "vfio") && strcmp(driver, "vfio-pci"))
			return true;
	}
	return false;
}

/* Each goes through the mappings of a process: the others have the next picture's turn. */
#define ASK_AT_ONCE 8

void ncg_inventory_learn(struct ncg_inventory *inventory, const struct ncg_walk *walk)
{
	size_t count = has_variant_driver(inventory->devices) ? ncg_walk_count(walk) : 0, asked = 0;
	struct ncg_mapped_place places[ASK_AT_ONCE];

	for (size_t i = 0; i < count && asked < ASK_AT_ONCE; i++) {
		const struct ncg_walk_vm *vm = ncg_walk_vm(walk, i);

		/* What a hypervisor within the guest maps, the guest has mapped before. */
		if (vm->vm.nested || !vm->vm.pid || vm->state != NCG_WALK_VISIBLE)
			continue;
		for (size_t r = 0; r < vm->range_count && asked < ASK_AT_ONCE; r++) {
			const struct ncg_s2_range *range = &vm->ranges[r];

			if (ncg_devices_lookup(inventory->devices, range->phys, NULL) ||
			    !ask_about(inventory, range->phys))
				continue;
			places[asked++] = (struct ncg_mapped_place){
				.vm = vm->vm, .ipa = range->ipa, .phys = range->phys,
			};
		}
	}
	/* One that fails is logged, and what it would have told stays unknown. */
	if (asked) {
		ncg_mapped_find_regions(places, asked);
		ncg_inventory_refresh(inventory);
	}
}
