/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h: what is private to the pool's own side: its handles, its owner's supervisor, its workers' lives.
 *
 * The engine (tasks.h) knows slots, lanes and ports. This file is about who keeps it running.
 */
#ifndef MPROC_SERVICE_POOL_H
#define MPROC_SERVICE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "family/entry.h"
#include "family/member.h"
#include "family/object.h"
#include "mproc/pool.h"

/* ---- in the arena: the engine's payload has one of these ---- */

enum mproc__pool_phase {
    MPROC__POOL_OPEN = 0,
    MPROC__POOL_SHUT = 1,       /**< takes no more; its workers leave when all is done */
    MPROC__POOL_TERMINATED = 2, /**< ends now */
    MPROC__POOL_BROKEN = 3,     /**< its workers die; see story */
};

/** What concerns the pool as a whole. */
struct mproc__rule_shm {
    uint32_t phase; /**< enum mproc__pool_phase; only grows, by CAS */
    uint32_t
        is_over; /**< by the supervisor, once: there are no workers any more; join sleeps on it */
    uint32_t orders;   /**< + 1 by whoever wants the supervisor's attention, which sleeps on it */
    uint32_t is_local; /**< workers are threads of the owner; constant */
    uint64_t owner;    /**< member id; constant */
    uint64_t
        owner_thread; /**< the supervisor's thread id, see thread.h: the pool lives as long as it */
    char story[256];  /**< why it is broken; by the supervisor, before the phase */
};

/* ---- in each process ---- */

struct mproc__supervisor;
struct
    mproc__client; /* the engine's: what this process knows of the pool as one who gives it tasks */

/** struct mproc_object.local of a pool's handle; made at its first use in a process. */
struct mproc__pool_local {
    struct mproc__object_local face;
    struct mproc__supervisor
        *supervisor;              /**< of the creator's handle, in the creator only; else NULL */
    struct mproc__client *client; /**< NULL: it has given it no task yet */
};

/* worker.c's, for the supervisor to start: its arguments are (pool, index, initargs). */
int mproc__worker_run(const mproc_args *args);

#endif
