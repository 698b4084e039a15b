// SPDX-License-Identifier: GPL-2.0-only
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "cleanup.h"
#include "guest.h"
#include "json.h"
#include "names.h"

/* What is there goes before what was known; both may be empty. */
static void choose(char *ret_text, size_t size, const char *now, const char *known)
{
	snprintf(ret_text, size, "%s", now && *now ? now : known);
}

void ncg_record_identify(const struct ncg_task *task, const struct ncg_vm_note *known,
			 struct ncg_vm_note *ret_who)
{
	static const struct ncg_vm_note nobody;
	ncg_autoguest struct ncg_guest guest = {};

	if (!known)
		known = &nobody;
	/* Another process may have the number by now. */
	if (!ncg_guest_read(NULL, task->pid, NULL, &guest) &&
	    guest.start_ticks != ncg_guest_ticks(task->start_boot_ns))
		ncg_guest_done(&guest);
	*ret_who = (struct ncg_vm_note){ .task = *task, .began_ns = known->began_ns };
	choose(ret_who->vmm, sizeof(ret_who->vmm), guest.vmm, known->vmm);
	choose(ret_who->name, sizeof(ret_who->name), guest.name, known->name);
	choose(ret_who->uuid, sizeof(ret_who->uuid), guest.uuid, known->uuid);
	/* A process that ended is in the root cgroup, which says nothing. */
	choose(ret_who->cgroup, sizeof(ret_who->cgroup),
	       guest.ended ? NULL : guest.cgroup, known->cgroup);
}

json_t *ncg_record_guest(const struct ncg_vm_note *who)
{
	const struct ncg_task *task = &who->task;
	ncg_autofree char *pod = ncg_guest_pod(who->cgroup);
	char id[NCG_GUEST_ID_LEN], started[NCG_AUDIT_TIME_LEN];
	json_t *json = json_object();

	if (!pod) {
		json_decref(json);
		return NULL;
	}
	ncg_guest_format_id(task->pid, ncg_guest_ticks(task->start_boot_ns), id);
	ncg_audit_format_time(task->start_boot_ns, started);
	json_object_set_new(json, "id", json_string(id));
	json_object_set_new(json, "pid", json_integer(task->pid));
	json_object_set_new(json, "started", json_string(started));
	json_object_set_new(json, "start_boot_ns", ncg_json_unsigned(task->start_boot_ns));
	json_object_set_new(json, "uid", json_integer(task->uid));
	json_object_set_new(json, "comm", ncg_json_name(task->comm, sizeof(task->comm)));
	json_object_set_new(json, "vmm", ncg_json_name(who->vmm, sizeof(who->vmm)));
	json_object_set_new(json, "name", ncg_json_name(who->name, sizeof(who->name)));
	json_object_set_new(json, "uuid", ncg_json_text(who->uuid, sizeof(who->uuid)));
	json_object_set_new(json, "cgroup_id", ncg_json_unsigned(task->cgroup_id));
	json_object_set_new(json, "cgroup", ncg_json_text(who->cgroup, sizeof(who->cgroup)));
	json_object_set_new(json, "pod", ncg_json_text(pod, strlen(pod)));
	return json;
}

json_t *ncg_record_pci(const struct ncg_pci *pci, const struct ncg_device *known)
{
	char slot[NCG_DEVICE_ADDRESS_LEN];
	json_t *json = json_object();

	snprintf(slot, sizeof(slot), "%04x:%02x:%02x.%x", pci->domain, pci->bus, pci->devfn >> 3,
		 pci->devfn & 7);
	json_object_set_new(json, "slot", json_string(slot));
	json_object_set_new(json, "vendor_id", ncg_json_hex(4, pci->vendor));
	json_object_set_new(json, "device_id", ncg_json_hex(4, pci->device));
	json_object_set_new(json, "subsystem_vendor_id", ncg_json_hex(4, pci->subvendor));
	json_object_set_new(json, "subsystem_device_id", ncg_json_hex(4, pci->subdevice));
	json_object_set_new(json, "class", ncg_json_hex(6, pci->class_code));
	json_object_set_new(json, "revision", ncg_json_hex(2, pci->revision));
	json_object_set_new(json, "bar", json_integer(pci->bar));
	json_object_set_new(json, "bar_start", ncg_json_hex(1, pci->bar_start));
	json_object_set_new(json, "bar_size", ncg_json_unsigned(pci->bar_size));
	if (known) {
		json_object_set_new(json, "name", ncg_json_name(known->name, sizeof(known->name)));
		json_object_set_new(json, "driver",
				    ncg_json_name(known->driver, sizeof(known->driver)));
		json_object_set_new(json, "iommu_group", json_integer(known->iommu_group));
	}
	return json;
}

json_t *ncg_record_device(const struct ncg_device *device, unsigned int bar)
{
	const struct ncg_pci pci = {
		.domain = device->domain,
		.bus = device->bus,
		.devfn = device->devfn,
		.revision = device->revision,
		.vendor = device->vendor,
		.device = device->device,
		.subvendor = device->subvendor,
		.subdevice = device->subdevice,
		.class_code = device->class_code,
		.bar = bar,
		.bar_start = device->bars[bar].start,
		.bar_size = device->bars[bar].size,
	};

	return ncg_record_pci(&pci, device);
}

void ncg_record_place(json_t *fields, const struct ncg_devices *devices, __u64 where)
{
	__u32 domain = where >> 32;
	__u8 bus = where >> 24, devfn = where >> 16;
	unsigned int bar = where & 0xffff;
	const struct ncg_device *device;
	char slot[NCG_DEVICE_ADDRESS_LEN];

	if (where & NCG_BLOCK_ID(0))
		return;
	device = ncg_devices_find(devices, domain, bus, devfn);
	if (device && bar < NCG_DEVICE_BARS) {
		json_object_set_new(fields, "device", ncg_record_device(device, bar));
		return;
	}
	/* It has left this host meanwhile; which it was is still known. */
	snprintf(slot, sizeof(slot), "%04x:%02x:%02x.%x", domain, bus, devfn >> 3, devfn & 7);
	json_object_set_new(fields, "device", json_pack("{s:s, s:i}", "slot", slot, "bar",
							(int)bar));
}

void ncg_record_use(json_t *list, const struct ncg_devices *devices,
		    const struct ncg_use_key *key, const struct ncg_use *use)
{
	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++) {
		char first[NCG_AUDIT_TIME_LEN];
		json_t *entry;

		if (!(use->types & 1ULL << type))
			continue;
		entry = json_object();
		ncg_record_place(entry, devices, key->where);
		if (key->where & NCG_BLOCK_ID(0))
			json_object_set_new(entry, "phys",
					    ncg_json_hex(1, (key->where & ~NCG_BLOCK_ID(0)) << 30));
		ncg_audit_format_time(use->first_ns[type], first);
		json_object_set_new(entry, "memory_type", json_string(ncg_names_memtype(type)));
		json_object_set_new(entry, "first", json_string(first));
		json_object_set_new(entry, "maps", ncg_json_unsigned(use->maps[type]));
		json_object_set_new(entry, "bytes", ncg_json_unsigned(use->bytes[type]));
		json_array_append_new(list, entry);
	}
}

static void read_comm(__u32 pid, char ret_comm[NCG_COMM_LEN])
{
	ncg_autofclose FILE *file = NULL;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	file = fopen(path, "re");
	if (file && fgets(ret_comm, NCG_COMM_LEN, file))
		ret_comm[strcspn(ret_comm, "\n")] = '\0';
}

void ncg_record_task(__u32 pid, __u64 start_boot_ns, struct ncg_task *ret_task)
{
	ncg_autoguest struct ncg_guest guest = {};

	*ret_task = (struct ncg_task){ .pid = pid, .start_boot_ns = start_boot_ns };
	if (ncg_guest_read(NULL, pid, NULL, &guest) ||
	    guest.start_ticks != ncg_guest_ticks(start_boot_ns))
		return;
	ret_task->uid = guest.uid;
	read_comm(pid, ret_task->comm);
}
