// SPDX-License-Identifier: GPL-2.0-only
#include "audit_journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "cleanup.h"
#include "record_text.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Where the members of a record go; parent NULL: they stand in the record itself. */
static const struct {
	const char *field;
	const char *parent;
	const char *key;
} members[] = {
	{ "NCGATE_TYPE", NULL, "type" },
	{ "NCGATE_SEQ", NULL, "seq" },
	{ "NCGATE_VM", NULL, "vm" },
	{ "NCGATE_VERDICT", NULL, "verdict" },
	{ "NCGATE_REASON", NULL, "reason" },
	{ "NCGATE_MODE", NULL, "mode" },
	{ "NCGATE_GRADE", NULL, "grade" },
	{ "NCGATE_MEMORY_TYPE", NULL, "memory_type" },
	{ "NCGATE_BEFORE", NULL, "before" },
	{ "NCGATE_LOST", NULL, "lost" },
	{ "NCGATE_GUEST", "guest", "id" },
	{ "NCGATE_GUEST_NAME", "guest", "name" },
	{ "NCGATE_GUEST_UUID", "guest", "uuid" },
	{ "NCGATE_GUEST_PID", "guest", "pid" },
	{ "NCGATE_GUEST_UID", "guest", "uid" },
	{ "NCGATE_GUEST_CGROUP", "guest", "cgroup" },
	{ "NCGATE_GUEST_POD", "guest", "pod" },
	{ "NCGATE_VMM", "guest", "vmm" },
	{ "NCGATE_DEVICE", "device", "slot" },
	{ "NCGATE_BAR", "device", "bar" },
	{ "NCGATE_DEVICE_NAME", "device", "name" },
	{ "NCGATE_RULE_FILE", "rule", "file" },
	{ "NCGATE_RULE_LINE", "rule", "line" },
	{ "NCGATE_POLICY_GENERATION", "policy", "generation" },
	{ "NCGATE_POLICY_SHA256", "policy", "sha256" },
};

/* Those of the table, MESSAGE, MESSAGE_ID, PRIORITY, SYSLOG_IDENTIFIER, the record. */
#define FIELDS_MAX (ARRAY_SIZE(members) + 5)

struct fields {
	struct iovec iov[FIELDS_MAX];
	int count;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void add(struct fields *fields, const char *format,
						       ...)
{
	va_list args;
	char *text;
	int size;

	va_start(args, format);
	size = vasprintf(&text, format, args);
	va_end(args);
	if (size < 0)
		fields->failed = true;
	else
		fields->iov[fields->count++] = (struct iovec){ text, size };
}

static void add_members(struct fields *fields, const json_t *record)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const json_t *parent = members[i].parent ?
					       json_object_get(record, members[i].parent) : record;
		const json_t *value = json_object_get(parent, members[i].key);

		if (json_is_string(value) && *json_string_value(value))
			add(fields, "%s=%s", members[i].field, json_string_value(value));
		else if (json_is_integer(value))
			add(fields, "%s=%lld", members[i].field,
			    (long long)json_integer_value(value));
	}
}

bool ncg_audit_journal_available(void)
{
	return !access("/run/systemd/journal/socket", W_OK);
}

int ncg_audit_journal_send(const json_t *record, const char *text, size_t size)
{
	ncg_autofree char *sentence = ncg_record_text(record);
	struct fields fields = {};
	int r = -ENOMEM;

	if (!sentence)
		return -ENOMEM;
	add(&fields, "MESSAGE=%s", sentence);
	add(&fields, "MESSAGE_ID=%s", NCG_AUDIT_JOURNAL_ID);
	add(&fields, "PRIORITY=%d", ncg_record_priority(record));
	add(&fields, "SYSLOG_IDENTIFIER=ncgated");
	add(&fields, "NCGATE_RECORD=%.*s", (int)size, text);
	add_members(&fields, record);
	if (!fields.failed)
		r = sd_journal_sendv(fields.iov, fields.count);
	while (fields.count)
		free(fields.iov[--fields.count].iov_base);
	return r;
}
