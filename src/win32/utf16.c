/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf16.c: UTF-8 to UTF-16 and back, strictly: a name that cannot be told is refused, not changed
 * into another one.
 */
#include "win32/utf16.h"

#include "base/status.h"

#include <windows.h>

#include <stdlib.h>

int mproc__utf16_from(const char *text, wchar_t **ret_wide)
{
    int units = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    if (units <= 0) {
        return mproc__fail(MPROC_EINVAL, "text is not UTF-8");
    }
    wchar_t *wide = malloc((size_t)units * sizeof(*wide));
    if (wide == NULL) {
        return mproc__fail(MPROC_ENOMEM, "out of memory for %d characters", units);
    }
    (void)MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, units);
    *ret_wide = wide;
    return 0;
}

int mproc__utf8_from(const wchar_t *wide, char *ret_text, size_t size)
{
    int needed = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, -1, NULL, 0, NULL, NULL);
    if (needed <= 0) {
        return mproc__fail(MPROC_EINVAL, "a name of the system's is not valid UTF-16");
    }
    if ((size_t)needed > size) {
        return mproc__fail(MPROC_ETOOBIG, "a name of %d bytes does not fit %zu", needed, size);
    }
    (void)WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, -1, ret_text, needed, NULL,
                              NULL);
    return 0;
}
