/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How things that stand in more than one document are written as JSON, and how
 * numbers that people read in hexadecimal are: addresses and ids without a prefix,
 * digests in lower case; and text that others chose the bytes of. Pure.
 */
#ifndef NCGATE_JSON_H
#define NCGATE_JSON_H

#include <jansson.h>

#include "abi.h"
#include "device.h"

#define NCG_SHA256_TEXT_LEN (2 * NCG_SHA256_LEN + 1) /* NUL included */

void ncg_json_sha256_text(const __u8 sha256[NCG_SHA256_LEN], char ret_text[NCG_SHA256_TEXT_LEN]);

/* All return a new value, NULL when there is no memory. */
json_t *ncg_json_sha256(const __u8 sha256[NCG_SHA256_LEN]);
json_t *ncg_json_hex(unsigned int digits, __u64 value); /* at least so many digits */

/*
 * A number that has no sign, never as a negative one: what is above INT64_MAX, which no
 * reader of JSON need take, becomes INT64_MAX.
 */
json_t *ncg_json_unsigned(__u64 value);

/*
 * Text that comes from outside, for a record or a reply: everything that is not a word
 * of ncgate's own goes through one of these, so that nothing is lost by a byte in it.
 * Text is of at most `size` bytes or up to its NUL, and what is not UTF-8 becomes
 * U+FFFD. A name is besides made visible and cut at 255 bytes: ncg_text_name(). A
 * string ends with its NUL; of NULL it is "".
 */
json_t *ncg_json_text(const char *text, size_t size);
json_t *ncg_json_name(const char *text, size_t size);
json_t *ncg_json_string(const char *text);

/*
 * A copy of a document with every string and key made visible, to print it for people;
 * what there is no memory for is left out, NULL when that is all.
 */
json_t *ncg_json_visible(const json_t *json);

/* What a device is, and what one of its BARs is. NULL when there is no memory. */
json_t *ncg_json_device(const struct ncg_device *device);
json_t *ncg_json_bar(const struct ncg_device *device, unsigned int bar);

/*
 * Adds verdict, reason and, where a rule decided, that rule: file, line, and
 * `"audit": true` where it says so. 0 or -ENOMEM.
 */
int ncg_json_put_decision(json_t *json, const struct ncg_decision *decision);

#endif
