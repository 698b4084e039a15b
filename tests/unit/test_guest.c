// SPDX-License-Identifier: GPL-2.0-only
/*
 * The identity of a guest's process: from a /proc made for the test, and from
 * the real one, with processes that end while they are read.
 */
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
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
#include "guest_cache.h"

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
	assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), 0);
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
		assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), 0);
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
		assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), -EBADMSG);
	}
	add_text("stat", "4711 (a)" STAT_REST);
	add_text("status", "Name:\ta\nGid:\t1\n");
	assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), -EBADMSG);
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
	assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), 0);
	assert_string_equal(g.vmm, "");
	assert_string_equal(g.name, "");
	assert_string_equal(g.uuid, "");
	assert_string_equal(g.cgroup, "");
	ncg_guest_done(&g);

	drop("status");
	assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), -ESRCH);
	drop("stat");
	assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), -ESRCH);
	assert_int_equal(ncg_guest_read(root, 4712, NULL, &g), -ESRCH);
	assert_int_equal(ncg_guest_read(root, 0, NULL, &g), -ESRCH);
	assert_int_equal(ncg_guest_read(root, -1, NULL, &g), -ESRCH);
}

#define LINE(text) { text, sizeof(text) - 1 }
#define UUID "00000000-1111-4222-8333-444444444444"

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
		/* as Proxmox VE starts QEMU */
		{ LINE("/usr/bin/kvm\0-id\0" "100\0-name\0vm-a,debug-threads=on\0-daemonize\0"
		       "-smbios\0type=1,uuid=" UUID "\0-device\0vfio-pci,host=0000:41:00.0\0"),
		  "vm-a", UUID },
		{ LINE("q\0-smbios\0uuid=" UUID ",manufacturer=a,,b,type=1\0"), "", UUID },
		{ LINE("q\0-smbios\0type=1,serial=x,,uuid=" UUID "\0"), "", "" },
		{ LINE("q\0-smbios\0type=2,uuid=" UUID "\0"), "", "" }, /* the board's table */
		{ LINE("q\0-smbios\0uuid=" UUID "\0"), "", "" },
		{ LINE("q\0-uuid\0" UUID "\0-smbios\0type=1,serial=1\0"), "", UUID },
		/* cloud-hypervisor */
		{ LINE("cloud-hypervisor\0--api-socket\0/run/ch/a.sock\0--platform\0"
		       "num_pci_segments=2,uuid=" UUID "\0--device\0"
		       "path=/sys/bus/pci/devices/0000:41:00.0/\0"), "a", UUID },
		{ LINE("c\0--api-socket=path=/run/b-socket,x=y\0--platform=uuid=" UUID "\0"), "b",
		  UUID },
		{ LINE("c\0--api-socket\0fd=3\0--platform\0oem_strings=[a]\0"), "", "" },
		{ LINE("c\0--api-socket\0/run/c.socket\0-name\0n\0"), "n", "" },
		/* what could make a terminal or a log lie */
		{ LINE("q\0-name\0a\033[2J\nb\xff\0"), "a\\x1b[2J\\x0a" "b\xef\xbf\xbd", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ncg_autoguest struct ncg_guest g = { 0 };

		add_bytes("cmdline", rows[i].line.bytes, rows[i].line.size);
		assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), 0);
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
		assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), 0);
		assert_string_equal(g.vmm, exes[i].vmm);
	}
	for (i = 0; i < ARRAY_SIZE(cgroups); i++) {
		ncg_autoguest struct ncg_guest g = { 0 };

		add_text("cgroup", cgroups[i].text);
		assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), 0);
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
	assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), 0);
	assert_string_equal(g.name, "far");
	ncg_guest_done(&g);

	/* What lies beyond the bound is not read, and does no harm. */
	memset(line + early, 'x', 11);
	memcpy(line + sizeof(line) - 100, "\0-name\0far", 11);
	add_bytes("cmdline", line, sizeof(line));
	assert_int_equal(ncg_guest_read(root, 4711, NULL, &g), 0);
	assert_string_equal(g.name, "");
}

/* A value is looked at up to its bound, whatever comes after, and a name is cut. */
static void long_values(void **state)
{
	static char line[200000];
	const size_t begin = 8;
	char wanted[NCG_TEXT_NAME_LEN];
	struct ncg_guest_claims claims;

	(void)state;
	/* Parts without end: what the first and the last within the bound say counts. */
	memcpy(line, "q\0-name\0", begin);
	for (size_t i = begin; i < sizeof(line); i += 2)
		memcpy(line + i, "a,", 2);
	memcpy(line + begin + NCG_GUEST_VALUE_MAX - 9, ",guest=in,", 10);
	memcpy(line + sizeof(line) - 12, ",guest=out,b", 12);
	ncg_guest_parse_command_line(line, sizeof(line), &claims);
	assert_string_equal(claims.name, "in");

	memset(line + begin, 'n', sizeof(line) - begin);
	ncg_guest_parse_command_line(line, sizeof(line), &claims);
	memset(wanted, 'n', 252);
	strcpy(wanted + 252, "\xe2\x80\xa6");
	assert_string_equal(claims.name, wanted);

	/* What follows a long value is read. */
	memcpy(line + sizeof(line) - 45, "\0-uuid\0" UUID, 44);
	line[sizeof(line) - 1] = '\0';
	ncg_guest_parse_command_line(line, sizeof(line), &claims);
	assert_string_equal(claims.uuid, UUID);
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
	assert_int_equal(ncg_guest_read(NULL, getpid(), NULL, &g), 0);
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

		err = ncg_guest_read(NULL, victim, NULL, &g);
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

/* ------------------------------------------------------------ real processes */

static void wait_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* This program again, as one of the helpers below; what it reads comes from ret_pipe. */
static pid_t start_helper(const char *helper, const char *name, int *ret_pipe)
{
	int pipes[2];
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipes[0], 0);
		close(pipes[0]);
		close(pipes[1]);
		execl("/proc/self/exe", "vmm", helper, "-name", name, "-uuid", UUID, NULL);
		_exit(1);
	}
	close(pipes[0]);
	*ret_pipe = pipes[1];
	return pid;
}

static void end_helper(pid_t pid, int pipe)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pipe);
}

static void *live_on(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int helper(char **argv)
{
	pthread_t thread;
	char byte;

	if (!strcmp(argv[1], "helper-thread")) {
		/* The first thread ends; the process lives by the other. */
		if (pthread_create(&thread, NULL, live_on, NULL))
			return 1;
		pthread_exit(NULL);
	}
	/* helper-exec: another command line in the same process, once it is told to. */
	while (read(0, &byte, 1) == 1)
		execl("/proc/self/exe", "vmm", "helper-exec", "-name", "another", NULL);
	return 1;
}

/* Reads until the guest has that name. */
static void wait_for_name(pid_t pid, struct ncg_guest_cache *cache, const char *name)
{
	bool found = false;

	for (int i = 0; i < 10000 && !found; i++) {
		ncg_autoguest struct ncg_guest g = { 0 };

		assert_int_equal(ncg_guest_read(NULL, pid, cache, &g), 0);
		found = !strcmp(g.name, name);
		if (!found)
			wait_a_little();
	}
	assert_true(found);
}

static void a_first_thread_that_ended(void **state)
{
	ncg_autoguest struct ncg_guest g = { 0 }, self = { 0 };
	char path[64], text[512] = "";
	int pipe;
	pid_t pid = start_helper("helper-thread", "headless", &pipe);

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0; i < 10000 && !strstr(text, ") Z "); i++) {
		FILE *file = fopen(path, "r");

		assert_non_null(file);
		assert_non_null(fgets(text, sizeof(text), file));
		fclose(file);
		wait_a_little();
	}
	assert_non_null(strstr(text, ") Z "));
	assert_int_equal(ncg_guest_read(NULL, pid, NULL, &g), 0);
	assert_int_equal(ncg_guest_read(NULL, getpid(), NULL, &self), 0);
	assert_false(g.ended);
	assert_string_equal(g.name, "headless");
	assert_string_equal(g.uuid, UUID);
	assert_string_equal(g.vmm, self.vmm);
	assert_string_equal(g.cgroup, self.cgroup);
	end_helper(pid, pipe);
}

static void a_process_that_ended(void **state)
{
	ncg_autoguest struct ncg_guest g = { 0 };
	siginfo_t info;
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		_exit(0);
	assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(ncg_guest_read(NULL, pid, NULL, &g), 0);
	assert_true(g.ended);
	assert_string_equal(g.vmm, "");
	assert_string_equal(g.name, "");
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* Command lines are read once, until there is another. */
static void kept_from_look_to_look(void **state)
{
	ncg_autoguestcache struct ncg_guest_cache *cache = NULL;
	int pipe;
	pid_t pid = start_helper("helper-exec", "first", &pipe);

	(void)state;
	assert_int_equal(ncg_guest_cache_new(&cache), 0);
	wait_for_name(pid, cache, "first");
	for (int i = 0; i < 100; i++) {
		ncg_autoguest struct ncg_guest g = { 0 };
		uint64_t notes = ncg_guest_cache_notes(cache);

		assert_int_equal(ncg_guest_read(NULL, pid, cache, &g), 0);
		assert_string_equal(g.name, "first");
		assert_string_equal(g.uuid, UUID);
		assert_int_equal(ncg_guest_cache_notes(cache), notes);
	}
	/* exec keeps number and start time, and may keep the executable. */
	assert_int_equal(write(pipe, "", 1), 1);
	wait_for_name(pid, cache, "another");
	end_helper(pid, pipe);
}

/* What may change at any time is read each time, and a number that is used again is told. */
static void not_kept(void **state)
{
	ncg_autoguestcache struct ncg_guest_cache *cache = NULL;
	ncg_autoguest struct ncg_guest g = { 0 };

	(void)state;
	assert_int_equal(ncg_guest_cache_new(&cache), 0);
	assert_int_equal(ncg_guest_read(root, 4711, cache, &g), 0);
	assert_string_equal(g.name, "web,1");
	ncg_guest_done(&g);

	add_text("cgroup", "0::/moved.slice\n");
	add_text("status", "Name:\tq\nUid:\t7\t7\t7\t7\n");
	add_bytes("cmdline", "q\0-name\0new\0", 12);
	assert_int_equal(ncg_guest_read(root, 4711, cache, &g), 0);
	assert_string_equal(g.cgroup, "/moved.slice");
	assert_int_equal(g.uid, 7);
	assert_string_equal(g.name, "web,1"); /* kept */
	assert_int_equal(ncg_guest_cache_notes(cache), 1);
	ncg_guest_done(&g);

	set_exe("/usr/bin/another");
	assert_int_equal(ncg_guest_read(root, 4711, cache, &g), 0);
	assert_string_equal(g.vmm, "another");
	assert_string_equal(g.name, "new");
	assert_string_equal(g.uuid, "");
	assert_int_equal(ncg_guest_cache_notes(cache), 2);
	ncg_guest_done(&g);

	add_bytes("cmdline", "q\0-name\0other\0", 14);
	add_text("stat", "4711 (q) S 1 4711 4711 0 -1 1 1 0 12 0 3001 402 0 0 20 0 6 0 987654322\n");
	assert_int_equal(ncg_guest_read(root, 4711, cache, &g), 0);
	assert_string_equal(g.name, "other");
	assert_int_equal(ncg_guest_cache_notes(cache), 3);
}

/* By stack or arguments elsewhere: the same executable was executed anew. */
static void executed_anew(void **state)
{
#define STAT_UP_TO_STACK(stack)                                                              \
	"4711 (q) S 1 4711 4711 0 -1 1 1 0 12 0 3001 402 0 0 20 0 6 0 987654321 1 1 1 1 1 " stack
#define STAT_ARGS(begin, end) " 0 0 0 0 0 0 0 0 17 3 0 0 0 0 0 0 1 1 1 " begin " " end " 1 1 0\n"
	static const char *const stats[] = {
		STAT_UP_TO_STACK("1000") STAT_ARGS("1100", "1200"),
		STAT_UP_TO_STACK("2000") STAT_ARGS("1100", "1200"),
		STAT_UP_TO_STACK("2000") STAT_ARGS("1101", "1200"),
		STAT_UP_TO_STACK("2000") STAT_ARGS("1101", "1201"),
	};
	ncg_autoguestcache struct ncg_guest_cache *cache = NULL;
	struct ncg_guest_stat stat;

	(void)state;
	assert_int_equal(ncg_guest_parse_stat(stats[0], strlen(stats[0]), &stat), 0);
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.start_ticks, 987654321);
	assert_int_equal(stat.start_stack, 1000);
	assert_int_equal(stat.arg_start, 1100);
	assert_int_equal(stat.arg_end, 1200);
	assert_int_equal(ncg_guest_cache_new(&cache), 0);
	for (size_t i = 0; i < ARRAY_SIZE(stats); i++) {
		ncg_autoguest struct ncg_guest g = { 0 };

		add_text("stat", stats[i]);
		assert_int_equal(ncg_guest_read(root, 4711, cache, &g), 0);
		assert_int_equal(ncg_guest_cache_notes(cache), i + 1);
	}
}

/* By the names that kubelet gives, with either of its cgroup drivers. */
static void pods(void **state)
{
#define UID "01234567-89ab-cdef-0123-456789abcdef"
#define UID_ "01234567_89ab_cdef_0123_456789abcdef"
#define MIRROR "0123456789abcdef0123456789abcdef"
#define HEX MIRROR MIRROR
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
		/* with --cgroup-root, and in a node that is a container */
		{ "/pods.slice/pods-kubepods.slice/pods-kubepods-pod" UID_ ".slice/crio-f00.scope",
		  UID },
		{ "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
		  "kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-f00.scope", UID },
		{ "/system.slice/docker-" HEX ".scope/kubelet.slice/kubelet-kubepods.slice/"
		  "kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" UID_ ".slice",
		  UID },
		{ "/docker/" HEX "/kubelet/kubepods/besteffort/pod" UID "/f00", UID },
		{ "/machine.slice/libpod-" HEX ".scope/kubepods.slice/kubepods-pod" UID_ ".slice",
		  UID },
		/* the pod of a node that is itself in a pod */
		{ "/kubepods/pod" UID "/f00/kubelet/kubepods/pod" MIRROR, UID },
		/* made by whoever got the cgroup above */
		{ "/user.slice/user-1000.slice/user@1000.service/kubepods/pod" UID, "" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/kubepods.slice/"
		  "kubepods-pod" UID_ ".slice", "" },
		{ "/user.slice/kubepods.slice/kubepods-pod" UID_ ".slice", "" },
		{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" HEX
		  ".scope/kubepods/pod" UID, "" },
		{ "/system.slice/mine.service/kubepods/pod" UID, "" },
		{ "/system.slice/mine.service/docker/" HEX "/kubepods/pod" UID, "" },
		{ "/somebodys/kubepods/pod" UID, "" },
		{ "/machine.slice/docker-zz.scope/kubepods/pod" UID, "" },
		/* not as kubelet has them */
		{ "/kubepods/mine/pod" UID, "" },
		{ "/kubepods/burstable/mine/pod" UID, "" },
		{ "/kubepods.slice/other-pod" UID_ ".slice", "" },
		{ "/kubepods.slice/kubepods-pod" UID_, "" },
		{ "/kubepodsx/pod" UID, "" },
		{ "/xkubepods.slice/xkubepods-pod" UID_ ".slice", "" },
		{ "/kubepods/burstable", "" },
		{ "/kubepods", "" },
		{ "/kubepods.slice/kubepods-.slice", "" },
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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_qemu_guest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(commands_that_look_like_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_that_cannot_be_understood, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_that_are_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(command_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(executables_and_cgroups, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_command_lines, set_up, tear_down),
		cmocka_unit_test(long_values),
		cmocka_unit_test(a_first_thread_that_ended),
		cmocka_unit_test(a_process_that_ended),
		cmocka_unit_test(kept_from_look_to_look),
		cmocka_unit_test_setup_teardown(not_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(executed_anew, set_up, tear_down),
		cmocka_unit_test(pods),
		cmocka_unit_test(ids_and_ticks),
		cmocka_unit_test(this_process),
		cmocka_unit_test(processes_that_end),
	};

	if (argc > 1)
		return helper(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
