/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.c: mproc_wait: one wait for connections, queues, events, processes and handles.
 *
 * How      Objects change words of the arena: the caller has each of them change its stir (family/stir.h),
 *          and sleeps on that. Processes and handles are the system's: for them alone it has a call of
 *          its own; with objects among them a lookout stirs the caller in their name. A connection to a
 *          stranger is both: its handle tells when a look is worth it.
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
#include "object/wire.h"

/** A thing in the arena. */
typedef struct object_item {
    size_t place;
    struct mproc_object *object;
    const struct mproc__waitable *how;
    uint32_t before; /* what it was like when the call began */
} object_item;

/** A connection to a stranger; what the item says may have been closed since. */
typedef struct wire_item {
    size_t place;
    mproc__wire *wire;
    bool is_busy; /* somebody else receives, and will stir us: its handle is none of our business */
} wire_item;

/** One call. */
typedef struct waiting {
    mproc_wait_item *items;
    size_t count;
    object_item *objects;
    size_t n_objects;
    wire_item *wires;
    size_t n_wires;
    bool has_change;       /* of is_busy, since they are looked out for */
    mplat_handle *handles; /* of the others; behind them those of wires that are not busy */
    size_t *places;        /* the others' items */
    bool *ready;      /* whether these handles are; a wire's tells only that a look is worth it */
    size_t n_handles; /* of the others */
    uint64_t noted;   /* the first object or wire, which stands for all of them */
    bool needs_peers; /* one of the objects does */
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

static int add_wire(waiting *w, size_t place)
{
    mproc__wire *wire;
    int rc = mproc__wire_enter(w->items[place].as.connection, &wire);
    if (rc >= 0) {
        w->wires[w->n_wires++] = (wire_item){place, wire, false};
    }
    return rc;
}

static int add_object(waiting *w, size_t place)
{
    const mproc_wait_item *item = &w->items[place];
    struct mproc_object *object = object_of(item);
    if (object == NULL) {
        return no_item(place);
    }
    w->noted = w->noted != 0 ? w->noted : object->offset;
    if (item->type == MPROC_WAIT_CONNECTION) {
        int rc = mproc__connection_check_wait(item->as.connection);
        if (rc < 0 || mproc__wire_is_of(item->as.connection)) {
            return rc < 0 ? rc : add_wire(w, place);
        }
    }
    const struct mproc__waitable *how = waitable_of(item);
    w->objects[w->n_objects++] = (object_item){place, object, how, how->look(object)};
    w->needs_peers = w->needs_peers || how->needs_peers;
    return MPROC_OK;
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
    for (size_t i = 0; i < w->n_wires; i++) {
        mproc__wire_leave(w->wires[i].wire);
    }
}

/* ---- looking --------------------------------------------------------------------------------- */

static bool look_at_objects(const waiting *w)
{
    bool is_any = false;
    for (size_t i = 0; i < w->n_objects; i++) {
        const object_item *item = &w->objects[i];
        if (item->how->is_ready(item->object, item->before)) {
            w->items[item->place].is_ready = true;
            is_any = true;
        }
    }
    return is_any;
}

/** 1: one is ready; 0: none; or an error. */
static int look_at_wires(waiting *w, int (*look_at)(mproc__wire *wire, bool *ret_is_busy))
{
    int any = 0;
    for (size_t i = 0; i < w->n_wires; i++) {
        wire_item *item = &w->wires[i];
        bool was_busy = item->is_busy;
        int rc = look_at(item->wire, &item->is_busy);
        if (rc < 0) {
            return rc;
        }
        w->has_change = w->has_change || item->is_busy != was_busy;
        if (rc > 0) {
            w->items[item->place].is_ready = true;
            any = 1;
        }
    }
    return any;
}

/** 1: something is ready; 0: nothing; or an error. */
static int look(waiting *w)
{
    bool is_any = look_at_objects(w);
    int rc = look_at_wires(w, mproc__wire_wait_look);
    if (rc < 0) {
        return rc;
    }
    is_any = is_any || rc > 0;
    rc = w->n_handles > 0 ? mplat_handles_wait(w->handles, w->n_handles, 0, w->ready) : 0;
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
    for (size_t i = 0; i < w->n_objects; i++) {
        w->objects[i].how->watch(w->objects[i].object);
    }
    for (size_t i = 0; i < w->n_wires; i++) {
        mproc__wire_wait_watch(w->wires[i].wire);
    }
    mproc__fence(); // S1: the marks come before the look, also at what had a mark before
}

static void stir(void *word)
{
    mproc__stir(word);
}

/** Have the handles looked after, unless they are. */
static int look_out(waiting *w, uint32_t *word, mplat_lookout **lookout)
{
    if (*lookout != NULL && (w->has_change || mplat_lookout_is_over(*lookout))) {
        mplat_lookout_end(*lookout, w->ready); // what had been ready has gone again
        *lookout = NULL;
    }
    if (*lookout != NULL) {
        return MPROC_OK;
    }
    size_t count = w->n_handles;
    w->has_change = false;
    for (size_t i = 0; i < w->n_wires; i++) {
        if (!w->wires[i].is_busy) {
            w->handles[count++] = mproc__wire_wait_handle(w->wires[i].wire);
        }
    }
    return count > 0 ? mplat_lookout_begin(w->handles, count, stir, word, lookout) : MPROC_OK;
}

static int sleep_on_stir(waiting *w, mproc__deadline deadline)
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
        if (w->n_handles + w->n_wires > 0 && lookout == NULL && mproc__spin(word, seen)) {
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

/** With objects or wires among what is waited for. */
static int wait_for_objects(waiting *w, mproc__deadline deadline)
{
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    mproc__note_begin(w->noted, deadline);
    rc = sleep_on_stir(w, deadline);
    mproc__note_end();
    return rc;
}

/** Keep all wires from others who would receive; false: somebody does already. */
static bool hold_wires(const waiting *w)
{
    size_t n = 0;
    while (n < w->n_wires && mproc__wire_wait_hold(w->wires[n].wire)) {
        n++;
    }
    bool are_held = n == w->n_wires;
    while (!are_held && n > 0) {
        mproc__wire_wait_unhold(w->wires[--n].wire);
    }
    return are_held;
}

/** Let the system wait, until a look at the wires, which are held, finds something. As look. */
static int wait_for_held(waiting *w, mproc__deadline deadline)
{
    bool is_late = false;
    int n_ready = 0;
    for (;;) {
        int rc = look_at_wires(w, mproc__wire_wait_look_held);
        if (rc != 0 || n_ready > 0 || is_late) {
            return rc != 0 ? rc : n_ready;
        }
        size_t count = w->n_handles + w->n_wires;
        for (size_t i = 0; i < w->n_wires; i++) {
            w->handles[w->n_handles + i] = mproc__wire_wait_handle(w->wires[i].wire);
            w->ready[w->n_handles + i] = false;
        }
        rc = mplat_handles_wait(w->handles, count, deadline, w->ready);
        if (rc < 0) {
            return rc;
        }
        is_late = rc == 0;
        for (size_t i = 0; i < w->n_handles; i++) {
            n_ready += w->ready[i] ? 1 : 0;
        }
    }
}

/** Without objects, but with wires: no thread is needed for them unless they have other users. */
static int wait_for_wires(waiting *w, mproc__deadline deadline)
{
    if (!hold_wires(w)) {
        return wait_for_objects(w, deadline);
    }
    mproc__note_begin(w->noted, deadline);
    mproc__note_show();
    int rc = wait_for_held(w, deadline);
    mproc__note_end();
    for (size_t i = 0; i < w->n_wires; i++) {
        mproc__wire_wait_unhold(w->wires[i].wire);
    }
    return rc;
}

/** Nothing was ready at first. */
static int wait_until(waiting *w, mproc__deadline deadline)
{
    if (w->n_objects > 0) {
        return wait_for_objects(w, deadline);
    }
    return w->n_wires > 0 ? wait_for_wires(w, deadline)
                          : mplat_handles_wait(w->handles, w->n_handles, deadline, w->ready);
}

static int wait_for_any(waiting *w, mproc_timeout timeout)
{
    int rc = look(w);
    if (rc == 0 && timeout == MPROC_NOWAIT && w->needs_peers && mproc__family_enter() >= 0) {
        mproc__watch_look(); // the next call finds out; who sleeps leaves that to the watch
    } else if (rc == 0 && timeout != MPROC_NOWAIT) {
        rc = wait_until(w, mproc__deadline_in(timeout));
    }
    return rc < 0 ? rc : count_ready(w);
}

int mproc_wait(mproc_wait_item *items, size_t count, mproc_timeout timeout)
{
    if (items == NULL || count == 0 || count > INT32_MAX) {
        return mproc__fail(MPROC_EINVAL, "wait: there is nothing to wait for");
    }
    waiting w = {.items = items, .count = count};
    size_t each = sizeof(*w.objects) + sizeof(*w.wires) + sizeof(*w.handles) + sizeof(*w.places) +
                  sizeof(*w.ready);
    w.objects = mproc__calloc(count, each);
    if (w.objects == NULL) {
        return mproc__fail(MPROC_ENOMEM, "wait: no memory for %zu items", count);
    }
    w.wires = (wire_item *)(void *)(w.objects + count);
    w.handles = (mplat_handle *)(void *)(w.wires + count);
    w.places = (size_t *)(void *)(w.handles + count);
    w.ready = (bool *)(w.places + count);
    int rc = add_all(&w);
    if (rc >= 0) {
        rc = wait_for_any(&w, timeout);
    }
    return_all(&w);
    mproc__free(w.objects);
    return rc;
}
