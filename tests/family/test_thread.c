/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_thread.c: thread slots: names that are never given twice, and whose threads can be proved dead.
 */
#include "base/atomic.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/thread.h"
#include "support/testlib.h"

#include <apr_general.h>
#include <apr_thread_proc.h>

#define N_THREADS 200 /* more than a batch of slots */

static apr_pool_t *pool;
static mproc__thread_id ids[N_THREADS];
static uint32_t n_ready;
static uint32_t go;

static uint32_t place_of(mproc__thread_id id)
{
    return (uint32_t)(id >> 1) & 0xffff;
}

static void test_thread__has_one_id(void)
{
    mproc__thread_id first;
    mproc__thread_id second;
    CU_ASSERT_EQUAL(mproc__thread_enter(&first), 0);
    CU_ASSERT_EQUAL(mproc__thread_enter(&second), 0);
    CU_ASSERT_EQUAL(first, second);
    CU_ASSERT_EQUAL(first, mproc__thread_self());
    CU_ASSERT_EQUAL(first & 1, 0);
    CU_ASSERT_FALSE(mproc__thread_is_dead(first));
    CU_ASSERT_FALSE(mproc__thread_is_dead(first | 1));
    CU_ASSERT_PTR_NOT_NULL(mproc__thread_life(first));
}

static void test_thread__leaves_and_enters(void)
{
    mproc__thread_id before = mproc__thread_self();
    mproc__thread_leave();
    CU_ASSERT(mproc__thread_is_dead(before));
    mproc__thread_leave(); // once is enough
    mproc__thread_id after;
    CU_ASSERT_EQUAL(mproc__thread_enter(&after), 0);
    CU_ASSERT_NOT_EQUAL(after, before);
    CU_ASSERT_FALSE(mproc__thread_is_dead(after));
    CU_ASSERT(mproc__thread_is_dead(before));
}

static void test_thread__wild_ids_are_dead(void)
{
    uint32_t n = mproc__load32_acquire(&mproc__shm()->n_threads);
    CU_ASSERT_PTR_NULL(mproc__thread_life(0));
    CU_ASSERT_PTR_NULL(mproc__thread_life((uint64_t)(n + 1) << 1));
    CU_ASSERT(mproc__thread_is_dead(0));
    CU_ASSERT(mproc__thread_is_dead(UINT64_MAX));
    CU_ASSERT(mproc__thread_is_dead((uint64_t)0xffff << 1));
    CU_ASSERT(mproc__thread_is_dead((uint64_t)1 << 40 | 2));
}

static void *APR_THREAD_FUNC enter_and_leave(apr_thread_t *thread, void *arg)
{
    (void)thread;
    CHILD_CHECK(mproc__thread_enter((mproc__thread_id *)arg) == 0);
    return NULL;
}

static void test_thread__slots_are_used_again(void)
{
    uint32_t n = mproc__load32_acquire(&mproc__shm()->n_threads);
    mproc__thread_id last = 0;
    for (int i = 0; i < 500; i++) {
        mproc__thread_id id = 0;
        apr_thread_t *thread;
        apr_status_t unused;
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, enter_and_leave, &id, pool), 0);
        (void)apr_thread_join(&unused, thread);
        CU_ASSERT(mproc__thread_is_dead(id));
        CU_ASSERT_NOT_EQUAL(id, last);
        last = id;
    }
    CU_ASSERT_EQUAL(mproc__load32_acquire(&mproc__shm()->n_threads), n);
}

static void *APR_THREAD_FUNC enter_and_wait(apr_thread_t *thread, void *arg)
{
    (void)thread;
    CHILD_CHECK(mproc__thread_enter((mproc__thread_id *)arg) == 0);
    (void)mproc__add32(&n_ready, 1);
    while (mproc__load32_acquire(&go) == 0) {
        apr_thread_yield();
    }
    return NULL;
}

static void test_thread__many_at_once(void)
{
    static bool is_used[65536];
    static apr_thread_t *threads[N_THREADS];
    for (size_t i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, enter_and_wait, &ids[i], pool),
                              0);
    }
    while (mproc__load32_acquire(&n_ready) < N_THREADS) {
        apr_thread_yield();
    }
    uint32_t n = mproc__load32_acquire(&mproc__shm()->n_threads);
    CU_ASSERT(n >= N_THREADS);
    uint32_t n_wrong = 0;
    for (size_t i = 0; i < N_THREADS; i++) {
        uint32_t place = place_of(ids[i]);
        n_wrong +=
            place == 0 || place > n || is_used[place] || mproc__thread_is_dead(ids[i]) ? 1 : 0;
        is_used[place] = true;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    mproc__store32_release(&go, 1);
    for (size_t i = 0; i < N_THREADS; i++) {
        apr_status_t unused;
        (void)apr_thread_join(&unused, threads[i]);
        n_wrong += mproc__thread_is_dead(ids[i]) ? 0 : 1;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
}

static void child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (mproc__family_enter() < 0 || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        exit(EXIT_FAILURE);
    }
}

static const testlib_case cases[] = {
    {"has_one_id", test_thread__has_one_id},
    {"leaves_and_enters", test_thread__leaves_and_enters},
    {"wild_ids_are_dead", test_thread__wild_ids_are_dead},
    {"slots_are_used_again", test_thread__slots_are_used_again},
    {"many_at_once", test_thread__many_at_once},
};

TESTLIB_MAIN_CHILD("family.thread", cases, child)
