/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_glib.c: GLib's GThreadPool, with threads of its own.
 */
#include "pool.h"

#include "../support/bench.h"

#include <glib.h>

static GThreadPool *threads;

static void do_task(gpointer number, gpointer unused)
{
    (void)unused;
    pool_crowd_do((size_t)(uintptr_t)number - 1);
}

static int with_glib(const struct pool_way *way, int (*measure)(void *arg), void *arg)
{
    (void)way;
    int rc = pool_crowd_open();
    if (rc != 0) {
        return rc;
    }
    threads = g_thread_pool_new(do_task, NULL, POOL_WORKERS, TRUE, NULL);
    if (!threads) {
        return bench_fail("g_thread_pool_new");
    }
    rc = measure(arg);
    g_thread_pool_free(threads, FALSE, TRUE);
    pool_crowd_close();
    return rc;
}

static int run_glib(const struct pool_way *way, const struct pool_batch *batch)
{
    (void)way;
    pool_crowd_begin(batch);
    for (size_t i = 0; i < batch->count; i++) {
        void *number = (void *)(uintptr_t)(i + 1); // it takes no NULL
        if (!g_thread_pool_push(threads, number, NULL)) {
            return bench_fail("g_thread_pool_push");
        }
    }
    pool_crowd_await();
    return 0;
}

const struct pool_way pool_glib_ways[] = {
    {"GThreadPool", POOL_SUBMIT | POOL_ONE | POOL_ASLEEP | POOL_PAYLOAD | POOL_STOP, 0, with_glib,
     run_glib},
    {0},
};
