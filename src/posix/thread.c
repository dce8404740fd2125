/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.c: threads of the library's own, and whether there are others.
 *
 * A copy of this process has none of its other threads, but the locks that they held. Threads of the library's own
 * hold none but those that a fork waits for, so they do not count.
 */
#include "platform.h"

#include "base/alloc.h"
#include "base/status.h"
#include "mproc/error.h"
#include "posix/posix.h"

#include <pthread.h>
#include <signal.h>

struct mplat_thread {
    pthread_t thread;
    void (*fn)(void *arg);
    void *arg;
    uint32_t number;    /**< 0: it has not begun yet; the private lock, as the rest */
    mplat_thread *next; /**< in the list of all */
};

static mplat_thread *all;

static void *run(void *arg)
{
    mplat_thread *thread = arg;
    uint32_t number = mplat_thread_number();
    mproc__posix_private_lock();
    thread->number = number;
    mproc__posix_private_unlock();
    thread->fn(thread->arg);
    return NULL;
}

static void list(mplat_thread *thread)
{
    mproc__posix_private_lock();
    thread->next = all;
    all = thread;
    mproc__posix_private_unlock();
}

static void unlist(mplat_thread *thread)
{
    mproc__posix_private_lock();
    mplat_thread **link = &all;
    while (*link != NULL && *link != thread) {
        link = &(*link)->next;
    }
    *link = *link != NULL ? thread->next : NULL;
    mproc__posix_private_unlock();
}

int mplat_thread_start(void (*fn)(void *arg), void *arg, mplat_thread **ret_thread)
{
    mplat_thread *thread = mproc__calloc(1, sizeof(*thread));
    if (thread == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a thread");
    }
    *thread = (mplat_thread){.fn = fn, .arg = arg};
    list(thread); // before it is there: whoever counts has it among ours
    // It is born with all signals blocked: the application's are none of its business.
    sigset_t every;
    sigset_t before;
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_SETMASK, &every, &before);
    int error = pthread_create(&thread->thread, NULL, run, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        unlist(thread);
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
        unlist(thread);
        mproc__free(thread);
    }
}

bool mproc__posix_is_own_locked(uint32_t number, uint32_t *n_unborn)
{
    uint32_t n = 0;
    for (const mplat_thread *thread = all; thread != NULL; thread = thread->next) {
        if (thread->number == number) {
            return true;
        }
        n += thread->number == 0 ? 1 : 0;
    }
    *n_unborn = n;
    return false;
}

void mproc__posix_threads_forget(void)
{
    all = NULL;
}
