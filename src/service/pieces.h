/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pieces.h: a map in pieces: each is a task, a bounded number of them is under way.
 *
 * The thread that waits for the map gives the tasks and takes their results; there is no other.
 */
#ifndef MPROC_SERVICE_PIECES_H
#define MPROC_SERVICE_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "mproc/pool_map.h"
#include "service/chunk.h"
#include "service/submit.h"

/** What comes of the items of a map. */
typedef struct mproc__gather {
    mproc_value *results; /**< nil at first; NULL: not wanted */
    int *statuses;        /**< NULL: not wanted */
    char **stories; /**< by item, for mproc__free; NULL: that of the first that fails will do */
    size_t n_ended;
    size_t failed; /**< the first item that has, if status is not 0 */
    int status;
    char story[MPROC__STORY_MAX + 1];
} mproc__gather;

/** An item has failed. */
void mproc__gather_error(mproc__gather *gather, size_t item, int status, const char *story,
                         size_t size);

/** Items of a map that are one task. */
typedef struct mproc__piece {
    mproc_future *future;
    uint64_t block; /**< its chunk, the task's; 0: it is a plain call */
    size_t first, count;
} mproc__piece;

/** What all pieces of a map have in common. */
typedef struct mproc__job {
    mproc__client *client;
    mproc__function function;
    mproc_task_options options; /**< of a task of one item */
    mproc__chunk_plan plan;     /**< of chunks */
    size_t chunk_size;
    char name[64]; /**< of a job that outlives its options: see mproc__job_keep */
    void *owner;   /**< mproc__order.owner of all; not NULL: they are noted */
} mproc__job;

/** Fill in a job. 0, MPROC_EINVAL, or what mproc__client_of returns. `options` may be NULL. */
int mproc__job_init(mproc__job *job, mproc_pool *pool, mproc__function function, size_t n_items,
                    const mproc_map_options *options);

/** Have a job, which stays where it is, last longer than the options that it was made of. */
void mproc__job_keep(mproc__job *job);

/** Give values to the pool; first and count are set. 0, or as mproc__submit. */
int mproc__piece_submit(const mproc__job *job, const mproc_value *items, mproc__piece *piece);

/** Give a chunk to the pool that has been made. It is the task's, whatever is returned. */
int mproc__piece_submit_chunk(const mproc__job *job, enum mproc__task_kind kind, mproc__hold chunk,
                              mproc__piece *piece);

/** Take what came of a piece that is done. `first` of the gather is item 0. */
void mproc__piece_collect(const mproc__job *job, mproc__gather *gather, const mproc__piece *piece);

/** Give a piece up that nobody has begun, or will look at. */
void mproc__piece_drop(mproc__piece *piece);

/** A map whose caller waits. */
typedef struct mproc__feed {
    mproc__job job;
    mproc__gather gather;
    size_t n_items;
    size_t capacity; /**< pieces under way, at most */
    int progress;    /**< the stream of a bar; 0: none */
    int (*submit)(struct mproc__feed *feed, mproc__piece *piece);
    void (*collect)(struct mproc__feed *feed, const mproc__piece *piece);
} mproc__feed;

/**
 * Do all of it. 0; the status of the first item that has failed; or why it ends before, with the rest not
 * begun or given up.
 */
int mproc__feed_run(mproc__feed *feed, mproc_timeout timeout);

#endif
