// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements device.h: sysfs for what the devices are, libpci for their names.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pci/pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "device.h"
#include "log.h"

/* include/linux/ioport.h of the kernel, which shows them in `resource`. */
#define RESOURCE_MEM 0x00000200
#define RESOURCE_PREFETCH 0x00002000
#define RESOURCE_UNSET 0x20000000

/* One line of `resource` is 3 numbers of 18 characters; 17 lines at the most. */
#define ATTRIBUTE_MAX 2048

struct ncg_pci_names {
	struct pci_access *access;
	bool loaded;
};

/* Reads a small file whole, NUL added. False when it cannot be read. */
static bool read_attribute(int dir, const char *name, char text[ATTRIBUTE_MAX])
{
	ncg_autoclose int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t got;

	if (fd < 0)
		return false;
	while (used < ATTRIBUTE_MAX - 1) {
		got = read(fd, text + used, ATTRIBUTE_MAX - 1 - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		used += got;
	}
	text[used] = '\0';
	return true;
}

static bool read_hex(int dir, const char *name, uint32_t max, uint32_t *ret_value)
{
	char text[ATTRIBUTE_MAX];
	unsigned long long value;
	char *end;

	if (!read_attribute(dir, name, text))
		return false;
	errno = 0;
	value = strtoull(text, &end, 16);
	if (end == text || (*end && *end != '\n') || errno || value > max)
		return false;
	*ret_value = value;
	return true;
}

/* The last part of where a link points; false when there is no link. */
static bool read_link_name(int dir, const char *name, char *ret_text, size_t size)
{
	char target[PATH_MAX];
	const char *last;
	ssize_t length = readlinkat(dir, name, target, sizeof(target) - 1);

	if (length < 0)
		return false;
	target[length] = '\0';
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	if (!*last || strlen(last) >= size)
		return false;
	strcpy(ret_text, last);
	return true;
}

/* The lines after the sixth are the ROM, bridge windows and the BARs of VFs. */
static void read_bars(int dir, struct ncg_device *device)
{
	char text[ATTRIBUTE_MAX];
	uint64_t start, end, flags;
	char *line = text;
	unsigned int i;

	if (!read_attribute(dir, "resource", text))
		return;
	for (i = 0; i < NCG_DEVICE_BARS && line; i++) {
		struct ncg_bar *bar = &device->bars[i];

		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64, &start, &end, &flags) != 3)
			return;
		line = strchr(line, '\n');
		if (line)
			line++;

		/* No flags: no BAR, or the upper half of a 64-bit one. */
		if (!flags || end < start)
			continue;
		bar->start = start;
		bar->size = end - start + 1;
		bar->flags = flags;
		bar->memory = flags & RESOURCE_MEM;
		bar->prefetchable = flags & RESOURCE_PREFETCH;
		bar->assigned = !(flags & RESOURCE_UNSET);
	}
}

static bool parse_address(const char *text, struct ncg_device *device)
{
	unsigned int domain, bus, slot, function;
	char extra;

	if (strlen(text) >= sizeof(device->address) ||
	    sscanf(text, "%8x:%2x:%2x.%1x%c", &domain, &bus, &slot, &function, &extra) != 4 ||
	    slot > 0x1f || function > 7)
		return false;
	strcpy(device->address, text);
	device->domain = domain;
	device->bus = bus;
	device->devfn = slot << 3 | function;
	return true;
}

/* False for what is no device, or is none any more. */
static bool read_device(int parent, const char *entry, struct ncg_device *ret_device)
{
	struct ncg_device device = { .iommu_group = -1 };
	ncg_autoclose int dir = -1;
	uint32_t vendor, id, value;
	char group[16], *end;
	long number;

	if (!parse_address(entry, &device))
		return false;
	dir = openat(parent, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || !read_hex(dir, "vendor", UINT16_MAX, &vendor) ||
	    !read_hex(dir, "device", UINT16_MAX, &id))
		return false;
	device.vendor = vendor;
	device.device = id;
	if (read_hex(dir, "subsystem_vendor", UINT16_MAX, &value))
		device.subvendor = value;
	if (read_hex(dir, "subsystem_device", UINT16_MAX, &value))
		device.subdevice = value;
	if (read_hex(dir, "class", 0xffffff, &value))
		device.class_code = value;
	if (read_hex(dir, "revision", UINT8_MAX, &value))
		device.revision = value;
	read_link_name(dir, "driver", device.driver, sizeof(device.driver));
	if (read_link_name(dir, "iommu_group", group, sizeof(group))) {
		errno = 0;
		number = strtol(group, &end, 10);
		if (end != group && !*end && !errno && number >= 0 && number <= INT32_MAX)
			device.iommu_group = number;
	}
	read_bars(dir, &device);

	*ret_device = device;
	return true;
}

static int compare_slots(const struct ncg_device *a, const struct ncg_device *b)
{
	if (a->domain != b->domain)
		return a->domain < b->domain ? -1 : 1;
	if (a->bus != b->bus)
		return a->bus < b->bus ? -1 : 1;
	return (int)a->devfn - (int)b->devfn;
}

static int compare_devices(const void *a, const void *b)
{
	return compare_slots(a, b);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct ncg_device_range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	/* The wider first, so that a look-up from the end meets the narrower. */
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return 0;
}

static int index_ranges(struct ncg_devices *devices)
{
	struct ncg_device_range *range;
	uint64_t reach = 0;
	size_t i;
	unsigned int bar;

	free(devices->ranges);
	devices->ranges = NULL;
	devices->ranges_count = 0;
	if (!devices->count)
		return 0;
	devices->ranges = calloc(devices->count * NCG_DEVICE_BARS, sizeof(*devices->ranges));
	if (!devices->ranges)
		return -ENOMEM;
	for (i = 0; i < devices->count; i++) {
		for (bar = 0; bar < NCG_DEVICE_BARS; bar++) {
			const struct ncg_bar *b = &devices->list[i].bars[bar];

			if (!b->size || !b->memory || !b->assigned)
				continue;
			range = &devices->ranges[devices->ranges_count++];
			range->start = b->start;
			range->end = b->start + (b->size - 1);
			range->device = i;
			range->bar = bar;
		}
	}
	qsort(devices->ranges, devices->ranges_count, sizeof(*devices->ranges), compare_ranges);
	for (i = 0; i < devices->ranges_count; i++) {
		if (devices->ranges[i].end > reach)
			reach = devices->ranges[i].end;
		devices->ranges[i].reach = reach;
	}
	return 0;
}

int ncg_devices_read(const char *sysfs, struct ncg_devices **ret_devices)
{
	ncg_autodevices struct ncg_devices *devices = NULL;
	ncg_autoclosedir DIR *dir = NULL;
	char path[PATH_MAX];
	struct dirent *entry;
	size_t room = 0;
	int err;

	if (snprintf(path, sizeof(path), "%s/bus/pci/devices", sysfs ? sysfs : "/sys") >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (!dir)
		return -errno;
	devices = calloc(1, sizeof(*devices));
	if (!devices)
		return -ENOMEM;

	for (;;) {
		struct ncg_device device;

		errno = 0;
		entry = readdir(dir);
		if (!entry && errno)
			return -errno;
		if (!entry)
			break;
		if (!read_device(dirfd(dir), entry->d_name, &device))
			continue;
		if (devices->count == room) {
			struct ncg_device *grown;

			room = room ? 2 * room : 32;
			grown = reallocarray(devices->list, room, sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			devices->list = grown;
		}
		devices->list[devices->count++] = device;
	}
	if (devices->count)
		qsort(devices->list, devices->count, sizeof(*devices->list), compare_devices);
	err = index_ranges(devices);
	if (err)
		return err;

	*ret_devices = ncg_take_ptr(devices);
	return 0;
}

/* For ncg_devices_show(): the list is the snapshot's own. */
static struct ncg_device *device_at(struct ncg_devices *devices, const struct ncg_device_shown *s)
{
	const struct ncg_device *d = ncg_devices_find(devices, s->domain, s->bus, s->devfn);

	return d ? &devices->list[d - devices->list] : NULL;
}

int ncg_devices_show(struct ncg_devices *devices, const struct ncg_device_shown *shown,
		     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct ncg_device *device = device_at(devices, &shown[i]);
		uint64_t start = shown[i].start, end = start + shown[i].size;
		struct ncg_bar *bar;

		if (!device)
			continue;
		bar = &device->bars[shown[i].bar];
		if (bar->shown && bar->start < start)
			start = bar->start;
		if (bar->shown && bar->start + bar->size > end)
			end = bar->start + bar->size;
		*bar = (struct ncg_bar){
			.start = start,
			.size = end - start,
			.memory = true,
			.prefetchable = true,
			.assigned = true,
			.shown = true,
		};
	}
	return count ? index_ranges(devices) : 0;
}

void ncg_devices_free(struct ncg_devices *devices)
{
	if (!devices)
		return;
	free(devices->list);
	free(devices->ranges);
	free(devices);
}

/* How many ranges start at or before phys: those below that index. */
static size_t ranges_until(const struct ncg_devices *devices, uint64_t phys)
{
	size_t low = 0, high = devices->ranges_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (devices->ranges[middle].start <= phys)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t ncg_devices_next(const struct ncg_devices *devices, uint64_t phys)
{
	size_t next = ranges_until(devices, phys);

	return next < devices->ranges_count ? devices->ranges[next].start : UINT64_MAX;
}

const struct ncg_device *ncg_devices_lookup(const struct ncg_devices *devices, uint64_t phys,
					    unsigned int *ret_bar)
{
	size_t low = ranges_until(devices, phys);

	/* Without overlaps the first look decides: the reach is its own end. */
	while (low > 0 && devices->ranges[low - 1].reach >= phys) {
		const struct ncg_device_range *range = &devices->ranges[--low];

		if (range->end >= phys) {
			if (ret_bar)
				*ret_bar = range->bar;
			return &devices->list[range->device];
		}
	}
	return NULL;
}

const struct ncg_device *ncg_devices_find(const struct ncg_devices *devices, uint32_t domain,
					  uint8_t bus, uint8_t devfn)
{
	struct ncg_device key = { .domain = domain, .bus = bus, .devfn = devfn };

	if (!devices->count)
		return NULL;
	return bsearch(&key, devices->list, devices->count, sizeof(key), compare_devices);
}

uint64_t ncg_device_block(uint64_t start, uint64_t size)
{
	uint64_t fits = 1ULL << (63 - __builtin_clzll(size)), aligned = start & -start;

	return aligned && aligned < fits ? aligned : fits;
}

bool ncg_device_assignable(const struct ncg_device *device)
{
	if (strstr(device->driver, "vfio"))
		return true;
	return device->iommu_group >= 0 && device->class_code >> 16 != 0x06;
}

/*
 * libpci reports by callbacks; these three must be set, for pci_init(), which
 * would set them, also looks for ways to reach the hardware and exits where it
 * finds none. Names need no hardware. A missing pci.ids is not reported at all:
 * what is left for `error` is memory that ran out or a line that cannot be
 * parsed, of which libpci tells when it has let go of the file and kept the lines
 * before. It must not return, and a damaged list is no reason to end: back it goes
 * to load_names(), the only one to read the list.
 */
static __thread jmp_buf *libpci_back; /* NULL: it is not reading */

__attribute__((noreturn, format(printf, 1, 2))) static void libpci_error(char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	ncg_warning("names of devices are not complete: %s", text);
	if (libpci_back)
		longjmp(*libpci_back, 1);
	abort();
}

__attribute__((format(printf, 1, 2))) static void libpci_quiet(char *format, ...)
{
	(void)format;
}

int ncg_pci_names_open(const char *pci_ids, struct ncg_pci_names **ret_names)
{
	ncg_autopcinames struct ncg_pci_names *names = calloc(1, sizeof(*names));
	char *path;

	if (!names)
		return -ENOMEM;
	names->access = pci_alloc();
	if (!names->access)
		return -ENOMEM;
	names->access->error = libpci_error;
	names->access->warning = libpci_quiet;
	names->access->debug = libpci_quiet;
	/*
	 * No cache of names from the network: none is used, and libpci 3.13 loses
	 * the path it makes for one.
	 */
	pci_set_param(names->access, "net.cache_name", "");
	if (pci_ids) {
		path = strdup(pci_ids);
		if (!path)
			return -ENOMEM;
		pci_set_name_list_path(names->access, path, 1);
	}
	*ret_names = ncg_take_ptr(names);
	return 0;
}

void ncg_pci_names_free(struct ncg_pci_names *names)
{
	if (!names)
		return;
	if (names->access)
		pci_cleanup(names->access);
	free(names);
}

/* Reads the list, once. */
static void load_names(struct ncg_pci_names *names)
{
	jmp_buf back;

	if (names->loaded)
		return;
	names->loaded = true;
	libpci_back = &back;
	if (!setjmp(back))
		pci_load_name_list(names->access);
	libpci_back = NULL;
}

char *ncg_pci_names_path(void)
{
	ncg_autopcinames struct ncg_pci_names *names = NULL;
	char *path, *end;

	if (ncg_pci_names_open(NULL, &names))
		return NULL;
	path = strdup(names->access->id_file_name);
	end = path ? strstr(path, ".gz") : NULL;
	if (end && !end[3])
		*end = '\0';
	return path;
}

/* Of the ways to find a name, all but the file are switched off. */
#define NAME_LOOKUP (PCI_LOOKUP_NO_NUMBERS | PCI_LOOKUP_NO_HWDB)

const char *ncg_pci_names_get(struct ncg_pci_names *names, int vendor, int device, char *buffer,
			      size_t size)
{
	load_names(names);
	if (device < 0)
		return pci_lookup_name(names->access, buffer, size,
				       NAME_LOOKUP | PCI_LOOKUP_VENDOR, vendor);
	return pci_lookup_name(names->access, buffer, size, NAME_LOOKUP | PCI_LOOKUP_DEVICE, vendor,
			       device);
}

void ncg_devices_name(struct ncg_devices *devices, struct ncg_pci_names *names)
{
	size_t i;

	if (!names)
		return;
	load_names(names);
	for (i = 0; i < devices->count; i++) {
		struct ncg_device *device = &devices->list[i];
		char buffer[NCG_DEVICE_NAME_LEN];
		const char *name;

		/* The look-up may answer with a string that is not in the buffer. */
		name = pci_lookup_name(names->access, buffer, sizeof(buffer),
				       NAME_LOOKUP | PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE,
				       (int)device->vendor, (int)device->device);
		if (!name)
			name = ncg_pci_names_get(names, device->vendor, -1, buffer,
						 sizeof(buffer));
		snprintf(device->name, sizeof(device->name), "%s", name ? name : "");
	}
}
