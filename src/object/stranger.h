/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stranger.h: what listener.c and client.c take their options for; and what only mproc itself does with a listener.
 */
#ifndef MPROC_OBJECT_STRANGER_H
#define MPROC_OBJECT_STRANGER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "mproc/listener.h"
#include "mproc/timeout.h"

/** Have all who are in mproc_listener_accept, and who come, return MPROC_ESTATE, but do not close it yet. */
void mproc__listener_stop(mproc_listener *listener);

static inline uint64_t mproc__stranger_most(uint64_t max_bytes)
{
    return max_bytes == 0 ? (uint64_t)256 << 20 : max_bytes;
}

/** Nanoseconds for a handshake. */
static inline int64_t mproc__stranger_patience(mproc_timeout timeout)
{
    const int64_t longest = INT64_MAX / 4; // added to a time, it does not overflow
    if (timeout == 0) {
        return (int64_t)10 * 1000000000;
    }
    return timeout < 0 || timeout > longest ? longest : timeout;
}

static inline int mproc__stranger_check_key(const char *verb, const void *key, size_t size)
{
    return (key != NULL) == (size > 0)
               ? MPROC_OK
               : mproc__fail(MPROC_EINVAL, "%s: a key has at least one byte, and none has no size",
                             verb);
}

#endif
