// SPDX-License-Identifier: GPL-2.0-only
#include "difference.h"

#include <stdio.h>

#include "names.h"

static __u64 walked_bytes(const struct ncg_picture_use *use, enum ncg_memtype type)
{
	/* The programs count a map for a nested guest as one of the VM. */
	return use->bytes[type] + use->nested_bytes[type];
}

__s64 ncg_difference_of(const struct ncg_picture_use *use, const struct ncg_use *counted,
			enum ncg_memtype type)
{
	return (__s64)(walked_bytes(use, type) - counted->bytes[type]);
}

static void use_metrics(struct ncg_exposition *e, const struct ncg_picture_guest *guest,
			const struct ncg_picture_use *use,
			const struct ncg_difference_counts *counts)
{
	const struct ncg_device *d = use->device;
	struct ncg_use_key key = { .vm = guest->vm->vm.id };
	struct ncg_use counted = {};
	char bar[8];

	if (!d)
		return;
	key.where = NCG_BAR_ID(d->domain, d->bus, d->devfn, use->bar);
	if (!key.vm || !counts->use(counts->arg, &key, &counted))
		counted = (struct ncg_use){};
	snprintf(bar, sizeof(bar), "%u", use->bar);
	for (enum ncg_memtype type = 0; type < NCG_MT_NR; type++)
		if (walked_bytes(use, type) || counted.bytes[type])
			ncg_exposition_double(e, NCG_MF_DEVICE_STAGE2_DIFFERENCE_BYTES,
					      ncg_difference_of(use, &counted, type),
					      NCG_LABELS(guest->id, d->address, bar,
							 ncg_names_memtype(type)));
}

void ncg_difference_metrics(struct ncg_exposition *e, const struct ncg_picture *picture,
			    const struct ncg_difference_counts *counts)
{
	for (size_t i = 0; i < picture->count; i++) {
		const struct ncg_picture_guest *guest = &picture->guests[i];

		for (size_t u = 0; u < guest->use_count; u++)
			use_metrics(e, guest, &guest->uses[u], counts);
	}
}
