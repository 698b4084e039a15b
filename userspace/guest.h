/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who a guest is: the identity of the process that runs it, from /proc.
 *
 * A struct ncg_guest owns its strings. What a process says of itself (name,
 * UUID) is its own claim: good for a label, never for a decision. All is read
 * through one handle on the process and confirmed at the end, so the parts of an
 * identity never come from two processes; one that goes meanwhile is -ESRCH, and
 * nothing is returned by halves.
 */
#ifndef NCGATE_GUEST_H
#define NCGATE_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"
#include "guest_parse.h"

struct ncg_guest_cache;

#define NCG_GUEST_ID_LEN 32 /* PID-STARTTICKS, NUL included */

/* Strings are never NULL; empty where there is none or it may not be read. */
struct ncg_guest {
	char id[NCG_GUEST_ID_LEN]; /* unique for one boot of the host */
	pid_t pid;		   /* thread group id */
	uint32_t uid;		   /* real; in the reader's user namespace */
	uint64_t start_ticks;	   /* since boot, in ticks of ncg_guest_ticks() */
	bool ended;		   /* no thread lives: vmm, name and UUID are empty */
	char *vmm;		   /* file name of the executable; as ncg_text_name() */
	char *name;		   /* by the command line; as ncg_text_name() */
	char *uuid;		   /* by the command line, in lower case */
	char *cgroup;		   /* version 2, as seen from the reader's root; its bytes */
	char *pod;		   /* UID of its Kubernetes pod, by the cgroup */
};

/*
 * Reads the identity of process pid, a thread group id in the namespace of
 * `proc`, the mount point of procfs (NULL: /proc). Release *ret_guest with
 * ncg_guest_done(). The executable's name needs CAP_SYS_PTRACE for processes of
 * others; without it vmm is empty. Where the first thread has ended and others live,
 * one of these is asked. Of a process that ended but was not waited for only pid, uid
 * and start time are left. cache (NULL: none) saves reading the command line.
 * Returns 0; -ESRCH when there is no such process or it ended meanwhile; -EBADMSG
 * when `stat` or `status` does not read as proc(5) says; -ENOMEM; or another
 * negative errno of reading. *ret_guest is then untouched.
 */
int ncg_guest_read(const char *proc, pid_t pid, struct ncg_guest_cache *cache,
		   struct ncg_guest *ret_guest);

/*
 * Only when the process started, which tells it from another that gets its number:
 * one file of fixed length. Returns as ncg_guest_read() does.
 */
int ncg_guest_read_start(const char *proc, pid_t pid, uint64_t *ret_ticks);

/* Frees what the guest owns and zeroes it; a zeroed one is allowed. */
void ncg_guest_done(struct ncg_guest *guest);

#define ncg_autoguest ncg_cleanup(ncg_guest_done)

/*
 * The start time of a process as events carry it (nanoseconds, CLOCK_BOOTTIME),
 * in the ticks of field 22 of /proc/PID/stat: proc(5); the kernel makes the one
 * from the other by nsec_to_clock_t(), which rounds down.
 */
uint64_t ncg_guest_ticks(uint64_t start_boot_ns);

/* Writes the id of a guest, from what an event says of it. */
void ncg_guest_format_id(pid_t pid, uint64_t start_ticks, char ret_id[NCG_GUEST_ID_LEN]);

#endif
