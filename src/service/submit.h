/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submit.h: a process that gives tasks to a pool, and takes their results.
 *
 * Why       All handles and futures that a process has of a pool share one port, and the slots it keeps.
 * Layout    struct mproc__client, private memory of the process, counted by handles and futures; each
 *           has a hold on the pool's block of its own.
 */
#ifndef MPROC_SERVICE_SUBMIT_H
#define MPROC_SERVICE_SUBMIT_H

#include "mproc/future.h"
#include "service/tasks.h"

typedef struct mproc__client mproc__client;

/** The client of a pool in this process, made if need be. 0, MPROC_ENOMEM or what mproc__block_attach returns. */
int mproc__client_open(uint64_t pool, mproc__client **ret_client);

/** One user less; NULL is fine. */
void mproc__client_close(mproc__client *client);

/** The pool's parts. */
mproc__tasks *mproc__client_tasks(mproc__client *client);

/** What is to be done. Zero is the default. */
typedef struct mproc__order {
    enum mproc__task_kind kind;
    mproc__function function;
    const mproc_args *args; /**< of a CALL, or any that has a list of values */
    const void *bytes;      /**< else: up to MPROC__MORE bytes that are copied into the slot ... */
    size_t size;
    mproc__hold
        parcel; /**< ... or a block that becomes the task's, also when it fails; offset 0: none */
    const mproc_task_options *options; /**< NULL: defaults */
    bool is_noted;                     /**< mproc__client_next tells of it */
    void *owner;                       /**< whatever the caller likes, see mproc__future_owner */
} mproc__order;

/**
 * Give a task to the pool.
 *
 * @return 0; MPROC_ECLOSED, MPROC_EBROKEN, MPROC_EPEER: the pool takes none; MPROC_ENOMEM, MPROC_ENOSPC ...
 */
int mproc__submit(mproc__client *client, const mproc__order *order, mproc_future **ret_future);

/**
 * Wait until a future is done, spinning and sleeping; a worker does other tasks of the pool meanwhile that
 * have not begun. 0, MPROC_ETIMEDOUT, MPROC_EPEER: the pool's owner is gone.
 */
int mproc__future_await(mproc_future *future, mproc__deadline deadline);

/** Of a future that is done. */
int mproc__future_status(const mproc_future *future);
void *mproc__future_owner(const mproc_future *future);

/**
 * Wait until one of the noted futures that have the given owner is done, in the order in which they are.
 * 0, MPROC_ETIMEDOUT, MPROC_EPEER; MPROC_ENOENT: none of that owner's is under way.
 */
int mproc__client_next(mproc__client *client, void *owner, mproc__deadline deadline,
                       mproc_future **ret_future);

#define MPROC__DEATH_STORY 200

/** The sentence of a worker's death; `name` is the task's, or NULL. */
const char *mproc__death_story(const struct mproc__task_death *how, const char *name,
                               char ret_story[MPROC__DEATH_STORY]);

/** For handles: the client of a pool's handle. */
int mproc__client_of(mproc_pool *pool, mproc__client **ret_client);

#endif
