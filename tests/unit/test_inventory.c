// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inventory of PCI devices: a made sysfs, and real maps as the programs see them.
 * Skipped where BPF may not be used.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "inventory.h"
#include "log.h"
#include "map_sizes.h"
#include "shares.h"

#include "tree.h"
#include "pci_tree.h"

#define ROOM 8

static struct ncg_inventory_maps maps;
static struct ncg_inventory *inventory;

static int new_map(enum bpf_map_type type, size_t key, size_t value)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	int fd = bpf_map_create(type, "test", key, value, ROOM, &opts);

	if (fd == -EPERM)
		skip();
	assert_true(fd >= 0);
	return fd;
}

static int set_up(void **state)
{
	(void)state;
	tree_make();
	tree_dir("sys/bus/pci/devices");
	maps = (struct ncg_inventory_maps){
		.bars = new_map(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct ncg_bar_key), sizeof(__u64)),
		.regions = new_map(BPF_MAP_TYPE_HASH, sizeof(__u64), sizeof(struct ncg_region)),
		.shares = new_map(BPF_MAP_TYPE_HASH, sizeof(struct ncg_share_key), sizeof(__u64)),
		.sysfs = strdup(tree_path("sys")),
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ncg_inventory_close(inventory);
	inventory = NULL;
	close(maps.bars);
	close(maps.regions);
	close(maps.shares);
	free((char *)maps.sysfs);
	tree_remove();
	return 0;
}

/* Device 00:DEVICE.0 with one BAR, number 0, of size bytes at start; driver NULL: as it was. */
static void device(unsigned int device, const char *driver, uint64_t start, uint64_t size)
{
	char address[16], resource[96];

	snprintf(address, sizeof(address), "0000:00:%02x.0", device);
	snprintf(resource, sizeof(resource), "0x%016llx 0x%016llx 0x0000000000040200\n",
		 (unsigned long long)start, (unsigned long long)(start + size - 1));
	pci_add("sys", &(struct pci_entry){ .address = address, .vendor = 0x1af4,
					    .device = 0x1110, .class_code = 0x050000,
					    .driver = driver, .resource = resource });
}

static void open_inventory(void)
{
	assert_int_equal(ncg_inventory_open(&maps, &inventory), 0);
}

/* What the programs find at an address; 0: nothing. */
static __u64 where_is(uint64_t phys)
{
	struct ncg_bar_key key = { .prefix = 64 };
	__u64 be = htobe64(phys), where = 0;

	memcpy(key.address, &be, sizeof(be));
	return bpf_map_lookup_elem(maps.bars, &key, &where) ? 0 : where;
}

/* More BARs than the map has room for: what does not fit is left out, and all goes on. */
static void more_bars_than_room(void **state)
{
	size_t found = 0;

	(void)state;
	for (unsigned int d = 1; d <= ROOM + 3; d++)
		device(d, "vfio-pci", 0x10000000ULL * d, 0x100000);
	open_inventory();
	assert_int_equal(ncg_inventory_bars(inventory).used, ROOM);
	assert_int_equal(ncg_inventory_bars(inventory).left_out, 3);
	for (unsigned int d = 1; d <= ROOM + 3; d++)
		found += where_is(0x10000000ULL * d) == NCG_BAR_ID(0, 0, d << 3, 0);
	assert_int_equal(found, ROOM);
	assert_int_equal(ncg_inventory_devices(inventory)->count, ROOM + 3);

	/* The devices that leave make room for those that were left out. */
	for (unsigned int d = 1; d <= 3; d++) {
		char name[64];

		snprintf(name, sizeof(name), "sys/bus/pci/devices/0000:00:%02x.0/resource", d);
		tree_bytes(name, "", 0);
	}
	assert_int_equal(ncg_inventory_refresh(inventory), 0);
	assert_int_equal(ncg_inventory_bars(inventory).used, ROOM);
	assert_int_equal(ncg_inventory_bars(inventory).left_out, 0);
	for (unsigned int d = 1; d <= ROOM + 3; d++)
		assert_int_equal(where_is(0x10000000ULL * d),
				 d > 3 ? NCG_BAR_ID(0, 0, d << 3, 0) : 0);
}

/* A refresh writes what changed and no more. */
static void only_changes_are_written(void **state)
{
	(void)state;
	device(1, "vfio-pci", 0x10000000, 0x100000);
	device(2, "vfio-pci", 0x20000000, 0x300000); /* two powers of two */
	open_inventory();
	assert_int_equal(ncg_inventory_bars(inventory).writes, 3);
	assert_int_equal(where_is(0x202fffff), NCG_BAR_ID(0, 0, 2 << 3, 0));
	assert_int_equal(where_is(0x20300000), 0);
	assert_int_equal(ncg_inventory_refresh(inventory), 0);
	assert_int_equal(ncg_inventory_bars(inventory).writes, 3);

	device(3, "vfio-pci", 0x30000000, 0x100000);
	assert_int_equal(ncg_inventory_refresh(inventory), 0);
	assert_int_equal(ncg_inventory_bars(inventory).writes, 4);
	/* one moves: gone there, and new here */
	device(1, NULL, 0x40000000, 0x100000);
	assert_int_equal(ncg_inventory_refresh(inventory), 0);
	assert_int_equal(ncg_inventory_bars(inventory).writes, 6);
	assert_int_equal(where_is(0x10000000), 0);
	assert_int_equal(where_is(0x40000000), NCG_BAR_ID(0, 0, 1 << 3, 0));
	/* another takes its place: the same range, written over */
	device(1, NULL, 0x30000000, 0x100000);
	device(3, NULL, 0x40000000, 0x100000);
	assert_int_equal(ncg_inventory_refresh(inventory), 0);
	assert_int_equal(ncg_inventory_bars(inventory).writes, 8);
	assert_int_equal(where_is(0x30000000), NCG_BAR_ID(0, 0, 1 << 3, 0));
	assert_int_equal(where_is(0x40000000), NCG_BAR_ID(0, 0, 3 << 3, 0));
}

static void region(uint64_t phys, unsigned int device_number, unsigned int bar, const char *driver)
{
	struct ncg_region r = { .where = NCG_BAR_ID(0, 0, device_number << 3, bar),
				.size = 0x10000 };
	__u64 key = phys;

	snprintf(r.driver, sizeof(r.driver), "%s", driver);
	assert_int_equal(bpf_map_update_elem(maps.regions, &key, &r, BPF_ANY), 0);
}

/* What a driver exposes as a BAR is one as long as the driver has the device. */
static void bars_of_drivers(void **state)
{
	const struct ncg_device *d;
	unsigned int bar;
	__u64 phys = 0x9000000000, none;

	(void)state;
	device(1, "nvgrace-gpu-vfio-pci", 0x10000000, 0x100000);
	device(2, "vfio-pci", 0x20000000, 0x100000);
	region(phys, 1, 2, "nvgrace-gpu-vfio-pci");
	region(0xa000000000, 2, 2, "nvgrace-gpu-vfio-pci"); /* another driver by now */
	region(0xb000000000, 7, 2, "nvgrace-gpu-vfio-pci"); /* an empty slot */
	open_inventory();
	d = ncg_inventory_lookup(inventory, phys + 0x8000, &bar);
	assert_non_null(d);
	assert_string_equal(d->address, "0000:00:01.0");
	assert_int_equal(bar, 2);
	assert_int_equal(where_is(phys), NCG_BAR_ID(0, 0, 1 << 3, 2));
	for (none = 0xa000000000; none <= 0xb000000000; none += 0x1000000000) {
		struct ncg_region r;

		assert_int_not_equal(bpf_map_lookup_elem(maps.regions, &none, &r), 0);
		assert_null(ncg_inventory_lookup(inventory, none, &bar));
	}
	/* Two were taken out, and their places have them back. */
	assert_int_equal(ncg_shares_used(maps.shares, NCG_SHARED_REGIONS), -2);
}

/* An event names a device that is new, or whose BAR has moved: sysfs is read once more. */
static void events_of_new_devices(void **state)
{
	struct ncg_pci pci = { .devfn = 4 << 3, .bar = 0, .bar_start = 0x40000000 };

	(void)state;
	device(1, "vfio-pci", 0x10000000, 0x100000);
	open_inventory();
	assert_null(ncg_inventory_find(inventory, &pci, 1));
	device(4, "vfio-pci", 0x40000000, 0x100000);
	/* an event from before the picture changes nothing */
	assert_null(ncg_inventory_find(inventory, &pci, 1));
	assert_non_null(ncg_inventory_find(inventory, &pci, UINT64_MAX));
	device(4, NULL, 0x50000000, 0x100000);
	pci.bar_start = 0x50000000;
	assert_int_equal(ncg_inventory_find(inventory, &pci, UINT64_MAX)->bars[0].start, 0x50000000);
	assert_int_equal(where_is(0x50000000), NCG_BAR_ID(0, 0, 4 << 3, 0));
}

static void a_host_without_pci(void **state)
{
	(void)state;
	free((char *)maps.sysfs);
	maps.sysfs = strdup(tree_path("nothing"));
	open_inventory();
	assert_int_equal(ncg_inventory_devices(inventory)->count, 0);
	assert_int_equal(ncg_inventory_bars(inventory).used, 0);
}

/* The maps are made for what the host has, and never below the least. */
static void sizes_follow_the_host(void **state)
{
	struct ncg_map_needs small = { .devices = 3, .bars = 9, .prefixes = 12 };
	struct ncg_map_needs large = { .devices = 5000, .bars = 20000, .prefixes = 20001 };
	struct ncg_devices *devices;
	struct ncg_map_needs needs;

	(void)state;
	device(1, "vfio-pci", 0x10000000, 0x100000);
	device(2, "vfio-pci", 0x20000000, 0x700000);
	assert_int_equal(ncg_devices_read(maps.sysfs, &devices), 0);
	needs = ncg_map_needs_of(devices);
	ncg_devices_free(devices);
	assert_int_equal(needs.devices, 2);
	assert_int_equal(needs.bars, 2);
	assert_int_equal(needs.prefixes, 4);

	assert_int_equal(ncg_map_size("bars", &small), NCG_BARS_MIN);
	assert_int_equal(ncg_map_size("bars", &large), 40002);
	assert_int_equal(ncg_map_size("opened", &large), 2 * 5000 * NCG_OPENED_PER_DEVICE);
	assert_int_equal(ncg_map_size("opened_rings", &large), 10000);
	assert_int_equal(ncg_map_size("decided", &small), NCG_USES_MIN);
	assert_int_equal(ncg_map_size("uses", &large), NCG_MAP_ENTRIES_MAX);
	assert_int_equal(ncg_map_size("recorded", &large), ncg_map_size("uses", &large));
	assert_true(ncg_map_size("shares", &large) >= 20000 * 2 * NCG_SHARED_NR);
	assert_int_equal(ncg_map_size("events", &large), 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(more_bars_than_room),
		test(only_changes_are_written),
		test(bars_of_drivers),
		test(events_of_new_devices),
		test(a_host_without_pci),
		test(sizes_follow_the_host),
	};

	ncg_log_open("test_inventory", NCG_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
