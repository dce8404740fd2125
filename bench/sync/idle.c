/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle.c: what it costs that many sleep.
 */
#include "sync.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#include <apr_time.h>
#include <mproc/error.h>
#include <mproc/event.h>

enum { PROCESSES = 10, THREADS = 100 };

/* They fall asleep for good only after a while; then for a few seconds, in short runs as in long ones. */
#define SETTLE_NS ((int64_t)1000000000)
#define SLICES 100
#define LEAST_NS ((int64_t)4000000000)

/* ---- in each process ---- */

static void *APR_THREAD_FUNC sleep_on(apr_thread_t *thread, void *event)
{
    int rc = mproc_event_wait(event, MPROC_FOREVER);
    apr_thread_exit(thread, rc < 0 ? APR_EGENERAL : APR_SUCCESS);
    return NULL;
}

static int join_all(apr_thread_t **threads, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        apr_status_t result = APR_EGENERAL;
        apr_thread_join(&result, threads[i]);
        rc = result == APR_SUCCESS ? rc : 1;
    }
    return rc;
}

int sync_idle(const struct bench_task *task, size_t index, struct bench_shared *shared)
{
    apr_thread_t *threads[THREADS];
    apr_pool_t *pool;
    size_t n = 0;
    (void)index;
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    // The first thread is one of the hundred.
    while (n < THREADS - 1 &&
           apr_thread_create(&threads[n], NULL, sleep_on, task->objects[0], pool) == APR_SUCCESS) {
        n++;
    }
    bench_await_start(shared);
    int rc = mproc_event_wait(task->objects[0], MPROC_FOREVER);
    int joined = join_all(threads, n);
    return rc == 0 && joined == 0 && n == THREADS - 1 ? 0 : 1;
}

/* ---- in the benchmark ---- */

static int64_t cpu_time(const struct bench_crew *crew)
{
    int64_t sum = 0;
    for (size_t i = 0; i < crew->n; i++) {
        int64_t one = bench_cpu_time(mproc_process_pid(crew->members[i]));
        if (one < 0) {
            return -1;
        }
        sum += one;
    }
    return sum;
}

static int watch_sleepers(const struct bench_crew *crew, int64_t slice_ns, double *ret_value)
{
    int64_t span = SLICES * slice_ns > LEAST_NS ? SLICES * slice_ns : LEAST_NS;
    bench_crew_go(crew);
    apr_sleep(SETTLE_NS / 1000);
    int64_t before = cpu_time(crew);
    int64_t begin = bench_now();
    apr_sleep(span / 1000);
    int64_t used = cpu_time(crew) - before;
    int64_t took = bench_now() - begin;
    *ret_value = 100 * (double)used / (double)took;
    return before < 0 ? bench_skip("the processor time of others is not known") : 0;
}

int sync_run_idle(const void *arg, int64_t slice_ns, double *ret_values)
{
    (void)arg;
    struct bench_crew crew;
    mproc_event *event;
    int rc = mproc_event_create(&event);
    if (rc < 0) {
        return bench_fail("event: %s (%s)", mproc_strerror(rc), mproc_last_error());
    }
    struct bench_task task = {
        .role = SYNC_IDLE,
        .n_processes = PROCESSES,
        .processor = {-1, -1},
        .objects = {event, NULL},
        .is_object = true,
    };
    rc = bench_crew_start(&crew, &task);
    if (rc == 0) {
        rc = watch_sleepers(&crew, slice_ns, ret_values);
        mproc_event_set(event);
        int joined = bench_crew_join(&crew);
        rc = rc != 0 ? rc : joined;
    }
    mproc_event_close(event);
    return rc;
}
