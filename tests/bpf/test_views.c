// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the daemon shows, from beginning to end but for the kernel's hooks: pinned maps on a
 * bpffs of its own, a policy in force, a made sysfs, VMs whose tables are in memory and one
 * with a process. In a mount namespace, so that a daemon of this machine does not matter.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "exposition.h"
#include "gate.h"
#include "guest.h"
#include "log.h"
#include "pins.h"
#include "programs.h"
#include "verdict.h"
#include "view.h"

#include "../unit/metrics_unique.h"
#include "../unit/tree.h"
#include "../unit/pci_tree.h"
#include "../unit/vm_memory.h"

#define CARD_BAR 0x9000000000ULL  /* of 0000:00:05.0, allowed */
#define OTHER_BAR 0x9100000000ULL /* of 0000:00:06.0, denied */
#define SIZE 0x10000

static const char policy_text[] = "mode enforce\ndefault deny\nallow 1af4:1110\n";

static struct memory_host host;
static struct ncg_sources sources;
static struct ncg_audit *audit;
static struct ncg_programs *programs;
static struct ncg_hazard_watch *hazards;
static struct ncg_map_watch *map_watch;
static struct ncg_name_watch *names;
static struct ncg_foreign *foreign;
static struct process {
	pid_t pid;
	int pipe;
	char id[64];
} vmm;

static void decide(void *arg, const struct ncg_tuple *tuple, const char *cgroup,
		   struct ncg_decision *ret_decision)
{
	(void)arg;
	ncg_gate_decide(ncg_programs_map(programs, "policy"), tuple, cgroup, ret_decision);
}

static bool decided(void *arg, const struct ncg_decided_key *key, struct ncg_decided *ret_decided)
{
	(void)arg;
	return !bpf_map_lookup_elem(ncg_programs_map(programs, "decided"), key, ret_decided);
}

static int private_mounts(void **state)
{
	(void)state;
	if (geteuid())
		return 0; /* each test is skipped */
	return unshare(CLONE_NEWNS) || mount(NULL, "/sys", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
}

static void begin_vmm(struct ncg_vm *vm)
{
	ncg_autoguest struct ncg_guest guest = {};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	vmm.pid = fork();
	if (!vmm.pid) {
		dup2(fds[0], STDIN_FILENO);
		close(fds[1]);
		execl("/bin/sh", "sh", "-c", "read line", "sh", "-name", "guest=alpha", NULL);
		_exit(1);
	}
	close(fds[0]);
	vmm.pipe = fds[1];
	do {
		ncg_guest_done(&guest);
		assert_int_equal(ncg_guest_read(NULL, vmm.pid, NULL, &guest), 0);
	} while (strcmp(guest.name, "alpha"));
	vm->pid = vmm.pid;
	vm->start_boot_ns = guest.start_ticks * (UINT64_C(1000000000) / sysconf(_SC_CLK_TCK));
	strcpy(vmm.id, guest.id);
}

static void bar_device(const char *address, unsigned int vendor, unsigned int device,
		       const char *driver, uint64_t bar)
{
	char resource[96];

	snprintf(resource, sizeof(resource), "0x%016llx 0x%016llx 0x000000000014220c\n",
		 (unsigned long long)bar, (unsigned long long)(bar + SIZE - 1));
	pci_add("sys", &(struct pci_entry){ .address = address, .vendor = vendor, .device = device,
					    .class_code = 0x050000, .driver = driver, .group = "1",
					    .resource = resource });
}

/* alpha has both cards, and RAM; another VM, whose process has gone, has a page of nowhere. */
static void make_vms(void)
{
	struct memory_vm *alpha = memory_vm(&host, 0), *other = memory_vm(&host, 0);

	begin_vmm(&alpha->vm);
	memory_map(alpha, 0, 0x1000000000, 8 * MEMORY_PAGE, MEMORY_WB);
	memory_map(alpha, 0x40000000, CARD_BAR, 4 * MEMORY_PAGE, MEMORY_NC);
	memory_map(alpha, 0x50000000, OTHER_BAR, 2 * MEMORY_PAGE, MEMORY_NC);
	memory_map(other, 0x8010000, 0x8040000, 2 * MEMORY_PAGE, MEMORY_DEVICE);
}

static void load_policy(void)
{
	struct ncg_policy *policy;
	struct ncg_phead head;
	bool changed;

	assert_int_equal(ncg_policy_parse_text("policy.conf", policy_text, strlen(policy_text),
					       &policy, NULL), 0);
	assert_int_equal(ncg_gate_load(ncg_programs_map(programs, "policy"), policy, &head,
				       &changed), 0);
	ncg_policy_free(policy);
}

static struct ncg_map_watch_maps watched_maps(void)
{
	struct ncg_map_watch_maps maps = { .shares = ncg_programs_map(programs, "shares") };

	for (enum ncg_watched_map m = 0; m < NCG_WATCHED_NR; m++)
		maps.fds[m] = ncg_programs_map(programs, ncg_map_watch_name(m));
	return maps;
}

static int set_up(void **state)
{
	static char sysfs[300], trail[300];
	struct ncg_walk_source source;
	struct ncg_map_watch_maps maps;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(ncg_pins_remove(), 0);
	tree_make();
	strcpy(sysfs, tree_path("sys"));
	strcpy(trail, tree_path("trail"));
	bar_device("0000:00:05.0", 0x1af4, 0x1110, "vfio-pci", CARD_BAR);
	bar_device("0000:00:06.0", 0x1234, 0x1111, "vfio-pci", OTHER_BAR);
	bar_device("0000:00:07.0", 0x8086, 0x10d3, "e1000e", 0x9200000000);
	host = (struct memory_host){};
	make_vms();
	source = memory_source(&host);

	assert_int_equal(ncg_programs_open(&programs), 0);
	load_policy();
	assert_int_equal(ncg_audit_open(&(struct ncg_audit_options){ .path = trail }, &audit), 0);
	sources = (struct ncg_sources){
		.programs = programs, .audit = audit, .policy_file = "policy.conf",
		.audit_file = trail, .policy_loaded = 1700000000, .last_reload_ok = true,
	};
	assert_int_equal(ncg_inventory_open(&(struct ncg_inventory_maps){
						    ncg_programs_map(programs, "bars"),
						    ncg_programs_map(programs, "regions"),
						    ncg_programs_map(programs, "shares"), sysfs },
					    &sources.inventory), 0);
	assert_int_equal(ncg_walk_new(&(struct ncg_walk_options){ .share = 1, .vm_ids_fd = -1 },
				      &source, &sources.walk), 0);
	assert_int_equal(ncg_mismatch_watch_open(&(struct ncg_mismatch_policy){ .decide = decide,
											 .decided = decided },
						 audit, &sources.mismatches), 0);
	maps = watched_maps();
	assert_int_equal(ncg_map_watch_open(&maps, &map_watch), 0);
	ncg_hazard_watch_open(tree_path("no-hazards"), &hazards);
	ncg_name_watch_open(tree_path("names"), &names);
	assert_int_equal(ncg_foreign_open(audit, &foreign), 0);
	ncg_foreign_look(foreign, NULL, 0);
	sources.foreign = foreign;
	sources.map_watch = map_watch;
	sources.hazards = hazards;
	sources.names = names;
	ncg_walk_want_all(sources.walk);
	for (int i = 0; ncg_walk_wanted(sources.walk) && i < 1000; i++)
		ncg_walk_background(sources.walk);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(vmm.pipe);
	waitpid(vmm.pid, NULL, 0);
	ncg_mismatch_watch_close(sources.mismatches);
	ncg_map_watch_close(map_watch);
	ncg_hazard_watch_close(hazards);
	ncg_name_watch_close(names);
	ncg_foreign_close(foreign);
	ncg_walk_close(sources.walk);
	ncg_inventory_close(sources.inventory);
	ncg_audit_close(audit);
	ncg_programs_close(programs);
	memory_free(&host);
	tree_remove();
	return 0;
}

/* ---------------------------------------------------------------------- metrics */

static void assert_line(const char *text, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (!strstr(text, line))
		fail_msg("no '%s' in:\n%s", line, text);
}

static void metrics(void **state)
{
	ncg_autofree char *text = NULL;
	size_t size;

	(void)state;
	assert_int_equal(ncg_view_metrics(&sources, &text, &size), 0);
	assert_int_equal(strlen(text), size);
	assert_metrics_unique(text);
	assert_line(text, "\nncgate_guests 2\n");
	assert_line(text, "\nncgate_guests_not_visible 0\n");
	assert_line(text, "\nncgate_policy_rules 1\n");
	assert_line(text, "\nncgate_policy_generation 1\n");
	assert_line(text, "\nncgate_enforcement_grade{grade=\"none\"} 1\n");
	assert_line(text, "\nncgate_guest_info{guest=\"%s\",pid=\"%d\",name=\"alpha\",", vmm.id,
		    vmm.pid);
	assert_line(text, "\nncgate_guest_stage2_bytes{guest=\"%s\",type=\"normal_wb\"} %lu\n",
		    vmm.id, 8 * MEMORY_PAGE);
	assert_line(text, "\nncgate_guest_stage2_bytes{guest=\"%s\",type=\"normal_nc\"} %lu\n",
		    vmm.id, 6 * MEMORY_PAGE);
	assert_line(text, "\nncgate_guest_stage2_bytes{guest=\"%s\",type=\"device_nGnRE\"} 0\n",
		    vmm.id);
	assert_line(text, "\nncgate_guest_stage2_leaves{guest=\"%s\",type=\"normal_nc\","
			  "size=\"4096\"} 6\n", vmm.id);
	assert_line(text, "\nncgate_device_stage2_bytes{guest=\"%s\",device=\"0000:00:05.0\","
			  "bar=\"0\",type=\"normal_nc\"} %lu\n", vmm.id, 4 * MEMORY_PAGE);
	/* denied, and nobody granted it */
	assert_line(text, "\nncgate_mismatches{mismatch=\"unexpected\"} 1\n");
	assert_line(text, "\nncgate_mismatch_bytes{guest=\"%s\",device=\"0000:00:06.0\","
			  "bar=\"0\",mismatch=\"unexpected\"} %lu\n", vmm.id, 2 * MEMORY_PAGE);
	assert_line(text, "\nncgate_device_info{device=\"0000:00:05.0\",vendor_id=\"1af4\","
			  "device_id=\"1110\",class=\"050000\",driver=\"vfio-pci\",");
	/* neither bound to vfio nor mapped */
	assert_null(strstr(text, "0000:00:07.0"));
	assert_line(text, "\nncgate_map_entries{map=\"bars\"} 3\n");
	assert_line(text, "\nncgate_map_max_entries{map=\"decided\"} %d\n", NCG_USES_MIN);
	assert_line(text, "\nncgate_bars_left_out 0\n");
}

/* Without a walk nothing of guests is shown, and nothing looks like 0. */
static void metrics_without_a_walk(void **state)
{
	struct ncg_sources blind = sources;
	ncg_autofree char *text = NULL;
	size_t size;

	(void)state;
	blind.walk = NULL;
	assert_int_equal(ncg_view_metrics(&blind, &text, &size), 0);
	assert_null(strstr(text, "\nncgate_guests "));
	assert_null(strstr(text, "ncgate_guest_"));
	assert_null(strstr(text, "ncgate_mismatches"));
	assert_line(text, "\nncgate_policy_rules 1\n");
	assert_line(text, "\nncgate_device_info{device=\"0000:00:05.0\",");
}

/* A VM that is not walked yet is pending, and has no bytes: not even 0. */
static void a_new_vm_is_pending(void **state)
{
	ncg_autofree char *text = NULL;
	size_t size;

	(void)state;
	/* its tables are not there yet */
	memory_vm(&host, 0)->root_pointer = 0;
	assert_int_equal(ncg_view_metrics(&sources, &text, &size), 0);
	assert_line(text, "\nncgate_guests 3\n");
	assert_line(text, "\nncgate_guests_not_visible 1\n");
	assert_line(text, "state=\"pending\"} 1\n");
}

/* ------------------------------------------------------------------------- JSON */

static const json_t *at(const json_t *json, const char *key, size_t index)
{
	const json_t *value = json_array_get(json_object_get(json, key), index);

	if (!value)
		fail_msg("no %s[%zu]", key, index);
	return value;
}

static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static json_int_t number_of(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static void guests(void **state)
{
	json_t *json = ncg_view_guests(&sources);
	const json_t *alpha, *other, *use;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(json, "guests")), 2);
	other = at(json, "guests", 0); /* newest first */
	alpha = at(json, "guests", 1);
	assert_string_equal(text_of(alpha, "guest"), vmm.id);
	assert_string_equal(text_of(alpha, "name"), "alpha");
	assert_true(json_is_true(json_object_get(alpha, "visible")));
	assert_true(json_is_true(json_object_get(alpha, "fwb")));
	assert_int_equal(number_of(json_object_get(alpha, "types"), "normal_nc"), 6 * MEMORY_PAGE);
	assert_int_equal(json_array_size(json_object_get(alpha, "devices")), 2);
	use = at(alpha, "devices", 0);
	assert_string_equal(text_of(use, "device"), "0000:00:05.0");
	assert_string_equal(text_of(use, "type"), "normal_nc");
	assert_int_equal(number_of(use, "bytes"), 4 * MEMORY_PAGE);
	assert_string_equal(text_of(other, "name"), "");
	use = at(other, "other", 0);
	assert_string_equal(text_of(use, "phys"), "8040000");
	assert_int_equal(number_of(use, "bytes"), 2 * MEMORY_PAGE);
	json_decref(json);
}

/* A guest's tables, walked for the question, range by range and cut at BARs. */
static void one_guest_walked(void **state)
{
	const json_t *range;
	json_t *json;

	(void)state;
	/* The last page of the card and the first behind it: one range, and two places. */
	memory_map(&host.vms[0], 0x60000000, CARD_BAR + SIZE - MEMORY_PAGE, 2 * MEMORY_PAGE,
		   MEMORY_NC);
	json = ncg_view_walk_guest(&sources, vmm.id);
	assert_int_equal(json_array_size(json_object_get(json, "ranges")), 4);
	range = at(json, "ranges", 0);
	assert_string_equal(text_of(range, "ipa"), "40000000");
	assert_string_equal(text_of(range, "phys"), "9000000000");
	assert_string_equal(text_of(range, "device"), "0000:00:05.0");
	assert_int_equal(number_of(range, "level"), 3);
	assert_int_equal(number_of(range, "leaf_size"), 4096);
	range = at(json, "ranges", 2);
	assert_string_equal(text_of(range, "device"), "0000:00:05.0");
	assert_int_equal(number_of(range, "size"), MEMORY_PAGE);
	range = at(json, "ranges", 3);
	assert_string_equal(text_of(range, "ipa"), "60001000");
	assert_string_equal(text_of(range, "device"), "");
	json_decref(json);

	json = ncg_view_walk_guest(&sources, "1-1");
	assert_non_null(strstr(text_of(json, "error"), "there is no guest 1-1"));
	json_decref(json);
}

static const json_t *device_of(const json_t *json, const char *address)
{
	const json_t *device;
	size_t i;

	json_array_foreach(json_object_get(json, "devices"), i, device)
		if (!strcmp(text_of(device, "device"), address) ||
		    !strcmp(text_of(device, "slot"), address))
			return device;
	fail_msg("no device %s", address);
	return NULL;
}

static void devices(void **state)
{
	json_t *json = ncg_view_devices(&sources);
	const json_t *bar, *guest;

	(void)state;
	assert_true(json_is_true(json_object_get(json, "observed")));
	assert_string_equal(text_of(device_of(json, "0000:00:05.0"), "verdict"), "allow");
	assert_string_equal(text_of(device_of(json, "0000:00:06.0"), "verdict"), "deny");
	bar = at(device_of(json, "0000:00:06.0"), "bars", 0);
	guest = at(bar, "guests", 0);
	assert_string_equal(text_of(guest, "guest"), vmm.id);
	assert_int_equal(number_of(guest, "bytes"), 2 * MEMORY_PAGE);
	json_decref(json);
}

static void status(void **state)
{
	json_t *json = ncg_view_status(&sources);
	const json_t *policy = json_object_get(json, "policy");

	(void)state;
	assert_int_equal(number_of(json, "guests"), 2);
	assert_string_equal(text_of(json, "grade"), "none");
	assert_string_equal(text_of(policy, "mode"), "enforce");
	assert_string_equal(text_of(policy, "default"), "deny");
	assert_int_equal(number_of(policy, "rules"), 1);
	assert_int_equal(json_array_size(json_object_get(json, "programs")), NCG_PROGRAM_NR);
	assert_int_equal(json_array_size(json_object_get(json, "mismatches")), 1);
	assert_int_equal(number_of(json_object_get(json, "counters"), "full_uses"), 0);
	json_decref(json);
}

/* Two VMs of one process are two guests. */
static void vms_of_one_process(void **state)
{
	struct memory_vm *second = memory_vm(&host, vmm.pid);
	json_t *json;
	char id[80];

	(void)state;
	second->vm.start_boot_ns = host.vms[0].vm.start_boot_ns;
	memory_map(second, 0, 0x1000000000, MEMORY_PAGE, MEMORY_WB);
	json = ncg_view_guests(&sources);
	assert_int_equal(json_array_size(json_object_get(json, "guests")), 3);
	snprintf(id, sizeof(id), "%s.2", vmm.id);
	assert_string_equal(text_of(at(json, "guests", 0), "guest"), id);
	assert_string_equal(text_of(at(json, "guests", 2), "guest"), vmm.id);
	json_decref(json);
}

/* ------------------------------------------------------------------ pinned maps */

/* A daemon that finds maps of other sizes takes them as they are. */
static void maps_of_another_size_are_taken_over(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	int fd;

	(void)state;
	ncg_programs_close(programs);
	programs = NULL;
	assert_int_equal(unlink(NCG_PINS_MAPS_DIR "/uses"), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "uses", sizeof(struct ncg_use_key),
			    sizeof(struct ncg_use), 1000, &opts);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_pin(fd, NCG_PINS_MAPS_DIR "/uses"), 0);
	close(fd);
	assert_int_equal(ncg_programs_open(&programs), 0);
	assert_int_equal(bpf_map_get_info_by_fd(ncg_programs_map(programs, "uses"), &info, &size),
			 0);
	assert_int_equal(info.max_entries, 1000);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(metrics),
		test(metrics_without_a_walk),
		test(a_new_vm_is_pending),
		test(guests),
		test(one_guest_walked),
		test(devices),
		test(status),
		test(vms_of_one_process),
		test(maps_of_another_size_are_taken_over),
	};

	ncg_log_open("test_views", NCG_LOG_ERROR);
	return cmocka_run_group_tests(tests, private_mounts, NULL);
}
