// SPDX-License-Identifier: GPL-2.0-only
/* Implements trail_filter.h. A record that lacks a member is about nobody. */
#include "trail_filter.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record_text.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* sscanf(3) alone would take blanks, signs and 0x too. */
static bool is_hex(const char *text, const char *more)
{
	for (; *text; text++)
		if (!isxdigit((unsigned char)*text) && !strchr(more, *text))
			return false;
	return true;
}

static bool parse_slot(const char *text, struct ncg_trail_device *ret)
{
	const struct ncg_trail_device none = { .by_slot = true };
	struct ncg_trail_device d = none;
	bool whole;
	char extra;

	whole = sscanf(text, "%8x:%2x:%2x.%1x%c", &d.domain, &d.bus, &d.slot, &d.function,
		       &extra) == 4;
	if (!whole) {
		d = none;
		whole = sscanf(text, "%2x:%2x.%1x%c", &d.bus, &d.slot, &d.function, &extra) == 3;
	}
	if (!whole || !is_hex(text, ":.") || d.slot > 0x1f || d.function > 7)
		return false;
	*ret = d;
	return true;
}

static bool parse_ids(const char *text, struct ncg_trail_device *ret)
{
	struct ncg_trail_device d = {};
	char extra;

	if (strlen(text) != 9 || text[4] != ':' || !is_hex(text, ":") ||
	    sscanf(text, "%4x:%4x%c", &d.vendor, &d.id, &extra) != 2)
		return false;
	*ret = d;
	return true;
}

bool ncg_trail_device_parse(const char *text, struct ncg_trail_device *ret_device)
{
	return parse_slot(text, ret_device) || parse_ids(text, ret_device);
}

static bool is_guest(const char *wanted, const json_t *guest)
{
	const json_t *number = json_object_get(guest, "pid");
	char pid[24];

	if (!wanted || !strcmp(wanted, ncg_record_string(guest, "name")) ||
	    !strcmp(wanted, ncg_record_string(guest, "id")) ||
	    !strcasecmp(wanted, ncg_record_string(guest, "uuid")))
		return true;
	snprintf(pid, sizeof(pid), "%lld", (long long)json_integer_value(number));
	return number && !strcmp(wanted, pid);
}

static bool is_id(unsigned int wanted, const json_t *device, const char *key)
{
	const char *text = ncg_record_string(device, key);

	return strlen(text) == 4 && is_hex(text, "") && strtoul(text, NULL, 16) == wanted;
}

static bool is_device(const struct ncg_trail_device *wanted, const json_t *device)
{
	struct ncg_trail_device is;

	if (!wanted)
		return true;
	if (!wanted->by_slot)
		return is_id(wanted->vendor, device, "vendor_id") &&
		       is_id(wanted->id, device, "device_id");
	return parse_slot(ncg_record_string(device, "slot"), &is) && is.domain == wanted->domain &&
	       is.bus == wanted->bus && is.slot == wanted->slot &&
	       is.function == wanted->function;
}

bool ncg_trail_is_about(const json_t *record, const char *guest,
			const struct ncg_trail_device *device)
{
	static const char *const lists[] = { "mapped", "of" };
	const json_t *own = json_object_get(record, "guest"), *part;
	size_t i;

	if (is_guest(guest, own) && is_device(device, json_object_get(record, "device")))
		return true;
	for (size_t list = 0; list < ARRAY_SIZE(lists); list++)
		json_array_foreach(json_object_get(record, lists[list]), i, part) {
			const json_t *whose = json_object_get(part, "guest");

			if (is_guest(guest, whose ? whose : own) &&
			    is_device(device, json_object_get(part, "device")))
				return true;
		}
	return false;
}
