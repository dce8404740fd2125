/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_server.c: the fork server killed at random instants while threads start children by it. Each
 * start fails, or its function runs exactly once; the server is restarted; nothing is left. Linux only.
 */
#include "stress/storm.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#include <signal.h>

#define N_STARTERS 4

typedef struct storm {
    mproc_block *block;
    uint32_t n_wanted; /* starts for each thread */
    uint32_t next;     /* thread */
    uint32_t n_done;
    uint32_t n_failed;
    uint32_t n_wrong;
    uint32_t n_unknown;
} storm;

static const mproc_context *server_context(void)
{
    return mproc_get_context("forkserver");
}

static int count_me(const mproc_args *args)
{
    mproc_block *block;
    size_t index;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &index) == 0);
    (void)mproc__add32(&words_of(block)[index], 1);
    return 6;
}

static void start_one(storm *all, size_t index)
{
    const mproc_process_options options = {.context = server_context()};
    mproc_process *child = NULL;
    uint32_t *word = &words_of(all->block)[index];
    if (mproc_process_start(&child, count_me, MPROC_ARGS(all->block, index), &options) < 0) {
        (void)mproc__add32(&all->n_failed, 1);
        if (mproc__load32_acquire(word) != 0) {
            (void)mproc__add32(&all->n_wrong, 1);
        }
        return;
    }
    int code = 6;
    int rc = mproc_process_join(child, LIMIT);
    int known = mproc_process_exit_code(child, &code);
    (void)mproc__add32(&all->n_unknown, known == MPROC_EUNKNOWN ? 1 : 0);
    bool is_right = rc == MPROC_OK && mproc__load32_acquire(word) == 1 && code == 6 &&
                    (known == MPROC_OK || known == MPROC_EUNKNOWN) &&
                    mproc_process_close(child) == MPROC_OK;
    if (!is_right) {
        printf("join %d, code %d (%d), ran %u times ... ", rc, code, known, (unsigned)*word);
        (void)mproc__add32(&all->n_wrong, 1);
    }
}

static void *APR_THREAD_FUNC start_many(apr_thread_t *thread, void *arg)
{
    storm *all = arg;
    size_t me = mproc__add32(&all->next, 1);
    (void)thread;
    for (uint32_t i = 0; i < all->n_wanted && (i == 0 || !testlib_time_is_up()); i++) {
        start_one(all, me * all->n_wanted + i);
    }
    (void)mproc__add32(&all->n_done, 1);
    return NULL;
}

static void test_server__killed_at_random(void)
{
    storm all = {.n_wanted = (uint32_t)testlib_count(25, 2500)};
    all.block = make_words((size_t)all.n_wanted * N_STARTERS);
    apr_pool_t *pool;
    apr_thread_t *threads[N_STARTERS];
    apr_status_t unused;
    const mproc_process_options options = {.context = server_context()};
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL(end_of(start_with(count_me, MPROC_ARGS(all.block, 0), &options)), 6);
    words_of(all.block)[0] = 0;
    belongings before = take_stock();
    for (int i = 0; i < N_STARTERS; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, start_many, &all, pool),
                              APR_SUCCESS);
    }
    uint32_t n_kills = 0;
    while (mproc__load32_acquire(&all.n_done) < N_STARTERS) {
        pass_time(10000000);
        int64_t pid = pid_of_member("forkserver", 0);
        if (pid > 0 && kill((pid_t)pid, SIGKILL) == 0) {
            n_kills++;
        }
    }
    for (int i = 0; i < N_STARTERS; i++) {
        CU_ASSERT_EQUAL(apr_thread_join(&unused, threads[i]), APR_SUCCESS);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    CU_ASSERT_EQUAL(all.n_wrong, 0);
    printf("%u kills, %u starts failed, %u codes unknown ... ", n_kills, all.n_failed,
           all.n_unknown);
    // A server is started again, and what the dead ones have left is gone.
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    words_of(all.block)[0] = 0;
    CU_ASSERT_EQUAL(end_of(start_with(count_me, MPROC_ARGS(all.block, 0), &options)), 6);
    belongings after = take_stock();
    after.n_maps = before.n_maps; // threads leave stacks and heaps behind for others
    check_belongings(&before, &after);
    mproc_block_close(all.block);
}

static const testlib_case cases[] = {
    {"killed_at_random", test_server__killed_at_random},
};

TESTLIB_MAIN_CHILD("stress.server", cases, (void)mproc_main)
