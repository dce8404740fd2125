/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pieces.c: see pieces.h.
 */
#include "service/pieces.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/status.h"
#include "service/client.h"
#include "service/progress.h"

#include <stdio.h>
#include <string.h>

/* ---- what comes of it ------------------------------------------------------------------------ */

void mproc__gather_error(mproc__gather *gather, size_t item, int status, const char *story,
                         size_t size)
{
    if (gather->statuses != NULL) {
        gather->statuses[item] = status;
    }
    if (gather->stories != NULL && (gather->stories[item] = mproc__malloc(size + 1)) != NULL) {
        (void)snprintf(gather->stories[item], size + 1, "%.*s", (int)size, story);
    }
    if (gather->status == 0 || item < gather->failed) {
        gather->failed = item;
        gather->status = status;
        (void)snprintf(gather->story, sizeof(gather->story), "%.*s", (int)size, story);
    }
}

static void gather_item_error(const mproc__job *job, mproc__gather *gather, size_t first,
                              const mproc__item_error *error)
{
    char story[MPROC__DEATH_STORY];
    const char *text = error->story;
    size_t size = error->size;
    if (error->kind == MPROC__STORY_DEATH && size == sizeof(struct mproc__task_death)) {
        struct mproc__task_death death;
        memcpy(&death, error->story, sizeof(death));
        text = error->status == MPROC_EWORKERDIED
                   ? mproc__death_story(&death, job->options.name, story)
                   : "the item's time was up: its worker was killed";
        size = strlen(text);
    }
    mproc__gather_error(gather, first + error->item, error->status, text, size);
}

/* ---- the pieces ------------------------------------------------------------------------------ */

int mproc__job_init(mproc__job *job, mproc_pool *pool, mproc__function function, size_t n_items,
                    const mproc_map_options *options)
{
    static const mproc_map_options defaults = {0};
    const mproc_map_options *o = options != NULL ? options : &defaults;
    if (pool == NULL || function == NULL) {
        return mproc__fail(MPROC_EINVAL, "map: there is no %s", pool == NULL ? "pool" : "function");
    }
    if (o->retries < 0 || o->priority < MPROC_PRIORITY_MIN || o->priority > MPROC_PRIORITY_MAX ||
        o->chunk_size > MPROC__CHUNK_MAX_ITEMS) {
        return mproc__fail(MPROC_EINVAL, "map: %d retries, priority %d, or chunks of %zu",
                           o->retries, o->priority, o->chunk_size);
    }
    if (o->progress < 0 || o->progress > 2) {
        return mproc__fail(MPROC_EINVAL, "map: progress is shown on stream 1 or 2, not %d",
                           o->progress);
    }
    size_t chunk_size = o->chunk_size != 0
                            ? o->chunk_size
                            : mproc__chunk_rule(n_items, (size_t)mproc_pool_size(pool));
    *job = (mproc__job){
        .function = function,
        .options = {.name = o->name,
                    .priority = o->priority,
                    .timeout = o->item_timeout,
                    .retries = o->retries,
                    .retry_errors = o->retry_errors,
                    .retry_delay = o->retry_delay,
                    .callback = o->callback,
                    .error_callback = o->error_callback,
                    .callback_arg = o->callback_arg},
        .plan = {.flags = o->retry_errors ? MPROC__CHUNK_RETRY_ERRORS : 0,
                 .retries = (uint32_t)o->retries},
        .chunk_size = chunk_size < MPROC__CHUNK_MAX_ITEMS ? chunk_size : MPROC__CHUNK_MAX_ITEMS,
    };
    if (o->item_timeout > 0 || (o->retries > 0 && o->retry_delay > 0)) {
        job->chunk_size = 1; // to kill and to wait is of tasks
    }
    return mproc__client_of(pool, &job->client);
}

void mproc__job_keep(mproc__job *job)
{
    if (job->options.name != NULL) {
        (void)snprintf(job->name, sizeof(job->name), "%s", job->options.name);
        job->options.name = job->name;
    }
}

static int submit(const mproc__job *job, mproc__order *order, mproc__piece *piece)
{
    order->function = job->function;
    order->is_noted = job->owner != NULL;
    order->owner = job->owner;
    return mproc__submit(job->client, order, &piece->future);
}

int mproc__piece_submit_chunk(const mproc__job *job, enum mproc__task_kind kind, mproc__hold chunk,
                              mproc__piece *piece)
{
    // Errors and deaths are charged to items. A time limit is there only if the chunk is one item.
    const mproc_task_options options = {.name = job->options.name,
                                        .priority = job->options.priority,
                                        .timeout = job->options.timeout};
    mproc__order order = {.kind = kind, .parcel = chunk, .options = &options};
    piece->block = chunk.offset;
    return submit(job, &order, piece);
}

int mproc__piece_submit(const mproc__job *job, const mproc_value *items, mproc__piece *piece)
{
    if (piece->count > 1) {
        mproc__hold chunk;
        int rc = mproc__chunk_make(&job->plan, items, piece->count, &chunk);
        return rc < 0 ? rc : mproc__piece_submit_chunk(job, MPROC__TASK_VALUES, chunk, piece);
    }
    mproc_args args = {1, items};
    if (job->plan.flags & MPROC__CHUNK_STAR) {
        if (items->type != MPROC_LIST) {
            piece->future = NULL; // see collect_call
            return MPROC_OK;
        }
        args = (mproc_args){items->as.list.count, items->as.list.items};
    }
    mproc__order order = {.kind = MPROC__TASK_CALL, .args = &args, .options = &job->options};
    return submit(job, &order, piece);
}

static void collect_call(mproc__gather *gather, const mproc__piece *piece)
{
    const bool wants_it = gather->results != NULL;
    int rc = piece->future != NULL
                 ? mproc_future_get(piece->future, wants_it ? &gather->results[piece->first] : NULL,
                                    MPROC_NOWAIT)
                 : mproc__fail(MPROC_ETYPE, "an item of a starmap is not a list of arguments");
    if (rc < 0) {
        const char *story = mproc_last_error();
        mproc__gather_error(gather, piece->first, rc, story, strlen(story));
    }
}

/* Those behind `n` items of a chunk have not ended, or are not to be read. */
static void collect_rest(mproc__gather *gather, const mproc__piece *piece, size_t n, int status)
{
    const char *story = mproc_last_error();
    for (size_t i = n; i < piece->count; i++) {
        if (gather->results != NULL) {
            mproc_value_clear(&gather->results[piece->first + i]);
        }
        mproc__gather_error(gather, piece->first + i, status, story, strlen(story));
    }
}

void mproc__piece_collect(const mproc__job *job, mproc__gather *gather, const mproc__piece *piece)
{
    mproc__chunk_reader reader;
    mproc__item_error error;
    mproc_value *results = gather->results != NULL ? gather->results + piece->first : NULL;
    gather->n_ended += piece->count;
    if (piece->block == 0) {
        collect_call(gather, piece);
        return;
    }
    const size_t n_ended = mproc__chunk_n_ended(piece->block);
    size_t at = 0, n = 0;
    int rc = mproc__chunk_read_begin(&reader, piece->block);
    while (rc >= 0 &&
           (rc = mproc__chunk_read(&reader, results + at, results != NULL ? piece->count - at : 0,
                                   &n, &error)) == 1) {
        if (n == 0 && (error.item < at || error.item >= piece->count)) {
            rc = mproc__fail(MPROC_ECORRUPT, "somebody has written over the results of a map");
        } else if (n == 0) {
            gather_item_error(job, gather, piece->first, &error);
            at = error.item + 1;
        } else {
            at += n;
        }
    }
    if (rc < 0) {
        collect_rest(gather, piece, at, rc);
    } else if (n_ended < piece->count) {
        rc = mproc_future_get(piece->future, NULL, MPROC_NOWAIT);
        collect_rest(gather, piece, n_ended,
                     rc < 0 ? rc : mproc__fail(MPROC_ECORRUPT, "a task of a map has ended early"));
    }
}

void mproc__piece_drop(mproc__piece *piece)
{
    if (piece->future != NULL) {
        (void)mproc_future_cancel(piece->future, false);
        mproc_future_close(piece->future);
        piece->future = NULL;
    }
}

/* ---- feed and drain -------------------------------------------------------------------------- */

struct pipeline {
    mproc__piece *pieces; // a ring of feed->capacity
    size_t oldest, n_pieces;
    size_t next_item;
    mproc__progress bar;
};

static mproc__piece *piece_at(const mproc__feed *feed, const struct pipeline *line, size_t i)
{
    return &line->pieces[(line->oldest + i) % feed->capacity];
}

/* How many items have ended, by what the chunks say that are under way. */
static uint64_t count_ended(const mproc__feed *feed, const struct pipeline *line)
{
    uint64_t n = feed->gather.n_ended;
    for (size_t i = 0; i < line->n_pieces; i++) {
        const mproc__piece *piece = piece_at(feed, line, i);
        const uint32_t ended = piece->block != 0 ? mproc__chunk_n_ended(piece->block) : 0;
        n += ended < piece->count ? ended : piece->count;
    }
    return n;
}

static void show(const mproc__feed *feed, struct pipeline *line)
{
    if (mproc__progress_is_on(&line->bar)) {
        mproc__progress_update(&line->bar, count_ended(feed, line));
    }
}

static int await(const mproc__feed *feed, struct pipeline *line, mproc_future *future,
                 mproc__deadline deadline)
{
    int rc;
    do {
        rc = mproc__future_await(future, mproc__progress_until(&line->bar, deadline));
        show(feed, line);
    } while (rc == MPROC_ETIMEDOUT && !mproc__deadline_passed(deadline));
    return rc;
}

static int fill(mproc__feed *feed, struct pipeline *line)
{
    int rc = MPROC_OK;
    while (rc >= 0 && line->next_item < feed->n_items && line->n_pieces < feed->capacity) {
        const size_t left = feed->n_items - line->next_item;
        mproc__piece *piece = piece_at(feed, line, line->n_pieces);
        *piece = (mproc__piece){.first = line->next_item,
                                .count = left < feed->job.chunk_size ? left : feed->job.chunk_size};
        rc = feed->submit(feed, piece);
        if (rc >= 0) {
            line->n_pieces++;
            line->next_item += piece->count;
        }
    }
    return rc;
}

static bool is_done(const mproc__piece *piece)
{
    return piece->future == NULL || mproc__future_is_done(piece->future);
}

/* Wait for some, and collect all that are done. To be woken for each would take time from the workers. */
static int drain(mproc__feed *feed, struct pipeline *line, mproc__deadline deadline)
{
    mproc__piece *later = piece_at(feed, line, line->n_pieces / 8);
    int rc = later->future != NULL ? await(feed, line, later->future, deadline) : MPROC_OK;
    mproc__piece *piece = piece_at(feed, line, 0);
    if (rc >= 0 && !is_done(piece)) {
        rc = await(feed, line, piece->future, deadline);
    }
    while (line->n_pieces > 0 && is_done(piece_at(feed, line, 0))) {
        piece = piece_at(feed, line, 0);
        feed->collect(feed, piece);
        mproc_future_close(piece->future);
        line->oldest = (line->oldest + 1) % feed->capacity;
        line->n_pieces--;
    }
    if (rc >= 0) {
        show(feed, line);
    }
    return rc;
}

/* No item from that one on will end. */
static void note_rest(const mproc__feed *feed, size_t first, int status)
{
    for (size_t i = first; feed->gather.statuses != NULL && i < feed->n_items; i++) {
        feed->gather.statuses[i] = status;
    }
}

/* It ends early: what is under way is given up, and no item that has not ended will. */
static void give_up(mproc__feed *feed, struct pipeline *line, int status)
{
    note_rest(feed, line->n_pieces > 0 ? piece_at(feed, line, 0)->first : line->next_item, status);
    for (size_t i = 0; i < line->n_pieces; i++) {
        mproc__piece_drop(piece_at(feed, line, i));
    }
}

static int run(mproc__feed *feed, struct pipeline *line, mproc__deadline deadline)
{
    int rc = MPROC_OK;
    while (rc >= 0 && (line->next_item < feed->n_items || line->n_pieces > 0)) {
        rc = fill(feed, line);
        rc = rc < 0 ? rc : drain(feed, line, deadline);
    }
    return rc;
}

int mproc__feed_run(mproc__feed *feed, mproc_timeout timeout)
{
    struct pipeline line = {0};
    const mproc__deadline deadline = mproc__deadline_in(timeout);
    if (feed->n_items == 0) {
        return MPROC_OK;
    }
    const size_t n_pieces = (feed->n_items - 1) / feed->job.chunk_size + 1;
    feed->capacity = n_pieces < feed->capacity ? n_pieces : feed->capacity;
    MPROC__CHECK(feed->capacity > 0);
    line.pieces = mproc__calloc(feed->capacity, sizeof(*line.pieces));
    if (line.pieces == NULL) {
        note_rest(feed, 0, MPROC_ENOMEM);
        return mproc__fail(MPROC_ENOMEM, "no memory for the %zu tasks of a map", feed->capacity);
    }
    mproc__progress_begin(&line.bar, feed->job.options.name, feed->n_items, feed->progress);
    int rc = run(feed, &line, deadline);
    if (rc < 0) {
        char story[sizeof(feed->gather.story)];
        (void)snprintf(story, sizeof(story), "%s", mproc_last_error());
        give_up(feed, &line, rc);
        rc = mproc__fail(rc, "%s", story);
    } else if (feed->gather.status < 0) {
        rc = mproc__fail(feed->gather.status, "%s", feed->gather.story);
    }
    mproc__progress_end(&line.bar);
    mproc__free(line.pieces);
    return rc;
}
