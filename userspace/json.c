// SPDX-License-Identifier: GPL-2.0-only
#include "json.h"

#include <stdio.h>

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
