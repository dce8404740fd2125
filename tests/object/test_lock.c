/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lock.c: mproc_lock and mproc_rlock between processes.
 */
#include "object/sync_test.h"

#include <apr_general.h>

static mproc_lock *make_lock(const mproc_lock_options *options)
{
    mproc_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_lock_create(&lock, options), MPROC_OK);
    return lock;
}

static mproc_rlock *make_rlock(void)
{
    mproc_rlock *rlock = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_rlock_create(&rlock, NULL), MPROC_OK);
    return rlock;
}

static void test_lock__is_taken_once(void)
{
    mproc_lock *lock = make_lock(NULL);
    mproc_lock_info info;
    CU_ASSERT_FALSE(mproc_lock_is_locked(lock));
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT(mproc_lock_is_locked(lock));
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "acquire: timed out; the lock is held");
    CU_ASSERT_EQUAL(mproc_lock_get_info(lock, &info), MPROC_OK);
    CU_ASSERT(info.is_locked && info.depth == 1 && info.deaths == 0 && !info.is_poisoned);
    CU_ASSERT_EQUAL(info.holder_pid, mplat_pid());
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_lock_get_info(lock, &info), MPROC_OK);
    CU_ASSERT(!info.is_locked && info.depth == 0 && info.holder_pid == 0);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    mproc_lock_close(lock);
}

static void test_lock__refuses_null(void)
{
    mproc_lock_info info;
    CU_ASSERT_EQUAL(mproc_lock_create(NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_lock_acquire(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_lock_release(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_lock_consistent(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_lock_get_info(NULL, &info), MPROC_EINVAL);
    CU_ASSERT_FALSE(mproc_lock_is_locked(NULL));
    mproc_lock_close(NULL);
    CU_ASSERT_EQUAL(mproc_rlock_create(NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_rlock_acquire(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_rlock_release(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_rlock_get_info(NULL, &info), MPROC_EINVAL);
    mproc_rlock_close(NULL);
}

/* ---- one at a time --------------------------------------------------------------------------- */

enum { A, B, ARRIVED }; /* words: a and b are always equal outside of the lock */

static int increment(const mproc_args *args)
{
    mproc_lock *lock;
    mproc_block *block;
    int count;
    CHILD_CHECK(MPROC_UNPACK(args, &lock, &block, &count) == 0);
    switch_slices_off();
    uint32_t *words = words_of(block);
    for (int i = 0; i < count; i++) {
        CHILD_CHECK(mproc_lock_acquire(lock, MPROC_FOREVER) == 0);
        CHILD_CHECK(words[A] == words[B]);
        words[A]++;
        if (i % 32 == 0) {
            apr_thread_yield(); // long enough that others go to sleep
        }
        words[B]++;
        CHILD_CHECK(mproc_lock_release(lock) == 0);
    }
    return 0;
}

static void test_lock__lets_one_in_at_a_time(void)
{
    mproc_process *children[4];
    mproc_lock *lock = make_lock(NULL);
    mproc_block *block = make_words(2);
    int count = (int)testlib_count(4000, 400000);
    for (size_t i = 0; i < 4; i++) {
        children[i] = start(increment, MPROC_ARGS(lock, block, count));
    }
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    CU_ASSERT_EQUAL(words_of(block)[A], (uint32_t)(4 * count));
    mproc_block_close(block);
    mproc_lock_close(lock);
}

static int release_it(const mproc_args *args)
{
    mproc_lock *lock;
    CHILD_CHECK(MPROC_UNPACK(args, &lock) == 0);
    return -mproc_lock_release(lock);
}

static void test_lock__anybody_may_release(void)
{
    mproc_lock *lock = make_lock(NULL);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(release_it, MPROC_ARGS(lock))), 0);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(release_it, MPROC_ARGS(lock))), -MPROC_ESTATE);
    mproc_lock_close(lock);
}

/* ---- death ----------------------------------------------------------------------------------- */

static int hold_it(const mproc_args *args)
{
    mproc_lock *lock;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &lock, &block) == 0);
    CHILD_CHECK(mproc_lock_acquire(lock, MPROC_FOREVER) == 0);
    add_word(&words_of(block)[ARRIVED]);
    return stay();
}

static int end_with_it(const mproc_args *args)
{
    mproc_lock *lock;
    CHILD_CHECK(MPROC_UNPACK(args, &lock) == 0);
    return mproc_lock_acquire(lock, MPROC_FOREVER);
}

/** 10 + the status of its acquire. */
static int wait_for_it(const mproc_args *args)
{
    mproc_lock *lock;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &lock, &block) == 0);
    add_word(&words_of(block)[ARRIVED]);
    int rc = mproc_lock_acquire(lock, LIMIT);
    if (rc >= 0) {
        CHILD_CHECK(mproc_lock_release(lock) == 0);
    }
    return 10 + rc;
}

static void test_lock__of_a_killed_holder_is_free(void)
{
    mproc_lock *lock = make_lock(NULL);
    mproc_block *block = make_words(3);
    mproc_lock_info info;
    mproc_process *holder = start(hold_it, MPROC_ARGS(lock, block));
    int64_t pid = mproc_process_pid(holder);
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_kill(holder), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, LIMIT), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(mproc_lock_get_info(lock, &info), MPROC_OK);
    CU_ASSERT(info.deaths == 1 && info.holder_pid == mplat_pid());
    CU_ASSERT_EQUAL(info.dead_pid, pid);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(holder), CODE_KILLED);
    mproc_block_close(block);
    mproc_lock_close(lock);
}

static void test_lock__of_a_holder_that_ended_is_free(void)
{
    mproc_lock *lock = make_lock(NULL);
    CU_ASSERT_EQUAL(end_of(start(end_with_it, MPROC_ARGS(lock))), 0);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, LIMIT), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    mproc_lock_close(lock);
}

static void test_lock__who_waits_gets_it_from_the_dead(void)
{
    mproc_lock *lock = make_lock(NULL);
    mproc_block *block = make_words(3);
    mproc_process *holder = start(hold_it, MPROC_ARGS(lock, block));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    mproc_process *heir = start(wait_for_it, MPROC_ARGS(lock, block));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 2));
    CU_ASSERT(await_asleep(1));
    CU_ASSERT_EQUAL(mproc_process_kill(holder), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(heir), 10 + MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(end_of(holder), CODE_KILLED);
    mproc_block_close(block);
    mproc_lock_close(lock);
}

static void test_lock__a_killed_waiter_takes_no_wake_along(void)
{
    mproc_process *waiters[4];
    mproc_lock *lock = make_lock(NULL);
    mproc_block *block = make_words(3);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, MPROC_FOREVER), MPROC_OK);
    for (size_t i = 0; i < 4; i++) {
        waiters[i] = start(wait_for_it, MPROC_ARGS(lock, block));
    }
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 4));
    CU_ASSERT(await_asleep(4));
    CU_ASSERT_EQUAL(mproc_process_kill(waiters[0]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_kill(waiters[1]), MPROC_OK);
    for (size_t i = 0; i < 4; i++) {
        int code = end_of(waiters[i]);
        bool is_one = code == 10 + MPROC_OK || (i > 1 && code == 10 + MPROC_OWNER_DIED) ||
                      (i < 2 && (code == CODE_KILLED || code == 10 + MPROC_OWNER_DIED));
        CU_ASSERT(is_one);
    }
    int rc = mproc_lock_acquire(lock, LIMIT);
    CU_ASSERT(rc >= 0);
    mproc_block_close(block);
    mproc_lock_close(lock);
}

static void test_lock__a_strict_one_wants_a_word(void)
{
    const mproc_lock_options options = {.is_strict = true};
    mproc_lock *lock = make_lock(&options);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_consistent(lock), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(end_with_it, MPROC_ARGS(lock))), 0);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, LIMIT), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(mproc_lock_consistent(lock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(end_with_it, MPROC_ARGS(lock))), 0);
    CU_ASSERT_EQUAL(end_of(start(end_with_it, MPROC_ARGS(lock))), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, LIMIT), MPROC_OWNER_DIED); // died over: again
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, LIMIT), MPROC_EPOISONED);
    CU_ASSERT_EQUAL(end_of(start(end_with_it, MPROC_ARGS(lock))), EXIT_FAILURE);
    CU_ASSERT_FALSE(mproc_lock_is_locked(lock));
    CU_ASSERT_EQUAL(mproc_lock_consistent(lock), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    mproc_lock_close(lock);
}

/* ---- rlock ----------------------------------------------------------------------------------- */

static void test_rlock__counts(void)
{
    mproc_rlock *rlock = make_rlock();
    mproc_lock_info info;
    CU_ASSERT_EQUAL(mproc_rlock_release(rlock), MPROC_ESTATE);
    for (uint32_t i = 1; i <= 5; i++) {
        CU_ASSERT_EQUAL(mproc_rlock_acquire(rlock, MPROC_NOWAIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_rlock_get_info(rlock, &info), MPROC_OK);
        CU_ASSERT_EQUAL(info.depth, i);
    }
    for (int i = 0; i < 5; i++) {
        CU_ASSERT(mproc_rlock_is_locked(rlock));
        CU_ASSERT_EQUAL(mproc_rlock_release(rlock), MPROC_OK);
    }
    CU_ASSERT_FALSE(mproc_rlock_is_locked(rlock));
    CU_ASSERT_EQUAL(mproc_rlock_release(rlock), MPROC_ESTATE);
    mproc_rlock_close(rlock);
}

static int try_rlock(const mproc_args *args)
{
    mproc_rlock *rlock;
    CHILD_CHECK(MPROC_UNPACK(args, &rlock) == 0);
    CHILD_CHECK(mproc_rlock_release(rlock) == MPROC_ESTATE);
    CHILD_CHECK(mproc_rlock_acquire(rlock, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_rlock_release(rlock) == MPROC_ESTATE);
    return 0;
}

static void test_rlock__is_its_holders_alone(void)
{
    mproc_rlock *rlock = make_rlock();
    CU_ASSERT_EQUAL(mproc_rlock_acquire(rlock, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(try_rlock, MPROC_ARGS(rlock))), 0);
    CU_ASSERT_EQUAL(mproc_rlock_release(rlock), MPROC_OK);
    mproc_rlock_close(rlock);
}

static int hold_rlock(const mproc_args *args)
{
    mproc_rlock *rlock;
    mproc_block *block;
    int depth;
    CHILD_CHECK(MPROC_UNPACK(args, &rlock, &block, &depth) == 0);
    for (int i = 0; i < depth; i++) {
        CHILD_CHECK(mproc_rlock_acquire(rlock, MPROC_FOREVER) == 0);
    }
    add_word(&words_of(block)[ARRIVED]);
    return stay();
}

static void test_rlock__of_a_killed_holder_is_free_once(void)
{
    mproc_rlock *rlock = make_rlock();
    mproc_block *block = make_words(3);
    mproc_lock_info info;
    for (int depth = 1; depth <= 5; depth++) {
        mproc_process *holder = start(hold_rlock, MPROC_ARGS(rlock, block, depth));
        CU_ASSERT(await_word(&words_of(block)[ARRIVED], (uint32_t)depth));
        CU_ASSERT_EQUAL(mproc_process_kill(holder), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_rlock_acquire(rlock, LIMIT), MPROC_OWNER_DIED);
        CU_ASSERT_EQUAL(mproc_rlock_acquire(rlock, LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_rlock_get_info(rlock, &info), MPROC_OK);
        CU_ASSERT(info.depth == 2 && info.deaths == (uint64_t)depth);
        CU_ASSERT_EQUAL(mproc_rlock_release(rlock), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_rlock_release(rlock), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(holder), CODE_KILLED);
    }
    mproc_block_close(block);
    mproc_rlock_close(rlock);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *APR_THREAD_FUNC take_and_end(apr_thread_t *thread, void *arg)
{
    CHILD_CHECK(mproc_lock_acquire(arg, MPROC_FOREVER) == 0);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_lock__of_a_thread_that_ended_is_free(void)
{
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t unused;
    mproc_lock *lock = make_lock(NULL);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, take_and_end, lock, pool), APR_SUCCESS);
    (void)apr_thread_join(&unused, thread);
    CU_ASSERT_EQUAL(mproc_lock_acquire(lock, LIMIT), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(mproc_lock_release(lock), MPROC_OK);
    mproc_lock_close(lock);
    apr_pool_destroy(pool);
}

/* ---- values ---------------------------------------------------------------------------------- */

static int use_both(const mproc_args *args)
{
    mproc_value list;
    mproc_lock *lock;
    mproc_rlock *rlock;
    CHILD_CHECK(MPROC_UNPACK(args, &list) == 0);
    CHILD_CHECK(MPROC_UNPACK_LIST(&list, &rlock, &lock) == MPROC_ETYPE);
    CHILD_CHECK(MPROC_UNPACK_LIST(&list, &lock, &rlock) == 0);
    CHILD_CHECK(mproc_lock_acquire(lock, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_rlock_acquire(rlock, MPROC_NOWAIT) == 0);
    CHILD_CHECK(mproc_rlock_release(rlock) == 0);
    return 0;
}

static void test_lock__travels_in_values(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_lock *lock = make_lock(NULL);
    mproc_lock *again = NULL;
    mproc_rlock *rlock = make_rlock();
    CU_ASSERT_EQUAL(mproc_lock_attach(&again, lock), MPROC_OK);
    mproc_lock_close(lock);
    CU_ASSERT_EQUAL(mproc_lock_acquire(again, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(use_both, MPROC_ARGS(MPROC_LIST(again, rlock)))), 0);
    CU_ASSERT_EQUAL(mproc_lock_attach(&lock, NULL), MPROC_EINVAL);
    mproc_lock_close(again);
    mproc_rlock_close(rlock);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"is_taken_once", test_lock__is_taken_once},
    {"refuses_null", test_lock__refuses_null},
    {"lets_one_in_at_a_time", test_lock__lets_one_in_at_a_time},
    {"anybody_may_release", test_lock__anybody_may_release},
    {"of_a_killed_holder_is_free", test_lock__of_a_killed_holder_is_free},
    {"of_a_holder_that_ended_is_free", test_lock__of_a_holder_that_ended_is_free},
    {"who_waits_gets_it_from_the_dead", test_lock__who_waits_gets_it_from_the_dead},
    {"a_killed_waiter_takes_no_wake_along", test_lock__a_killed_waiter_takes_no_wake_along},
    {"a_strict_one_wants_a_word", test_lock__a_strict_one_wants_a_word},
    {"rlock_counts", test_rlock__counts},
    {"rlock_is_its_holders_alone", test_rlock__is_its_holders_alone},
    {"rlock_of_a_killed_holder_is_free_once", test_rlock__of_a_killed_holder_is_free_once},
    {"of_a_thread_that_ended_is_free", test_lock__of_a_thread_that_ended_is_free},
    {"travels_in_values", test_lock__travels_in_values},
};

PROCESS_TEST_MAIN("object.lock", cases)
