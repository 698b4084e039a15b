// SPDX-License-Identifier: GPL-2.0-only
#include "fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"

/* Kinds of repeats that one batch may have; beyond them, nothing is folded. */
#define KEYS_MAX 64

struct pending {
	char key[NCG_FOLD_KEY_LEN];
	__u32 type;
	__u64 count; /* of those kept back; 0: only the first has come */
	__u64 since; /* of the first kept back */
	__u64 until;
	__u64 last_seq;
	json_t *seqs;	/* [[first, last], …] */
	json_t *fields; /* of the last one */
};

struct ncg_fold {
	struct pending pending[KEYS_MAX];
	size_t count;
};

struct ncg_fold *ncg_fold_new(void)
{
	return calloc(1, sizeof(struct ncg_fold));
}

static void drop(struct ncg_fold *fold)
{
	for (size_t i = 0; i < fold->count; i++) {
		json_decref(fold->pending[i].seqs);
		json_decref(fold->pending[i].fields);
	}
	fold->count = 0;
}

void ncg_fold_free(struct ncg_fold *fold)
{
	if (!fold)
		return;
	drop(fold);
	free(fold);
}

/* Adds a number to the list of ranges, to the last one where it follows it. */
static void add_seq(struct pending *p, __u64 seq)
{
	size_t count = json_array_size(p->seqs);

	if (p->count > 1 && seq == p->last_seq + 1)
		json_array_set_new(json_array_get(p->seqs, count - 1), 1, json_integer(seq));
	else
		json_array_append_new(p->seqs, json_pack("[I, I]", (json_int_t)seq,
							 (json_int_t)seq));
	p->last_seq = seq;
}

bool ncg_fold_take(struct ncg_fold *fold, const char *key, __u32 type, __u64 seq, __u64 boot_ns,
		   json_t *fields)
{
	struct pending *p = NULL;

	for (size_t i = 0; i < fold->count && !p; i++)
		if (!strcmp(fold->pending[i].key, key))
			p = &fold->pending[i];
	if (!p) {
		if (fold->count < KEYS_MAX) {
			p = &fold->pending[fold->count++];
			*p = (struct pending){ .type = type };
			snprintf(p->key, sizeof(p->key), "%s", key);
		}
		return false;
	}
	if (!p->count++) {
		p->since = boot_ns;
		p->seqs = json_array();
	}
	add_seq(p, seq);
	p->until = boot_ns;
	json_decref(p->fields);
	p->fields = fields;
	return true;
}

void ncg_fold_flush(struct ncg_fold *fold,
		    void (*write)(void *arg, __u32 type, __u64 boot_ns, json_t *fields), void *arg)
{
	for (size_t i = 0; i < fold->count; i++) {
		struct pending *p = &fold->pending[i];
		json_t *folded;

		if (!p->count)
			continue;
		if (p->count > 1) {
			folded = json_pack("{s:I, s:O}", "count", (json_int_t)p->count, "seqs",
					   p->seqs);
			ncg_audit_add_window(folded, p->since, p->until);
			json_object_set_new(p->fields, "folded", folded);
		}
		write(arg, p->type, p->until, p->fields);
		p->fields = NULL;
	}
	drop(fold);
}
