// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of hazards.conf on any bytes. Finds crashes, tables that hazards.h does not
 * promise, and text that would vanish from a record or lie in a table. Keeps no state
 * between inputs.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "hazards.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Text that can be seen, blanks within it included; NULL where none was given. */
static void check_words(const char *text, bool needed)
{
	size_t at = 0;

	check(text || !needed);
	if (!text)
		return;
	check(*text);
	while ((at += ncg_text_first_hidden(text + at, strlen(text + at))) < strlen(text))
		check(text[at++] == '\t');
}

static void check_ids(const struct ncg_hazard_id *ids, size_t count)
{
	check(count <= NCG_HAZARD_IDS_MAX);
	for (size_t i = 0; i < count; i++)
		check(ids[i].bars < 1 << NCG_DEVICE_BARS);
}

static bool is_there(const struct ncg_hazards *table, const char *id)
{
	for (size_t i = 0; i < table->count; i++)
		if (!strcmp(table->list[i].id, id))
			return true;
	return false;
}

static void check_table(const struct ncg_hazards *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct ncg_hazard *h = &table->list[i];

		check_words(h->id, true);
		check_words(h->because, true);
		check_words(h->instead, true);
		check_words(h->source, true);
		check_words(h->soc_id, false);
		check_words(h->unless, false);
		check(h->hurts == NCG_VERDICT_ALLOW || h->hurts == NCG_VERDICT_DENY);
		check(h->soc_id || h->has_midr || h->pci_count || h->device_count);
		check(h->part <= 0xfff);
		check_ids(h->pci, h->pci_count);
		check_ids(h->devices, h->device_count);
		check(!h->unless || is_there(table, h->unless));
		check(h->line > 0 && (!i || h->line > table->list[i - 1].line));
		for (size_t k = 0; k < i; k++)
			check(strcmp(h->id, table->list[k].id));
	}
	for (size_t i = 0; i < table->driver_count; i++) {
		const struct ncg_hazard_driver *d = &table->drivers[i];

		check_words(d->name, true);
		check_words(d->source, true);
		check_words(d->because, false);
		check(ncg_hazards_driver(table, d->name) == d);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1), *error = text;
	struct ncg_hazards *table = NULL;
	int r;

	memcpy(text, data, size);
	r = ncg_hazards_parse("t", text, size, &table, &error);
	check(r == 0 || r == -EINVAL);
	check(!table == (r != 0) && !error == (r == 0));
	if (table) {
		check(!size || !memchr(text, '\0', size));
		check_table(table);
	} else {
		check(!strncmp(error, "t:", 2));
		check_words(error, true);
	}
	ncg_hazards_free(table);
	free(error);
	free(text);
	return 0;
}
