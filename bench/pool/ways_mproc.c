/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_mproc.c: mproc's pool.
 */
#include "pool.h"

#include "../../examples/files.h"
#include "../support/bench.h"

#include <mproc/error.h>
#include <mproc/future.h>
#include <mproc/pool.h>
#include <mproc/process.h>

#include <stdlib.h>

static mproc_pool *workers;

static int fail(const char *what, int rc)
{
    return bench_fail("%s: %s (%s)", what, mproc_strerror(rc), mproc_last_error());
}

/* ---- what workers run ---- */

static int number_task(const mproc_args *args, mproc_value *result)
{
    int64_t number;
    int rc = MPROC_UNPACK(args, &number);
    if (rc == 0) {
        *result = MPROC_VALUE(number + 1);
    }
    return rc;
}

static int bytes_task(const mproc_args *args, mproc_value *result)
{
    static _Thread_local unsigned char out[POOL_MIB];
    mproc_bytes in;
    int rc = MPROC_UNPACK(args, &in);
    if (rc == 0) {
        pool_task(in.data, out, in.size);
        *result = MPROC_VALUE(mproc_bytes_of(out, in.size));
    }
    return rc;
}

/* ---- pools ---- */

enum option { BY_SPAWN, BY_FORKSERVER, BY_THREADS };

static int open_workers(enum option option)
{
    mproc_pool_options options = {.processes = POOL_WORKERS};
    if (option == BY_THREADS) {
        return mproc_thread_pool_create(&workers, &options);
    }
    options.context = mproc_get_context(option == BY_SPAWN ? "spawn" : "forkserver");
    if (!options.context) {
        return bench_skip("this system has no such start method");
    }
    return mproc_pool_create(&workers, &options);
}

static int with_pool(const struct pool_way *way, int (*measure)(void *arg), void *arg)
{
    int rc = open_workers((enum option)way->option);
    if (rc != 0) {
        return rc == BENCH_SKIPPED ? rc : fail("mproc_pool_create", rc);
    }
    rc = measure(arg);
    mproc_pool_close(workers);
    return rc;
}

/* ---- a call for each task ---- */

static mproc_future **futures;

static int make_futures(size_t count)
{
    static size_t room;
    if (count > room) {
        mproc_future **more = realloc(futures, count * sizeof(*futures));
        if (!more) {
            return bench_fail("there is no memory");
        }
        futures = more;
        room = count;
    }
    return 0;
}

static int submit(const struct pool_batch *batch, size_t index, mproc_future **ret_future)
{
    const unsigned char *in = batch->in + index * batch->size;
    if (batch->size == POOL_NUMBER) {
        int64_t number;
        memcpy(&number, in, sizeof(number));
        return mproc_pool_apply_async(workers, number_task, MPROC_ARGS(number), NULL, ret_future);
    }
    return mproc_pool_apply_async(workers, bytes_task, MPROC_ARGS(mproc_bytes_of(in, batch->size)),
                                  NULL, ret_future);
}

static void put_result(const struct pool_batch *batch, size_t index, const mproc_value *result)
{
    unsigned char *out = batch->out + index * batch->size;
    if (result->type == MPROC_INT) {
        memcpy(out, &result->as.integer, sizeof(result->as.integer));
    } else if (result->type == MPROC_BYTES && result->as.bytes.size == batch->size) {
        memcpy(out, result->as.bytes.data, batch->size);
    }
}

static int collect(const struct pool_batch *batch, size_t index)
{
    mproc_value result;
    int rc = mproc_future_get(futures[index], &result, MPROC_FOREVER);
    if (rc == 0) {
        put_result(batch, index, &result);
        mproc_value_clear(&result);
    }
    mproc_future_close(futures[index]);
    return rc;
}

static int run_submits(const struct pool_way *way, const struct pool_batch *batch)
{
    (void)way;
    int rc = make_futures(batch->count);
    size_t count = 0;
    while (rc == 0 && count < batch->count) {
        rc = submit(batch, count, &futures[count]);
        count += rc == 0;
    }
    for (size_t i = 0; i < count; i++) {
        int collected = collect(batch, i);
        rc = rc == 0 ? collected : rc;
    }
    return rc == 0 ? 0 : fail("mproc_pool_apply_async", rc);
}

/* ---- files ---- */

static int summarize(const mproc_args *args, mproc_value *result)
{
    static _Thread_local struct file_summary summary;
    const char *path;
    int rc = MPROC_UNPACK(args, &path);
    if (rc == 0) {
        file_summarize(path, &summary);
        *result = MPROC_VALUE(mproc_bytes_of(&summary, sizeof(summary)));
    }
    return rc;
}

static int collect_summary(mproc_future *future, struct file_summary *total)
{
    mproc_value result;
    struct file_summary one;
    int rc = mproc_future_get(future, &result, MPROC_FOREVER);
    if (rc == 0) {
        memcpy(&one, result.as.bytes.data, sizeof(one));
        file_summary_add(total, &one);
        mproc_value_clear(&result);
    }
    mproc_future_close(future);
    return rc;
}

int pool_files_mproc(const struct file_list *list, struct file_summary *ret_total)
{
    *ret_total = (struct file_summary){0};
    size_t count = 0;
    int rc = make_futures(list->count);
    rc = rc == 0 ? open_workers(BY_SPAWN) : rc;
    while (rc == 0 && count < list->count) {
        rc = mproc_pool_apply_async(workers, summarize, MPROC_ARGS(list->paths[count]), NULL,
                                    &futures[count]);
        count += rc == 0;
    }
    for (size_t i = 0; i < count; i++) {
        int collected = collect_summary(futures[i], ret_total);
        rc = rc == 0 ? collected : rc;
    }
    mproc_pool_close(workers);
    workers = NULL;
    return rc == 0 ? 0 : fail("mproc_pool_apply_async", rc);
}

#define SUBMITS (POOL_SUBMIT | POOL_ONE | POOL_ASLEEP | POOL_PAYLOAD)

const struct pool_way pool_mproc_ways[] = {
    {"mproc", SUBMITS, BY_SPAWN, with_pool, run_submits},
    {"mproc thread pool", SUBMITS | POOL_STOP, BY_THREADS, with_pool, run_submits},
    {"mproc, spawn", POOL_STOP, BY_SPAWN, with_pool, run_submits},
    {"mproc, forkserver", POOL_STOP, BY_FORKSERVER, with_pool, run_submits},
    {0},
};
