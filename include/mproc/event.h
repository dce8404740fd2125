/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/event.h: a flag that processes wait for.
 */
#ifndef MPROC_EVENT_H
#define MPROC_EVENT_H

#include <stdbool.h>

#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** A flag, set or not: this process's handle of it. */
typedef struct mproc_event mproc_event;

/**
 * Create an event, which is not set.
 *
 * Python: multiprocessing.Event()
 *
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_event_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_event_create(mproc_event **ret_event);

/**
 * Set the flag, and wake all who wait for it; it stays set until mproc_event_clear. Who waited before
 * this call is woken for good, also when the flag is cleared at once.
 *
 * Python: Event.set()
 *
 * @return 0, or MPROC_EINVAL for NULL
 * @blocking  never, however those who wait are: asleep, stopped, or killed
 * @safety any thread of any member process; safe in signal handlers
 * @death  killed in it, the flag is set or not; those who wait find out either way
 */
MPROC_API int mproc_event_set(mproc_event *event);

/** Clear the flag. Python: Event.clear(). As mproc_event_set otherwise. */
MPROC_API int mproc_event_clear(mproc_event *event);

/** Whether the flag is set; false for NULL. Python: Event.is_set(). */
MPROC_API bool mproc_event_is_set(const mproc_event *event);

/**
 * Wait until the flag is set.
 *
 * Python: Event.wait(timeout)
 *
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0; MPROC_ETIMEDOUT (Python: False); MPROC_EINVAL for NULL
 * @blocking  spins for some microseconds, then sleeps
 * @safety any thread of any member process
 * @death  of others who wait: costs nobody anything
 */
MPROC_API MPROC_NODISCARD int mproc_event_wait(mproc_event *event, mproc_timeout timeout);

/** Take one more hold on an event, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_event_attach(mproc_event **ret_event, const mproc_event *event);

/** Give up this process's hold on the event, as mproc_lock_close. */
MPROC_API void mproc_event_close(mproc_event *event);

MPROC_END_DECLS

#endif
