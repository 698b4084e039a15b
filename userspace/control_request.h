/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a client of the control socket has said so far, and whether it is a request: one
 * word of printable ASCII and a newline. No I/O. Owns its fixed buffer, so a request of
 * endless length costs nothing; what it cannot take is an error in words.
 */
#ifndef NCGATE_CONTROL_REQUEST_H
#define NCGATE_CONTROL_REQUEST_H

#include <stddef.h>

#define NCG_CONTROL_REQUEST_MAX 63 /* bytes, without the newline */

enum ncg_control_request_state {
	NCG_CONTROL_REQUEST_MORE, /* not whole yet */
	NCG_CONTROL_REQUEST_WHOLE,
	NCG_CONTROL_REQUEST_BAD, /* never will be */
};

/* Zeroed before its first byte. */
struct ncg_control_request {
	char text[NCG_CONTROL_REQUEST_MAX + 1];
	size_t size;
};

/*
 * Takes what came next; size of 0 is nothing. What follows the newline is ignored. When the
 * request is whole, text is it, NUL-terminated; when it is bad, *ret_error says why (a
 * constant). Not to be called again after either.
 */
enum ncg_control_request_state ncg_control_request_take(struct ncg_control_request *request,
							const char *bytes, size_t size,
							const char **ret_error);

#endif
