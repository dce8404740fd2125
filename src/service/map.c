/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.c: map and starmap of values that are there already.
 */
#include "mproc/pool_map.h"

#include "base/compiler.h"
#include "base/status.h"
#include "service/pieces.h"

/* Tasks under way: enough for workers to find some, whatever the caller is doing just then. */
#define CAPACITY 1024

struct map {
    mproc__feed feed;
    const mproc_value *items;
};

static int submit(mproc__feed *feed, mproc__piece *piece)
{
    const struct map *map = MPROC__CONTAINER(feed, struct map, feed);
    return mproc__piece_submit(&feed->job, map->items + piece->first, piece);
}

static void collect(mproc__feed *feed, const mproc__piece *piece)
{
    mproc__piece_collect(&feed->job, &feed->gather, piece);
}

// NOLINTNEXTLINE(readability-function-size): as many parameters as Python's function has
static int run(mproc_pool *pool, mproc_task_fn fn, const mproc_args *items, mproc_value *results,
               uint32_t flags, const mproc_map_options *options, mproc_timeout timeout)
{
    const size_t n = items != NULL ? items->count : 0;
    int *statuses = options != NULL ? options->statuses : NULL;
    struct map map = {
        .feed = {.gather = {.results = results, .statuses = statuses},
                 .n_items = n,
                 .capacity = CAPACITY,
                 .progress = options != NULL ? options->progress : 0,
                 .submit = submit,
                 .collect = collect},
        .items = n > 0 ? items->items : NULL,
    };
    int rc = mproc__job_init(&map.feed.job, pool, (mproc__function)fn, n, options);
    if (rc < 0) {
        return rc;
    }
    map.feed.job.plan.flags |= flags | (results == NULL ? MPROC__CHUNK_NO_RESULTS : 0);
    for (size_t i = 0; i < n; i++) {
        if (results != NULL) {
            results[i] = mproc__value_nil();
        }
        if (statuses != NULL) {
            statuses[i] = MPROC_OK;
        }
    }
    rc = mproc__feed_run(&map.feed, timeout);
    for (size_t i = 0; rc < 0 && statuses == NULL && results != NULL && i < n; i++) {
        mproc_value_clear(&results[i]);
    }
    return rc;
}

int mproc_pool_map(mproc_pool *pool, mproc_task_fn fn, const mproc_args *items,
                   mproc_value *ret_results, const mproc_map_options *options,
                   mproc_timeout timeout)
{
    return run(pool, fn, items, ret_results, 0, options, timeout);
}

int mproc_pool_starmap(mproc_pool *pool, mproc_task_fn fn, const mproc_args *items,
                       mproc_value *ret_results, const mproc_map_options *options,
                       mproc_timeout timeout)
{
    return run(pool, fn, items, ret_results, MPROC__CHUNK_STAR, options, timeout);
}
