/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool_map.c: the workers of a pool, as Python's documentation introduces them.
 *
 * Python's twin:
 *
 *     with Pool(processes=4) as pool:
 *         print(pool.map(cube, [1, 2, 3, 4]))
 *         for i in pool.imap_unordered(cube, range(1, 5)):
 *             print(i)
 *         print(pool.apply_async(cube, (20,)).get(timeout=10))
 *         print([r.get(timeout=10) for r in [pool.apply_async(os.getpid, ()) for i in range(8)]])
 *         try:
 *             pool.apply_async(time.sleep, (10,)).get(timeout=0.1)
 *         except TimeoutError:
 *             print("Timed out")
 */
#include <inttypes.h>
#include <mproc/mproc.h>
#include <stdio.h>

#define TASKS 8

static int cube(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    if (rc >= 0) {
        *result = MPROC_VALUE(x * x * x);
    }
    return rc;
}

static int get_pid(const mproc_args *args, mproc_value *result)
{
    (void)args;
    *result = MPROC_VALUE(mproc_process_pid(NULL));
    return 0;
}

/* Waits for something that does not happen. */
static int sleep_long(const mproc_args *args, mproc_value *result)
{
    mproc_event *event;
    int rc = MPROC_UNPACK(args, &event);
    (void)result;
    return rc < 0 ? rc : mproc_event_wait(event, mproc_seconds(10));
}

static int show_cubes(mproc_pool *pool)
{
    mproc_value cubes[4];
    int rc = mproc_pool_map(pool, cube, MPROC_ARGS(1, 2, 3, 4), cubes, NULL, MPROC_FOREVER);
    if (rc >= 0) {
        printf("[%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 "]\n", cubes[0].as.integer,
               cubes[1].as.integer, cubes[2].as.integer, cubes[3].as.integer);
    }
    return rc;
}

static int sum_unordered(mproc_pool *pool)
{
    mproc_args_source source = {MPROC_ARGS(1, 2, 3, 4), 0};
    mproc_iterator *results;
    mproc_value value;
    int64_t sum = 0;
    int rc = mproc_pool_imap_unordered(pool, cube, mproc_source_args, &source, NULL, &results);
    if (rc < 0) {
        return rc;
    }
    while ((rc = mproc_iterator_next(results, &value, MPROC_FOREVER)) > 0) {
        sum += value.as.integer;
    }
    mproc_iterator_close(results);
    printf("in any order, their sum is %" PRId64 "\n", sum);
    return rc;
}

static int get_in_time(mproc_pool *pool)
{
    mproc_future *future;
    mproc_value value;
    int rc = mproc_pool_apply_async(pool, cube, MPROC_ARGS(20), NULL, &future);
    if (rc >= 0) {
        rc = mproc_future_get(future, &value, mproc_seconds(10));
        mproc_future_close(future);
    }
    if (rc >= 0) {
        printf("%" PRId64 "\n", value.as.integer);
    }
    return rc;
}

/* Who ran them is different each time. */
static int show_workers(mproc_pool *pool)
{
    mproc_future *futures[TASKS] = {NULL};
    int rc = 0;
    for (int i = 0; rc >= 0 && i < TASKS; i++) {
        rc = mproc_pool_apply_async(pool, get_pid, NULL, NULL, &futures[i]);
    }
    printf("eight tasks were run by");
    for (int i = 0; i < TASKS; i++) {
        mproc_value pid;
        rc = rc < 0 ? rc : mproc_future_get(futures[i], &pid, mproc_seconds(10));
        if (rc >= 0) {
            printf(" %" PRId64, pid.as.integer);
        }
        mproc_future_close(futures[i]);
    }
    printf("\n");
    return rc;
}

static int time_out(mproc_pool *pool)
{
    mproc_event *never;
    mproc_future *future;
    int rc = mproc_event_create(&never);
    if (rc < 0) {
        return rc;
    }
    rc = mproc_pool_apply_async(pool, sleep_long, MPROC_ARGS(never), NULL, &future);
    if (rc >= 0) {
        rc = mproc_future_get(future, NULL, mproc_seconds(0.1));
        if (rc == MPROC_ETIMEDOUT) {
            printf("Timed out\n");
            rc = 0;
        }
        mproc_future_close(future);
    }
    mproc_event_close(never);
    return rc;
}

int main(int argc, char **argv)
{
    const mproc_pool_options four = {.processes = 4};
    mproc_pool *pool;
    mproc_main(argc, argv);
    int rc = mproc_pool_create(&pool, &four);
    if (rc < 0) {
        return mproc_perror("pool");
    }
    rc = show_cubes(pool);
    rc = rc < 0 ? rc : sum_unordered(pool);
    rc = rc < 0 ? rc : get_in_time(pool);
    rc = rc < 0 ? rc : show_workers(pool);
    rc = rc < 0 ? rc : time_out(pool);
    mproc_pool_close(pool);
    return rc < 0 ? mproc_perror("pool") : 0;
}
