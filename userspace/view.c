// SPDX-License-Identifier: GPL-2.0-only
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "cleanup.h"
#include "difference.h"
#include "exposition.h"
#include "gate.h"
#include "json.h"
#include "log.h"
#include "names.h"
#include "picture.h"
#include "view_guest.h"
#include "view_walk.h"

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

static bool mapped_by_a_guest(const struct ncg_picture *picture, const struct ncg_device *d)
{
	for (size_t i = 0; i < picture->count; i++)
		for (size_t u = 0; u < picture->guests[i].use_count; u++)
			if (picture->guests[i].uses[u].device == d)
				return true;
	return false;
}

/* Bound to a VFIO driver, or in a guest's tables whatever the driver. */
static bool shown(const struct ncg_picture *picture, const struct ncg_device *d)
{
	return strstr(d->driver, "vfio") || mapped_by_a_guest(picture, d);
}

/* The picture that all calls show; nobody sees a guest that was not looked at. */
static int take(const struct ncg_sources *sources, struct ncg_picture *ret_picture)
{
	ncg_autopicture struct ncg_picture picture = {};
	int r = ncg_picture_take(sources->walk, sources->inventory, sources->identities,
				 &picture);

	if (!r && sources->walk)
		r = ncg_mismatch_watch_look(sources->mismatches, &picture);
	if (r)
		return r;
	*ret_picture = picture;
	picture = (struct ncg_picture){};
	return 0;
}

int ncg_view_look(const struct ncg_sources *sources)
{
	ncg_autopicture struct ncg_picture picture = {};

	return sources->walk ? take(sources, &picture) : 0;
}

/* ------------------------------------------------------------------- metrics */

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
	ncg_exposition_u64(e, NCG_MF_POLICY_STALE_NAMES, ncg_name_watch_gone(sources->names),
			   NCG_LABELS());
	ncg_exposition_u64(e, NCG_MF_POLICY_LOADED_TIMESTAMP_SECONDS, sources->policy_loaded,
			   NCG_LABELS());
}

static void device_metrics(struct ncg_exposition *e, const struct ncg_sources *sources,
			   const struct ncg_picture *picture)
{
	for (size_t i = 0; i < picture->devices->count; i++) {
		const struct ncg_device *d = &picture->devices->list[i];
		char vendor[8], device[8], class_code[8];

		if (!shown(picture, d))
			continue;
		snprintf(vendor, sizeof(vendor), "%04x", d->vendor);
		snprintf(device, sizeof(device), "%04x", d->device);
		snprintf(class_code, sizeof(class_code), "%06x", d->class_code & 0xffffff);
		ncg_exposition_u64(e, NCG_MF_DEVICE_INFO, 1,
				   NCG_LABELS(d->address, vendor, device, class_code, d->driver,
					      d->name, device_verdict(sources, d)));
	}
}

static bool counted_use(void *arg, const struct ncg_use_key *key, struct ncg_use *ret_use)
{
	const struct ncg_programs *programs = arg;

	return !bpf_map_lookup_elem(ncg_programs_map(programs, "uses"), key, ret_use);
}

static bool attached(const struct ncg_programs *programs, enum ncg_program program)
{
	return ncg_programs_status(programs, program)->state == NCG_PROGRAM_ATTACHED;
}

/* Where the walk and the programs can be held against each other. */
static void difference_metrics(struct ncg_exposition *e, const struct ncg_sources *sources,
			       const struct ncg_picture *picture, const __u64 *counters)
{
	struct ncg_difference_counts counts = { counted_use, (void *)sources->programs };
	__u64 seen = counters[NCG_CTR_VMS_CREATED] - counters[NCG_CTR_VMS_DESTROYED];

	if (attached(sources->programs, NCG_PROGRAM_VM_CREATE) &&
	    attached(sources->programs, NCG_PROGRAM_VM_DESTROY))
		ncg_exposition_double(e, NCG_MF_GUESTS_DIFFERENCE,
				      (__s64)(picture->count - seen), NCG_LABELS());
	if (attached(sources->programs, NCG_PROGRAM_STAGE2_MAP))
		ncg_difference_metrics(e, picture, &counts);
}

int ncg_view_metrics(const struct ncg_sources *sources, char **ret_text, size_t *ret_size)
{
	ncg_autoexposition struct ncg_exposition *e = NULL;
	enum ncg_grade grade = ncg_programs_grade(sources->programs);
	ncg_autopicture struct ncg_picture picture = {};
	__u64 counters[NCG_CTR_NR], before_gate;
	int r;

	r = take(sources, &picture);
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
		ncg_exposition_u64(e, NCG_MF_PROGRAM_OLDER_BUILD, s->older_build,
				   NCG_LABELS(s->name));
	}
	policy_metrics(e, sources);
	/* Not counted yet is not 0. */
	if (!ncg_programs_before_gate(sources->programs, &before_gate))
		ncg_exposition_u64(e, NCG_MF_BAR_MMAPS_BEFORE_GATE, before_gate, NCG_LABELS());
	ncg_exposition_counters(e, counters);
	ncg_map_watch_metrics(sources->map_watch, ncg_inventory_bars(sources->inventory).used, e);
	ncg_exposition_u64(e, NCG_MF_BARS_LEFT_OUT,
			   ncg_inventory_bars(sources->inventory).left_out, NCG_LABELS());
	ncg_exposition_u64(e, NCG_MF_AUDIT_RECORDS_TOTAL, ncg_audit_records(sources->audit),
			   NCG_LABELS());
	ncg_exposition_u64(e, NCG_MF_AUDIT_WRITE_ERRORS_TOTAL, ncg_audit_errors(sources->audit),
			   NCG_LABELS());
	for (enum ncg_audit_sink s = 0; s < NCG_AUDIT_SINK_NR; s++)
		ncg_exposition_u64(e, NCG_MF_AUDIT_SINK_ERRORS_TOTAL,
				   ncg_audit_sink_errors(sources->audit, s),
				   NCG_LABELS(ncg_audit_sink_name(s)));
	device_metrics(e, sources, &picture);
	if (sources->walk) {
		ncg_view_guest_metrics(e, &picture);
		ncg_mismatch_watch_metrics(sources->mismatches, e);
		difference_metrics(e, sources, &picture, counters);
	}
	r = ncg_exposition_finish(e, ret_text, ret_size);
	return r ? ncg_log_error(r, "metrics cannot be made") : 0;
}

/* ---------------------------------------------------------------------- JSON */

static json_t *programs_json(const struct ncg_programs *programs)
{
	json_t *list = json_array();

	for (enum ncg_program p = 0; p < NCG_PROGRAM_NR; p++) {
		const struct ncg_program_status *s = ncg_programs_status(programs, p);

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:b, s:s?, s:s}", "name",
						      s->name, "target", s->target, "state",
						      ncg_programs_state_name(s->state), "adopted",
						      s->adopted, "older_build", s->older_build,
						      "error",
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
	return json_pack("{s:o, s:s, s:s, s:I, s:I, s:s, s:s, s:b, s:o}", "file",
			 ncg_json_string(sources->policy_file), "mode", ncg_names_mode(head.mode), "default",
			 ncg_names_verdict(head.fallback), "generation",
			 (json_int_t)head.generation, "rules", (json_int_t)head.rules, "sha256",
			 sha256, "loaded", loaded, "last_reload_ok", sources->last_reload_ok,
			 "stale_names", ncg_name_watch_gone_json(sources->names));
}

json_t *ncg_view_status(const struct ncg_sources *sources)
{
	ncg_autopicture struct ncg_picture picture = {};
	__u64 counters[NCG_CTR_NR], before_gate;
	json_t *status = json_object(), *sums = json_object();
	struct utsname uts;

	if (take(sources, &picture) ||
	    ncg_programs_counters(sources->programs, counters)) {
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
	json_object_set_new(status, "mismatches", ncg_mismatch_watch_json(sources->mismatches));
	json_object_set_new(status, "guests", json_integer(picture.count));
	json_object_set_new(status, "counters", sums);
	json_object_set_new(status, "audit",
			    json_pack("{s:o, s:I, s:I}", "path",
				      ncg_json_string(sources->audit_file), "records",
				      (json_int_t)ncg_audit_records(sources->audit), "errors",
				      (json_int_t)ncg_audit_errors(sources->audit)));
	json_object_set_new(status, "walk_errors",
			    json_integer(sources->walk ? ncg_walk_stats(sources->walk).errors : 0));
	return status;
}

static json_t *tables_unreadable(void)
{
	return json_pack("{s:s}", "error",
			 "stage-2 tables cannot be read on this host; ncgated's log says why");
}

json_t *ncg_view_guests(const struct ncg_sources *sources)
{
	ncg_autopicture struct ncg_picture picture = {};
	json_t *list;

	/* No guests and no sight of them are two things. */
	if (!sources->walk)
		return tables_unreadable();
	if (take(sources, &picture))
		return NULL;
	list = json_array();
	for (size_t i = 0; i < picture.count; i++)
		json_array_append_new(list, ncg_view_guest(&picture.guests[i]));
	return json_pack("{s:o}", "guests", list);
}

json_t *ncg_view_walk_guest(const struct ncg_sources *sources, const char *id)
{
	ncg_autopicture struct ncg_picture picture = {};

	if (!sources->walk)
		return tables_unreadable();
	return take(sources, &picture) ? NULL : ncg_view_walk(&picture, id);
}

static json_t *bar_json(const struct ncg_sources *sources, const struct ncg_picture *picture,
			const struct ncg_device *d, unsigned int bar)
{
	json_t *json = ncg_json_bar(d, bar), *guests = json_array();
	struct ncg_decision decision;

	decide_bar(sources, d, bar, &decision);
	for (size_t i = 0; i < picture->count; i++) {
		const struct ncg_picture_guest *guest = &picture->guests[i];

		for (size_t u = 0; u < guest->use_count; u++) {
			const struct ncg_picture_use *use = &guest->uses[u];

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

static json_t *device_json(const struct ncg_sources *sources, const struct ncg_picture *picture,
			   const struct ncg_device *d)
{
	json_t *json = ncg_json_device(d), *bars = json_array();

	for (unsigned int bar = 0; bar < NCG_DEVICE_BARS; bar++)
		if (d->bars[bar].size && d->bars[bar].memory)
			json_array_append_new(bars, bar_json(sources, picture, d, bar));
	json_object_set_new(json, "verdict", json_string(device_verdict(sources, d)));
	json_object_set_new(json, "bars", bars);
	return json;
}

json_t *ncg_view_devices(const struct ncg_sources *sources)
{
	ncg_autopicture struct ncg_picture picture = {};
	json_t *list;

	if (take(sources, &picture))
		return NULL;
	list = json_array();
	for (size_t i = 0; i < picture.devices->count; i++) {
		const struct ncg_device *d = &picture.devices->list[i];

		if (ncg_device_assignable(d) || mapped_by_a_guest(&picture, d))
			json_array_append_new(list, device_json(sources, &picture, d));
	}
	return json_pack("{s:b, s:o}", "observed", sources->walk != NULL, "devices", list);
}
