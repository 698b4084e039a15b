// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reader of the control socket's requests. Owns nothing but its caller's buffer;
 * refuses what is too long or not one word before anybody acts on it.
 */
#include "control_request.h"

#include <string.h>

enum ncg_control_request_state ncg_control_request_take(struct ncg_control_request *request,
							const char *bytes, size_t size,
							const char **ret_error)
{
	const size_t room = sizeof(request->text) - request->size;
	const size_t taken = size < room ? size : room;
	const char *newline = taken ? memchr(bytes, '\n', taken) : NULL;
	const size_t length = newline ? (size_t)(newline - bytes) : taken;

	if (length)
		memcpy(request->text + request->size, bytes, length);
	request->size += length;
	if (!newline) {
		if (request->size < sizeof(request->text))
			return NCG_CONTROL_REQUEST_MORE;
		*ret_error = "the request is too long";
		return NCG_CONTROL_REQUEST_BAD;
	}
	request->text[request->size] = '\0';
	for (size_t i = 0; i < request->size; i++)
		if (request->text[i] <= ' ' || request->text[i] > '~') {
			*ret_error = "a request is one word";
			return NCG_CONTROL_REQUEST_BAD;
		}
	return NCG_CONTROL_REQUEST_WHOLE;
}
