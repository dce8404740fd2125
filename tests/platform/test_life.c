/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_life.c: life tokens: held by the living, taken from the dead, never guessed.
 */
#include "platform/child.h"

#include <apr_general.h>
#include <apr_thread_proc.h>

enum { HOLD_AND_STAY, HOLD_AND_LEAVE, HOLD_MANY, RELEASE_AND_STAY };

/* ---- roles ----------------------------------------------------------------------------------- */

static int hold_and_stay(unsigned me)
{
    shm->number[me] = (uint64_t)mplat_life_claim(&shm->lives[0]);
    child_say_ready();
    return child_stay();
}

static int hold_and_leave(unsigned me)
{
    shm->number[me] = (uint64_t)mplat_life_claim(&shm->lives[0]);
    mplat_process_leave(0);
    return 1;
}

static int hold_many(unsigned me)
{
    (void)me;
    for (size_t i = 0; i < CHILD_LIVES; i++) {
        CHILD_CHECK(mplat_life_claim(&shm->lives[i]) == 0);
    }
    child_say_ready();
    return child_stay();
}

static int release_and_stay(unsigned me)
{
    (void)me;
    CHILD_CHECK(mplat_life_claim(&shm->lives[0]) == 0);
    mplat_life_release(&shm->lives[0]);
    child_say_ready();
    return child_stay();
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void kill_and_join(mplat_child *child)
{
    CU_ASSERT_EQUAL(mplat_process_signal(&child->who, MPLAT_KILL), 0);
    CU_ASSERT(child_join(child) < 0);
}

static size_t next_dead(size_t from)
{
    return mplat_life_next_dead(&shm->lives[0], CHILD_LIVES, sizeof(shm->lives[0]), from);
}

static void test_life__claim_and_release(void)
{
    child_found();
    mplat_life *life = &shm->lives[0];
    CU_ASSERT_EQUAL(mplat_life_claim(life), 0);
    CU_ASSERT_EQUAL(mplat_life_claim(life), MPROC_ESTATE);
    mplat_life_release(life);
    CU_ASSERT_EQUAL(mplat_life_claim(life), 0);
    mplat_life_release(life);
    child_end();
}

static void *APR_THREAD_FUNC claim_in_thread(apr_thread_t *thread, void *arg)
{
    *(int *)arg = mplat_life_claim(&shm->lives[0]);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_life__another_thread_gets_none(void)
{
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t status;
    int claimed = 0;
    child_found();
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL(mplat_life_claim(&shm->lives[0]), 0);
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, claim_in_thread, &claimed, pool),
                          APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_thread_join(&status, thread), APR_SUCCESS);
    CU_ASSERT_EQUAL(claimed, MPROC_ESTATE);
    mplat_life_release(&shm->lives[0]);
    apr_pool_destroy(pool);
    apr_terminate();
    child_end();
}

static void test_life__taken_from_a_killed_child_only(void)
{
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(HOLD_AND_STAY, 1, &child), 0);
    CU_ASSERT(child_wait_for(&shm->ready, 1));
    CU_ASSERT_EQUAL(shm->number[1], 0);
    CU_ASSERT_EQUAL(mplat_life_claim(&shm->lives[0]), MPROC_ESTATE);
    kill_and_join(&child);
    CU_ASSERT_EQUAL(mplat_life_claim(&shm->lives[0]), 1);
    CU_ASSERT_EQUAL(mplat_life_claim(&shm->lives[0]), MPROC_ESTATE);
    mplat_life_release(&shm->lives[0]);
    CU_ASSERT_EQUAL(mplat_life_claim(&shm->lives[0]), 0);
    mplat_life_release(&shm->lives[0]);
    child_end();
}

static void test_life__recovery_that_dies_is_repeated(void)
{
    child_found();
    for (unsigned i = 1; i <= 4; i++) {
        mplat_child child;
        CU_ASSERT_EQUAL_FATAL(child_start(HOLD_AND_LEAVE, i, &child), 0);
        CU_ASSERT_EQUAL(child_join(&child), 0);
        CU_ASSERT_EQUAL(shm->number[i], i == 1 ? 0 : 1);
    }
    CU_ASSERT_EQUAL(mplat_life_claim(&shm->lives[0]), 1);
    mplat_life_release(&shm->lives[0]);
    child_end();
}

static void test_life__many_tokens_of_one_child(void)
{
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(HOLD_MANY, 1, &child), 0);
    CU_ASSERT(child_wait_for(&shm->ready, 1));
    CU_ASSERT_EQUAL(next_dead(0), CHILD_LIVES);
    kill_and_join(&child);
    for (size_t i = 0; i < CHILD_LIVES; i++) {
        CU_ASSERT_EQUAL(next_dead(0), i);
        CU_ASSERT_EQUAL(next_dead(i), i);
        CU_ASSERT_EQUAL(mplat_life_claim(&shm->lives[i]), 1);
        CU_ASSERT_EQUAL(next_dead(0), i + 1); // held by the living
        mplat_life_release(&shm->lives[i]);
        CU_ASSERT_EQUAL(next_dead(0), i + 1); // free
    }
    child_end();
}

static void test_life__released_by_a_living_child_is_free(void)
{
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(RELEASE_AND_STAY, 1, &child), 0);
    CU_ASSERT(child_wait_for(&shm->ready, 1));
    CU_ASSERT_EQUAL(mplat_life_claim(&shm->lives[0]), 0);
    mplat_life_release(&shm->lives[0]);
    kill_and_join(&child);
    child_end();
}

static void child_fn(int argc, char **argv)
{
    static const child_role roles[] = {hold_and_stay, hold_and_leave, hold_many, release_and_stay};
    child_run(argc, argv, roles, sizeof(roles) / sizeof(roles[0]));
}

static const testlib_case cases[] = {
    {"claim_and_release", test_life__claim_and_release},
    {"another_thread_gets_none", test_life__another_thread_gets_none},
    {"taken_from_a_killed_child_only", test_life__taken_from_a_killed_child_only},
    {"recovery_that_dies_is_repeated", test_life__recovery_that_dies_is_repeated},
    {"many_tokens_of_one_child", test_life__many_tokens_of_one_child},
    {"released_by_a_living_child_is_free", test_life__released_by_a_living_child_is_free},
};
TESTLIB_MAIN_CHILD("platform.life", cases, child_fn)
