/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool_async.c: maps that are not waited for, and who is told of their end.
 *
 * Python's twin:
 *
 *     def keep(cubes): called.put(len(cubes))
 *     def complain(error): called.put(error)
 *
 *     with Pool(2) as pool:
 *         cubes = pool.map_async(cube, [1, 2, 3, 4], callback=keep)
 *         print(cubes.get(timeout=10))
 *         print("called back with", called.get(), "results")
 *         pool.starmap_async(divide, [(6, 2), (3, 0)], callback=keep, error_callback=complain)
 *         print("called back with an error:", called.get())
 */
#include <inttypes.h>
#include <mproc/mproc.h>
#include <stdio.h>

static int cube(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    if (rc >= 0) {
        *result = MPROC_VALUE(x * x * x);
    }
    return rc;
}

static int divide(const mproc_args *args, mproc_value *result)
{
    int64_t a, b;
    int rc = MPROC_UNPACK(args, &a, &b);
    if (rc >= 0 && b == 0) {
        return MPROC_ERANGE;
    }
    if (rc >= 0) {
        *result = MPROC_VALUE(a / b);
    }
    return rc;
}

/* In a thread of the library's, one call at a time. */
static void keep(void *called, const mproc_value *result)
{
    if (mproc_queue_put(called, MPROC_VALUE((int64_t)result->as.list.count), MPROC_FOREVER) < 0) {
        mproc_perror("keep");
    }
}

static void complain(void *called, int status, const char *sentence)
{
    (void)sentence; // of whoever returned the status: divide has none
    if (mproc_queue_put(called, MPROC_VALUE(mproc_strerror(status)), MPROC_FOREVER) < 0) {
        mproc_perror("complain");
    }
}

static int show_cubes(mproc_pool *pool, mproc_queue *called)
{
    const mproc_map_options options = {.callback = keep, .callback_arg = called};
    mproc_future *future;
    mproc_value cubes, count;
    int rc = mproc_pool_map_async(pool, cube, MPROC_ARGS(1, 2, 3, 4), &options, &future);
    if (rc < 0) {
        return rc;
    }
    rc = mproc_future_get(future, &cubes, mproc_seconds(10));
    for (size_t i = 0; rc >= 0 && i < cubes.as.list.count; i++) {
        printf("%s%" PRId64, i == 0 ? "[" : ", ", cubes.as.list.items[i].as.integer);
    }
    if (rc >= 0) {
        printf("]\n");
        mproc_value_clear(&cubes);
        rc = mproc_queue_get(called, &count, mproc_seconds(10));
    }
    if (rc >= 0) {
        printf("called back with %" PRId64 " results\n", count.as.integer);
    }
    mproc_future_close(future);
    return rc;
}

/* The callbacks have all that there is to know: no future is needed. */
static int show_error(mproc_pool *pool, mproc_queue *called)
{
    const mproc_map_options options = {
        .callback = keep, .error_callback = complain, .callback_arg = called};
    mproc_value error;
    int rc = mproc_pool_starmap_async(pool, divide, MPROC_ARGS(MPROC_LIST(6, 2), MPROC_LIST(3, 0)),
                                      &options, NULL);
    if (rc < 0 || (rc = mproc_queue_get(called, &error, mproc_seconds(10))) < 0) {
        return rc;
    }
    if (error.type == MPROC_STRING) {
        printf("called back with an error: %s\n", error.as.string.data);
    }
    mproc_value_clear(&error);
    return 0;
}

int main(int argc, char **argv)
{
    const mproc_pool_options two = {.processes = 2};
    mproc_pool *pool = NULL;
    mproc_queue *called = NULL;
    mproc_main(argc, argv);
    int rc = mproc_queue_create(&called, NULL);
    rc = rc < 0 ? rc : mproc_pool_create(&pool, &two);
    rc = rc < 0 ? rc : show_cubes(pool, called);
    rc = rc < 0 ? rc : show_error(pool, called);
    mproc_pool_close(pool);
    mproc_queue_close(called);
    return rc < 0 ? mproc_perror("pool") : 0;
}
