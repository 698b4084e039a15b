/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inside of the parser, shared by its parts: policy.c has the statements and
 * files, policy_match.c what a rule matches, policy_device.c its device, policy_error.c
 * the errors. Nobody else includes it. The parser owns the policy and the errors until finish gives one of
 * them away.
 */
#ifndef NCGATE_POLICY_PARSE_H
#define NCGATE_POLICY_PARSE_H

#include "policy.h"
#include "policy_word.h"

/* The statements that may stand once only. */
enum ncg_policy_setting {
	NCG_POLICY_SETTING_MODE,
	NCG_POLICY_SETTING_DEFAULT,
	NCG_POLICY_SETTING_WITHOUT_HOOK,
	NCG_POLICY_SETTING_NR,
};

/* A file that is being read, and the one that includes it. */
struct ncg_policy_place {
	struct ncg_policy_place *from; /* NULL: the first file */
	__u16 file;		       /* index in the policy's */
	__u32 line;		       /* the present one, from 1 */
	unsigned int depth;
	bool known; /* identity is */
	struct ncg_policy_identity identity;
};

struct ncg_policy_parser {
	struct ncg_policy *policy;
	struct ncg_policy_errors *errors; /* NULL while there are none */
	const struct ncg_policy_sources *sources;
	struct ncg_policy_place first, *at;
	size_t size; /* of all texts so far */
	struct {
		__u16 file;
		__u32 line; /* of the first one; 0: none yet */
	} set_at[NCG_POLICY_SETTING_NR];
	bool no_memory;
};

/* Notes that there is no memory, which finish then fails with. Returns -ENOMEM. */
int ncg_policy_no_memory(struct ncg_policy_parser *parser);

/*
 * Collects one error about a word, at a column of the present line. nearest may be
 * NULL. Returns -EINVAL, or -ENOMEM when it could not be kept, in which case finish
 * fails with that.
 */
__attribute__((format(printf, 6, 7))) int
ncg_policy_error_add(struct ncg_policy_parser *parser, struct ncg_policy_word at, __u32 column,
		     const char *nearest, const char *expected, const char *problem, ...);

/* Whether one more error would be kept, and not only counted. */
bool ncg_policy_error_is_shown(const struct ncg_policy_parser *parser);

/* The common case: the error is the word itself and has no near relative. */
#define ncg_policy_error_word(parser, word, expected, problem) \
	ncg_policy_error_add(parser, word, (word).column, NULL, expected, problem)

/*
 * A word that must be a text without quotes or wholly in quotes; the caller frees
 * *ret_text. 0, or an error that is collected.
 */
int ncg_policy_text_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			  char **ret_text);

/*
 * One hex field, or `*`, which leaves value and mask alone: mask is set to all ones of a
 * field of that maximum. prefix: 0x may stand before it. 0, or an error that is collected.
 */
int ncg_policy_field_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			   bool prefix, __u64 max, const char *expected, __u64 *ret_value,
			   __u64 *ret_mask);

/* VENDOR:DEVICE by ids alone, as a subsystem has them. 0, or errors that are collected. */
int ncg_policy_ids_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			 __u16 ret_values[2], __u16 ret_masks[2]);

/*
 * VENDOR:DEVICE of a rule, by ids or names: its value, mask, name and gone. 0, or errors
 * that are collected.
 */
int ncg_policy_device_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			    struct ncg_policy_rule *rule);

/*
 * Everything of a rule behind its first word, into a rule whose verdict and place are
 * set. 0, or errors that are collected; ret_rule's cgroup and name are the caller's either
 * way.
 */
int ncg_policy_match_parse(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
			   struct ncg_policy_word rest, struct ncg_policy_rule *ret_rule);

#endif
