// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which device a rule is about: VENDOR:DEVICE by ids, or by names, which are asked of
 * pci.ids and then of what they stood for before. Owns no state. Fails closed: a name that
 * stands for nothing, or for several ids, is an error of the policy.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "policy_parse.h"

#define ID_EXPECTED "0 to ffff in hex, or *"

/* VENDOR:DEVICE as its two parts. */
static int ids_cut(struct ncg_policy_parser *parser, struct ncg_policy_word word,
		   const char *expected, struct ncg_policy_word ret_parts[2])
{
	struct ncg_policy_word more;

	if (!ncg_policy_word_cut(word, ':', &ret_parts[0], &ret_parts[1]) ||
	    !ret_parts[0].length || !ret_parts[1].length ||
	    ncg_policy_word_cut(ret_parts[1], ':', &more, &more))
		return ncg_policy_error_word(parser, word, expected, "is not VENDOR:DEVICE");
	return 0;
}

static int id_parse(struct ncg_policy_parser *parser, struct ncg_policy_word part,
		    __u16 *ret_value, __u16 *ret_mask)
{
	__u64 value, mask;
	int r = ncg_policy_field_parse(parser, part, true, 0xffff, ID_EXPECTED, &value, &mask);

	*ret_value = value;
	*ret_mask = mask;
	return r;
}

int ncg_policy_ids_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			 __u16 ret_values[2], __u16 ret_masks[2])
{
	struct ncg_policy_word parts[2];
	int ret = ids_cut(parser, word, "two hex ids, * for any, as 10de:2330", parts);

	if (ret < 0)
		return ret;
	for (int i = 0; i < 2; i++) {
		int r = id_parse(parser, parts[i], &ret_values[i], &ret_masks[i]);

		if (r < 0)
			ret = r;
	}
	return ret;
}

/* ---------------------------------------------------------------------- names */

/* A rule's VENDOR:DEVICE with names in it. */
struct named {
	struct ncg_policy_word parts[2];
	char *texts[2]; /* NULL: the part is an id */
	__u16 values[2], masks[2];
};

static void named_done(struct named *named)
{
	free(named->texts[0]);
	free(named->texts[1]);
}

/* What came of looking one name up. */
struct answer {
	int error; /* 0: there are ids, of which exactly one is good */
	struct ncg_policy_ids ids;
	struct ncg_policy_trouble trouble;
};

static void answer_done(struct answer *answer)
{
	free(answer->trouble.problem);
}

/* "10de:2330 and 10de:2331", for a name that stands for several. */
static int tell_several(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			const __u16 *vendor, const struct ncg_policy_ids *ids)
{
	size_t shown = ids->count < NCG_POLICY_IDS_MAX ? ids->count : NCG_POLICY_IDS_MAX;
	char list[NCG_POLICY_IDS_MAX * sizeof(", 10de:2330") + 40], *end = list;

	for (size_t i = 0; i < shown; i++) {
		if (i)
			end += sprintf(end, i + 1 < ids->count ? ", " : " and ");
		if (vendor)
			end += sprintf(end, "%04x:", *vendor);
		end += sprintf(end, "%04x", ids->list[i]);
	}
	if (ids->count > shown)
		sprintf(end, " and %zu more", ids->count - shown);
	return ncg_policy_error_add(parser, word, word.column, NULL, "the id of one of them",
				    "is the name of %s", list);
}

/* With the nearest name as a hint, in quotes as it would be written. */
static int tell_unknown(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			const __u16 *vendor, const char *name)
{
	const struct ncg_policy_sources *sources = parser->sources;
	const char *expected = vendor ? "a device's id in hex, *, or its name as pci.ids has it" :
					"a vendor's id in hex, *, or its name as pci.ids has it";
	ncg_autofree char *nearest = NULL, *hint = NULL;

	/* Beyond what is shown it would be work for nobody. */
	if (sources->nearest && ncg_policy_error_is_shown(parser) &&
	    sources->nearest(sources->context, vendor, name, &nearest))
		return ncg_policy_no_memory(parser);
	if (nearest && asprintf(&hint, "\"%s\"", nearest) < 0) {
		hint = NULL;
		return ncg_policy_no_memory(parser);
	}
	if (vendor)
		return ncg_policy_error_add(parser, word, word.column, hint, expected,
					    "is not a device name of vendor %04x in pci.ids",
					    *vendor);
	return ncg_policy_error_add(parser, word, word.column, hint, expected,
				    "is not a vendor name in pci.ids");
}

/* Collects why a name stands for nothing. */
static int tell_why(struct ncg_policy_parser *parser, struct ncg_policy_word word,
		    const __u16 *vendor, const char *name, const struct answer *answer)
{
	const struct ncg_policy_trouble *trouble = &answer->trouble;

	if (answer->error)
		return ncg_policy_error_add(parser, word, word.column, NULL,
					    trouble->expected ? trouble->expected : ID_EXPECTED,
					    "cannot be looked up: %s",
					    trouble->problem ? trouble->problem :
					    answer->error == -ENOENT ? "there is no pci.ids" :
						    strerror(-answer->error));
	if (answer->ids.count)
		return tell_several(parser, word, vendor, &answer->ids);
	return tell_unknown(parser, word, vendor, name);
}

/* The whole as a rule has it: ncg_policy_rule.name. NULL: no memory. */
static char *named_format(const struct named *named)
{
	char ids[2][sizeof("2330")] = { "*", "*" }, *name;
	const char *texts[2];
	int lengths[2];

	for (int i = 0; i < 2; i++) {
		if (named->masks[i])
			snprintf(ids[i], sizeof(ids[i]), "%04x", named->values[i]);
		texts[i] = named->texts[i] ? named->parts[i].text : ids[i];
		lengths[i] = named->texts[i] ? named->parts[i].length : strlen(ids[i]);
	}
	return asprintf(&name, "%.*s:%.*s", lengths[0], texts[0], lengths[1], texts[1]) < 0 ?
		       NULL : name;
}

/*
 * Takes the ids of the names from pci.ids, or where it does not tell, those that the
 * whole stood for when it was last in force: an update of pci.ids refuses no policy.
 * good: there was no error in the rule's ids so far.
 */
static int named_look_up(struct ncg_policy_parser *parser, struct named *named, bool good,
			 struct ncg_policy_rule *rule)
{
	const struct ncg_policy_sources *sources = parser->sources;
	const __u16 *vendor = NULL;

	rule->name = named_format(named);
	if (!rule->name)
		return ncg_policy_no_memory(parser);
	for (int i = 0; i < 2; i++, vendor = &named->values[0]) {
		ncg_cleanup(answer_done) struct answer answer = { .error = -ENOENT };

		if (!named->texts[i])
			continue;
		if (sources && sources->ids)
			answer.error = sources->ids(sources->context, vendor, named->texts[i],
						    &answer.ids, &answer.trouble);
		if (answer.error == -ENOMEM)
			return ncg_policy_no_memory(parser);
		if (!answer.error && answer.ids.count == 1) {
			named->values[i] = answer.ids.list[0];
			continue;
		}
		if (good && sources && sources->known &&
		    !sources->known(sources->context, rule->name, &named->values[0],
				    &named->values[1])) {
			rule->gone = true;
			return 0;
		}
		/* Of a vendor that is not known there is nothing to look up. */
		return tell_why(parser, named->parts[i], vendor, named->texts[i], &answer);
	}
	return 0;
}

int ncg_policy_device_parse(struct ncg_policy_parser *parser, struct ncg_policy_word word,
			    struct ncg_policy_rule *rule)
{
	ncg_cleanup(named_done) struct named named = { 0 };
	int ret = ids_cut(parser, word,
			  "two hex ids, * for any, as 10de:2330, or names in double quotes",
			  named.parts);

	if (ret < 0)
		return ret;
	for (int i = 0; i < 2; i++) {
		int r;

		if (ncg_policy_word_quoted(named.parts[i])) {
			named.masks[i] = 0xffff;
			r = ncg_policy_text_parse(parser, named.parts[i], &named.texts[i]);
		} else {
			r = id_parse(parser, named.parts[i], &named.values[i], &named.masks[i]);
		}
		if (r < 0)
			ret = r;
	}
	if (named.texts[1] && !named.masks[0] && !ret)
		return ncg_policy_error_word(parser, named.parts[1], "its vendor before it",
					     "is a device's name, which says nothing alone");
	/* A wrong id hides no wrong name, but of a wrong vendor's. */
	if (named.texts[0] || (named.texts[1] && !ret)) {
		int r = named_look_up(parser, &named, !ret, rule);

		if (r < 0)
			ret = r;
	}
	rule->value.vendor = named.values[0];
	rule->value.device = named.values[1];
	rule->mask.vendor = named.masks[0];
	rule->mask.device = named.masks[1];
	return ret;
}
