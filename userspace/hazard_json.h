/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hazard of this host and what contradicts it, as JSON: the same in `ncgate
 * doctor`, in the daemon's status and in the audit trail. Pure.
 */
#ifndef NCGATE_HAZARD_JSON_H
#define NCGATE_HAZARD_JSON_H

#include <jansson.h>

#include "hazards.h"

/* A new object; NULL when there is no memory. The conflicts are that hazard's. */
json_t *ncg_hazard_json(const struct ncg_hazard *hazard,
			const struct ncg_hazard_conflict *conflicts, size_t count);

#endif
