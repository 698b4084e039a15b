// SPDX-License-Identifier: GPL-2.0-only
/*
 * The index of pci.ids: what it takes of a text, what a look-up costs, and that it says
 * of the system's own list what libpci says.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device.h"
#include "pci_ids.h"
#include "text_file.h"

static struct ncg_pci_ids *parse(const char *text)
{
	struct ncg_pci_ids *ids;

	assert_int_equal(ncg_pci_ids_parse(text, strlen(text), &ids), 0);
	return ids;
}

static const uint16_t *of(int vendor)
{
	static uint16_t id;

	id = vendor;
	return vendor < 0 ? NULL : &id;
}

static void test_find(void **state)
{
	static const char text[] = "# a comment\n"
				   "\t0009  Before every vendor\n"
				   "fff1  First Corporation  \n"
				   "\t0001  Card [One]\n"
				   "\t\tfff1 0007  A board with the card\n"
				   "\t# another comment\n"
				   "\t0003  Twin\n"
				   "\t0002  Twin\r\n"
				   "\t00g4  Bad\n"
				   "\t0005\n"
				   "\t0006\tAfter a tab\n"
				   "\n"
				   "FFF2 Second\n"
				   "\tAbCd  Card [One]\n"
				   "xfff3  Bad\n"
				   "\t0001  Nobody's\n"
				   "fff4  Second\n"
				   "\tffff  Last\n"
				   "C 03  Display controller\n"
				   "\t0000  VGA compatible controller\n"
				   "ffff  Illegal Vendor ID\n"
				   "\t0000  No newline";
	static const struct {
		int vendor; /* -1: of vendors */
		const char *name;
		size_t count;
		uint16_t first;
	} cases[] = {
		{ -1, "First Corporation", 1, 0xfff1 },
		{ -1, "Second", 2, 0xfff2 },
		{ -1, "Illegal Vendor ID", 1, 0xffff },
		{ -1, "first corporation", 0, 0 },
		{ -1, "First", 0, 0 },
		{ -1, "Bad", 0, 0 },
		{ -1, "", 0, 0 },
		{ 0xfff1, "Card [One]", 1, 1 },
		{ 0xfff1, "Twin", 2, 2 },
		{ 0xfff1, "After a tab", 1, 6 },
		{ 0xfff1, "A board with the card", 0, 0 },
		{ 0xfff1, "Bad", 0, 0 },
		{ 0xfff2, "Card [One]", 1, 0xabcd },
		{ 0xfff2, "Twin", 0, 0 },
		{ 0xfff2, "Nobody's", 0, 0 },
		{ 0xfff4, "Last", 1, 0xffff },
		{ 0xfff4, "VGA compatible controller", 0, 0 },
		{ 0xffff, "No newline", 1, 0 },
		{ 0, "Before every vendor", 0, 0 },
		{ 0xfff9, "Last", 0, 0 },
	};
	ncg_autopciids struct ncg_pci_ids *ids = parse(text);
	size_t count;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ncg_pci_id *found =
			ncg_pci_ids_find(ids, of(cases[i].vendor), cases[i].name, &count);

		if (count != cases[i].count || (count && found->id != cases[i].first))
			fail_msg("%x '%s': %zu, first %x", cases[i].vendor, cases[i].name, count,
				 count ? found->id : 0);
		for (size_t n = 0; n < count; n++)
			assert_string_equal(found[n].name, cases[i].name);
	}
	ncg_pci_ids_list(ids, NULL, &count);
	assert_int_equal(count, 4);
	ncg_pci_ids_list(ids, of(0xfff1), &count);
	assert_int_equal(count, 4);
	ncg_pci_ids_list(ids, of(0xffff), &count);
	assert_int_equal(count, 1);
	ncg_pci_ids_list(ids, of(0xfff3), &count);
	assert_int_equal(count, 0);
}

static void test_empty(void **state)
{
	static const char *const texts[] = { "", "\n", "no such thing\n", "\t0001  Card\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		ncg_autopciids struct ncg_pci_ids *ids = parse(texts[i]);
		size_t count;

		ncg_pci_ids_list(ids, NULL, &count);
		assert_int_equal(count, 0);
		ncg_pci_ids_find(ids, NULL, "Card", &count);
		assert_int_equal(count, 0);
		ncg_pci_ids_find(ids, of(1), "Card", &count);
		assert_int_equal(count, 0);
	}
	ncg_pci_ids_free(NULL);
}

/* 64 vendors with 1,024 devices each; each of the 65,536 is found by some 20 comparisons. */
static void test_work(void **state)
{
	ncg_autofree char *text = NULL;
	ncg_autopciids struct ncg_pci_ids *ids = NULL;
	size_t size, count;
	FILE *out = open_memstream(&text, &size);
	char name[32];

	(void)state;
	for (unsigned int vendor = 0; vendor < 64; vendor++) {
		fprintf(out, "%04x  Vendor %u\n", vendor, vendor);
		for (unsigned int device = 0; device < 1024; device++)
			fprintf(out, "\t%04x  Device %u\n", device, device);
	}
	fclose(out);
	ids = parse(text);
	assert_int_equal(ncg_pci_ids_compared(ids), 0);
	for (unsigned int i = 0; i < 65536; i++) {
		snprintf(name, sizeof(name), "Vendor %u", i / 1024);
		assert_int_equal(ncg_pci_ids_find(ids, NULL, name, &count)->id, i / 1024);
		assert_int_equal(count, 1);
		snprintf(name, sizeof(name), "Device %u", i % 1024);
		assert_int_equal(ncg_pci_ids_find(ids, of(i / 1024), name, &count)->id, i % 1024);
		assert_int_equal(count, 1);
	}
	/* log2 of 64 and of 65,536, and a step more each; the one found. */
	assert_true(ncg_pci_ids_compared(ids) <= 65536u * ((7 + 1) + (17 + 1)));
}

/* Every name of the system's list, both ways. */
static void test_as_libpci(void **state)
{
	ncg_autopcinames struct ncg_pci_names *names = NULL;
	ncg_autopciids struct ncg_pci_ids *ids = NULL;
	ncg_autofree char *text = NULL, *path = ncg_pci_names_path();
	const struct ncg_pci_id *vendors, *devices;
	size_t size, count, device_count, all = 0;
	char buffer[1024];

	(void)state;
	assert_non_null(path);
	if (ncg_text_file_read(path, 64 << 20, &text, &size))
		skip();
	assert_int_equal(ncg_pci_ids_parse(text, size, &ids), 0);
	assert_int_equal(ncg_pci_names_open(NULL, &names), 0);
	vendors = ncg_pci_ids_list(ids, NULL, &count);
	assert_true(count > 1000);
	for (size_t v = 0; v < count; v++) {
		assert_string_equal(vendors[v].name, ncg_pci_names_get(names, vendors[v].id, -1,
									buffer, sizeof(buffer)));
		devices = ncg_pci_ids_list(ids, &vendors[v].id, &device_count);
		all += device_count;
		for (size_t d = 0; d < device_count; d++) {
			assert_int_equal(devices[d].vendor, vendors[v].id);
			assert_string_equal(devices[d].name,
					    ncg_pci_names_get(names, vendors[v].id, devices[d].id,
							      buffer, sizeof(buffer)));
		}
	}
	assert_true(all > 10000);
	/* And the other way, for the vendor with the most. */
	devices = ncg_pci_ids_list(ids, of(0x8086), &device_count);
	for (unsigned int id = 0, named = 0; id < 0x10000; id++) {
		named += ncg_pci_names_get(names, 0x8086, id, buffer, sizeof(buffer)) != NULL;
		if (id == 0xffff)
			assert_int_equal(named, device_count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_as_libpci),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
