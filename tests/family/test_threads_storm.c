/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_threads_storm.c: threads of one process as the participants, so that ThreadSanitizer sees them,
 * and some of them die in the middle: they end at a kill point, whatever they hold. POSIX only.
 *
 * What a dead thread held stays in the ledger of the process, which lives; the test gives it back.
 */
#include "base/atomic.h"
#include "base/check.h"
#include "base/compiler.h"
#include "family/block.h"
#include "family/check.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/sleep.h"
#include "family/thread.h"

#include <pthread.h>
#include <string.h>

#define N_THREADS 8
#define N_OWN 16

static uint64_t common;
static long n_rounds;
static uint32_t n_deaths;
static MPROC__THREAD_LOCAL long hits_left; /* 0: does not die */

/* Never returns when it is the thread's turn. */
static void end_thread(const char *name)
{
    (void)name;
    if (hits_left == 0 || --hits_left != 0) {
        return;
    }
    // The kernel orders all a thread has stored before its death is seen. ThreadSanitizer cannot know
    // that: an exchange of the lock's word for itself tells it.
    uint64_t *word = &mproc__shm()->lock.word;
    uint64_t seen = mproc__load64_relaxed(word);
    while (!mproc__cas64(word, &seen, seen)) {
    }
    (void)mproc__add32(&n_deaths, 1);
    mproc__thread_forget(); // or it would leave in good order
    pthread_exit(NULL);
}

static void operate(mproc__hold *hold, uint32_t *seed)
{
    if (hold->offset != 0) {
        mproc__block_release(*hold);
        *hold = (mproc__hold){0, 0};
    } else if (testlib_next(seed) % 2 == 0) {
        CHILD_CHECK(mproc__block_attach(common, hold) == 0);
    } else {
        uint64_t size = testlib_next(seed) % ((uint64_t)1 << (5 + testlib_next(seed) % 13)) + 1;
        uint32_t n = testlib_next(seed) % 3;
        CHILD_CHECK(mproc__block_create(MPROC__KIND_TEST, size, n, false, hold) == 0);
        memset(mproc__block_at(hold->offset), (int)size, (size_t)size);
        for (uint32_t i = 0; i < n; i++) {
            CHILD_CHECK(mproc__block_embed(hold->offset, common) == 0);
        }
    }
}

static void *work(void *arg)
{
    mproc__hold own[N_OWN];
    uint32_t seed = *(uint32_t *)arg;
    memset(own, 0, sizeof(own));
    hits_left = testlib_next(&seed) % 2 == 0 ? 0 : testlib_next(&seed) % 3000;
    CHILD_CHECK(mproc__thread_enter(NULL) == 0);
    for (long i = 0; i < n_rounds; i++) {
        operate(&own[testlib_next(&seed) % N_OWN], &seed);
    }
    hits_left = 0;
    for (int i = 0; i < N_OWN; i++) {
        if (own[i].offset != 0) {
            mproc__block_release(own[i]);
        }
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[N_THREADS];
    uint32_t seeds[N_THREADS];
    for (int i = 0; i < N_THREADS; i++) {
        seeds[i] = testlib_random() | 1;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, work, &seeds[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
    }
}

static void test_threads__share_the_arena(void)
{
    const check_figures before = check_read();
    int64_t slice = mproc__slice_ns;
    mproc__slice_ns = INT64_MAX / 4; // nothing rests on slices as long as nobody dies
    n_rounds = testlib_count(4000, 1000000);
    run_threads();
    mproc__slice_ns = slice;
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_threads__die_in_the_middle(void)
{
#ifdef MPROC_KILLPOINTS
    const check_figures before = check_read();
    n_rounds = 2000;
    long count = testlib_count(15, 2000);
    for (long i = 0; i < count; i++) {
        mproc__killpoint_fn = end_thread;
        run_threads();
        mproc__killpoint_fn = NULL;
        CHECK_FAMILY();
        check_release_left(common);
        CHECK_FAMILY();
        CHECK_BACK_TO(before);
    }
    printf("%u threads have died ... ", n_deaths);
    CU_ASSERT(n_deaths > 0);
#else
    (void)end_thread;
    testlib_skip("the library was built without MPROC_KILLPOINTS");
#endif
}

static void child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc__hold hold;
    if (mproc__family_enter() < 0 ||
        mproc__block_create(MPROC__KIND_TEST, 100, 0, true, &hold) < 0 || hold.entry != 0) {
        exit(EXIT_FAILURE);
    }
    common = hold.offset;
    check_widen(N_THREADS * N_OWN * 4);
}

static const testlib_case cases[] = {
    {"share_the_arena", test_threads__share_the_arena},
    {"die_in_the_middle", test_threads__die_in_the_middle},
};

TESTLIB_MAIN_CHILD("family.threads_storm", cases, child)
