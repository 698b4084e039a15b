// SPDX-License-Identifier: GPL-2.0-only
/* See policy_names.h. */
#include "policy_names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "device.h"
#include "policy_word.h"

#define IDS 0x10000
#define NAME_LEN 256 /* longer ones in pci.ids are cut, and match nothing */

struct ncg_policy_names {
	struct ncg_pci_names *pci;
	char **vendors; /* by id, NULL: no name; NULL itself before the first look-up */
	size_t vendor_count;
};

int ncg_policy_names_open(const char *pci_ids, struct ncg_policy_names **ret_names)
{
	ncg_autofree struct ncg_policy_names *names = calloc(1, sizeof(*names));

	if (!names || ncg_pci_names_open(pci_ids, &names->pci))
		return -ENOMEM;
	*ret_names = ncg_take_ptr(names);
	return 0;
}

void ncg_policy_names_free(struct ncg_policy_names *names)
{
	if (!names)
		return;
	for (size_t id = 0; names->vendors && id < IDS; id++)
		free(names->vendors[id]);
	free(names->vendors);
	ncg_pci_names_free(names->pci);
	free(names);
}

static int read_vendors(struct ncg_policy_names *names)
{
	char buffer[NAME_LEN];

	if (names->vendors)
		return 0;
	names->vendors = calloc(IDS, sizeof(*names->vendors));
	if (!names->vendors)
		return -ENOMEM;
	for (int id = 0; id < IDS; id++) {
		const char *name = ncg_pci_names_get(names->pci, id, -1, buffer, sizeof(buffer));

		if (!name)
			continue;
		names->vendors[id] = strdup(name);
		if (!names->vendors[id])
			return -ENOMEM;
		names->vendor_count++;
	}
	return 0;
}

/* What a search has found: the ids of that very name, and the nearest other. */
struct search {
	struct ncg_policy_word word, folded; /* what is searched; in small letters */
	struct ncg_policy_ids ids;
	struct ncg_policy_nearest nearest; /* of names in small letters */
	char *best;			   /* the nearest as it is written */
};

static void fold(const char *text, char ret_text[NAME_LEN])
{
	size_t i;

	for (i = 0; text[i] && i < NAME_LEN - 1; i++)
		ret_text[i] = tolower((unsigned char)text[i]);
	ret_text[i] = '\0';
}

/*
 * How far a name is from the one that is searched: nobody remembers "Corporation", so
 * a name that holds all that was written is nearer than one of other letters, and the
 * shorter the nearer.
 */
static bool is_nearer(struct search *search, const char *candidate)
{
	struct ncg_policy_nearest nearest = { 0 };
	char folded[NAME_LEN];

	fold(candidate, folded);
	if (search->folded.length && strstr(folded, search->folded.text))
		nearest = (struct ncg_policy_nearest){
			candidate, (strlen(folded) - search->folded.length + 63) / 64 };
	else
		ncg_policy_nearest_try(&nearest, search->folded, folded);
	if (!nearest.word ||
	    (search->nearest.word && (nearest.distance > search->nearest.distance ||
				      (nearest.distance == search->nearest.distance &&
				       strlen(candidate) >= strlen(search->best)))))
		return false;
	search->nearest.distance = nearest.distance;
	return true;
}

static int try(struct search *search, const char *candidate, __u16 id)
{
	if (ncg_policy_word_is(search->word, candidate)) {
		if (search->ids.count < NCG_POLICY_IDS_MAX)
			search->ids.list[search->ids.count] = id;
		search->ids.count++;
		return 0;
	}
	if (search->ids.count || !is_nearer(search, candidate))
		return 0;
	free(search->best);
	search->best = strdup(candidate);
	search->nearest.word = search->best;
	return search->best ? 0 : -ENOMEM;
}

int ncg_policy_names_ids(struct ncg_policy_names *names, const __u16 *vendor, const char *name,
			 struct ncg_policy_ids *ret_ids)
{
	char buffer[NAME_LEN], folded[NAME_LEN];
	ncg_autofree char *best = NULL;
	struct search search = { .word = { name, strlen(name), 1 } };
	int r = read_vendors(names);

	*ret_ids = (struct ncg_policy_ids){ 0 };
	if (!r && !names->vendor_count)
		return -ENOENT;
	fold(name, folded);
	search.folded = (struct ncg_policy_word){ folded, strlen(folded), 1 };
	for (int id = 0; !r && id < IDS; id++) {
		const char *candidate =
			vendor ? ncg_pci_names_get(names->pci, *vendor, id, buffer, sizeof(buffer)) :
				 names->vendors[id];

		if (candidate)
			r = try(&search, candidate, id);
	}
	best = search.best;
	if (r)
		return r;
	*ret_ids = search.ids;
	if (!search.ids.count)
		ret_ids->nearest = ncg_take_ptr(best);
	return 0;
}
