/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * That no two samples of an exposition have the same name and labels. Prometheus keeps
 * one of them and drops the other. No state.
 */
#ifndef NCGATE_TEST_METRICS_UNIQUE_H
#define NCGATE_TEST_METRICS_UNIQUE_H

#include <stdlib.h>
#include <string.h>

static int metrics_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void assert_metrics_unique(const char *text)
{
	char *copy = strdup(text), *rest = copy, *line, **series = NULL;
	size_t count = 0;

	assert_non_null(copy);
	while ((line = strsep(&rest, "\n"))) {
		char *value = strrchr(line, ' ');

		if (*line == '#' || !value)
			continue;
		*value = '\0';
		series = reallocarray(series, count + 1, sizeof(*series));
		assert_non_null(series);
		series[count++] = line;
	}
	qsort(series, count, sizeof(*series), metrics_compare);
	for (size_t i = 1; i < count; i++)
		if (!strcmp(series[i - 1], series[i]))
			fail_msg("twice: %s", series[i]);
	free(series);
	free(copy);
}

#endif
