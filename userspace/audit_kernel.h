/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Audit records in the Linux audit subsystem, as AUDIT_VIRT_RESOURCE: what auditd
 * keeps, and ausearch and auvirt show. Of a decision a resource of kind `dev`, by
 * libvirt's form of it; of each memory type that a guest gets for a BAR, and of its
 * end, one of kind `mem`, since auvirt follows that kind and not `dev`. Owns the
 * socket. Needs CAP_AUDIT_WRITE; where the kernel's auditing is off the kernel takes
 * the messages and drops them.
 *
 * By netlink itself: one message type, sent and answered in the same call, is all of
 * libaudit that would be used.
 */
#ifndef NCGATE_AUDIT_KERNEL_H
#define NCGATE_AUDIT_KERNEL_H

#include <jansson.h>
#include <stddef.h>

struct ncg_audit_kernel;

/*
 * Returns 0; -EPERM without CAP_AUDIT_WRITE; -EPROTONOSUPPORT when the kernel has no
 * auditing; or another -errno. Not logged.
 */
int ncg_audit_kernel_open(struct ncg_audit_kernel **ret_kernel);
void ncg_audit_kernel_close(struct ncg_audit_kernel *kernel); /* takes NULL */

/* Sends what the kernel is to know of one record. Returns 0 or -errno, not logged. */
int ncg_audit_kernel_send(struct ncg_audit_kernel *kernel, const json_t *record);

/*
 * The messages of one record, NUL after each and an empty one at the end, for the
 * caller to free; exe is the sender's program. NULL when there is no memory.
 */
char *ncg_audit_kernel_format(const json_t *record, const char *exe);

#endif
