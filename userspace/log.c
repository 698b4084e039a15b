// SPDX-License-Identifier: GPL-2.0-only
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "cleanup.h"
#include "text.h"

/* include/linux/errno.h, not exported to user space. */
#define KERNEL_ENOTSUPP 524

static enum ncg_log_level log_level = NCG_LOG_INFO;
static const char *log_program = "ncgate";
static bool log_journal;

static void emit_line(enum ncg_log_level level, const char *line, int errnum)
{
	if (log_journal)
		fprintf(stderr, "<%d>%s", level, line);
	else
		fprintf(stderr, "%s: %s", log_program, line);
	if (errnum)
		fprintf(stderr, ": %s (%s)", strerror(errnum), ncg_log_errno_name(errnum));
	fputc('\n', stderr);
}

static void emit(enum ncg_log_level level, const char *format, va_list args, int errnum)
{
	ncg_autofree char *visible = NULL;
	char text[1024];

	if (level > log_level)
		return;
	vsnprintf(text, sizeof(text), format, args);
	/* What others named something must not steer a terminal or begin another line. */
	visible = ncg_text_visible(text, strlen(text));
	emit_line(level, visible ? visible : "no memory to say it", errnum);
}

/* The verifier's log is one message of many lines, and its end says what is wrong. */
static int from_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	ncg_autofree char *text = NULL;
	char *rest, *line;

	if (level != LIBBPF_WARN || log_level < NCG_LOG_DEBUG)
		return 0;
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		return 0;
	}
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			emit_line(NCG_LOG_DEBUG, line, 0);
	return 0;
}

void ncg_log_open(const char *program, enum ncg_log_level level)
{
	log_program = program;
	log_level = level;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
	libbpf_set_print(from_libbpf);
}

void ncg_log(enum ncg_log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(level, format, args, 0);
	va_end(args);
}

int ncg_log_error(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(NCG_LOG_ERROR, format, args, -error);
	va_end(args);
	return error;
}

const char *ncg_log_errno_name(int errnum)
{
	const char *name;

	if (errnum == KERNEL_ENOTSUPP)
		return "ENOTSUPP";
	name = strerrorname_np(errnum);
	return name ? name : "unknown error";
}
