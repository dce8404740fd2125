/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sentinel.c: waiting for one of any number of processes.
 *
 * One system call takes 64 handles. Beyond that the system's pool of waiting threads does it: one
 * registration for each handle, the first of them to fire says so and sets an event. All of them
 * are gone before mplat_sentinel_wait returns, so nothing of it outlives the call.
 */
#include "base/atomic.h"
#include "base/status.h"
#include "platform.h"
#include "win32/win32.h"

#include <windows.h>

#include <stdlib.h>

#define NOBODY UINT32_MAX

/** One wait's common ground. */
typedef struct crowd {
    HANDLE event;
    uint32_t first; // index of the first that fired, or NOBODY; swapped once, by a callback
} crowd;

typedef struct registration {
    crowd *of;
    uint32_t index;
    HANDLE wait;
} registration;

/** Wait for up to 64 handles. 0 and the place of one, or a negative status. */
static int wait_few(const mplat_handle *sentinels, size_t count, uint32_t milliseconds,
                    size_t *ret_index)
{
    HANDLE handles[MAXIMUM_WAIT_OBJECTS] = {NULL};
    for (size_t i = 0; i < count; i++) {
        handles[i] = mproc__win_object(sentinels[i]);
    }
    DWORD rc = WaitForMultipleObjects((DWORD)count, handles, FALSE, milliseconds);
    if (rc == WAIT_TIMEOUT) {
        return MPROC_ETIMEDOUT;
    }
    if (rc >= WAIT_OBJECT_0 + count) {
        return mproc__fail_os((int)GetLastError(), "waiting for %zu processes", count);
    }
    *ret_index = rc - WAIT_OBJECT_0;
    return 0;
}

/** Look at all of them without waiting. */
static int poll_many(const mplat_handle *sentinels, size_t count, size_t *ret_index)
{
    int rc = MPROC_ETIMEDOUT;
    for (size_t i = 0; i < count && rc == MPROC_ETIMEDOUT; i += MAXIMUM_WAIT_OBJECTS) {
        size_t left = count - i;
        size_t index = 0;
        rc = wait_few(sentinels + i, left < MAXIMUM_WAIT_OBJECTS ? left : MAXIMUM_WAIT_OBJECTS, 0,
                      &index);
        if (rc == 0) {
            *ret_index = i + index;
        }
    }
    return rc;
}

static VOID CALLBACK note(PVOID parameter, BOOLEAN is_timeout)
{
    registration *r = parameter;
    uint32_t nobody = NOBODY;
    (void)is_timeout;
    if (mproc__cas32(&r->of->first, &nobody, r->index)) {
        (void)SetEvent(r->of->event);
    }
}

/** Sleep until the event is set or the deadline is there. */
static int wait_for_event(HANDLE event, int64_t deadline)
{
    DWORD rc = WAIT_TIMEOUT;
    uint32_t milliseconds = mproc__win_milliseconds(deadline);
    while (rc == WAIT_TIMEOUT && milliseconds > 0) {
        rc = WaitForSingleObject(event, milliseconds);
        milliseconds = mproc__win_milliseconds(deadline);
    }
    return rc == WAIT_TIMEOUT ? MPROC_ETIMEDOUT : 0;
}

static int register_all(crowd *c, registration *registrations, const mplat_handle *sentinels,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        registrations[i] = (registration){c, (uint32_t)i, NULL};
        if (!RegisterWaitForSingleObject(&registrations[i].wait, mproc__win_object(sentinels[i]),
                                         note, &registrations[i], INFINITE, WT_EXECUTEONLYONCE)) {
            registrations[i].wait = NULL;
            return mproc__fail_os((int)GetLastError(), "waiting for process %zu of %zu", i, count);
        }
    }
    return 0;
}

static int wait_many(const mplat_handle *sentinels, size_t count, int64_t deadline,
                     size_t *ret_index)
{
    crowd c = {CreateEventW(NULL, TRUE, FALSE, NULL), NOBODY};
    if (c.event == NULL) {
        return mproc__fail_os((int)GetLastError(), "creating an event");
    }
    int rc = MPROC_ENOMEM;
    registration *registrations = calloc(count, sizeof(*registrations));
    if (registrations == NULL) {
        (void)mproc__fail(rc, "out of memory to wait for %zu processes", count);
        goto done;
    }
    rc = register_all(&c, registrations, sentinels, count);
    if (rc == 0) {
        rc = wait_for_event(c.event, deadline);
    }
    for (size_t i = 0; i < count; i++) {
        if (registrations[i].wait != NULL) {
            // With this argument it returns when the callback neither runs nor will run.
            (void)UnregisterWaitEx(registrations[i].wait, INVALID_HANDLE_VALUE);
        }
    }
    if (mproc__load32_acquire(&c.first) != NOBODY) {
        *ret_index = c.first;
        rc = 0;
    }
done:
    free(registrations);
    (void)CloseHandle(c.event);
    return rc;
}

int mplat_sentinel_wait(const mplat_handle *sentinels, size_t count, int64_t deadline,
                        size_t *ret_index)
{
    if (count == 0 || count >= NOBODY) {
        return mproc__fail(MPROC_EINVAL, "cannot wait for %zu processes", count);
    }
    int rc;
    do {
        if (count > MAXIMUM_WAIT_OBJECTS) {
            rc = poll_many(sentinels, count, ret_index);
            if (rc == MPROC_ETIMEDOUT && mproc__win_milliseconds(deadline) > 0) {
                rc = wait_many(sentinels, count, deadline, ret_index);
            }
        } else {
            rc = wait_few(sentinels, count, mproc__win_milliseconds(deadline), ret_index);
        }
    } while (rc == MPROC_ETIMEDOUT && mproc__win_milliseconds(deadline) > 0);
    return rc;
}
