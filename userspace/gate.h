/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy in force: puts a compiled policy into the kernel in one step and
 * says which one is there. Owns the one slot of the `policy` map. Fails closed
 * in the sense of the design: what was in force stays in force until the whole
 * of the new policy is ready.
 */
#ifndef NCGATE_GATE_H
#define NCGATE_GATE_H

#include <stdbool.h>

#include "abi.h"
#include "policy.h"
#include "policy_compile.h"

/*
 * Reads the head of the policy in force. policy_fd is the `policy` map.
 * Returns 0; -ENOENT when none was ever loaded; or another negative errno.
 */
int ncg_gate_read(int policy_fd, struct ncg_phead *ret_head);

/*
 * Compiles and loads policy. Where the very same policy is in force already (its digest,
 * and what it was compiled to), nothing is done and its generation stays. *ret_head is
 * what is then in force, *ret_changed (may be NULL) whether anything was done.
 * Returns 0, or a negative errno that is logged; the old policy then stays.
 */
int ncg_gate_load(int policy_fd, const struct ncg_policy *policy, struct ncg_phead *ret_head,
		  bool *ret_changed);

/* The same with one that is compiled already; its generation is set here. */
int ncg_gate_load_compiled(int policy_fd, struct ncg_compiled *compiled,
			   struct ncg_phead *ret_head, bool *ret_changed);

/*
 * Decides for a tuple as the programs would, by the policy in force; for status
 * and reports. cgroup is the path of a task's cgroup, "/" for the root; with NULL
 * no rule that names one matches. grade is left as 0.
 */
void ncg_gate_decide(int policy_fd, const struct ncg_tuple *tuple, const char *cgroup,
		     struct ncg_decision *ret_decision);

#endif
