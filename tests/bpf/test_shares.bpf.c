// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adds to the maps that whoever maps a BAR could fill, by the programs' own code and as the
 * test asks. Its state is its maps, which go with the test.
 */
#include "event.bpf.h"
#include "region.bpf.h"
#include "use.bpf.h"

#include "test_shares.h"

char LICENSE[] SEC("license") = "GPL";

static const struct ncg_decided no_decision;

SEC("syscall")
int act(struct test_share *t)
{
	struct ncg_event_stage2 map = { .vm = t->who, .where = t->where, .size = 4096,
					.memtype = NCG_MT_NORMAL_NC };
	struct ncg_decided_key decided_key = { .start_boot_ns = t->who, .bus = t->where >> 24,
						.bar = t->where };
	struct ncg_region device = { .where = t->where };
	struct ncg_opened_key file = { .k_file = t->who, .k_operations = 1 };

	switch (t->act) {
	case TEST_SHARE_USE:
		use_report(&map);
		break;
	case TEST_SHARE_DECIDED:
		share_add(NCG_SHARED_DECIDED, &decided, t->where, &decided_key, &no_decision,
			  NCG_CTR_FULL_DECIDED);
		break;
	case TEST_SHARE_REGION:
		region_note(&device, 2, t->who, 4096);
		break;
	case TEST_SHARE_FILE:
		region_note_file(&file, &device);
		break;
	}
	return 0;
}
