/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf16.h: the border between the library's UTF-8 and the system's UTF-16.
 */
#ifndef MPROC_WIN32_UTF16_H
#define MPROC_WIN32_UTF16_H

#include <stddef.h>
#include <wchar.h>

/**
 * Turn UTF-8 into UTF-16.
 *
 * @param ret_wide  for free()
 * @return 0, MPROC_EINVAL (not UTF-8) or MPROC_ENOMEM
 */
int mproc__utf16_from(const char *text, wchar_t **ret_wide);

/**
 * Turn UTF-16 into UTF-8.
 *
 * @return 0, MPROC_ETOOBIG (does not fit), or MPROC_EINVAL: half a surrogate pair, which file names
 *         may contain and UTF-8 may not
 */
int mproc__utf8_from(const wchar_t *wide, char *ret_text, size_t size);

#endif
