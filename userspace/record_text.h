/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An audit record as one sentence for people: in the journal, and where `ncgate
 * audit` lists records. Pure. A record of a type that is not known, or that lacks
 * something, is told as far as it goes.
 */
#ifndef NCGATE_RECORD_TEXT_H
#define NCGATE_RECORD_TEXT_H

#include <jansson.h>
#include <stdbool.h>

/* Whether there are records of this type, as docs/audit.schema.json has them. */
bool ncg_record_is_type(const char *type);

/*
 * The sentence, visible and cut as text.h has it, for the caller to free; NULL when
 * there is no memory.
 */
char *ncg_record_text(const json_t *record);

/* How much it matters, by the numbers of syslog(3). */
int ncg_record_priority(const json_t *record);

/* A member's text, or "" where there is none or it is something else. */
const char *ncg_record_string(const json_t *json, const char *key);

/* What a guest is called: its name, or its id where it has none. */
const char *ncg_record_guest_name(const json_t *record);

#endif
