/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookout.c: waiting for any number of handles, in this thread or in the system's.
 *
 * One system call takes 64 handles. Beyond that, and while the caller sleeps on something else, the system's
 * pool of waiting threads does it: one registration for each handle, the first of them to fire says so.
 * All of them are gone before a lookout's end returns, so nothing of it outlives the call.
 *
 * A wait takes what it finds: an automatic event is reset. So whoever has found a handle signalled, this
 * thread or a registration, is the one to say so, and nobody looks at that handle again.
 */
#include "base/atomic.h"
#include "base/status.h"
#include "platform.h"
#include "win32/win32.h"

#include <windows.h>

#include <stdlib.h>

typedef struct registration {
    struct mplat_lookout *of;
    uint32_t has_fired;
    HANDLE wait;
} registration;

struct mplat_lookout {
    void (*fn)(void *arg);
    void *arg;
    uint32_t is_over; // swapped once, by the first to fire
    size_t count;
    registration all[];
};

/* ---- looking --------------------------------------------------------------------------------- */

/** As many handles as one system call takes, but for those that are known to be ready. */
typedef struct batch {
    HANDLE handles[MAXIMUM_WAIT_OBJECTS];
    size_t places[MAXIMUM_WAIT_OBJECTS];
    DWORD count;
} batch;

/** Fill one from `*next` on, and move that behind the last. */
static void fill(batch *b, const mplat_handle *handles, size_t count, const bool *ready,
                 size_t *next)
{
    b->count = 0;
    for (; *next < count && b->count < MAXIMUM_WAIT_OBJECTS; (*next)++) {
        if (!ready[*next]) {
            b->handles[b->count] = mproc__win_object(handles[*next]);
            b->places[b->count++] = *next;
        }
    }
}

/** Wait for one of a batch. 1 and the place of the first, 0, or an error. */
static int wait_few(const batch *b, uint32_t milliseconds, size_t *ret_place)
{
    DWORD rc = WaitForMultipleObjects(b->count, b->handles, FALSE, milliseconds);
    if (rc == WAIT_TIMEOUT) {
        return 0;
    }
    if (rc == WAIT_FAILED) {
        DWORD error = GetLastError();
        return error == ERROR_INVALID_HANDLE
                   ? mproc__fail(MPROC_EINVAL, "wait: a handle is not open")
                   : mproc__fail_os((int)error, "waiting for %lu handles", b->count);
    }
    // A mutex that somebody has died with is taken like any other.
    *ret_place = b->places[rc >= WAIT_ABANDONED_0 ? rc - WAIT_ABANDONED_0 : rc - WAIT_OBJECT_0];
    return 1;
}

/** Look at all of them from `next` on without waiting. How many are ready that were not before. */
static int look(const mplat_handle *handles, size_t count, size_t next, bool *ready)
{
    int n = 0;
    while (next < count) {
        batch b;
        size_t place = 0;
        fill(&b, handles, count, ready, &next);
        int rc = b.count > 0 ? wait_few(&b, 0, &place) : 0;
        if (rc < 0) {
            return rc;
        }
        if (rc > 0) {
            ready[place] = true;
            n++;
            next = place + 1; // those before it are not
        }
    }
    return n;
}

/* ---- lookouts -------------------------------------------------------------------------------- */

static VOID CALLBACK note(PVOID parameter, BOOLEAN is_timeout)
{
    registration *r = parameter;
    uint32_t expected = 0;
    (void)is_timeout;
    mproc__store32_release(&r->has_fired, 1);
    if (mproc__cas32(&r->of->is_over, &expected, 1)) {
        r->of->fn(r->of->arg);
    }
}

int mplat_lookout_begin(const mplat_handle *handles, size_t count, void (*fn)(void *arg), void *arg,
                        mplat_lookout **ret_lookout)
{
    mplat_lookout *lookout = calloc(1, sizeof(*lookout) + count * sizeof(lookout->all[0]));
    if (lookout == NULL) {
        return mproc__fail(MPROC_ENOMEM, "out of memory to wait for %zu handles", count);
    }
    lookout->fn = fn;
    lookout->arg = arg;
    for (; lookout->count < count; lookout->count++) {
        registration *r = &lookout->all[lookout->count];
        r->of = lookout;
        if (!RegisterWaitForSingleObject(&r->wait, mproc__win_object(handles[lookout->count]), note,
                                         r, INFINITE, WT_EXECUTEONLYONCE)) {
            int rc = mproc__fail_os((int)GetLastError(), "waiting for handle %zu of %zu",
                                    lookout->count, count);
            mplat_lookout_end(lookout, NULL);
            return rc;
        }
    }
    *ret_lookout = lookout;
    return 0;
}

bool mplat_lookout_is_over(const mplat_lookout *lookout)
{
    return mproc__load32_acquire(&lookout->is_over) != 0;
}

void mplat_lookout_end(mplat_lookout *lookout, bool *ready)
{
    for (size_t i = 0; lookout != NULL && i < lookout->count; i++) {
        // With this argument it returns when the callback neither runs nor will run.
        (void)UnregisterWaitEx(lookout->all[i].wait, INVALID_HANDLE_VALUE);
        if (ready != NULL && mproc__load32_acquire(&lookout->all[i].has_fired) != 0) {
            ready[i] = true;
        }
    }
    free(lookout);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void set(void *event)
{
    (void)SetEvent(event);
}

/** Wait for more than 64 of them. As mplat_handles_wait. */
static int wait_many(const mplat_handle *handles, size_t count, int64_t deadline, bool *ready)
{
    mplat_lookout *lookout = NULL;
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (event == NULL) {
        return mproc__fail_os((int)GetLastError(), "creating an event");
    }
    int rc = mplat_lookout_begin(handles, count, set, event, &lookout);
    if (rc >= 0) {
        uint32_t milliseconds;
        while ((milliseconds = mproc__win_milliseconds(deadline)) > 0 &&
               WaitForSingleObject(event, milliseconds) == WAIT_TIMEOUT) {
        }
        mplat_lookout_end(lookout, ready);
        for (size_t i = 0; i < count; i++) {
            rc += ready[i] ? 1 : 0;
        }
    }
    (void)CloseHandle(event);
    return rc;
}

/** Wait for up to 64, for a time that one system call takes. As mplat_handles_wait. */
static int wait_once(const mplat_handle *handles, size_t count, int64_t deadline, bool *ready)
{
    batch b;
    size_t next = 0;
    size_t place = 0;
    fill(&b, handles, count, ready, &next);
    int rc = wait_few(&b, mproc__win_milliseconds(deadline), &place);
    if (rc > 0) {
        ready[place] = true;
    }
    return rc;
}

int mplat_handles_wait(const mplat_handle *handles, size_t count, int64_t deadline, bool *ready)
{
    int rc = look(handles, count, 0, ready);
    while (rc == 0 && mproc__win_milliseconds(deadline) > 0) {
        rc = count > MAXIMUM_WAIT_OBJECTS ? wait_many(handles, count, deadline, ready)
                                          : wait_once(handles, count, deadline, ready);
        if (rc > 0) {
            int more = look(handles, count, 0, ready);
            rc = more < 0 ? more : rc + more;
        }
    }
    return rc;
}

int mplat_sentinel_wait(const mplat_handle *sentinels, size_t count, int64_t deadline,
                        size_t *ret_index)
{
    bool few[MAXIMUM_WAIT_OBJECTS] = {false};
    bool *ready = count <= MAXIMUM_WAIT_OBJECTS ? few : calloc(count, sizeof(*ready));
    if (ready == NULL) {
        return mproc__fail(MPROC_ENOMEM, "out of memory to wait for %zu processes", count);
    }
    int rc = mplat_handles_wait(sentinels, count, deadline, ready);
    if (rc == 0) {
        rc = mproc__fail(MPROC_ETIMEDOUT, "timed out");
    }
    for (size_t i = 0; i < count && rc > 0; i++) {
        if (ready[i]) {
            *ret_index = i;
            rc = 0;
        }
    }
    if (ready != few) {
        free(ready);
    }
    return rc;
}
