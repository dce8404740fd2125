/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.c: mproc_lock and mproc_rlock: a mutex of the family with Python's manners.
 */
#include "object/lock.h"

#include "base/check.h"
#include "base/env.h"
#include "base/status.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/note.h"
#include "family/thread.h"
#include "family/watch.h"
#include "object/waits.h"

#include <stddef.h>

int mproc__lock_create(uint32_t kind, const mproc_lock_options *options,
                       struct mproc_object **ret_object)
{
    int rc = mproc__object_create(kind, sizeof(struct mproc__lock_shm), 0, ret_object);
    if (rc >= 0 && options != NULL && options->is_strict) {
        mproc__lock_of(*ret_object)->state = MPROC__LOCK_STRICT;
    }
    return rc;
}

/** The new holder makes sure of what the dead one left. */
static void take_over(struct mproc__lock_shm *lock, mproc__thread_id dead)
{
    if (mproc__load32_relaxed(&lock->state) & MPROC__LOCK_STRICT) {
        mproc__store32_release(&lock->state, MPROC__LOCK_STRICT | MPROC__LOCK_SUSPECT);
    }
    mproc__store64_release(&lock->dead_pid, (uint64_t)mproc__thread_pid(dead));
    mproc__store64_release(&lock->deaths, lock->deaths + 1);
}

/** What the new holder finds out about a lock that has a history. */
static int look_at_history(struct mproc__lock_shm *lock, int rc, mproc__thread_id dead)
{
    if (mproc__load32_acquire(&lock->state) & MPROC__LOCK_POISONED) {
        (void)mproc__mutex_release(&lock->mutex);
        return mproc__fail_shortly(MPROC_EPOISONED,
                                   "acquire: the lock is poisoned: after its holder had died, what "
                                   "it guards was left as it was");
    }
    if (rc == MPROC_OWNER_DIED) {
        take_over(lock, dead);
    }
    mproc__thread_holds++;
    mproc__store32_relaxed(&lock->depth, 1);
    return rc;
}

static bool is_mine(const struct mproc__lock_shm *lock)
{
    mproc__thread_id self = mproc__thread_current;
    return self != 0 && mproc__mutex_owner(&lock->mutex) == self;
}

/** Wait for the mutex; with MPROC_DEADLOCKS, and a look for a circle after each long slice, until one is found. */
static int wait_for_it(struct mproc__lock_shm *lock, mproc__deadline deadline,
                       mproc__thread_id *ret_dead)
{
    bool may_look = mproc__is_on(MPROC__SWITCH_DEADLOCKS);
    for (;;) {
        mproc__deadline until =
            may_look ? mproc__deadline_slice(deadline, mproc__long_slice_ns) : deadline;
        int rc = mproc__mutex_acquire(&lock->mutex, mproc__thread_self(), until, ret_dead);
        if (rc != MPROC_ETIMEDOUT || until == deadline) {
            return rc;
        }
        may_look = !mproc__deadlock_report();
    }
}

static int acquire_slowly(struct mproc__lock_shm *lock, mproc_timeout timeout)
{
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    mproc__thread_id dead = 0;
    mproc__deadline deadline = mproc__deadline_in(timeout);
    mproc__note_begin(mproc__block_of(lock) | (is_mine(lock) ? MPROC__NOTE_OWN : 0), deadline);
    rc = wait_for_it(lock, deadline, &dead);
    mproc__note_end();
    return rc < 0 ? mproc__fail_shortly(rc, "acquire: timed out; the lock is held")
                  : look_at_history(lock, rc, dead);
}

/** The path of a lock that is free and has no history: one atomic operation. */
static inline int acquire(struct mproc__lock_shm *lock, mproc_timeout timeout)
{
    mproc__thread_id self = mproc__thread_current;
    if (self == 0 || !mproc__mutex_try(&lock->mutex, self)) {
        return acquire_slowly(lock, timeout);
    }
    if (mproc__load32_relaxed(&lock->state) > MPROC__LOCK_STRICT) {
        return look_at_history(lock, MPROC_OK, 0);
    }
    mproc__thread_holds++;
    mproc__store32_relaxed(&lock->depth, 1);
    return MPROC_OK;
}

static int acquire_again(struct mproc__lock_shm *lock)
{
    if (lock->depth == UINT32_MAX) {
        return mproc__fail_shortly(MPROC_ERANGE, "acquire: the rlock has been acquired too often");
    }
    mproc__store32_relaxed(&lock->depth, lock->depth + 1);
    return MPROC_OK;
}

static int release(struct mproc__lock_shm *lock)
{
    if (mproc__load32_relaxed(&lock->state) & MPROC__LOCK_SUSPECT) {
        mproc__store32_release(&lock->state, MPROC__LOCK_STRICT | MPROC__LOCK_POISONED);
    }
    uint64_t due = mproc__load64_relaxed(&lock->due);
    if (due != 0) {
        due = mproc__exchange64(&lock->due, 0);
    }
    uint64_t holder = mproc__mutex_release(&lock->mutex);
    if (holder == mproc__thread_current && holder != 0) {
        mproc__thread_holds--;
    }
    if (due != 0) {
        MPROC__KILLPOINT("lock.due"); /* DEATH: the sleeper looks again */
        (void)mplat_wake(mproc__at(due), 1);
    }
    return holder != 0 ? MPROC_OK
                       : mproc__fail_shortly(MPROC_ESTATE, "release: the lock is not locked");
}

void mproc__lock_wake(const struct mproc_object *object, uint32_t *word)
{
    struct mproc__lock_shm *lock = mproc__lock_of(object);
    if (is_mine(lock)) {
        uint64_t before = mproc__exchange64(&lock->due, mproc__offset_of(word));
        word = before != 0 ? mproc__at(before) : NULL;
    }
    if (word != NULL) {
        (void)mplat_wake(word, 1);
    }
}

int mproc__lock_check_held(const struct mproc_object *object)
{
    return is_mine(object->shm)
               ? MPROC_OK
               : mproc__fail_shortly(MPROC_ESTATE, "the calling thread does not hold the lock");
}

static int release_once(struct mproc__lock_shm *lock)
{
    if (!is_mine(lock)) {
        return mproc__fail_shortly(MPROC_ESTATE,
                                   "release: the calling thread does not hold the rlock");
    }
    if (lock->depth > 1) {
        mproc__store32_relaxed(&lock->depth, lock->depth - 1);
        return MPROC_OK;
    }
    return release(lock);
}

int mproc__lock_acquire(const struct mproc_object *object, mproc_timeout timeout)
{
    struct mproc__lock_shm *lock = mproc__lock_of(object);
    bool is_again = object->kind == MPROC__KIND_RLOCK && is_mine(lock);
    return is_again ? acquire_again(lock) : acquire(lock, timeout);
}

int mproc__lock_release(const struct mproc_object *object)
{
    struct mproc__lock_shm *lock = mproc__lock_of(object);
    return object->kind == MPROC__KIND_RLOCK ? release_once(lock) : release(lock);
}

int mproc__lock_suspend(const struct mproc_object *object, uint32_t *ret_depth)
{
    int rc = mproc__lock_check_held(object);
    if (rc >= 0) {
        struct mproc__lock_shm *lock = mproc__lock_of(object);
        *ret_depth = lock->depth;
        rc = release(lock);
    }
    return rc;
}

int mproc__lock_resume(const struct mproc_object *object, uint32_t depth)
{
    struct mproc__lock_shm *lock = mproc__lock_of(object);
    int rc = acquire(lock, MPROC_FOREVER);
    if (rc >= 0) {
        mproc__store32_relaxed(&lock->depth, depth);
    }
    return rc;
}

static int consistent(struct mproc__lock_shm *lock)
{
    uint32_t state = mproc__load32_acquire(&lock->state);
    bool is_heir = (state & MPROC__LOCK_SUSPECT) && is_mine(lock);
    bool is_due = is_heir || (state & MPROC__LOCK_POISONED) != 0;
    // Of several who find it poisoned one is right: it may have been taken over from a dead one since.
    if (!is_due || !mproc__cas32(&lock->state, &state, MPROC__LOCK_STRICT)) {
        return mproc__fail_shortly(MPROC_ESTATE,
                                   "consistent: the lock is not poisoned, and the calling thread "
                                   "has not taken it over from a dead one");
    }
    return MPROC_OK;
}

static void get_info(const struct mproc__lock_shm *lock, bool is_rlock, mproc_lock_info *ret_info)
{
    mproc__thread_id holder = mproc__mutex_owner(&lock->mutex);
    uint32_t depth = is_rlock ? mproc__load32_relaxed(&lock->depth) : 1;
    *ret_info = (mproc_lock_info){
        .is_locked = holder != 0,
        .is_poisoned = (mproc__load32_acquire(&lock->state) & MPROC__LOCK_POISONED) != 0,
        .depth = holder != 0 ? depth : 0,
        .deaths = mproc__load64_acquire(&lock->deaths),
        .holder_pid = holder != 0 ? mproc__thread_pid(holder) : 0,
        .dead_pid = (int64_t)mproc__load64_acquire(&lock->dead_pid),
    };
}

static int no_lock(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the lock is NULL", verb);
}

/* ---- mproc_lock ------------------------------------------------------------------------------ */

int mproc_lock_create(mproc_lock **ret_lock, const mproc_lock_options *options)
{
    struct mproc_object *object;
    int rc = ret_lock != NULL ? mproc__lock_create(MPROC__KIND_LOCK, options, &object)
                              : no_lock("create");
    if (rc >= 0) {
        *ret_lock = MPROC__CONTAINER(object, mproc_lock, object);
    }
    return rc;
}

int mproc_lock_acquire(mproc_lock *lock, mproc_timeout timeout)
{
    return lock != NULL ? acquire(mproc__lock_of(&lock->object), timeout) : no_lock("acquire");
}

int mproc_lock_release(mproc_lock *lock)
{
    return lock != NULL ? release(mproc__lock_of(&lock->object)) : no_lock("release");
}

bool mproc_lock_is_locked(const mproc_lock *lock)
{
    return lock != NULL && mproc__mutex_owner(&mproc__lock_of(&lock->object)->mutex) != 0;
}

int mproc_lock_consistent(mproc_lock *lock)
{
    return lock != NULL ? consistent(mproc__lock_of(&lock->object)) : no_lock("consistent");
}

int mproc_lock_get_info(const mproc_lock *lock, mproc_lock_info *ret_info)
{
    if (lock == NULL || ret_info == NULL) {
        return no_lock("get_info");
    }
    get_info(mproc__lock_of(&lock->object), false, ret_info);
    return MPROC_OK;
}

/* ---- mproc_rlock ----------------------------------------------------------------------------- */

int mproc_rlock_create(mproc_rlock **ret_rlock, const mproc_lock_options *options)
{
    struct mproc_object *object;
    int rc = ret_rlock != NULL ? mproc__lock_create(MPROC__KIND_RLOCK, options, &object)
                               : no_lock("create");
    if (rc >= 0) {
        *ret_rlock = MPROC__CONTAINER(object, mproc_rlock, object);
    }
    return rc;
}

int mproc_rlock_acquire(mproc_rlock *rlock, mproc_timeout timeout)
{
    if (rlock == NULL) {
        return no_lock("acquire");
    }
    struct mproc__lock_shm *lock = mproc__lock_of(&rlock->object);
    return is_mine(lock) ? acquire_again(lock) : acquire(lock, timeout);
}

int mproc_rlock_release(mproc_rlock *rlock)
{
    return rlock != NULL ? release_once(mproc__lock_of(&rlock->object)) : no_lock("release");
}

bool mproc_rlock_is_locked(const mproc_rlock *rlock)
{
    return rlock != NULL && mproc__mutex_owner(&mproc__lock_of(&rlock->object)->mutex) != 0;
}

int mproc_rlock_consistent(mproc_rlock *rlock)
{
    return rlock != NULL ? consistent(mproc__lock_of(&rlock->object)) : no_lock("consistent");
}

int mproc_rlock_get_info(const mproc_rlock *rlock, mproc_lock_info *ret_info)
{
    if (rlock == NULL || ret_info == NULL) {
        return no_lock("get_info");
    }
    get_info(mproc__lock_of(&rlock->object), true, ret_info);
    return MPROC_OK;
}
