// SPDX-License-Identifier: GPL-2.0-only
/* Implements trail_clock.h. A record that lacks something is left out. */
#include "trail_clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record_text.h"

/* One change; which record it is of is told by its two times. */
struct change {
	size_t boot;
	__s64 moved_by;
	__s64 boot_ns;
	__s64 wall;
};

struct boot {
	char id[40];
};

struct ncg_trail_clock {
	struct change *changes;
	size_t change_count;
	struct boot *boots; /* the first also of what is before the first start */
	size_t boot_count;
	size_t boot; /* that is followed */
	__s64 ahead; /* what the clock is moved by yet, in this boot */
};

struct ncg_trail_clock *ncg_trail_clock_new(void)
{
	return calloc(1, sizeof(struct ncg_trail_clock));
}

void ncg_trail_clock_free(struct ncg_trail_clock *clock)
{
	if (!clock)
		return;
	free(clock->changes);
	free(clock->boots);
	free(clock);
}

/* What the clock of a boot is moved by in the changes from one on. */
static __s64 sum(const struct ncg_trail_clock *clock, size_t boot, size_t first)
{
	__u64 moved = 0;

	for (size_t i = first; i < clock->change_count; i++)
		if (clock->changes[i].boot == boot)
			moved += (__u64)clock->changes[i].moved_by;
	return moved;
}

static int add_boot(struct ncg_trail_clock *clock, const char *id)
{
	struct boot *boots;

	if (clock->boot_count && !strcmp(clock->boots[clock->boot_count - 1].id, id))
		return 0;
	boots = reallocarray(clock->boots, clock->boot_count + 1, sizeof(*boots));
	if (!boots)
		return -ENOMEM;
	clock->boots = boots;
	snprintf(boots[clock->boot_count++].id, sizeof(boots->id), "%s", id);
	return 0;
}

static bool read_change(const json_t *record, struct change *ret_change)
{
	const json_t *moved = json_object_get(record, "moved_by_ns");

	*ret_change = (struct change){
		.moved_by = json_integer_value(moved),
		.boot_ns = json_integer_value(json_object_get(record, "boot_ns")),
	};
	return json_is_integer(moved) &&
	       ncg_audit_parse_wall(ncg_record_string(record, "time"), &ret_change->wall);
}

static int add_change(struct ncg_trail_clock *clock, const json_t *record)
{
	struct change *changes, change;

	if (!read_change(record, &change))
		return 0;
	changes = reallocarray(clock->changes, clock->change_count + 1, sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	clock->changes = changes;
	change.boot = clock->boot_count ? clock->boot_count - 1 : 0;
	changes[clock->change_count++] = change;
	clock->ahead = sum(clock, 0, 0);
	return 0;
}

int ncg_trail_clock_learn(struct ncg_trail_clock *clock, const json_t *record)
{
	const char *type = ncg_record_string(record, "type");
	const char *boot_id = ncg_record_string(record, "boot_id");

	if (!strcmp(type, "daemon_start") && *boot_id)
		return add_boot(clock, boot_id);
	return strcmp(type, "clock_changed") ? 0 : add_change(clock, record);
}

void ncg_trail_clock_follow(struct ncg_trail_clock *clock, const json_t *record)
{
	const char *type = ncg_record_string(record, "type");
	const char *boot_id = ncg_record_string(record, "boot_id");
	struct change change;

	if (!strcmp(type, "daemon_start") && *boot_id) {
		for (size_t boot = clock->boot + 1; boot < clock->boot_count; boot++)
			if (!strcmp(clock->boots[boot].id, boot_id)) {
				clock->boot = boot;
				clock->ahead = sum(clock, boot, 0);
				return;
			}
	} else if (!strcmp(type, "clock_changed") && read_change(record, &change)) {
		for (size_t i = 0; i < clock->change_count; i++)
			if (clock->changes[i].wall == change.wall &&
			    clock->changes[i].boot_ns == change.boot_ns)
				clock->ahead = sum(clock, clock->boot, i + 1);
	}
}

void ncg_trail_clock_correct(const struct ncg_trail_clock *clock, const char *time,
			     char ret_text[NCG_AUDIT_TIME_LEN])
{
	__s64 wall;

	if (ncg_audit_parse_wall(time, &wall) &&
	    !__builtin_add_overflow(wall, clock->ahead, &wall))
		ncg_audit_format_wall(wall, ret_text);
	else
		snprintf(ret_text, NCG_AUDIT_TIME_LEN, "%s", time);
}
