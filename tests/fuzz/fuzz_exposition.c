// SPDX-License-Identifier: GPL-2.0-only
/*
 * The metrics' writer on any labels and values, its text read back by a small strict reader
 * of the text format 0.0.4 that shares nothing with it but which characters are hidden: every sample is there, in the order
 * of its family, with the labels and the value that were given. Input: samples of a family,
 * a kind, a value and labels, each ended by a NUL. Keeps no state between inputs.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "exposition.h"
#include "fuzz.h"
#include "text.h"

#define SAMPLES_MAX 64
#define LABELS_MAX 8
#define LABEL_ROOM 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sample {
	enum ncg_family family;
	bool is_double;
	uint64_t number;
	double real;
	char labels[LABELS_MAX][LABEL_ROOM];
	size_t label_count;
};

/* ---------------------------------------------------------------- what to expect */

/*
 * What a label comes to: bytes that are not UTF-8 by the Unicode Standard become U+FFFD, and
 * characters that nobody sees are spelled out.
 */
static void repaired(const char *from, char *to)
{
	const unsigned char *s = (const unsigned char *)from;

	while (*s) {
		uint32_t code = *s, least = 0;
		size_t more = 0;

		if (code >= 0xf0 && code < 0xf8)
			more = 3, code &= 7, least = 0x10000;
		else if (code >= 0xe0 && code < 0xf0)
			more = 2, code &= 15, least = 0x800;
		else if (code >= 0xc0 && code < 0xe0)
			more = 1, code &= 31, least = 0x80;
		else if (code >= 0x80)
			least = UINT32_MAX; /* no beginning */
		for (size_t i = 1; i <= more; i++) {
			if ((s[i] & 0xc0) != 0x80) {
				least = UINT32_MAX;
				break;
			}
			code = code << 6 | (s[i] & 63);
		}
		if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
			s++;
			continue;
		}
		if (ncg_text_is_hidden(code)) {
			to += sprintf(to, code < 0x80 ? "\\x%02x" : code > 0xffff ? "\\U%08x" :
								     "\\u%04x", code);
		} else {
			memcpy(to, s, more + 1);
			to += more + 1;
		}
		s += more + 1;
	}
	*to = '\0';
}

/* ------------------------------------------------------------------- the reader */

static const char *take_text(const char *at, const char *text)
{
	size_t length = strlen(text);

	check(!strncmp(at, text, length));
	return at + length;
}

/* A quoted label value, its escapes undone. */
static const char *take_value(const char *at, char *ret_value, size_t room)
{
	size_t size = 0;

	at = take_text(at, "\"");
	for (; *at != '"'; at++) {
		char c = *at;

		check(c && c != '\n');
		if (c == '\\') {
			at++;
			check(*at == '\\' || *at == '"' || *at == 'n');
			c = *at == 'n' ? '\n' : *at;
		}
		check(size + 1 < room);
		ret_value[size++] = c;
	}
	ret_value[size] = '\0';
	return at + 1;
}

static void check_value(const char *text, const struct sample *sample)
{
	char *end;

	if (!sample->is_double) {
		check(isdigit((unsigned char)*text));
		errno = 0;
		check(strtoull(text, &end, 10) == sample->number && !errno && *end == '\n');
		return;
	}
	if (isnan(sample->real)) {
		take_text(text, "NaN\n");
	} else if (isinf(sample->real)) {
		take_text(text, sample->real > 0 ? "+Inf\n" : "-Inf\n");
	} else {
		check(*text == '-' || isdigit((unsigned char)*text));
		check(strtod(text, &end) == sample->real && *end == '\n');
	}
}

/* One line of a sample; what it must be. */
static const char *take_sample(const char *at, const struct sample *sample)
{
	const struct ncg_family_desc *desc = ncg_exposition_family(sample->family);
	char value[4 * LABEL_ROOM], wanted[4 * LABEL_ROOM];

	at = take_text(at, desc->name);
	for (size_t i = 0; i < sample->label_count; i++) {
		at = take_text(at, i ? "," : "{");
		at = take_text(at, desc->labels[i]);
		at = take_text(at, "=");
		at = take_value(at, value, sizeof(value));
		repaired(sample->labels[i], wanted);
		check(!strcmp(value, wanted));
	}
	at = take_text(at, sample->label_count ? "} " : " ");
	check_value(at, sample);
	at = strchr(at, '\n');
	check(at);
	return at + 1;
}

static const char *take_line(const char *at, const char *begin, const char *name)
{
	at = take_text(at, begin);
	at = take_text(at, name);
	at = take_text(at, " ");
	at = strchr(at, '\n');
	check(at);
	return at + 1;
}

static void check_text(const char *text, const struct sample *samples, size_t count)
{
	for (enum ncg_family family = 0; family < NCG_MF_NR; family++) {
		const char *name = ncg_exposition_family(family)->name;
		bool begun = false;

		for (size_t i = 0; i < count; i++) {
			if (samples[i].family != family)
				continue;
			if (!begun) {
				text = take_line(text, "# HELP ", name);
				text = take_line(text, "# TYPE ", name);
			}
			begun = true;
			text = take_sample(text, &samples[i]);
		}
	}
	check(!*text);
}

/* ------------------------------------------------------------------------ input */

static void take_label(struct input *input, char *ret_label)
{
	size_t size = 0;

	while (input->size && size + 1 < LABEL_ROOM) {
		char c;

		input_take(input, &c, 1);
		if (!c)
			break;
		ret_label[size++] = c;
	}
	ret_label[size] = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sample *samples = calloc(SAMPLES_MAX, sizeof(*samples));
	struct input input = { data, size };
	struct ncg_exposition *e;
	size_t count = 0, length;
	uint16_t limit;
	char *text;
	int r;

	input_take(&input, &limit, sizeof(limit));
	check(!ncg_exposition_new(limit, &e));
	while (input.size && count < SAMPLES_MAX) {
		struct sample *s = &samples[count++];
		const char *labels[LABELS_MAX];
		uint8_t family, kind;

		input_take(&input, &family, 1);
		input_take(&input, &kind, 1);
		s->family = family % NCG_MF_NR;
		s->is_double = kind & 1;
		if (s->is_double)
			input_take(&input, &s->real, sizeof(s->real));
		else
			input_take(&input, &s->number, sizeof(s->number));
		while (ncg_exposition_family(s->family)->labels[s->label_count]) {
			check(s->label_count < LABELS_MAX);
			take_label(&input, s->labels[s->label_count]);
			labels[s->label_count] = s->labels[s->label_count];
			s->label_count++;
		}
		if (s->is_double)
			ncg_exposition_double(e, s->family, s->real, labels, s->label_count);
		else
			ncg_exposition_u64(e, s->family, s->number, labels, s->label_count);
	}
	r = ncg_exposition_finish(e, &text, &length);
	/* Nothing but the limit stands in the way; then there is no text, not half of one. */
	check(!r || (r == -ENOMEM && limit));
	if (!r) {
		check(strlen(text) == length);
		check_text(text, samples, count);
		free(text);
	}
	ncg_exposition_free(e);
	free(samples);
	return 0;
}
