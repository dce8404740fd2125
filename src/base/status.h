/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h: how errors are reported inside the library.
 *
 * Who detects an error calls one of these, once, and returns the result; who passes it on does not.
 */
#ifndef MPROC_BASE_STATUS_H
#define MPROC_BASE_STATUS_H

#include "base/compiler.h"
#include "mproc/error.h"

/** Leave a sentence for mproc_last_error() and return `status`. */
int mproc__fail(int status, const char *format, ...) MPROC__PRINTF(2, 3);

/** The same for calls that are made to fail often, such as looks whether a lock is free: no format. */
int mproc__fail_shortly(int status, const char *sentence);

/**
 * The same after a failed system call: the status follows from `os_error` (errno or GetLastError),
 * and the system's words are appended.
 */
int mproc__fail_os(int os_error, const char *format, ...) MPROC__PRINTF(2, 3);

/** Have mproc_last_error() tell nothing, so that what it tells later is of what happened since. */
void mproc__forget_error(void);

/* What an analyser cannot see from here: each returns the status that it is given. */
#ifdef __clang_analyzer__
#define mproc__fail(status, ...) ((void)(mproc__fail)((status), __VA_ARGS__), (status))
#define mproc__fail_shortly(status, text) ((void)(mproc__fail_shortly)((status), (text)), (status))
#endif

#endif
