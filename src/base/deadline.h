/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadline.h: the only arithmetic with time.
 *
 * A timeout becomes a deadline once, when a call begins; waiting in pieces then cannot prolong it.
 */
#ifndef MPROC_BASE_DEADLINE_H
#define MPROC_BASE_DEADLINE_H

#include "mproc/timeout.h"
#include "platform.h"

/** A point on mplat_now's clock; MPROC__NEVER never comes. */
typedef int64_t mproc__deadline;

#define MPROC__NEVER INT64_MAX

static inline mproc__deadline mproc__deadline_in(mproc_timeout timeout)
{
    if (timeout < 0) {
        return MPROC__NEVER;
    }
    if (timeout == 0) {
        return 0; // long past, without asking for the time
    }
    int64_t now = mplat_now();
    return timeout > MPROC__NEVER - now ? MPROC__NEVER : now + timeout;
}

static inline int mproc__deadline_passed(mproc__deadline deadline)
{
    return deadline != MPROC__NEVER && (deadline == 0 || mplat_now() >= deadline);
}

/** The earlier of a deadline and `slice_ns` from now. */
static inline mproc__deadline mproc__deadline_slice(mproc__deadline deadline, int64_t slice_ns)
{
    int64_t slice = mplat_now() + slice_ns;
    return deadline < slice ? deadline : slice;
}

#endif
