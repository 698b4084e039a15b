// SPDX-License-Identifier: GPL-2.0-only
/*
 * The built ncgate on hosts made for the test: `devices` with and without a daemon,
 * and `doctor` on a host that has all, one that lacks all, and what lies between.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli_run.h"
#include "btf_files.h"
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

/* ------------------------------------------------------------------------- doctor */

#define STATUS_FULL "Name:\tx\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\n"
#define STATUS_USER "Name:\tx\nCapEff:\t0000000000000000\n"
#define KMSG                                                               \
	"6,0,0,-;Booting Linux on physical CPU 0x0000000000\n"             \
	"6,41,0,-;CPU features: detected: Stage-2 Force Write-Back\n"       \
	"6,380,9,-;kvm [1]: VHE mode initialized successfully\n"

/* A host on which nothing is to be found fault with. */
static void good_host(void)
{
	tree_file("host/proc/sys/kernel/osrelease", "6.12.0-test\n");
	tree_file("host/proc/sys/kernel/arch", "aarch64\n");
	tree_file("host/proc/cmdline", "root=/dev/vda quiet\n");
	tree_file("host/proc/self/status", STATUS_FULL);
	tree_file("host/proc/self/mounts", "proc /proc proc rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n");
	tree_file("host/dev/kvm", "");
	tree_file("host/dev/kmsg", KMSG);
	tree_file("host/sys/kernel/security/lsm", "lockdown,capability,bpf\n");
	tree_file("host/sys/module/vfio_pci_core/parameters/uncached_default", "allow\n");
	btf_kernel("host/sys", true, true, true);
	pci_add("host/sys", CARD("0000:01:00.0", .driver = "vfio-pci", .group = "3",
				 .resource = BAR0 PCI_NO_BAR BAR2));
	tree_file("hazards", "hazard h\nunsafe normal_nc\npci fff1:1110\nbecause it burns\n"
			     "instead deny it\nsource the test\ndriver vfio-pci\nsource the test\n");
	tree_file("none-known", "driver vfio-pci\nsource the test\n");
	tree_file("deny", "mode enforce\n");
	tree_file("allow", "mode enforce\nallow *:*\n");
	tree_file("audit", "");
}

#define DOCTOR "doctor", "--root", "host"

/* The state of one check, and that its text has a part; NULL: any. */
static void assert_check(const json_t *document, const char *name, const char *state,
			 const char *part)
{
	const json_t *check;
	char all[1024];
	size_t i;

	json_array_foreach(json_object_get(document, "checks"), i, check) {
		if (strcmp(json_string_value(json_object_get(check, "check")), name))
			continue;
		assert_string_equal(json_string_value(json_object_get(check, "state")), state);
		snprintf(all, sizeof(all), "%s; %s (%s)",
			 json_string_value(json_object_get(check, "detail")),
			 json_is_null(json_object_get(check, "follows")) ? "" :
			 json_string_value(json_object_get(check, "follows")),
			 json_is_null(json_object_get(check, "errno")) ? "" :
			 json_string_value(json_object_get(check, "errno")));
		if (part && !strstr(all, part))
			fail_msg("%s: no '%s' in '%s'", name, part, all);
		return;
	}
	fail_msg("there is no check '%s'", name);
}

/* Runs doctor on the host as it is; its document is the caller's. */
static json_t *examine(const char *policy, const char *hazards, int status)
{
	ncg_cleanup(result_free) struct result result = {};
	json_t *document;

	RUN(&result, DOCTOR, "--json", "--policy", policy, "--hazards", hazards);
	if (result.status != status)
		fail_msg("exit status %d, expected %d\n%s", result.status, status, result.out);
	assert_string_equal(result.err, "");
	document = json_loads(result.out, 0, NULL);
	assert_non_null(document);
	return document;
}

static void doctor_finds_all(void **state)
{
	json_t *d;

	(void)state;
	good_host();
	/* The daemon is not running below another root, and says so. */
	d = examine("deny", "none-known", 1);
	assert_string_equal(json_string_value(json_object_get(d, "change")), "hook");
	assert_check(d, "kernel", "found", "6.12.0-test, ");
	assert_check(d, "change", "found", "core change and hook; the policy decides");
	assert_check(d, "BTF", "found", NULL);
	assert_check(d, "module BTF", "found", NULL);
	assert_check(d, "hook", "found", "vfio_pci_uncached_policy()");
	assert_check(d, "hook default", "found", "uncached_default=allow");
	assert_check(d, "attaching", "not known", NULL);
	assert_check(d, "KVM", "found", "/dev/kvm");
	assert_check(d, "KVM mode", "found", "VHE");
	assert_check(d, "FWB", "found", "yes");
	assert_check(d, "IOMMU", "found", "1 group");
	assert_check(d, "BPF LSM", "found", NULL);
	assert_check(d, "bpffs", "found", NULL);
	assert_check(d, "capabilities", "found", NULL);
	assert_check(d, "ncgated", "missing", "nothing answers");
	assert_check(d, "policy", "found", "deny: mode enforce, default deny, 0 rules");
	assert_check(d, "drivers", "found", "1 device bound to drivers that ask the hook");
	assert_check(d, "hazard", "found", "none of the 0 known ones");
	json_decref(d);
}

static void doctor_finds_nothing(void **state)
{
	json_t *d;

	(void)state;
	tree_file("host/proc/sys/kernel/osrelease", "5.10\n");
	tree_file("host/proc/sys/kernel/arch", "aarch64\n");
	tree_file("host/proc/self/status", STATUS_USER);
	tree_file("host/proc/self/mounts", "bpf /elsewhere bpf rw 0 0\n");
	tree_file("host/sys/kernel/security/lsm", "capability\n");
	tree_dir("host/sys/module/vfio_pci_core");
	tree_dir("host/sys/bus/pci/devices");
	d = examine("none", "none", 3);
	assert_true(json_is_null(json_object_get(d, "change")));
	assert_check(d, "change", "not known", "(ENOENT)");
	assert_check(d, "BTF", "missing", "CONFIG_DEBUG_INFO_BTF (ENOENT)");
	assert_check(d, "module BTF", "missing", "CONFIG_DEBUG_INFO_BTF_MODULES (ENOENT)");
	assert_check(d, "hook", "not known", NULL);
	assert_check(d, "hook default", "not known", NULL);
	assert_check(d, "trampolines", "not known", NULL);
	assert_check(d, "KVM", "missing", "/dev/kvm; there are no guests");
	assert_check(d, "KVM mode", "not known", "log cannot be read;  (ENOENT)");
	assert_check(d, "FWB", "not known", NULL);
	assert_check(d, "IOMMU", "missing", "no groups; no device can be passed");
	assert_check(d, "BPF LSM", "missing", "CONFIG_BPF_LSM");
	assert_check(d, "bpffs", "missing", "mount -t bpf");
	assert_check(d, "capabilities", "missing", "CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN");
	assert_check(d, "policy", "failed", "see `ncgate check none` (ENOENT)");
	assert_check(d, "hazard", "failed", "hazards of this host are not known (ENOENT)");
	assert_check(d, "drivers", "found", "no device is bound");
	json_decref(d);
}

/* A name that pci.ids has lost: as the daemon would, and with a warning. */
static void doctor_on_names(void **state)
{
	json_t *d;

	(void)state;
	if (getuid())
		skip();
	good_host();
	tree_file("names", "mode enforce\ndeny fff1:\"Card A\"\n");
	assert_int_equal(chmod(tree_path("names"), 0644), 0);
	d = examine("names", "none-known", 1);
	assert_check(d, "policy", "failed", "see `ncgate check names` (EINVAL)");
	json_decref(d);
	tree_file("host/var/lib/ncgate/names", "fff1:0001 fff1:\"Card A\"\n");
	assert_int_equal(chmod(tree_path("host/var/lib/ncgate/names"), 0600), 0);
	d = examine("names", "none-known", 1);
	assert_check(d, "policy", "warning", "pci.ids has lost 1 name of names, which go on "
					     "standing for the ids of before; see `ncgate check");
	json_decref(d);
}

static void doctor_on_kernels(void **state)
{
	static const struct {
		bool core;
		bool module;
		bool hook;
		const char *state;
		const char *change;
		const char *hook_state;
		const char *follows;
	} cases[] = {
		{ false, true, false, "found", "no change; every guest has Device-nGnRE", "missing",
		  "nothing that it could grant" },
		{ true, true, false, "found", "core change only; every guest may have Normal-NC",
		  "missing", "recorded, not kept from Normal-NC; ncgate-dkms" },
		{ true, false, false, "not known", "the hook is not known until vfio-pci-core is "
		  "loaded", "not known", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *d;

		tree_remove();
		tree_make();
		good_host();
		unlink(tree_path("host/sys/module/vfio_pci_core/parameters/uncached_default"));
		unlink(tree_path("host/sys/kernel/btf/vfio_pci_core"));
		rmdir(tree_path("host/sys/module/vfio_pci_core/parameters"));
		rmdir(tree_path("host/sys/module/vfio_pci_core"));
		btf_kernel("host/sys", cases[i].core, cases[i].module, cases[i].hook);
		d = examine("deny", "none-known", 1);
		assert_check(d, "change", cases[i].state, cases[i].change);
		assert_check(d, "hook", cases[i].hook_state, cases[i].follows);
		assert_check(d, "hook default", "found",
			     cases[i].core ? "allow, not to be changed" : "deny, not");
		assert_check(d, "trampolines", "missing", "arm64 has it from v6.4");
		json_decref(d);
	}
}

static void doctor_on_kvm(void **state)
{
	static const struct {
		const char *log;
		const char *command_line;
		const char *mode;
		const char *fwb;
	} cases[] = {
		{ "6,0,0,-;x\n6,2,0,-;kvm [1]: Hyp mode initialized successfully\n", "", "nVHE", "no;" },
		{ "6,9,0,-;kvm [1]: Hyp nVHE mode initialized successfully\n", "", "nVHE", NULL },
		{ "6,9,0,-;kvm [1]: Protected hVHE mode initialized successfully\n", "",
		  "protected; the tables of protected guests", NULL },
		{ "6,9,0,-;kvm [1]: VHE+NV2 mode initialized successfully\n", "", "VHE", NULL },
		{ "6,9,0,-;x\n", "a kvm-arm.mode=protected b\n",
		  "protected, as the kernel's command line asks", NULL },
		{ "6,9,0,-;x\n", "kvm-arm.mode=none", "none, as", NULL },
		/* The log goes before what was asked for. */
		{ "6,9,0,-;kvm [1]: VHE mode initialized successfully\n", "kvm-arm.mode=protected",
		  "VHE", NULL },
		{ "6,9,0,-;x\n", "xkvm-arm.mode=nvhe", NULL, NULL },
	};

	(void)state;
	good_host();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *d;

		tree_file("host/dev/kmsg", cases[i].log);
		tree_file("host/proc/cmdline", cases[i].command_line);
		d = examine("deny", "none-known", 1);
		assert_check(d, "KVM mode", cases[i].mode ? "found" : "not known",
			     cases[i].mode ? cases[i].mode : "does not say it any more");
		assert_check(d, "FWB", cases[i].fwb ? "found" : "not known", cases[i].fwb);
		json_decref(d);
	}
}

static void doctor_on_drivers(void **state)
{
	json_t *d;

	(void)state;
	good_host();
	tree_file("table", "driver vfio-pci\nasks-the-hook not-always\nbecause it is a test\n"
			   "source the test\n");
	d = examine("deny", "table", 1);
	assert_check(d, "drivers", "warning", "0000:01:00.0 is bound to vfio-pci, which does not "
		     "always ask the hook; it is a test");
	json_decref(d);
	tree_file("table", "driver other\nsource the test\n");
	d = examine("deny", "table", 1);
	assert_check(d, "drivers", "not known", "which is not in the table of drivers");
	json_decref(d);
}

static void doctor_on_hazards(void **state)
{
	json_t *d, *hazard, *conflict;

	(void)state;
	good_host();
	d = examine("deny", "hazards", 1);
	assert_check(d, "hazard", "found", "h: normal_nc is unsafe here, and the policy heeds it");
	hazard = json_array_get(json_object_get(d, "hazards"), 0);
	assert_int_equal(json_array_size(json_object_get(hazard, "contradictions")), 0);
	assert_string_equal(json_string_value(json_object_get(hazard, "source")), "the test");
	json_decref(d);

	d = examine("allow", "hazards", 1);
	assert_check(d, "hazard", "warning", "h: normal_nc is unsafe here, but 0000:01:00.0 BAR 0: "
		     "allow by allow:2 (and 1 more, see --json); it burns; instead: deny it");
	hazard = json_array_get(json_object_get(d, "hazards"), 0);
	conflict = json_array_get(json_object_get(hazard, "contradictions"), 1);
	assert_string_equal(json_string_value(json_object_get(conflict, "cause")), "bar");
	assert_int_equal(json_integer_value(json_object_get(conflict, "bar")), 2);
	assert_string_equal(json_string_value(json_object_get(conflict, "verdict")), "allow");
	json_decref(d);

	/* The right verdicts, but nobody acts on them. */
	d = examine("audit", "hazards", 1);
	assert_check(d, "hazard", "warning", "but the kernel's own default, which no verdict "
		     "overrules now");
	json_decref(d);
	tree_file("host/sys/module/vfio_pci_core/parameters/uncached_default", "deny\n");
	d = examine("audit", "hazards", 1);
	assert_check(d, "hazard", "found", "heeds it");
	json_decref(d);

	tree_file("hazards", "hazard\n");
	d = examine("deny", "hazards", 1);
	assert_check(d, "hazard", "failed", "hazards:1: 'hazard' has no value");
	json_decref(d);
}

static void doctor_for_a_person(void **state)
{
	ncg_cleanup(result_free) struct result result = {}, wrong = {};

	(void)state;
	good_host();
	RUN(&result, DOCTOR, "--policy", "deny", "--hazards", "hazards");
	assert_int_equal(result.status, 1);
	assert_non_null(strstr(result.out,
		"CHECK         STATE      FINDING\n"
		"kernel        found      6.12.0-test, "));
	assert_non_null(strstr(result.out,
		"\nchange        found      core change and hook; the policy decides for each device\n"
		"BTF           found      /sys/kernel/btf/vmlinux\n"));
	tree_file("host/proc/sys/kernel/arch", "x86_64\n");
	unlink(tree_path("host/dev/kvm"));
	RUN(&wrong, DOCTOR, "--policy", "deny", "--hazards", "hazards");
	assert_int_equal(wrong.status, 3);
	assert_non_null(strstr(wrong.out, "kernel        failed     6.12.0-test on x86_64; ncgate is "
					  "about stage 2 of arm64\n"));
	assert_non_null(strstr(wrong.out, "KVM           missing    /dev/kvm (ENOENT); there are no "
					  "guests"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(devices_of_the_daemon),
		CLI_TEST(devices_without_a_daemon),
		CLI_TEST(devices_where_there_is_no_host),
		CLI_TEST(doctor_finds_all),
		CLI_TEST(doctor_finds_nothing),
		CLI_TEST(doctor_on_names),
		CLI_TEST(doctor_on_kernels),
		CLI_TEST(doctor_on_kvm),
		CLI_TEST(doctor_on_drivers),
		CLI_TEST(doctor_on_hazards),
		CLI_TEST(doctor_for_a_person),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
