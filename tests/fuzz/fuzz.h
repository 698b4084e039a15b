/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets share: a check that ends the run, and reading an input
 * piece by piece. No state but the caller's.
 */
#ifndef NCGATE_TESTS_FUZZ_H
#define NCGATE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In every build, whatever NDEBUG says; the fuzzer keeps the input. */
#define check(condition)                                                          \
	do {                                                                      \
		if (!(condition)) {                                               \
			fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__,    \
				__LINE__, #condition);                            \
			abort();                                                  \
		}                                                                 \
	} while (0)

/* What is left of an input. */
struct input {
	const uint8_t *data;
	size_t size;
};

/* Takes the next bytes; where the input ends, the rest is zero. */
static inline void input_take(struct input *input, void *ret_value, size_t size)
{
	const size_t have = input->size < size ? input->size : size;

	memset(ret_value, 0, size);
	if (have)
		memcpy(ret_value, input->data, have);
	input->data += have;
	input->size -= have;
}

#endif
