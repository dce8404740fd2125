/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_condition.c: mproc_condition between processes and threads.
 */
#include "object/sync_test.h"

#include <apr_general.h>

#define MANY_THREADS 100 /* more than the seats a condition begins with */

static mproc_condition *make_condition(const mproc_condition_options *options)
{
    mproc_condition *condition = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_condition_create(&condition, options), MPROC_OK);
    return condition;
}

static void lock(mproc_condition *condition)
{
    CU_ASSERT_EQUAL(mproc_condition_acquire(condition, LIMIT), MPROC_OK);
}

static void unlock(mproc_condition *condition)
{
    CU_ASSERT_EQUAL(mproc_condition_release(condition), MPROC_OK);
}

static int always(void *context)
{
    (void)context;
    return 1;
}

static void test_condition__wants_its_lock_held(void)
{
    mproc_condition *condition = make_condition(NULL);
    CU_ASSERT_EQUAL(mproc_condition_wait(condition, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_condition_wait_for(condition, always, NULL, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_condition_notify(condition, 1), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_condition_notify_all(condition), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_condition_release(condition), MPROC_ESTATE);
    lock(condition);
    CU_ASSERT_EQUAL(mproc_condition_notify(condition, 3), 0);
    CU_ASSERT_EQUAL(mproc_condition_notify_all(condition), 0);
    unlock(condition);
    mproc_condition_close(condition);
}

static int take_and_end(const mproc_args *args)
{
    mproc_condition *condition;
    CHILD_CHECK(MPROC_UNPACK(args, &condition) == 0);
    return mproc_condition_acquire(condition, MPROC_FOREVER);
}

/** A plain lock can be released by anybody, but who has not got it does not wait with it. */
static void test_condition__wants_its_lock_held_by_the_caller(void)
{
    mproc_condition_options options = {NULL, NULL};
    const mproc_lock_options strict = {.is_strict = true};
    CU_ASSERT_EQUAL(mproc_lock_create(&options.lock, &strict), MPROC_OK);
    mproc_condition *condition = make_condition(&options);
    CU_ASSERT_EQUAL(end_of(start(take_and_end, MPROC_ARGS(condition))), 0);
    CU_ASSERT_EQUAL(mproc_condition_wait(condition, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_condition_notify(condition, 1), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_condition_acquire(condition, LIMIT), MPROC_OWNER_DIED);
    CU_ASSERT_EQUAL(mproc_condition_wait_for(condition, always, NULL, MPROC_NOWAIT), MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(mproc_condition_release(condition), MPROC_OK);
    mproc_lock_close(options.lock);
    mproc_condition_close(condition);
}

static void test_condition__refuses_nonsense(void)
{
    mproc_condition *condition = NULL;
    mproc_condition_options options = {NULL, NULL};
    CU_ASSERT_EQUAL(mproc_lock_create(&options.lock, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_rlock_create(&options.rlock, NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_condition_create(&condition, &options), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_condition_create(NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_condition_acquire(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_condition_release(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_condition_wait(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_condition_wait_for(NULL, always, NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_condition_notify(NULL, 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_condition_notify_all(NULL), MPROC_EINVAL);
    mproc_condition_close(NULL);
    mproc_lock_close(options.lock);
    mproc_rlock_close(options.rlock);
}

static void test_condition__times_out_with_its_lock_as_before(void)
{
    mproc_condition_options options = {NULL, NULL};
    mproc_lock_info info;
    CU_ASSERT_EQUAL(mproc_rlock_create(&options.rlock, NULL), MPROC_OK);
    mproc_condition *condition = make_condition(&options);
    for (int i = 0; i < 3; i++) {
        lock(condition);
    }
    CU_ASSERT_EQUAL(mproc_condition_wait(condition, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_condition_wait(condition, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_rlock_get_info(options.rlock, &info), MPROC_OK);
    CU_ASSERT(info.depth == 3 && info.holder_pid == mplat_pid());
    CU_ASSERT_EQUAL(mproc_condition_notify_all(condition), 0); // who gave up waits no more
    for (int i = 0; i < 3; i++) {
        unlock(condition);
    }
    mproc_rlock_close(options.rlock);
    mproc_condition_close(condition);
}

/* ---- between processes ----------------------------------------------------------------------- */

enum { TOKENS, WAITING, WOKEN, WORDS };

/** Wait for a notice once; 10 + its status. */
static int wait_once(const mproc_args *args)
{
    mproc_condition *condition;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &condition, &block) == 0);
    CHILD_CHECK(mproc_condition_acquire(condition, MPROC_FOREVER) >= 0);
    add_word(&words_of(block)[WAITING]);
    int rc = mproc_condition_wait(condition, LIMIT);
    add_word(&words_of(block)[WOKEN]);
    CHILD_CHECK(mproc_condition_release(condition) == 0);
    return 10 + rc;
}

/** Start one who waits, and see that it does: it has given the lock up again. */
static mproc_process *start_waiter(mproc_condition *condition, mproc_block *block)
{
    uint32_t n = mproc__load32_acquire(&words_of(block)[WAITING]);
    mproc_process *child = start(wait_once, MPROC_ARGS(condition, block));
    CU_ASSERT(await_word(&words_of(block)[WAITING], n + 1));
    lock(condition);
    unlock(condition);
    return child;
}

/** Python's test_notify_n. */
static void test_condition__notifies_exactly_so_many(void)
{
    mproc_process *waiters[6];
    mproc_condition *condition = make_condition(NULL);
    mproc_block *block = make_words(WORDS);
    for (size_t i = 0; i < 6; i++) {
        waiters[i] = start_waiter(condition, block);
    }
    const uint32_t n[] = {1, 2, 7};
    const int expected[] = {1, 2, 3};
    uint32_t woken = 0;
    for (size_t i = 0; i < 3; i++) {
        lock(condition);
        CU_ASSERT_EQUAL(mproc_condition_notify(condition, n[i]), expected[i]);
        unlock(condition);
        woken += (uint32_t)expected[i];
        CU_ASSERT(await_word(&words_of(block)[WOKEN], woken));
        CU_ASSERT_EQUAL(mproc__load32_acquire(&words_of(block)[WOKEN]), woken);
    }
    lock(condition);
    CU_ASSERT_EQUAL(mproc_condition_notify(condition, 3), 0);
    unlock(condition);
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(end_of(waiters[i]), 10);
    }
    mproc_block_close(block);
    mproc_condition_close(condition);
}

static void test_condition__the_first_to_wait_is_the_first_to_wake(void)
{
    mproc_process *waiters[3];
    mproc_condition *condition = make_condition(NULL);
    mproc_block *block = make_words(WORDS);
    for (size_t i = 0; i < 3; i++) {
        waiters[i] = start_waiter(condition, block);
    }
    for (size_t i = 0; i < 3; i++) {
        lock(condition);
        CU_ASSERT_EQUAL(mproc_condition_notify(condition, 1), 1);
        unlock(condition);
        CU_ASSERT_EQUAL(end_of(waiters[i]), 10);
    }
    mproc_block_close(block);
    mproc_condition_close(condition);
}

static int has_token(void *context)
{
    const uint32_t *words = context;
    return words[TOKENS] > 0;
}

/** Take `count` tokens. */
static int consume(const mproc_args *args)
{
    mproc_condition *condition;
    mproc_block *block;
    int count;
    CHILD_CHECK(MPROC_UNPACK(args, &condition, &block, &count) == 0);
    switch_slices_off();
    uint32_t *words = words_of(block);
    CHILD_CHECK(mproc_condition_acquire(condition, MPROC_FOREVER) == 0);
    for (int i = 0; i < count; i++) {
        CHILD_CHECK(mproc_condition_wait_for(condition, has_token, words, MPROC_FOREVER) == 1);
        words[TOKENS]--;
    }
    CHILD_CHECK(mproc_condition_release(condition) == 0);
    return 0;
}

/** With slices off: a notice that is lost hangs the test. */
static void test_condition__loses_no_notice(void)
{
    mproc_process *consumers[3];
    mproc_condition_options options = {NULL, NULL};
    CU_ASSERT_EQUAL(mproc_lock_create(&options.lock, NULL), MPROC_OK);
    mproc_condition *condition = make_condition(&options);
    mproc_lock_close(options.lock);
    mproc_block *block = make_words(WORDS);
    int count = (int)testlib_count(1000, 100000);
    for (size_t i = 0; i < 3; i++) {
        consumers[i] = start(consume, MPROC_ARGS(condition, block, count));
    }
    for (int i = 0; i < 3 * count; i++) {
        lock(condition);
        words_of(block)[TOKENS]++;
        CU_ASSERT(mproc_condition_notify(condition, 1) >= 0);
        unlock(condition);
    }
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(end_of(consumers[i]), 0);
    }
    CU_ASSERT_EQUAL(words_of(block)[TOKENS], 0);
    mproc_block_close(block);
    mproc_condition_close(condition);
}

static void test_condition__wait_for_gives_up(void)
{
    mproc_condition *condition = make_condition(NULL);
    uint32_t words[WORDS] = {0};
    lock(condition);
    CU_ASSERT_EQUAL(mproc_condition_wait_for(condition, has_token, words, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_condition_wait_for(condition, NULL, words, BRIEF), MPROC_EINVAL);
    words[TOKENS] = 1;
    CU_ASSERT_EQUAL(mproc_condition_wait_for(condition, has_token, words, MPROC_NOWAIT), 1);
    unlock(condition);
    mproc_condition_close(condition);
}

/* ---- death ----------------------------------------------------------------------------------- */

static void test_condition__passes_the_dead_over(void)
{
    mproc_process *waiters[4];
    mproc_condition *condition = make_condition(NULL);
    mproc_block *block = make_words(WORDS);
    for (size_t i = 0; i < 4; i++) {
        waiters[i] = start_waiter(condition, block);
    }
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(mproc_process_kill(waiters[i]), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(waiters[i]), CODE_KILLED);
    }
    lock(condition);
    CU_ASSERT_EQUAL(mproc_condition_notify(condition, 1), 1);
    unlock(condition);
    CU_ASSERT_EQUAL(end_of(waiters[2]), 10);
    lock(condition);
    CU_ASSERT_EQUAL(mproc_condition_notify_all(condition), 1);
    unlock(condition);
    CU_ASSERT_EQUAL(end_of(waiters[3]), 10);
    mproc_block_close(block);
    mproc_condition_close(condition);
}

/* A bug once: the seats of those killed while nobody notified, or when all had been, were lost. */
static void test_condition__the_dead_give_up_their_seats(void)
{
    mproc_condition *condition = make_condition(NULL);
    mproc_block *block = make_words(WORDS);
    mproc_arena_stats before = settled_stats();
    for (size_t i = 0; i < 15; i++) {
        mproc_process *waiter = start_waiter(condition, block);
        lock(condition);
        if (i % 3 != 0) { // by name or with all
            CU_ASSERT_EQUAL(mproc_condition_notify(condition, i % 3 == 1 ? 1 : UINT32_MAX), 1);
        }
        CU_ASSERT_EQUAL(mproc_process_kill(waiter), MPROC_OK);
        CU_ASSERT_EQUAL(end_of(waiter), CODE_KILLED);
        unlock(condition);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
    mproc_block_close(block);
    mproc_condition_close(condition);
}

/** The notice came to one who dies before it has the lock again. */
static void test_condition__a_notice_does_not_die(void)
{
    mproc_process *waiters[2];
    mproc_condition *condition = make_condition(NULL);
    mproc_block *block = make_words(WORDS);
    for (size_t i = 0; i < 2; i++) {
        waiters[i] = start_waiter(condition, block);
    }
    lock(condition);
    CU_ASSERT_EQUAL(mproc_condition_notify(condition, 1), 1);
    CU_ASSERT_EQUAL(mproc_process_kill(waiters[0]), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(waiters[0]), CODE_KILLED);
    unlock(condition);
    CU_ASSERT_EQUAL(end_of(waiters[1]), 10);
    CU_ASSERT_EQUAL(mproc__load32_acquire(&words_of(block)[WOKEN]), 1);
    mproc_block_close(block);
    mproc_condition_close(condition);
}

static int notify_and_die(const mproc_args *args)
{
    mproc_condition *condition;
    CHILD_CHECK(MPROC_UNPACK(args, &condition) == 0);
    CHILD_CHECK(mproc_condition_acquire(condition, MPROC_FOREVER) == 0);
    CHILD_CHECK(mproc_condition_notify(condition, 1) == 1);
    return 0; // with the lock
}

static void test_condition__tells_that_the_locks_holder_died(void)
{
    mproc_condition *condition = make_condition(NULL);
    mproc_block *block = make_words(WORDS);
    mproc_process *waiter = start_waiter(condition, block);
    CU_ASSERT_EQUAL(end_of(start(notify_and_die, MPROC_ARGS(condition))), 0);
    CU_ASSERT_EQUAL(end_of(waiter), 10 + MPROC_OWNER_DIED);
    mproc_block_close(block);
    mproc_condition_close(condition);
}

/** A stopped process is alive: one that was woken to go first must not hold up those after it. */
static void test_condition__the_stopped_hold_nobody_up(void)
{
    mproc_process *waiters[6];
    mproc_condition *condition = make_condition(NULL);
    mproc_block *block = make_words(WORDS);
    for (size_t i = 0; i < MPROC__COUNT(waiters); i++) {
        waiters[i] = start_waiter(condition, block);
    }
    CU_ASSERT(await_asleep((uint32_t)MPROC__COUNT(waiters)));
    stop_process(mproc_process_pid(waiters[0]));
    stop_process(mproc_process_pid(waiters[3]));
    lock(condition);
    CU_ASSERT_EQUAL(mproc_condition_notify_all(condition), 6);
    unlock(condition);
    for (size_t i = 0; i < MPROC__COUNT(waiters); i++) {
        if (i % 3 != 0) {
            CU_ASSERT_EQUAL(end_of(waiters[i]), 10);
        }
    }
    CU_ASSERT_EQUAL(mproc__load32_acquire(&words_of(block)[WOKEN]), 4);
    for (size_t i = 0; i < MPROC__COUNT(waiters); i += 3) {
        continue_process(mproc_process_pid(waiters[i]));
        CU_ASSERT_EQUAL(end_of(waiters[i]), 10);
    }
    mproc_block_close(block);
    mproc_condition_close(condition);
}

/* ---- many ------------------------------------------------------------------------------------ */

struct crowd {
    mproc_condition *condition;
    uint32_t waiting, woken; /* under its lock */
};

static void *APR_THREAD_FUNC wait_in_crowd(apr_thread_t *thread, void *arg)
{
    struct crowd *crowd = arg;
    CHILD_CHECK(mproc_condition_acquire(crowd->condition, MPROC_FOREVER) == 0);
    crowd->waiting++;
    CHILD_CHECK(mproc_condition_wait(crowd->condition, LIMIT) == 0);
    crowd->woken++;
    CHILD_CHECK(mproc_condition_release(crowd->condition) == 0);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_condition__wakes_a_crowd(void)
{
    apr_pool_t *pool;
    apr_thread_t *threads[MANY_THREADS];
    apr_status_t unused;
    mproc_arena_stats before = settled_stats();
    struct crowd crowd = {make_condition(NULL), 0, 0};
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (int round = 0; round < 3; round++) {
        crowd.waiting = 0;
        crowd.woken = 0;
        for (size_t i = 0; i < MANY_THREADS; i++) {
            CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, wait_in_crowd, &crowd, pool),
                                  APR_SUCCESS);
        }
        bool are_waiting = false;
        while (!are_waiting) {
            lock(crowd.condition);
            are_waiting = crowd.waiting == MANY_THREADS;
            unlock(crowd.condition);
            apr_thread_yield();
        }
        lock(crowd.condition);
        CU_ASSERT_EQUAL(mproc_condition_notify_all(crowd.condition), MANY_THREADS);
        unlock(crowd.condition);
        for (size_t i = 0; i < MANY_THREADS; i++) {
            (void)apr_thread_join(&unused, threads[i]);
        }
        CU_ASSERT_EQUAL(crowd.woken, MANY_THREADS);
    }
    apr_pool_destroy(pool);
    mproc_condition_close(crowd.condition);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static int use_it(const mproc_args *args)
{
    mproc_value list;
    mproc_condition *condition;
    CHILD_CHECK(MPROC_UNPACK(args, &list) == 0);
    CHILD_CHECK(MPROC_UNPACK_LIST(&list, &condition) == 0);
    CHILD_CHECK(mproc_condition_acquire(condition, MPROC_FOREVER) == 0);
    CHILD_CHECK(mproc_condition_wait(condition, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    return -mproc_condition_release(condition);
}

static void test_condition__travels_in_values(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_condition *condition = make_condition(NULL);
    mproc_condition *same = NULL;
    CU_ASSERT_EQUAL(mproc_condition_attach(&same, condition), MPROC_OK);
    mproc_condition_close(condition);
    CU_ASSERT_EQUAL(end_of(start(use_it, MPROC_ARGS(MPROC_LIST(same)))), 0);
    mproc_condition_close(same);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"wants_its_lock_held", test_condition__wants_its_lock_held},
    {"wants_its_lock_held_by_the_caller", test_condition__wants_its_lock_held_by_the_caller},
    {"refuses_nonsense", test_condition__refuses_nonsense},
    {"times_out_with_its_lock_as_before", test_condition__times_out_with_its_lock_as_before},
    {"notifies_exactly_so_many", test_condition__notifies_exactly_so_many},
    {"the_first_to_wait_is_the_first_to_wake",
     test_condition__the_first_to_wait_is_the_first_to_wake},
    {"loses_no_notice", test_condition__loses_no_notice},
    {"wait_for_gives_up", test_condition__wait_for_gives_up},
    {"passes_the_dead_over", test_condition__passes_the_dead_over},
    {"the_dead_give_up_their_seats", test_condition__the_dead_give_up_their_seats},
    {"a_notice_does_not_die", test_condition__a_notice_does_not_die},
    {"tells_that_the_locks_holder_died", test_condition__tells_that_the_locks_holder_died},
    {"the_stopped_hold_nobody_up", test_condition__the_stopped_hold_nobody_up},
    {"wakes_a_crowd", test_condition__wakes_a_crowd},
    {"travels_in_values", test_condition__travels_in_values},
};

PROCESS_TEST_MAIN("object.condition", cases)
