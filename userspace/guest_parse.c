// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the files of /proc that say who a guest is: see guest_parse.h. Owns no state.
 * Fails towards saying nothing: what is not understood, or longer than the bounds, is
 * no name, no UUID and no pod.
 */
#include "guest_parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define UUID_LENGTH (NCG_GUEST_UUID_LEN - 1)

/* Bytes of a text that is not ended by a NUL; never NULL. */
struct view {
	const char *at;
	size_t size;
};

static bool is_text(struct view view, const char *text)
{
	return view.size == strlen(text) && !memcmp(view.at, text, view.size);
}

/* Takes text off the beginning, if it is there. */
static bool take_text(struct view *view, const char *text)
{
	size_t length = strlen(text);

	if (view->size < length || memcmp(view->at, text, length))
		return false;
	view->at += length;
	view->size -= length;
	return true;
}

/* Takes text off the end, if it is there. */
static bool take_ending(struct view *view, const char *text)
{
	size_t length = strlen(text);

	if (view->size < length || memcmp(view->at + view->size - length, text, length))
		return false;
	view->size -= length;
	return true;
}

/* Takes what comes before the separator, which goes too; all where there is none. */
static struct view take_until(struct view *view, char separator)
{
	const char *end = view->size ? memchr(view->at, separator, view->size) : NULL;
	struct view taken = { view->at, end ? (size_t)(end - view->at) : view->size };
	size_t gone = taken.size + !!end;

	view->at += gone;
	view->size -= gone;
	return taken;
}

static bool parse_number(struct view text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!text.size)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		unsigned int digit = text.at[i] - '0';

		if (text.at[i] < '0' || text.at[i] > '9' ||
		    __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, digit, &number))
			return false;
	}
	*ret_number = number;
	return true;
}

/* -------------------------------------------------------------- stat and status */

int ncg_guest_parse_stat(const char *text, size_t size, struct ncg_guest_stat *ret_stat)
{
	struct ncg_guest_stat stat = {};
	/*
	 * The second field is the command in parentheses, which may hold spaces and
	 * parentheses itself; nothing after it does, so fields are counted from the last ')'.
	 */
	const char *command_end = size ? memrchr(text, ')', size) : NULL;
	struct view rest, field;
	bool good = true;

	if (!command_end)
		return -EBADMSG;
	rest = (struct view){ command_end + 1, text + size - command_end - 1 };
	take_ending(&rest, "\n");
	if (!take_text(&rest, " "))
		return -EBADMSG;
	for (unsigned int number = 3; number <= 49; number++) {
		if (number > 22 && !rest.size)
			break;
		field = take_until(&rest, ' ');
		if (number == 3)
			stat.state = field.size == 1 ? *field.at : '\0';
		else if (number == 22)
			good &= parse_number(field, &stat.start_ticks);
		else if (number == 28)
			good &= parse_number(field, &stat.start_stack);
		else if (number == 48)
			good &= parse_number(field, &stat.arg_start);
		else if (number == 49)
			good &= parse_number(field, &stat.arg_end);
	}
	if (!good || !stat.state)
		return -EBADMSG;
	*ret_stat = stat;
	return 0;
}

int ncg_guest_parse_status(const char *text, size_t size, uint32_t *ret_uid)
{
	struct view rest = { text, size };

	while (rest.size) {
		struct view line = take_until(&rest, '\n');
		uint64_t uid;

		/* The first line's text is the process's choice, but not its beginning. */
		if (!take_text(&line, "Uid:\t"))
			continue;
		if (!parse_number(take_until(&line, '\t'), &uid) || uid > UINT32_MAX)
			return -EBADMSG;
		*ret_uid = uid;
		return 0;
	}
	return -EBADMSG;
}

const char *ncg_guest_parse_cgroup(const char *text, size_t size, size_t *ret_size)
{
	struct view rest = { text, size };

	while (rest.size) {
		struct view line = take_until(&rest, '\n');

		/* The line of version 2; others are hierarchies of version 1. */
		if (take_text(&line, "0::")) {
			*ret_size = line.size;
			return line.at;
		}
	}
	*ret_size = 0;
	return "";
}

/* ----------------------------------------------------------------- command line */

/*
 * The next of the parts that a value consists of, as QEMU's options have it
 * (util/qemu-option.c): commas between, and ",," for a comma within one. false: there
 * is none. part has room for the whole value.
 */
static bool take_part(struct view *value, char *part, size_t *ret_size)
{
	size_t used = 0;

	if (!value->size)
		return false;
	while (value->size) {
		char c = *value->at;

		value->at++;
		value->size--;
		if (c == ',') {
			if (!value->size || *value->at != ',')
				break;
			value->at++;
			value->size--;
		}
		part[used++] = c;
	}
	*ret_size = used;
	return true;
}

/* A UUID in its usual form, in lower case; anything else says nothing. */
static void put_uuid(struct ncg_guest_claims *claims, struct view value)
{
	char uuid[NCG_GUEST_UUID_LEN] = "";

	if (value.size != UUID_LENGTH)
		return;
	for (size_t i = 0; i < UUID_LENGTH; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? value.at[i] != '-' : !isxdigit((unsigned char)value.at[i]))
			return;
		uuid[i] = tolower((unsigned char)value.at[i]);
	}
	memcpy(claims->uuid, uuid, sizeof(uuid));
}

/*
 * QEMU's -name: a first part without a key is the guest's name. `name=` is kept for
 * VMMs that spell it so.
 */
static void take_name(struct ncg_guest_claims *claims, struct view value)
{
	char text[NCG_GUEST_VALUE_MAX];
	struct view part = { text, 0 };
	bool first = true;

	while (take_part(&value, text, &part.size)) {
		struct view guest = part;

		if (take_text(&guest, "guest=") || take_text(&guest, "name=") ||
		    (first && !memchr(text, '=', part.size)))
			ncg_text_name(guest.at, guest.size, claims->name);
		first = false;
	}
}

static void take_smbios(struct ncg_guest_claims *claims, struct view value)
{
	char text[NCG_GUEST_VALUE_MAX], uuid_text[UUID_LENGTH];
	struct view part = { text, 0 }, uuid = { uuid_text, 0 };
	bool of_system = false; /* table 1; others have no UUID */

	while (take_part(&value, text, &part.size)) {
		struct view rest = part;

		if (take_text(&rest, "type="))
			of_system = is_text(rest, "1");
		else if (take_text(&rest, "uuid=") && rest.size == UUID_LENGTH) {
			memcpy(uuid_text, rest.at, rest.size);
			uuid.size = rest.size;
		}
	}
	if (of_system)
		put_uuid(claims, uuid);
}

static void take_platform(struct ncg_guest_claims *claims, struct view value)
{
	while (value.size) {
		struct view part = take_until(&value, ',');

		if (take_text(&part, "uuid="))
			put_uuid(claims, part);
	}
}

/* The last part of the path, without its ending. */
static void name_by_socket(struct ncg_guest_claims *claims, struct view value)
{
	struct view path = take_until(&value, ',');
	const char *slash;

	/* Also where it is `fd=3`, which names nothing. */
	if (!take_text(&path, "path=") && path.size && memchr(path.at, '=', path.size))
		return;
	slash = path.size ? memrchr(path.at, '/', path.size) : NULL;
	if (slash)
		path = (struct view){ slash + 1, path.at + path.size - slash - 1 };
	if (!take_ending(&path, ".sock") && !take_ending(&path, ".socket"))
		take_ending(&path, "-socket");
	ncg_text_name(path.at, path.size, claims->name);
}

/*
 * The value of an option that is an argument of its own ("-name X", "--name X") or ends
 * the argument ("--name=X"). next.at is NULL where no argument follows.
 */
static bool option_value(struct view argument, const char *option, struct view next,
			 struct view *ret_value)
{
	if (!take_text(&argument, "-"))
		return false;
	take_text(&argument, "-");
	if (!take_text(&argument, option))
		return false;
	if (take_text(&argument, "=")) {
		*ret_value = argument;
		return true;
	}
	if (argument.size || !next.at)
		return false;
	*ret_value = next;
	return true;
}

void ncg_guest_parse_command_line(const char *bytes, size_t size,
				  struct ncg_guest_claims *ret_claims)
{
	enum { NAME, UUID, SMBIOS, PLATFORM, SOCKET, OPTIONS };
	static const char *const options[OPTIONS] = {
		[NAME] = "name", [UUID] = "uuid", [SMBIOS] = "smbios",
		[PLATFORM] = "platform", [SOCKET] = "api-socket",
	};
	struct ncg_guest_claims claims = {};
	struct view rest = { bytes, size }, socket = {};

	while (rest.size) {
		struct view argument = take_until(&rest, '\0'), after = rest, value = {};
		struct view next = rest.size ? take_until(&after, '\0') : (struct view){};
		size_t option = 0;

		while (option < OPTIONS && !option_value(argument, options[option], next, &value))
			option++;
		if (option == OPTIONS)
			continue;
		/* The value is no option, whatever it looks like. */
		if (value.at == next.at)
			rest = after;
		if (value.size > NCG_GUEST_VALUE_MAX)
			value.size = NCG_GUEST_VALUE_MAX;
		switch (option) {
		case NAME:
			take_name(&claims, value);
			break;
		case UUID:
			put_uuid(&claims, value);
			break;
		case SMBIOS:
			take_smbios(&claims, value);
			break;
		case PLATFORM:
			take_platform(&claims, value);
			break;
		case SOCKET:
			socket = value;
			break;
		}
	}
	if (!*claims.name && socket.at)
		name_by_socket(&claims, socket);
	*ret_claims = claims;
}

/* -------------------------------------------------------------------------- pod */

static bool is_hex(struct view text)
{
	for (size_t i = 0; i < text.size; i++)
		if (!isxdigit((unsigned char)text.at[i]))
			return false;
	return text.size > 0;
}

/* A container by the name that its runtime gives to its cgroup. */
static bool is_container(struct view part)
{
	static const char *const runtimes[] = { "docker-", "libpod-", "cri-containerd-", "crio-" };

	if (!take_ending(&part, ".scope"))
		return part.size == 64 && is_hex(part);
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		if (take_text(&part, runtimes[i]))
			return is_hex(part);
	return false;
}

/* Whether nobody but root can have made what is in such a cgroup. */
static bool is_roots(struct view part)
{
	struct view name = part;

	if (take_ending(&name, ".slice"))
		return !is_text(name, "user") && !take_text(&name, "user-");
	return is_text(part, "docker") || is_text(part, "kubelet") || is_container(part);
}

static bool is_kubepods(struct view part)
{
	if (is_text(part, "kubepods") || is_text(part, "kubepods.slice"))
		return true;
	return take_ending(&part, "-kubepods.slice");
}

/*
 * What a cgroup is called within its parent: "burstable" of kubepods/burstable, and of
 * kubepods.slice/kubepods-burstable.slice, for slices repeat the name of their parent.
 */
static struct view own_name(struct view parent, struct view part)
{
	if (!take_ending(&parent, ".slice"))
		return part;
	if (part.size <= parent.size || memcmp(part.at, parent.at, parent.size) ||
	    part.at[parent.size] != '-' || !take_ending(&part, ".slice") ||
	    part.size <= parent.size)
		return (struct view){ part.at, 0 };
	return (struct view){ part.at + parent.size + 1, part.size - parent.size - 1 };
}

/* A pod's UID: a UUID, or 32 digits for what kubelet starts itself. */
static bool is_pod_uid(struct view text)
{
	for (size_t i = 0; i < text.size; i++)
		if (!isxdigit((unsigned char)text.at[i]) && text.at[i] != '-' && text.at[i] != '_')
			return false;
	return text.size == 32 || text.size == UUID_LENGTH;
}

char *ncg_guest_pod(const char *cgroup)
{
	struct view rest = { cgroup, strlen(cgroup) }, parent = {}, part, name;
	char *pod;

	take_text(&rest, "/");
	do {
		if (!rest.size || (parent.at && !is_roots(parent)))
			return calloc(1, 1);
		parent = take_until(&rest, '/');
	} while (!is_kubepods(parent));

	part = take_until(&rest, '/');
	name = own_name(parent, part);
	if (is_text(name, "burstable") || is_text(name, "besteffort"))
		name = own_name(part, take_until(&rest, '/'));
	if (!take_text(&name, "pod") || !is_pod_uid(name))
		return calloc(1, 1);
	pod = strndup(name.at, name.size);
	for (char *c = pod; c && *c; c++)
		if (*c == '_')
			*c = '-';
	return pod;
}
