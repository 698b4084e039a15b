// SPDX-License-Identifier: GPL-2.0-only
/* Implements audit_clock.h. Pure but for reading the clocks; cannot fail. */
#include "audit_clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS 1000000000LL

#define SET_NS (NS / 2) /* see ncg_audit_clock_was_set() */

static __s64 read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

__u64 ncg_audit_boot_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

__s64 ncg_audit_clock_offset(void)
{
	/* What lies between the two readings is halved by a reading before and one after. */
	__s64 before = read_clock(CLOCK_BOOTTIME), wall = read_clock(CLOCK_REALTIME);

	return wall - before - (read_clock(CLOCK_BOOTTIME) - before) / 2;
}

bool ncg_audit_clock_was_set(__s64 before, __s64 now)
{
	/* As unsigned numbers, which cannot overflow. */
	__u64 apart = now > before ? (__u64)now - before : (__u64)before - now;

	return apart > SET_NS;
}

void ncg_audit_format_wall(__s64 wall_ns, char ret_text[NCG_AUDIT_TIME_LEN])
{
	__s64 part = wall_ns % NS;
	time_t seconds = wall_ns / NS;
	struct tm tm;
	size_t n;

	/* Before 1970 the rest is negative. */
	if (part < 0) {
		part += NS;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	n = strftime(ret_text, NCG_AUDIT_TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text + n, NCG_AUDIT_TIME_LEN - n, ".%06lldZ", part / 1000);
}

bool ncg_audit_parse_wall(const char *text, __s64 *ret_wall_ns)
{
	struct tm tm = {};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	char again[NCG_AUDIT_TIME_LEN];
	int us = 0, length = 0;
	__s64 wall, seconds;

	if (!rest || sscanf(rest, ".%6dZ%n", &us, &length) != 1 || !length || rest[length] || us < 0)
		return false;
	seconds = timegm(&tm);
	if (__builtin_mul_overflow(seconds, NS, &wall) ||
	    __builtin_add_overflow(wall, us * 1000LL, &wall))
		return false;
	/* What is no date (a 13th month), or written another way, is not read. */
	ncg_audit_format_wall(wall, again);
	if (strcmp(text, again))
		return false;
	*ret_wall_ns = wall;
	return true;
}

void ncg_audit_format_time(__u64 boot_ns, char ret_text[NCG_AUDIT_TIME_LEN])
{
	ncg_audit_format_wall(ncg_audit_clock_offset() + (__s64)boot_ns, ret_text);
}

void ncg_audit_add_window(json_t *fields, __u64 since_ns, __u64 until_ns)
{
	char since[NCG_AUDIT_TIME_LEN], until[NCG_AUDIT_TIME_LEN];

	ncg_audit_format_time(since_ns, since);
	ncg_audit_format_time(until_ns, until);
	json_object_set_new(fields, "since", json_string(since));
	json_object_set_new(fields, "since_boot_ns", json_integer(since_ns));
	json_object_set_new(fields, "until", json_string(until));
	json_object_set_new(fields, "until_boot_ns", json_integer(until_ns));
}
