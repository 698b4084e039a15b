/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Repeats within one batch of events as one record with a count: the first of its kind
 * is written as it is, those after it are kept back until the batch ends. Owns what is
 * kept back. Only a batch, so nothing waits while there is nothing else to do, and a
 * daemon that is killed owes no more than the batch; and nothing is dropped, for the
 * record names the number of every event that it stands for.
 */
#ifndef NCGATE_FOLD_H
#define NCGATE_FOLD_H

#include <jansson.h>
#include <stdbool.h>

#include "abi.h"

struct ncg_fold;

/* NULL when there is no memory. */
struct ncg_fold *ncg_fold_new(void);
void ncg_fold_free(struct ncg_fold *fold); /* takes NULL */

#define NCG_FOLD_KEY_LEN 160

/*
 * Takes an event, whose fields become the fold's when this returns true: it repeats one
 * of this batch with the same key. False: it is the first, or there is no room for
 * another key; the caller writes it.
 */
bool ncg_fold_take(struct ncg_fold *fold, const char *key, __u32 type, __u64 seq, __u64 boot_ns,
		   json_t *fields);

/*
 * Ends the batch: calls write() for each key with repeats, with the fields of the last
 * and, where it stands for several, a member `folded`. fields are write()'s to free.
 */
void ncg_fold_flush(struct ncg_fold *fold,
		    void (*write)(void *arg, __u32 type, __u64 boot_ns, json_t *fields), void *arg);

#endif
