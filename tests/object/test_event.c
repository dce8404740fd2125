/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_event.c: mproc_event and mproc_semaphore between processes.
 */
#include "base/check.h"
#include "family/watch.h"
#include "object/sync_test.h"

#include <apr_general.h>

static mproc_event *make_event(void)
{
    mproc_event *event = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_event_create(&event), MPROC_OK);
    return event;
}

static mproc_semaphore *make_semaphore(uint32_t value, const mproc_semaphore_options *options)
{
    mproc_semaphore *semaphore = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_semaphore_create(&semaphore, value, options), MPROC_OK);
    return semaphore;
}

static void test_event__is_set_and_cleared(void)
{
    mproc_event *event = make_event();
    CU_ASSERT_FALSE(mproc_event_is_set(event));
    CU_ASSERT_EQUAL(mproc_event_wait(event, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_event_wait(event, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "wait: timed out; the event is not set");
    CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
    CU_ASSERT(mproc_event_is_set(event));
    CU_ASSERT_EQUAL(mproc_event_wait(event, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_event_wait(event, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_event_clear(event), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_event_clear(event), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_event_wait(event, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    mproc_event_close(event);
}

static void test_event__refuses_null(void)
{
    CU_ASSERT_EQUAL(mproc_event_create(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_event_set(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_event_clear(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_event_wait(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_FALSE(mproc_event_is_set(NULL));
    mproc_event_close(NULL);
}

static int wait_for_event(const mproc_args *args)
{
    mproc_event *event;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &event, &block) == 0);
    add_word(words_of(block));
    return -mproc_event_wait(event, LIMIT);
}

/** With the flag cleared at once, none may miss that it was set. */
static void test_event__wakes_all_who_waited(void)
{
    mproc_process *waiters[4];
    mproc_event *event = make_event();
    mproc_block *block = make_words(1);
    for (size_t i = 0; i < 4; i++) {
        waiters[i] = start(wait_for_event, MPROC_ARGS(event, block));
    }
    CU_ASSERT(await_word(words_of(block), 4));
    CU_ASSERT(await_asleep(4));
    CU_ASSERT_EQUAL(mproc_process_kill(waiters[3]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_event_set(event), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_event_clear(event), MPROC_OK);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(end_of(waiters[i]), 0);
    }
    CU_ASSERT_EQUAL(end_of(waiters[3]), CODE_KILLED);
    mproc_block_close(block);
    mproc_event_close(event);
}

static int answer(const mproc_args *args)
{
    mproc_event *ping;
    mproc_event *pong;
    int count;
    CHILD_CHECK(MPROC_UNPACK(args, &ping, &pong, &count) == 0);
    switch_slices_off();
    for (int i = 0; i < count; i++) {
        CHILD_CHECK(mproc_event_wait(ping, MPROC_FOREVER) == 0);
        CHILD_CHECK(mproc_event_clear(ping) == 0);
        CHILD_CHECK(mproc_event_set(pong) == 0);
    }
    return 0;
}

/** Each set is one wake: with slices off, one that is lost hangs the test. */
static void test_event__loses_no_wake(void)
{
    int count = (int)testlib_count(3000, 1000000);
    int64_t slice = mproc__slice_ns;
    switch_slices_off();
    mproc_event *ping = make_event();
    mproc_event *pong = make_event();
    mproc_process *child = start(answer, MPROC_ARGS(ping, pong, count));
    bool is_good = true;
    for (int i = 0; i < count && is_good; i++) {
        is_good = mproc_event_set(ping) == 0 && mproc_event_wait(pong, LIMIT) == 0 &&
                  mproc_event_clear(pong) == 0;
    }
    CU_ASSERT(is_good);
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc__slice_ns = slice;
    mproc_event_close(ping);
    mproc_event_close(pong);
}

/* ---- semaphore ------------------------------------------------------------------------------- */

static void test_semaphore__counts(void)
{
    mproc_semaphore *semaphore = make_semaphore(2, NULL);
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(semaphore), 2);
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(semaphore), 0);
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, BRIEF), MPROC_ETIMEDOUT);
    for (uint32_t i = 1; i <= 3; i++) {
        CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_semaphore_get_value(semaphore), i); // also beyond what it began with
    }
    mproc_semaphore_close(semaphore);
}

static void test_semaphore__has_limits(void)
{
    mproc_semaphore *semaphore;
    const mproc_semaphore_options robust = {.is_robust = true};
    CU_ASSERT_EQUAL_FATAL(mproc_bounded_semaphore_create(&semaphore, 1), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_ESTATE);
    mproc_semaphore_close(semaphore);
    semaphore = make_semaphore(MPROC_SEMAPHORE_MAX, NULL);
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(semaphore), MPROC_SEMAPHORE_MAX);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_ERANGE);
    mproc_semaphore_close(semaphore);
    CU_ASSERT_EQUAL(mproc_semaphore_create(&semaphore, 0x80000000u, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_semaphore_create(&semaphore, 0, &robust), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_semaphore_create(&semaphore, 65536, &robust), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_semaphore_create(NULL, 1, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_semaphore_release(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(NULL), 0);
    mproc_semaphore_close(NULL);
}

enum { INSIDE, MOST, ARRIVED };

static int enter_and_leave(const mproc_args *args)
{
    mproc_semaphore *semaphore;
    mproc_block *block;
    int count;
    int permits;
    CHILD_CHECK(MPROC_UNPACK(args, &semaphore, &block, &count, &permits) == 0);
    switch_slices_off();
    uint32_t *words = words_of(block);
    for (int i = 0; i < count; i++) {
        CHILD_CHECK(mproc_semaphore_acquire(semaphore, MPROC_FOREVER) == 0);
        CHILD_CHECK((int)mproc__add32(&words[INSIDE], 1) < permits);
        if (i % 16 == 0) {
            apr_thread_yield();
        }
        (void)mproc__add32(&words[INSIDE], (uint32_t)-1);
        CHILD_CHECK(mproc_semaphore_release(semaphore) == 0);
    }
    return 0;
}

static void crowd(const mproc_semaphore_options *options)
{
    mproc_process *children[5];
    mproc_semaphore *semaphore = make_semaphore(2, options);
    mproc_block *block = make_words(3);
    int count = (int)testlib_count(1000, 50000);
    for (size_t i = 0; i < 5; i++) {
        children[i] = start(enter_and_leave, MPROC_ARGS(semaphore, block, count, 2));
    }
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(semaphore), 2);
    mproc_block_close(block);
    mproc_semaphore_close(semaphore);
}

static void test_semaphore__lets_so_many_in(void)
{
    const mproc_semaphore_options robust = {.is_robust = true};
    crowd(NULL);
    crowd(&robust);
}

static int hold_permits(const mproc_args *args)
{
    mproc_semaphore *semaphore;
    mproc_block *block;
    int count;
    CHILD_CHECK(MPROC_UNPACK(args, &semaphore, &block, &count) == 0);
    for (int i = 0; i < count; i++) {
        CHILD_CHECK(mproc_semaphore_acquire(semaphore, MPROC_FOREVER) == 0);
    }
    CHILD_CHECK(mproc_semaphore_acquire(semaphore, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
    add_word(&words_of(block)[ARRIVED]);
    return stay();
}

static void test_semaphore__a_robust_one_gets_permits_back(void)
{
    const mproc_semaphore_options robust = {.is_robust = true};
    mproc_semaphore *semaphore = make_semaphore(3, &robust);
    mproc_block *block = make_words(3);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_ESTATE);
    mproc_process *holder = start(hold_permits, MPROC_ARGS(semaphore, block, 3));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(semaphore), 0);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_ESTATE); // they are another's
    CU_ASSERT_EQUAL(mproc_process_kill(holder), MPROC_OK);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, LIMIT), MPROC_OWNER_DIED);
    }
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(semaphore), 3);
    CU_ASSERT_EQUAL(end_of(holder), CODE_KILLED);
    mproc_block_close(block);
    mproc_semaphore_close(semaphore);
}

static void *APR_THREAD_FUNC take_and_end(apr_thread_t *thread, void *arg)
{
    CHILD_CHECK(mproc_semaphore_acquire(arg, MPROC_FOREVER) == 0);
    CHILD_CHECK(await_asleep(1));
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

/** It has not died, so no system tells: it says so itself. */
static void test_semaphore__a_robust_one_gets_permits_of_threads_that_end(void)
{
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t unused;
    const mproc_semaphore_options robust = {.is_robust = true};
    mproc_semaphore *semaphore = make_semaphore(1, &robust);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, take_and_end, semaphore, pool),
                          APR_SUCCESS);
    while (mproc_semaphore_get_value(semaphore) != 0) {
        apr_thread_yield();
    }
    int64_t slice = mproc__long_slice_ns;
    mproc__long_slice_ns = LIMIT; // nothing but the alarm wakes us
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, LIMIT), MPROC_OWNER_DIED);
    mproc__long_slice_ns = slice;
    (void)apr_thread_join(&unused, thread);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_OK);
    mproc_semaphore_close(semaphore);
    apr_pool_destroy(pool);
}

static void test_semaphore__a_plain_permit_dies_with_its_holder(void)
{
    mproc_semaphore *semaphore = make_semaphore(1, NULL);
    mproc_block *block = make_words(3);
    mproc_process *holder = start(hold_permits, MPROC_ARGS(semaphore, block, 1));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    CU_ASSERT_EQUAL(mproc_process_kill(holder), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(holder), CODE_KILLED);
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_semaphore_release(semaphore), MPROC_OK); // anybody can replace it
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(semaphore, MPROC_NOWAIT), MPROC_OK);
    mproc_block_close(block);
    mproc_semaphore_close(semaphore);
}

/* ---- both ------------------------------------------------------------------------------------ */

#ifdef MPROC_KILLPOINTS
static mproc_semaphore *contested;
static int step;

/** What others do meanwhile: two permits come, go when they have been seen, and come back. */
static void be_others(const char *instant)
{
    static const char *const when[] = {"semaphore.tried", "semaphore.seen", "semaphore.tried"};
    if (step < 3 && strcmp(instant, when[step]) == 0) {
        bool takes = step == 1;
        step++;
        for (int i = 0; i < 2; i++) {
            int rc = takes ? mproc_semaphore_acquire(contested, MPROC_NOWAIT)
                           : mproc_semaphore_release(contested);
            CU_ASSERT_EQUAL(rc, MPROC_OK);
        }
    }
}
#endif

/* A bug once: the word was what had been seen, so the thread slept, with two permits there. */
static void test_semaphore__permits_that_went_and_came_back(void)
{
#ifdef MPROC_KILLPOINTS
    int64_t slice = mproc__slice_ns;
    contested = make_semaphore(0, NULL);
    step = 0;
    switch_slices_off();
    mproc__killpoint_fn = be_others;
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(contested, MPROC_FOREVER), MPROC_OK);
    mproc__killpoint_fn = NULL;
    mproc__slice_ns = slice;
    CU_ASSERT_EQUAL(step, 3);
    CU_ASSERT_EQUAL(mproc_semaphore_get_value(contested), 1);
    mproc_semaphore_close(contested);
#else
    testlib_skip("the library was built without MPROC_KILLPOINTS");
#endif
}

static int use_both(const mproc_args *args)
{
    mproc_event *event;
    mproc_semaphore *semaphore;
    CHILD_CHECK(MPROC_UNPACK(args, &event, &semaphore) == 0);
    CHILD_CHECK(mproc_semaphore_release(semaphore) == 0);
    return -mproc_event_set(event);
}

static void test_event__travels_in_values(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_event *event = make_event();
    mproc_event *same = NULL;
    mproc_semaphore *semaphore = make_semaphore(0, NULL);
    mproc_semaphore *too = NULL;
    CU_ASSERT_EQUAL(mproc_event_attach(&same, event), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_semaphore_attach(&too, semaphore), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(use_both, MPROC_ARGS(event, semaphore))), 0);
    mproc_event_close(event);
    mproc_semaphore_close(semaphore);
    CU_ASSERT_EQUAL(mproc_event_wait(same, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_semaphore_acquire(too, MPROC_NOWAIT), MPROC_OK);
    mproc_event_close(same);
    mproc_semaphore_close(too);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"is_set_and_cleared", test_event__is_set_and_cleared},
    {"refuses_null", test_event__refuses_null},
    {"wakes_all_who_waited", test_event__wakes_all_who_waited},
    {"loses_no_wake", test_event__loses_no_wake},
    {"semaphore_counts", test_semaphore__counts},
    {"semaphore_has_limits", test_semaphore__has_limits},
    {"semaphore_lets_so_many_in", test_semaphore__lets_so_many_in},
    {"semaphore_a_robust_one_gets_permits_back", test_semaphore__a_robust_one_gets_permits_back},
    {"semaphore_a_robust_one_gets_permits_of_threads_that_end",
     test_semaphore__a_robust_one_gets_permits_of_threads_that_end},
    {"semaphore_a_plain_permit_dies_with_its_holder",
     test_semaphore__a_plain_permit_dies_with_its_holder},
    {"semaphore_permits_that_went_and_came_back", test_semaphore__permits_that_went_and_came_back},
    {"travels_in_values", test_event__travels_in_values},
};

PROCESS_TEST_MAIN("object.event", cases)
