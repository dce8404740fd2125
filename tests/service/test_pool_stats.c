/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pool_stats.c: what pools tell of themselves: numbers, and traces.
 */
#include "service/pool_test.h"

#include "mproc/mproc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char path
    [64]; /* of a trace; a process goes on with a file that it has opened, so each needs its own */

/** The pool's numbers when it has nothing to do any more: a result is there before its worker has gone on. */
static mproc_pool_stats settled(const mproc_pool *pool, mproc_worker_stats *workers)
{
    mproc_block *block = make_words(1);
    mproc_pool_stats stats = {0};
    int64_t deadline = mplat_now() + LIMIT;
    do {
        (void)mplat_wait(words_of(block), 0, mplat_now() + mproc_milliseconds(1), NULL, NULL);
        CU_ASSERT_EQUAL(mproc_pool_get_stats(pool, &stats, workers, 2), MPROC_OK);
    } while ((stats.n_busy > 0 || workers[0].pid == 0 || workers[1].pid == 0) &&
             mplat_now() < deadline);
    mproc_block_close(block);
    return stats;
}

static void test_pool_stats__count_tasks_and_restarts(void)
{
    enum { N = 100 };
    mproc_pool *pool = make_pool(2);
    mproc_worker_stats workers[2];
    mproc_block *block = make_words(2);
    mproc_pool_stats stats = settled(pool, workers);
    CU_ASSERT_EQUAL(stats.n_workers, 2);
    CU_ASSERT_EQUAL(stats.n_tasks, 0);
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(result_of(submit(pool, task_add, MPROC_ARGS(i, i))), 2 * i);
    }
    stats = settled(pool, workers);
    CU_ASSERT_EQUAL(stats.n_tasks, N);
    CU_ASSERT_EQUAL(workers[0].n_tasks + workers[1].n_tasks, N);
    CU_ASSERT_EQUAL(stats.n_waiting, 0);
    CU_ASSERT_EQUAL(stats.n_restarts, 0);
    CU_ASSERT(stats.wait_ns > 0);
    int64_t pid = workers[0].pid;
    CU_ASSERT_NOT_EQUAL(pid, workers[1].pid);
    // Two that run, and one that waits.
    mproc_future *futures[3];
    for (int i = 0; i < 3; i++) {
        futures[i] = submit(pool, task_meet, MPROC_ARGS(block));
    }
    CU_ASSERT(await_word(words_of(block), 2));
    CU_ASSERT_EQUAL(mproc_pool_get_stats(pool, &stats, NULL, 0), MPROC_OK);
    CU_ASSERT_EQUAL(stats.n_busy, 2);
    CU_ASSERT_EQUAL(stats.n_waiting, 1);
    mproc__store32_release(words_of(block) + 1, 1);
    (void)mplat_wake(words_of(block) + 1, INT32_MAX);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT(result_of(futures[i]) > 0);
    }
    CU_ASSERT_EQUAL(outcome_of(submit(pool, task_exit, MPROC_ARGS(block, 3)), NULL),
                    MPROC_EWORKERDIED);
    stats = settled(pool, workers);
    CU_ASSERT_EQUAL(stats.n_restarts, 1);
    CU_ASSERT_EQUAL(workers[0].n_restarts + workers[1].n_restarts, 1);
    CU_ASSERT_EQUAL(mproc_pool_get_stats(NULL, &stats, NULL, 0), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_get_stats(pool, NULL, NULL, 0), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_get_stats(pool, &stats, NULL, 1), MPROC_EINVAL);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static size_t count_in(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        n++;
    }
    return n;
}

static char *read_trace(void)
{
    enum { MOST = 1 << 20 };
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, MOST);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT(fread(text, 1, MOST - 1, file) > 0);
    (void)fclose(file);
    return text;
}

/** Each task that was begun is there once, whatever became of it. */
static void test_pool_stats__traces(void)
{
    static int n_traces;
    (void)snprintf(path, sizeof(path), "test_service_pool_stats_%d.json", n_traces++);
    mproc_pool *pool = make_pool_with((mproc_pool_options){.trace_path = path}, 2);
    mproc_block *block = make_words(2);
    mproc_value results[6];
    const mproc_map_options options = {.name = "a map", .chunk_size = 2};
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(result_of(submit_with(pool, task_add, MPROC_ARGS(i, i),
                                              (mproc_task_options){.name = "an addition"})),
                        2 * i);
    }
    CU_ASSERT_EQUAL(outcome_of(submit_with(pool, task_exit, MPROC_ARGS(block, 3),
                                           (mproc_task_options){.name = "an end"}),
                               NULL),
                    MPROC_EWORKERDIED);
    CU_ASSERT_EQUAL(
        mproc_pool_starmap(pool, task_add,
                           MPROC_ARGS(MPROC_LIST(1, 2), MPROC_LIST(1, 2), MPROC_LIST(1, 2),
                                      MPROC_LIST(1, 2), MPROC_LIST(1, 2), MPROC_LIST(1, 2)),
                           results, &options, LIMIT),
        0);
    mproc_pool_close(pool);
    char *text = read_trace();
    CU_ASSERT_EQUAL(count_in(text, "\"an addition\",\"cat\":\"task\",\"ph\":\"X\""), 10);
    CU_ASSERT_EQUAL(count_in(text, "\"a map\",\"cat\":\"task\",\"ph\":\"X\""), 3);
    CU_ASSERT_EQUAL(count_in(text, "\"an end\",\"cat\":\"task\",\"ph\":\"X\""), 1);
    CU_ASSERT_EQUAL(count_in(text, "\"status\":-29"), 1);
    CU_ASSERT_EQUAL(count_in(text, "\"ph\":\"s\""), 28);
    CU_ASSERT_EQUAL(count_in(text, "\"ph\":\"f\""), 28);
    CU_ASSERT(count_in(text, "PoolWorker-") >= 2);
    free(text);
    (void)remove(path);
    mproc_block_close(block);
    mproc_pool *none = NULL;
    CU_ASSERT_EQUAL(
        mproc_pool_create(&none, &(mproc_pool_options){.trace_path = "no such folder/trace.json"}),
        MPROC_EACCES);
    CU_ASSERT_PTR_NULL(none);
}

static const testlib_case cases[] = {
    {"count_tasks_and_restarts", test_pool_stats__count_tasks_and_restarts},
    {"traces", test_pool_stats__traces},
};

PROCESS_TEST_MAIN("service.pool_stats", cases)
