/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of /proc say of a process that runs guests: bytes in, values out, no
 * I/O and no memory. The process chooses most of these bytes itself, so the time is
 * linear in them and what comes out is bounded. Pure.
 */
#ifndef NCGATE_GUEST_PARSE_H
#define NCGATE_GUEST_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "text.h"

#define NCG_GUEST_UUID_LEN 37 /* NUL included */

/*
 * Of one value on a command line ("-name VALUE") no more bytes are looked at. A name
 * with all keys that QEMU knows takes a tenth of it.
 */
#define NCG_GUEST_VALUE_MAX 4096

/* Of /proc/PID/stat. */
struct ncg_guest_stat {
	char state;	      /* field 3; 'Z' and 'X': has ended */
	uint64_t start_ticks; /* field 22, since boot, as ncg_guest_ticks() counts */
	/*
	 * Fields 28, 48 and 49: addresses that exec chooses anew at random. 0 where the
	 * line ends before them; the kernel shows 0 or 1 to who may not trace the process.
	 */
	uint64_t start_stack, arg_start, arg_end;
};

/* What a command line says of the guest; "" where it says nothing. Valid UTF-8. */
struct ncg_guest_claims {
	char name[NCG_TEXT_NAME_LEN]; /* visible and cut, as ncg_text_name() does it */
	char uuid[NCG_GUEST_UUID_LEN]; /* in lower case */
};

/* 0, or -EBADMSG when it does not read as proc(5) says; *ret_stat is then untouched. */
int ncg_guest_parse_stat(const char *text, size_t size, struct ncg_guest_stat *ret_stat);

/* The real user of /proc/PID/status. 0 or -EBADMSG. */
int ncg_guest_parse_status(const char *text, size_t size, uint32_t *ret_uid);

/*
 * The path of version 2's hierarchy in /proc/PID/cgroup, in the text itself: *ret_size
 * bytes, 0 where there is none.
 */
const char *ncg_guest_parse_cgroup(const char *text, size_t size, size_t *ret_size);

/*
 * The name and UUID of /proc/PID/cmdline. Understood are, with one '-' or two, and with
 * '=' or the next argument:
 *   -name [guest=]NAME[,...]	       QEMU; ",," stands for a comma
 *   -uuid UUID			       QEMU
 *   -smbios type=1,uuid=UUID[,...]    QEMU, as Proxmox VE starts it
 *   --platform uuid=UUID[,...]	       cloud-hypervisor
 *   --api-socket [path=]FILE[,...]    cloud-hypervisor, which takes no name: FILE without
 *				       its folder and ending, where there is no other name
 * Of several the last counts.
 */
void ncg_guest_parse_command_line(const char *bytes, size_t size,
				  struct ncg_guest_claims *ret_claims);

/*
 * The UID of the pod that a cgroup belongs to. kubelet makes `kubepods`, and in it, or in
 * one of burstable and besteffort, `podUID`; with systemd's driver
 * kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice, with '_' for
 * '-' in the UID. A pod is believed only where nobody but root can have made `kubepods`:
 * at the root, or below nothing but
 *   - systemd's slices, but user.slice and user-UID.slice: slices cannot be delegated;
 *   - a container that is a node (kind): docker-ID.scope, libpod-ID.scope,
 *     cri-containerd-ID.scope, crio-ID.scope, docker/ID, and `kubelet`.
 * Below anything else, such as user@UID.service or a service that got its cgroup
 * delegated, the names are whoever's who made them, and there is no pod.
 * For the caller to free; "" where it is none, NULL when there is no memory.
 */
char *ncg_guest_pod(const char *cgroup);

#endif
