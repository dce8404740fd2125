/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_mproc.c: mproc's pool.
 */
#include "pool.h"

#include "../../examples/files.h"
#include "../support/bench.h"

#include <mproc/array.h>
#include <mproc/error.h>
#include <mproc/future.h>
#include <mproc/pool.h>
#include <mproc/pool_map.h>
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
        mproc_future **more = realloc(futures, count * sizeof(mproc_future *));
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

/* ---- maps of values ---- */

/* Room for a batch's items and results. */
static int make_values(size_t count, mproc_value **ret_values)
{
    static mproc_value *values;
    static size_t room;
    if (2 * count > room) {
        free(values);
        values = malloc(2 * count * sizeof(*values));
        room = values ? 2 * count : 0;
    }
    *ret_values = values;
    return values ? 0 : bench_fail("there is no memory");
}

static mproc_value item_of(const struct pool_batch *batch, size_t index)
{
    int64_t number;
    memcpy(&number, batch->in + index * batch->size, sizeof(number));
    return MPROC_VALUE(number);
}

static int map(const struct pool_batch *batch, size_t chunk_size)
{
    const mproc_map_options options = {.chunk_size = chunk_size};
    mproc_value *items;
    int rc = make_values(batch->count, &items);
    if (rc != 0 || items == NULL) {
        return rc;
    }
    mproc_value *results = items + batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        items[i] = item_of(batch, i);
    }
    rc = mproc_pool_map(workers, number_task, &(mproc_args){batch->count, items}, results, &options,
                        MPROC_FOREVER);
    for (size_t i = 0; rc == 0 && i < batch->count; i++) {
        put_result(batch, i, &results[i]);
        mproc_value_clear(&results[i]);
    }
    return rc == 0 ? 0 : fail("mproc_pool_map", rc);
}

static int run_map(const struct pool_way *way, const struct pool_batch *batch)
{
    (void)way;
    return map(batch, 0);
}

static int run_map_one(const struct pool_way *way, const struct pool_batch *batch)
{
    (void)way;
    return map(batch, 1);
}

struct source {
    const struct pool_batch *batch;
    size_t next;
};

static int next_item(mproc_value *ret_item, void *arg)
{
    struct source *source = arg;
    if (source->next == source->batch->count) {
        return 0;
    }
    *ret_item = item_of(source->batch, source->next++);
    return 1;
}

static int run_unordered(const struct pool_way *way, const struct pool_batch *batch)
{
    struct source source = {batch, 0};
    mproc_iterator *results;
    mproc_value result;
    (void)way;
    int rc = mproc_pool_imap_unordered(workers, number_task, next_item, &source, NULL, &results);
    if (rc < 0) {
        return fail("mproc_pool_imap_unordered", rc);
    }
    while ((rc = mproc_iterator_next(results, &result, MPROC_FOREVER)) > 0) {
        put_result(batch, mproc_iterator_index(results), &result);
        mproc_value_clear(&result);
    }
    mproc_iterator_close(results);
    return rc == 0 ? 0 : fail("mproc_iterator_next", rc);
}

/* ---- arrays ---- */

static int number_element(const void *in, void *out, const mproc_args *args)
{
    (void)args;
    pool_task(in, out, POOL_NUMBER);
    return 0;
}

static int run_copied(const struct pool_way *way, const struct pool_batch *batch)
{
    const mproc_elements in = {(void *)(uintptr_t)batch->in, batch->size, NULL};
    const mproc_elements out = {batch->out, batch->size, NULL};
    (void)way;
    int rc = mproc_pool_map_array(workers, number_element, in, out, batch->count, NULL, NULL,
                                  MPROC_FOREVER);
    return rc == 0 ? 0 : fail("mproc_pool_map_array", rc);
}

static int run_in_place(const struct pool_way *way, const struct pool_batch *batch)
{
    const mproc_elements in = {NULL, 0, batch->in_array};
    const mproc_elements out = {NULL, 0, batch->out_array};
    (void)way;
    int rc = mproc_pool_map_array(workers, number_element, in, out, batch->count, NULL, NULL,
                                  MPROC_FOREVER);
    return rc == 0 ? 0 : fail("mproc_pool_map_array", rc);
}

static int number_range(int64_t begin, int64_t end, const mproc_args *args)
{
    mproc_array *in;
    mproc_array *out;
    int rc = MPROC_UNPACK(args, &in, &out);
    if (rc == 0) {
        const struct pool_batch batch = {
            .size = POOL_NUMBER, .in = mproc_array_data(in), .out = mproc_array_data(out)};
        for (int64_t i = begin; i < end; i++) {
            pool_run_task(&batch, (size_t)i);
        }
    }
    return rc;
}

static int run_for(const struct pool_way *way, const struct pool_batch *batch)
{
    (void)way;
    int rc = mproc_pool_for(workers, number_range, 0, (int64_t)batch->count,
                            MPROC_ARGS(batch->in_array, batch->out_array), NULL, MPROC_FOREVER);
    return rc == 0 ? 0 : fail("mproc_pool_for", rc);
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

static int next_path(mproc_value *ret_item, void *arg)
{
    char ***next = arg;
    if (!**next) {
        return 0;
    }
    *ret_item = MPROC_VALUE(*(*next)++);
    return 1;
}

static int take_summaries(mproc_iterator *results, struct file_summary *total)
{
    mproc_value result;
    struct file_summary one;
    int rc;
    while ((rc = mproc_iterator_next(results, &result, MPROC_FOREVER)) > 0) {
        memcpy(&one, result.as.bytes.data, sizeof(one));
        file_summary_add(total, &one);
        mproc_value_clear(&result);
    }
    return rc;
}

static int open_for_files(struct file_summary *ret_total)
{
    *ret_total = (struct file_summary){0};
    return open_workers(BY_SPAWN);
}

static int close_after_files(int rc, const char *what)
{
    mproc_pool_close(workers);
    workers = NULL;
    return rc == 0 ? 0 : fail(what, rc);
}

/* As the example does it. */
int pool_files_mproc(const struct file_list *list, struct file_summary *ret_total)
{
    const mproc_map_options options = {.chunk_size = POOL_FILES_CHUNK};
    mproc_value *paths = NULL;
    struct file_summary one;
    int rc = make_values(list->count, &paths);
    if (rc != 0 || paths == NULL) {
        return rc;
    }
    mproc_value *results = paths + list->count;
    for (size_t i = 0; i < list->count; i++) {
        paths[i] = MPROC_VALUE(list->paths[i]);
    }
    rc = open_for_files(ret_total);
    if (rc == 0) {
        rc = mproc_pool_map(workers, summarize, &(mproc_args){list->count, paths}, results,
                            &options, MPROC_FOREVER);
    }
    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        memcpy(&one, results[i].as.bytes.data, sizeof(one));
        file_summary_add(ret_total, &one);
        mproc_value_clear(&results[i]);
    }
    return close_after_files(rc, "mproc_pool_map");
}

int pool_files_mproc_unordered(const struct file_list *list, struct file_summary *ret_total)
{
    char **next = list->paths;
    mproc_iterator *results = NULL;
    int rc = open_for_files(ret_total);
    if (rc == 0) {
        rc = mproc_pool_imap_unordered(workers, summarize, next_path, &next, NULL, &results);
    }
    if (rc == 0) {
        rc = take_summaries(results, ret_total);
    }
    mproc_iterator_close(results);
    return close_after_files(rc, "mproc_pool_imap_unordered");
}

#define SUBMITS (POOL_SUBMIT | POOL_ONE | POOL_ASLEEP | POOL_PAYLOAD)

const struct pool_way pool_mproc_ways[] = {
    {"mproc", SUBMITS, BY_SPAWN, with_pool, run_submits},
    {"mproc thread pool", SUBMITS | POOL_STOP, BY_THREADS, with_pool, run_submits},
    {"mproc, spawn", POOL_STOP, BY_SPAWN, with_pool, run_submits},
    {"mproc, forkserver", POOL_STOP, BY_FORKSERVER, with_pool, run_submits},
    {"mproc map", POOL_MAP, BY_SPAWN, with_pool, run_map},
    {"mproc map, 1 at a time", POOL_MAP_ONE, BY_SPAWN, with_pool, run_map_one},
    {"mproc imap_unordered", POOL_UNORDERED, BY_SPAWN, with_pool, run_unordered},
    {"mproc map_array", POOL_ARRAY, BY_SPAWN, with_pool, run_copied},
    {"mproc map_array, in place", POOL_ARRAY, BY_SPAWN, with_pool, run_in_place},
    {"mproc for", POOL_ARRAY, BY_SPAWN, with_pool, run_for},
    {0},
};
