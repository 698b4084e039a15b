// SPDX-License-Identifier: GPL-2.0-only
/*
 * The place of host-physical addresses. Owns the last answer. An address that the map does
 * not know is named by its GiB, as the programs do.
 */
#include "places.h"

#define GIB (1ULL << 30)

__u64 ncg_places_find(struct ncg_places *places, __u64 phys, __u64 left, __u64 *ret_size)
{
	if (!places->asked || phys < places->first || phys > places->last) {
		unsigned int bar = 0;
		const struct ncg_device *device = ncg_devices_lookup(places->devices, phys, &bar);

		places->first = phys;
		if (device) {
			places->last = device->bars[bar].start + device->bars[bar].size - 1;
		} else {
			__u64 next = ncg_devices_next(places->devices, phys);

			places->last = phys | (GIB - 1);
			if (next <= places->last && next != UINT64_MAX)
				places->last = next - 1;
		}
		places->where = ncg_ledger_where(places->ledger, phys);
		places->asked++;
	}
	*ret_size = places->last - phys < left - 1 ? places->last - phys + 1 : left;
	return places->where;
}
