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
    /* Constant: */
    uint64_t owner;    /**< member id */
    uint32_t is_local; /**< workers are threads of the owner */
    uint32_t reserved;

    /* By the supervisor: */
    uint64_t owner_thread; /**< its thread id, see thread.h: the pool lives as long as it */
    uint64_t wake_at; /**< when it will wake up by itself, on mplat_now's clock; 0: it is awake */
    uint32_t is_up;   /**< once it runs; who creates the pool sleeps on it */
    uint32_t is_over; /**< once there are no workers any more; join sleeps on it */

    /* By CAS: */
    uint64_t
        due_at; /**< when a task that is DELAYED is to be posted, at the earliest; INT64_MAX: none */
    uint32_t phase;  /**< enum mproc__pool_phase; only grows */
    uint32_t orders; /**< + 1 by whoever wants the supervisor's attention, which sleeps on it */
    uint32_t is_interrupted; /**< terminated by Ctrl-C */
    uint32_t has_failure;    /**< 1: a worker is writing `failure`, 2: it is there */

    char failure[256]; /**< what the first initializer said that failed; by its worker */
    char story[256];   /**< why it is broken; by the supervisor, before the phase */
};

/* ---- in each process ---- */

struct mproc__supervisor;
struct
    mproc__client; /* the engine's: what this process knows of the pool as one who gives it tasks */

/** struct mproc_object.local of a pool's handle; made when it is first needed. */
struct mproc__pool_local {
    struct mproc__object_local face;
    struct mproc__supervisor
        *supervisor; /**< of the creator's handle, in the creator only; else NULL */
    void *client;    /**< struct mproc__client; NULL: it has given it no task yet. Atomic */
};

/** The local part of a handle. 0 or MPROC_ENOMEM. */
int mproc__pool_local_of(mproc_pool *pool, struct mproc__pool_local **ret_local);

/** The status, with a sentence, of a task for a pool that is no longer OPEN. */
int mproc__pool_refuse(const struct mproc__rule_shm *rule);

/** The status, with a sentence, of a task that such a pool had and does not do any more. */
int mproc__pool_drop(const struct mproc__rule_shm *rule);

/** Whether the process that owns the pool is gone: nothing will ever happen again. */
bool mproc__pool_is_orphaned(const struct mproc__rule_shm *rule);

/** Have the supervisor look around. Any process. */
void mproc__pool_order(struct mproc__rule_shm *rule);

/** Have it look around at `when` at the latest, for a task's deadline, which is in its place already. */
void mproc__pool_order_at(struct mproc__rule_shm *rule, int64_t when);

/** Have it post tasks then that are DELAYED already. */
void mproc__pool_order_post(struct mproc__rule_shm *rule, int64_t when);

/** Leave word of what kept this worker from beginning, by mproc_last_error(); the first one's word counts. */
void mproc__pool_tell_failure(struct mproc__rule_shm *rule);

/** The calling thread, or all of its process, is worker `index` of the pool at `pool` from here on. */
void mproc__worker_become(uint64_t pool, uint32_t index, bool is_thread);

/** The pool whose worker the caller is; 0: it is none. */
uint64_t mproc__worker_pool(void);

/**
 * In a worker between two tasks: whether it makes way for another one, since it has run so many tasks, or
 * has too much memory. It is cheap to ask after each task.
 */
bool mproc__worker_is_worn(uint64_t n_tasks, uint64_t max_tasks, uint64_t max_memory);

/* worker.c's, for the supervisor to start: its arguments are (pool, index, initargs as a list). */
int mproc__worker_run(const mproc_args *args);

#endif
