/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guests' part of what ncgated shows; view.h has the rest. Owns nothing.
 */
#ifndef NCGATE_VIEW_GUEST_H
#define NCGATE_VIEW_GUEST_H

#include <jansson.h>

#include "exposition.h"
#include "picture.h"

/* Every family of guests and of the walk. The picture has a walk. */
void ncg_view_guest_metrics(struct ncg_exposition *e, const struct ncg_picture *picture);

/* Leaves of one set of tables, by type and size; NULL: no memory. */
json_t *ncg_view_leaves(const struct ncg_walk_vm *vm);

/* One guest with its totals, and its devices and other memory; NULL: no memory. */
json_t *ncg_view_guest(const struct ncg_picture_guest *guest);

#endif
