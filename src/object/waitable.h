/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waitable.h: what an object does for mproc_wait (wait.c).
 */
#ifndef MPROC_OBJECT_WAITABLE_H
#define MPROC_OBJECT_WAITABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "family/object.h"

struct mproc__waitable {
    /** What it is like before the wait begins: is_ready is told, and misses nothing since. */
    uint32_t (*look)(const struct mproc_object *object);
    bool (*is_ready)(const struct mproc_object *object, uint32_t before);
    /** Have the calling thread's stir changed, once, when it may have become ready: see stir.h. */
    void (*watch)(struct mproc_object *object);
    bool needs_peers; /**< the death of the last of others makes it ready, when they are buried */
};

extern const struct mproc__waitable mproc__queue_waitable;
extern const struct mproc__waitable mproc__event_waitable;
extern const struct mproc__waitable mproc__latch_waitable;
extern const struct mproc__waitable mproc__connection_waitable;

#endif
