/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that others have attached to vfio_pci_uncached_policy(). Owns what the last look
 * found; what comes, goes or changes places with ncgate's own is logged and recorded in the
 * audit trail (`foreign_program`, `foreign_program_gone`), and nothing twice. Changes
 * nothing: who may attach programs to the kernel is not ncgate's to say.
 *
 * Only this hook is looked at. Where the grade is trap, ncgate's is a program of type LSM:
 * another one there can refuse an mmap and never permit what ncgate refuses, so it can take
 * nothing from a denial.
 */
#ifndef NCGATE_FOREIGN_H
#define NCGATE_FOREIGN_H

#include <jansson.h>

#include "audit.h"
#include "exposition.h"
#include "hook_programs.h"

struct ncg_foreign;

/* audit is borrowed. Returns 0 or -ENOMEM, logged. */
int ncg_foreign_open(struct ncg_audit *audit, struct ncg_foreign **ret_foreign);
void ncg_foreign_close(struct ncg_foreign *foreign); /* takes NULL */

/*
 * Takes what ncg_hook_programs_read() has just told: count programs of list, ncgate's own
 * among them, or a negative errno. An error is logged once, and what is shown is not known
 * until the kernel tells again.
 */
void ncg_foreign_look(struct ncg_foreign *foreign, const struct ncg_hook_program *list,
		      ssize_t count);

/*
 * What the last look found: a new array of the records' fields, the program that is asked
 * first first; or JSON's null while it is not known.
 */
json_t *ncg_foreign_json(const struct ncg_foreign *foreign);
void ncg_foreign_metrics(const struct ncg_foreign *foreign, struct ncg_exposition *e);

#endif
