/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this host offers ncgate, read from /sys, /proc and /dev without privilege
 * wherever the kernel allows it. Keeps no state. What cannot be told is told as
 * unknown, never guessed.
 *
 * Every function takes root, a folder that stands for / ("" for the real one).
 */
#ifndef NCGATE_HOST_H
#define NCGATE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NCG_HOST_TEXT_LEN 128

/* Release of the kernel and its architecture ("aarch64"); empty when not known. */
void ncg_host_release(const char *root, char ret_release[NCG_HOST_TEXT_LEN]);
void ncg_host_machine(const char *root, char ret_machine[NCG_HOST_TEXT_LEN]);

enum ncg_kvm_mode {
	NCG_KVM_UNKNOWN,
	NCG_KVM_NONE, /* switched off on the kernel's command line */
	NCG_KVM_VHE,
	NCG_KVM_NVHE,
	NCG_KVM_PROTECTED,
	NCG_KVM_MODE_NR,
};

enum ncg_answer { NCG_UNKNOWN, NCG_NO, NCG_YES };

/*
 * What the kernel's log and command line say. KVM tells its mode, and the CPU
 * features that are in use are told, at boot alone: a log that lost its beginning
 * leaves both unknown, unless the command line asked for a mode.
 */
struct ncg_host_boot {
	enum ncg_kvm_mode kvm_mode;
	bool mode_by_command_line; /* asked for; whether it was granted is not known */
	enum ncg_answer fwb;	   /* FEAT_S2FWB */
	int log_error;		   /* why the log could not be read: -errno, or 0 */
};

void ncg_host_boot(const char *root, struct ncg_host_boot *ret_boot);
const char *ncg_host_kvm_mode_name(enum ncg_kvm_mode mode);

/*
 * Trampolines: whether the kernel was built with what fentry and its kin need on
 * arm64 (register_ftrace_direct() is in its BTF; v6.4 and later can).
 */
enum ncg_answer ncg_host_trampolines(const char *root);

/*
 * Whether a program really attaches: loads one that does nothing, attaches it to
 * bpf_fentry_test1(), a kernel function made for that, and takes it away again.
 * Returns 0 or the -errno of the step that failed, named in *ret_step.
 */
int ncg_host_try_trampoline(const char **ret_step);

/* Whether the list of active LSMs has name. NCG_UNKNOWN: no securityfs. */
enum ncg_answer ncg_host_lsm(const char *root, const char *name);

/* Whether a BPF file system is mounted at /sys/fs/bpf. */
enum ncg_answer ncg_host_bpffs(const char *root);

/* The effective capabilities of this process, as bits; false when not known. */
bool ncg_host_capabilities(const char *root, uint64_t *ret_capabilities);

/* Number of IOMMU groups; -1 when the kernel has no such folder. */
int ncg_host_iommu_groups(const char *root);

/* Whether a file is there at all, below root. */
bool ncg_host_has(const char *root, const char *path);

#endif
