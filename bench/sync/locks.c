/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locks.c: probes of locks: nobody else wants it, and several processes do.
 */
#include "sync.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <apr_time.h>
#include <mproc/main.h>

enum { BATCH = 2000 };

const struct sync_lock_way *sync_lock_way(size_t number)
{
    const struct sync_lock_way *const lists[] = {sync_mproc_locks, sync_system_locks,
                                                 sync_apr_locks};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct sync_lock_way *way = lists[i]; way->subject; way++) {
            if (number-- == 0) {
                return way;
            }
        }
    }
    return NULL;
}

int sync_run_uncontended(const void *arg, int64_t slice_ns, double *ret_values)
{
    static double samples[BENCH_MAX_REPEATS];
    const struct sync_lock_probe *probe = arg;
    const struct sync_lock_way *way = sync_lock_way(probe->way);
    size_t count = 0;
    void *lock;
    int rc = way->open(way, &lock);
    if (rc != 0) {
        return rc;
    }
    int failed = way->repeat(lock, BATCH); // cold
    int64_t end = bench_now() + slice_ns;
    while (failed == 0 && count < BENCH_MAX_REPEATS && (count < 3 || bench_now() < end)) {
        int64_t before = bench_now();
        failed = way->repeat(lock, BATCH);
        samples[count++] = (double)(bench_now() - before) / BATCH;
    }
    way->close(lock);
    ret_values[0] = bench_median(samples, count);
    return failed == 0 ? 0 : bench_fail("%s: a call failed", way->subject);
}

/* ---- several processes ---- */

int sync_contend(const struct bench_task *task, size_t index, struct bench_shared *shared)
{
    const struct sync_lock_way *way = sync_lock_way(task->way);
    void *lock = task->objects[0];
    struct bench_result result = {0};
    int rc = way->enter ? way->enter(&lock) : 0;
    if (rc == 0) {
        bench_await_start(shared);
        rc = way->contend(lock, shared, &result);
    }
    shared->results[index] = result;
    return rc;
}

static int evaluate(const struct sync_lock_way *way, const struct bench_crew *crew, size_t n,
                    int64_t took_ns, double *ret_values)
{
    const struct bench_result *results = crew->shared->results;
    uint64_t count = 0, total = 0, most = 0, least = UINT64_MAX;
    int64_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        count += results[i].count;
        total += results[i].total;
        most = results[i].count > most ? results[i].count : most;
        least = results[i].count < least ? results[i].count : least;
        longest = results[i].longest_ns > longest ? results[i].longest_ns : longest;
    }
    for (int i = 0; i < 4; i++) {
        if (!way->is_shared && crew->shared->words[i] != total) {
            return bench_fail("%s: two processes had it at once", way->subject);
        }
    }
    ret_values[SYNC_RATE] = (double)count / ((double)took_ns / 1e6);
    ret_values[SYNC_SHARE] = most > 0 ? (double)least / (double)most : 0;
    ret_values[SYNC_LONGEST] = (double)longest / 1e3;
    return 0;
}

/* Twice the slice undisturbed, for shares get even only over many turns of the scheduler. */
static int contend(const struct sync_lock_probe *probe, void *lock, int64_t slice_ns,
                   double *ret_values)
{
    const struct sync_lock_way *way = sync_lock_way(probe->way);
    struct bench_crew crew;
    struct bench_task task = {
        .role = SYNC_CONTEND,
        .way = probe->way,
        .n_processes = probe->n_processes,
        .processor = {-1, -1},
        .objects = {lock, NULL},
        .is_object = way->is_object,
    };
    // Two on one processor would hardly ever meet; more than there are processors the system places.
    if (probe->n_processes == 2 && bench_processors(task.processor) < 2) {
        return bench_skip("there are not enough processors, or they are not known");
    }
    int rc = bench_crew_start(&crew, &task);
    if (rc != 0) {
        return rc;
    }
    int64_t begin = bench_crew_go(&crew);
    apr_sleep(2 * slice_ns / 1000);
    int64_t end = bench_crew_stop(&crew);
    apr_sleep(slice_ns / 1000);
    bench_crew_stop(&crew);
    rc = bench_crew_join(&crew);
    return rc != 0 ? rc : evaluate(way, &crew, probe->n_processes, end - begin, ret_values);
}

int sync_run_contended(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct sync_lock_probe *probe = arg;
    const struct sync_lock_way *way = sync_lock_way(probe->way);
    void *lock;
    if (!way->is_object && !mproc_get_context("fork")) {
        return bench_skip("only copies of this process could use it");
    }
    int rc = way->open(way, &lock);
    if (rc != 0) {
        return rc;
    }
    rc = contend(probe, lock, slice_ns, ret_values);
    way->close(lock);
    return rc;
}
