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

struct calls {
    struct mproc__call *first, *last;
};

struct mproc__call {
    mproc_future *future;
    void (*callback)(void *arg, const mproc_value *result);
    void (*error_callback)(void *arg, int status, const char *sentence);
    void *arg;
    bool is_told;       /* it is among those that are to be called */
    bool is_orphan;     /* for the pool's owner is gone: it will never end */
    struct calls *list; /* where it is; NULL: it was taken */
    struct mproc__call *before, *next;
};

/** A pool whose tasks are to be called back for: where to look for those that have ended. */
struct source {
    mproc__client *client;
    struct calls calls;
    struct source *next;
};

static struct {
    struct source *sources; /* of calls that are under way */
    struct calls told;      /* calls whose tasks have ended, in order */
    uint32_t *stir;         /* the thread's, while it may sleep; else NULL */
    mplat_thread *thread;   /* NULL: there was none yet */
    bool is_running;
    bool knows_copies;
} them;

static void forget(void)
{
    them.sources = NULL;
    them.told = (struct calls){.first = NULL};
    them.stir = NULL;
    them.thread = NULL;
    them.is_running = false;
}

/* ---- lists, under the lock -------------------------------------------------------------------- */

static void append(struct calls *list, struct mproc__call *call)
{
    call->list = list;
    call->next = NULL;
    call->before = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = call;
    list->last = call;
}

static void take_out(struct mproc__call *call)
{
    struct calls *list = call->list;
    *(call->before != NULL ? &call->before->next : &list->first) = call->next;
    *(call->next != NULL ? &call->next->before : &list->last) = call->before;
    call->list = NULL;
    // A source of nothing is none.
    for (struct source **link = &them.sources; list->first == NULL && *link != NULL;
         link = &(*link)->next) {
        struct source *source = *link;
        if (&source->calls == list) {
            *link = source->next;
            mproc__free(source);
            break;
        }
    }
}

/** The calls of a client that are under way; NULL: no memory. */
static struct calls *calls_of(mproc__client *client)
{
    struct source *source = them.sources;
    while (source != NULL && source->client != client) {
        source = source->next;
    }
    if (source == NULL && (source = mproc__calloc(1, sizeof(*source))) != NULL) {
        source->client = client;
        source->next = them.sources;
        them.sources = source;
    }
    return source != NULL ? &source->calls : NULL;
}

void mproc__callbacks_tell_locked(struct mproc__call *call)
{
    if (!call->is_told) {
        call->is_told = true;
        take_out(call);
        append(&them.told, call);
    }
}

/* ---- the thread ------------------------------------------------------------------------------- */

static void call_back(const struct mproc__call *call)
{
    mproc_value result = {0};
    int rc = call->is_orphan ? mproc__client_check(call->future->client)
                             : mproc__future_read(call->future, &result);
    if (rc >= 0) {
        if (call->callback != NULL) {
            call->callback(call->arg, &result);
        }
        mproc_value_clear(&result);
    } else if (call->error_callback != NULL) {
        call->error_callback(call->arg, rc, mproc_last_error());
    }
}

/** Find out which have ended, and which never will. Telling of all of a source's calls ends the source. */
static void look_locked(void)
{
    for (struct source *source = them.sources, *next; source != NULL; source = next) {
        next = source->next;
        mproc__client_drain_locked(source->client);
    }
    for (struct source *source = them.sources, *next; source != NULL; source = next) {
        next = source->next;
        bool is_orphan = mproc__client_check(source->client) < 0;
        for (struct mproc__call *call = source->calls.first, *after; is_orphan && call != NULL;
             call = after) {
            after = call->next;
            call->is_orphan = true;
            mproc__callbacks_tell_locked(call);
        }
    }
}

/** One that is to be called; NULL: none just now. *ret_is_over: nor ever. */
static struct mproc__call *take(bool *ret_is_over)
{
    mproc__clients_lock();
    if (them.told.first == NULL) {
        look_locked();
    }
    struct mproc__call *call = them.told.first;
    if (call != NULL) {
        take_out(call);
        call->future->call = NULL;
    }
    *ret_is_over = call == NULL && them.sources == NULL;
    them.is_running = !*ret_is_over;
    them.stir = them.is_running ? them.stir : NULL;
    mproc__clients_unlock();
    return call;
}

static void watch(void)
{
    mproc__clients_lock();
    for (const struct source *source = them.sources; source != NULL; source = source->next) {
        mproc__client_watch(source->client);
    }
    mproc__clients_unlock();
    mproc__fence(); // S1 in stir.h
}

static void run(void *arg)
{
    bool is_over = false;
    bool must_watch = false;
    (void)arg;
    uint32_t *stir = mproc__family_enter() >= 0 ? mproc__stir_mine() : NULL;
    mproc__clients_lock();
    them.stir = stir;
    mproc__clients_unlock();
    while (!is_over && stir != NULL) {
        uint32_t seen = mproc__load32_acquire(stir);
        if (must_watch) {
            watch();
        }
        struct mproc__call *call = take(&is_over);
        if (call != NULL) {
            call_back(call);
            mproc__future_release(call->future);
            mproc__free(call);
        } else if (must_watch && !is_over) {
            mproc__stir_await(stir, seen, MPROC__NEVER);
        }
        must_watch = call == NULL;
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

/** Have a call made when its future has ended; false: no memory. */
static bool enlist(struct mproc__call *call)
{
    mproc_future *future = call->future;
    mproc__clients_lock();
    if (!them.knows_copies) {
        them.knows_copies = true;
        mproc__on_forget(forget);
    }
    struct calls *calls = calls_of(future->client);
    if (calls != NULL) {
        append(calls, call);
        future->call = call;
        future->users++;
        mproc__future_expect_locked(future);
    }
    mproc__clients_unlock();
    return calls != NULL;
}

int mproc__callbacks_add(mproc_future *future, const mproc_task_options *options)
{
    struct mproc__call *call = mproc__calloc(1, sizeof(*call));
    if (call != NULL) {
        *call = (struct mproc__call){.future = future,
                                     .callback = options->callback,
                                     .error_callback = options->error_callback,
                                     .arg = options->callback_arg};
    }
    if (call == NULL || !enlist(call)) {
        mproc__free(call);
        return mproc__fail(MPROC_ENOMEM, "no memory for a callback");
    }
    int rc = wake_or_start();
    if (rc < 0) {
        mproc__clients_lock();
        take_out(call); // nobody else does: that needs a thread
        future->call = NULL;
        future->users--;
        mproc__clients_unlock();
        mproc__free(call);
    }
    return rc;
}
