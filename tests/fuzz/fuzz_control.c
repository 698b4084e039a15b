// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket's request reader on any bytes, cut anywhere: the same end as by the
 * rule written down plainly below, whatever the pieces; and nothing but one word of
 * printable ASCII ever becomes a request. Input: a byte for each cut, in the second half of
 * the bytes. Keeps no state between inputs.
 */
#include "control_request.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the bytes are, by the rule: one line of at most so many bytes, all of them printable. */
static enum ncg_control_request_state expected(const char *bytes, size_t size, size_t *ret_length)
{
	size_t length = 0;

	while (length < size && bytes[length] != '\n')
		length++;
	*ret_length = length;
	if (length > NCG_CONTROL_REQUEST_MAX)
		return NCG_CONTROL_REQUEST_BAD;
	if (length == size)
		return NCG_CONTROL_REQUEST_MORE;
	for (size_t i = 0; i < length; i++)
		if (bytes[i] < '!' || bytes[i] > '~')
			return NCG_CONTROL_REQUEST_BAD;
	return NCG_CONTROL_REQUEST_WHOLE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t said = size - size / 2;
	struct input cuts = { data + said, size / 2 };
	struct ncg_control_request request = {};
	enum ncg_control_request_state state = NCG_CONTROL_REQUEST_MORE, wanted;
	/* Exactly as large as what was said, so that a read beyond it is seen. */
	char *bytes = malloc(said + 1);
	const char *error = NULL;
	size_t at = 0, length;

	if (said)
		memcpy(bytes, data, said);
	wanted = expected(bytes, said, &length);
	while (state == NCG_CONTROL_REQUEST_MORE && at < said) {
		uint8_t cut = 0;
		size_t piece;
		char *copy;

		input_take(&cuts, &cut, 1);
		piece = cut ? cut : said - at;
		if (piece > said - at)
			piece = said - at;
		copy = malloc(piece);
		memcpy(copy, bytes + at, piece);
		state = ncg_control_request_take(&request, copy, piece, &error);
		free(copy);
		at += piece;
		check(request.size <= sizeof(request.text));
	}
	check(state == wanted);
	if (state == NCG_CONTROL_REQUEST_WHOLE) {
		check(strlen(request.text) == length);
		check(!memcmp(request.text, bytes, length));
	}
	check((error != NULL) == (state == NCG_CONTROL_REQUEST_BAD));
	free(bytes);
	return 0;
}
