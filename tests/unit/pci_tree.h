/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI devices in a made sysfs. Included after tree.h by one .c file each.
 */
#ifndef NCGATE_TEST_PCI_TREE_H
#define NCGATE_TEST_PCI_TREE_H

#define PCI_NO_BAR "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"

/* What one device shows; a member that is 0 or NULL is left out. */
struct pci_entry {
	const char *address;
	unsigned int vendor;
	unsigned int device;
	unsigned int class_code;
	const char *driver;
	const char *group;
	const char *resource;
};

static void pci_hex(const char *sys, const struct pci_entry *entry, const char *name,
		    unsigned int value, int digits)
{
	char path[256], text[16];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sys, entry->address, name);
	snprintf(text, sizeof(text), "0x%0*x\n", digits, value);
	tree_file(path, text);
}

static void pci_add(const char *sys, const struct pci_entry *entry)
{
	char path[256], target[256];

	pci_hex(sys, entry, "vendor", entry->vendor, 4);
	pci_hex(sys, entry, "device", entry->device, 4);
	pci_hex(sys, entry, "class", entry->class_code, 6);
	if (entry->driver) {
		snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", sys, entry->address);
		snprintf(target, sizeof(target), "../../drivers/%s", entry->driver);
		tree_link(path, target);
	}
	if (entry->group) {
		snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/iommu_group", sys,
			 entry->address);
		snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%s", entry->group);
		tree_link(path, target);
		snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%s", sys, entry->group);
		tree_dir(path);
	}
	if (entry->resource) {
		snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/resource", sys,
			 entry->address);
		tree_file(path, entry->resource);
	}
}

#endif
