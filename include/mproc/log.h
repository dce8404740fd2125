/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/log.h: what the library does, and what the program wants to say with it, line by line.
 *
 *     mproc_log_to_stderr(MPROC_LOG_INFO);
 *     ...
 *     mproc_log(MPROC_LOG_INFO, "read %d files", n);
 *
 *     [INFO/Process-1] child process calling self.run()
 *     [INFO/Process-1] read 12 files
 *     [INFO/Process-1] process exiting with exitcode 0
 *     [INFO/MainProcess] Process-1 ended with exit code 0
 *
 * It is off until somebody asks for it: by these calls, or by the environment, MPROC_LOG=debug (a level's name or
 * number), at which mproc_main looks. A child logs as its starter does at that time; it starts with MPROC_LOG of its own
 * environment where that one is off.
 */
#ifndef MPROC_LOG_H
#define MPROC_LOG_H

#include "mproc/export.h"

MPROC_BEGIN_DECLS

/** How much a line matters: numbers as in Python's logging, and others in between if need be. */
enum mproc_log_level {
    MPROC_LOG_OFF = 0, /**< for mproc_log_set_level: no lines */
    MPROC_LOG_SUBDEBUG = 5,
    MPROC_LOG_DEBUG = 10,
    MPROC_LOG_INFO = 20,
    MPROC_LOG_SUBWARNING = 25,
    MPROC_LOG_WARNING = 30,
    MPROC_LOG_ERROR = 40,
    MPROC_LOG_CRITICAL = 50
};

/**
 * Log to stderr the lines of this level, and those that matter more.
 *
 * Python: multiprocessing.log_to_stderr(level)
 *
 * @param level  MPROC_LOG_...; MPROC_LOG_OFF: none
 * @return 0, or MPROC_EINVAL for a negative level
 * @safety any thread; lines that others are writing may still come
 */
MPROC_API int mproc_log_to_stderr(int level);

/** Choose the level only. Python: get_logger().setLevel(level). As mproc_log_to_stderr otherwise. */
MPROC_API int mproc_log_set_level(int level);

/** The level of this process; MPROC_LOG_OFF if nothing is logged. Python: get_logger().level. */
MPROC_API int mproc_log_get_level(void);

/**
 * Takes a line: "[INFO/Process-1] read 12 files", without its end, at most 1023 bytes; not to be kept. Several threads may
 * call it at once. It holds no lock of mproc's, and may call mproc; what its thread logs meanwhile is dropped. It returns: it
 * does not jump out.
 */
typedef void (*mproc_log_fn)(int level, const char *line, void *arg);

/**
 * Have lines go to a function in place of stderr.
 *
 * Python: get_logger().addHandler(...)
 *
 * A copy of this process (start method fork) has the function, too. A child of another method has what it chooses
 * itself, best before its mproc_main; it inherits the level only then.
 *
 * @param fn   NULL: stderr again
 * @param arg  for it; both are in use for as long as a thread may be logging
 * @return 0, or MPROC_ENOMEM
 * @safety any thread; the old one may still be called by a thread that logs at this moment
 */
MPROC_API int mproc_log_set_handler(mproc_log_fn fn, void *arg);

/**
 * Log a line, formatted as by printf.
 *
 *     mproc_log(int level, const char *format, ...)
 *
 * Python: get_logger().log(level, format, ...)
 *
 * While it is off, or the level too low, it costs a load and a branch, and the arguments are not evaluated; the level may be
 * evaluated twice. To stderr a line goes in one piece, so that the lines of many processes do not mix; what is longer than
 * 1023 bytes is cut. mproc_last_error and errno stay as they were.
 *
 * @safety any thread; not for signal handlers
 * @blocking  as a write to stderr, or as the handler
 * @death  killed in it, a process has written the line or not
 */
#define mproc_log(level, ...) \
    ((level) >= MPROC_LOAD(mproc_log_threshold) ? mproc_log_write((level), __VA_ARGS__) : (void)0)

/** As mproc_log, whatever the level is. */
MPROC_API void mproc_log_write(int level, const char *format, ...) MPROC_PRINTF(2, 3);

/** For mproc_log: the least level that is logged. Read only. */
MPROC_API extern int mproc_log_threshold;

MPROC_END_DECLS

#endif
