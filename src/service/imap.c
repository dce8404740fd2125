/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imap.c: a map whose items come one by one, and whose results go one by one.
 *
 * All is done by the thread that asks for the next result: it takes items from the source as long as there is
 * room in the window, and gives them to the pool.
 */
#include "mproc/pool_map.h"

#include "base/alloc.h"
#include "base/status.h"
#include "service/client.h"
#include "service/imap_window.h"
#include "service/pieces.h"
#include "service/progress.h"

#include <stdio.h>

/* Where the window ends if nobody says so: enough for workers to find work while the caller does other things. */
#define CHUNKS_PER_WORKER 32

/* Results that come faster are waited for by the quarter of a window, but not longer than that: to be woken for
 * each would take more time from the workers than many a task does. */
#define FAST_NS ((int64_t)100000)
#define LONGEST_PACE_NS ((int64_t)250000)

struct mproc_iterator {
    mproc__job job;
    bool is_ordered;
    mproc_source_fn source;
    void *source_arg;
    mproc__window window;
    mproc__progress bar;  // of what was handed out
    mproc__piece *pieces; // a ring of n_room; those that are under way, oldest first
    size_t n_room, oldest, n_pieces;
    mproc_value *items; // of the next piece, job.chunk_size of them
    // What has come of one piece, and is handed out item by item.
    mproc__gather gather;
    size_t first, n_gathered, n_handed;
    size_t index;
    int64_t waited_at; // when it last had to wait
    size_t n_at_wait;  // how many had been handed out then
    int source_status; // it has failed: told at the end
    char source_story[MPROC__STORY_MAX + 1];
    bool is_over;
};

/* ---- the source ------------------------------------------------------------------------------ */

int mproc_source_args(mproc_value *ret_item, void *arg)
{
    mproc_args_source *source = arg;
    const size_t n = source->items != NULL ? source->items->count : 0;
    if (source->next >= n) {
        return 0;
    }
    *ret_item = mproc__value_borrow(source->items->items[source->next++]);
    return 1;
}

/* What is borrowed is there until the next call only. */
static int keep(mproc_value *item)
{
    return item->owned != NULL || item->type <= MPROC_DOUBLE ? MPROC_OK
                                                             : mproc_value_copy(item, item);
}

/* Take up to `count` items from the source; the last one may still be borrowed. */
static int take_items(mproc_iterator *it, size_t count, size_t *ret_count)
{
    size_t n = 0;
    int rc = 1;
    while (n < count && rc > 0) {
        rc = n > 0 ? keep(&it->items[n - 1]) : MPROC_OK;
        if (rc < 0) {
            break;
        }
        it->items[n] = mproc__value_nil();
        rc = it->source(&it->items[n], it->source_arg);
        n += rc > 0 ? 1 : 0;
    }
    if (rc < 0) {
        it->source_status = rc;
        (void)snprintf(it->source_story, sizeof(it->source_story), "%s", mproc_last_error());
    }
    mproc__window_took(&it->window, n, rc <= 0);
    it->bar.state.total = rc <= 0 ? it->window.n_taken : it->bar.state.total;
    *ret_count = n;
    return MPROC_OK;
}

static mproc__piece *piece_at(const mproc_iterator *it, size_t i)
{
    return &it->pieces[(it->oldest + i) % it->n_room];
}

static int give_piece(mproc_iterator *it, size_t count)
{
    size_t n;
    const size_t first = it->window.n_taken;
    int rc = take_items(it, count, &n);
    if (rc < 0 || n == 0) {
        return rc;
    }
    mproc__piece *piece = piece_at(it, it->n_pieces);
    *piece = (mproc__piece){.first = first, .count = n};
    rc = mproc__piece_submit(&it->job, it->items, piece);
    if (rc >= 0) {
        it->n_pieces++;
    }
    for (size_t i = 0; i < n; i++) {
        if (it->items[i].owned != NULL) {
            mproc_value_clear(&it->items[i]);
        }
    }
    return rc;
}

static int fill(mproc_iterator *it)
{
    int rc = MPROC_OK;
    size_t count = mproc__window_room(&it->window, it->n_pieces == 0);
    while (rc >= 0 && count > 0 && it->n_pieces < it->n_room) {
        rc = give_piece(it, count);
        count = mproc__window_more(&it->window);
    }
    return rc;
}

/* ---- what comes of it ------------------------------------------------------------------------ */

/* The piece that is handed out next is done: take it out of the ring. */
static void gather(mproc_iterator *it, size_t i)
{
    mproc__piece piece = *piece_at(it, i);
    for (; i > 0; i--) {
        *piece_at(it, i) = *piece_at(it, i - 1);
    }
    it->oldest = (it->oldest + 1) % it->n_room;
    it->n_pieces--;
    it->first = piece.first;
    it->n_gathered = piece.count;
    it->n_handed = 0;
    for (size_t k = 0; k < piece.count; k++) {
        it->gather.results[k] = mproc__value_nil();
        it->gather.statuses[k] = MPROC_OK;
    }
    piece.first = 0;
    mproc__piece_collect(&it->job, &it->gather, &piece);
    mproc_future_close(piece.future);
}

/* Which piece a future is of; its place in the ring. */
static size_t find(const mproc_iterator *it, const mproc_future *future)
{
    size_t i = 0;
    while (i + 1 < it->n_pieces && piece_at(it, i)->future != future) {
        i++;
    }
    return i;
}

/* Results have come fast lately: wait for one that is due a little later than the next one. */
static void keep_pace(mproc_iterator *it, mproc__deadline deadline)
{
    const int64_t now = mplat_now();
    const size_t n = it->window.n_handed - it->n_at_wait;
    const bool is_fast = n > 0 && (now - it->waited_at) / (int64_t)n < FAST_NS;
    mproc_future *later = it->n_pieces > 0 ? piece_at(it, it->n_pieces / 4)->future : NULL;
    it->waited_at = now;
    it->n_at_wait = it->window.n_handed;
    if (is_fast && later != NULL) {
        (void)mproc__future_await(later, mproc__deadline_slice(deadline, LONGEST_PACE_NS));
    }
}

/* Wait for the oldest piece, or for any; *future is the oldest one's, and NULL if it never was a task. */
static int await_future(mproc_iterator *it, mproc__deadline deadline, mproc_future **future)
{
    if (!it->is_ordered) {
        return mproc__client_next(it->job.client, it, deadline, future);
    }
    return *future != NULL ? mproc__future_await(*future, deadline) : MPROC_OK;
}

static int await(mproc_iterator *it, mproc__deadline deadline)
{
    for (size_t k = 0; !it->is_ordered && k < it->n_pieces; k++) {
        if (piece_at(it, k)->future == NULL) { // it was no list of arguments
            gather(it, k);
            return MPROC_OK;
        }
    }
    mproc_future *future = piece_at(it, 0)->future;
    int rc = await_future(it, 0, &future);
    mproc__progress_update(&it->bar, it->window.n_handed);
    if (rc == MPROC_ETIMEDOUT) {
        keep_pace(it, deadline);
    }
    while (rc == MPROC_ETIMEDOUT && !mproc__deadline_passed(deadline)) {
        rc = await_future(it, mproc__progress_until(&it->bar, deadline), &future);
        mproc__progress_update(&it->bar, it->window.n_handed);
    }
    if (rc >= 0) {
        gather(it, find(it, future));
    }
    return rc;
}

/* One item of what has been gathered. */
static int hand_out(mproc_iterator *it, mproc_value *ret_result)
{
    const size_t i = it->n_handed++;
    const int status = it->gather.statuses[i];
    it->index = it->first + i;
    mproc__window_handed(&it->window);
    mproc__progress_update(&it->bar, it->window.n_handed);
    if (status >= 0) {
        *ret_result = it->gather.results[i];
        it->gather.results[i] = mproc__value_nil();
        return 1;
    }
    char *story = it->gather.stories[i];
    it->gather.stories[i] = NULL;
    (void)mproc__fail(status, "%s", story != NULL ? story : mproc_strerror(status));
    mproc__free(story);
    return status;
}

static void stop(mproc_iterator *it)
{
    it->is_over = true;
    mproc__progress_end(&it->bar);
}

static int end(mproc_iterator *it)
{
    stop(it);
    return it->source_status < 0 ? mproc__fail(it->source_status, "%s", it->source_story) : 0;
}

int mproc_iterator_next(mproc_iterator *iterator, mproc_value *ret_result, mproc_timeout timeout)
{
    mproc_iterator *it = iterator;
    if (it == NULL || ret_result == NULL) {
        return mproc__fail(MPROC_EINVAL, "next: NULL was given");
    }
    const mproc__deadline deadline = mproc__deadline_in(timeout);
    it->index = SIZE_MAX;
    if (it->is_over) {
        return 0;
    }
    int rc = fill(it);
    while (rc >= 0 && it->n_handed == it->n_gathered) {
        if (it->n_pieces == 0) {
            return end(it);
        }
        rc = await(it, deadline);
    }
    if (rc < 0 && rc != MPROC_ETIMEDOUT) {
        stop(it);
    }
    if (rc < 0) {
        return rc;
    }
    return hand_out(it, ret_result);
}

size_t mproc_iterator_index(const mproc_iterator *iterator)
{
    return iterator != NULL ? iterator->index : SIZE_MAX;
}

/* ---- begin and end --------------------------------------------------------------------------- */

static void destroy(mproc_iterator *it)
{
    stop(it);
    while (it->n_pieces > 0) {
        mproc__piece_drop(piece_at(it, --it->n_pieces));
    }
    for (size_t i = it->n_handed; i < it->n_gathered; i++) {
        mproc_value_clear(&it->gather.results[i]);
        mproc__free(it->gather.stories[i]);
    }
    mproc__client_close(it->job.client);
    mproc__free((void *)it->gather.stories);
    mproc__free(it->gather.statuses);
    mproc__free(it->gather.results);
    mproc__free(it->items);
    mproc__free(it->pieces);
    mproc__free(it);
}

void mproc_iterator_close(mproc_iterator *iterator)
{
    if (iterator != NULL) {
        destroy(iterator);
    }
}

static int make_room(mproc_iterator *it)
{
    const size_t chunk = it->job.chunk_size;
    it->n_room = it->window.size / chunk + 1;
    it->pieces = mproc__calloc(it->n_room, sizeof(*it->pieces));
    it->items = mproc__calloc(chunk, sizeof(*it->items));
    it->gather.results = mproc__calloc(chunk, sizeof(*it->gather.results));
    it->gather.statuses = mproc__calloc(chunk, sizeof(*it->gather.statuses));
    it->gather.stories = mproc__calloc(chunk, sizeof(*it->gather.stories));
    return it->pieces != NULL && it->items != NULL && it->gather.results != NULL &&
                   it->gather.statuses != NULL && it->gather.stories != NULL
               ? MPROC_OK
               : mproc__fail(MPROC_ENOMEM, "no memory for an iterator");
}

/* As far as it can be known. */
static uint64_t count_items(const mproc_iterator *it)
{
    const mproc_args_source *source = it->source_arg;
    if (it->source != mproc_source_args) {
        return MPROC__PROGRESS_UNKNOWN;
    }
    return source->items != NULL ? source->items->count - source->next : 0;
}

// NOLINTNEXTLINE(readability-function-size): as many parameters as Python's function has
static int begin(mproc_pool *pool, mproc_task_fn fn, mproc_source_fn source, void *source_arg,
                 const mproc_map_options *options, bool is_ordered, mproc_iterator **ret_iterator)
{
    mproc__job job;
    if (source == NULL || ret_iterator == NULL) {
        return mproc__fail(MPROC_EINVAL, "imap: NULL was given");
    }
    int rc = mproc__job_init(&job, pool, (mproc__function)fn, 1, options);
    mproc_iterator *it = rc >= 0 ? mproc__calloc(1, sizeof(*it)) : NULL;
    if (it == NULL) {
        return rc < 0 ? rc : mproc__fail(MPROC_ENOMEM, "no memory for an iterator");
    }
    const size_t window = options != NULL ? options->window : 0;
    it->job = job;
    it->job.owner = is_ordered ? NULL : it;
    it->is_ordered = is_ordered;
    it->source = source;
    it->source_arg = source_arg;
    it->index = SIZE_MAX;
    mproc__job_keep(&it->job);
    mproc__window_init(&it->window, &it->job.chunk_size, window,
                       CHUNKS_PER_WORKER * (size_t)mproc_pool_size(pool));
    it->job.client = NULL;
    rc = make_room(it);
    rc = rc < 0 ? rc : mproc__client_open(pool->object.offset, &it->job.client);
    if (rc < 0) {
        destroy(it);
        return rc;
    }
    mproc__progress_begin(&it->bar, it->job.options.name, count_items(it),
                          options != NULL ? options->progress : 0);
    *ret_iterator = it;
    return MPROC_OK;
}

int mproc_pool_imap(mproc_pool *pool, mproc_task_fn fn, mproc_source_fn source, void *source_arg,
                    const mproc_map_options *options, mproc_iterator **ret_iterator)
{
    return begin(pool, fn, source, source_arg, options, true, ret_iterator);
}

int mproc_pool_imap_unordered(mproc_pool *pool, mproc_task_fn fn, mproc_source_fn source,
                              void *source_arg, const mproc_map_options *options,
                              mproc_iterator **ret_iterator)
{
    return begin(pool, fn, source, source_arg, options, false, ret_iterator);
}
