// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a rule matches: VENDOR:DEVICE (policy_device.c), then KEY=VALUE in any order, and
 * `audit`. To add a match, add a row to `matches` with its function.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "policy_parse.h"

/* Of a cgroup's path. What it allows is at most NCG_CGROUP_PARTS_MAX parts of names. */
#define CGROUP_LENGTH_MAX 1024
#define CGROUP_DEPTH_MAX 32
#define CGROUP_NAME_MAX 255 /* NAME_MAX of every file system */
_Static_assert(CGROUP_DEPTH_MAX + CGROUP_LENGTH_MAX / NCG_NAME_PART_LEN <= NCG_CGROUP_PARTS_MAX,
	       "the longest path can be walked");

/* ------------------------------------------------------------------- numbers */

enum number {
	NUMBER_OK,
	NUMBER_NONE, /* not digits, or no digit at all */
	NUMBER_RANGE,
};

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Not strtoull(): that takes blanks, signs and a prefix of what it is given. */
static enum number number_parse(struct ncg_policy_word word, int base, __u64 max, __u64 *ret_value)
{
	__u64 value = 0;
	bool range = false;

	if (!word.length)
		return NUMBER_NONE;
	for (size_t i = 0; i < word.length; i++) {
		int digit = digit_value(word.text[i]);

		if (digit >= base)
			return NUMBER_NONE;
		value = value * base + digit;
		/* max is at most 32 bits wide, so the next step cannot wrap */
		if (value > max) {
			range = true;
			value = max;
		}
	}
	*ret_value = value;
	return range ? NUMBER_RANGE : NUMBER_OK;
}

static struct ncg_policy_word skip_0x(struct ncg_policy_word word)
{
	if (word.length > 2 && word.text[0] == '0' && (word.text[1] | 0x20) == 'x')
		return ncg_policy_word_part(word, 2, word.length - 2);
	return word;
}

int ncg_policy_field_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			   bool prefix, __u64 max, const char *expected, __u64 *ret_value,
			   __u64 *ret_mask)
{
	*ret_value = 0;
	*ret_mask = 0;
	if (ncg_policy_word_is(word, "*"))
		return 0;

	switch (number_parse(prefix ? skip_0x(word) : word, 16, max, ret_value)) {
	case NUMBER_OK:
		*ret_mask = max;
		return 0;
	case NUMBER_RANGE:
		return ncg_policy_error_word(parser, word, expected, "is out of range");
	default:
		return ncg_policy_error_word(parser, word, expected, "is not a hex number");
	}
}

/* ------------------------------------------------------------------- matches */

static int subsystem_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			   struct ncg_policy_rule *rule)
{
	__u16 values[2], masks[2];
	int r = ncg_policy_ids_parse(parser, word, values, masks);

	if (r < 0)
		return r;
	rule->value.subvendor = values[0];
	rule->value.subdevice = values[1];
	rule->mask.subvendor = masks[0];
	rule->mask.subdevice = masks[1];
	return 0;
}

static int class_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
		       struct ncg_policy_rule *rule)
{
	struct ncg_policy_word digits = skip_0x(word);
	unsigned int missing;
	__u64 value;

	/* How much is matched follows from how much is written. */
	if ((digits.length != 2 && digits.length != 4 && digits.length != 6) ||
	    number_parse(digits, 16, 0xffffff, &value) != NUMBER_OK)
		return ncg_policy_error_word(parser, word,
					     "2, 4 or 6 hex digits: base, sub, interface",
					     "is not a class");
	missing = 4 * (6 - digits.length);
	rule->value.class_code = value << missing;
	rule->mask.class_code = 0xffffffu << missing & 0xffffff;
	return 0;
}

static int slot_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
		      struct ncg_policy_rule *rule)
{
	static const struct {
		__u64 max;
		const char *expected;
	} fields[] = {
		{ 0xffffffff, "a domain from 0 to ffffffff, or *" }, /* VMD's exceed 16 bits */
		{ 0xff, "a bus from 0 to ff, or *" },
		{ 0x1f, "a device from 0 to 1f, or *" },
		{ 0x7, "a function from 0 to 7, or *" },
	};
	struct ncg_policy_word parts[4];
	__u64 values[4], masks[4];
	int ret = 0;

	if (!ncg_policy_word_cut(word, ':', &parts[0], &parts[1]) ||
	    !ncg_policy_word_cut(parts[1], ':', &parts[1], &parts[2]) ||
	    !ncg_policy_word_cut(parts[2], '.', &parts[2], &parts[3]) || !parts[0].length ||
	    !parts[1].length || !parts[2].length || !parts[3].length)
		return ncg_policy_error_word(parser, word, "DDDD:BB:DD.F in hex, * for any part",
					     "is not a slot");

	for (int i = 0; i < 4; i++) {
		int r = ncg_policy_field_parse(parser, parts[i], false, fields[i].max,
					       fields[i].expected, &values[i], &masks[i]);

		if (r < 0)
			ret = r;
	}
	rule->value.domain = values[0];
	rule->value.bus = values[1];
	rule->value.devfn = values[2] << 3 | values[3];
	rule->mask.domain = masks[0];
	rule->mask.bus = masks[1];
	rule->mask.devfn = masks[2] << 3 | masks[3];
	return ret;
}

static int bar_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
		     struct ncg_policy_rule *rule)
{
	const char *const expected = "BARs from 0 to 5 with commas between, as 0,2";
	struct ncg_policy_word rest = word, bar;
	bool last = false;
	int ret = 0, r;

	while (!last) {
		__u64 value;

		last = !ncg_policy_word_cut(rest, ',', &bar, &rest);
		if (last)
			bar = rest;
		if (!bar.length)
			return ncg_policy_error_add(parser, word, bar.column, NULL, expected,
						    "has an empty place");

		r = 0;
		switch (number_parse(bar, 10, NCG_POLICY_BARS - 1, &value)) {
		case NUMBER_OK:
			if (rule->bars & 1u << value)
				r = ncg_policy_error_word(parser, bar, "each BAR once",
							  "is listed twice");
			rule->bars |= 1u << value;
			break;
		case NUMBER_RANGE:
			r = ncg_policy_error_word(parser, bar, expected, "is out of range");
			break;
		default:
			r = ncg_policy_error_word(parser, bar, expected, "is not a BAR");
		}
		if (r < 0)
			ret = r;
	}
	return ret;
}

static int uid_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
		     struct ncg_policy_rule *rule)
{
	/* (uid_t)-1 is no user */
	const __u64 max = 0xfffffffe;
	const char *const expected = "a decimal number from 0 to 4294967294";
	__u64 value;

	switch (number_parse(word, 10, max, &value)) {
	case NUMBER_OK:
		rule->value.uid = value;
		rule->mask.uid = ~0ull;
		return 0;
	case NUMBER_RANGE:
		return ncg_policy_error_word(parser, word, expected, "is out of range");
	default:
		return ncg_policy_error_word(parser, word, expected, "is not a uid");
	}
}

/* What is wrong with a path as one of a cgroup; NULL: nothing. */
static const char *cgroup_fault(const char *path)
{
	unsigned int depth = 0;

	if (*path != '/')
		return "does not begin at the root";
	if (strlen(path) > CGROUP_LENGTH_MAX)
		return "is longer than 1024 bytes";
	if (!path[1])
		return NULL;
	while (*path) {
		size_t length = strcspn(++path, "/");

		if (!length)
			return "has a folder without a name";
		if (length > CGROUP_NAME_MAX)
			return "has a folder whose name is longer than 255 bytes";
		if ((length == 1 && *path == '.') || (length == 2 && !memcmp(path, "..", 2)))
			return "has a folder that goes back";
		if (++depth > CGROUP_DEPTH_MAX)
			return "is deeper than 32 folders";
		path += length;
	}
	return NULL;
}

static int cgroup_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			struct ncg_policy_rule *rule)
{
	const char *fault;
	int r = ncg_policy_text_parse(parser, word, &rule->cgroup);

	if (r < 0)
		return r;
	fault = cgroup_fault(rule->cgroup);
	if (fault)
		return ncg_policy_error_add(parser, word, word.column, NULL,
					    "a cgroup as /proc/PID/cgroup shows it, as "
					    "/machine.slice",
					    "%s", fault);
	return 0;
}

static int audit_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
		       struct ncg_policy_rule *rule)
{
	(void)parser;
	(void)word;
	rule->audit = true;
	return 0;
}

static const struct match {
	const char *key;
	const char *offer; /* as suggested */
	const char *form;  /* NULL: it has no value */
	int (*parse)(struct ncg_policy_parser *parser, struct ncg_policy_word word,
		     struct ncg_policy_rule *rule);
} matches[] = {
	{ "subsystem", "subsystem=", "subsystem=VENDOR:DEVICE", subsystem_parse },
	{ "class", "class=", "class=CC, CCSS or CCSSPP", class_parse },
	{ "slot", "slot=", "slot=DDDD:BB:DD.F", slot_parse },
	{ "bar", "bar=", "bar=N or bar=N,N", bar_parse },
	{ "uid", "uid=", "uid=N", uid_parse },
	{ "cgroup", "cgroup=", "cgroup=/PATH", cgroup_parse },
	{ "audit", "audit", NULL, audit_parse },
};

#define MATCHES (sizeof(matches) / sizeof(*matches))
#define MATCHES_EXPECTED "subsystem=, class=, slot=, bar=, uid=, cgroup= or audit"

/* One KEY=VALUE, or `audit`. seen has a bit for each that the rule has had. */
static int match_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
		       unsigned int *seen, struct ncg_policy_rule *rule)
{
	struct ncg_policy_word key = word, value = { 0 };
	struct ncg_policy_nearest nearest = { 0 };
	bool has_value = ncg_policy_word_cut(word, '=', &key, &value);

	if (!key.length)
		key = word; /* so that there is something to show */
	for (size_t i = 0; i < MATCHES; i++) {
		const struct match *match = &matches[i];

		if (!ncg_policy_word_is(key, match->key)) {
			struct ncg_policy_nearest before = nearest;

			/* compared without the '=', offered with it */
			ncg_policy_nearest_try(&nearest, key, match->key);
			if (nearest.word != before.word)
				nearest.word = match->offer;
			continue;
		}
		if (*seen & 1u << i)
			return ncg_policy_error_word(parser, key, "each match once",
						     "is given twice");
		*seen |= 1u << i;
		if (!match->form && has_value)
			return ncg_policy_error_word(parser, word, match->offer,
						     "has a value, and takes none");
		if (match->form && !value.length)
			return ncg_policy_error_add(parser, key, ncg_policy_word_end(word), NULL,
						    match->form, "has no value");
		return match->parse(parser, value, rule);
	}
	return ncg_policy_error_add(parser, key, key.column, nearest.word, MATCHES_EXPECTED,
				    "is not a match");
}

int ncg_policy_match_parse(struct ncg_policy_parser *parser, struct ncg_policy_word statement,
			   struct ncg_policy_word rest, struct ncg_policy_rule *ret_rule)
{
	struct ncg_policy_word word;
	unsigned int seen = 0;
	int ret, r;

	if (!ncg_policy_word_next(&rest, &word))
		return ncg_policy_error_add(parser, statement, ncg_policy_word_end(statement),
					    NULL, "VENDOR:DEVICE in hex, * for any",
					    "has no device");

	ret = ncg_policy_device_parse(parser, word, ret_rule);
	while (ncg_policy_word_next(&rest, &word)) {
		r = match_parse(parser, word, &seen, ret_rule);
		if (r < 0)
			ret = r;
	}
	return ret;
}
