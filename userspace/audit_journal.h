/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Audit records in the systemd journal: a sentence for people, and the record's
 * members as fields NCGATE_…, so that `journalctl NCGATE_TYPE=decision` finds them.
 * Owns nothing.
 */
#ifndef NCGATE_AUDIT_JOURNAL_H
#define NCGATE_AUDIT_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* MESSAGE_ID of every audit record. */
#define NCG_AUDIT_JOURNAL_ID "f4a1b7c2d0e54c0f9a3d6b8e2c715a90"

/* Whether a journal listens on this host. */
bool ncg_audit_journal_available(void);

/*
 * Sends one record; text is its line in the file, of size bytes without the newline.
 * Returns 0 or -errno, not logged.
 */
int ncg_audit_journal_send(const json_t *record, const char *text, size_t size);

#endif
