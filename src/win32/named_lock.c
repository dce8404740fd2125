/* SPDX-License-Identifier: Apache-2.0 */
/*
 * named_lock.c: locks by name: mutexes of this session, under the very names that were given.
 *
 * As sections they can be opened by this user's processes, and those of the system; a mutex goes with its
 * last handle. The system itself sees to deaths of holders.
 */
#include "platform.h"

#include "base/status.h"
#include "win32/utf16.h"
#include "win32/win32.h"

#include <windows.h>

#include <stdlib.h>
#include <string.h>

/* All that have a name at the same time are the same one. */
#define ID 1

static int fail(DWORD error, const char *name)
{
    switch (error) {
    case ERROR_INVALID_HANDLE:
        return mproc__fail(MPROC_ETYPE, "what has the name %s is no lock", name);
    case ERROR_FILE_NOT_FOUND:
        return mproc__fail(MPROC_ENOENT, "there is no lock of the name %s", name);
    default:
        return mproc__fail_os((int)error, "cannot open the lock %s", name);
    }
}

int mplat_named_lock_open(const char *name, uint32_t mode, uint64_t id, mplat_named_lock *ret_lock)
{
    wchar_t *wide = NULL;
    (void)mode;
    if (strchr(name, '\\') != NULL) {
        return mproc__fail(MPROC_EINVAL, "the name %s of a lock has a backslash", name);
    }
    int rc = mproc__utf16_from(name, &wide);
    if (rc < 0) {
        return rc;
    }
    HANDLE mutex = id == 0 ? CreateMutexW(NULL, FALSE, wide)
                           : OpenMutexW(SYNCHRONIZE | MUTEX_MODIFY_STATE, FALSE, wide);
    DWORD error = GetLastError();
    free(wide);
    if (mutex == NULL) {
        return fail(error, name);
    }
    *ret_lock = (mplat_named_lock){
        .id = ID,
        .segment = {.user = MPLAT_NO_HANDLE, .more = MPLAT_NO_HANDLE},
        .object = mproc__win_handle(mutex),
    };
    return MPROC_OK;
}

void mplat_named_lock_close(mplat_named_lock *lock)
{
    mplat_handle_close(lock->object);
    lock->object = MPLAT_NO_HANDLE;
}

int mplat_named_lock_acquire(mplat_named_lock *lock, int64_t deadline)
{
    for (;;) {
        DWORD result =
            WaitForSingleObject(mproc__win_object(lock->object), mproc__win_milliseconds(deadline));
        if (result == WAIT_OBJECT_0 || result == WAIT_ABANDONED) {
            return result == WAIT_ABANDONED ? 1 : MPROC_OK;
        }
        if (result != WAIT_TIMEOUT) {
            return mproc__fail_os((int)GetLastError(), "cannot wait for a lock by name");
        }
        if (mplat_now() >= deadline) {
            return MPROC_ETIMEDOUT;
        }
    }
}

int mplat_named_lock_release(mplat_named_lock *lock)
{
    return ReleaseMutex(mproc__win_object(lock->object))
               ? MPROC_OK
               : mproc__fail(MPROC_ESTATE, "the calling thread does not hold the lock");
}
