/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.h: a pool's workers, as its supervisor has them.
 *
 * Why      A worker may end at any instruction. Somebody must find that out, say what becomes of what it was
 *          doing, and start another one; and somebody must kill those whose task has had its time.
 * Always   C1  a worker is buried in the engine after its sentinel has fired: nothing of it goes on
 *          C2  it is killed for a task only when that is doomed, and then it takes no other one: so no
 *              innocent task is killed
 * Limiter  Workers that end before they are READY are started again later and later, and counted until one
 *          is READY: so many, one after the other, tell that none will ever be.
 * Threads  One at a time: who creates the pool, then the supervisor.
 */
#ifndef MPROC_SERVICE_CREW_H
#define MPROC_SERVICE_CREW_H

#include "service/executor.h"
#include "service/tasks.h"

/** A worker's place. */
typedef struct mproc__post {
    void *worker;        /**< the executor's; NULL: nobody has it */
    int64_t due;         /**< not before that another one is started */
    uint32_t n_failures; /**< in a row: of those that were never READY */
    bool is_killed;      /**< by us */
} mproc__post;

typedef struct mproc__crew {
    mproc_pool *pool;
    mproc__tasks *tasks;
    struct mproc__rule_shm *rule;
    const mproc__executor *executor;

    const mproc_context *context;
    char name[64];
    mproc_value initargs;
    bool pin;
    int *cpus;
    size_t n_cpus;

    uint32_t n;
    mproc__post *posts;
    mplat_handle *handles; /**< sentinels of those that there are ... */
    uint32_t *places;      /**< ... and whose they are */
    bool *ready;
    size_t n_handles;
    mplat_lookout *lookout;
    bool has_change; /**< the lookout does not know all of them */

    uint32_t n_failures; /**< see above */
    char failure[224];   /**< the last one */
} mproc__crew;

/** Fill in what the options say; the others are filled in already. Give it up with mproc__crew_free. */
int mproc__crew_init(mproc__crew *crew, const mproc_pool_options *options);

/** Start the first ones, in the thread that creates the pool. */
int mproc__crew_start(mproc__crew *crew);

/** That came to nothing: end those that were started. */
void mproc__crew_stop(mproc__crew *crew);

/** How many there are. */
uint32_t mproc__crew_count(const mproc__crew *crew);

/** Bury those that have ended, if the lookout has found any. */
void mproc__crew_reap(mproc__crew *crew, int64_t now);

/** Have rule.orders rung when one ends. A negative status: not all of them are looked after. */
int mproc__crew_look_out(mproc__crew *crew);

/** Kill those whose task is doomed, or has had its time. The next deadline. */
int64_t mproc__crew_execute(mproc__crew *crew, int64_t now);

/** Whether one's deadline is between `now` and `next`. */
bool mproc__crew_is_pressed(const mproc__crew *crew, int64_t now, int64_t next);

/** Kill all that can be killed. */
void mproc__crew_kill(mproc__crew *crew);

/** Start some so that there are `n_wanted`, or all. When to look again. */
int64_t mproc__crew_fill(mproc__crew *crew, uint64_t n_wanted, int64_t now);

/** Nobody is in it any more. */
void mproc__crew_free(mproc__crew *crew);

#endif
