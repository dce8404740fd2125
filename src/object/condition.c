/* SPDX-License-Identifier: Apache-2.0 */
/*
 * condition.c: mproc_condition.
 *
 * Why       Who notifies must not depend on those who wait: one may be dead, or stopped.
 * How       Each waiter has a seat in a room, in the order of arrival, and sleeps on that seat. A notice
 *           takes the first living ones out of the line, and who has the lock wakes them by releasing
 *           it. Of all that notify_all releases, one is woken; the rest is the herd, and each that has
 *           got the lock again has the next one woken.
 * Always    C1  a seat that was called by name stays its thread's until that has the lock again: should
 *               it die before, another one is called in its place
 * Locks     the room's, never held while waiting for the condition's own
 * Commit    a seat's state
 * Death     of a waiter: its seat is passed over. Of one that was to wake others: they look again
 */
#include "mproc/condition.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/note.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "family/watch.h"
#include "object/lock.h"
#include "object/room.h"

#include <stddef.h>

struct condition_shm {
    struct mproc__room_shm room;
    uint64_t lock;      /**< reference of its lock, the first block it holds; constant */
    uint32_t lock_kind; /**< constant */
};

static int no_condition(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the condition is NULL", verb);
}

static struct mproc_object lock_of(const mproc_condition *condition)
{
    const struct condition_shm *shm = condition->object.shm;
    return mproc__lock_inside(shm->lock_kind, shm->lock);
}

static mproc__room room_of(const mproc_condition *condition)
{
    struct condition_shm *shm = condition->object.shm;
    return (mproc__room){&shm->room, condition->object.offset, 1};
}

/* ---- making ---------------------------------------------------------------------------------- */

static int create_over(const struct mproc_object *lock, mproc_condition **ret_condition)
{
    struct mproc_object *object;
    int rc = mproc__object_create(MPROC__KIND_CONDITION, sizeof(struct condition_shm),
                                  1 + MPROC__ROOM_SEGMENTS, &object);
    if (rc < 0) {
        return rc;
    }
    struct condition_shm *shm = object->shm;
    shm->lock = lock->offset;
    shm->lock_kind = lock->kind;
    rc = mproc__block_embed(object->offset, lock->offset);
    if (rc < 0) {
        mproc__object_close(object);
        return rc;
    }
    *ret_condition = MPROC__CONTAINER(object, mproc_condition, object);
    return MPROC_OK;
}

int mproc_condition_create(mproc_condition **ret_condition, const mproc_condition_options *options)
{
    if (ret_condition == NULL) {
        return no_condition("create");
    }
    if (options != NULL && options->lock != NULL && options->rlock != NULL) {
        return mproc__fail(MPROC_EINVAL, "a condition has one lock, not a lock and an rlock");
    }
    if (options != NULL && options->lock != NULL) {
        return create_over(&options->lock->object, ret_condition);
    }
    if (options != NULL && options->rlock != NULL) {
        return create_over(&options->rlock->object, ret_condition);
    }
    struct mproc_object *own;
    int rc = mproc__lock_create(MPROC__KIND_RLOCK, NULL, &own);
    if (rc >= 0) {
        rc = create_over(own, ret_condition);
        mproc__object_close(own);
    }
    return rc;
}

int mproc_condition_acquire(mproc_condition *condition, mproc_timeout timeout)
{
    if (condition == NULL) {
        return no_condition("acquire");
    }
    const struct mproc_object lock = lock_of(condition);
    return mproc__lock_acquire(&lock, timeout);
}

int mproc_condition_release(mproc_condition *condition)
{
    if (condition == NULL) {
        return no_condition("release");
    }
    const struct mproc_object lock = lock_of(condition);
    return mproc__lock_release(&lock);
}

/* ---- notify ---------------------------------------------------------------------------------- */

/** The first in a line whose thread lives; the dead before it lose their seats. NULL: none. Locked. */
static struct mproc__seat_shm *first_living(const mproc__room *room, enum mproc__line line,
                                            uint32_t *ret_number)
{
    while (room->shm->line[line].first != 0) {
        *ret_number = room->shm->line[line].first - 1;
        struct mproc__seat_shm *seat = mproc__room_seat(room, *ret_number);
        if (!mproc__thread_is_dead(seat->thread)) {
            return seat;
        }
        mproc__room_leave(room, *ret_number); /* DEATH: of a waiter */
    }
    return NULL;
}

/** Call up to n by name. Locked. */
static uint32_t call(const mproc__room *room, const struct mproc_object *lock, uint32_t n)
{
    uint32_t count = 0;
    uint32_t number;
    struct mproc__seat_shm *seat;
    while (count < n && (seat = first_living(room, MPROC__LINE_WAITING, &number)) != NULL) {
        uint32_t old = mproc__exchange32(&seat->state, MPROC__SEAT_CALLED); /* COMMIT */
        MPROC__KILLPOINT("condition.called");
        mproc__room_unlink(room, number);
        if (old == MPROC__SEAT_ASLEEP) {
            mproc__lock_wake(lock, &seat->state);
        }
        count++;
    }
    return count;
}

/** Have the next one of the herd woken. Locked. */
static void drive(const mproc__room *room, const struct mproc_object *lock)
{
    uint32_t number;
    struct mproc__seat_shm *seat = first_living(room, MPROC__LINE_HERD, &number);
    if (seat != NULL) {
        mproc__room_unlink(room, number);
        mproc__lock_wake(lock, &seat->state);
    }
}

/** Release all, and have the first of them woken. Locked. */
static uint32_t release_all(const mproc__room *room, const struct mproc_object *lock)
{
    uint32_t count = 0;
    uint32_t number;
    struct mproc__seat_shm *seat;
    while ((seat = first_living(room, MPROC__LINE_WAITING, &number)) != NULL) {
        uint32_t old = mproc__exchange32(&seat->state, MPROC__SEAT_RELEASED); /* COMMIT */
        MPROC__KILLPOINT("condition.released");
        mproc__room_unlink(room, number);
        count++;
        if (old == MPROC__SEAT_ASLEEP) { // else it is on its way
            mproc__room_link(room, number, MPROC__LINE_HERD);
        }
    }
    drive(room, lock);
    return count;
}

int mproc_condition_notify(mproc_condition *condition, uint32_t n)
{
    if (condition == NULL) {
        return no_condition("notify");
    }
    const struct mproc_object lock = lock_of(condition);
    const mproc__room room = room_of(condition);
    int rc = mproc__family_enter();
    if (rc < 0 || (rc = mproc__lock_check_held(&lock)) < 0) {
        return rc;
    }
    (void)mproc__room_lock(&room);
    uint32_t count = n == UINT32_MAX ? release_all(&room, &lock) : call(&room, &lock, n);
    mproc__room_unlock(&room);
    return (int)count;
}

int mproc_condition_notify_all(mproc_condition *condition)
{
    return mproc_condition_notify(condition, UINT32_MAX);
}

/* ---- wait ------------------------------------------------------------------------------------ */

/** Take their seats from the dead: from those called by name, or from all. Locked. */
static void vacate(const mproc__room *room, const struct mproc_object *lock, bool are_all)
{
    for (uint32_t i = 0; i < room->shm->n_used; i++) {
        const struct mproc__seat_shm *seat = mproc__room_seat(room, i);
        uint64_t thread = mproc__load64_acquire(&seat->thread);
        bool was_called = mproc__load32_acquire(&seat->state) == MPROC__SEAT_CALLED;
        if (thread != 0 && (was_called || are_all) && mproc__thread_is_dead(thread)) {
            // Killed between the two, one too many is called; the other way round, none would be.
            (void)call(room, lock, was_called ? 1 : 0);
            mproc__room_leave(room, i);
        }
    }
}

/** Somebody has died. If it had been called by name, call another one. */
static void pass_on(const mproc__room *room, const struct mproc_object *lock)
{
    (void)mproc__room_lock(room);
    vacate(room, lock, false);
    mproc__room_unlock(room);
}

/** Take a seat for the calling thread. */
static int take_seat(const mproc__room *room, const struct mproc_object *lock, uint32_t *ret_number)
{
    (void)mproc__room_lock(room);
    if (mproc__room_is_full(room)) {
        vacate(room, lock, true); // if nobody ever notifies, nobody else does it
    }
    int rc = mproc__room_enter(room, ret_number);
    mproc__room_unlock(room);
    return rc;
}

/** Give up waiting, unless called in the last moment. */
static bool give_up(const mproc__room *room, uint32_t number)
{
    (void)mproc__room_lock(room);
    uint32_t state = mproc__load32_acquire(&mproc__room_seat(room, number)->state);
    bool was_called = state > MPROC__SEAT_ASLEEP;
    if (!was_called) {
        mproc__room_leave(room, number);
    }
    mproc__room_unlock(room);
    return was_called;
}

/** True: the seat was called. False: time is up, and the seat is given back. */
static bool await_call(const mproc__room *room, const struct mproc_object *lock, uint32_t number,
                       mproc__deadline deadline, uint64_t alarms)
{
    uint32_t *state = &mproc__room_seat(room, number)->state;
    if (deadline != 0) {
        (void)mproc__spin(state, MPROC__SEAT_WAITING);
    }
    for (;;) {
        uint32_t seen = mproc__load32_acquire(state);
        if (seen > MPROC__SEAT_ASLEEP) {
            return true;
        }
        if (mproc__wait_is_over(deadline)) {
            return give_up(room, number);
        }
        if (seen == MPROC__SEAT_WAITING && !mproc__cas32(state, &seen, MPROC__SEAT_ASLEEP)) {
            continue;
        }
        (void)mproc__sleep(state, MPROC__SEAT_ASLEEP, deadline, NULL);
        MPROC__KILLPOINT("condition.woken");
        if (mproc__watch_alarms() != alarms) {
            alarms = mproc__watch_alarms();
            pass_on(room, lock);
        }
    }
}

/** With the lock again: the next of the herd may come. */
static void come_back(const mproc__room *room, const struct mproc_object *lock, uint32_t number)
{
    (void)mproc__room_lock(room);
    mproc__room_leave(room, number);
    drive(room, lock);
    mproc__room_unlock(room);
}

/** Somebody else has released the lock meanwhile, and so may have called us: that is for the next one. */
static void stay_away(const mproc__room *room, const struct mproc_object *lock, uint32_t number)
{
    if (give_up(room, number)) {
        (void)mproc__room_lock(room);
        const struct mproc__seat_shm *seat = mproc__room_seat(room, number);
        if (mproc__load32_acquire(&seat->state) == MPROC__SEAT_CALLED) {
            (void)call(room, lock, 1);
        }
        mproc__room_unlock(room);
        come_back(room, lock, number);
    }
}

/** The calling thread holds the lock. */
static int wait_until(mproc_condition *condition, mproc__deadline deadline)
{
    const struct mproc_object lock = lock_of(condition);
    const mproc__room room = room_of(condition);
    uint32_t number;
    uint32_t depth = 0;
    uint64_t alarms = mproc__watch_alarms(); // of deaths from here on we must take notice
    int rc = mproc__lock_check_held(&lock);
    if (rc < 0) {
        return rc;
    }
    rc = take_seat(&room, &lock, &number);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__lock_suspend(&lock, &depth);
    if (rc < 0) {
        stay_away(&room, &lock, number);
        return rc;
    }
    MPROC__KILLPOINT("condition.suspended");
    mproc__note_begin(condition->object.offset, deadline);
    bool was_called = await_call(&room, &lock, number, deadline, alarms);
    mproc__note_end();
    rc = mproc__lock_resume(&lock, depth);
    if (was_called) {
        come_back(&room, &lock, number);
    }
    return rc != MPROC_OK || was_called
               ? rc
               : mproc__fail_shortly(MPROC_ETIMEDOUT, "wait: timed out; nobody has notified");
}

int mproc_condition_wait(mproc_condition *condition, mproc_timeout timeout)
{
    int rc = condition != NULL ? mproc__family_enter() : no_condition("wait");
    return rc < 0 ? rc : wait_until(condition, mproc__deadline_in(timeout));
}

int mproc_condition_wait_for(mproc_condition *condition, mproc_predicate predicate, void *context,
                             mproc_timeout timeout)
{
    if (condition == NULL || predicate == NULL) {
        return condition == NULL ? no_condition("wait_for")
                                 : mproc__fail(MPROC_EINVAL, "wait_for: the predicate is NULL");
    }
    int rc = mproc__family_enter();
    const struct mproc_object lock = lock_of(condition);
    if (rc < 0 || (rc = mproc__lock_check_held(&lock)) < 0) {
        return rc;
    }
    if (mproc__lock_is_strict(&lock)) {
        return mproc__fail(MPROC_ENOTSUP, "wait_for: over a strict lock it could not tell that a "
                                          "holder died; use wait");
    }
    mproc__deadline deadline = mproc__deadline_in(timeout);
    int answer;
    while ((answer = predicate(context)) == 0) {
        rc = wait_until(condition, deadline);
        if (rc < 0 && rc != MPROC_ETIMEDOUT) {
            return rc;
        }
        if (rc == MPROC_ETIMEDOUT && (answer = predicate(context)) == 0) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT,
                                       "wait_for: timed out; it does not hold yet");
        }
        if (answer != 0) {
            break;
        }
    }
    return answer;
}
