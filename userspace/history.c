// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements history.h. A record that lacks something is told of as far as it goes,
 * or left out: whoever reads the trail says which lines are no records.
 */
#include "history.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "record_text.h"

struct ncg_history {
	const char *memory_type;
	json_t *entries;   /* an array */
	json_t *open;	   /* those of VMs that have not ended, by VM and place */
	json_t *decisions; /* the latest, by process and place */
	char *boot_id;
	char *last_time; /* of the record before */
	const struct ncg_trail_clock *clock;
};

struct ncg_history *ncg_history_new(const char *memory_type, const struct ncg_trail_clock *clock)
{
	struct ncg_history *history = calloc(1, sizeof(*history));

	if (!history)
		return NULL;
	*history = (struct ncg_history){
		.memory_type = memory_type,
		.clock = clock,
		.entries = json_array(),
		.open = json_object(),
		.decisions = json_object(),
		.boot_id = strdup(""),
		.last_time = strdup(""),
	};
	if (history->entries && history->open && history->decisions && history->boot_id &&
	    history->last_time)
		return history;
	ncg_history_free(history);
	return NULL;
}

void ncg_history_free(struct ncg_history *history)
{
	if (!history)
		return;
	json_decref(history->entries);
	json_decref(history->open);
	json_decref(history->decisions);
	free(history->boot_id);
	free(history->last_time);
	free(history);
}

/* Ends well before it begins: by more than two clocks can be read apart. */
static bool runs_back(const char *from, const char *to)
{
	__s64 from_ns, to_ns;

	return strcmp(to, from) < 0 && ncg_audit_parse_wall(from, &from_ns) &&
	       ncg_audit_parse_wall(to, &to_ns) && ncg_audit_clock_was_set(from_ns, to_ns);
}

/* Times as records have them compare as text. */
static bool overlaps(const json_t *part, const char *since, const char *until)
{
	const char *from = ncg_record_string(part, "from"), *to = ncg_record_string(part, "until");

	if (*to && runs_back(from, to))
		return strcmp(since, to) <= 0 || !*until || strcmp(until, from) >= 0;
	if (*until && strcmp(from, until) > 0)
		return false;
	return !*to || strcmp(to, since) >= 0;
}

bool ncg_history_was(const json_t *entry, const char *since, const char *until)
{
	const json_t *shown = json_object_get(entry, "shown"), *part;
	const json_t *corrected = json_object_get(entry, "corrected");
	size_t i;

	if (corrected && overlaps(corrected, since, until))
		return true;
	if (!shown)
		return overlaps(entry, since, until);
	json_array_foreach(shown, i, part)
		if (overlaps(part, since, until))
			return true;
	return false;
}

const json_t *ncg_history_entries(const struct ncg_history *history)
{
	return history->entries;
}

/* "OWNER/SLOT/BAR", for the caller to free; NULL where the place is no BAR. */
static char *make_key(const char *owner, const json_t *device)
{
	const char *slot = ncg_record_string(device, "slot");
	char *key;

	if (!*slot || asprintf(&key, "%s/%s/%lld", owner, slot,
			       (long long)json_integer_value(json_object_get(device, "bar"))) < 0)
		return NULL;
	return key;
}

/* A VM by its id, which is unique until the programs' state is removed. */
static char *owner_of(const json_t *record)
{
	char *owner;

	if (asprintf(&owner, "%lld", (long long)json_integer_value(json_object_get(record, "vm"))) < 0)
		return NULL;
	return owner;
}

/* ------------------------------------------------------------------------- ends */

/* A time of the record at hand, by the clock as it was set later; NULL where it was not. */
static const char *correct(const struct ncg_history *history, const char *time,
			   char ret_text[NCG_AUDIT_TIME_LEN])
{
	if (!history->clock)
		return NULL;
	ncg_trail_clock_correct(history->clock, time, ret_text);
	return strcmp(time, ret_text) ? ret_text : NULL;
}

/* The end of the last part of what the clock showed, and with `from` the next one. */
static void add_shown(json_t *entry, const char *until, const char *from)
{
	json_t *shown = json_object_get(entry, "shown");
	json_t *last = json_array_get(shown, json_array_size(shown) - 1);

	if (!shown && from) {
		shown = json_array();
		last = json_pack("{s:O, s:n}", "from", json_object_get(entry, "from"), "until");
		json_array_append_new(shown, last);
		json_object_set_new(entry, "shown", shown);
	}
	if (last)
		json_object_set_new(last, "until", json_string(until));
	if (from)
		json_array_append_new(shown, json_pack("{s:s, s:n}", "from", from, "until"));
}

/* corrected_until: NULL where `until` is right by the clock as it was set later. */
static void end_entry(json_t *entry, const char *until, const char *corrected_until,
		      const char *ended)
{
	json_t *corrected = json_object_get(entry, "corrected");

	json_object_set_new(entry, "until", json_string(until));
	json_object_set_new(entry, "ended", json_string(ended));
	add_shown(entry, until, NULL);
	if (!corrected && corrected_until) {
		corrected = json_pack("{s:O}", "from", json_object_get(entry, "from"));
		json_object_set_new(entry, "corrected", corrected);
	}
	if (corrected)
		json_object_set_new(corrected, "until", json_string(corrected_until ? corrected_until : until));
}

/* The host's clock was set: what is open goes on at another time. */
static void take_clock(struct ncg_history *history, const json_t *record)
{
	const char *before = ncg_record_string(record, "before"), *key;
	json_t *entry;

	json_object_foreach(history->open, key, entry)
		if (*before)
			add_shown(entry, before, ncg_record_string(record, "time"));
}

/* The host began anew: what was there ended between the last record and this one. */
static void take_start(struct ncg_history *history, const json_t *record)
{
	const char *boot_id = ncg_record_string(record, "boot_id"), *key;
	json_t *entry;

	if (!*boot_id || !strcmp(boot_id, history->boot_id))
		return;
	if (*history->boot_id) {
		json_object_foreach(history->open, key, entry)
			end_entry(entry, history->last_time, NULL, "host");
		json_object_clear(history->open);
		json_object_clear(history->decisions);
	}
	free(history->boot_id);
	history->boot_id = strdup(boot_id);
}

/* Takes from `open` what a VM had; with its time where it is known that it ended. */
static void close_vm(struct ncg_history *history, const char *owner, const char *until)
{
	char text[NCG_AUDIT_TIME_LEN];
	size_t length = owner ? strlen(owner) : 0;
	const char *key;
	json_t *entry;
	void *next;

	json_object_foreach_safe(history->open, next, key, entry) {
		if (!length || strncmp(key, owner, length) || key[length] != '/')
			continue;
		if (until)
			end_entry(entry, until, correct(history, until, text), "vm");
		json_object_del(history->open, key);
	}
}

/* A VM with this id begins: one that has it already ended unseen. */
static void take_vm_begin(struct ncg_history *history, const json_t *record)
{
	ncg_autofree char *owner = owner_of(record);

	close_vm(history, owner, NULL);
}

/* Whether what is open may be of the record's guest. */
static bool same_guest(const json_t *entry, const json_t *record)
{
	const char *whose = ncg_record_string(json_object_get(entry, "guest"), "id");

	return !*whose ||
	       !strcmp(whose, ncg_record_string(json_object_get(record, "guest"), "id"));
}

/*
 * Ids are given out anew once the programs' state was removed, in the same boot of the
 * host too: what another guest has under this id is another VM's, whose end nobody saw.
 */
static void close_other(struct ncg_history *history, const char *owner, const json_t *record)
{
	size_t length = owner ? strlen(owner) : 0;
	const char *key;
	json_t *entry;
	void *next;

	json_object_foreach_safe(history->open, next, key, entry)
		if (length && !strncmp(key, owner, length) && key[length] == '/' &&
		    !same_guest(entry, record))
			json_object_del(history->open, key);
}

/* A VM whose beginning is not in the trail; what is open may be its own, told before. */
static void take_vm_found(struct ncg_history *history, const json_t *record)
{
	ncg_autofree char *owner = owner_of(record);

	close_other(history, owner, record);
}

/* ------------------------------------------------------------------------ begin */

/* The decision that was in force for a process and a BAR, borrowed, or NULL. */
static json_t *decision_of(const struct ncg_history *history, const json_t *guest,
			   const json_t *device)
{
	ncg_autofree char *key = make_key(ncg_record_string(guest, "id"), device);

	return key ? json_object_get(history->decisions, key) : NULL;
}

static json_t *add_entry(struct ncg_history *history, const json_t *record, json_t *device,
			 const char *from)
{
	json_t *guest = json_object_get(record, "guest");
	json_t *decision = decision_of(history, guest, device);
	json_t *entry = json_pack("{s:O?, s:O?, s:O, s:s, s:s, s:n, s:n, s:s, s:O?}", "guest",
				  guest, "vm", json_object_get(record, "vm"), "device", device,
				  "memory_type", history->memory_type, "from", from, "until",
				  "ended", "told_by", ncg_record_string(record, "type"),
				  "decision", decision);

	char text[NCG_AUDIT_TIME_LEN];
	const char *by_now = correct(history, from, text);

	if (entry && by_now)
		json_object_set_new(entry, "corrected",
				    json_pack("{s:s, s:n}", "from", by_now, "until"));
	if (entry && json_array_append(history->entries, entry)) {
		json_decref(entry);
		return NULL;
	}
	return entry;
}

static void take_mapping(struct ncg_history *history, const json_t *record)
{
	/* What a loss hid was there before it was found. */
	const char *first = ncg_record_string(record, "first");
	json_t *device = json_object_get(record, "device");
	ncg_autofree char *owner = owner_of(record);
	ncg_autofree char *key = owner ? make_key(owner, device) : NULL;
	json_t *entry;

	if (!key)
		return;
	/* A record may not know whose the VM is; then it is taken for the one that is known. */
	if (json_object_get(record, "guest"))
		close_other(history, owner, record);
	if (json_object_get(history->open, key) ||
	    strcmp(ncg_record_string(record, "memory_type"), history->memory_type))
		return;
	entry = add_entry(history, record, device,
			  *first ? first : ncg_record_string(record, "time"));
	if (entry)
		json_object_set_new(history->open, key, entry);
}

static void take_vm_end(struct ncg_history *history, const json_t *record)
{
	const char *until = ncg_record_string(record, "time");
	ncg_autofree char *owner = owner_of(record);
	char text[NCG_AUDIT_TIME_LEN];
	json_t *total;
	size_t i;

	/* Who ended a VM that mapped nothing need not be whose it was. */
	if (json_object_get(record, "guest") &&
	    json_array_size(json_object_get(record, "mapped")))
		close_other(history, owner, record);
	json_array_foreach(json_object_get(record, "mapped"), i, total) {
		json_t *device = json_object_get(total, "device"), *entry;
		ncg_autofree char *key = owner ? make_key(owner, device) : NULL;

		if (!key || strcmp(ncg_record_string(total, "memory_type"), history->memory_type))
			continue;
		entry = json_incref(json_object_get(history->open, key));
		if (!entry)
			entry = add_entry(history, record, device, ncg_record_string(total, "first"));
		if (!entry)
			continue;
		end_entry(entry, until, correct(history, until, text), "vm");
		json_object_set(entry, "maps", json_object_get(total, "maps"));
		json_object_set(entry, "bytes", json_object_get(total, "bytes"));
		json_object_del(history->open, key);
		json_decref(entry);
	}
	/* What the totals do not name ended as well. */
	close_vm(history, owner, until);
}

static void take_decision(struct ncg_history *history, const json_t *record)
{
	static const char *const members[] = { "time",  "verdict", "reason", "rule",
					       "mode",	"grade",   "policy" };
	ncg_autofree char *key = make_key(
		ncg_record_string(json_object_get(record, "guest"), "id"),
		json_object_get(record, "device"));
	json_t *decision = json_object();

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (json_object_get(record, members[i]))
			json_object_set(decision, members[i], json_object_get(record, members[i]));
	if (key)
		json_object_set(history->decisions, key, decision);
	json_decref(decision);
}

void ncg_history_take(struct ncg_history *history, const json_t *record)
{
	static const struct {
		const char *type;
		void (*take)(struct ncg_history *history, const json_t *record);
	} types[] = {
		{ "daemon_start", take_start },
		{ "clock_changed", take_clock },
		{ "decision", take_decision },
		{ "vm_create", take_vm_begin },
		{ "vm_found", take_vm_found },
		{ "stage2_first", take_mapping },
		{ "found_mapped", take_mapping },
		{ "vm_destroy", take_vm_end },
	};
	const char *type = ncg_record_string(record, "type");
	const char *time = ncg_record_string(record, "time");
	char *last;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].type, type))
			types[i].take(history, record);
	last = strdup(time);
	if (last) {
		free(history->last_time);
		history->last_time = last;
	}
}
