/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts that audit records have in common, as JSON: which guest, which device and
 * BAR. docs/audit.schema.json says what is in them. Owns nothing; everything returned
 * is the caller's, and NULL when there is no memory.
 */
#ifndef NCGATE_RECORD_H
#define NCGATE_RECORD_H

#include <jansson.h>

#include "abi.h"
#include "device.h"

/*
 * Who a task is: from /proc while it lives, else what `known` says of it (NULL for
 * nothing). A process that got the same number later is not taken for it.
 */
void ncg_record_identify(const struct ncg_task *task, const struct ncg_vm_note *known,
			 struct ncg_vm_note *ret_who);

json_t *ncg_record_guest(const struct ncg_vm_note *who);

/* By what a program saw of the device, and what sysfs knows of it (NULL: nothing). */
json_t *ncg_record_pci(const struct ncg_pci *pci, const struct ncg_device *known);

/* By what sysfs knows alone. */
json_t *ncg_record_device(const struct ncg_device *device, unsigned int bar);

/*
 * What one VM has mapped of one BAR, an object for each memory type, appended to list:
 * the `mapped` of a VM's end. devices: those of this host now.
 */
void ncg_record_use(json_t *list, const struct ncg_devices *devices,
		    const struct ncg_use_key *key, const struct ncg_use *use);

/* The device and BAR of a place, as a member `device` of fields; nothing for no BAR. */
void ncg_record_place(json_t *fields, const struct ncg_devices *devices, __u64 where);

/*
 * A task by its process alone, for what no program saw begin: user and name as /proc
 * has them now, no id of its cgroup.
 */
void ncg_record_task(__u32 pid, __u64 start_boot_ns, struct ncg_task *ret_task);

#endif
