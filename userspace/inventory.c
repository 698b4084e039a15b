// SPDX-License-Identifier: GPL-2.0-only
#include "inventory.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "abi.h"
#include "log.h"

struct ncg_inventory {
	struct ncg_devices *devices;
	struct ncg_pci_names *names;
	__u64 read_at; /* CLOCK_BOOTTIME, ns: before the last reading of sysfs */
	int bars_fd;
};

/* Every memory BAR as one prefix. Only what changed is written. */
static int sync_bars(const struct ncg_inventory *inventory, const struct ncg_devices *old)
{
	const struct ncg_devices *now = inventory->devices;

	if (inventory->bars_fd < 0)
		return 0;
	for (int round = 0; round < 2; round++) {
		/* Round 0 takes away the old ranges, round 1 puts in the new. */
		const struct ncg_devices *devices = round ? now : old;

		for (size_t i = 0; devices && i < devices->ranges_count; i++) {
			const struct ncg_device_range *range = &devices->ranges[i];
			const struct ncg_device *d = &devices->list[range->device];
			__u64 size = range->end - range->start + 1, be = htobe64(range->start);
			__u64 id = NCG_BAR_ID(d->domain, d->bus, d->devfn, range->bar);
			struct ncg_bar_key key;

			if (!size || size & (size - 1))
				continue;
			key.prefix = 64 - __builtin_ctzll(size);
			memcpy(key.address, &be, sizeof(be));
			if (round == 0)
				bpf_map_delete_elem(inventory->bars_fd, &key);
			else if (bpf_map_update_elem(inventory->bars_fd, &key, &id, BPF_ANY))
				return -errno;
		}
	}
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

int ncg_inventory_refresh(struct ncg_inventory *inventory)
{
	struct ncg_devices *old = inventory->devices, *fresh;
	struct timespec t;
	int r;

	clock_gettime(CLOCK_BOOTTIME, &t);
	r = ncg_devices_read(NULL, &fresh);
	/* A host without PCI has no devices to pass through; that is no error. */
	if (r == -ENOENT) {
		fresh = calloc(1, sizeof(*fresh));
		r = fresh ? 0 : -ENOMEM;
	}
	if (r)
		return ncg_log_error(r, "PCI devices cannot be read from sysfs");
	ncg_devices_name(fresh, inventory->names);
	inventory->devices = fresh;
	inventory->read_at = t.tv_sec * 1000000000ULL + t.tv_nsec;
	if (!same_ranges(old, fresh)) {
		r = sync_bars(inventory, old);
		if (r)
			ncg_log_error(r, "address ranges of BARs cannot be written");
	}
	ncg_devices_free(old);
	return r;
}

int ncg_inventory_open(int bars_fd, struct ncg_inventory **ret_inventory)
{
	struct ncg_inventory *inventory = calloc(1, sizeof(*inventory));
	int r;

	if (!inventory)
		return ncg_log_error(-ENOMEM, "no memory");
	inventory->bars_fd = bars_fd;
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
	free(inventory);
}

const struct ncg_devices *ncg_inventory_devices(const struct ncg_inventory *inventory)
{
	return inventory->devices;
}

/* Whether that BAR of it is where somebody has just mapped it. */
static bool is_there(const struct ncg_device *d, const struct ncg_pci *pci)
{
	return d && (pci->bar >= NCG_DEVICE_BARS || d->bars[pci->bar].start == pci->bar_start);
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
