/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How numbers that people read in hexadecimal are written, in JSON and as text:
 * addresses and ids without a prefix, digests in lower case. Pure.
 */
#ifndef NCGATE_JSON_H
#define NCGATE_JSON_H

#include <jansson.h>

#include "abi.h"

#define NCG_SHA256_TEXT_LEN (2 * NCG_SHA256_LEN + 1) /* NUL included */

void ncg_json_sha256_text(const __u8 sha256[NCG_SHA256_LEN], char ret_text[NCG_SHA256_TEXT_LEN]);

/* Both return a new string, NULL when there is no memory. */
json_t *ncg_json_sha256(const __u8 sha256[NCG_SHA256_LEN]);
json_t *ncg_json_hex(unsigned int digits, __u64 value); /* at least so many digits */

#endif
