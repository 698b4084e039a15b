/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `ncgate walk` shows: one guest's tables, walked anew and whole at the moment
 * of asking, range by range. Owns nothing.
 */
#ifndef NCGATE_VIEW_WALK_H
#define NCGATE_VIEW_WALK_H

#include <jansson.h>

#include "picture.h"

/*
 * The guest with that id; what the walk costs is a debt of its share. A new object,
 * {"error": …} where there is no such guest; NULL when there is no memory.
 */
json_t *ncg_view_walk(struct ncg_picture *picture, const char *id);

#endif
