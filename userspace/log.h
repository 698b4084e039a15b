/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages of the daemon and the command, to standard error, one line each;
 * under systemd with the priority prefix that the journal reads. Owns the level
 * and nothing else; cannot fail.
 */
#ifndef NCGATE_LOG_H
#define NCGATE_LOG_H

#include <stdbool.h>

enum ncg_log_level {
	NCG_LOG_ERROR = 3, /* the numbers of syslog(3) */
	NCG_LOG_WARNING = 4,
	NCG_LOG_INFO = 6,
	NCG_LOG_DEBUG = 7,
};

/*
 * Messages up to this level are shown. libbpf's own are debugging text here,
 * since the caller says what follows from them.
 */
void ncg_log_open(const char *program, enum ncg_log_level level);

__attribute__((format(printf, 2, 3))) void ncg_log(enum ncg_log_level level, const char *format,
						    ...);

/*
 * Logs an error, with the text of errno value -error when that is not 0, and
 * returns error, so that a function logs and leaves in one statement.
 */
__attribute__((format(printf, 2, 3))) int ncg_log_error(int error, const char *format, ...);

#define ncg_info(...) ncg_log(NCG_LOG_INFO, __VA_ARGS__)
#define ncg_warning(...) ncg_log(NCG_LOG_WARNING, __VA_ARGS__)
#define ncg_debug(...) ncg_log(NCG_LOG_DEBUG, __VA_ARGS__)

/*
 * The name of an errno value ("EPERM"), also of ENOTSUPP (524), which user space
 * has no name for and which arm64 kernels without direct calls answer.
 */
const char *ncg_log_errno_name(int errnum);

#endif
