/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunk.h: items of a map that are one task.
 *
 * Why       A task costs some hundred nanoseconds on its way, an item must not. But what an error or a death
 *           costs is one item.
 * Layout    struct mproc__chunk_shm at the beginning of a parcel, which is the task's arguments; behind it the
 *           items, of arrays their elements, and room for outcomes. More room is in parcels of its own, regions,
 *           that the first one holds: as its parts behind the objects in the items.
 * Always    C1  what `progress` counts has ended, and its outcomes are whole, in the regions up to the one that
 *               it names. Outcomes behind it are nothing
 *           C2  the fields but the constant ones belong to who has the task, see T1 in tasks.h
 * Commit    the store of `progress` that ends an item
 * Death     of the worker: mproc__chunk_bury finds which item it was at, if it was at any. Who is given the
 *           chunk next goes on from there.
 */
#ifndef MPROC_SERVICE_CHUNK_H
#define MPROC_SERVICE_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "family/block.h"
#include "mproc/future.h"
#include "service/outcome.h"
#include "service/tasks.h"

/* progress: whether an item has begun, the region, how many items have ended, bytes of the region. */
#define MPROC__CHUNK_BEGUN ((uint64_t)1 << 63)
#define MPROC__CHUNK_REGION_SHIFT 58
#define MPROC__CHUNK_ITEM_SHIFT 34
#define MPROC__CHUNK_MAX_ITEMS 0xffffffu
#define MPROC__CHUNK_REGIONS 24u

#define MPROC__CHUNK_STAR 1u         /* items are lists of arguments */
#define MPROC__CHUNK_NO_RESULTS 2u   /* only errors are wanted */
#define MPROC__CHUNK_RETRY_ERRORS 4u /* retries are for errors, too */
#define MPROC__CHUNK_TO_THE_END 8u   /* also when nobody wants what comes of it */

/** In front of a chunk. Places are distances from here. */
struct mproc__chunk_shm {
    uint64_t progress; /**< see above */
    uint32_t n_items;  /**< constant, as the rest up to `used` */
    uint32_t flags;
    uint32_t retries;          /**< of each item */
    uint32_t n_objects;        /**< in the items */
    uint64_t items, items_end; /**< encoded values; of arrays and ranges a list, see chunk_run.c */
    uint64_t outcomes, outcomes_end;     /**< region 0 */
    uint64_t in, out;                    /**< of arrays: elements that lie here */
    uint64_t in_size, out_size;          /**< of one element; 0: there are none */
    uint64_t first;                      /**< of arrays that do not lie here: the first element */
    uint64_t used[MPROC__CHUNK_REGIONS]; /**< bytes of the regions before the last one */
    uint32_t failed_item, failures;      /**< how often that one has failed */
    uint32_t lost_item; /**< by the supervisor: it is not run any more, if status is not 0 */
    int32_t lost_status;
    struct mproc__task_death death;
};

/** What all chunks of a map have in common. */
typedef struct mproc__chunk_plan {
    uint32_t flags;
    uint32_t retries;
} mproc__chunk_plan;

/** As Python has it: ceil(n_items / (4 * n_workers)). */
size_t mproc__chunk_rule(size_t n_items, size_t n_workers);

/**
 * Make a chunk of values.
 *
 * @param count  from 1 to MPROC__CHUNK_MAX_ITEMS
 * @return 0, MPROC_ENOMEM, MPROC_ENOSPC, MPROC_ETOOBIG or MPROC_EINVAL
 */
int mproc__chunk_make(const mproc__chunk_plan *plan, const mproc_value *items, size_t count,
                      mproc__hold *ret_hold);

/** A chunk of elements. */
typedef struct mproc__chunk_elements {
    const void *in;   /**< count * in_size bytes, which are copied; NULL: they are not here */
    uint64_t in_size; /**< of one */
    uint64_t out_size;
    bool has_out;   /**< results lie in the chunk */
    uint64_t first; /**< of arrays */
} mproc__chunk_elements;

/** Make a chunk of elements; `args` is a list: the input's array or nil, the output's, and further ones. */
int mproc__chunk_make_array(const mproc__chunk_plan *plan, const mproc__chunk_elements *elements,
                            const mproc_value *args, size_t count, mproc__hold *ret_hold);

/** The results of a chunk of elements that lie in it. */
const void *mproc__chunk_results(uint64_t chunk);

/* ---- by the worker (chunk_run.c) ---- */

/** A chunk that is run. */
typedef struct mproc__chunk_run {
    struct mproc__chunk_shm *shm;
    uint64_t block;
    uint64_t size;         /**< of the block */
    const uint64_t *state; /**< of its task */
    mproc__outcomes outcomes;
    unsigned char *start;    /**< of the region that is written to */
    mproc__hold region_hold; /**< what its objects are embedded in */
    uint64_t region;         /**< the one that is written to */
    uint64_t done;           /**< items that have ended */
} mproc__chunk_run;

/** Go on with a chunk. 0 or MPROC_ECORRUPT. */
int mproc__chunk_enter(mproc__chunk_run *run, uint64_t block, const uint64_t *state);

/** Run all that is left of a chunk of values, or of elements. 0, or why it cannot go on. */
int mproc__chunk_run_values(mproc__chunk_run *run, mproc_task_fn fn);
int mproc__chunk_run_array(mproc__chunk_run *run, mproc__function fn);

/** Run all that is left of a piece of a range, which is one item. */
int mproc__chunk_run_range(mproc__chunk_run *run, mproc__function fn);

/**
 * The worker that ran it is gone: charge the item that it was at, if it was at any. By the next worker, before
 * it enters.
 *
 * @param status  what the item reports if it has no retries left
 */
void mproc__chunk_bury(uint64_t block, int status, const struct mproc__task_death *death);

/* ---- by who made it ---- */

/** Where a reader of a chunk's outcomes is. */
typedef struct mproc__chunk_reader {
    struct mproc__chunk_shm *shm;
    uint64_t block;
    uint64_t region, last_region, last_bytes;
    const void *at, *end;
    mproc__codec codec;
} mproc__chunk_reader;

/** Begin to read; the task is done, and stays the caller's meanwhile. */
int mproc__chunk_read_begin(mproc__chunk_reader *reader, uint64_t block);

/** How many items have ended. */
uint32_t mproc__chunk_n_ended(uint64_t block);

/**
 * Read some results, or an error.
 *
 * @param ret_count  how many values; 0: an error, or the end
 * @return 1, also with an error; 0: the end; MPROC_ENOMEM, MPROC_ECORRUPT, MPROC_EMALFORMED
 */
int mproc__chunk_read(mproc__chunk_reader *reader, mproc_value *ret_values, size_t count,
                      size_t *ret_count, mproc__item_error *ret_error);

#endif
