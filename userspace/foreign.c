// SPDX-License-Identifier: GPL-2.0-only
/*
 * Foreign programs on the hook, from one look to the next; see foreign.h for what it owns.
 * When a look fails, nothing is said to have gone: the last list waits for the next look,
 * and status and metrics say `not known`.
 */
#include "foreign.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "log.h"

/* When a foreign program is asked. */
enum asked {
	ASKED_BEFORE, /* before ncgate's: what it answers decides, and ncgate is not asked */
	ASKED_AFTER,  /* when ncgate's has no opinion */
	ASKED_ALONE,  /* ncgate's is not attached */
	ASKED_NR,
};

static const struct {
	const char *name;
	const char *meaning;
} asked_words[] = {
	[ASKED_BEFORE] = { "before", "it is asked before ncgate's: when it answers, its answer "
				     "holds and ncgate is not asked" },
	[ASKED_AFTER] = { "after", "it is asked after ncgate's: it answers where ncgate does not, "
				   "as in mode audit" },
	[ASKED_ALONE] = { "alone", "ncgate's own program is not attached: what it answers holds" },
};
static_assert(sizeof(asked_words) / sizeof(asked_words[0]) == ASKED_NR, "a word for each");

struct ncg_foreign {
	struct ncg_audit *audit;
	json_t *found; /* of the last good look: a record's fields by link id, in order asked */
	int error;     /* of the last look; 0: what was found holds */
};

int ncg_foreign_open(struct ncg_audit *audit, struct ncg_foreign **ret_foreign)
{
	struct ncg_foreign *foreign = calloc(1, sizeof(*foreign));

	if (foreign)
		foreign->found = json_object();
	if (!foreign || !foreign->found) {
		ncg_foreign_close(foreign);
		return ncg_log_error(-ENOMEM, "no memory");
	}
	foreign->audit = audit;
	foreign->error = -EAGAIN;
	*ret_foreign = foreign;
	return 0;
}

void ncg_foreign_close(struct ncg_foreign *foreign)
{
	if (!foreign)
		return;
	json_decref(foreign->found);
	free(foreign);
}

/* ---------------------------------------------------------------------- look */

static json_t *fields(const struct ncg_hook_program *program, enum asked asked)
{
	char tag[2 * BPF_TAG_SIZE + 1];

	for (size_t i = 0; i < BPF_TAG_SIZE; i++)
		snprintf(tag + 2 * i, 3, "%02x", program->tag[i]);
	return json_pack("{s:o, s:I, s:s, s:I, s:I, s:s}", "program",
			 ncg_json_text(program->name, sizeof(program->name)), "program_id",
			 (json_int_t)program->program, "tag", tag, "link_id",
			 (json_int_t)program->link, "uid", (json_int_t)program->uid, "asked",
			 asked_words[asked].name);
}

/* By link id, in the order of the list. NULL: no memory. */
static json_t *foreign_of(const struct ncg_hook_program *list, size_t count)
{
	json_t *found = json_object();
	bool any = false, passed = false;

	for (size_t i = 0; i < count; i++)
		any |= list[i].ours;
	for (size_t i = 0; i < count; i++) {
		char link[16];

		passed |= list[i].ours;
		if (list[i].ours)
			continue;
		snprintf(link, sizeof(link), "%u", list[i].link);
		if (json_object_set_new(found, link,
					fields(&list[i], passed ? ASKED_AFTER :
							 any	? ASKED_BEFORE :
								  ASKED_ALONE))) {
			json_decref(found);
			return NULL;
		}
	}
	return found;
}

static const char *text(const json_t *fields, const char *key)
{
	return json_string_value(json_object_get(fields, key));
}

static void say(const json_t *f, const char *follows)
{
	ncg_warning("program '%s' (id %lld, tag %s, link %lld, loaded by uid %lld) is on the hook "
		    "and is not ncgate's; %s", text(f, "program"),
		    (long long)json_integer_value(json_object_get(f, "program_id")),
		    text(f, "tag"), (long long)json_integer_value(json_object_get(f, "link_id")),
		    (long long)json_integer_value(json_object_get(f, "uid")), follows);
}

static void record_changes(const struct ncg_foreign *foreign, json_t *now)
{
	const char *link;
	json_t *f;

	json_object_foreach(now, link, f) {
		const json_t *before = json_object_get(foreign->found, link);

		if (before && json_equal((json_t *)before, f))
			continue;
		for (enum asked a = 0; a < ASKED_NR; a++)
			if (!strcmp(text(f, "asked"), asked_words[a].name))
				say(f, asked_words[a].meaning);
		ncg_audit_write(foreign->audit, "foreign_program", 0, json_copy(f));
	}
	json_object_foreach(foreign->found, link, f) {
		if (json_object_get(now, link))
			continue;
		ncg_info("program '%s' (link %s) has left the hook", text(f, "program"), link);
		ncg_audit_write(foreign->audit, "foreign_program_gone", 0, json_copy(f));
	}
}

void ncg_foreign_look(struct ncg_foreign *foreign, const struct ncg_hook_program *list,
		      ssize_t count)
{
	json_t *now = count < 0 ? NULL : foreign_of(list, count);
	int error = count < 0 ? count : now ? 0 : -ENOMEM;

	if (error && error != foreign->error)
		ncg_log_error(error, "programs of others on the hook cannot be looked for%s",
			      error == -EPERM ? "; that needs CAP_SYS_ADMIN" : "");
	foreign->error = error;
	if (error)
		return;
	record_changes(foreign, now);
	json_decref(foreign->found);
	foreign->found = now;
}

/* ---------------------------------------------------------------------- show */

json_t *ncg_foreign_json(const struct ncg_foreign *foreign)
{
	json_t *list, *f;
	const char *link;

	if (foreign->error)
		return json_null();
	list = json_array();
	json_object_foreach(foreign->found, link, f)
		json_array_append(list, f);
	return list;
}

void ncg_foreign_metrics(const struct ncg_foreign *foreign, struct ncg_exposition *e)
{
	const char *link;
	json_t *f;

	/* Not known is not 0. */
	if (foreign->error)
		return;
	ncg_exposition_u64(e, NCG_MF_HOOK_FOREIGN_PROGRAMS, json_object_size(foreign->found),
			   NCG_LABELS());
	json_object_foreach(foreign->found, link, f) {
		char id[24];

		snprintf(id, sizeof(id), "%lld",
			 (long long)json_integer_value(json_object_get(f, "program_id")));
		ncg_exposition_u64(e, NCG_MF_HOOK_FOREIGN_PROGRAM_INFO, 1,
				   NCG_LABELS(text(f, "program"), id, text(f, "tag"), link,
					      text(f, "asked")));
	}
}
