/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.c: mproc_wait: one wait for connections, queues, events, processes and handles.
 *
 * How      Objects change words of the arena: the caller has each of them change its stir (family/stir.h),
 *          and sleeps on that. Processes and handles are the system's: for them alone it has a call of
 *          its own; with objects among them a lookout stirs the caller in their name.
 * Death    of who made something ready: see stir.h
 */
#include "mproc/wait.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/deadline.h"
#include "base/status.h"
#include "family/family.h"
#include "family/note.h"
#include "family/sleep.h"
#include "family/stir.h"
#include "family/watch.h"
#include "object/connection.h"
#include "object/process.h"
#include "object/waitable.h"

/** One call. */
typedef struct waiting {
    mproc_wait_item *items;
    size_t count;
    uint32_t *before; /* what each item that is an object was like when the call began */
    size_t n_objects;
    bool needs_peers;      /* one of them does */
    mplat_handle *handles; /* of the others */
    size_t *places;        /* their items */
    bool *ready;           /* whether they are */
    size_t n_handles;
} waiting;

/* ---- items ----------------------------------------------------------------------------------- */

/** What an item does for us, if it is an object. */
static const struct mproc__waitable *waitable_of(const mproc_wait_item *item)
{
    switch (item->type) {
    case MPROC_WAIT_QUEUE:
        return &mproc__queue_waitable;
    case MPROC_WAIT_EVENT:
        return &mproc__event_waitable;
    case MPROC_WAIT_LATCH:
        return &mproc__latch_waitable;
    case MPROC_WAIT_CONNECTION:
        return &mproc__connection_waitable;
    default:
        return NULL;
    }
}

static struct mproc_object *object_of(const mproc_wait_item *item)
{
    switch (item->type) {
    case MPROC_WAIT_QUEUE:
        return item->as.queue != NULL ? &item->as.queue->object : NULL;
    case MPROC_WAIT_EVENT:
        return item->as.event != NULL ? &item->as.event->object : NULL;
    case MPROC_WAIT_LATCH:
        return item->as.latch != NULL ? &item->as.latch->object : NULL;
    case MPROC_WAIT_CONNECTION:
        return item->as.connection != NULL ? &item->as.connection->object : NULL;
    default:
        return NULL;
    }
}

static int no_item(size_t place)
{
    return mproc__fail(MPROC_EINVAL, "wait: item %zu is NULL, or nothing that can be waited for",
                       place);
}

static int add_object(waiting *w, size_t place)
{
    const struct mproc_object *object = object_of(&w->items[place]);
    if (object == NULL) {
        return no_item(place);
    }
    const struct mproc__waitable *waitable = waitable_of(&w->items[place]);
    w->before[place] = waitable->look(object);
    w->n_objects++;
    w->needs_peers = w->needs_peers || waitable->needs_peers;
    return w->items[place].type == MPROC_WAIT_CONNECTION
               ? mproc__connection_check_wait(w->items[place].as.connection)
               : MPROC_OK;
}

static int add_handle(waiting *w, size_t place)
{
    const mproc_wait_item *item = &w->items[place];
    mplat_handle handle = {item->as.native};
    int rc = MPROC_OK;
    if (item->type == MPROC_WAIT_PROCESS) {
        rc = item->as.process != NULL ? mproc__process_borrow(item->as.process, &handle)
                                      : no_item(place);
    } else if (item->type != MPROC_WAIT_NATIVE || handle.os == MPLAT_NO_HANDLE.os) {
        rc = no_item(place);
    }
    if (rc >= 0) {
        w->handles[w->n_handles] = handle;
        w->places[w->n_handles++] = place;
    }
    return rc;
}

/** All items; on failure those before `w->count`. */
static int add_all(waiting *w)
{
    int rc = MPROC_OK;
    size_t n = 0;
    for (; n < w->count && rc >= 0; n++) {
        w->items[n].is_ready = false;
        rc = waitable_of(&w->items[n]) != NULL ? add_object(w, n) : add_handle(w, n);
    }
    w->count = rc < 0 ? n - 1 : n;
    return rc;
}

static void return_all(const waiting *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->items[i].type == MPROC_WAIT_PROCESS) {
            mproc__process_return(w->items[i].as.process);
        }
    }
}

/* ---- looking --------------------------------------------------------------------------------- */

static bool look_at_objects(const waiting *w)
{
    bool is_any = false;
    for (size_t i = 0; i < w->count && w->n_objects > 0; i++) {
        mproc_wait_item *item = &w->items[i];
        const struct mproc__waitable *waitable = waitable_of(item);
        if (waitable != NULL && waitable->is_ready(object_of(item), w->before[i])) {
            item->is_ready = true;
            is_any = true;
        }
    }
    return is_any;
}

/** 1: something is ready; 0: nothing; or an error. */
static int look(const waiting *w)
{
    bool is_any = look_at_objects(w);
    int rc = w->n_handles > 0 ? mplat_handles_wait(w->handles, w->n_handles, 0, w->ready) : 0;
    return rc != 0 ? rc : is_any;
}

static int count_ready(const waiting *w)
{
    int n = 0;
    for (size_t i = 0; i < w->n_handles; i++) {
        w->items[w->places[i]].is_ready = w->ready[i];
    }
    for (size_t i = 0; i < w->count; i++) {
        n += w->items[i].is_ready ? 1 : 0;
    }
    return n;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void watch_objects(const waiting *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct mproc__waitable *waitable = waitable_of(&w->items[i]);
        if (waitable != NULL) {
            waitable->watch(object_of(&w->items[i]));
        }
    }
    mproc__fence(); // S1: the marks come before the look, also at what had a mark before
}

static void stir(void *word)
{
    mproc__stir(word);
}

/** Have the handles looked after, unless they are. */
static int look_out(const waiting *w, uint32_t *word, mplat_lookout **lookout)
{
    if (*lookout != NULL && mplat_lookout_is_over(*lookout)) {
        mplat_lookout_end(*lookout, w->ready); // what had been ready has gone again
        *lookout = NULL;
    }
    return *lookout != NULL || w->n_handles == 0
               ? MPROC_OK
               : mplat_lookout_begin(w->handles, w->n_handles, stir, word, lookout);
}

static int sleep_on_stir(const waiting *w, mproc__deadline deadline)
{
    uint32_t *word = mproc__stir_mine();
    mplat_lookout *lookout = NULL;
    int rc;
    for (;;) {
        uint32_t seen = mproc__load32_acquire(word);
        watch_objects(w);
        rc = look(w);
        if (rc != 0 || mproc__deadline_passed(deadline)) {
            break;
        }
        // Who may be answered at once is spared the lookout.
        if (w->n_handles > 0 && lookout == NULL && mproc__spin(word, seen)) {
            continue;
        }
        rc = look_out(w, word, &lookout);
        if (rc < 0) {
            break;
        }
        mproc__stir_await(word, seen, deadline);
    }
    mplat_lookout_end(lookout, w->ready);
    return rc;
}

/** With objects among what is waited for. */
static int wait_for_objects(const waiting *w, mproc__deadline deadline)
{
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    const mproc_wait_item *first = w->items;
    while (waitable_of(first) == NULL) {
        first++;
    }
    mproc__note_begin(object_of(first)->offset, deadline); // it stands for all of them
    rc = sleep_on_stir(w, deadline);
    mproc__note_end();
    return rc;
}

static int wait_for_any(const waiting *w, mproc_timeout timeout)
{
    int rc = look(w);
    if (rc == 0 && timeout == MPROC_NOWAIT && w->needs_peers && mproc__family_enter() >= 0) {
        mproc__watch_look(); // the next call finds out; who sleeps leaves that to the watch
    } else if (rc == 0 && timeout != MPROC_NOWAIT) {
        mproc__deadline deadline = mproc__deadline_in(timeout);
        rc = w->n_objects > 0 ? wait_for_objects(w, deadline)
                              : mplat_handles_wait(w->handles, w->n_handles, deadline, w->ready);
    }
    return rc < 0 ? rc : count_ready(w);
}

int mproc_wait(mproc_wait_item *items, size_t count, mproc_timeout timeout)
{
    if (items == NULL || count == 0 || count > INT32_MAX) {
        return mproc__fail(MPROC_EINVAL, "wait: there is nothing to wait for");
    }
    waiting w = {.items = items, .count = count};
    size_t each = sizeof(*w.handles) + sizeof(*w.places) + sizeof(*w.before) + sizeof(*w.ready);
    w.handles = mproc__calloc(count, each);
    if (w.handles == NULL) {
        return mproc__fail(MPROC_ENOMEM, "wait: no memory for %zu items", count);
    }
    w.places = (size_t *)(void *)(w.handles + count);
    w.before = (uint32_t *)(void *)(w.places + count);
    w.ready = (bool *)(w.before + count);
    int rc = add_all(&w);
    if (rc >= 0) {
        rc = wait_for_any(&w, timeout);
    }
    return_all(&w);
    mproc__free(w.handles);
    return rc;
}
