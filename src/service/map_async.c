/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map_async.c: maps that nobody waits for: all of their pieces together are one future.
 */
#include "mproc/pool_map.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/status.h"
#include "family/zone.h"
#include "service/client.h"
#include "service/pieces.h"

#include <stdio.h>

struct async_map {
    mproc__group group; // first: see mproc__group_begin
    mproc__job job;
    size_t n_items, n_pieces;
    mproc__piece pieces[];
};

/* ---- what comes of it ------------------------------------------------------------------------ */

/* A list of nils that owns what becomes of them. */
static int make_list(size_t count, mproc_value *ret_list, mproc_value **ret_items)
{
    const mproc__zone_needs needs = {.values = count};
    mproc__zone *zone = NULL;
    int rc = mproc__zone_create(&zone, &needs);
    if (rc < 0) {
        return rc;
    }
    *ret_items = mproc__zone_take_values(zone, count);
    for (size_t i = 0; i < count; i++) {
        (*ret_items)[i] = mproc__value_nil();
    }
    *ret_list = mproc__value_list(*ret_items, count);
    ret_list->owned = zone;
    return MPROC_OK;
}

static int read_all(mproc__group *group, mproc_value *ret_value)
{
    const struct async_map *map = MPROC__CONTAINER(group, struct async_map, group);
    mproc__gather gather = {.results = NULL};
    mproc_value list;
    int rc = make_list(map->n_items, &list, &gather.results);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < map->n_pieces; i++) {
        mproc__piece_collect(&map->job, &gather, &map->pieces[i]);
    }
    for (size_t i = 0; i < map->n_items; i++) {
        mproc__zone_adopt(list.owned, &gather.results[i]);
    }
    if (gather.status >= 0 && ret_value != NULL) {
        *ret_value = list;
        return MPROC_OK;
    }
    mproc_value_clear(&list);
    return gather.status < 0 ? mproc__fail(gather.status, "%s", gather.story) : MPROC_OK;
}

/* ---- given ------------------------------------------------------------------------------------ */

static int submit_all(struct async_map *map, mproc_future *whole, const mproc_value *items)
{
    int rc = MPROC_OK;
    for (size_t first = 0; rc >= 0 && first < map->n_items; first += map->job.chunk_size) {
        const size_t left = map->n_items - first;
        mproc__piece *piece = &map->pieces[map->n_pieces];
        piece->first = first;
        piece->count = left < map->job.chunk_size ? left : map->job.chunk_size;
        rc = mproc__piece_submit(&map->job, items + first, piece);
        if (rc >= 0 && piece->future != NULL) {
            mproc__group_add(whole, piece->future);
        }
        map->n_pieces += rc >= 0 ? 1 : 0;
    }
    return rc;
}

/* What has been given is taken back, as far as it has not begun. */
static int take_back(mproc_future *whole, int status)
{
    char story[MPROC__STORY_MAX + 1];
    (void)snprintf(story, sizeof(story), "%s", mproc_last_error());
    (void)mproc_future_cancel(whole, false);
    mproc_future_close(whole);
    return mproc__fail(status, "%s", story);
}

static int check(const mproc_map_options *options)
{
    return options != NULL && (options->statuses != NULL || options->progress != 0)
               ? mproc__fail(MPROC_ENOTSUP, "a map that nobody waits for has no %s",
                             options->progress != 0 ? "progress bar" : "statuses")
               : MPROC_OK;
}

static int run(mproc_pool *pool, mproc_task_fn fn, const mproc_args *items, uint32_t flags,
               const mproc_map_options *options, mproc_future **ret_future)
{
    const size_t n = items != NULL ? items->count : 0;
    mproc_future *whole = NULL;
    mproc__job job;
    int rc = mproc__job_init(&job, pool, (mproc__function)fn, n, options);
    rc = rc < 0 ? rc : check(options);
    if (rc < 0) {
        return rc;
    }
    const size_t n_pieces = n > 0 ? (n - 1) / job.chunk_size + 1 : 0;
    struct async_map *map = n_pieces < SIZE_MAX / sizeof(mproc__piece) - 1
                                ? mproc__calloc(1, sizeof(*map) + n_pieces * sizeof(map->pieces[0]))
                                : NULL;
    if (map == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for the %zu tasks of a map", n_pieces);
    }
    map->group.read = read_all;
    map->n_items = n;
    map->job = job;
    map->job.plan.flags |= flags | MPROC__CHUNK_TO_THE_END;
    mproc__job_keep(&map->job);
    rc = mproc__group_begin(job.client, &map->group, &whole);
    if (rc < 0) {
        mproc__free(map);
        return rc;
    }
    rc = submit_all(map, whole, n > 0 ? items->items : NULL);
    return rc < 0 ? take_back(whole, rc)
                  : mproc__future_hand_out(whole, &map->job.options, ret_future);
}

int mproc_pool_map_async(mproc_pool *pool, mproc_task_fn fn, const mproc_args *items,
                         const mproc_map_options *options, mproc_future **ret_future)
{
    return run(pool, fn, items, 0, options, ret_future);
}

int mproc_pool_starmap_async(mproc_pool *pool, mproc_task_fn fn, const mproc_args *items,
                             const mproc_map_options *options, mproc_future **ret_future)
{
    return run(pool, fn, items, MPROC__CHUNK_STAR, options, ret_future);
}
