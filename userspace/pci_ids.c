// SPDX-License-Identifier: GPL-2.0-only
/*
 * See pci_ids.h. The text is copied once; names are pieces of the copy, ended by a NUL
 * where their line ended.
 */
#include "pci_ids.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Entries in the order of compare(). */
struct list {
	struct ncg_pci_id *entries;
	size_t count;
	size_t room;
};

struct ncg_pci_ids {
	char *text;
	struct list vendors;
	struct list devices;
	size_t compared;
};

void ncg_pci_ids_free(struct ncg_pci_ids *ids)
{
	if (!ids)
		return;
	free(ids->vendors.entries);
	free(ids->devices.entries);
	free(ids->text);
	free(ids);
}

/* ----------------------------------------------------------------------- parse */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* "1af4  Name" as id and name. False: it is something else. */
static bool parse_entry(char *line, uint16_t *ret_id, const char **ret_name)
{
	unsigned int id = 0;

	for (int i = 0; i < 4; i++) {
		int digit = digit_value(line[i]);

		if (digit < 0)
			return false;
		id = id << 4 | digit;
	}
	line += 4;
	if (!is_blank(*line))
		return false;
	line += strspn(line, " \t");
	*ret_id = id;
	*ret_name = line;
	return *line;
}

static int add(struct list *list, uint16_t vendor, uint16_t id, const char *name)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 1024;
		struct ncg_pci_id *entries = reallocarray(list->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		list->entries = entries;
		list->room = room;
	}
	list->entries[list->count++] = (struct ncg_pci_id){ name, vendor, id };
	return 0;
}

/*
 * One line, which ends with a NUL. *vendor is whose devices come next, negative where
 * that is nobody: before the first vendor, among classes, and after a bad line.
 */
static int parse_line(struct ncg_pci_ids *ids, char *line, long *vendor)
{
	char *end = line + strlen(line);
	const char *name;
	uint16_t id;

	while (end > line && (is_blank(end[-1]) || end[-1] == '\r'))
		*--end = '\0';
	if (!*line || line[strspn(line, " \t")] == '#')
		return 0;
	if (*line == '\t') {
		/* Two tabs: a subsystem. */
		if (*vendor < 0 || !parse_entry(line + 1, &id, &name))
			return 0;
		return add(&ids->devices, *vendor, id, name);
	}
	*vendor = -1;
	if (!parse_entry(line, &id, &name))
		return 0;
	*vendor = id;
	return add(&ids->vendors, id, id, name);
}

/* ------------------------------------------------------------------------ find */

/* By vendor where it counts, then by name. */
static int compare_names(const struct ncg_pci_id *entry, const uint16_t *vendor, const char *name)
{
	if (vendor && entry->vendor != *vendor)
		return entry->vendor < *vendor ? -1 : 1;
	return strcmp(entry->name, name);
}

static int compare_ids(const struct ncg_pci_id *a, const struct ncg_pci_id *b)
{
	return (a->id > b->id) - (a->id < b->id);
}

static int compare_vendors(const void *left, const void *right)
{
	const struct ncg_pci_id *a = left, *b = right;
	int r = compare_names(a, NULL, b->name);

	return r ? r : compare_ids(a, b);
}

static int compare_devices(const void *left, const void *right)
{
	const struct ncg_pci_id *a = left, *b = right;
	int r = compare_names(a, &b->vendor, b->name);

	return r ? r : compare_ids(a, b);
}

/* Where the first entry stands that is not before vendor and name. */
static size_t lower_bound(struct ncg_pci_ids *ids, const struct list *list,
			  const uint16_t *vendor, const char *name)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		ids->compared++;
		if (compare_names(&list->entries[middle], vendor, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct ncg_pci_id *ncg_pci_ids_list(struct ncg_pci_ids *ids, const uint16_t *vendor,
					  size_t *ret_count)
{
	const struct list *list = vendor ? &ids->devices : &ids->vendors;
	size_t first = 0, end = list->count;

	*ret_count = 0;
	if (!list->count)
		return NULL;
	if (vendor) {
		/* No name comes before the empty one. */
		const uint16_t next = *vendor + 1;

		first = lower_bound(ids, list, vendor, "");
		if (next)
			end = lower_bound(ids, list, &next, "");
	}
	*ret_count = end - first;
	return list->entries + first;
}

const struct ncg_pci_id *ncg_pci_ids_find(struct ncg_pci_ids *ids, const uint16_t *vendor,
					  const char *name, size_t *ret_count)
{
	const struct list *list = vendor ? &ids->devices : &ids->vendors;
	size_t first, end;

	*ret_count = 0;
	if (!list->count)
		return NULL;
	first = end = lower_bound(ids, list, vendor, name);
	while (end < list->count && !compare_names(&list->entries[end], vendor, name))
		end++;
	ids->compared += end - first;
	*ret_count = end - first;
	return list->entries + first;
}

size_t ncg_pci_ids_compared(const struct ncg_pci_ids *ids)
{
	return ids->compared;
}

/* ---------------------------------------------------------------------- public */

int ncg_pci_ids_parse(const char *text, size_t size, struct ncg_pci_ids **ret_ids)
{
	ncg_autopciids struct ncg_pci_ids *ids = calloc(1, sizeof(*ids));
	long vendor = -1;

	if (!ids)
		return -ENOMEM;
	ids->text = malloc(size + 1);
	if (!ids->text)
		return -ENOMEM;
	memcpy(ids->text, text, size);
	ids->text[size] = '\0';
	for (char *line = ids->text, *end = line + size; line < end;) {
		char *newline = memchr(line, '\n', end - line);
		char *next = newline ? newline + 1 : end;

		if (newline)
			*newline = '\0';
		if (parse_line(ids, line, &vendor))
			return -ENOMEM;
		line = next;
	}
	if (ids->vendors.count)
		qsort(ids->vendors.entries, ids->vendors.count, sizeof(*ids->vendors.entries),
		      compare_vendors);
	if (ids->devices.count)
		qsort(ids->devices.entries, ids->devices.count, sizeof(*ids->devices.entries),
		      compare_devices);
	*ret_ids = ncg_take_ptr(ids);
	return 0;
}
