/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_apr.c: apr_thread_pool.
 */
#include "pool.h"

#include "../support/bench.h"

#include <apr_thread_pool.h>

static apr_thread_pool_t *threads;

static void *APR_THREAD_FUNC do_task(apr_thread_t *thread, void *arg)
{
    (void)thread;
    pool_crowd_do((size_t)(uintptr_t)arg);
    return NULL;
}

static int with_apr(const struct pool_way *way, int (*measure)(void *arg), void *arg)
{
    apr_pool_t *pool;
    (void)way;
    int rc = pool_crowd_open();
    if (rc != 0) {
        return rc;
    }
    if (apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        apr_thread_pool_create(&threads, POOL_WORKERS, POOL_WORKERS, pool) != APR_SUCCESS) {
        return bench_fail("apr_thread_pool_create");
    }
    rc = measure(arg);
    (void)apr_thread_pool_destroy(threads);
    apr_pool_destroy(pool);
    pool_crowd_close();
    return rc;
}

static int run_apr(const struct pool_way *way, const struct pool_batch *batch)
{
    (void)way;
    pool_crowd_begin(batch);
    for (size_t i = 0; i < batch->count; i++) {
        void *arg = (void *)(uintptr_t)i;
        if (apr_thread_pool_push(threads, do_task, arg, 0, NULL) != APR_SUCCESS) {
            return bench_fail("apr_thread_pool_push");
        }
    }
    pool_crowd_await();
    return 0;
}

const struct pool_way pool_apr_ways[] = {
    {"apr_thread_pool", POOL_SUBMIT | POOL_ONE | POOL_ASLEEP | POOL_PAYLOAD | POOL_STOP, 0,
     with_apr, run_apr},
    {0},
};
