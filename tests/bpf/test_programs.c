// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pinned state on a real bpffs: who may use its folder, what counts as this build's,
 * and when a program waits for a module or has failed. In a mount namespace of its own,
 * with its own bpffs and its own /sys/module, so that neither a daemon of this machine nor
 * its modules matter. Attaching itself is for the emulated host: no kernel but arm64's has
 * what the programs attach to.
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
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "pins.h"
#include "programs.h"

#define NOBODY 65534
#define ASIDE NCG_PINS_DIR "-not-ours-1"
#define CORE "/sys/module/vfio_pci_core"

static bool possible;

static int setup(void **state)
{
	(void)state;
	if (geteuid())
		return 0; /* each test is skipped */
	possible = true;
	return unshare(CLONE_NEWNS) || mount(NULL, "/sys", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) ||
	       mount("tmpfs", "/sys/module", "tmpfs", 0, NULL);
}

static int fresh(void **state)
{
	(void)state;
	if (!possible)
		skip();
	return ncg_pins_remove();
}

static const __u8 build_a[NCG_SHA256_LEN] = { 1 }, build_b[NCG_SHA256_LEN] = { 2 };

static struct ncg_pins *open_pins(const __u8 *build)
{
	struct ncg_pins *pins;

	assert_int_equal(ncg_pins_open(build, &pins), 0);
	return pins;
}

static int try_pins(void)
{
	struct ncg_pins *pins;
	int r = ncg_pins_open(build_a, &pins);

	if (!r)
		ncg_pins_close(pins);
	return r;
}

static void pin_something(const char *path)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "something", 4, 4, 1, NULL);

	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
}

/* ------------------------------------------------------------------------- pins */

static void one_daemon_at_a_time(void **state)
{
	struct ncg_pins *pins = open_pins(build_a);

	(void)state;
	assert_int_equal(try_pins(), -EBUSY);
	ncg_pins_close(pins);
	assert_int_equal(try_pins(), 0);
}

static void removed_only_without_a_daemon(void **state)
{
	struct ncg_pins *pins = open_pins(build_a);

	(void)state;
	pin_something(NCG_PINS_LINKS_DIR "/a");
	assert_int_equal(ncg_pins_remove(), -EBUSY);
	assert_int_equal(access(NCG_PINS_LINKS_DIR "/a", F_OK), 0);
	ncg_pins_close(pins);
	assert_int_equal(ncg_pins_remove(), 0);
	assert_int_equal(access(NCG_PINS_DIR, F_OK), -1);
	assert_int_equal(ncg_pins_remove(), 0);
}

/* Noted at the end alone: what is begun and not ended is no build's. */
static void a_build_counts_once_it_is_noted(void **state)
{
	struct ncg_pins *pins = open_pins(build_a);

	(void)state;
	assert_false(ncg_pins_of_this_build(pins));
	ncg_pins_close(pins);

	pins = open_pins(build_a);
	assert_false(ncg_pins_of_this_build(pins));
	assert_int_equal(ncg_pins_note_build(pins), 0);
	ncg_pins_close(pins);

	pins = open_pins(build_a);
	assert_true(ncg_pins_of_this_build(pins));
	ncg_pins_close(pins);

	/* Another build begins, and ends before it has attached all. */
	pins = open_pins(build_b);
	assert_false(ncg_pins_of_this_build(pins));
	ncg_pins_close(pins);
	pins = open_pins(build_b);
	assert_false(ncg_pins_of_this_build(pins));
	ncg_pins_close(pins);
	pins = open_pins(build_a);
	assert_false(ncg_pins_of_this_build(pins));
	ncg_pins_close(pins);
}

static void what_has_another_layout_is_refused(void **state)
{
	__u32 zero = 0;
	struct {
		__u32 layout;
		__u8 rest[4 + NCG_SHA256_LEN];
	} other = { .layout = NCG_LAYOUT + 1 };
	int fd;

	(void)state;
	ncg_pins_close(open_pins(build_a));
	fd = bpf_obj_get(NCG_PINS_DIR "/layout");
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, &zero, &other, BPF_ANY), 0);
	close(fd);
	assert_int_equal(try_pins(), -EPROTO);

	/* None at all, with state beside it. */
	assert_int_equal(unlink(NCG_PINS_DIR "/layout"), 0);
	assert_int_equal(try_pins(), -EPROTO);
	assert_int_equal(ncg_pins_remove(), 0);
	assert_int_equal(try_pins(), 0);
}

static void assert_owned(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void another_users_folder_is_moved_aside(void **state)
{
	(void)state;
	assert_int_equal(mkdir(NCG_PINS_DIR, 0755), 0);
	assert_int_equal(mkdir(NCG_PINS_MAPS_DIR, 0755), 0);
	assert_int_equal(chown(NCG_PINS_DIR, NOBODY, NOBODY), 0);
	assert_int_equal(try_pins(), 0);
	assert_owned(NCG_PINS_DIR);
	assert_owned(NCG_PINS_MAPS_DIR);
	assert_owned(NCG_PINS_LINKS_DIR);
	assert_int_equal(rmdir(ASIDE "/maps"), 0);
	assert_int_equal(rmdir(ASIDE), 0);
}

static void a_folder_that_others_can_change_is_refused(void **state)
{
	const mode_t loose[] = { 0777, 0770, 0702 };

	(void)state;
	for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++) {
		ncg_pins_close(open_pins(build_a));
		assert_int_equal(chmod(NCG_PINS_DIR, loose[i]), 0);
		assert_int_equal(try_pins(), -EPERM);
		assert_int_equal(chmod(NCG_PINS_DIR, 0755), 0);
		assert_int_equal(try_pins(), 0);
		assert_int_equal(chmod(NCG_PINS_LINKS_DIR, loose[i]), 0);
		assert_int_equal(try_pins(), -EPERM);
		assert_int_equal(ncg_pins_remove(), 0);
	}
}

static void a_link_in_its_place_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir("/sys/fs/bpf/elsewhere", 0700), 0);
	assert_int_equal(symlink("elsewhere", NCG_PINS_DIR), 0);
	assert_true(try_pins() < 0);
	assert_int_equal(access("/sys/fs/bpf/elsewhere/maps", F_OK), -1);
	assert_int_equal(unlink(NCG_PINS_DIR), 0);
	assert_int_equal(rmdir("/sys/fs/bpf/elsewhere"), 0);
}

static void links_of_unknown_names_are_swept(void **state)
{
	const char *const names[] = { "kept", "absent" };
	struct ncg_pins *pins = open_pins(build_a);

	(void)state;
	pin_something(NCG_PINS_LINKS_DIR "/kept");
	pin_something(NCG_PINS_LINKS_DIR "/kept_new");
	pin_something(NCG_PINS_LINKS_DIR "/of_old");
	assert_int_equal(ncg_pins_sweep_links(names, 2), 2);
	assert_int_equal(access(NCG_PINS_LINKS_DIR "/kept", F_OK), 0);
	assert_int_equal(access(NCG_PINS_LINKS_DIR "/of_old", F_OK), -1);
	assert_int_equal(ncg_pins_sweep_links(names, 2), 0);
	ncg_pins_close(pins);
}

/* --------------------------------------------------------------------- programs */

static struct ncg_programs *open_programs(void)
{
	struct ncg_programs *programs;

	assert_int_equal(ncg_programs_open(&programs), 0);
	return programs;
}

static void maps_are_pinned_and_kept(void **state)
{
	static const char *const names[] = { "policy", "events", "sequences", "counters", "bars",
					     "regions", "opened", "vm_ids", "uses", "recorded",
					     "vm_notes", "decided" };
	struct ncg_programs *programs = open_programs();
	__u64 count = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(ncg_programs_map(programs, names[i]) >= 0);
	assert_int_equal(ncg_programs_map(programs, "none"), -ENOENT);
	assert_int_equal(ncg_programs_before_gate(programs, &count), -ENODATA);
	assert_int_equal(ncg_programs_note_before_gate(programs, 5), 0);
	assert_int_equal(ncg_programs_grade(programs), NCG_GRADE_NONE);
	assert_false(ncg_programs_decide(programs));
	assert_false(ncg_programs_outlive(programs));
	ncg_programs_close(programs);

	programs = open_programs();
	assert_int_equal(ncg_programs_before_gate(programs, &count), 0);
	assert_int_equal(count, 5);
	ncg_programs_close(programs);
}

static void counters_are_summed_over_cpus(void **state)
{
	struct ncg_programs *programs = open_programs();
	__u64 sums[NCG_CTR_NR];
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	__u64 *values = calloc(cpus + 64, sizeof(*values));
	__u32 key = NCG_CTR_VMS_CREATED;

	(void)state;
	values[0] = 3;
	values[cpus - 1] += 4;
	assert_int_equal(bpf_map_update_elem(ncg_programs_map(programs, "counters"), &key, values,
					     BPF_ANY), 0);
	assert_int_equal(ncg_programs_counters(programs, sums), 0);
	assert_int_equal(sums[NCG_CTR_VMS_CREATED], 7);
	assert_int_equal(sums[NCG_CTR_VMS_DESTROYED], 0);
	free(values);
	ncg_programs_close(programs);
}

/* A module as sysfs shows it; another one at each call, as another load is. */
static void load_core(const char *initstate)
{
	FILE *file;

	assert_int_equal(mkdir(CORE, 0755), 0);
	file = fopen(CORE "/initstate", "w");
	assert_non_null(file);
	fputs(initstate, file);
	fclose(file);
}

static void unload_core(void)
{
	assert_int_equal(unlink(CORE "/initstate"), 0);
	assert_int_equal(rmdir(CORE), 0);
}

static const struct ncg_program_status *hook_after_attach(struct ncg_programs *programs)
{
	ncg_programs_attach(programs);
	return ncg_programs_status(programs, NCG_PROGRAM_DECIDE_HOOK);
}

static void a_program_waits_for_its_module(void **state)
{
	struct ncg_programs *programs = open_programs();
	const struct ncg_program_status *hook;

	(void)state;
	hook = hook_after_attach(programs);
	assert_int_equal(hook->state, NCG_PROGRAM_WAITING);
	assert_int_equal(hook->error, -ENOENT);
	/* There is no function to attach to before the module is ready. */
	load_core("coming\n");
	assert_int_equal(hook_after_attach(programs)->state, NCG_PROGRAM_WAITING);
	unload_core();
	load_core("live\n");
	hook = hook_after_attach(programs);
	assert_int_equal(hook->state, NCG_PROGRAM_FAILED);
	assert_true(hook->error < 0);
	unload_core();
	assert_int_equal(hook_after_attach(programs)->state, NCG_PROGRAM_WAITING);
	ncg_programs_close(programs);
}

/* ncg_programs_attach() says whether a state changed: a retry goes through WAITING. */
static void what_failed_is_tried_again_when_asked(void **state)
{
	struct ncg_programs *programs = open_programs();

	(void)state;
	load_core("live\n");
	assert_true(ncg_programs_attach(programs));
	assert_false(ncg_programs_attach(programs));
	ncg_programs_retry(programs);
	assert_int_equal(ncg_programs_status(programs, NCG_PROGRAM_DECIDE_HOOK)->state,
			 NCG_PROGRAM_WAITING);
	assert_true(ncg_programs_attach(programs));
	assert_int_equal(ncg_programs_status(programs, NCG_PROGRAM_DECIDE_HOOK)->state,
			 NCG_PROGRAM_FAILED);
	unload_core();
	ncg_programs_close(programs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_daemon_at_a_time, fresh),
		cmocka_unit_test_setup(removed_only_without_a_daemon, fresh),
		cmocka_unit_test_setup(a_build_counts_once_it_is_noted, fresh),
		cmocka_unit_test_setup(what_has_another_layout_is_refused, fresh),
		cmocka_unit_test_setup(another_users_folder_is_moved_aside, fresh),
		cmocka_unit_test_setup(a_folder_that_others_can_change_is_refused, fresh),
		cmocka_unit_test_setup(a_link_in_its_place_is_refused, fresh),
		cmocka_unit_test_setup(links_of_unknown_names_are_swept, fresh),
		cmocka_unit_test_setup(maps_are_pinned_and_kept, fresh),
		cmocka_unit_test_setup(counters_are_summed_over_cpus, fresh),
		cmocka_unit_test_setup(a_program_waits_for_its_module, fresh),
		cmocka_unit_test_setup(what_failed_is_tried_again_when_asked, fresh),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
