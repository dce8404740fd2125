/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmdline.h: a list of arguments as the one string that Windows hands to a program.
 */
#ifndef MPROC_WIN32_CMDLINE_H
#define MPROC_WIN32_CMDLINE_H

#include <stddef.h>
#include <wchar.h>

/** The system's limit, with the NUL at the end. */
#define MPROC__CMDLINE_MAX 32767

/**
 * Join arguments so that CommandLineToArgvW, and a C program's main(), take them apart again.
 *
 * @param arguments  the first is the program's name: no quotes in it, other rules hold there
 * @param ret_line   for free(); CreateProcessW may write to it
 * @return 0, MPROC_ENOMEM, MPROC_ETOOBIG, or MPROC_EINVAL: a quote in the program's name
 */
int mproc__cmdline_join(const wchar_t *const *arguments, size_t count, wchar_t **ret_line);

#endif
