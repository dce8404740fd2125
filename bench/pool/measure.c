/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure.c: the probes of pool.h.
 */
#include "pool.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <mproc/array.h>

#include <apr_time.h>

enum {
    TASKS = 100000, /* of a number each, handed over one by one */
    TOGETHER = 1000000,
    TASKS_KIB = 4096,
    TASKS_MIB = 16,
    COLD = 20
};

/* A probe that runs. */
struct run {
    const struct pool_probe *probe;
    int64_t slice_ns;
    double *ret_values;
    struct pool_batch batch;
    uint64_t next; /* number to hand over */
};

/* ---- batches ---- */

static size_t count_for(const struct pool_probe *probe)
{
    if (probe->size == POOL_NUMBER) {
        unsigned one_by_one = POOL_SUBMIT | POOL_MAP_ONE | POOL_UNORDERED;
        return probe->way->parts & one_by_one ? TASKS : TOGETHER;
    }
    return probe->size == POOL_KIB ? TASKS_KIB : TASKS_MIB;
}

/* Memory that is touched in each run: nobody pays for pages that are new. */
static int take_memory(struct pool_batch *batch)
{
    static mproc_array *in;
    static mproc_array *out;
    const size_t half = (size_t)TASKS_MIB * POOL_MIB;
    const size_t length = half / POOL_NUMBER;
    if (!out) {
        if ((!in && mproc_array_create(&in, 'q', length, NULL, NULL) < 0) ||
            mproc_array_create(&out, 'q', length, NULL, NULL) < 0) {
            return bench_skip("there is no memory");
        }
        memset(mproc_array_data(in), 1, half);
        memset(mproc_array_data(out), 1, half);
    }
    batch->in_array = in;
    batch->out_array = out;
    batch->in = mproc_array_data(in);
    batch->out = mproc_array_data(out);
    return batch->size * batch->count <= half ? 0 : bench_fail("a batch is too large");
}

/* New numbers; what was there before must not pass for results. */
static void prepare(struct run *run)
{
    const struct pool_batch *batch = &run->batch;
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t number = run->next++;
        memcpy((unsigned char *)(uintptr_t)batch->in + i * batch->size, &number, sizeof number);
        memset(batch->out + i * batch->size, 0, sizeof number);
    }
}

static int check(const struct run *run)
{
    const struct pool_batch *batch = &run->batch;
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t in;
        uint64_t out;
        memcpy(&in, batch->in + i * batch->size, sizeof in);
        memcpy(&out, batch->out + i * batch->size, sizeof out);
        if (out != in + 1) {
            return bench_fail("task %zu of %zu was not done", i, batch->count);
        }
    }
    return 0;
}

/* Nanoseconds it took, or what failed: then it is not more than 0. */
static int run_batch(struct run *run, int64_t *ret_took)
{
    const struct pool_way *way = run->probe->way;
    prepare(run);
    int64_t before = bench_now();
    int rc = way->run(way, &run->batch);
    *ret_took = bench_now() - before;
    return rc == 0 ? check(run) : rc;
}

static int run_probe(
    const struct pool_probe *probe, size_t count, int64_t slice_ns,
    double *ret_values, // NOLINT(readability-non-const-parameter): `measure` writes there
    int (*measure)(void *arg))
{
    struct run run = {.probe = probe, .slice_ns = slice_ns, .ret_values = ret_values};
    run.batch.size = probe->size;
    run.batch.count = count;
    int rc = take_memory(&run.batch);
    return rc == 0 ? probe->way->with(probe->way, measure, &run) : rc;
}

/* ---- the probes ---- */

static int measure_rate(void *arg)
{
    struct run *run = arg;
    int64_t took;
    int64_t sum = 0;
    size_t batches = 0;
    int rc = run_batch(run, &took); // cold
    while (rc == 0 && sum < run->slice_ns) {
        rc = run_batch(run, &took);
        sum += took;
        batches++;
    }
    run->ret_values[0] = (double)(batches * run->batch.count) / ((double)sum / 1e6);
    return rc;
}

int pool_run_rate(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct pool_probe *probe = arg;
    return run_probe(probe, count_for(probe), slice_ns, ret_values, measure_rate);
}

static int measure_one(void *arg)
{
    static double samples[BENCH_MAX_REPEATS];
    struct run *run = arg;
    size_t count = 0;
    int rc = 0;
    int64_t took;
    for (int i = 0; rc == 0 && i < COLD; i++) {
        rc = run_batch(run, &took);
    }
    // Of what is slept away in pauses nothing is measured.
    int64_t end = bench_now() + (run->probe->pause_ns > 0 ? 4 : 1) * run->slice_ns;
    while (rc == 0 && count < BENCH_MAX_REPEATS && (count < 3 || bench_now() < end)) {
        if (run->probe->pause_ns > 0) {
            apr_sleep(run->probe->pause_ns / 1000);
        }
        rc = run_batch(run, &took);
        samples[count++] = (double)took / 1e3;
    }
    run->ret_values[POOL_MEDIAN] = bench_median(samples, count); // sorts them
    run->ret_values[POOL_P99] = samples[count * 99 / 100];
    return rc;
}

int pool_run_one(const void *arg, int64_t slice_ns, double *ret_values)
{
    return run_probe(arg, 1, slice_ns, ret_values, measure_one);
}

static int measure_two(void *arg)
{
    int64_t took;
    return run_batch(arg, &took);
}

int pool_run_stop(const void *arg, int64_t slice_ns, double *ret_values)
{
    static double samples[BENCH_MAX_REPEATS];
    size_t count = 0;
    int rc = 0;
    int64_t end = bench_now() + slice_ns;
    while (rc == 0 && count < BENCH_MAX_REPEATS && (count < 3 || bench_now() < end)) {
        int64_t before = bench_now();
        rc = run_probe(arg, POOL_WORKERS, slice_ns, ret_values, measure_two);
        samples[count++] = (double)(bench_now() - before) / 1e3;
    }
    ret_values[0] = bench_median(samples, count);
    return rc;
}
