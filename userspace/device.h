/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PCI devices of this host as sysfs shows them, and which device and BAR a
 * host-physical address belongs to.
 *
 * A snapshot is owned by who read it and never changes, so it may be shared by
 * threads; hotplug and BAR reassignment need a new one. A device that goes while
 * it is read, or whose vendor or device id cannot be read, is left out; any
 * other attribute that is missing is empty or 0.
 */
#ifndef NCGATE_DEVICE_H
#define NCGATE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

#define NCG_DEVICE_BARS 6
#define NCG_DEVICE_ADDRESS_LEN 24 /* DDDDDDDD:BB:DD.F, NUL included */
#define NCG_DEVICE_DRIVER_LEN 64
#define NCG_DEVICE_NAME_LEN 160

struct ncg_bar {
	uint64_t start; /* host-physical, bytes */
	uint64_t size;	/* bytes; 0: there is no such BAR */
	uint64_t flags; /* IORESOURCE_*, include/linux/ioport.h */
	bool memory;	/* else I/O ports; start is then a port */
	bool shown;	/* by its driver (ncg_devices_show()), whatever PCI says of it */
	bool prefetchable;
	bool assigned; /* start means something */
};

struct ncg_device {
	char address[NCG_DEVICE_ADDRESS_LEN]; /* as sysfs names it */
	uint32_t domain;
	uint8_t bus;
	uint8_t devfn; /* slot 7..3, function 2..0 */
	uint8_t revision;
	uint16_t vendor;
	uint16_t device;
	uint16_t subvendor;
	uint16_t subdevice;
	uint32_t class_code; /* base, sub, interface: bits 23..0 */
	int32_t iommu_group; /* -1: none */
	char driver[NCG_DEVICE_DRIVER_LEN]; /* empty: none bound */
	char name[NCG_DEVICE_NAME_LEN];	    /* empty until ncg_devices_name() */
	struct ncg_bar bars[NCG_DEVICE_BARS];
};

/* One memory BAR as an address range; ends are inclusive, as in sysfs. */
struct ncg_device_range {
	uint64_t start;
	uint64_t end;
	uint64_t reach; /* highest end of this and all ranges before it */
	uint32_t device; /* index in list */
	uint32_t bar;
};

struct ncg_devices {
	struct ncg_device *list; /* by domain, bus, devfn */
	size_t count;
	struct ncg_device_range *ranges; /* by start */
	size_t ranges_count;
};

/*
 * Reads <sysfs>/bus/pci/devices into *ret_devices, to be freed with
 * ncg_devices_free(). sysfs NULL means /sys. Names are left empty.
 * Returns 0; -ENOMEM; or the negative errno of the folder itself (-ENOENT: no
 * PCI, or no sysfs), *ret_devices is then untouched.
 */
int ncg_devices_read(const char *sysfs, struct ncg_devices **ret_devices);

/* Memory that a device's driver shows as its BAR where PCI knows none (nvgrace-gpu). */
struct ncg_device_shown {
	uint32_t domain;
	uint8_t bus;
	uint8_t devfn;
	uint8_t bar; /* below NCG_DEVICE_BARS */
	uint64_t start; /* host-physical, bytes */
	uint64_t size;	/* bytes, not 0 */
};

/*
 * Puts such BARs in the place of those that PCI has under the same numbers, before the
 * snapshot is shared. Several parts of one make the least range that holds them all; of
 * a device that is not there nothing is shown. Returns 0 or -ENOMEM.
 */
int ncg_devices_show(struct ncg_devices *devices, const struct ncg_device_shown *shown,
		     size_t count);

/* Takes NULL. */
void ncg_devices_free(struct ncg_devices *devices);

NCG_DEFINE_CLEANUP(struct ncg_devices *, ncg_devices_free)
#define ncg_autodevices ncg_cleanup(ncg_devices_free_cleanup)

/*
 * The device and BAR (0 to 5, *ret_bar may be NULL) that hold a host-physical
 * address, or NULL; valid as long as the snapshot. Of BARs that overlap, which a
 * sane host does not have, the one that starts last. O(log n) without overlaps.
 */
const struct ncg_device *ncg_devices_lookup(const struct ncg_devices *devices, uint64_t phys,
					    unsigned int *ret_bar);

/* Where the first BAR after a host-physical address begins; UINT64_MAX: none does. */
uint64_t ncg_devices_next(const struct ncg_devices *devices, uint64_t phys);

/*
 * The largest block that begins at a host-physical address, is a power of two aligned to
 * its own size, and has no more than size (not 0) bytes.
 */
uint64_t ncg_device_block(uint64_t start, uint64_t size);

/*
 * Whether a device can be given to a guest: a VFIO driver has it, or it has an
 * IOMMU group and is no bridge (class 06).
 */
bool ncg_device_assignable(const struct ncg_device *device);

/* The device at a slot, or NULL; valid as long as the snapshot. O(log n). */
const struct ncg_device *ncg_devices_find(const struct ncg_devices *devices, uint32_t domain,
					  uint8_t bus, uint8_t devfn);

/*
 * Names of vendors and devices from the system's pci.ids (NULL) or a file; libpci
 * reads it at the first look-up. Never asks the network, nor udev. Keep it: it
 * serves any number of snapshots, from one thread at a time. A missing file is
 * no error, all names are then empty; of one with a line that cannot be parsed, which is
 * logged, the names before it are known.
 * Returns 0 or -ENOMEM.
 */
struct ncg_pci_names;
int ncg_pci_names_open(const char *pci_ids, struct ncg_pci_names **ret_names);

/* Takes NULL. */
void ncg_pci_names_free(struct ncg_pci_names *names);

NCG_DEFINE_CLEANUP(struct ncg_pci_names *, ncg_pci_names_free)
#define ncg_autopcinames ncg_cleanup(ncg_pci_names_free_cleanup)

/*
 * The name of a vendor (device: -1), or of one of its devices, written to buffer or
 * not; NULL where pci.ids has none. Valid until buffer changes.
 */
const char *ncg_pci_names_get(struct ncg_pci_names *names, int vendor, int device, char *buffer,
			      size_t size);

/*
 * Where libpci looks for the system's pci.ids, for who reads it by another way; a path
 * of a packed one is given without its ".gz". The caller frees it. NULL: no memory.
 */
char *ncg_pci_names_path(void);

/*
 * Fills in the name of every device, "Vendor Device", before the snapshot is
 * shared. names may be NULL, then nothing happens.
 */
void ncg_devices_name(struct ncg_devices *devices, struct ncg_pci_names *names);

#endif
