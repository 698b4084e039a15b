// SPDX-License-Identifier: GPL-2.0-only
/* See policy_names.h. */
#include "policy_names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy_word.h"

void ncg_policy_names_ids(struct ncg_pci_ids *ids, const __u16 *vendor, const char *name,
			  struct ncg_policy_ids *ret_ids)
{
	size_t count;
	const struct ncg_pci_id *found = ncg_pci_ids_find(ids, vendor, name, &count);

	*ret_ids = (struct ncg_policy_ids){ 0 };
	for (size_t i = 0; i < count; i++) {
		/* They are sorted; a file may say the same twice. */
		if (i && found[i].id == found[i - 1].id)
			continue;
		if (ret_ids->count < NCG_POLICY_IDS_MAX)
			ret_ids->list[ret_ids->count] = found[i].id;
		ret_ids->count++;
	}
}

/* --------------------------------------------------------------------- nearest */

#define NAME_LEN 256 /* of longer names the rest is not compared */

/* In small letters. */
static void fold(const char *text, char ret_text[NAME_LEN])
{
	size_t i;

	for (i = 0; text[i] && i < NAME_LEN - 1; i++)
		ret_text[i] = tolower((unsigned char)text[i]);
	ret_text[i] = '\0';
}

int ncg_policy_names_nearest(struct ncg_pci_ids *ids, const __u16 *vendor, const char *name,
			     char **ret_nearest)
{
	char written[NAME_LEN], other[NAME_LEN];
	struct ncg_policy_nearest nearest = { 0 };
	const char *best = NULL;
	struct ncg_policy_word word;
	size_t count;
	const struct ncg_pci_id *list = ncg_pci_ids_list(ids, vendor, &count);

	fold(name, written);
	word = (struct ncg_policy_word){ written, strlen(written), 1 };
	for (size_t i = 0; i < count; i++) {
		fold(list[i].name, other);
		if (ncg_policy_nearest_try(&nearest, word, other))
			best = list[i].name;
	}
	*ret_nearest = best ? strdup(best) : NULL;
	return best && !*ret_nearest ? -ENOMEM : 0;
}
