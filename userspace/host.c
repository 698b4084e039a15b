// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "cleanup.h"
#include "text_file.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define FILE_MAX (1u << 20)
#define KMSG_RECORD_MAX 8192 /* Documentation/ABI/testing/dev-kmsg */

NCG_DEFINE_CLEANUP(struct btf *, btf__free)

static int read_at(const char *root, const char *path, char **ret_text)
{
	char full[PATH_MAX];
	size_t size;

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	return ncg_text_file_read(full, FILE_MAX, ret_text, &size);
}

/* One line of a file, without its end; empty when it cannot be read. */
static void read_line(const char *root, const char *path, char ret_text[NCG_HOST_TEXT_LEN])
{
	ncg_autofree char *text = NULL;

	*ret_text = '\0';
	if (!read_at(root, path, &text))
		snprintf(ret_text, NCG_HOST_TEXT_LEN, "%.*s", (int)strcspn(text, "\n"), text);
}

void ncg_host_release(const char *root, char ret_release[NCG_HOST_TEXT_LEN])
{
	read_line(root, "/proc/sys/kernel/osrelease", ret_release);
}

void ncg_host_machine(const char *root, char ret_machine[NCG_HOST_TEXT_LEN])
{
	struct utsname uts;

	read_line(root, "/proc/sys/kernel/arch", ret_machine);
	/* Before v6.1 there is no such file. */
	if (!*ret_machine && !*root && !uname(&uts))
		snprintf(ret_machine, NCG_HOST_TEXT_LEN, "%s", uts.machine);
}

/* ------------------------------------------------------------- the kernel's log */

/*
 * KVM on arm64 says once at boot "VHE mode initialized successfully", with "Hyp "
 * or "Hyp n" before it where the hypervisor is a part of its own (v6.1; later),
 * and with "Protected " where the host is not trusted.
 */
static void look_at_message(const char *message, struct ncg_host_boot *boot)
{
	if (strstr(message, "kvm") && strstr(message, "mode initialized successfully")) {
		if (strstr(message, "Protected "))
			boot->kvm_mode = NCG_KVM_PROTECTED;
		else if (strstr(message, "Hyp "))
			boot->kvm_mode = NCG_KVM_NVHE;
		else if (strstr(message, "VHE"))
			boot->kvm_mode = NCG_KVM_VHE;
	}
	if (strstr(message, "detected: Stage-2 Force Write-Back"))
		boot->fwb = NCG_YES;
}

/*
 * Reads the log: a record is "prefix,sequence,time,flags;message". *ret_whole says
 * whether it still has its first record.
 */
static int read_log(const char *root, struct ncg_host_boot *boot, bool *ret_whole)
{
	char path[PATH_MAX], record[KMSG_RECORD_MAX + 1];
	ncg_autoclose int fd = -1;
	bool first = true;
	ssize_t n;

	*ret_whole = false;
	if (snprintf(path, sizeof(path), "%s/dev/kmsg", root) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	for (;;) {
		char *rest = record, *line;

		n = read(fd, record, KMSG_RECORD_MAX);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* records that were overwritten meanwhile */
		if (n <= 0)
			return n < 0 && errno != EAGAIN ? -errno : 0;
		record[n] = '\0';
		while ((line = strsep(&rest, "\n"))) {
			const char *sequence = strchr(line, ','), *message = strchr(line, ';');

			if (!sequence || !message)
				continue;
			if (first)
				*ret_whole = strtoull(sequence + 1, NULL, 10) == 0;
			first = false;
			look_at_message(message + 1, boot);
		}
	}
}

static void look_at_command_line(const char *root, struct ncg_host_boot *boot)
{
	static const struct {
		const char *word;
		enum ncg_kvm_mode mode;
	} modes[] = {
		{ "kvm-arm.mode=none", NCG_KVM_NONE },
		{ "kvm-arm.mode=nvhe", NCG_KVM_NVHE },
		{ "kvm-arm.mode=protected", NCG_KVM_PROTECTED },
		{ "kvm-arm.mode=nested", NCG_KVM_VHE },
	};
	ncg_autofree char *text = NULL;
	char *rest, *word;

	if (read_at(root, "/proc/cmdline", &text))
		return;
	rest = text;
	while ((word = strsep(&rest, " \n")))
		for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
			if (!strcmp(word, modes[i].word)) {
				boot->kvm_mode = modes[i].mode;
				boot->mode_by_command_line = true;
			}
}

void ncg_host_boot(const char *root, struct ncg_host_boot *ret_boot)
{
	bool whole;

	*ret_boot = (struct ncg_host_boot){};
	ret_boot->log_error = read_log(root, ret_boot, &whole);
	if (ret_boot->fwb == NCG_UNKNOWN && whole && !ret_boot->log_error)
		ret_boot->fwb = NCG_NO;
	if (ret_boot->kvm_mode == NCG_KVM_UNKNOWN)
		look_at_command_line(root, ret_boot);
}

static const char *const mode_names[] = {
	[NCG_KVM_UNKNOWN] = "not known", [NCG_KVM_NONE] = "none", [NCG_KVM_VHE] = "VHE",
	[NCG_KVM_NVHE] = "nVHE", [NCG_KVM_PROTECTED] = "protected",
};
static_assert(ARRAY_SIZE(mode_names) == NCG_KVM_MODE_NR, "a mode has no name");

const char *ncg_host_kvm_mode_name(enum ncg_kvm_mode mode)
{
	return mode_names[mode];
}

/* ------------------------------------------------------------------ trampolines */

enum ncg_answer ncg_host_trampolines(const char *root)
{
	ncg_cleanup(btf__free_cleanup) struct btf *btf = NULL;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/sys/kernel/btf/vmlinux", root) >= (int)sizeof(path))
		return NCG_UNKNOWN;
	btf = btf__parse_raw(path);
	if (!btf)
		return NCG_UNKNOWN;
	return btf__find_by_name_kind(btf, "register_ftrace_direct", BTF_KIND_FUNC) > 0 ? NCG_YES
										      : NCG_NO;
}

int ncg_host_try_trampoline(const char **ret_step)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	ncg_autoclose int program = -1, link = -1;
	int id;

	*ret_step = "the kernel's types have no bpf_fentry_test1()";
	id = libbpf_find_vmlinux_btf_id("bpf_fentry_test1", BPF_TRACE_FENTRY);
	if (id < 0)
		return id;
	opts.attach_btf_id = id;
	*ret_step = "no tracing program can be loaded";
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "ncg_doctor", "GPL", nothing,
				ARRAY_SIZE(nothing), &opts);
	if (program < 0)
		return -errno;
	*ret_step = "a loaded program cannot be attached";
	link = bpf_raw_tracepoint_open(NULL, program);
	return link < 0 ? -errno : 0;
}

/* ---------------------------------------------------------------- the rest of it */

enum ncg_answer ncg_host_lsm(const char *root, const char *name)
{
	ncg_autofree char *text = NULL;
	char *rest, *word;

	if (read_at(root, "/sys/kernel/security/lsm", &text))
		return NCG_UNKNOWN;
	rest = text;
	while ((word = strsep(&rest, ",\n")))
		if (!strcmp(word, name))
			return NCG_YES;
	return NCG_NO;
}

enum ncg_answer ncg_host_bpffs(const char *root)
{
	ncg_autofree char *text = NULL;
	char *rest, *line;

	if (read_at(root, "/proc/self/mounts", &text))
		return NCG_UNKNOWN;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		char at[256], type[64];

		if (sscanf(line, "%*s %255s %63s", at, type) == 2 && !strcmp(at, "/sys/fs/bpf") &&
		    !strcmp(type, "bpf"))
			return NCG_YES;
	}
	return NCG_NO;
}

bool ncg_host_capabilities(const char *root, uint64_t *ret_capabilities)
{
	static const char key[] = "\nCapEff:\t";
	ncg_autofree char *text = NULL;
	const char *at;

	if (read_at(root, "/proc/self/status", &text))
		return false;
	at = strstr(text, key);
	if (!at || !isxdigit((unsigned char)at[sizeof(key) - 1]))
		return false;
	*ret_capabilities = strtoull(at + sizeof(key) - 1, NULL, 16);
	return true;
}

int ncg_host_iommu_groups(const char *root)
{
	ncg_autoclosedir DIR *dir = NULL;
	char path[PATH_MAX];
	struct dirent *entry;
	int count = 0;

	if (snprintf(path, sizeof(path), "%s/sys/kernel/iommu_groups", root) >= (int)sizeof(path))
		return -1;
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	return count;
}

bool ncg_host_has(const char *root, const char *path)
{
	char full[PATH_MAX];

	return snprintf(full, sizeof(full), "%s%s", root, path) < (int)sizeof(full) &&
	       !access(full, F_OK);
}
