/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stepkill_sync.c: a process killed at every instruction of what it does with a lock, an rlock, a
 * semaphore or an event. The victim is a copy of the test by fork, and has its handles.
 *
 * Where a survivor sleeps until the victim wakes it: if the object says that the wake was due, it must come
 * by itself; if not, the test gives it, and it must come then.
 */
#include "family/ops.h"
#include "stress/stepkill.h"
#include "stress/survivor.h"
#include "support/testlib.h"

#include "base/compiler.h"
#include "platform.h"

#define BRIEF mproc_milliseconds(10)

static mproc_lock *lock;
static mproc_rlock *rlock;
static mproc_semaphore *semaphore;
static mproc_event *event;

/* ---- locks ----------------------------------------------------------------------------------- */

static int take_lock(void)
{
    return mproc_lock_acquire(lock, SURVIVOR_LIMIT);
}

static int use_lock(void)
{
    int rc = take_lock();
    return rc < 0 || mproc_lock_release(lock) == 0 ? rc : -1;
}

static void acquire_lock(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(take_lock() >= 0);
}

static void release_lock(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_lock_release(lock) == 0);
}

static void make_lock(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, NULL), 0);
}

static void make_dead_lock(void)
{
    make_lock();
    survivor_die(take_lock);
}

static void make_strict_lock(void)
{
    const mproc_lock_options options = {.is_strict = true};
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, &options), 0);
    survivor_die(take_lock);
}

static void close_lock(void)
{
    mproc_lock_close(lock);
}

/* Its next holder is told of a death, if it must be (1), must not (0), or may be (-1). */
static void check_lock(int must_be_told)
{
    mproc_lock_info info;
    int rc = take_lock();
    CU_ASSERT_FATAL(rc == MPROC_OK || rc == MPROC_OWNER_DIED);
    CU_ASSERT(must_be_told < 0 || rc == (must_be_told ? MPROC_OWNER_DIED : MPROC_OK));
    CU_ASSERT_EQUAL(mproc_lock_get_info(lock, &info), 0);
    CU_ASSERT(info.is_locked && info.holder_pid == mplat_pid());
    CU_ASSERT((rc == MPROC_OWNER_DIED) == (info.deaths > 0) && info.deaths <= 2);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), 0);
    CU_ASSERT(!mproc_lock_is_locked(lock));
}

static void after_acquire(bool is_done)
{
    check_lock(is_done ? 1 : -1);
}

static void after_take_over(bool is_done)
{
    (void)is_done;
    check_lock(1);
}

static void wait_for_lock(void)
{
    survivor_start(0, use_lock);
    survivor_await_asleep(1);
}

static void after_release(bool is_done)
{
    int rc = survivor_end(0);
    CU_ASSERT(rc == MPROC_OK || (!is_done && rc == MPROC_OWNER_DIED));
    CU_ASSERT_EQUAL(use_lock(), MPROC_OK);
}

static void poison(uint64_t shared)
{
    CHILD_CHECK(take_lock() == MPROC_OWNER_DIED);
    release_lock(shared);
}

/* Nobody gets it as if nothing had happened. */
static void after_poison(bool is_done)
{
    int rc = take_lock();
    CU_ASSERT(rc == MPROC_EPOISONED || (!is_done && rc == MPROC_OWNER_DIED));
    CU_ASSERT_EQUAL(mproc_lock_consistent(lock), MPROC_OK);
    CU_ASSERT(rc < 0 || mproc_lock_release(lock) == MPROC_OK);
    CU_ASSERT_EQUAL(use_lock(), MPROC_OK);
}

static void reconcile(uint64_t shared)
{
    CHILD_CHECK(mproc_lock_consistent(lock) == MPROC_OK);
    release_lock(shared);
}

static void after_reconcile(bool is_done)
{
    int rc = take_lock();
    CU_ASSERT(rc == MPROC_OK || (!is_done && rc == MPROC_OWNER_DIED));
    CU_ASSERT(rc == MPROC_OK || mproc_lock_consistent(lock) == MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(use_lock(), MPROC_OK);
}

/* ---- rlocks ---------------------------------------------------------------------------------- */

static int take_rlock(void)
{
    return mproc_rlock_acquire(rlock, SURVIVOR_LIMIT);
}

static void acquire_rlock(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(take_rlock() >= 0);
}

static void acquire_rlock_twice(uint64_t shared)
{
    acquire_rlock(shared);
    acquire_rlock(shared);
}

static void release_rlock(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_rlock_release(rlock) == 0);
}

static void make_rlock(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_rlock_create(&rlock, NULL), 0);
}

static void make_dead_rlock(void)
{
    make_rlock();
    survivor_die(take_rlock);
}

static void close_rlock(void)
{
    mproc_rlock_close(rlock);
}

static void check_rlock(int must_be_told)
{
    mproc_lock_info info;
    int rc = take_rlock();
    CU_ASSERT_FATAL(rc == MPROC_OK || rc == MPROC_OWNER_DIED);
    CU_ASSERT(must_be_told < 0 || rc == (must_be_told ? MPROC_OWNER_DIED : MPROC_OK));
    CU_ASSERT_EQUAL(mproc_rlock_get_info(rlock, &info), 0);
    CU_ASSERT(info.depth == 1 && info.holder_pid == mplat_pid());
    CU_ASSERT_EQUAL(take_rlock(), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rlock_release(rlock), 0);
    CU_ASSERT_EQUAL(mproc_rlock_release(rlock), 0);
    CU_ASSERT(!mproc_rlock_is_locked(rlock));
}

static void after_acquire_rlock(bool is_done)
{
    check_rlock(is_done ? 1 : -1);
}

static void after_hold_rlock(bool is_done)
{
    (void)is_done;
    check_rlock(1);
}

static void after_release_rlock(bool is_done)
{
    check_rlock(is_done ? 0 : -1);
}

/* ---- semaphores ------------------------------------------------------------------------------ */

static void make_semaphore(uint32_t value, bool is_robust)
{
    const mproc_semaphore_options options = {.is_robust = is_robust};
    CU_ASSERT_EQUAL_FATAL(mproc_semaphore_create(&semaphore, value, &options), 0);
}

static int take_permit(void)
{
    return mproc_semaphore_acquire(semaphore, SURVIVOR_LIMIT);
}

static int use_permit(void)
{
    int rc = take_permit();
    return rc < 0 || mproc_semaphore_release(semaphore) == 0 ? rc : -1;
}

static void acquire_permit(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(take_permit() >= 0);
}

static void release_permit(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_semaphore_release(semaphore) == 0);
}

static void close_semaphore(void)
{
    mproc_semaphore_close(semaphore);
}

static void wait_for_permit(void)
{
    survivor_start(0, take_permit);
    survivor_await_asleep(1);
}

static void make_plain(void)
{
    make_semaphore(2, false);
}

static void make_empty(void)
{
    make_semaphore(0, false);
}

/* There are as many permits as it says, and the victim has one at most. */
static void after_acquire_plain(bool is_done)
{
    uint32_t value = mproc_semaphore_get_value(semaphore);
    CU_ASSERT(value == 1 || (value == 2 && !is_done));
    for (uint32_t i = 0; i < value; i++) {
        CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, MPROC_NOWAIT), MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_OK);
    CU_ASSERT_EQUAL(take_permit(), MPROC_OK);
}

static void after_release_plain(bool is_done)
{
    bool is_due = is_done || mproc_semaphore_get_value(semaphore) > 0;
    CU_ASSERT(is_due || mproc_semaphore_release(semaphore) == MPROC_OK);
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_OK);
    uint32_t value = mproc_semaphore_get_value(semaphore);
    CU_ASSERT(value == 0 || (value == 1 && !is_due));
}

static void make_robust(void)
{
    make_semaphore(2, true);
}

static void make_robust_one(void)
{
    make_semaphore(1, true);
}

static void make_dead_permit(void)
{
    make_robust_one();
    survivor_die(take_permit);
}

static void after_acquire_robust(bool is_done)
{
    int n_dead = 0;
    for (int i = 0; i < 2; i++) {
        int rc = take_permit();
        CU_ASSERT(rc == MPROC_OK || rc == MPROC_OWNER_DIED);
        n_dead += rc;
    }
    CU_ASSERT(n_dead == 1 || (n_dead == 0 && !is_done));
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(semaphore), 2);
}

static void wait_for_robust(void)
{
    survivor_start(0, use_permit);
    survivor_await_asleep(1);
}

static void after_release_robust(bool is_done)
{
    int rc = survivor_end(0);
    CU_ASSERT(rc == MPROC_OK || (rc == MPROC_OWNER_DIED && !is_done));
    CU_ASSERT_EQUAL(use_permit(), MPROC_OK);
}

static void after_inherit(bool is_done)
{
    (void)is_done;
    CU_ASSERT_EQUAL(use_permit(), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(use_permit(), MPROC_OK);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void make_event(void)
{
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), 0);
}

static void close_event(void)
{
    mproc_event_close(event);
}

static int wait_for_event(void)
{
    return mproc_event_wait(event, SURVIVOR_LIMIT);
}

static void set_event(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_event_set(event) == 0);
}

static void clear_event(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_event_clear(event) == 0);
}

static void wait_briefly(uint64_t shared)
{
    (void)shared;
    CHILD_CHECK(mproc_event_wait(event, BRIEF) == MPROC_ETIMEDOUT);
}

/* One may keep the watch, and wake the second; the third needs the alarm. */
static void three_sleep(void)
{
    for (int i = 0; i < 3; i++) {
        survivor_start(i, wait_for_event);
    }
    survivor_await_asleep(3);
}

static void after_set(bool is_done)
{
    bool is_set = mproc_event_is_set(event);
    CU_ASSERT(is_set || (!is_done && mproc_event_set(event) == MPROC_OK));
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(survivor_end(i), MPROC_OK);
    }
    CU_ASSERT(mproc_event_is_set(event));
}

static void after_event(bool is_done)
{
    CU_ASSERT(!is_done || !mproc_event_is_set(event));
    CU_ASSERT_EQUAL(mproc_event_clear(event), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_event_wait(event, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    survivor_start(0, wait_for_event);
    survivor_await_asleep(1);
    CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
    CU_ASSERT_EQUAL(survivor_end(0), MPROC_OK);
}

static void make_set_event(void)
{
    make_event();
    CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define PART(...) (&(const ops_part){__VA_ARGS__})

const ops_op ops_table[] = {
    {"acquire a lock", NULL, acquire_lock, PART(make_lock, NULL, after_acquire, close_lock)},
    {"take a lock over", NULL, acquire_lock,
     PART(make_dead_lock, NULL, after_take_over, close_lock)},
    {"release a lock", acquire_lock, release_lock,
     PART(make_lock, wait_for_lock, after_release, close_lock)},
    {"poison a lock", NULL, poison, PART(make_strict_lock, NULL, after_poison, close_lock)},
    {"make a lock consistent", acquire_lock, reconcile,
     PART(make_strict_lock, NULL, after_reconcile, close_lock)},
    {"acquire an rlock", NULL, acquire_rlock,
     PART(make_rlock, NULL, after_acquire_rlock, close_rlock)},
    {"take an rlock over", NULL, acquire_rlock,
     PART(make_dead_rlock, NULL, after_hold_rlock, close_rlock)},
    {"acquire an rlock again", acquire_rlock, acquire_rlock,
     PART(make_rlock, NULL, after_hold_rlock, close_rlock)},
    {"release an rlock once", acquire_rlock_twice, release_rlock,
     PART(make_rlock, NULL, after_hold_rlock, close_rlock)},
    {"release an rlock", acquire_rlock, release_rlock,
     PART(make_rlock, NULL, after_release_rlock, close_rlock)},
    {"acquire a semaphore", NULL, acquire_permit,
     PART(make_plain, NULL, after_acquire_plain, close_semaphore)},
    {"release a semaphore", NULL, release_permit,
     PART(make_empty, wait_for_permit, after_release_plain, close_semaphore)},
    {"acquire a robust semaphore", NULL, acquire_permit,
     PART(make_robust, NULL, after_acquire_robust, close_semaphore)},
    {"release a robust semaphore", acquire_permit, release_permit,
     PART(make_robust_one, wait_for_robust, after_release_robust, close_semaphore)},
    {"take a dead one's permit", NULL, acquire_permit,
     PART(make_dead_permit, NULL, after_inherit, close_semaphore)},
    {"set an event", NULL, set_event, PART(make_event, three_sleep, after_set, close_event)},
    {"clear an event", NULL, clear_event, PART(make_set_event, NULL, after_event, close_event)},
    {"wait for an event", NULL, wait_briefly, PART(make_event, NULL, after_event, close_event)},
};

const size_t ops_count = MPROC__COUNT(ops_table);

int main(int argc, char **argv)
{
    survivor_setup();
    return stepkill_main(argc, argv, "stress.stepkill_sync", 12000);
}
