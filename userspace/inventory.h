/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's current picture of the PCI devices, with the BARs that PCI knows and those
 * that drivers show, and the copy of their address ranges that the observing program looks
 * up. Owns the snapshot; shares the contents of the maps `bars` and `regions` with that
 * program, which adds a BAR that it sees mapped before the daemon knows of it. When sysfs
 * cannot be read the last picture stays.
 */
#ifndef NCGATE_INVENTORY_H
#define NCGATE_INVENTORY_H

#include "abi.h"
#include "device.h"
#include "walk.h"

struct ncg_inventory;

/* The maps of those names, -1 for none; borrowed. sysfs: NULL for /sys. */
struct ncg_inventory_maps {
	int bars;
	int regions;
	int shares;
	const char *sysfs;
};

/* Returns 0 or -errno, logged. */
int ncg_inventory_open(const struct ncg_inventory_maps *maps,
		       struct ncg_inventory **ret_inventory);
void ncg_inventory_close(struct ncg_inventory *inventory); /* takes NULL */

/* Reads sysfs again. Returns 0 or -errno, logged. */
int ncg_inventory_refresh(struct ncg_inventory *inventory);

/*
 * Asks, once for each place, of what guests have outside of all BARs whether a driver shows
 * it as one; the picture is then new. For what was mapped before anybody looked, or could
 * not be told at that moment.
 */
void ncg_inventory_learn(struct ncg_inventory *inventory, const struct ncg_walk *walk);

/* What of the BARs' address ranges is in the map `bars`. */
struct ncg_inventory_bars {
	size_t used;	 /* entries that are written */
	size_t left_out; /* for which there was no room */
	size_t writes;	 /* to the map, so far */
};

struct ncg_inventory_bars ncg_inventory_bars(const struct ncg_inventory *inventory);

/* The picture, valid until the next refresh; never NULL. */
const struct ncg_devices *ncg_inventory_devices(const struct ncg_inventory *inventory);

/*
 * The device of an event at boot_ns (CLOCK_BOOTTIME), or NULL. When it is unknown, or its
 * BAR was somewhere else, the picture is refreshed unless it is newer than the event.
 */
const struct ncg_device *ncg_inventory_find(struct ncg_inventory *inventory,
					    const struct ncg_pci *pci, __u64 boot_ns);

/* As ncg_devices_lookup(), with one refresh when the address is unknown. */
const struct ncg_device *ncg_inventory_lookup(struct ncg_inventory *inventory, uint64_t phys,
					      unsigned int *ret_bar);

#endif
