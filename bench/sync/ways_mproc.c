/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_mproc.c: mproc's own locks, events, conditions and barriers.
 */
#include "loops.h"
#include "sync.h"

#include "../support/bench.h"

#include <mproc/arena.h>
#include <mproc/barrier.h>
#include <mproc/condition.h>
#include <mproc/error.h>
#include <mproc/event.h>
#include <mproc/lock.h>
#include <mproc/rwlock.h>
#include <mproc/semaphore.h>

static int fail(const char *subject, int rc)
{
    return bench_fail("%s: %s (%s)", subject, mproc_strerror(rc), mproc_last_error());
}

/* ---- locks ---- */

static int open_lock(const struct sync_lock_way *way, void **ret_lock)
{
    mproc_lock *lock;
    int rc = mproc_lock_create(&lock, NULL);
    if (rc < 0) {
        return fail(way->subject, rc);
    }
    *ret_lock = lock;
    return 0;
}

static void close_lock(void *lock)
{
    mproc_lock_close(lock);
}

SYNC_INLINE int acquire_lock(void *lock)
{
    return mproc_lock_acquire(lock, MPROC_FOREVER);
}

SYNC_INLINE int release_lock(void *lock)
{
    return mproc_lock_release(lock);
}

SYNC_LOOPS(lock)

static int open_rlock(const struct sync_lock_way *way, void **ret_lock)
{
    mproc_rlock *rlock;
    int rc = mproc_rlock_create(&rlock, NULL);
    if (rc < 0) {
        return fail(way->subject, rc);
    }
    *ret_lock = rlock;
    return 0;
}

static void close_rlock(void *rlock)
{
    mproc_rlock_close(rlock);
}

SYNC_INLINE int acquire_rlock(void *rlock)
{
    return mproc_rlock_acquire(rlock, MPROC_FOREVER);
}

SYNC_INLINE int release_rlock(void *rlock)
{
    return mproc_rlock_release(rlock);
}

SYNC_LOOPS(rlock)

static int open_semaphore(const struct sync_lock_way *way, void **ret_lock)
{
    mproc_semaphore *semaphore;
    int rc = mproc_semaphore_create(&semaphore, 1, NULL);
    if (rc < 0) {
        return fail(way->subject, rc);
    }
    *ret_lock = semaphore;
    return 0;
}

static void close_semaphore(void *semaphore)
{
    mproc_semaphore_close(semaphore);
}

SYNC_INLINE int acquire_semaphore(void *semaphore)
{
    return mproc_semaphore_acquire(semaphore, MPROC_FOREVER);
}

SYNC_INLINE int release_semaphore(void *semaphore)
{
    return mproc_semaphore_release(semaphore);
}

SYNC_LOOPS(semaphore)

static int open_rwlock(const struct sync_lock_way *way, void **ret_lock)
{
    mproc_rwlock *rwlock;
    int rc = mproc_rwlock_create(&rwlock);
    if (rc < 0) {
        return fail(way->subject, rc);
    }
    *ret_lock = rwlock;
    return 0;
}

static void close_rwlock(void *rwlock)
{
    mproc_rwlock_close(rwlock);
}

SYNC_INLINE int acquire_read(void *rwlock)
{
    return mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER);
}

SYNC_INLINE int release_read(void *rwlock)
{
    return mproc_rwlock_release(rwlock);
}

SYNC_READ_LOOPS(read)

SYNC_INLINE int acquire_write(void *rwlock)
{
    return mproc_rwlock_acquire_write(rwlock, MPROC_FOREVER);
}

SYNC_INLINE int release_write(void *rwlock)
{
    return mproc_rwlock_release(rwlock);
}

SYNC_LOOPS(write)

#define RWLOCK(text, name, is_of_many)                                                        \
    {                                                                                         \
        .subject = (text), .is_shared = (is_of_many), .is_object = true, .open = open_rwlock, \
        .close = close_rwlock, .repeat = repeat_##name, .contend = contend_##name             \
    }
#define OURS(text, name)                                                                  \
    {                                                                                     \
        .subject = (text), .is_object = true, .open = open_##name, .close = close_##name, \
        .repeat = repeat_##name, .contend = contend_##name                                \
    }

const struct sync_lock_way sync_mproc_locks[] = {
    OURS("mproc lock", lock),
    OURS("mproc rlock", rlock),
    OURS("mproc semaphore", semaphore),
    RWLOCK("mproc rwlock, read", read, true),
    RWLOCK("mproc rwlock, write", write, false),
    {0},
};

/* ---- events: one for each side ---- */

static void close_events(void *const objects[2])
{
    mproc_event_close(objects[0]);
    mproc_event_close(objects[1]);
}

static int open_events(const struct bench_pair_way *way, void *ret_objects[2])
{
    mproc_event *events[2] = {NULL, NULL};
    int rc = mproc_event_create(&events[0]);
    rc = rc < 0 ? rc : mproc_event_create(&events[1]);
    ret_objects[0] = events[0];
    ret_objects[1] = events[1];
    if (rc < 0) {
        close_events(ret_objects);
        return fail(way->subject, rc);
    }
    return 0;
}

static int wait_event(void *const objects[2], enum bench_side side)
{
    int rc = mproc_event_wait(objects[side], MPROC_FOREVER);
    return rc < 0 ? rc : mproc_event_clear(objects[side]);
}

static int post_event(void *const objects[2], enum bench_side side)
{
    return mproc_event_set(objects[side]);
}

/* ---- a condition with its rlock, and a flag for each side in a block ---- */

static void close_condition(void *const objects[2])
{
    mproc_condition_close(objects[0]);
    mproc_block_close(objects[1]);
}

static int open_condition(const struct bench_pair_way *way, void *ret_objects[2])
{
    mproc_condition *condition = NULL;
    mproc_block *flags = NULL;
    int rc = mproc_condition_create(&condition, NULL);
    rc = rc < 0 ? rc : mproc_block_create(&flags, 2 * sizeof(bool));
    ret_objects[0] = condition;
    ret_objects[1] = flags;
    if (rc < 0) {
        close_condition(ret_objects);
        return fail(way->subject, rc);
    }
    return 0;
}

static int wait_condition(void *const objects[2], enum bench_side side)
{
    volatile bool *flags = mproc_block_data(objects[1]);
    int rc = mproc_condition_acquire(objects[0], MPROC_FOREVER);
    while (rc == 0 && !flags[side]) {
        rc = mproc_condition_wait(objects[0], MPROC_FOREVER);
    }
    flags[side] = false;
    return rc != 0 ? rc : mproc_condition_release(objects[0]);
}

static int post_condition(void *const objects[2], enum bench_side side)
{
    volatile bool *flags = mproc_block_data(objects[1]);
    int rc = mproc_condition_acquire(objects[0], MPROC_FOREVER);
    flags[side] = true;
    rc = rc != 0 ? rc : mproc_condition_notify(objects[0], 1);
    return rc < 0 ? rc : mproc_condition_release(objects[0]);
}

const struct bench_pair_way sync_mproc_pairs[] = {
    {"mproc event", true, false, 0, open_events, close_events, wait_event, post_event, NULL},
    {"mproc condition", true, false, 0, open_condition, close_condition, wait_condition,
     post_condition, NULL},
    {0},
};

/* ---- barriers ---- */

static int open_barrier(const struct sync_barrier_way *way, unsigned parties, void **ret_barrier)
{
    mproc_barrier *barrier;
    int rc = mproc_barrier_create(&barrier, parties, NULL);
    if (rc < 0) {
        return fail(way->subject, rc);
    }
    *ret_barrier = barrier;
    return 0;
}

static void close_barrier(void *barrier)
{
    mproc_barrier_close(barrier);
}

static int wait_barrier(void *barrier)
{
    int rc = mproc_barrier_wait(barrier, MPROC_FOREVER);
    return rc < 0 ? rc : 0;
}

const struct sync_barrier_way sync_mproc_barriers[] = {
    {"mproc barrier", true, open_barrier, close_barrier, wait_barrier},
    {0},
};
