/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy language: text in, rules or errors out. It does no I/O and keeps
 * no global state, so that a fuzzer or a test feeds it as it is: what a text only
 * refers to, files and names of devices, it asks of who parses. policy_file.h
 * reads files, policy_compile.h makes what the kernel looks up.
 *
 * All state belongs to the parser, and what finish hands out to the caller. It
 * fails closed: one error anywhere, and there is no policy at all.
 */
#ifndef NCGATE_POLICY_H
#define NCGATE_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"

#define NCG_POLICY_LINE_MAX 4096	/* bytes, without the newline */
#define NCG_POLICY_SIZE_MAX (16u << 20)	/* bytes of one policy's text, of all files */
#define NCG_POLICY_DEPTH_MAX 16		/* files that include each other, the first counted */
#define NCG_POLICY_ERRORS_MAX 100	/* kept; the rest are only counted */
#define NCG_POLICY_BARS 6

/*
 * One allow or deny line. A device matches when its tuple ANDed with mask is
 * value; BARs and cgroup stand apart: a list of BARs is not one value, and what
 * number a cgroup has in a tuple is up to the compiler.
 */
struct ncg_policy_rule {
	struct ncg_tuple value;	/* within mask; bar and cgroup are 0 */
	struct ncg_tuple mask;	/* bar and cgroup are 0 */
	char *cgroup;		/* "/a/b", owned; NULL: every cgroup */
	/*
	 * VENDOR:DEVICE as written where a name is in it, "\"V\":\"D\"", owned; hex ids in
	 * it have 4 digits. NULL: no name, and what pci.ids says plays no part.
	 */
	char *name;
	__u32 line;		/* from 1 */
	__u16 file;		/* index in ncg_policy.files and .paths */
	__u8 verdict;		/* NCG_VERDICT_ALLOW or NCG_VERDICT_DENY */
	__u8 bars;		/* bit b stands for BAR b; 0: every BAR */
	bool audit;		/* the verdict is recorded, and not acted on */
	bool gone;		/* pci.ids does not tell what name stands for; `known` did */
};

struct ncg_policy {
	enum ncg_mode mode;
	enum ncg_verdict fallback;	/* the `default` line */
	enum ncg_without_hook without_hook;
	char (*files)[NCG_PATH_LEN];	/* as events name them, zero-filled */
	char **paths;			/* the same files, whole */
	size_t file_count;
	struct ncg_policy_rule *rules;	/* in the order written */
	size_t rule_count;
	size_t rule_room;
	__u32 *named;		/* a rule for each name, by the bytes of the name */
	size_t named_count;
	__u8 sha256[NCG_SHA256_LEN];	/* zero until ncg_policy_file_load() */
	char **warnings;		/* of how it was read: a sentence each, owned */
	size_t warning_count;
};

/* All strings are owned by the error but `expected`. */
struct ncg_policy_error {
	char *file;		/* whole */
	char *included;		/* "b.conf:3, a.conf:9": what includes it; or NULL */
	__u32 line;		/* from 1; 0: the file as a whole */
	__u32 column;		/* from 1, in bytes; a tab is one */
	char text[176];		/* at fault, shortened, printable ASCII; may be "" */
	char *problem;		/* reads on from text: "is not a statement" */
	const char *expected;	/* "audit or enforce" */
	char *nearest;		/* the valid word most like text, or NULL */
};

struct ncg_policy_errors {
	struct ncg_policy_error list[NCG_POLICY_ERRORS_MAX];
	size_t count;	/* of list, in the order of the text */
	size_t more;	/* errors beyond NCG_POLICY_ERRORS_MAX */
};

/* What tells that two paths lead to one file: for real ones, st_dev and st_ino. */
struct ncg_policy_identity {
	__u64 device;
	__u64 inode;
};

/* Of what cannot be had: both may stay NULL, and the number alone is then told. */
struct ncg_policy_trouble {
	char *problem;		/* reads on from a path: "is a folder"; the parser frees it */
	const char *expected;	/* a constant */
};

#define NCG_POLICY_IDS_MAX 4

/* What a name of a vendor or device stands for. */
struct ncg_policy_ids {
	__u16 list[NCG_POLICY_IDS_MAX];
	size_t count;		/* may be more than are listed; only 1 is good */
};

/*
 * Where a parser gets what a text refers to. Each function returns 0, -ENOMEM, or
 * another negative errno, which becomes an error of the policy; what they hand out is
 * allocated and the parser's. The pointers may be NULL: such a text is an error then.
 */
struct ncg_policy_sources {
	void *context;
	/*
	 * The files that `include path` stands for, in the order to be read: path
	 * itself, or, where it is a folder, the *.conf in it.
	 */
	int (*list)(void *context, const char *path, char ***ret_paths, size_t *ret_count,
		    struct ncg_policy_trouble *ret_trouble);
	/* A file's text, or more than limit bytes of it where it is longer. */
	int (*read)(void *context, const char *path, size_t limit, char **ret_text,
		    size_t *ret_size, struct ncg_policy_identity *ret_identity,
		    struct ncg_policy_trouble *ret_trouble);
	/*
	 * The ids of the vendors of that name, or with vendor those of its devices.
	 * -ENOENT: no names can be had at all.
	 */
	int (*ids)(void *context, const __u16 *vendor, const char *name,
		   struct ncg_policy_ids *ret_ids, struct ncg_policy_trouble *ret_trouble);
	/*
	 * Of the names there are, the one most like one that is not, for a hint; NULL:
	 * none is. The work grows with the names there are, so it is asked for errors only.
	 */
	int (*nearest)(void *context, const __u16 *vendor, const char *name, char **ret_nearest);
	/*
	 * The ids that a rule's name (ncg_policy_rule.name) stood for when a policy was last
	 * in force, for one that pci.ids no longer tells. -ENOENT: it was in none.
	 */
	int (*known)(void *context, const char *name, __u16 *ret_vendor, __u16 *ret_device);
};

struct ncg_policy_parser;

/*
 * Starts a parse of the file called name, which is used for messages and rules
 * only. 0 or -ENOMEM. The caller owns *ret_parser: ncg_policy_parse_free().
 */
int ncg_policy_parse_init(const char *name, struct ncg_policy_parser **ret_parser);

/* What includes and names are looked up in; borrowed until finish. NULL: nothing. */
void ncg_policy_parse_sources(struct ncg_policy_parser *parser,
			      const struct ncg_policy_sources *sources);

/*
 * Takes the next line, without its newline; a carriage return at the end is
 * accepted. The text is not kept. 0, -EINVAL when the line had errors (they are
 * collected, feed on), or -ENOMEM.
 */
int ncg_policy_parse_line(struct ncg_policy_parser *parser, const char *line, size_t length);

/*
 * Ends a parse: 0 with *ret_policy; -EINVAL with *ret_errors; -ENOMEM with
 * neither, also when a line had no memory. What is not set is set to NULL. The
 * caller owns both (ncg_policy_free(), ncg_policy_errors_free()) and still the
 * parser, which is good for nothing but ncg_policy_parse_free(). ret_errors may
 * be NULL.
 */
int ncg_policy_parse_finish(struct ncg_policy_parser *parser, struct ncg_policy **ret_policy,
			    struct ncg_policy_errors **ret_errors);

/*
 * init, every line, finish: for a policy that is in memory. Text of more than
 * NCG_POLICY_SIZE_MAX bytes is an error of the policy; a last line without a
 * newline is none. Returns as ncg_policy_parse_finish().
 */
int ncg_policy_parse_text(const char *name, const char *text, size_t size,
			  struct ncg_policy **ret_policy, struct ncg_policy_errors **ret_errors);

/*
 * The same for the file at path, which sources reads, and what it includes. Returns
 * as ncg_policy_parse_finish(), or the errno that reading path itself ended with.
 */
int ncg_policy_parse_file(const char *path, const struct ncg_policy_sources *sources,
			  struct ncg_policy **ret_policy, struct ncg_policy_errors **ret_errors);

/*
 * "file:line:column: 'text' problem; expected that (did you mean 'it'?); included
 * from file:line", with no newline. The caller frees it; NULL when there is no memory.
 */
char *ncg_policy_error_format(const struct ncg_policy_error *error);

/*
 * All errors, a line each, and one more line when some were only counted. The
 * caller frees it; NULL when there is no memory.
 */
char *ncg_policy_errors_format(const struct ncg_policy_errors *errors);

/*
 * Writes path as events name it: an overlong one keeps its end, after "...".
 * The rest of ret_name is zero, so that equal names are equal bytes.
 */
void ncg_policy_path_shorten(const char *path, char ret_name[NCG_PATH_LEN]);

/* Each takes NULL. */
void ncg_policy_parse_free(struct ncg_policy_parser *parser);
void ncg_policy_free(struct ncg_policy *policy);
void ncg_policy_errors_free(struct ncg_policy_errors *errors);

/* For the cleanup attribute. */
void ncg_policy_parse_freep(struct ncg_policy_parser **parser);
void ncg_policy_freep(struct ncg_policy **policy);
void ncg_policy_errors_freep(struct ncg_policy_errors **errors);

#endif
