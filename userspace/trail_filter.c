// SPDX-License-Identifier: GPL-2.0-only
/* Implements trail_filter.h. A record that lacks a member is about nobody. */
#include "trail_filter.h"

#include <stdio.h>
#include <string.h>

#include "record_text.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static bool is_guest(const char *wanted, const json_t *guest)
{
	static const char *const keys[] = { "name", "uuid", "id" };
	const json_t *number = json_object_get(guest, "pid");
	char pid[24];

	if (!wanted)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(wanted, ncg_record_string(guest, keys[i])))
			return true;
	snprintf(pid, sizeof(pid), "%lld", (long long)json_integer_value(number));
	return number && !strcmp(wanted, pid);
}

static bool is_device(const char *wanted, const json_t *device)
{
	const char *slot = ncg_record_string(device, "slot");
	const char *vendor = ncg_record_string(device, "vendor_id");
	size_t length = strlen(vendor);

	if (!wanted || !strcasecmp(wanted, slot))
		return true;
	if (!strncmp(slot, "0000:", 5) && !strcasecmp(wanted, slot + 5))
		return true;
	return !strncasecmp(wanted, vendor, length) && wanted[length] == ':' &&
	       !strcasecmp(wanted + length + 1, ncg_record_string(device, "device_id"));
}

bool ncg_trail_is_about(const json_t *record, const char *guest, const char *device)
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
