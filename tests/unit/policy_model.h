/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random policies and devices, and a naive first-match interpreter, for property
 * tests. A policy is made as a model and written out as text; the interpreter
 * reads the model alone, field by field, and so shares no code and no
 * representation with the parser, the compiler or the decider.
 *
 * All state is in the struct model and in the generator the test owns. A failure
 * of its own (no memory) aborts the test.
 */
#ifndef NCGATE_TESTS_POLICY_MODEL_H
#define NCGATE_TESTS_POLICY_MODEL_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "policy.h"

#define MODEL_RULES_MAX 160
#define MODEL_ANY (-1)

struct model_rule {
	bool allow;
	unsigned int line;
	int64_t vendor, device;
	bool has_subsystem, has_slot;
	int64_t subvendor, subdevice;
	unsigned int class_digits;	/* 0: no match on it */
	uint32_t class_code;		/* that many digits of it */
	int64_t domain, bus, slot, function;
	unsigned int bars;		/* a bit for each, 0: no match on it */
	int64_t uid;
	const char *cgroup;		/* NULL: no match on it */
	bool audit;
};

struct model {
	bool enforce, allow_by_default, trap;
	size_t rules;
	struct model_rule rule[MODEL_RULES_MAX];
};

struct model_answer {
	bool allow;
	unsigned int line;	/* 0: no rule */
	bool audit;
};

/* ---------------------------------------------------------------- generator */

/* SplitMix64: the same numbers from a seed on every machine. */
static inline uint64_t model_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline uint64_t model_below(uint64_t *state, uint64_t n)
{
	return model_random(state) % n;
}

static inline bool model_chance(uint64_t *state, unsigned int percent)
{
	return model_below(state, 100) < percent;
}

/*
 * Values come from small sets, so that rules and devices meet; the sets hold the
 * extremes of each field.
 */
#define MODEL_PICK(state, set) ((set)[model_below(state, sizeof(set) / sizeof(*(set)))])

static const uint16_t model_ids[] = { 0, 0x10de, 0x10df, 0xffff };
static const uint32_t model_classes[] = { 0, 0x020000, 0x020001, 0x030200, 0x0302ff, 0xffffff };
static const uint32_t model_domains[] = { 0, 1, 0x10000, 0xffffffff };
static const uint8_t model_buses[] = { 0, 1, 0xff };
static const uint8_t model_slots[] = { 0, 1, 0x1f };
static const uint8_t model_functions[] = { 0, 1, 7 };
static const uint32_t model_uids[] = { 0, 107, 64055, 0xfffffffe };

/*
 * By how deep they are. Names are cut into parts of 39 bytes when they are compared,
 * so there are some of about that length, and some that differ behind it.
 */
#define MODEL_39 "abcdefghijklmnopqrstuvwxyz0123456789ABC"
#define MODEL_CGROUP_DEPTHS 4
#define MODEL_CGROUPS_EACH 5
static const char *const model_cgroups[MODEL_CGROUP_DEPTHS][MODEL_CGROUPS_EACH] = {
	{ "/", "/", "/", "/", "/" },
	{ "/a", "/ab", "/" MODEL_39, "/" MODEL_39 "x", "/" MODEL_39 MODEL_39 "x y" },
	{ "/a/b", "/a/a", "/" MODEL_39 "/" MODEL_39, "/" MODEL_39 "x/b", "/a/" MODEL_39 "y" },
	{ "/a/b/c", "/a/b/" MODEL_39, "/" MODEL_39 "/" MODEL_39 "/z", "/a/a/a", "/ab/b/c" },
};
_Static_assert(sizeof(MODEL_39) - 1 == NCG_NAME_PART_LEN, "as long as a part");

static inline const char *model_cgroup(uint64_t *state, unsigned int depth)
{
	return model_cgroups[depth][model_below(state, MODEL_CGROUPS_EACH)];
}

static inline int64_t model_or_any(bool any, int64_t value)
{
	return any ? MODEL_ANY : value;
}

/*
 * shape says what a rule matches on. Shapes are drawn from a short list for each
 * policy, which keeps every policy within NCG_MASKS_MAX.
 */
static inline void model_rule_make(uint64_t *state, uint64_t shape, struct model_rule *ret_rule)
{
	struct model_rule *r = ret_rule;
	uint32_t code = MODEL_PICK(state, model_classes);

	memset(r, 0, sizeof(*r));
	r->allow = model_chance(state, 50);
	r->vendor = model_or_any(shape & 1, MODEL_PICK(state, model_ids));
	r->device = model_or_any(shape >> 1 & 1, MODEL_PICK(state, model_ids));
	r->has_subsystem = !(shape >> 2 & 3);
	r->subvendor = model_or_any(shape >> 4 & 1, MODEL_PICK(state, model_ids));
	r->subdevice = model_or_any(shape >> 5 & 1, MODEL_PICK(state, model_ids));
	r->class_digits = (shape >> 6 & 3) ? 0 : 2 + 2 * ((shape >> 8 & 7) % 3);
	r->class_code = code >> 4 * (6 - (r->class_digits ? r->class_digits : 6));
	r->has_slot = !(shape >> 11 & 3);
	r->domain = model_or_any(shape >> 13 & 1, MODEL_PICK(state, model_domains));
	r->bus = model_or_any(shape >> 14 & 1, MODEL_PICK(state, model_buses));
	r->slot = model_or_any(shape >> 15 & 1, MODEL_PICK(state, model_slots));
	r->function = model_or_any(shape >> 16 & 1, MODEL_PICK(state, model_functions));
	r->bars = (shape >> 17 & 1) ? 0 : 1 + model_below(state, 63);
	r->uid = model_or_any(shape >> 18 & 3, MODEL_PICK(state, model_uids));
	r->cgroup = (shape >> 20 & 3) ? NULL : model_cgroup(state, shape >> 22 & 3);
	r->audit = model_chance(state, 15);
}

static inline void model_make(uint64_t *state, struct model *ret_model)
{
	uint64_t shapes[NCG_MASKS_MAX];
	size_t shape_count = 1 + model_below(state, NCG_MASKS_MAX);

	ret_model->enforce = model_chance(state, 50);
	ret_model->allow_by_default = model_chance(state, 50);
	ret_model->trap = model_chance(state, 50);
	/* Few rules as well as many: both ends hide mistakes. */
	ret_model->rules = model_below(state, model_chance(state, 50) ? 6 : MODEL_RULES_MAX + 1);
	for (size_t i = 0; i < shape_count; i++)
		shapes[i] = model_random(state);
	for (size_t i = 0; i < ret_model->rules; i++)
		model_rule_make(state, shapes[model_below(state, shape_count)],
				&ret_model->rule[i]);
}

/*
 * A device: with a rule as its model it agrees with that rule in most fields, so
 * that near misses are as common as hits.
 */
static inline void model_device_make(uint64_t *state, const struct model *model,
				     struct ncg_tuple *ret_tuple, const char **ret_cgroup)
{
	struct ncg_tuple *t = ret_tuple;

	memset(t, 0, sizeof(*t));
	t->vendor = MODEL_PICK(state, model_ids);
	t->device = MODEL_PICK(state, model_ids);
	t->subvendor = MODEL_PICK(state, model_ids);
	t->subdevice = MODEL_PICK(state, model_ids);
	t->class_code = MODEL_PICK(state, model_classes);
	t->domain = MODEL_PICK(state, model_domains);
	t->bus = MODEL_PICK(state, model_buses);
	t->devfn = MODEL_PICK(state, model_slots) << 3 | MODEL_PICK(state, model_functions);
	t->bar = model_below(state, 6);
	t->uid = MODEL_PICK(state, model_uids);
	*ret_cgroup = model_cgroup(state, model_below(state, MODEL_CGROUP_DEPTHS));

	if (model->rules && model_chance(state, 70)) {
		const struct model_rule *r = &model->rule[model_below(state, model->rules)];
		const unsigned int keep = 95;

		if (r->vendor >= 0 && model_chance(state, keep))
			t->vendor = r->vendor;
		if (r->device >= 0 && model_chance(state, keep))
			t->device = r->device;
		if (r->has_subsystem && r->subvendor >= 0 && model_chance(state, keep))
			t->subvendor = r->subvendor;
		if (r->has_subsystem && r->subdevice >= 0 && model_chance(state, keep))
			t->subdevice = r->subdevice;
		if (r->class_digits && model_chance(state, keep))
			t->class_code = r->class_code << 4 * (6 - r->class_digits);
		if (r->has_slot && r->domain >= 0 && model_chance(state, keep))
			t->domain = r->domain;
		if (r->has_slot && r->bus >= 0 && model_chance(state, keep))
			t->bus = r->bus;
		if (r->has_slot && r->slot >= 0 && model_chance(state, keep))
			t->devfn = r->slot << 3 | (t->devfn & 7);
		if (r->has_slot && r->function >= 0 && model_chance(state, keep))
			t->devfn = (t->devfn & 0xf8) | r->function;
		if (r->bars && model_chance(state, keep))
			while (!(r->bars >> t->bar & 1))
				t->bar = model_below(state, 6);
		if (r->uid >= 0 && model_chance(state, keep))
			t->uid = r->uid;
		if (r->cgroup && model_chance(state, keep / 2))
			*ret_cgroup = r->cgroup;
	}
}

/* --------------------------------------------------------------------- text */

struct model_text {
	char *text;
	size_t size;
	unsigned int line;	/* the one being written, from 1 */
	uint64_t *state;
	FILE *out;
};

static inline void model_newline(struct model_text *text)
{
	static const char *const ends[] = {
		"\n", "\n", "\n", " \t\n", "\r\n", " # a rule\n", "\t#\r\n",
	};

	fputs(MODEL_PICK(text->state, ends), text->out);
	text->line++;
}

static inline void model_padding(struct model_text *text)
{
	while (model_chance(text->state, 10)) {
		static const char *const lines[] = { "", "# allow *:*", "   ", "\t# x" };

		fputs(MODEL_PICK(text->state, lines), text->out);
		model_newline(text);
	}
}

static inline void model_blank(struct model_text *text)
{
	static const char *const blanks[] = { " ", " ", "\t", "  \t " };

	fputs(MODEL_PICK(text->state, blanks), text->out);
}

static inline void model_hex(struct model_text *text, bool prefix, int digits, int64_t value)
{
	if (value == MODEL_ANY) {
		fputc('*', text->out);
		return;
	}
	if (prefix && model_chance(text->state, 20))
		fputs(model_chance(text->state, 50) ? "0x" : "0X", text->out);
	if (model_chance(text->state, 20))
		digits = 1;
	if (model_chance(text->state, 30))
		fprintf(text->out, "%0*" PRIX64, digits, value);
	else
		fprintf(text->out, "%0*" PRIx64, digits, value);
}

#define MODEL_MATCHES 7

static inline void model_match_write(struct model_text *text, const struct model_rule *r, int match)
{
	const char *comma = "";
	unsigned int first;

	switch (match) {
	case 0:
		if (!r->has_subsystem)
			return;
		model_blank(text);
		fputs("subsystem=", text->out);
		model_hex(text, true, 4, r->subvendor);
		fputc(':', text->out);
		model_hex(text, true, 4, r->subdevice);
		return;
	case 1:
		if (!r->class_digits)
			return;
		model_blank(text);
		fprintf(text->out, "class=%s%0*x", model_chance(text->state, 20) ? "0x" : "",
			(int)r->class_digits, r->class_code);
		return;
	case 2:
		if (!r->has_slot)
			return;
		model_blank(text);
		fputs("slot=", text->out);
		model_hex(text, false, 4, r->domain);
		fputc(':', text->out);
		model_hex(text, false, 2, r->bus);
		fputc(':', text->out);
		model_hex(text, false, 2, r->slot);
		fputc('.', text->out);
		model_hex(text, false, 1, r->function);
		return;
	case 3:
		if (!r->bars)
			return;
		model_blank(text);
		fputs("bar=", text->out);
		first = model_below(text->state, 6);	/* the list in any order */
		for (unsigned int i = 0; i < 6; i++) {
			unsigned int bar = (first + i) % 6;

			if (!(r->bars >> bar & 1))
				continue;
			fprintf(text->out, "%s%u", comma, bar);
			comma = ",";
		}
		return;
	case 4:
		if (r->uid == MODEL_ANY)
			return;
		model_blank(text);
		fprintf(text->out, "uid=%" PRId64, r->uid);
		return;
	case 5:
		if (!r->cgroup)
			return;
		model_blank(text);
		if (strchr(r->cgroup, ' ') || model_chance(text->state, 30))
			fprintf(text->out, "cgroup=\"%s\"", r->cgroup);
		else
			fprintf(text->out, "cgroup=%s", r->cgroup);
		return;
	case 6:
		if (!r->audit)
			return;
		model_blank(text);
		fputs("audit", text->out);
		return;
	}
}

/* Writes the policy's text and notes each rule's line. The caller frees it. */
static inline char *model_write(uint64_t *state, struct model *model, size_t *ret_size)
{
	struct model_text text = { .line = 1, .state = state };
	size_t mode_at = model_below(state, model->rules + 1);
	size_t default_at = model_below(state, model->rules + 1);

	text.out = open_memstream(&text.text, &text.size);
	if (!text.out)
		abort();
	for (size_t i = 0; i <= model->rules; i++) {
		model_padding(&text);
		if (i == mode_at && (model->enforce || model_chance(state, 50))) {
			fprintf(text.out, "mode %s", model->enforce ? "enforce" : "audit");
			model_newline(&text);
		}
		if (i == default_at) {
			if (model->allow_by_default || model_chance(state, 50)) {
				fprintf(text.out, "default %s",
					model->allow_by_default ? "allow" : "deny");
				model_newline(&text);
			}
			if (model->trap || model_chance(state, 50)) {
				fprintf(text.out, "without-hook %s",
					model->trap ? "trap" : "audit");
				model_newline(&text);
			}
		}
		if (i < model->rules) {
			struct model_rule *r = &model->rule[i];
			unsigned int first = model_below(state, MODEL_MATCHES);

			r->line = text.line;
			if (model_chance(state, 10))
				model_blank(&text);
			fputs(r->allow ? "allow" : "deny", text.out);
			model_blank(&text);
			model_hex(&text, true, 4, r->vendor);
			fputc(':', text.out);
			model_hex(&text, true, 4, r->device);
			for (unsigned int m = 0; m < MODEL_MATCHES; m++)
				model_match_write(&text, r, (first + m) % MODEL_MATCHES);
			model_newline(&text);
		}
	}
	if (ferror(text.out) || fclose(text.out))
		abort();
	*ret_size = text.size;
	return text.text;
}

/* -------------------------------------------------------------- interpreter */

/* Folder by folder. */
static inline bool model_within(const char *cgroup, const char *ancestor)
{
	if (!ancestor[1])
		return true;
	while (*ancestor) {
		size_t length = strcspn(ancestor + 1, "/") + 1;

		if (strcspn(cgroup + !!*cgroup, "/") + !!*cgroup != length ||
		    memcmp(cgroup, ancestor, length))
			return false;
		cgroup += length;
		ancestor += length;
	}
	return true;
}

static inline bool model_matches(const struct model_rule *r, const struct ncg_tuple *t,
				 const char *cgroup)
{
	if (r->vendor >= 0 && r->vendor != t->vendor)
		return false;
	if (r->device >= 0 && r->device != t->device)
		return false;
	if (r->has_subsystem && r->subvendor >= 0 && r->subvendor != t->subvendor)
		return false;
	if (r->has_subsystem && r->subdevice >= 0 && r->subdevice != t->subdevice)
		return false;
	switch (r->class_digits) {
	case 2:
		if (r->class_code != t->class_code / 0x10000)
			return false;
		break;
	case 4:
		if (r->class_code != t->class_code / 0x100)
			return false;
		break;
	case 6:
		if (r->class_code != t->class_code)
			return false;
		break;
	}
	if (r->has_slot) {
		if (r->domain >= 0 && r->domain != t->domain)
			return false;
		if (r->bus >= 0 && r->bus != t->bus)
			return false;
		if (r->slot >= 0 && r->slot != t->devfn / 8)
			return false;
		if (r->function >= 0 && r->function != t->devfn % 8)
			return false;
	}
	if (r->bars && !(r->bars >> t->bar & 1))
		return false;
	if (r->uid >= 0 && (uint64_t)r->uid != t->uid)
		return false;
	return !r->cgroup || model_within(cgroup, r->cgroup);
}

static inline struct model_answer model_decide(const struct model *model,
					       const struct ncg_tuple *t, const char *cgroup)
{
	for (size_t i = 0; i < model->rules; i++) {
		const struct model_rule *r = &model->rule[i];

		if (model_matches(r, t, cgroup))
			return (struct model_answer){ r->allow, r->line, r->audit };
	}
	return (struct model_answer){ model->allow_by_default, 0, false };
}

/*
 * The first difference between what the model says and what was decided, as a
 * sentence; NULL when there is none. Written to a static buffer.
 */
static inline const char *model_differs(const struct model *model, const struct ncg_tuple *t,
					const char *cgroup, const struct ncg_policy *policy, uint64_t generation,
					const struct ncg_decision *d)
{
	static char text[512];
	const struct model_answer answer = model_decide(model, t, cgroup);
	const uint32_t verdict = answer.allow ? NCG_VERDICT_ALLOW : NCG_VERDICT_DENY;
	const uint32_t reason = answer.line ? NCG_REASON_RULE : NCG_REASON_DEFAULT;
	const uint32_t mode = model->enforce ? NCG_MODE_ENFORCE : NCG_MODE_AUDIT;
	static const char no_file[NCG_PATH_LEN];
	const char *file = answer.line ? policy->files[0] : no_file;

	if (d->verdict == verdict && d->reason == reason && d->line == answer.line &&
	    d->mode == mode && d->generation == generation && d->audit == answer.audit &&
	    !memcmp(d->file, file, NCG_PATH_LEN) &&
	    !memcmp(d->sha256, policy->sha256, NCG_SHA256_LEN))
		return NULL;
	snprintf(text, sizeof(text),
		 "expected verdict %u reason %u line %u mode %u audit %d generation %" PRIu64
		 " file '%s'; got %u %u %u %u %u %" PRIu64 " '%s'; cgroup %s",
		 verdict, reason, answer.line, mode, answer.audit, generation, file, d->verdict,
		 d->reason, d->line, d->mode, d->audit, (uint64_t)d->generation, d->file, cgroup);
	return text;
}

/* The seed is fixed; NCG_SEED replaces it to look for more, or to repeat. */
static inline uint64_t model_seed(uint64_t fixed)
{
	const char *text = getenv("NCG_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : fixed;

	printf("seed %" PRIu64 " (NCG_SEED)\n", seed);
	return seed;
}

#endif
