/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The record `repeats`: what was counted (fold.h) and has no record of its own.
 * docs/audit.schema.json says what is in it. Owns nothing.
 */
#ifndef NCGATE_REPEATS_H
#define NCGATE_REPEATS_H

#include <jansson.h>

#include "fold.h"

/* The record's members, the caller's; NULL when there is no memory. */
json_t *ncg_repeats_fields(struct ncg_fold *fold);

#endif
