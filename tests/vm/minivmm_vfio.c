// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "minivmm_vfio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "minivmm_guest.h"

#define MAX_GROUPS	16

int must(int result, const char *what)
{
	if (result < 0)
		die(EXIT_SETUP, "%s: errno=%d (%s)", what, errno,
		    strerror(errno));
	return result;
}

uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

void *reserve(uint64_t size, uint64_t align)
{
	char *space = mmap(NULL, size + align, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (space == MAP_FAILED)
		die(EXIT_SETUP, "mmap of %" PRIu64 " bytes: errno=%d (%s)",
		    size, errno, strerror(errno));
	return (char *)round_up((uintptr_t)space, align);
}

bool vfio_use_iommufd;

static int vfio_container(void)
{
	static int container = -1;

	if (container >= 0)
		return container;
	container = must(open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC),
			 "open /dev/vfio/vfio");
	if (ioctl(container, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
		die(EXIT_SETUP, "VFIO_GET_API_VERSION: unknown version");
	return container;
}

/* The group's descriptor, opened and in the container. */
static int vfio_group(const char *slot)
{
	static struct {
		int number, fd;
	} groups[MAX_GROUPS];
	static unsigned int count;
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int container = vfio_container();
	char path[96], target[256];
	const char *base;
	ssize_t length;
	int number, fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 slot);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		die(EXIT_SETUP, "readlink %s: errno=%d (%s)", path, errno,
		    strerror(errno));
	target[length] = '\0';
	base = strrchr(target, '/');
	number = atoi(base ? base + 1 : target);
	for (unsigned int i = 0; i < count; i++)
		if (groups[i].number == number)
			return groups[i].fd;
	if (count == MAX_GROUPS)
		die(EXIT_SETUP, "more than %d groups", MAX_GROUPS);

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	fd = must(open(path, O_RDWR | O_CLOEXEC), path);
	must(ioctl(fd, VFIO_GROUP_GET_STATUS, &status),
	     "VFIO_GROUP_GET_STATUS");
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		die(EXIT_SETUP, "group %d of %s is not viable: not all of its "
		    "devices are bound to vfio-pci", number, slot);
	must(ioctl(fd, VFIO_GROUP_SET_CONTAINER, &container),
	     "VFIO_GROUP_SET_CONTAINER");
	if (!count)
		must(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU),
		     "VFIO_SET_IOMMU type1v2");
	groups[count].number = number;
	groups[count++].fd = fd;
	return fd;
}

/* The device's own character device, bound to an iommufd: no group, no container. */
static int vfio_cdev(const char *slot)
{
	static int iommufd = -1;
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	char path[320], name[256] = "";
	struct dirent *entry;
	DIR *dir;
	int fd;

	if (iommufd < 0)
		iommufd = must(open("/dev/iommu", O_RDWR | O_CLOEXEC), "open /dev/iommu");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", slot);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vfio", 4))
			snprintf(name, sizeof(name), "%s", entry->d_name);
	if (!*name)
		die(EXIT_SETUP, "%s has no character device", slot);
	closedir(dir);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", name);
	fd = must(open(path, O_RDWR | O_CLOEXEC), path);
	bind.iommufd = iommufd;
	must(ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind), "VFIO_DEVICE_BIND_IOMMUFD");
	return fd;
}

int vfio_device(const char *slot)
{
	static struct {
		char slot[16];
		int fd;
	} devices[MAX_BARS];
	static unsigned int count;
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command;
	int fd;

	for (unsigned int i = 0; i < count; i++)
		if (!strcmp(devices[i].slot, slot))
			return devices[i].fd;
	fd = vfio_use_iommufd ? vfio_cdev(slot) :
	     must(ioctl(vfio_group(slot), VFIO_GROUP_GET_DEVICE_FD, slot),
		  "VFIO_GROUP_GET_DEVICE_FD");
	must(ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &config),
	     "VFIO_DEVICE_GET_REGION_INFO of the configuration space");
	/* PCI: the command register is at 4, bit 1 is memory decoding. */
	if (pread(fd, &command, 2, config.offset + 4) != 2)
		die(EXIT_SETUP, "pread of the PCI command register: errno=%d",
		    errno);
	command |= 1 << 1;
	if (pwrite(fd, &command, 2, config.offset + 4) != 2)
		die(EXIT_SETUP, "pwrite of the PCI command register: errno=%d",
		    errno);
	strcpy(devices[count].slot, slot);
	devices[count++].fd = fd;
	return fd;
}

bool vfio_mmap_bar(struct bar *bar)
{
	return mmap(bar->memory, bar->size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, bar->fd, bar->offset) != MAP_FAILED;
}

/*
 * How much of a region can be mapped from its beginning on, whole host pages: all of it,
 * or its first area where the driver lists those (nvgrace-gpu: its memory may be less
 * than the power of two that a BAR must be).
 */
static uint64_t vfio_mappable(int fd, const struct vfio_region_info *region)
{
	struct vfio_region_info_cap_sparse_mmap *areas;
	struct vfio_region_info *info = calloc(1, region->argsz);
	struct vfio_info_cap_header *cap;
	uint64_t size = region->size;
	uint32_t at;

	if (!info)
		die(EXIT_SETUP, "no memory");
	*info = *region;
	must(ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, info), "VFIO_DEVICE_GET_REGION_INFO");
	at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;
	for (; at; at = cap->next) {
		cap = (void *)((char *)info + at);
		areas = (void *)cap;
		if (cap->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP && areas->nr_areas &&
		    !areas->areas[0].offset)
			size = areas->areas[0].size;
	}
	free(info);
	return round_up(size, sysconf(_SC_PAGESIZE));
}

void vfio_map_bar(struct bar *bar)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_BAR0_REGION_INDEX + bar->index,
	};

	bar->fd = vfio_device(bar->slot);
	must(ioctl(bar->fd, VFIO_DEVICE_GET_REGION_INFO, &info),
	     "VFIO_DEVICE_GET_REGION_INFO");
	if (!info.size)
		die(EXIT_SETUP, "%s has no BAR %d", bar->slot, bar->index);
	bar->offset = info.offset;
	bar->size = vfio_mappable(bar->fd, &info);
	bar->memory = reserve(bar->size, BLOCK);
	if (!vfio_mmap_bar(bar)) {
		printf("{\"trapped\":\"%s\",\"bar\":%d,\"errno\":%d}\n",
		       bar->slot, bar->index, errno);
		bar->memory = NULL;
	}
}

void vfio_move_bar(struct bar *bar)
{
	void *to;

	if (!bar->memory)
		return;
	to = reserve(bar->size, BLOCK);
	if (mremap(bar->memory, bar->size, bar->size, MREMAP_MAYMOVE | MREMAP_FIXED, to) ==
	    MAP_FAILED)
		die(EXIT_SETUP, "mremap of %s BAR %d: errno=%d (%s)", bar->slot, bar->index,
		    errno, strerror(errno));
	bar->memory = to;
}
