// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /proc says of a guest's process, and text that others chose, on any bytes: the
 * input is taken for each of the files in turn. Finds crashes, and results of a shape that
 * guest_parse.h and text.h do not promise. Keeps no state between inputs.
 */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "guest_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_visible(const char *text)
{
	return ncg_text_first_hidden(text, strlen(text)) == strlen(text);
}

static void check_text(const char *bytes, size_t size)
{
	char *visible = ncg_text_visible(bytes, size), *repaired = ncg_text_repair(bytes, size);
	char *again = ncg_text_visible(visible, strlen(visible)), name[NCG_TEXT_NAME_LEN];
	size_t length, left;
	uint32_t code;

	check(is_visible(visible));
	check(!strcmp(visible, again));
	/* What could be seen stays as it is. */
	if (ncg_text_first_hidden(bytes, size) == size)
		check(strlen(visible) == size && !memcmp(visible, bytes, size));

	ncg_text_name(bytes, size, name);
	check(is_visible(name) && strlen(name) <= NCG_TEXT_NAME_MAX);
	if (strlen(visible) <= NCG_TEXT_NAME_MAX)
		check(!strcmp(name, visible));
	else
		check(strlen(name) >= 3 && !strncmp(name, visible, strlen(name) - 3) &&
		      !strcmp(name + strlen(name) - 3, "\xe2\x80\xa6"));

	left = strlen(repaired);
	for (const char *at = repaired; left; at += length, left -= length) {
		length = ncg_text_character(at, left, &code);
		check(length >= 1 && length <= 4 && code <= 0x10ffff);
	}
	free(visible);
	free(repaired);
	free(again);
}

static void check_files(const char *bytes, size_t size)
{
	struct ncg_guest_stat stat = { .state = '?' };
	uint32_t uid = 7;
	const char *path;
	size_t length;
	int r;

	r = ncg_guest_parse_stat(bytes, size, &stat);
	check(r == 0 || r == -EBADMSG);
	check((stat.state == '?' && !stat.start_ticks) || !r);
	r = ncg_guest_parse_status(bytes, size, &uid);
	check(r == 0 || (r == -EBADMSG && uid == 7));
	path = ncg_guest_parse_cgroup(bytes, size, &length);
	check(!length || (path >= bytes + 3 && path + length <= bytes + size));
	check(!length || (!memchr(path, '\n', length) && !memcmp(path - 3, "0::", 3)));
}

static void check_command_line(const char *bytes, size_t size)
{
	struct ncg_guest_claims claims;

	memset(&claims, 0xff, sizeof(claims));
	ncg_guest_parse_command_line(bytes, size, &claims);
	check(memchr(claims.name, '\0', sizeof(claims.name)));
	check(is_visible(claims.name));
	check(memchr(claims.uuid, '\0', sizeof(claims.uuid)));
	check(!*claims.uuid || strlen(claims.uuid) == NCG_GUEST_UUID_LEN - 1);
	for (const char *c = claims.uuid; *c; c++)
		check(*c == '-' || isdigit((unsigned char)*c) || (*c >= 'a' && *c <= 'f'));
}

/* A pod has a UID that stands in the path, and nothing that a user was given above it. */
static void check_pod(const char *bytes, size_t size)
{
	char *path = strndup(bytes, size), *pod = ncg_guest_pod(path), *above, *rest, *part;
	const char *end = strstr(path, "kubepods");

	check(pod);
	if (*pod) {
		check(strlen(pod) == 32 || strlen(pod) == NCG_GUEST_UUID_LEN - 1);
		check(end);
		above = rest = strndup(path, end - path);
		while ((part = strsep(&rest, "/"))) {
			size_t length = strlen(part);

			check(strcmp(part, "user.slice") && strncmp(part, "user@", 5) &&
			      strncmp(part, "user-", 5));
			check(length < 8 || strcmp(part + length - 8, ".service"));
		}
		free(above);
	}
	free(pod);
	free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its own size, so that reading beyond it is seen. */
	char *bytes = malloc(size ? size : 1);

	memcpy(bytes, data, size);
	check_text(bytes, size);
	check_files(bytes, size);
	check_command_line(bytes, size);
	check_pod(bytes, size);
	free(bytes);
	return 0;
}
