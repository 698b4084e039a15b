// SPDX-License-Identifier: GPL-2.0-only
#include "json.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "names.h"

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

/* Length of the UTF-8 character at text, of at most size bytes; 0: there is none. */
static size_t utf8_length(const char *text, size_t size)
{
	for (size_t length = 1; length <= 4 && length <= size; length++) {
		/* The library knows what UTF-8 is. */
		json_t *character = json_stringn(text, length);

		json_decref(character);
		if (character)
			return length;
	}
	return 0;
}

json_t *ncg_json_text(const char *text, size_t size)
{
	static const char bad[] = "\xef\xbf\xbd"; /* U+FFFD */
	ncg_autofree char *mended = NULL;
	json_t *json;
	size_t used = 0;

	size = strnlen(text, size);
	json = json_stringn(text, size);
	if (json)
		return json;
	mended = malloc(size * strlen(bad) + 1);
	if (!mended)
		return NULL;
	for (size_t at = 0; at < size;) {
		size_t length = utf8_length(text + at, size - at);

		memcpy(mended + used, length ? text + at : bad, length ? length : strlen(bad));
		used += length ? length : strlen(bad);
		at += length ? length : 1;
	}
	return json_stringn(mended, used);
}

json_t *ncg_json_device(const struct ncg_device *d)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:i}", "device",
			 d->address, "vendor_id", ncg_json_hex(4, d->vendor), "device_id",
			 ncg_json_hex(4, d->device), "subsystem_vendor_id",
			 ncg_json_hex(4, d->subvendor), "subsystem_device_id",
			 ncg_json_hex(4, d->subdevice), "class", ncg_json_hex(6, d->class_code),
			 "revision", ncg_json_hex(2, d->revision), "name", d->name, "driver",
			 d->driver, "iommu_group", (int)d->iommu_group);
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
