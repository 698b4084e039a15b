// SPDX-License-Identifier: GPL-2.0-only
/*
 * The built ncgate on hosts made for the test: `devices` with and without a daemon.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli_run.h"
#include "pci_tree.h"

#define BAR0 "0x0000000010000000 0x0000000010000fff 0x0000000000040200\n"
#define BAR2 "0x0000400000000000 0x000040000fffffff 0x000000000014220c\n"

/* Makers that pci.ids does not know. */
#define CARD(at, more...) \
	(&(struct pci_entry){ .address = at, .vendor = 0xfff1, .device = 0x1110, \
			      .class_code = 0x050000, more })

/* ------------------------------------------------------------------------ devices */

static const char devices_reply[] =
	"{\"observed\":true,\"devices\":[{\"device\":\"0000:00:05.0\",\"vendor_id\":\"10de\","
	"\"device_id\":\"2342\",\"name\":\"NVIDIA GH200\",\"driver\":\"nvgrace_gpu_vfio_pci\","
	"\"iommu_group\":7,\"verdict\":\"mixed\",\"bars\":[{\"bar\":0,\"start\":\"1000\","
	"\"size\":16777216,\"prefetchable\":false,\"verdict\":\"deny\",\"reason\":\"default\","
	"\"guests\":[]},{\"bar\":2,\"start\":\"2000\",\"size\":103079215104,"
	"\"prefetchable\":true,\"verdict\":\"allow\",\"reason\":\"rule\",\"rule\":{\"file\":"
	"\"policy.conf\",\"line\":12},\"guests\":[{\"guest\":\"812-4711\",\"type\":\"normal_nc\","
	"\"bytes\":1},{\"guest\":\"9-1\",\"type\":\"device_nGnRE\",\"bytes\":1}]}]},"
	"{\"device\":\"0000:00:06.0\",\"vendor_id\":\"1234\",\"device_id\":\"0001\",\"name\":\"\","
	"\"driver\":\"\",\"iommu_group\":-1,\"verdict\":\"none\",\"bars\":[]}]}";

#define HEAD                                                                               \
	"DEVICE        ID         NAME          GROUP  DRIVER                BAR      SIZE  " \
	"PREFETCH  VERDICT  RULE            OBSERVED\n"
#define GPU                                                                                \
	"0000:00:05.0  10de:2342  NVIDIA GH200      7  nvgrace_gpu_vfio_pci    0  16.0 MiB  " \
	"no        deny     default         -\n"                                           \
	"0000:00:05.0  10de:2342  NVIDIA GH200      7  nvgrace_gpu_vfio_pci    2  96.0 GiB  " \
	"yes       allow    policy.conf:12  normal_nc (812-4711), device_nGnRE (9-1)\n"

static void devices_of_the_daemon(void **state)
{
	static const struct replies replies = { .devices = devices_reply };
	ncg_cleanup(result_free) struct result all = {}, bound = {}, one = {}, none = {}, json = {};
	json_t *document;

	(void)state;
	SHOW(&replies, &all, "devices");
	assert_output(&all, HEAD GPU
		      "0000:00:06.0  1234:0001  -                 -  -                       -  "
		      "       -  -         none     -               -\n");
	SHOW(&replies, &bound, "devices", "--bound");
	assert_output(&bound, HEAD GPU);
	SHOW(&replies, &one, "devices", "10de:2342", "0000:00:09.0");
	assert_output(&one, HEAD GPU);
	SHOW(&replies, &none, "devices", "00:09.0");
	assert_output(&none, "no such devices\n");
	SHOW(&replies, &json, "devices", "--json", "00:06.0");
	assert_int_equal(json.status, 0);
	document = json_loads(json.out, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(document, "devices")), 1);
	json_decref(document);
}

/* What sysfs and the policy file tell, and that nobody observes. */
static void devices_without_a_daemon(void **state)
{
	ncg_cleanup(result_free) struct result result = {}, bound = {}, json = {}, no_policy = {};
	json_t *document, *device;

	(void)state;
	tree_file("p", "mode enforce\nallow fff1:1110 bar=2 slot=0:1:0.0\n");
	tree_dir("host/sys/bus/pci/devices");
	pci_add("host/sys", CARD("0000:01:00.0", .driver = "vfio-pci", .group = "3",
				 .resource = BAR0 PCI_NO_BAR BAR2));
	pci_add("host/sys", CARD("0000:02:00.0", .group = "4", .resource = BAR0));
	pci_add("host/sys", CARD("0000:03:00.0", .resource = BAR0));
	RUN(&result, "devices", "--root", "host", "--policy", "p");
	assert_int_equal(result.status, 0);
	assert_string_equal(result.out,
		"DEVICE        ID         NAME  GROUP  DRIVER    BAR       SIZE  PREFETCH  VERDICT  "
		"RULE     OBSERVED\n"
		"0000:01:00.0  fff1:1110  -         3  vfio-pci    0    4.0 KiB  no        deny     "
		"default  not known\n"
		"0000:01:00.0  fff1:1110  -         3  vfio-pci    2  256.0 MiB  yes       allow    "
		"p:2      not known\n"
		"0000:02:00.0  fff1:1110  -         4  -           0    4.0 KiB  no        deny     "
		"default  not known\n");
	assert_string_equal(result.err, "ncgate: ncgated does not answer: nothing is observed, and "
					"verdicts are by p\n");
	RUN(&bound, "devices", "--bound", "--root", "host", "--policy", "p");
	assert_null(strstr(bound.out, "0000:02:00.0"));
	assert_non_null(strstr(bound.out, "0000:01:00.0"));

	RUN(&json, "devices", "--json", "--root", "host", "--policy", "p");
	assert_int_equal(json.status, 0);
	document = json_loads(json.out, 0, NULL);
	assert_true(json_is_false(json_object_get(document, "observed")));
	assert_string_equal(json_string_value(json_object_get(document, "policy")), "p");
	device = json_array_get(json_object_get(document, "devices"), 0);
	assert_string_equal(json_string_value(json_object_get(device, "verdict")), "mixed");
	assert_int_equal(json_integer_value(json_object_get(device, "iommu_group")), 3);
	json_decref(document);

	RUN(&no_policy, "devices", "--root", "host", "--policy", "none");
	assert_int_equal(no_policy.status, 0);
	assert_non_null(strstr(no_policy.out, "none     kernel default  not known\n"));
	assert_non_null(strstr(no_policy.err, "verdicts are by no policy"));
}

static void devices_where_there_is_no_host(void **state)
{
	static const struct line lines[] = {
		{ { "devices", "--root", "nowhere" }, 3, {},
		  { "PCI devices cannot be read from nowhere/sys: No such file" } },
	};

	(void)state;
	check_lines(lines, ARRAY_SIZE(lines));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(devices_of_the_daemon),
		CLI_TEST(devices_without_a_daemon),
		CLI_TEST(devices_where_there_is_no_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
