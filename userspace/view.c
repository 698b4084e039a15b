// SPDX-License-Identifier: GPL-2.0-only
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cleanup.h"
#include "exposition.h"
#include "gate.h"
#include "guest.h"
#include "json.h"
#include "log.h"
#include "names.h"

/* Bytes of one BAR, or of unknown memory, that one guest maps with one type. */
struct use {
	const struct ncg_device *device; /* NULL: no BAR of this host */
	unsigned int bar;
	__u64 phys; /* where it begins; for unknown memory */
	__u64 bytes[NCG_MT_NR];
};

struct seen_guest {
	const struct ncg_walk_vm *vm;
	struct ncg_guest identity; /* zeroed when the process is gone */
	char id[NCG_GUEST_ID_LEN + 16];
	struct use *uses;
	size_t use_count;
};

struct view {
	struct ncg_walk_result *walked;
	struct seen_guest *guests;
	size_t count;
	const struct ncg_devices *devices;
};

/* ----------------------------------------------------------------- taking it */

static void release(struct view *view)
{
	for (size_t i = 0; i < view->count; i++) {
		ncg_guest_done(&view->guests[i].identity);
		free(view->guests[i].uses);
	}
	free(view->guests);
	ncg_walk_result_free(view->walked);
}

static struct use *use_of(struct seen_guest *guest, const struct ncg_device *device,
			  unsigned int bar, __u64 phys)
{
	struct use *uses;

	for (size_t i = 0; i < guest->use_count; i++) {
		struct use *use = &guest->uses[i];

		if (use->device == device && use->bar == bar && (device || use->phys == phys))
			return use;
	}
	uses = reallocarray(guest->uses, guest->use_count + 1, sizeof(*uses));
	if (!uses)
		return NULL;
	guest->uses = uses;
	uses[guest->use_count] = (struct use){ .device = device, .bar = bar, .phys = phys };
	return &uses[guest->use_count++];
}

/* Splits a guest's ranges at the borders of BARs. */
static int attribute(const struct view *view, struct seen_guest *guest)
{
	for (size_t i = 0; i < guest->vm->range_count; i++) {
		const struct ncg_s2_range *range = &guest->vm->ranges[i];
		__u64 phys = range->phys, left = range->size;

		while (left) {
			unsigned int bar = 0;
			const struct ncg_device *device =
				ncg_devices_lookup(view->devices, phys, &bar);
			__u64 part = left;
			struct use *use;

			if (device) {
				__u64 end = device->bars[bar].start + device->bars[bar].size;

				if (end - phys < part)
					part = end - phys;
			} else if (part > range->leaf_size) {
				/* One leaf at a time until a BAR begins, if any does. */
				part = range->leaf_size;
			}
			use = use_of(guest, device, bar, device ? 0 : range->phys);
			if (!use)
				return -ENOMEM;
			use->bytes[range->memtype] += part;
			phys += part;
			left -= part;
		}
	}
	return 0;
}

static void name_guest(struct view *view, size_t index)
{
	struct seen_guest *guest = &view->guests[index];
	const struct ncg_vm *vm = &guest->vm->vm;
	__u64 ticks = ncg_guest_ticks(vm->start_boot_ns);
	char id[NCG_GUEST_ID_LEN];
	unsigned int same = 1;

	ncg_guest_format_id(vm->pid, ticks, id);
	if (ncg_guest_read(NULL, vm->pid, &guest->identity) ||
	    guest->identity.start_ticks != ticks)
		ncg_guest_done(&guest->identity);
	/* KVM lists the newest first; older VMs of one process keep their id. */
	for (size_t i = index + 1; i < view->count; i++)
		if (view->guests[i].vm->vm.pid == vm->pid)
			same++;
	if (same > 1)
		snprintf(guest->id, sizeof(guest->id), "%s.%u", id, same);
	else
		snprintf(guest->id, sizeof(guest->id), "%s", id);
}

static int take(const struct ncg_sources *sources, struct view *ret_view)
{
	struct view view = {};
	int r = ncg_inventory_refresh(sources->inventory);

	if (r)
		return r;
	view.devices = ncg_inventory_devices(sources->inventory);
	if (sources->walk) {
		r = ncg_walk_run(sources->walk, &view.walked);
		if (r)
			return r;
		view.guests = calloc(view.walked->count + 1, sizeof(*view.guests));
		if (!view.guests) {
			release(&view);
			return ncg_log_error(-ENOMEM, "no memory");
		}
		view.count = view.walked->count;
		for (size_t i = 0; i < view.count; i++)
			view.guests[i].vm = &view.walked->vms[i];
	}
	for (size_t i = 0; i < view.count; i++) {
		name_guest(&view, i);
		r = attribute(&view, &view.guests[i]);
		if (r) {
			release(&view);
			return ncg_log_error(r, "no memory");
		}
	}
	*ret_view = view;
	return 0;
}

/* What the policy in force says about one BAR, for root's processes. */
static void decide_bar(const struct ncg_sources *sources, const struct ncg_device *d,
		       unsigned int bar, struct ncg_decision *ret_decision)
{
	struct ncg_tuple tuple = {
		.vendor = d->vendor, .device = d->device, .subvendor = d->subvendor,
		.subdevice = d->subdevice, .class_code = d->class_code, .bar = bar,
		.domain = d->domain, .bus = d->bus, .devfn = d->devfn,
	};

	ncg_gate_decide(ncg_programs_map(sources->programs, "policy"), &tuple, NULL,
			ret_decision);
}

static const char *device_verdict(const struct ncg_sources *sources, const struct ncg_device *d)
{
	const char *verdict = NULL;

	for (unsigned int bar = 0; bar < NCG_DEVICE_BARS; bar++) {
		struct ncg_decision decision;
		const char *name;

		if (!d->bars[bar].size || !d->bars[bar].memory)
			continue;
		decide_bar(sources, d, bar, &decision);
		name = ncg_names_verdict(decision.verdict);
		if (verdict && strcmp(verdict, name))
			return "mixed";
		verdict = name;
	}
	return verdict ? verdict : ncg_names_verdict(NCG_VERDICT_NONE);
}

static bool mapped_by_a_guest(const struct view *view, const struct ncg_device *d)
{
	for (size_t i = 0; i < view->count; i++)
		for (size_t u = 0; u < view->guests[i].use_count; u++)
			if (view->guests[i].uses[u].device == d)
				return true;
	return false;
}

/* Bound to a VFIO driver, or in a guest's tables whatever the driver. */
static bool shown(const struct view *view, const struct ncg_device *d)
{
	return strstr(d->driver, "vfio") || mapped_by_a_guest(view, d);
}

static __u64 leaf_size(const struct seen_guest *guest, int level_index)
{
	struct ncg_s2_geometry geometry;

	if (ncg_s2_geometry_read(&guest->vm->vm, &geometry))
		return 0;
	return ncg_s2_entry_size(&geometry, level_index + NCG_S2_LEVEL_MIN);
}

static __u64 type_bytes(const struct seen_guest *guest, enum ncg_memtype type)
{
	__u64 bytes = 0;

	for (int level = 0; level < NCG_S2_LEVELS; level++)
		bytes += guest->vm->totals.bytes[type][level];
	return bytes;
}

/* ------------------------------------------------------------------- metrics */

static void guest_metrics(struct ncg_exposition *e, const struct seen_guest *guest)
{
	const struct ncg_guest *identity = &guest->identity;
	char pid[16], size[24], bar[8];

	snprintf(pid, sizeof(pid), "%u", guest->vm->vm.pid);
	ncg_exposition_u64(e, NCG_MF_GUEST_INFO, 1,
			   NCG_LABELS(guest->id, pid, identity->name, identity->uuid,
				      identity->vmm, identity->cgroup));
	if (!guest->vm->visible)
		return;
	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++) {
		const char *name = ncg_names_memtype(type);
		__u64 bytes = type_bytes(guest, type);

		/* The types that KVM uses are always there, so that 0 is seen as 0. */
		if (bytes || type == NCG_MT_NORMAL_WB || type == NCG_MT_NORMAL_NC ||
		    type == NCG_MT_DEVICE_nGnRE)
			ncg_exposition_u64(e, NCG_MF_GUEST_STAGE2_BYTES, bytes,
					   NCG_LABELS(guest->id, name));
		for (int level = 0; level < NCG_S2_LEVELS; level++) {
			__u64 leaves = guest->vm->totals.leaves[type][level];

			if (!leaves)
				continue;
			snprintf(size, sizeof(size), "%llu", leaf_size(guest, level));
			ncg_exposition_u64(e, NCG_MF_GUEST_STAGE2_LEAVES, leaves,
					   NCG_LABELS(guest->id, name, size));
		}
	}
	for (size_t u = 0; u < guest->use_count; u++) {
		const struct use *use = &guest->uses[u];

		if (!use->device)
			continue;
		snprintf(bar, sizeof(bar), "%u", use->bar);
		for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++)
			if (use->bytes[type])
				ncg_exposition_u64(e, NCG_MF_DEVICE_STAGE2_BYTES, use->bytes[type],
						   NCG_LABELS(guest->id, use->device->address, bar,
							      ncg_names_memtype(type)));
	}
}

static void policy_metrics(struct ncg_exposition *e, const struct ncg_sources *sources)
{
	struct ncg_phead head;
	char sha256[NCG_SHA256_TEXT_LEN];

	ncg_exposition_u64(e, NCG_MF_POLICY_LAST_RELOAD_SUCCESSFUL, sources->last_reload_ok,
			   NCG_LABELS());
	if (ncg_gate_read(ncg_programs_map(sources->programs, "policy"), &head)) {
		ncg_exposition_u64(e, NCG_MF_POLICY_GENERATION, 0, NCG_LABELS());
		return;
	}
	ncg_json_sha256_text(head.sha256, sha256);
	ncg_exposition_u64(e, NCG_MF_POLICY_INFO, 1,
			   NCG_LABELS(ncg_names_mode(head.mode), ncg_names_verdict(head.fallback),
				      sha256, sources->policy_file));
	ncg_exposition_u64(e, NCG_MF_POLICY_GENERATION, head.generation, NCG_LABELS());
	ncg_exposition_u64(e, NCG_MF_POLICY_RULES, head.rules, NCG_LABELS());
	ncg_exposition_u64(e, NCG_MF_POLICY_LOADED_TIMESTAMP_SECONDS, sources->policy_loaded,
			   NCG_LABELS());
}

static void device_metrics(struct ncg_exposition *e, const struct ncg_sources *sources,
			   const struct view *view)
{
	for (size_t i = 0; i < view->devices->count; i++) {
		const struct ncg_device *d = &view->devices->list[i];
		char vendor[8], device[8], class_code[8];

		if (!shown(view, d))
			continue;
		snprintf(vendor, sizeof(vendor), "%04x", d->vendor);
		snprintf(device, sizeof(device), "%04x", d->device);
		snprintf(class_code, sizeof(class_code), "%06x", d->class_code & 0xffffff);
		ncg_exposition_u64(e, NCG_MF_DEVICE_INFO, 1,
				   NCG_LABELS(d->address, vendor, device, class_code, d->driver,
					      d->name, device_verdict(sources, d)));
	}
}

int ncg_view_metrics(const struct ncg_sources *sources, char **ret_text, size_t *ret_size)
{
	ncg_autoexposition struct ncg_exposition *e = NULL;
	enum ncg_grade grade = ncg_programs_grade(sources->programs);
	__attribute__((cleanup(release))) struct view view = {};
	__u64 counters[NCG_CTR_NR], before_gate, hidden = 0;
	int r;

	r = take(sources, &view);
	if (!r)
		r = ncg_programs_counters(sources->programs, counters);
	if (!r)
		r = ncg_exposition_new(64 << 20, &e);
	if (r)
		return ncg_log_error(r, "metrics cannot be made");

	ncg_exposition_u64(e, NCG_MF_BUILD_INFO, 1, NCG_LABELS(NCG_VERSION));
	for (enum ncg_change c = 0; sources->change_known && c < NCG_CHANGE_NR; c++)
		ncg_exposition_u64(e, NCG_MF_KERNEL_CHANGE, c == sources->change,
				   NCG_LABELS(ncg_kernel_change_name(c)));
	ncg_hazard_watch_metrics(sources->hazards, e);
	for (enum ncg_grade g = 0; g < NCG_GRADE_NR; g++)
		ncg_exposition_u64(e, NCG_MF_ENFORCEMENT_GRADE, g == grade,
				   NCG_LABELS(ncg_names_grade(g)));
	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		const struct ncg_program_status *s = ncg_programs_status(sources->programs, p);

		ncg_exposition_u64(e, NCG_MF_PROGRAM_ATTACHED, s->state == NCG_PROGRAM_ATTACHED,
				   NCG_LABELS(s->name));
	}
	policy_metrics(e, sources);
	/* Not counted yet is not 0. */
	if (!ncg_programs_before_gate(sources->programs, &before_gate))
		ncg_exposition_u64(e, NCG_MF_BAR_MMAPS_BEFORE_GATE, before_gate, NCG_LABELS());
	ncg_exposition_counters(e, counters);
	ncg_exposition_u64(e, NCG_MF_AUDIT_RECORDS_TOTAL, ncg_audit_records(sources->audit),
			   NCG_LABELS());
	ncg_exposition_u64(e, NCG_MF_AUDIT_WRITE_ERRORS_TOTAL, ncg_audit_errors(sources->audit),
			   NCG_LABELS());
	for (enum ncg_audit_sink s = 0; s < NCG_AUDIT_SINK_NR; s++)
		ncg_exposition_u64(e, NCG_MF_AUDIT_SINK_ERRORS_TOTAL,
				   ncg_audit_sink_errors(sources->audit, s),
				   NCG_LABELS(ncg_audit_sink_name(s)));
	device_metrics(e, sources, &view);
	if (sources->walk) {
		struct ncg_walk_stats stats = ncg_walk_stats(sources->walk);

		for (size_t i = 0; i < view.count; i++) {
			guest_metrics(e, &view.guests[i]);
			hidden += !view.guests[i].vm->visible;
		}
		/* Without a walk these are unknown, which is not 0. */
		ncg_exposition_u64(e, NCG_MF_GUESTS, view.count, NCG_LABELS());
		ncg_exposition_u64(e, NCG_MF_GUESTS_NOT_VISIBLE, hidden, NCG_LABELS());
		ncg_exposition_u64(e, NCG_MF_WALK_ERRORS_TOTAL, stats.errors, NCG_LABELS());
		ncg_exposition_double(e, NCG_MF_WALK_SECONDS_TOTAL, stats.nanoseconds / 1e9,
				      NCG_LABELS());
	}
	r = ncg_exposition_finish(e, ret_text, ret_size);
	return r ? ncg_log_error(r, "metrics cannot be made") : 0;
}

/* ---------------------------------------------------------------------- JSON */

static json_t *text_or_empty(const char *text)
{
	return json_string(text ? text : "");
}

static json_t *programs_json(const struct ncg_programs *programs)
{
	json_t *list = json_array();

	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		const struct ncg_program_status *s = ncg_programs_status(programs, p);

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:s?, s:s}", "name",
						      s->name, "target", s->target, "state",
						      ncg_programs_state_name(s->state), "adopted",
						      s->adopted, "error",
						      s->error ? ncg_log_errno_name(-s->error) : NULL,
						      "lost", s->lost));
	}
	return list;
}

static json_t *policy_json(const struct ncg_sources *sources)
{
	char sha256[NCG_SHA256_TEXT_LEN], loaded[32];
	struct ncg_phead head;
	struct tm tm;

	if (ncg_gate_read(ncg_programs_map(sources->programs, "policy"), &head))
		return json_null();
	ncg_json_sha256_text(head.sha256, sha256);
	gmtime_r(&sources->policy_loaded, &tm);
	strftime(loaded, sizeof(loaded), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:b}", "file", sources->policy_file,
			 "mode", ncg_names_mode(head.mode), "default",
			 ncg_names_verdict(head.fallback), "generation",
			 (json_int_t)head.generation, "rules", (json_int_t)head.rules, "sha256",
			 sha256, "loaded", loaded, "last_reload_ok", sources->last_reload_ok);
}

json_t *ncg_view_status(const struct ncg_sources *sources)
{
	__attribute__((cleanup(release))) struct view view = {};
	__u64 counters[NCG_CTR_NR], before_gate;
	json_t *status = json_object(), *sums = json_object();
	struct utsname uts;

	if (take(sources, &view) || ncg_programs_counters(sources->programs, counters)) {
		json_decref(status);
		json_decref(sums);
		return NULL;
	}
	uname(&uts);
	for (enum ncg_counter c = 0; c < NCG_CTR_NR; c++)
		json_object_set_new(sums, ncg_names_counter(c), json_integer(counters[c]));
	json_object_set_new(status, "version", json_string(NCG_VERSION));
	json_object_set_new(status, "kernel", json_string(uts.release));
	json_object_set_new(status, "page_size", json_integer(sysconf(_SC_PAGESIZE)));
	json_object_set_new(status, "grade",
			    json_string(ncg_names_grade(ncg_programs_grade(sources->programs))));
	json_object_set_new(status, "bar_mmaps_before_gate",
			    ncg_programs_before_gate(sources->programs, &before_gate) ?
				    json_null() : json_integer(before_gate));
	json_object_set_new(status, "change",
			    sources->change_known ?
				    json_string(ncg_kernel_change_name(sources->change)) :
				    json_null());
	json_object_set_new(status, "policy", policy_json(sources));
	json_object_set_new(status, "programs", programs_json(sources->programs));
	json_object_set_new(status, "hazards", ncg_hazard_watch_json(sources->hazards));
	json_object_set_new(status, "walk", json_boolean(sources->walk));
	json_object_set_new(status, "guests", json_integer(view.count));
	json_object_set_new(status, "counters", sums);
	json_object_set_new(status, "audit",
			    json_pack("{s:s, s:I, s:I}", "path", sources->audit_file, "records",
				      (json_int_t)ncg_audit_records(sources->audit), "errors",
				      (json_int_t)ncg_audit_errors(sources->audit)));
	json_object_set_new(status, "walk_errors",
			    json_integer(sources->walk ? ncg_walk_stats(sources->walk).errors : 0));
	return status;
}

static json_t *guest_json(const struct seen_guest *guest)
{
	const struct ncg_vm *vm = &guest->vm->vm;
	const struct ncg_guest *identity = &guest->identity;
	json_t *json = json_object(), *types = json_object(), *leaves = json_array();
	json_t *devices = json_array(), *other = json_array();

	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++) {
		const char *name = ncg_names_memtype(type);

		if (type_bytes(guest, type))
			json_object_set_new(types, name, json_integer(type_bytes(guest, type)));
		for (int level = 0; level < NCG_S2_LEVELS; level++)
			if (guest->vm->totals.leaves[type][level])
				json_array_append_new(leaves, json_pack(
					"{s:s, s:I, s:I}", "type", name, "size",
					(json_int_t)leaf_size(guest, level), "count",
					(json_int_t)guest->vm->totals.leaves[type][level]));
	}
	for (size_t u = 0; u < guest->use_count; u++) {
		const struct use *use = &guest->uses[u];

		for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++) {
			const char *name = ncg_names_memtype(type);

			if (!use->bytes[type])
				continue;
			if (use->device)
				json_array_append_new(devices, json_pack(
					"{s:s, s:i, s:s, s:I}", "device", use->device->address,
					"bar", (int)use->bar, "type", name, "bytes",
					(json_int_t)use->bytes[type]));
			else
				json_array_append_new(other, json_pack(
					"{s:o, s:I, s:s}", "phys", ncg_json_hex(1, use->phys), "bytes",
					(json_int_t)use->bytes[type], "type", name));
		}
	}
	json_object_set_new(json, "guest", json_string(guest->id));
	json_object_set_new(json, "pid", json_integer(vm->pid));
	json_object_set_new(json, "uid", json_integer(identity->uid));
	json_object_set_new(json, "name", text_or_empty(identity->name));
	json_object_set_new(json, "uuid", text_or_empty(identity->uuid));
	json_object_set_new(json, "vmm", text_or_empty(identity->vmm));
	json_object_set_new(json, "cgroup", text_or_empty(identity->cgroup));
	json_object_set_new(json, "vcpus", json_integer(vm->vcpus));
	json_object_set_new(json, "visible", json_boolean(guest->vm->visible));
	/* HCR_EL2.FWB, bit 46; unknown until the guest has a vCPU. */
	json_object_set_new(json, "fwb",
			    vm->hcr ? json_boolean(vm->hcr >> 46 & 1) : json_null());
	json_object_set_new(json, "types", types);
	json_object_set_new(json, "leaves", leaves);
	json_object_set_new(json, "devices", devices);
	json_object_set_new(json, "other", other);
	return json;
}

json_t *ncg_view_guests(const struct ncg_sources *sources)
{
	__attribute__((cleanup(release))) struct view view = {};
	json_t *list;

	/* No guests and no sight of them are two things. */
	if (!sources->walk)
		return json_pack("{s:s}", "error",
				 "stage-2 tables cannot be read on this host; ncgated's log says why");
	if (take(sources, &view))
		return NULL;
	list = json_array();
	for (size_t i = 0; i < view.count; i++)
		json_array_append_new(list, guest_json(&view.guests[i]));
	return json_pack("{s:o}", "guests", list);
}

static json_t *bar_json(const struct ncg_sources *sources, const struct view *view,
			const struct ncg_device *d, unsigned int bar)
{
	json_t *json = ncg_json_bar(d, bar), *guests = json_array();
	struct ncg_decision decision;

	decide_bar(sources, d, bar, &decision);
	for (size_t i = 0; i < view->count; i++) {
		const struct seen_guest *guest = &view->guests[i];

		for (size_t u = 0; u < guest->use_count; u++) {
			const struct use *use = &guest->uses[u];

			if (use->device != d || use->bar != bar)
				continue;
			for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++)
				if (use->bytes[type])
					json_array_append_new(guests, json_pack(
						"{s:s, s:s, s:I}", "guest", guest->id, "type",
						ncg_names_memtype(type), "bytes",
						(json_int_t)use->bytes[type]));
		}
	}
	ncg_json_put_decision(json, &decision);
	json_object_set_new(json, "guests", guests);
	return json;
}

static json_t *device_json(const struct ncg_sources *sources, const struct view *view,
			   const struct ncg_device *d)
{
	json_t *json = ncg_json_device(d), *bars = json_array();

	for (unsigned int bar = 0; bar < NCG_DEVICE_BARS; bar++)
		if (d->bars[bar].size && d->bars[bar].memory)
			json_array_append_new(bars, bar_json(sources, view, d, bar));
	json_object_set_new(json, "verdict", json_string(device_verdict(sources, d)));
	json_object_set_new(json, "bars", bars);
	return json;
}

json_t *ncg_view_devices(const struct ncg_sources *sources)
{
	__attribute__((cleanup(release))) struct view view = {};
	json_t *list;

	if (take(sources, &view))
		return NULL;
	list = json_array();
	for (size_t i = 0; i < view.devices->count; i++) {
		const struct ncg_device *d = &view.devices->list[i];

		if (ncg_device_assignable(d) || mapped_by_a_guest(&view, d))
			json_array_append_new(list, device_json(sources, &view, d));
	}
	return json_pack("{s:b, s:o}", "observed", sources->walk != NULL, "devices", list);
}
