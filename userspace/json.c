// SPDX-License-Identifier: GPL-2.0-only
/* How things are written as JSON: see json.h. Owns no state. */
#include "json.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "names.h"
#include "text.h"

void ncg_json_sha256_text(const __u8 sha256[NCG_SHA256_LEN], char ret_text[NCG_SHA256_TEXT_LEN])
{
	for (size_t i = 0; i < NCG_SHA256_LEN; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", sha256[i]);
}

json_t *ncg_json_sha256(const __u8 sha256[NCG_SHA256_LEN])
{
	char text[NCG_SHA256_TEXT_LEN];

	ncg_json_sha256_text(sha256, text);
	return json_string(text);
}

json_t *ncg_json_hex(unsigned int digits, __u64 value)
{
	char text[20];

	snprintf(text, sizeof(text), "%0*llx", (int)digits, value);
	return json_string(text);
}

json_t *ncg_json_unsigned(__u64 value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *ncg_json_text(const char *text, size_t size)
{
	ncg_autofree char *repaired = ncg_text_repair(text, strnlen(text, size));

	return repaired ? json_string(repaired) : NULL;
}

json_t *ncg_json_name(const char *text, size_t size)
{
	char name[NCG_TEXT_NAME_LEN];

	ncg_text_name(text, strnlen(text, size), name);
	return json_string(name);
}

json_t *ncg_json_string(const char *text)
{
	return text ? ncg_json_text(text, strlen(text)) : json_string("");
}

json_t *ncg_json_visible(const json_t *json)
{
	ncg_autofree char *text = NULL;
	const json_t *value;
	json_t *copy;
	const char *key;
	size_t i;

	switch (json_typeof(json)) {
	case JSON_STRING:
		text = ncg_text_visible(json_string_value(json), json_string_length(json));
		return text ? json_string(text) : NULL;
	case JSON_ARRAY:
		copy = json_array();
		json_array_foreach(json, i, value)
			json_array_append_new(copy, ncg_json_visible(value));
		return copy;
	case JSON_OBJECT:
		copy = json_object();
		json_object_foreach((json_t *)json, key, value) {
			ncg_autofree char *name = ncg_text_visible(key, strlen(key));

			if (name)
				json_object_set_new(copy, name, ncg_json_visible(value));
		}
		return copy;
	default:
		return json_copy((json_t *)json);
	}
}

json_t *ncg_json_device(const struct ncg_device *d)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "device",
			 d->address, "vendor_id", ncg_json_hex(4, d->vendor), "device_id",
			 ncg_json_hex(4, d->device), "subsystem_vendor_id",
			 ncg_json_hex(4, d->subvendor), "subsystem_device_id",
			 ncg_json_hex(4, d->subdevice), "class", ncg_json_hex(6, d->class_code),
			 "revision", ncg_json_hex(2, d->revision), "name",
			 ncg_json_name(d->name, sizeof(d->name)), "driver",
			 ncg_json_name(d->driver, sizeof(d->driver)), "iommu_group",
			 (int)d->iommu_group);
}

json_t *ncg_json_bar(const struct ncg_device *d, unsigned int bar)
{
	return json_pack("{s:i, s:o, s:o, s:b}", "bar", (int)bar, "start",
			 ncg_json_hex(1, d->bars[bar].start), "size",
			 ncg_json_unsigned(d->bars[bar].size), "prefetchable",
			 (int)d->bars[bar].prefetchable);
}

int ncg_json_put_decision(json_t *json, const struct ncg_decision *decision)
{
	json_t *rule;
	int r = json_object_set_new(json, "verdict",
				    json_string(ncg_names_verdict(decision->verdict)));

	r |= json_object_set_new(json, "reason", json_string(ncg_names_reason(decision->reason)));
	if (decision->reason != NCG_REASON_RULE)
		return r ? -ENOMEM : 0;
	rule = json_pack("{s:o, s:I}", "file",
			 ncg_json_text(decision->file, sizeof(decision->file)), "line",
			 (json_int_t)decision->line);
	if (decision->audit)
		r |= json_object_set_new(rule, "audit", json_true());
	r |= json_object_set_new(json, "rule", rule);
	return r ? -ENOMEM : 0;
}
