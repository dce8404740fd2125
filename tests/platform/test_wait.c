/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wait.c: wait and wake, within a process and across processes, with the dying among the
 * sleepers.
 *
 * No deadline here is ever reached when all is well: a lost wake shows as a failure, not as a
 * delay.
 */
#include "platform/child.h"

#include <apr_general.h>
#include <apr_thread_proc.h>

enum { WAIT_FOR_GO, PONG, SLEEP_ON_WORD, HOLD_THEN_LEAVE, TAKE_TOKENS };

#define MS ((int64_t)1000000)

/* ---- roles ----------------------------------------------------------------------------------- */

static int wait_for_go(unsigned me)
{
    (void)me;
    child_say_ready();
    CHILD_CHECK(child_wait_for(&shm->go, 1));
    return 0;
}

/** Answer each odd number in word[0] with the next even one. */
static int pong(unsigned me)
{
    (void)me;
    for (uint32_t n = 1; n < shm->number[0]; n += 2) {
        CHILD_CHECK(child_wait_for(&shm->word[0], n));
        child_set(&shm->word[0], n + 1);
    }
    return 0;
}

/** Sleep on word[0], which nobody changes while this process lives. */
static int sleep_on_word(unsigned me)
{
    (void)me;
    child_say_ready();
    int rc = 0;
    while (rc == 0) {
        rc = mplat_wait(&shm->word[0], 0, INT64_MAX, NULL, NULL);
    }
    return rc;
}

static int hold_then_leave(unsigned me)
{
    (void)me;
    CHILD_CHECK(mplat_life_claim(&shm->lives[0]) == 0);
    child_say_ready();
    CHILD_CHECK(child_wait_for(&shm->go, 1));
    mplat_process_leave(0);
    return 1;
}

/** A semaphore in word[0]: take number[0] tokens, counting them in word[me]. */
static int take_tokens(unsigned me)
{
    child_say_ready();
    for (uint64_t taken = 0; taken < shm->number[0];) {
        uint32_t value = mproc__load32_acquire(&shm->word[0]);
        if (value == 0) {
            CHILD_CHECK(mplat_wait(&shm->word[0], 0, child_deadline(), NULL, NULL) == 0);
        } else if (mproc__cas32(&shm->word[0], &value, value - 1)) {
            taken++;
            (void)mproc__add32(&shm->word[me], 1);
        }
    }
    return 0;
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_wait__another_value_does_not_sleep(void)
{
    child_found();
    shm->word[0] = 5;
    CU_ASSERT_EQUAL(mplat_wait(&shm->word[0], 4, INT64_MAX, NULL, NULL), 0);
    CU_ASSERT_EQUAL(mplat_wait(&shm->word[0], 4, 0, NULL, NULL), 0);
    (void)mplat_wake(&shm->word[0], INT32_MAX);
    (void)mplat_wake(&shm->word[0], 1);
    child_end();
}

static void test_wait__deadline_ends_it(void)
{
    child_found();
    CU_ASSERT_EQUAL(mplat_wait(&shm->word[0], 0, 0, NULL, NULL), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mplat_wait(&shm->word[0], 0, mplat_now(), NULL, NULL), MPROC_ETIMEDOUT);
    int64_t deadline = mplat_now() + 30 * MS;
    int rc = 0;
    while (rc == 0 && mplat_now() < deadline + 10000 * MS) {
        rc = mplat_wait(&shm->word[0], 0, deadline, NULL, NULL);
    }
    CU_ASSERT_EQUAL(rc, MPROC_ETIMEDOUT);
    CU_ASSERT(mplat_now() >= deadline);
    child_end();
}

/** A thread of the parent's that is, or is not, known to the wakers. */
typedef struct sleeper {
    unsigned parker; // 0: none
    bool was_woken;
} sleeper;

static void *APR_THREAD_FUNC sleep_in_thread(apr_thread_t *thread, void *arg)
{
    sleeper *s = arg;
    if (s->parker != 0 && mplat_parker_claim(&shm->parkers[s->parker]) < 0) {
        (void)apr_thread_exit(thread, APR_SUCCESS);
        return NULL;
    }
    child_say_ready();
    s->was_woken = child_wait_for(&shm->go, 1);
    if (s->parker != 0) {
        mplat_parker_release(&shm->parkers[s->parker]);
    }
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void wake_threads(const unsigned *parkers, unsigned count)
{
    apr_pool_t *pool;
    apr_thread_t *threads[8];
    sleeper sleepers[8] = {{0, false}};
    child_found();
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (unsigned i = 0; i < count; i++) {
        sleepers[i].parker = parkers[i];
        CU_ASSERT_EQUAL_FATAL(
            apr_thread_create(&threads[i], NULL, sleep_in_thread, &sleepers[i], pool), APR_SUCCESS);
    }
    CU_ASSERT(child_wait_for(&shm->ready, count));
    child_set(&shm->go, 1);
    for (unsigned i = 0; i < count; i++) {
        apr_status_t status;
        CU_ASSERT_EQUAL(apr_thread_join(&status, threads[i]), APR_SUCCESS);
        CU_ASSERT(sleepers[i].was_woken);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    child_end();
}

static void test_wait__wakes_threads(void)
{
    static const unsigned parkers[] = {1, 2, 3, 4, 5, 6};
    wake_threads(parkers, 6);
}

static void test_wait__unregistered_threads_see_the_change(void)
{
    static const unsigned parkers[] = {0, 0, 1};
    wake_threads(parkers, 3);
}

/* ---- several processes ----------------------------------------------------------------------- */

static void test_wait__wakes_other_processes(void)
{
    mplat_child children[4];
    child_found();
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL_FATAL(child_start(WAIT_FOR_GO, i + 1, &children[i]), 0);
    }
    CU_ASSERT(child_wait_for(&shm->ready, 4));
    child_set(&shm->go, 1);
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(child_join(&children[i]), 0);
    }
    child_end();
}

static void test_wait__no_wake_is_lost(void)
{
    child_found();
    mplat_child child;
    uint32_t rounds = (uint32_t)testlib_count(2000, 200000);
    shm->number[0] = rounds;
    CU_ASSERT_EQUAL_FATAL(child_start(PONG, 1, &child), 0);
    bool is_answered = true;
    for (uint32_t n = 1; n < rounds && is_answered; n += 2) {
        child_set(&shm->word[0], n);
        is_answered = child_wait_for(&shm->word[0], n + 1);
    }
    CU_ASSERT(is_answered);
    CU_ASSERT_EQUAL(child_join(&child), 0);
    child_end();
}

static void test_wait__one_wake_for_each_token(void)
{
    enum { TAKERS = 3 };
    mplat_child children[TAKERS];
    child_found();
    uint32_t each = (uint32_t)testlib_count(1000, 100000);
    shm->number[0] = each;
    for (unsigned i = 0; i < TAKERS; i++) {
        CU_ASSERT_EQUAL_FATAL(child_start(TAKE_TOKENS, i + 1, &children[i]), 0);
    }
    CU_ASSERT(child_wait_for(&shm->ready, TAKERS));
    for (uint32_t n = 0; n < TAKERS * each; n++) {
        (void)mproc__add32(&shm->word[0], 1);
        (void)mplat_wake(&shm->word[0], 1);
    }
    for (unsigned i = 0; i < TAKERS; i++) {
        CU_ASSERT_EQUAL(child_join(&children[i]), 0);
        CU_ASSERT_EQUAL(shm->word[i + 1], each);
    }
    CU_ASSERT_EQUAL(shm->word[0], 0);
    child_end();
}

/* ---- the dead -------------------------------------------------------------------------------- */

/** A wake for one must not be spent on a sleeper that was dead before. */
static void test_wait__dead_sleepers_take_no_wake(void)
{
    enum { DEAD = 4 };
    for (long round = testlib_count(3, 100); round > 0; round--) {
        mplat_child dead[DEAD];
        mplat_child living;
        child_found();
        for (unsigned i = 0; i < DEAD; i++) {
            CU_ASSERT_EQUAL_FATAL(child_start(SLEEP_ON_WORD, i + 1, &dead[i]), 0);
        }
        CU_ASSERT(child_wait_for(&shm->ready, DEAD));
        shm->number[0] = 1;
        CU_ASSERT_EQUAL_FATAL(child_start(TAKE_TOKENS, DEAD + 1, &living), 0);
        CU_ASSERT(child_wait_for(&shm->ready, DEAD + 1));
        for (unsigned i = 0; i < DEAD; i++) {
            CU_ASSERT_EQUAL(mplat_process_signal(&dead[i].who, MPLAT_KILL), 0);
            CU_ASSERT(child_join(&dead[i]) < 0);
        }
        (void)mproc__add32(&shm->word[0], 1);
        (void)mplat_wake(&shm->word[0], 1);
        CU_ASSERT_EQUAL(child_join(&living), 0);
        child_end();
    }
}

static void test_wait__dead_threads_parker_serves_the_next(void)
{
    child_found();
    for (int i = 0; i < 3; i++) {
        mplat_child child;
        shm->ready = 0;
        CU_ASSERT_EQUAL_FATAL(child_start(SLEEP_ON_WORD, 1, &child), 0);
        CU_ASSERT(child_wait_for(&shm->ready, 1));
        CU_ASSERT_EQUAL(mplat_process_signal(&child.who, MPLAT_KILL), 0);
        CU_ASSERT(child_join(&child) < 0);
    }
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(WAIT_FOR_GO, 1, &child), 0);
    CU_ASSERT(child_wait_for(&shm->ready, 2));
    child_set(&shm->go, 1);
    CU_ASSERT_EQUAL(child_join(&child), 0);
    child_end();
}

/** Where the system can tell, the wait ends with the owner; else the caller's slice does. */
static void ends_with(bool is_other)
{
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(HOLD_THEN_LEAVE, 1, &child), 0);
    CU_ASSERT(child_wait_for(&shm->ready, 1));
    CU_ASSERT_EQUAL(mplat_life_claim(&shm->lives[1]), 0);
    child_set(&shm->go, 1);
    int64_t deadline = child_deadline();
    int claimed = MPROC_ESTATE;
    while (claimed == MPROC_ESTATE && mplat_now() < deadline) {
        int64_t slice = mplat_now() + 500 * MS;
        mplat_life *mine = &shm->lives[1];
        mplat_life *its = &shm->lives[0];
        (void)mplat_wait(&shm->word[0], 0, slice, is_other ? mine : its, is_other ? its : NULL);
        claimed = mplat_life_claim(&shm->lives[0]);
    }
    CU_ASSERT_EQUAL(claimed, 1);
    mplat_life_release(&shm->lives[0]);
    mplat_life_release(&shm->lives[1]);
    CU_ASSERT_EQUAL(child_join(&child), 0);
    child_end();
}

static void test_wait__ends_with_the_owner(void)
{
    ends_with(false);
}

static void test_wait__ends_with_another(void)
{
    ends_with(true);
}

static void child_fn(int argc, char **argv)
{
    static const child_role roles[] = {wait_for_go, pong, sleep_on_word, hold_then_leave,
                                       take_tokens};
    child_run(argc, argv, roles, sizeof(roles) / sizeof(roles[0]));
}

static const testlib_case cases[] = {
    {"another_value_does_not_sleep", test_wait__another_value_does_not_sleep},
    {"deadline_ends_it", test_wait__deadline_ends_it},
    {"wakes_threads", test_wait__wakes_threads},
    {"unregistered_threads_see_the_change", test_wait__unregistered_threads_see_the_change},
    {"wakes_other_processes", test_wait__wakes_other_processes},
    {"no_wake_is_lost", test_wait__no_wake_is_lost},
    {"one_wake_for_each_token", test_wait__one_wake_for_each_token},
    {"dead_sleepers_take_no_wake", test_wait__dead_sleepers_take_no_wake},
    {"dead_threads_parker_serves_the_next", test_wait__dead_threads_parker_serves_the_next},
    {"ends_with_the_owner", test_wait__ends_with_the_owner},
    {"ends_with_another", test_wait__ends_with_another},
};
TESTLIB_MAIN_CHILD("platform.wait", cases, child_fn)
