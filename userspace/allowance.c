// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implements allowance.h. Of more that ask than there is room for, those are forgotten
 * who have most left: who has used up a share is the last to get a new one that way.
 */
#include "allowance.h"

#include <stdlib.h>

#define HOUR_NS 3600000000000ULL

#define SETS 256
#define WAYS 4

/* A share; all zero: of nobody. */
struct share {
	__u64 key;
	__u64 left;
	__u64 filled_ns; /* up to this time it was filled */
};

struct level {
	__u64 most;
	__u64 hour;
};

enum { GUESTS, CGROUPS, USERS, TABLES };

struct ncg_allowance {
	struct share tables[TABLES][SETS][WAYS];
	struct share host;
	struct share gaps;
};

static const struct level levels[TABLES] = {
	[GUESTS] = { NCG_ALLOWANCE_GUEST, NCG_ALLOWANCE_GUEST_HOUR },
	[CGROUPS] = { NCG_ALLOWANCE_CGROUP, NCG_ALLOWANCE_CGROUP_HOUR },
	[USERS] = { NCG_ALLOWANCE_USER, NCG_ALLOWANCE_USER_HOUR },
};
static const struct level host_level = { NCG_ALLOWANCE_HOST, NCG_ALLOWANCE_HOST_HOUR };
static const struct level gaps_level = { NCG_ALLOWANCE_GAPS, NCG_ALLOWANCE_GAPS_HOUR };

struct ncg_allowance *ncg_allowance_new(void)
{
	return calloc(1, sizeof(struct ncg_allowance));
}

void ncg_allowance_free(struct ncg_allowance *allowance)
{
	free(allowance);
}

/* Adds what has come with time. */
static void fill(struct share *share, const struct level *level, __u64 key, __u64 now)
{
	const __u64 each = HOUR_NS / level->hour;
	__u64 more;

	if (share->key != key) {
		*share = (struct share){ key, level->most, now };
		return;
	}
	if (now <= share->filled_ns)
		return;
	more = (now - share->filled_ns) / each;
	if (more >= level->most - share->left) {
		share->left = level->most;
		share->filled_ns = now;
	} else {
		share->left += more;
		share->filled_ns += more * each;
	}
}

static struct share *share_of(struct ncg_allowance *allowance, unsigned int table, __u64 key,
			      __u64 now)
{
	struct share *set = allowance->tables[table][key % SETS], *chosen = &set[0];

	for (size_t way = 0; way < WAYS; way++) {
		if (set[way].key == key) {
			chosen = &set[way];
			break;
		}
		if (!set[way].key || (chosen->key && set[way].left > chosen->left))
			chosen = &set[way];
	}
	fill(chosen, &levels[table], key, now);
	return chosen;
}

enum ncg_fold_why ncg_allowance_vm(struct ncg_allowance *allowance, const struct ncg_task *task,
				   __u64 now)
{
	const __u64 who[] = { task->pid, task->start_boot_ns };
	struct share *share = share_of(allowance, GUESTS, ncg_fold_key(who, sizeof(who)), now);

	if (!share->left)
		return NCG_FOLD_GUEST;
	share->left--;
	return NCG_FOLD_REPEAT;
}

enum ncg_fold_why ncg_allowance_record(struct ncg_allowance *allowance,
				       const struct ncg_task *task, __u64 now)
{
	const __u64 cgroup[] = { CGROUPS, task->cgroup_id }, user[] = { USERS, task->uid };
	struct share *of_cgroup, *of_user;

	of_cgroup = share_of(allowance, CGROUPS, ncg_fold_key(cgroup, sizeof(cgroup)), now);
	of_user = share_of(allowance, USERS, ncg_fold_key(user, sizeof(user)), now);
	fill(&allowance->host, &host_level, 1, now);
	if (!of_cgroup->left)
		return NCG_FOLD_CGROUP;
	if (!of_user->left)
		return NCG_FOLD_USER;
	if (!allowance->host.left)
		return NCG_FOLD_HOST;
	of_cgroup->left--;
	of_user->left--;
	allowance->host.left--;
	return NCG_FOLD_REPEAT;
}

bool ncg_allowance_gap(struct ncg_allowance *allowance, __u64 now)
{
	fill(&allowance->gaps, &gaps_level, 1, now);
	if (!allowance->gaps.left)
		return false;
	allowance->gaps.left--;
	return true;
}
