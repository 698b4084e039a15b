// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the firmware of a Grace Hopper says to nvgrace-gpu, said of a PCI device of the
 * emulated host, so that the driver itself can be tried: where the GPU's memory is (the
 * properties that ACPI would have), and in BAR 0, which must be memory, that the link to
 * it and the memory are ready (drivers/vfio/pci/nvgrace-gpu/main.c of v6.12 and v7.3).
 * Stays loaded: the properties go with the device.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/property.h>

#define C2C_LINK	0x1498
#define HBM_TRAINING	0x200bc
#define READY		0xff

static char *slot;
module_param(slot, charp, 0);
MODULE_PARM_DESC(slot, "DDDD:BB:DD.F");
static unsigned long base, size;
module_param(base, ulong, 0);
MODULE_PARM_DESC(base, "host-physical, bytes; no memory of the kernel's");
module_param(size, ulong, 0);
MODULE_PARM_DESC(size, "bytes; the last GiB, and what is left above a multiple of 512 MiB, is RESMEM");

static int say_ready(struct pci_dev *pdev)
{
	void __iomem *io;
	int ret = pci_enable_device(pdev);

	if (ret)
		return ret;
	io = pci_resource_len(pdev, 0) > HBM_TRAINING ? pci_iomap(pdev, 0, 0) : NULL;
	if (io) {
		iowrite32(READY, io + C2C_LINK);
		iowrite32(READY, io + HBM_TRAINING);
		pci_iounmap(pdev, io);
	}
	pci_disable_device(pdev);
	return io ? 0 : -ENODEV;
}

static int __init gpu_firmware_init(void)
{
	struct property_entry properties[] = {
		PROPERTY_ENTRY_U64("nvidia,gpu-mem-base-pa", base),
		PROPERTY_ENTRY_U64("nvidia,gpu-mem-size", size),
		{ }
	};
	unsigned int domain, bus, device, function;
	struct pci_dev *pdev;
	int ret;

	if (!slot || sscanf(slot, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(device, function));
	if (!pdev)
		return -ENODEV;
	ret = say_ready(pdev);
	if (!ret)
		ret = device_create_managed_software_node(&pdev->dev, properties, NULL);
	pci_dev_put(pdev);
	return ret;
}
module_init(gpu_firmware_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Tells nvgrace-gpu of memory, for tests");
