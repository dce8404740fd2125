/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map_array.c: a map over plain memory, and a loop over a range of indices.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "mproc/pool_map.h"
#include "service/pieces.h"

#include <string.h>

/* Pieces of memory that is copied are not larger, unless asked for: they stay in the caches. */
#define COPY_BYTES ((size_t)1 << 20)

static mproc_value list_of(const mproc_args *args)
{
    return args != NULL ? mproc__value_list(args->items, args->count) : mproc__value_nil();
}

/* ---- arrays ---------------------------------------------------------------------------------- */

struct array_map {
    mproc__feed feed;
    mproc_elements in, out;
    const mproc_args *args;
};

static int submit_elements(mproc__feed *feed, mproc__piece *piece)
{
    const struct array_map *map = MPROC__CONTAINER(feed, struct array_map, feed);
    const bool has_in = map->in.array == NULL && map->in.size_bytes > 0;
    const mproc__chunk_elements elements = {
        .in = has_in ? (const char *)map->in.data + piece->first * map->in.size_bytes : NULL,
        .in_size = map->in.size_bytes,
        .out_size = map->out.size_bytes,
        .has_out = map->out.array == NULL && map->out.size_bytes > 0,
        .first = piece->first,
    };
    const mproc_value parts[] = {mproc_value_array(map->in.array),
                                 mproc_value_array(map->out.array), list_of(map->args)};
    const mproc_value list = mproc__value_list(parts, MPROC__COUNT(parts));
    mproc__hold chunk;
    int rc = mproc__chunk_make_array(&feed->job.plan, &elements, &list, piece->count, &chunk);
    return rc < 0 ? rc : mproc__piece_submit_chunk(&feed->job, MPROC__TASK_ARRAY, chunk, piece);
}

static void collect_elements(mproc__feed *feed, const mproc__piece *piece)
{
    const struct array_map *map = MPROC__CONTAINER(feed, struct array_map, feed);
    const size_t size = map->out.size_bytes;
    mproc__piece_collect(&feed->job, &feed->gather, piece);
    if (map->out.array == NULL && size > 0) {
        memcpy((char *)map->out.data + piece->first * size, mproc__chunk_results(piece->block),
               piece->count * size);
    }
}

/* Check an input or output; that of an array is filled in. */
static int check_elements(mproc_elements *elements, const char *what, size_t count)
{
    if (elements->array != NULL) {
        elements->data = NULL;
        elements->size_bytes = mproc_array_element_size(elements->array);
        const size_t length = mproc_array_length(elements->array);
        return count <= length
                   ? MPROC_OK
                   : mproc__fail(MPROC_ERANGE, "map_array: %zu elements of the %s, which has %zu",
                                 count, what, length);
    }
    if (elements->data == NULL) {
        elements->size_bytes = 0;
    } else if (elements->size_bytes == 0 ||
               (count > 0 && elements->size_bytes > SIZE_MAX / count)) {
        return mproc__fail(MPROC_EINVAL, "map_array: %zu elements of %zu bytes in the %s", count,
                           elements->size_bytes, what);
    }
    return MPROC_OK;
}

static size_t limit_chunk(const struct array_map *map, size_t chunk_size)
{
    size_t bytes = map->in.array == NULL ? map->in.size_bytes : 0;
    bytes += map->out.array == NULL ? map->out.size_bytes : 0;
    const size_t most = bytes > 0 ? COPY_BYTES / bytes + 1 : SIZE_MAX;
    return chunk_size < most ? chunk_size : most;
}

// NOLINTNEXTLINE(readability-function-size): as many parameters as Python's function has
int mproc_pool_map_array(mproc_pool *pool, mproc_element_fn fn, mproc_elements in,
                         mproc_elements out, size_t count, const mproc_args *args,
                         const mproc_map_options *options, mproc_timeout timeout)
{
    struct array_map map = {
        .feed = {.gather = {.statuses = options != NULL ? options->statuses : NULL},
                 .n_items = count,
                 .capacity = 8 * (size_t)mproc_pool_size(pool),
                 .progress = options != NULL ? options->progress : 0,
                 .submit = submit_elements,
                 .collect = collect_elements},
        .in = in,
        .out = out,
        .args = args,
    };
    int rc = mproc__job_init(&map.feed.job, pool, (mproc__function)fn, count, options);
    rc = rc < 0 ? rc : check_elements(&map.in, "input", count);
    rc = rc < 0 ? rc : check_elements(&map.out, "output", count);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; map.feed.gather.statuses != NULL && i < count; i++) {
        map.feed.gather.statuses[i] = MPROC_OK;
    }
    if (options == NULL || options->chunk_size == 0) {
        map.feed.job.chunk_size = limit_chunk(&map, map.feed.job.chunk_size);
    }
    map.feed.job.plan.flags |= MPROC__CHUNK_NO_RESULTS;
    return mproc__feed_run(&map.feed, timeout);
}

/* ---- ranges ---------------------------------------------------------------------------------- */

struct range_map {
    mproc__feed feed;
    int64_t begin;
    const mproc_args *args;
};

/* The piece is one item: its function sees to the indices. */
static int submit_range(mproc__feed *feed, mproc__piece *piece)
{
    static const mproc__chunk_elements none = {0};
    const struct range_map *map = MPROC__CONTAINER(feed, struct range_map, feed);
    const int64_t begin = (int64_t)((uint64_t)map->begin + piece->first);
    const mproc_value parts[] = {mproc__value_int(begin),
                                 mproc__value_int((int64_t)((uint64_t)begin + piece->count)),
                                 list_of(map->args)};
    const mproc_value list = mproc__value_list(parts, MPROC__COUNT(parts));
    mproc__hold chunk;
    int rc = mproc__chunk_make_array(&feed->job.plan, &none, &list, 1, &chunk);
    return rc < 0 ? rc : mproc__piece_submit_chunk(&feed->job, MPROC__TASK_RANGE, chunk, piece);
}

static void collect_range(mproc__feed *feed, const mproc__piece *piece)
{
    mproc__piece item = *piece;
    item.count = 1;
    mproc__piece_collect(&feed->job, &feed->gather, &item);
    feed->gather.n_ended += piece->count - 1;
}

// NOLINTNEXTLINE(readability-function-size): as many parameters as Python's function has
int mproc_pool_for(mproc_pool *pool, mproc_range_fn fn, int64_t begin, int64_t end,
                   const mproc_args *args, const mproc_map_options *options, mproc_timeout timeout)
{
    const uint64_t count = end > begin ? (uint64_t)end - (uint64_t)begin : 0;
    struct range_map map = {
        .feed = {.n_items = (size_t)count,
                 .capacity = 8 * (size_t)mproc_pool_size(pool),
                 .progress = options != NULL ? options->progress : 0,
                 .submit = submit_range,
                 .collect = collect_range},
        .begin = begin,
        .args = args,
    };
    if (count > SIZE_MAX) {
        return mproc__fail(MPROC_ETOOBIG, "for: %llu indices", (unsigned long long)count);
    }
    int rc = mproc__job_init(&map.feed.job, pool, (mproc__function)fn, (size_t)count, options);
    if (rc < 0) {
        return rc;
    }
    map.feed.job.chunk_size = options != NULL && options->chunk_size != 0
                                  ? options->chunk_size
                                  : mproc__chunk_rule((size_t)count, (size_t)mproc_pool_size(pool));
    map.feed.job.plan.flags |= MPROC__CHUNK_NO_RESULTS;
    return mproc__feed_run(&map.feed, timeout);
}
