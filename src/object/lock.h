/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h: locks and rlocks as other objects use them.
 *
 * Layout  struct mproc__lock_shm is the payload of both; an rlock's kind makes the difference.
 * Locks   mutex guards all the rest, but for MPROC__LOCK_POISONED, which anybody may take away;
 *         anybody may look at all of it
 * Death   the next holder sets depth anew; what else the dead one had begun, it repeats
 */
#ifndef MPROC_OBJECT_LOCK_H
#define MPROC_OBJECT_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "family/block.h"
#include "family/mutex.h"
#include "family/object.h"
#include "mproc/lock.h"

/* mproc__lock_shm.state */
#define MPROC__LOCK_STRICT 1u   /* for good */
#define MPROC__LOCK_SUSPECT 2u  /* a holder died, and none has said since that all is well */
#define MPROC__LOCK_POISONED 4u /* released while it was suspect */

struct mproc__lock_shm {
    struct mproc__mutex_shm mutex;
    uint32_t depth; /**< of an rlock: how often its holder has acquired it */
    uint32_t state;
    uint64_t deaths;
    uint64_t dead_pid;
    uint64_t
        due; /**< offset of a word on which one is to be woken when the lock is released; 0: none */
};

static inline struct mproc__lock_shm *mproc__lock_of(const struct mproc_object *object)
{
    return object->shm;
}

/** The lock at `offset` inside another object, as the calls below take one: there need be no handle. */
static inline struct mproc_object mproc__lock_inside(uint32_t kind, uint64_t offset)
{
    return (struct mproc_object){.kind = kind, .offset = offset, .shm = mproc__block_at(offset)};
}

/** Acquire as the object's kind has it; see mproc_lock_acquire and mproc_rlock_acquire. */
int mproc__lock_acquire(const struct mproc_object *object, mproc_timeout timeout);
int mproc__lock_release(const struct mproc_object *object);

/**
 * Release a lock that the calling thread holds, however often it has acquired it, in order to wait
 * for something; and acquire it again so often.
 *
 * @param ret_depth  for the second call
 * @return 0, or MPROC_ESTATE when it is not the calling thread's
 */
int mproc__lock_suspend(const struct mproc_object *object, uint32_t *ret_depth);
int mproc__lock_resume(const struct mproc_object *object, uint32_t depth);

/**
 * Wake one who sleeps on `word` and will want the lock: at once, or, when the calling thread holds it,
 * with the release, or it would come in vain.
 */
void mproc__lock_wake(const struct mproc_object *object, uint32_t *word);

/** Whether the calling thread holds the lock. As mproc__lock_suspend. */
int mproc__lock_check_held(const struct mproc_object *object);

static inline bool mproc__lock_is_strict(const struct mproc_object *object)
{
    return (mproc__load32_relaxed(&mproc__lock_of(object)->state) & MPROC__LOCK_STRICT) != 0;
}

/** Create a lock or rlock. */
int mproc__lock_create(uint32_t kind, const mproc_lock_options *options,
                       struct mproc_object **ret_object);

#endif
