/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/timeout.h: how long a call may wait.
 *
 * A timeout is a number of nanoseconds, measured on the monotonic clock: setting the wall clock
 * neither shortens nor prolongs it.
 */
#ifndef MPROC_TIMEOUT_H
#define MPROC_TIMEOUT_H

#include <stdint.h>

#include "mproc/export.h"

MPROC_BEGIN_DECLS

/** Nanoseconds to wait; MPROC_NOWAIT and MPROC_FOREVER are the two ends. */
typedef int64_t mproc_timeout;

/** Do not wait: succeed at once or return MPROC_ETIMEDOUT. */
#define MPROC_NOWAIT ((mproc_timeout)0)

/** Wait without a limit. Any negative timeout means the same. */
#define MPROC_FOREVER ((mproc_timeout)-1)

/**
 * A timeout of so many seconds, e.g. mproc_seconds(1.5).
 *
 * @param seconds  negative or not a number: MPROC_NOWAIT; more than 292 years: MPROC_FOREVER
 */
static inline mproc_timeout mproc_seconds(double seconds)
{
    if (!(seconds > 0)) {
        return MPROC_NOWAIT;
    }
    return seconds >= 9.2e9 ? MPROC_FOREVER : (mproc_timeout)(seconds * 1e9);
}

/** A timeout of so many milliseconds; negative: MPROC_NOWAIT. */
static inline mproc_timeout mproc_milliseconds(int64_t milliseconds)
{
    if (milliseconds <= 0) {
        return MPROC_NOWAIT;
    }
    return milliseconds > INT64_MAX / 1000000 ? MPROC_FOREVER : milliseconds * 1000000;
}

MPROC_END_DECLS

#endif
