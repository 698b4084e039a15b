// SPDX-License-Identifier: GPL-2.0-only
#include "mismatch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "log.h"
#include "names.h"
#include "record.h"
#include "verdict.h"

struct ncg_mismatch_watch {
	struct ncg_mismatch_policy policy;
	struct ncg_audit *audit;
	/*
	 * Of the last look: a record's fields by "GUEST PLACE KIND". GUEST is the picture's
	 * id, which tells the VMs of one process apart; the record's tells processes.
	 */
	json_t *found;
};

const char *ncg_mismatch_name(enum ncg_mismatch mismatch)
{
	static const char *const names[NCG_MISMATCH_NR] = {
		[NCG_MISMATCH_NONE] = "none",
		[NCG_MISMATCH_STALE] = "stale",
		[NCG_MISMATCH_UNEXPECTED] = "unexpected",
		[NCG_MISMATCH_ABSENT] = "absent",
	};

	return mismatch < NCG_MISMATCH_NR ? names[mismatch] : "invalid";
}

/* A verdict reached the kernel and decided what was mapped. */
static bool had_effect(const struct ncg_decided *then)
{
	return then->acts && then->grade != NCG_GRADE_NONE;
}

enum ncg_mismatch ncg_mismatch_of(const struct ncg_decision *now, const struct ncg_decided *then,
				  enum ncg_memtype type)
{
	if (!ncg_verdict_acts(now))
		return NCG_MISMATCH_NONE;
	if (now->verdict == NCG_VERDICT_ALLOW)
		return type == NCG_MT_NORMAL_NC || type == NCG_MT_NORMAL_WB ? NCG_MISMATCH_NONE :
									    NCG_MISMATCH_ABSENT;
	if (type != NCG_MT_NORMAL_NC)
		return NCG_MISMATCH_NONE;
	if (!then)
		return NCG_MISMATCH_UNEXPECTED;
	if (had_effect(then))
		return then->verdict == NCG_VERDICT_ALLOW ? NCG_MISMATCH_STALE :
							    NCG_MISMATCH_UNEXPECTED;
	/* The kernel's default, which an older policy left in force, or this one must. */
	return then->generation != now->generation ? NCG_MISMATCH_STALE : NCG_MISMATCH_UNEXPECTED;
}

int ncg_mismatch_watch_open(const struct ncg_mismatch_policy *policy, struct ncg_audit *audit,
			    struct ncg_mismatch_watch **ret_watch)
{
	struct ncg_mismatch_watch *watch = calloc(1, sizeof(*watch));

	if (watch)
		watch->found = json_object();
	if (!watch || !watch->found) {
		ncg_mismatch_watch_close(watch);
		return ncg_log_error(-ENOMEM, "no memory");
	}
	watch->policy = *policy;
	watch->audit = audit;
	*ret_watch = watch;
	return 0;
}

void ncg_mismatch_watch_close(struct ncg_mismatch_watch *watch)
{
	if (!watch)
		return;
	json_decref(watch->found);
	free(watch);
}

/* ---------------------------------------------------------------------- look */

/* One use of one guest, and both decisions about it. */
struct place {
	const struct ncg_picture_guest *guest;
	const struct ncg_picture_use *use;
	struct ncg_decision now;
	struct ncg_decided then;
	bool decided;
};

static void ask(const struct ncg_mismatch_watch *watch, struct place *place)
{
	const struct ncg_device *device = place->use->device;
	const struct ncg_vm *vm = &place->guest->vm->vm;
	const struct ncg_guest *identity = &place->guest->identity;
	struct ncg_mapper mapper = { .uid = identity->uid, .cgroup = identity->cgroup };
	/* Of memory that is in no BAR no rule that names a device can speak. */
	struct ncg_tuple tuple = { .uid = mapper.uid };

	if (device)
		tuple = ncg_verdict_tuple(device, place->use->bar, &mapper);
	watch->policy.decide(watch->policy.arg, &tuple, mapper.cgroup, &place->now);
	if (device) {
		struct ncg_decided_key key = {
			.start_boot_ns = vm->start_boot_ns,
			.pid = vm->pid,
			.domain = device->domain,
			.bus = device->bus,
			.devfn = device->devfn,
			.bar = place->use->bar,
		};

		place->decided = watch->policy.decided(watch->policy.arg, &key, &place->then);
	}
}

static json_t *decided_json(const struct place *place)
{
	if (!place->decided)
		return json_null();
	return json_pack("{s:s, s:o, s:s, s:b}", "verdict",
			 ncg_names_verdict(place->then.verdict), "generation",
			 ncg_json_unsigned(place->then.generation), "grade",
			 ncg_names_grade(place->then.grade), "acts", (int)place->then.acts);
}

/* Of a process that is gone, only its number and start are left. */
static json_t *guest_json(const struct ncg_picture_guest *guest)
{
	const struct ncg_guest *identity = &guest->identity;
	struct ncg_vm_note who = {
		.task = {
			.pid = guest->vm->vm.pid,
			.start_boot_ns = guest->vm->vm.start_boot_ns,
			.uid = identity->uid,
		},
	};

	snprintf(who.vmm, sizeof(who.vmm), "%s", identity->vmm ?: "");
	snprintf(who.name, sizeof(who.name), "%s", identity->name ?: "");
	snprintf(who.uuid, sizeof(who.uuid), "%s", identity->uuid ?: "");
	snprintf(who.cgroup, sizeof(who.cgroup), "%s", identity->cgroup ?: "");
	return ncg_record_guest(&who);
}

static json_t *fields(const struct place *place, enum ncg_mismatch mismatch, __u64 bytes)
{
	const struct ncg_picture_use *use = place->use;
	json_t *f = json_pack("{s:s, s:o, s:o}", "mismatch", ncg_mismatch_name(mismatch), "guest",
			      guest_json(place->guest), "bytes", ncg_json_unsigned(bytes));

	if (place->guest->vm->vm.id)
		json_object_set_new(f, "vm", json_integer(place->guest->vm->vm.id));
	if (use->device)
		json_object_set_new(f, "device", ncg_record_device(use->device, use->bar));
	else
		json_object_set_new(f, "phys", ncg_json_hex(1, use->phys));
	ncg_json_put_decision(f, &place->now);
	json_object_set_new(f, "policy_generation", ncg_json_unsigned(place->now.generation));
	json_object_set_new(f, "decided", decided_json(place));
	return f;
}

/* Adds what is wrong with one use to found, of each kind one. */
static void look_at_use(const struct ncg_mismatch_watch *watch, struct place *place, json_t *found)
{
	const struct ncg_picture_use *use = place->use;
	__u64 bytes[NCG_MISMATCH_NR] = {};
	char key[128];

	ask(watch, place);
	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++) {
		__u64 of_type = use->bytes[type] + use->nested_bytes[type];

		if (of_type)
			bytes[ncg_mismatch_of(&place->now, place->decided ? &place->then : NULL,
					      type)] += of_type;
	}
	/* Device memory that is no BAR is as it should be. */
	if (!use->device)
		bytes[NCG_MISMATCH_ABSENT] = 0;
	for (enum ncg_mismatch m = NCG_MISMATCH_NONE + 1; m < NCG_MISMATCH_NR; m++) {
		if (!bytes[m])
			continue;
		if (use->device)
			snprintf(key, sizeof(key), "%s %s BAR %u %s", place->guest->id,
				 use->device->address, use->bar, ncg_mismatch_name(m));
		else
			snprintf(key, sizeof(key), "%s 0x%llx %s", place->guest->id, use->phys,
				 ncg_mismatch_name(m));
		json_object_set_new(found, key, fields(place, m, bytes[m]));
	}
}

static void say(const char *key, const json_t *f)
{
	static const char *const meaning[NCG_MISMATCH_NR] = {
		[NCG_MISMATCH_STALE] = "Normal-NC that an older policy granted and this one denies",
		[NCG_MISMATCH_UNEXPECTED] = "Normal-NC that the policy denies and no decision granted",
		[NCG_MISMATCH_ABSENT] = "no Normal-NC, though the policy allows it",
	};
	const char *kind = json_string_value(json_object_get(f, "mismatch"));

	for (enum ncg_mismatch m = NCG_MISMATCH_NONE + 1; m < NCG_MISMATCH_NR; m++)
		if (!strcmp(kind, ncg_mismatch_name(m)))
			ncg_warning("guest %s: %s, until the guest ends", key, meaning[m]);
}

/* Records what is in `now` and not in `before`. */
static void record_new(const struct ncg_mismatch_watch *watch, json_t *now, const json_t *before,
		       const char *type)
{
	const char *key;
	json_t *f;

	json_object_foreach(now, key, f) {
		if (json_object_get(before, key))
			continue;
		if (now != watch->found)
			say(key, f);
		ncg_audit_write_kept(watch->audit, type, json_copy(f));
	}
}

int ncg_mismatch_watch_look(struct ncg_mismatch_watch *watch, const struct ncg_picture *picture)
{
	json_t *found = json_object();

	if (!found)
		return ncg_log_error(-ENOMEM, "no memory");
	for (size_t i = 0; i < picture->count; i++)
		for (size_t u = 0; u < picture->guests[i].use_count; u++) {
			struct place place = {
				.guest = &picture->guests[i],
				.use = &picture->guests[i].uses[u],
			};

			look_at_use(watch, &place, found);
		}
	record_new(watch, found, watch->found, "mismatch");
	record_new(watch, watch->found, found, "mismatch_over");
	json_decref(watch->found);
	watch->found = found;
	return 0;
}

/* ---------------------------------------------------------------------- show */

json_t *ncg_mismatch_watch_json(const struct ncg_mismatch_watch *watch)
{
	json_t *list = json_array(), *f;
	const char *key;

	json_object_foreach(watch->found, key, f)
		json_array_append(list, f);
	return list;
}

void ncg_mismatch_watch_metrics(const struct ncg_mismatch_watch *watch,
				struct ncg_exposition *e)
{
	__u64 kinds[NCG_MISMATCH_NR] = {};
	const char *key;
	json_t *f;

	json_object_foreach(watch->found, key, f) {
		const json_t *device = json_object_get(f, "device");
		const char *kind = json_string_value(json_object_get(f, "mismatch"));
		char bar[24] = "", guest[sizeof(((struct ncg_picture_guest *)0)->id)];

		for (enum ncg_mismatch m = 0; m < NCG_MISMATCH_NR; m++)
			kinds[m] += !strcmp(kind, ncg_mismatch_name(m));
		if (!device)
			continue;
		snprintf(bar, sizeof(bar), "%lld",
			 (long long)json_integer_value(json_object_get(device, "bar")));
		snprintf(guest, sizeof(guest), "%.*s", (int)strcspn(key, " "), key);
		ncg_exposition_u64(e, NCG_MF_MISMATCH_BYTES,
				   json_integer_value(json_object_get(f, "bytes")),
				   NCG_LABELS(guest,
					      json_string_value(json_object_get(device, "slot")),
					      bar, kind));
	}
	for (enum ncg_mismatch m = NCG_MISMATCH_NONE + 1; m < NCG_MISMATCH_NR; m++)
		ncg_exposition_u64(e, NCG_MF_MISMATCHES, kinds[m],
				   NCG_LABELS(ncg_mismatch_name(m)));
}
