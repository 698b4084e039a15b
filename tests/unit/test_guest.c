// SPDX-License-Identifier: GPL-2.0-only
/*
 * The identity of a guest's process: from a /proc made for the test, and from
 * the real one, with processes that end while they are read.
 */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static char root[64];

static void add_bytes(const char *name, const char *bytes, size_t size)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/4711/%s", root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void add_text(const char *name, const char *text)
{
	add_bytes(name, text, strlen(text));
}

static void drop(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/4711/%s", root, name);
	assert_int_equal(remove(path), 0);
}

static void set_exe(const char *target)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/4711/exe", root);
	remove(path);
	assert_int_equal(symlink(target, path), 0);
}

/* Fields from the third on; the 22nd is 987654321. */
#define STAT_REST                                                                          \
	" S 1 4711 4711 0 -1 1077936384 12345 0 12 0 3001 402 0 0 20 0 6 0 987654321 " \
	"5321523200 131072 18446744073709551615 1 1 0 0 0 0 0 4096 81920 0 0 0 17 3 0 0\n"

#define STATUS(name)                       \
	"Name:\t" name "\nUmask:\t0002\n"  \
	"State:\tS (sleeping)\nTgid:\t4711\nNgid:\t0\nPid:\t4711\nPPid:\t1\nTracerPid:\t0\n" \
	"Uid:\t64055\t64056\t64057\t64058\nGid:\t108\t108\t108\t108\n"

static const char qemu_arguments[] =
	"/usr/bin/qemu-system-aarch64\0-name\0guest=web,,1,debug-threads=on\0-S\0"
	"-machine\0virt,accel=kvm\0-uuid\0"
	"0A1B2C3D-4e5f-6789-abcd-ef0123456789\0-m\0size=1024k\0";

static int set_up(void **state)
{
	char path[512];

	(void)state;
	strcpy(root, "/tmp/ncgate-test-guest.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof(path), "%s/4711", root);
	if (mkdir(path, 0755))
		return -1;
	add_text("stat", "4711 (qemu-system-aar)" STAT_REST);
	add_text("status", STATUS("qemu-system-aar"));
	add_text("cgroup", "1:name=systemd:/old\n0::/machine.slice/vm.scope\n");
	add_bytes("cmdline", qemu_arguments, sizeof(qemu_arguments) - 1);
	set_exe("/usr/bin/qemu-system-aarch64");
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

static void a_qemu_guest(void **state)
{
	ncg_autoguest struct ncg_guest g = { 0 };

	(void)state;
	assert_int_equal(ncg_guest_read(root, 4711, &g), 0);
	assert_string_equal(g.id, "4711-987654321");
	assert_int_equal(g.pid, 4711);
	assert_int_equal(g.uid, 64055);
	assert_int_equal(g.start_ticks, 987654321);
	assert_string_equal(g.vmm, "qemu-system-aarch64");
	assert_string_equal(g.name, "web,1");
	assert_string_equal(g.uuid, "0a1b2c3d-4e5f-6789-abcd-ef0123456789");
	assert_string_equal(g.cgroup, "/machine.slice/vm.scope");

	ncg_guest_done(&g);
	assert_null(g.name);
	ncg_guest_done(&g);
}

static void commands_that_look_like_fields(void **state)
{
	static const char *const stats[] = {
		"4711 (a) S 1 2 3 4)" STAT_REST,
		"4711 ()" STAT_REST,
		"4711 (:-) \n ())" STAT_REST,
		"4711 (x y z)" STAT_REST,
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(stats); i++) {
		ncg_autoguest struct ncg_guest g = { 0 };

		add_text("stat", stats[i]);
		add_text("status", STATUS("Uid:\\n 0"));
		assert_int_equal(ncg_guest_read(root, 4711, &g), 0);
		assert_int_equal(g.start_ticks, 987654321);
		assert_int_equal(g.uid, 64055);
	}
}

static void files_that_cannot_be_understood(void **state)
{
	static const char *const stats[] = {
		"",
		"4711",
		"4711 (a",
		"4711 (a) S 1 2 3",
		"4711 (a) S 1 4711 4711 0 -1 1 1 0 12 0 3001 402 0 0 20 0 6 0 -5 1\n",
		"4711 (a) S 1 4711 4711 0 -1 1 1 0 12 0 3001 402 0 0 20 0 6 0 x 1\n",
		"4711 (a) S 1 4711 4711 0 -1 1 1 0 12 0 3001 402 0 0 20 0 6 0 12x 1\n",
		"4711 (a) S 1 4711 4711 0 -1 1 1 0 1 0 3 4 0 0 20 0 6 0 18446744073709551616\n",
		"4711 (a) S 1 4711 4711 0 -1 1 1 0 12 0 3001 402 0 0 20 0 6 0\n",
	};
	struct ncg_guest g = { .pid = 1 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(stats); i++) {
		add_text("stat", stats[i]);
		assert_int_equal(ncg_guest_read(root, 4711, &g), -EBADMSG);
	}
	add_text("stat", "4711 (a)" STAT_REST);
	add_text("status", "Name:\ta\nGid:\t1\n");
	assert_int_equal(ncg_guest_read(root, 4711, &g), -EBADMSG);
	assert_int_equal(g.pid, 1); /* untouched */
	assert_null(g.name);
}

static void files_that_are_missing(void **state)
{
	ncg_autoguest struct ncg_guest g = { 0 };

	(void)state;
	drop("exe");
	drop("cmdline");
	drop("cgroup");
	assert_int_equal(ncg_guest_read(root, 4711, &g), 0);
	assert_string_equal(g.vmm, "");
	assert_string_equal(g.name, "");
	assert_string_equal(g.uuid, "");
	assert_string_equal(g.cgroup, "");
	ncg_guest_done(&g);

	drop("status");
	assert_int_equal(ncg_guest_read(root, 4711, &g), -ESRCH);
	drop("stat");
	assert_int_equal(ncg_guest_read(root, 4711, &g), -ESRCH);
	assert_int_equal(ncg_guest_read(root, 4712, &g), -ESRCH);
	assert_int_equal(ncg_guest_read(root, 0, &g), -ESRCH);
	assert_int_equal(ncg_guest_read(root, -1, &g), -ESRCH);
}

#define LINE(text) { text, sizeof(text) - 1 }

static void command_lines(void **state)
{
	static const struct {
		struct {
			const char *bytes;
			size_t size;
		} line;
		const char *name, *uuid;
	} rows[] = {
		{ LINE(""), "", "" },
		{ LINE("q\0"), "", "" },
		{ LINE("q\0-name\0plain\0"), "plain", "" },
		{ LINE("q\0--name\0plain\0"), "plain", "" },
		{ LINE("q\0-name\0plain,process=p\0"), "plain", "" },
		{ LINE("q\0-name\0guest=g\0"), "g", "" },
		{ LINE("q\0-name\0debug-threads=on,guest=g\0"), "g", "" },
		{ LINE("q\0-name\0process=p,guest=g h\0"), "g h", "" },
		{ LINE("q\0-name\0guest=a,guest=b\0"), "b", "" },
		{ LINE("q\0-name\0guest=a=b\0"), "a=b", "" },
		{ LINE("q\0-name\0guest=a,,b,,\0"), "a,b,", "" },
		{ LINE("q\0-name\0guest=a,\0"), "a", "" },
		{ LINE("q\0-name\0,,\0"), ",", "" },
		{ LINE("q\0-name\0guest=\0"), "", "" },
		{ LINE("q\0-name\0debug-threads=on\0"), "", "" },
		{ LINE("q\0-name\0debug-threads=on,stray\0"), "", "" },
		{ LINE("q\0-name\0name=n\0"), "n", "" },
		{ LINE("lkvm\0run\0--name=n\0"), "n", "" },
		{ LINE("lkvm\0run\0--name\0n\0"), "n", "" },
		/* the last counts; one that says nothing changes nothing */
		{ LINE("q\0-name\0a\0-name\0b\0"), "b", "" },
		{ LINE("q\0-name\0a\0-name\0process=p\0"), "a", "" },
		/* not the option, though it begins like it */
		{ LINE("q\0-names\0x\0-namespace=y\0name\0z\0"), "", "" },
		/* the option is the last argument */
		{ LINE("q\0-name\0"), "", "" },
		{ LINE("q\0-uuid"), "", "" },
		{ LINE("q\0-name\0a"), "a", "" }, /* cut off: no NUL at the end */
		/* a value is not an option */
		{ LINE("q\0-name\0-uuid\0-name\0b\0"), "b", "" },
		{ LINE("q\0-name\0-uuid\0"
		       "12345678-1234-1234-1234-123456789abc\0"), "-uuid", "" },
		{ LINE("q\0-uuid\0" "12345678-1234-1234-1234-123456789ABC\0"), "",
		  "12345678-1234-1234-1234-123456789abc" },
		{ LINE("q\0-uuid\0" "12345678-1234-1234-1234-123456789ab\0"), "", "" },
		{ LINE("q\0-uuid\0" "12345678-1234-1234-1234-123456789abg\0"), "", "" },
		{ LINE("q\0-uuid\0" "12345678x1234-1234-1234-123456789abc\0"), "", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ncg_autoguest struct ncg_guest g = { 0 };

		add_bytes("cmdline", rows[i].line.bytes, rows[i].line.size);
		assert_int_equal(ncg_guest_read(root, 4711, &g), 0);
		assert_string_equal(g.name, rows[i].name);
		assert_string_equal(g.uuid, rows[i].uuid);
	}
}

static void executables_and_cgroups(void **state)
{
	static const struct {
		const char *exe, *vmm;
	} exes[] = {
		{ "/usr/bin/qemu-kvm", "qemu-kvm" },
		{ "/usr/bin/qemu-kvm (deleted)", "qemu-kvm" },
		{ "/opt/my vmm/cloud-hypervisor", "cloud-hypervisor" },
		{ "plain", "plain" },
	};
	static const struct {
		const char *text, *path;
	} cgroups[] = {
		{ "0::/\n", "/" },
		{ "0::/a b/c:d\n", "/a b/c:d" },
		{ "0::/a", "/a" },
		{ "10::/no\n0::/yes\n", "/yes" },
		{ "2:cpu:/v1\n1:name=systemd:/v1\n", "" },
		{ "", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(exes); i++) {
		ncg_autoguest struct ncg_guest g = { 0 };

		set_exe(exes[i].exe);
		assert_int_equal(ncg_guest_read(root, 4711, &g), 0);
		assert_string_equal(g.vmm, exes[i].vmm);
	}
	for (i = 0; i < ARRAY_SIZE(cgroups); i++) {
		ncg_autoguest struct ncg_guest g = { 0 };

		add_text("cgroup", cgroups[i].text);
		assert_int_equal(ncg_guest_read(root, 4711, &g), 0);
		assert_string_equal(g.cgroup, cgroups[i].path);
	}
}

static void long_command_lines(void **state)
{
	static char line[3 << 20];
	size_t early = 100000, at;
	ncg_autoguest struct ncg_guest g = { 0 };

	(void)state;
	memset(line, 'x', sizeof(line));
	for (at = 10; at < sizeof(line); at += 1000)
		line[at] = '\0';
	memcpy(line + early, "\0-name\0far", 11);
	add_bytes("cmdline", line, sizeof(line));
	assert_int_equal(ncg_guest_read(root, 4711, &g), 0);
	assert_string_equal(g.name, "far");
	ncg_guest_done(&g);

	/* What lies beyond the bound is not read, and does no harm. */
	memset(line + early, 'x', 11);
	memcpy(line + sizeof(line) - 100, "\0-name\0far", 11);
	add_bytes("cmdline", line, sizeof(line));
	assert_int_equal(ncg_guest_read(root, 4711, &g), 0);
	assert_string_equal(g.name, "");
}

static void ids_and_ticks(void **state)
{
	char id[NCG_GUEST_ID_LEN];

	(void)state;
	/* USER_HZ is 100 on every architecture of interest: 10 ms. */
	assert_int_equal(ncg_guest_ticks(0), 0);
	assert_int_equal(ncg_guest_ticks(9999999), 0);
	assert_int_equal(ncg_guest_ticks(10000000), 1);
	assert_int_equal(ncg_guest_ticks(9876543219999999), 987654321);
	ncg_guest_format_id(4711, 987654321, id);
	assert_string_equal(id, "4711-987654321");
	ncg_guest_format_id(4194304, UINT64_MAX, id);
	assert_string_equal(id, "4194304-18446744073709551615");
}

static void this_process(void **state)
{
	ncg_autoguest struct ncg_guest g = { 0 };
	struct timespec now;
	uint64_t ticks;

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, "a) S 1 (b"), 0);
	assert_int_equal(ncg_guest_read(NULL, getpid(), &g), 0);
	assert_int_equal(g.pid, getpid());
	assert_int_equal(g.uid, getuid());
	assert_string_equal(g.vmm, program_invocation_short_name);

	/* It started in the last hour, and not in the future. */
	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
	ticks = ncg_guest_ticks(now.tv_sec * UINT64_C(1000000000) + now.tv_nsec);
	assert_true(g.start_ticks <= ticks);
	assert_true(g.start_ticks + 360000 >= ticks);
}

/*
 * The reader runs in a child of its own; this process, the parent of the victim,
 * kills and reaps it at a moment that moves through the time of reading. What is
 * read is whole, and at last -ESRCH, never another error. The reader's exit status
 * is 0, or says which of its checks failed.
 */
static int read_in_a_loop(pid_t victim, int ready)
{
	int err;

	if (write(ready, "", 1) != 1)
		return 2;
	do {
		ncg_autoguest struct ncg_guest g = { 0 };

		err = ncg_guest_read(NULL, victim, &g);
		if (!err && (g.pid != victim || !g.vmm || !g.name || !g.uuid || !g.cgroup))
			return 3;
	} while (!err);
	return err == -ESRCH ? 0 : 4;
}

static void processes_that_end(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		struct timespec moment = { .tv_nsec = 20000 + i * 3000 };
		pid_t victim, reader;
		int pipes[2], status;
		char byte;

		victim = fork();
		assert_true(victim >= 0);
		if (!victim) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		assert_int_equal(pipe(pipes), 0);
		reader = fork();
		assert_true(reader >= 0);
		if (!reader)
			_exit(read_in_a_loop(victim, pipes[1]));
		assert_int_equal(read(pipes[0], &byte, 1), 1);
		nanosleep(&moment, NULL);
		assert_int_equal(kill(victim, SIGKILL), 0);
		assert_int_equal(waitpid(victim, &status, 0), victim);
		assert_int_equal(waitpid(reader, &status, 0), reader);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		close(pipes[0]);
		close(pipes[1]);
	}
}

/* By the names that kubelet gives, with either of its cgroup drivers. */
static void pods(void **state)
{
#define UID "01234567-89ab-cdef-0123-456789abcdef"
#define UID_ "01234567_89ab_cdef_0123_456789abcdef"
#define MIRROR "0123456789abcdef0123456789abcdef"
	static const struct {
		const char *cgroup;
		const char *pod;
	} cases[] = {
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
		  ".slice/cri-containerd-f00.scope", UID },
		{ "/kubepods.slice/kubepods-pod" UID_ ".slice", UID },
		{ "/kubelet.slice/kubelet-kubepods.slice/x", "" },
		{ "/kubepods/burstable/pod" UID "/f00", UID },
		{ "/kubepods/pod" MIRROR "/f00", MIRROR },
		{ "/machine.slice/pod" UID, "" },
		{ "/kubepods/podcast", "" },
		{ "/kubepods/pod" UID "0/f00", "" },
		{ "/machine.slice/machine-qemu.scope", "" },
		{ "/", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *pod = ncg_guest_pod(cases[i].cgroup);

		assert_string_equal(pod, cases[i].pod);
		free(pod);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_qemu_guest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(commands_that_look_like_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_that_cannot_be_understood, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_that_are_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(command_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(executables_and_cgroups, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_command_lines, set_up, tear_down),
		cmocka_unit_test(pods),
		cmocka_unit_test(ids_and_ticks),
		cmocka_unit_test(this_process),
		cmocka_unit_test(processes_that_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
