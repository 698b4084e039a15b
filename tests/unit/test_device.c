// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI inventory, from a sysfs made for the test: what is read, what is left
 * out, and which BAR an address belongs to.
 */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "device.h"

static char root[64]; /* the made sysfs, one for each test */

static void path_of(char path[512], const char *device, const char *name)
{
	snprintf(path, 512, "%s/bus/pci/devices/%s%s%s", root, device, name ? "/" : "",
		 name ? name : "");
}

static void add_file(const char *device, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	path_of(path, device, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void add_link(const char *device, const char *name, const char *target)
{
	char path[512];

	path_of(path, device, name);
	assert_int_equal(symlink(target, path), 0);
}

static void add_device(const char *device, const char *vendor, const char *id,
		       const char *resource)
{
	char path[512];

	path_of(path, device, NULL);
	assert_int_equal(mkdir(path, 0755), 0);
	if (vendor)
		add_file(device, "vendor", vendor);
	if (id)
		add_file(device, "device", id);
	if (resource)
		add_file(device, "resource", resource);
}

static int set_up(void **state)
{
	static const char *const dirs[] = { "bus", "bus/pci", "bus/pci/devices" };
	char path[512];
	size_t i;

	(void)state;
	strcpy(root, "/tmp/ncgate-test-device.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
		if (mkdir(path, 0755))
			return -1;
	}
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define NO_BAR "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"

static void one_device_in_full(void **state)
{
	ncg_autodevices struct ncg_devices *devices = NULL;
	const struct ncg_device *d;

	(void)state;
	add_device("0000:01:02.3", "0x10de\n", "0x2342\n",
		   "0x0000000010000000 0x0000000010ffffff 0x0000000000040200\n" /* 32-bit */
		   NO_BAR
		   "0x0000008000000000 0x0000008003ffffff 0x000000000014220c\n" /* 64-bit pref */
		   NO_BAR
		   "0x0000000000001000 0x000000000000101f 0x0000000000040101\n" /* I/O */
		   "0x0000000000000000 0x0000000000000fff 0x0000000020040200\n" /* unassigned */
		   "0x0000000010100000 0x000000001017ffff 0x0000000000046200\n" /* ROM */
		   "0x0000008010000000 0x000000801fffffff 0x000000000014220c\n"); /* VF BAR */
	add_file("0000:01:02.3", "subsystem_vendor", "0x10de\n");
	add_file("0000:01:02.3", "subsystem_device", "0x16eb\n");
	add_file("0000:01:02.3", "class", "0x030200\n");
	add_file("0000:01:02.3", "revision", "0xa1\n");
	add_link("0000:01:02.3", "driver", "../../../../bus/pci/drivers/vfio-pci");
	add_link("0000:01:02.3", "iommu_group", "../../../../kernel/iommu_groups/42");

	assert_int_equal(ncg_devices_read(root, &devices), 0);
	assert_int_equal(devices->count, 1);
	d = &devices->list[0];
	assert_string_equal(d->address, "0000:01:02.3");
	assert_int_equal(d->domain, 0);
	assert_int_equal(d->bus, 1);
	assert_int_equal(d->devfn, 0x13);
	assert_int_equal(d->vendor, 0x10de);
	assert_int_equal(d->device, 0x2342);
	assert_int_equal(d->subvendor, 0x10de);
	assert_int_equal(d->subdevice, 0x16eb);
	assert_int_equal(d->class_code, 0x030200);
	assert_int_equal(d->revision, 0xa1);
	assert_string_equal(d->driver, "vfio-pci");
	assert_int_equal(d->iommu_group, 42);
	assert_string_equal(d->name, "");

	assert_int_equal(d->bars[0].start, 0x10000000);
	assert_int_equal(d->bars[0].size, 0x1000000);
	assert_int_equal(d->bars[0].flags, 0x40200);
	assert_true(d->bars[0].memory && d->bars[0].assigned && !d->bars[0].prefetchable);
	assert_int_equal(d->bars[1].size, 0);
	assert_int_equal(d->bars[2].start, 0x8000000000);
	assert_int_equal(d->bars[2].size, 0x4000000);
	assert_true(d->bars[2].memory && d->bars[2].assigned && d->bars[2].prefetchable);
	assert_int_equal(d->bars[3].size, 0);
	assert_int_equal(d->bars[4].start, 0x1000);
	assert_int_equal(d->bars[4].size, 32);
	assert_false(d->bars[4].memory);
	assert_int_equal(d->bars[5].size, 0x1000);
	assert_false(d->bars[5].assigned);

	/* Only two of them are memory that an address can hit. */
	assert_int_equal(devices->ranges_count, 2);
	assert_null(ncg_devices_lookup(devices, 0x1000, NULL));
	assert_null(ncg_devices_lookup(devices, 0, NULL));
	assert_null(ncg_devices_lookup(devices, 0x10100000 + 0x1000000, NULL));
	assert_null(ncg_devices_lookup(devices, 0x8010000000, NULL));
}

static void little_is_known(void **state)
{
	ncg_autodevices struct ncg_devices *devices = NULL;
	const struct ncg_device *d;

	(void)state;
	add_device("10000:e1:1f.7", "0x1af4\n", "0x1110\n", NULL);
	add_file("10000:e1:1f.7", "class", "garbage\n");
	add_file("10000:e1:1f.7", "revision", "0x1ff\n"); /* no revision has 9 bits */
	assert_int_equal(ncg_devices_read(root, &devices), 0);
	assert_int_equal(devices->count, 1);
	d = &devices->list[0];
	assert_int_equal(d->domain, 0x10000);
	assert_int_equal(d->bus, 0xe1);
	assert_int_equal(d->devfn, 0xff);
	assert_int_equal(d->class_code, 0);
	assert_int_equal(d->revision, 0);
	assert_int_equal(d->iommu_group, -1);
	assert_string_equal(d->driver, "");
	assert_int_equal(devices->ranges_count, 0);
	assert_null(ncg_devices_lookup(devices, 0x1000, NULL));
}

static void what_is_left_out(void **state)
{
	ncg_autodevices struct ncg_devices *devices = NULL;

	(void)state;
	add_device("0000:00:01.0", NULL, "0x1\n", NULL); /* going: no vendor any more */
	add_device("0000:00:02.0", "0x1\n", NULL, NULL);
	add_device("0000:00:03.0", "\n", "0x1\n", NULL);
	add_device("0000:00:04.0", "0x12345\n", "0x1\n", NULL);
	add_device("0000:00:05.8", "0x1\n", "0x1\n", NULL); /* no function 8 */
	add_device("0000:00:20.0", "0x1\n", "0x1\n", NULL); /* no slot 0x20 */
	add_device("0000:00:06.0x", "0x1\n", "0x1\n", NULL);
	add_device("pci0000:00", "0x1\n", "0x1\n", NULL);
	/* BARs end where a line cannot be read */
	add_device("0000:00:07.0", "0x1\n", "0x1\n",
		   "0x0000000010000000 0x0000000010000fff 0x0000000000040200\n"
		   "0x0000000020000fff 0x0000000020000000 0x0000000000040200\n" /* ends first */
		   "0x0000000030000000 0x0000000030000fff\n");
	assert_int_equal(ncg_devices_read(root, &devices), 0);
	assert_int_equal(devices->count, 1);
	assert_string_equal(devices->list[0].address, "0000:00:07.0");
	assert_int_equal(devices->ranges_count, 1);
	assert_int_equal(devices->list[0].bars[1].size, 0);
	assert_int_equal(devices->list[0].bars[2].size, 0);
}

static void no_pci_at_all(void **state)
{
	struct ncg_devices *devices = NULL;
	ncg_autodevices struct ncg_devices *empty = NULL;

	(void)state;
	assert_int_equal(ncg_devices_read("/nonexistent", &devices), -ENOENT);
	assert_null(devices);
	assert_int_equal(ncg_devices_read(root, &empty), 0);
	assert_int_equal(empty->count, 0);
	assert_null(ncg_devices_lookup(empty, 0, NULL));
	assert_null(ncg_devices_find(empty, 0, 0, 0));
	ncg_devices_free(NULL);
}

static void check_lookup(const struct ncg_devices *devices, uint64_t phys, const char *address,
			 unsigned int bar)
{
	unsigned int got = 99;
	const struct ncg_device *d = ncg_devices_lookup(devices, phys, &got);

	if (!address) {
		assert_null(d);
		assert_int_equal(got, 99);
		return;
	}
	assert_non_null(d);
	assert_string_equal(d->address, address);
	assert_int_equal(got, bar);
	assert_ptr_equal(ncg_devices_lookup(devices, phys, NULL), d);
}

/* What a driver shows stands where PCI has a BAR of that number, which is found no more. */
static void bars_that_a_driver_shows(void **state)
{
	static const struct ncg_device_shown shown[] = {
		{ .bus = 1, .bar = 2, .start = 0x200000000, .size = 0x44000000 },
		{ .bus = 1, .bar = 4, .start = 0x180010000, .size = 0x10000 },
		{ .bus = 1, .bar = 4, .start = 0x180000000, .size = 0x1000 },
		{ .bus = 1, .bar = 4, .start = 0x180001000, .size = 0x1000 },
		{ .bus = 7, .bar = 0, .start = 0x300000000, .size = 0x1000 }, /* has left */
	};
	ncg_autodevices struct ncg_devices *devices = NULL;

	(void)state;
	add_device("0000:01:00.0", "0x10de\n", "0x2342\n",
		   "0x0000000010000000 0x0000000010ffffff 0x0000000000040200\n" NO_BAR
		   "0x0000008000000000 0x0000008003ffffff 0x000000000014220c\n");
	assert_int_equal(ncg_devices_read(root, &devices), 0);
	assert_int_equal(ncg_devices_show(devices, NULL, 0), 0);
	check_lookup(devices, 0x8000000000, "0000:01:00.0", 2);

	assert_int_equal(ncg_devices_show(devices, shown, sizeof(shown) / sizeof(shown[0])), 0);
	check_lookup(devices, 0x10000000, "0000:01:00.0", 0);
	check_lookup(devices, 0x8000000000, NULL, 0);
	check_lookup(devices, 0x1ffffffff, NULL, 0);
	check_lookup(devices, 0x200000000, "0000:01:00.0", 2);
	check_lookup(devices, 0x243ffffff, "0000:01:00.0", 2);
	check_lookup(devices, 0x244000000, NULL, 0);
	check_lookup(devices, 0x180000000, "0000:01:00.0", 4);
	check_lookup(devices, 0x18001ffff, "0000:01:00.0", 4);
	check_lookup(devices, 0x180020000, NULL, 0);
	check_lookup(devices, 0x300000000, NULL, 0);
	assert_int_equal(devices->list[0].bars[4].start, 0x180000000);
	assert_int_equal(devices->list[0].bars[4].size, 0x20000);
	assert_true(devices->list[0].bars[4].shown && devices->list[0].bars[4].memory);
	assert_false(devices->list[0].bars[0].shown);
}

static void blocks(void **state)
{
	(void)state;
	assert_int_equal(ncg_device_block(0x10000000, 0x1000000), 0x1000000);
	assert_int_equal(ncg_device_block(0xe0000000, 0x44000000), 0x20000000);
	assert_int_equal(ncg_device_block(0x100000000, 0x24000000), 0x20000000);
	assert_int_equal(ncg_device_block(0x120000000, 0x4000000), 0x4000000);
	assert_int_equal(ncg_device_block(0x1000, 0x3000), 0x1000);
	assert_int_equal(ncg_device_block(0, 0x3000), 0x2000);
	assert_int_equal(ncg_device_block(0x1000, 1), 1);
	assert_int_equal(ncg_device_block(1ULL << 63, 1ULL << 63), 1ULL << 63);
}

static void addresses(void **state)
{
	ncg_autodevices struct ncg_devices *devices = NULL;

	(void)state;
	add_device("0000:02:00.0", "0x1\n", "0x1\n",
		   "0x0000000010002000 0x0000000010002fff 0x0000000000040200\n" NO_BAR
		   "0x0000008000000000 0x0000008003ffffff 0x000000000014220c\n");
	add_device("0000:01:00.0", "0x1\n", "0x1\n",
		   "0x0000000010000000 0x0000000010001fff 0x0000000000040200\n"
		   "0x0000000010003000 0x0000000010003fff 0x0000000000040200\n" NO_BAR NO_BAR NO_BAR
		   "0x0000000010008000 0x0000000010008fff 0x0000000000040200\n");
	/* the last page of the address space, as a 64-bit BAR could be */
	add_device("0001:00:00.0", "0x1\n", "0x1\n",
		   "0xfffffffffffff000 0xffffffffffffffff 0x000000000014220c\n");
	assert_int_equal(ncg_devices_read(root, &devices), 0);
	assert_int_equal(devices->count, 3);
	assert_string_equal(devices->list[0].address, "0000:01:00.0");
	assert_string_equal(devices->list[1].address, "0000:02:00.0");
	assert_string_equal(devices->list[2].address, "0001:00:00.0");

	check_lookup(devices, 0, NULL, 0);
	check_lookup(devices, 0x0fffffff, NULL, 0);
	check_lookup(devices, 0x10000000, "0000:01:00.0", 0);
	check_lookup(devices, 0x10001fff, "0000:01:00.0", 0);
	check_lookup(devices, 0x10002000, "0000:02:00.0", 0);
	check_lookup(devices, 0x10002fff, "0000:02:00.0", 0);
	check_lookup(devices, 0x10003000, "0000:01:00.0", 1);
	check_lookup(devices, 0x10004000, NULL, 0);
	check_lookup(devices, 0x10008abc, "0000:01:00.0", 5);
	check_lookup(devices, 0x10009000, NULL, 0);
	check_lookup(devices, 0x8000000000, "0000:02:00.0", 2);
	check_lookup(devices, 0x8003ffffff, "0000:02:00.0", 2);
	check_lookup(devices, 0x8004000000, NULL, 0);
	check_lookup(devices, UINT64_MAX, "0001:00:00.0", 0);

	assert_ptr_equal(ncg_devices_find(devices, 0, 2, 0), &devices->list[1]);
	assert_ptr_equal(ncg_devices_find(devices, 1, 0, 0), &devices->list[2]);
	assert_null(ncg_devices_find(devices, 0, 2, 1));
	assert_null(ncg_devices_find(devices, 2, 0, 0));
}

static void overlaps(void **state)
{
	ncg_autodevices struct ncg_devices *devices = NULL;

	(void)state;
	add_device("0000:01:00.0", "0x1\n", "0x1\n",
		   "0x0000000010000000 0x000000001000ffff 0x0000000000040200\n");
	add_device("0000:02:00.0", "0x1\n", "0x1\n",
		   "0x0000000010001000 0x0000000010001fff 0x0000000000040200\n"
		   "0x0000000010003000 0x0000000010003fff 0x0000000000040200\n"
		   "0x0000000010000000 0x0000000010000fff 0x0000000000040200\n");
	assert_int_equal(ncg_devices_read(root, &devices), 0);
	check_lookup(devices, 0x10000800, "0000:02:00.0", 2); /* same start: the narrower */
	check_lookup(devices, 0x10001000, "0000:02:00.0", 0);
	check_lookup(devices, 0x10002000, "0000:01:00.0", 0);
	check_lookup(devices, 0x10003fff, "0000:02:00.0", 1);
	check_lookup(devices, 0x1000ffff, "0000:01:00.0", 0);
	check_lookup(devices, 0x10010000, NULL, 0);
}

static void names(void **state)
{
	ncg_autodevices struct ncg_devices *devices = NULL;
	ncg_autopcinames struct ncg_pci_names *list = NULL, *none = NULL;
	char path[128];
	FILE *file;

	(void)state;
	add_device("0000:01:00.0", "0x1af4\n", "0x1110\n", NULL);
	add_device("0000:02:00.0", "0x1af4\n", "0x9999\n", NULL);
	add_device("0000:03:00.0", "0x7777\n", "0x1110\n", NULL);
	assert_int_equal(ncg_devices_read(root, &devices), 0);
	ncg_devices_name(devices, NULL);
	assert_string_equal(devices->list[0].name, "");

	/* No list of ids: no names, no error, and no other place is asked. */
	snprintf(path, sizeof(path), "%s/pci.ids", root);
	assert_int_equal(ncg_pci_names_open(path, &none), 0);
	ncg_devices_name(devices, none);
	assert_string_equal(devices->list[0].name, "");
	assert_string_equal(devices->list[2].name, "");

	file = fopen(path, "w");
	assert_non_null(file);
	fputs("1af4  Red Hat, Inc.\n\t1110  Inter-VM shared memory\n", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(ncg_pci_names_open(path, &list), 0);
	ncg_devices_name(devices, list);
	assert_string_equal(devices->list[0].name, "Red Hat, Inc. Inter-VM shared memory");
	assert_string_equal(devices->list[1].name, "Red Hat, Inc.");
	assert_string_equal(devices->list[2].name, "");
	ncg_devices_name(devices, list); /* again, from what libpci keeps */
	assert_string_equal(devices->list[0].name, "Red Hat, Inc. Inter-VM shared memory");
	ncg_pci_names_free(NULL);
}

/* libpci stops at a line that it cannot parse, and would end the process. */
static void damaged_names(void **state)
{
	static const char *const bad[] = {
		"this is no line of it\n",
		"1af4  Red Hat, Inc.\n",		 /* twice */
		"\t1110  Another of that id\n\t1110\n", /* a number without a name */
	};

	(void)state;
	add_device("0000:01:00.0", "0x1af4\n", "0x1110\n", NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ncg_autodevices struct ncg_devices *devices = NULL;
		ncg_autopcinames struct ncg_pci_names *list = NULL;
		char path[128], buffer[64];
		FILE *file;

		snprintf(path, sizeof(path), "%s/pci.ids", root);
		file = fopen(path, "w");
		assert_non_null(file);
		fprintf(file, "1af4  Red Hat, Inc.\n\t1110  Shared memory\n%s1af5  After\n", bad[i]);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(ncg_devices_read(root, &devices), 0);
		assert_int_equal(ncg_pci_names_open(path, &list), 0);
		ncg_devices_name(devices, list);
		assert_string_equal(devices->list[0].name, "Red Hat, Inc. Shared memory");
		assert_string_equal(ncg_pci_names_get(list, 0x1af4, -1, buffer, sizeof(buffer)),
				    "Red Hat, Inc.");
		assert_null(ncg_pci_names_get(list, 0x1af5, -1, buffer, sizeof(buffer)));
	}
}

static void more_devices_than_one_block(void **state)
{
	ncg_autodevices struct ncg_devices *devices = NULL;
	char address[32];
	int i;

	(void)state;
	for (i = 99; i >= 0; i--) {
		snprintf(address, sizeof(address), "0000:%02x:00.0", i);
		add_device(address, "0x1\n", "0x1\n", NULL);
	}
	assert_int_equal(ncg_devices_read(root, &devices), 0);
	assert_int_equal(devices->count, 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(devices->list[i].bus, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_device_in_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(little_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_pci_at_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bars_that_a_driver_shows, set_up, tear_down),
		cmocka_unit_test(blocks),
		cmocka_unit_test_setup_teardown(overlaps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_devices_than_one_block, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
