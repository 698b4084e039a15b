/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which BPF programs answer for a function of the kernel, in the order in which they are
 * asked. The kernel runs the newest program of type fmod_ret first and stops at the first
 * answer that is not 0, so a program that another tool attached after ncgate's decides
 * instead of it. Owns what it has learned of the kernel's types; needs CAP_SYS_ADMIN.
 *
 * When the kernel does not tell, the answer is an error and never an empty list.
 */
#ifndef NCGATE_HOOK_PROGRAMS_H
#define NCGATE_HOOK_PROGRAMS_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <sys/types.h>

struct ncg_hook_program {
	__u32 link;    /* id; the higher, the newer */
	__u32 program; /* id */
	__u32 uid;     /* of who loaded it */
	bool ours;     /* it decides by the map of ours */
	__u8 tag[BPF_TAG_SIZE];
	char name[BPF_OBJ_NAME_LEN]; /* cut by the kernel; may be empty */
};

struct ncg_hook_programs;

/*
 * function: of the kernel or of a module; the string is borrowed. our_map: the id of a
 * map by which every program of ours decides, whichever build attached it. Returns 0 or
 * -ENOMEM.
 */
int ncg_hook_programs_open(const char *function, __u32 our_map,
			   struct ncg_hook_programs **ret_programs);
void ncg_hook_programs_close(struct ncg_hook_programs *programs); /* takes NULL */

/*
 * All programs that may change what the function answers, the one that is asked first
 * first; *ret_list is the caller's to free. Three system calls for each BPF link of the
 * host. Returns their number, or -errno, not logged: -EPERM without CAP_SYS_ADMIN.
 */
ssize_t ncg_hook_programs_read(struct ncg_hook_programs *programs,
			       struct ncg_hook_program **ret_list);

#endif
