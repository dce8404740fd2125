/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.c: threads of the library's own. There are no signals to keep from them.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "platform.h"
#include "win32/win32.h"

#include <windows.h>

#include <process.h>

struct mplat_thread {
    HANDLE thread;
    void (*fn)(void *arg);
    void *arg;
};

static unsigned __stdcall run(void *arg)
{
    const mplat_thread *thread = arg;
    thread->fn(thread->arg);
    return 0;
}

int mplat_thread_start(void (*fn)(void *arg), void *arg, mplat_thread **ret_thread)
{
    mplat_thread *thread = mproc__calloc(1, sizeof(*thread));
    if (thread == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a thread");
    }
    thread->fn = fn;
    thread->arg = arg;
    thread->thread = (HANDLE)_beginthreadex(NULL, 0, run, thread, 0, NULL);
    if (thread->thread == NULL) {
        mproc__free(thread);
        return mproc__fail(MPROC_ENPROC, "no thread can be started");
    }
    *ret_thread = thread;
    return MPROC_OK;
}

void mplat_thread_join(mplat_thread *thread)
{
    if (thread != NULL) {
        (void)WaitForSingleObject(thread->thread, INFINITE);
        (void)CloseHandle(thread->thread);
        mproc__free(thread);
    }
}
