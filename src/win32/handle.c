/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle.c: closing handles, files as standard streams, the current directory.
 */
#include "base/status.h"
#include "platform.h"
#include "win32/utf16.h"
#include "win32/win32.h"

#include <windows.h>

#include <stdlib.h>

void mplat_handle_close(mplat_handle handle)
{
    if (handle.os != MPLAT_NO_HANDLE.os) {
        (void)CloseHandle(mproc__win_object(handle));
    }
}

int mplat_file_open(const char *path, bool for_writing, mplat_handle *ret_handle)
{
    wchar_t *wide = NULL;
    int rc = mproc__utf16_from(path, &wide);
    if (rc < 0) {
        return rc;
    }
    // Shared in every way, as on other systems: who opens a log file must not lock others out of
    // it.
    HANDLE file =
        CreateFileW(wide, for_writing ? GENERIC_WRITE : GENERIC_READ,
                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                    for_writing ? CREATE_ALWAYS : OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD error = GetLastError();
    free(wide);
    if (file == INVALID_HANDLE_VALUE) {
        return mproc__fail_os((int)error, "opening %s for %s", path,
                              for_writing ? "writing" : "reading");
    }
    *ret_handle = mproc__win_handle(file);
    return 0;
}

int mplat_signal_make(mplat_handle *ret_sentinel)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (event == NULL) {
        return mproc__fail_os((int)GetLastError(), "making a sentinel");
    }
    *ret_sentinel = mproc__win_handle(event);
    return 0;
}

void mplat_signal_raise(mplat_handle sentinel)
{
    (void)SetEvent(mproc__win_object(sentinel));
}

int mplat_directory(char *ret_path, size_t size)
{
    // Another thread may change the directory between asking for its length and for itself.
    wchar_t *wide = NULL;
    DWORD room = 0;
    DWORD length = MAX_PATH;
    while (length >= room) {
        free(wide);
        room = length + 1;
        wide = malloc(room * sizeof(*wide));
        if (wide == NULL) {
            return mproc__fail(MPROC_ENOMEM, "out of memory for the current directory's name");
        }
        length = GetCurrentDirectoryW(room, wide);
        if (length == 0) {
            DWORD error = GetLastError();
            free(wide);
            return mproc__fail_os((int)error, "asking for the current directory");
        }
    }
    int rc = mproc__utf8_from(wide, ret_path, size);
    free(wide);
    return rc;
}
