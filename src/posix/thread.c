/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.c: threads of the library's own.
 */
#include "platform.h"

#include "base/alloc.h"
#include "base/status.h"
#include "mproc/error.h"

#include <pthread.h>
#include <signal.h>

struct mplat_thread {
    pthread_t thread;
    void (*fn)(void *arg);
    void *arg;
};

static void *run(void *arg)
{
    const mplat_thread *thread = arg;
    thread->fn(thread->arg);
    return NULL;
}

int mplat_thread_start(void (*fn)(void *arg), void *arg, mplat_thread **ret_thread)
{
    mplat_thread *thread = mproc__calloc(1, sizeof(*thread));
    if (thread == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a thread");
    }
    *thread = (mplat_thread){.fn = fn, .arg = arg};
    // It is born with all signals blocked: the application's are none of its business.
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread->thread, NULL, run, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        mproc__free(thread);
        return mproc__fail_os(error, "cannot start a thread");
    }
    *ret_thread = thread;
    return MPROC_OK;
}

void mplat_thread_join(mplat_thread *thread)
{
    if (thread != NULL) {
        (void)pthread_join(thread->thread, NULL);
        mproc__free(thread);
    }
}
