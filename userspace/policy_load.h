/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A policy on its way into force: read, parsed, compiled and reviewed. That takes some
 * 200 ms for 65,536 rules, so a reload does it in a thread of its own, and the loop goes
 * on meanwhile. The thread shares nothing with the loop but what it was given and, once
 * it has ended, its result.
 *
 * Owns the thread. Fails closed: a policy that cannot be put in force whole is an error
 * before anything was touched.
 */
#ifndef NCGATE_POLICY_LOAD_H
#define NCGATE_POLICY_LOAD_H

#include "cleanup.h"
#include "loop.h"
#include "policy.h"
#include "policy_compile.h"
#include "policy_known.h"
#include "policy_review.h"

struct ncg_policy_loaded {
	int error;     /* 0; -EINVAL, -E2BIG; or what reading it ended with */
	char *refusal; /* what is wrong with the policy, a line each; NULL: error says it */
	/* With error 0: */
	struct ncg_policy *policy;
	struct ncg_compiled *compiled;	      /* of generation 0 */
	struct ncg_policy_findings *findings; /* rules that cannot decide; NULL: no memory */
};

/* Releases what it holds, and makes it empty. */
void ncg_policy_loaded_done(struct ncg_policy_loaded *loaded);

/*
 * Does it here and now, with only what root alone can change (policy_trust.h). known may
 * be NULL (policy_file.h). The caller calls ncg_policy_loaded_done().
 */
void ncg_policy_load_now(const char *path, const struct ncg_policy_known *known,
			 struct ncg_policy_loaded *ret_loaded);

struct ncg_policy_load;

/*
 * done() is called by the loop with each result, which it may take parts of and which is
 * released after it. Returns 0 or -errno, not logged.
 */
int ncg_policy_load_open(struct ncg_loop *loop,
			 void (*done)(void *arg, struct ncg_policy_loaded *loaded), void *arg,
			 struct ncg_policy_load **ret_load);

/* Waits for the end of a thread that runs, whose result is dropped. Takes NULL. */
void ncg_policy_load_close(struct ncg_policy_load *load);

/* Whether a result is still to come. */
bool ncg_policy_load_runs(const struct ncg_policy_load *load);

/*
 * Begins; path and known are borrowed until done() is called. Not while it runs. Returns
 * 0 or -errno, not logged; done() is then not called.
 */
int ncg_policy_load_begin(struct ncg_policy_load *load, const char *path,
			  const struct ncg_policy_known *known);

#endif
