/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callbacks.c: the thread that calls back when tasks have ended.
 *
 * It is there while tasks with callbacks are under way, and calls one after the other. The lock of client.h guards
 * what it shares with those who give tasks.
 */
#include "service/client.h"

#include "base/alloc.h"
#include "base/status.h"
#include "family/family.h"
#include "family/stir.h"

struct mproc__call {
    mproc_future *future;
    mproc__client *client;
    void (*callback)(void *arg, const mproc_value *result);
    void (*error_callback)(void *arg, int status, const char *sentence);
    void *arg;
    struct mproc__call *next;
};

static struct {
    mproc__party party;
    struct mproc__call *calls; /* of all that are under way */
    uint32_t *stir;            /* the thread's, while it may sleep; else NULL */
    mplat_thread *thread;      /* NULL: there was none yet */
    bool is_running;
    bool knows_copies;
} them;

static void forget(void)
{
    them.party = (mproc__party){.n_awaited = 0};
    them.calls = NULL;
    them.stir = NULL;
    them.thread = NULL;
    them.is_running = false;
}

static void call_back(const struct mproc__call *call)
{
    mproc_value result = {0};
    int rc = mproc__future_read(call->future, &result);
    if (rc >= 0) {
        if (call->callback != NULL) {
            call->callback(call->arg, &result);
        }
        mproc_value_clear(&result);
    } else if (call->error_callback != NULL) {
        call->error_callback(call->arg, rc, mproc_last_error());
    }
}

/** One that is to be called; NULL: none just now. *ret_is_over: nor ever. */
static struct mproc__call *take(bool *ret_is_over)
{
    mproc__clients_lock();
    for (const struct mproc__call *call = them.calls; call != NULL; call = call->next) {
        mproc__client_drain_locked(call->client);
    }
    mproc_future *future = mproc__party_take_locked(&them.party);
    struct mproc__call *found = future != NULL ? future->call : NULL;
    for (struct mproc__call **link = &them.calls; found != NULL && *link != NULL;
         link = &(*link)->next) {
        if (*link == found) {
            *link = found->next;
            break;
        }
    }
    *ret_is_over = found == NULL && them.calls == NULL;
    them.is_running = !*ret_is_over;
    them.stir = them.is_running ? them.stir : NULL;
    mproc__clients_unlock();
    return found;
}

/** With the pool's owner gone, they will never end. */
static struct mproc__call *take_orphan(void)
{
    mproc__clients_lock();
    struct mproc__call **link = &them.calls;
    while (*link != NULL && mproc__client_check((*link)->client) >= 0) {
        link = &(*link)->next;
    }
    struct mproc__call *found = *link;
    if (found != NULL) {
        *link = found->next;
        mproc__future_leave_locked(found->future);
    }
    mproc__clients_unlock();
    return found;
}

static void watch(void)
{
    mproc__clients_lock();
    const mproc__client *last = NULL;
    for (const struct mproc__call *call = them.calls; call != NULL; call = call->next) {
        if (call->client != last) {
            mproc__client_watch(call->client);
            last = call->client;
        }
    }
    mproc__clients_unlock();
}

static void run(void *arg)
{
    bool is_over = false;
    (void)arg;
    uint32_t *stir = mproc__family_enter() >= 0 ? mproc__stir_mine() : NULL;
    mproc__clients_lock();
    them.stir = stir;
    mproc__clients_unlock();
    while (!is_over && stir != NULL) {
        uint32_t seen = mproc__load32_acquire(stir);
        watch();
        mproc__fence(); // S1 in stir.h
        struct mproc__call *call = take(&is_over);
        if (call == NULL && !is_over && (call = take_orphan()) != NULL) {
            if (call->error_callback != NULL) {
                call->error_callback(call->arg, MPROC_EPEER, mproc_last_error());
            }
            mproc__future_release(call->future);
            mproc__free(call);
            continue;
        }
        if (call != NULL) {
            call_back(call);
            mproc__future_release(call->future);
            mproc__free(call);
        } else if (!is_over) {
            mproc__stir_await(stir, seen, MPROC__NEVER);
        }
    }
}

/** Start the thread if there is none; else it is told of one more. Under the lock, which is released meanwhile. */
static int wake_or_start(void)
{
    mplat_thread *old = NULL;
    int rc = MPROC_OK;
    mproc__clients_lock();
    bool is_new = !them.is_running;
    them.is_running = true;
    if (is_new) {
        old = them.thread;
        them.thread = NULL;
    }
    uint32_t *stir = them.stir;
    mproc__clients_unlock();
    mplat_thread_join(old); // it is past its last look
    if (is_new) {
        mplat_thread *thread = NULL;
        rc = mplat_thread_start(run, NULL, &thread);
        mproc__clients_lock();
        them.thread = thread;
        them.is_running = them.is_running && rc >= 0; // it may have done all already
        mproc__clients_unlock();
    } else if (stir != NULL) {
        mproc__stir(stir);
    }
    return rc;
}

void mproc__callbacks_end(void)
{
    mplat_thread *thread = NULL;
    mproc__clients_lock();
    if (!them.is_running) {
        thread = them.thread;
        them.thread = NULL;
    }
    mproc__clients_unlock();
    mplat_thread_join(thread); // it is past its last look
}

int mproc__callbacks_add(mproc_future *future, const mproc_task_options *options)
{
    struct mproc__call *call = mproc__calloc(1, sizeof(*call));
    if (call == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a callback");
    }
    *call = (struct mproc__call){.future = future,
                                 .client = future->client,
                                 .callback = options->callback,
                                 .error_callback = options->error_callback,
                                 .arg = options->callback_arg};
    mproc__clients_lock();
    if (!them.knows_copies) {
        them.knows_copies = true;
        mproc__on_forget(forget);
    }
    future->call = call;
    future->users++;
    call->next = them.calls;
    them.calls = call;
    mproc__clients_unlock();
    mproc__future_join(future, &them.party);
    int rc = wake_or_start();
    if (rc < 0) {
        mproc__clients_lock();
        mproc__future_leave_locked(future);
        them.calls = call->next; // nobody else adds any: that needs a thread
        mproc__clients_unlock();
        future->users--;
        mproc__free(call);
    }
    return rc;
}
