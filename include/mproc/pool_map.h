/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/pool_map.h: one function over many items, by a pool's workers.
 *
 *     mproc_value cubes[4];
 *     mproc_pool_map(pool, cube, MPROC_ARGS(1, 2, 3, 4), cubes, NULL, MPROC_FOREVER);
 *
 * Items go to the workers in chunks: one chunk is one task of the pool, but what an error, a death or a
 * time limit costs is one item. When a worker dies in the middle of a chunk, the item it was at is charged
 * (MPROC_EWORKERDIED, or run again if it has retries), and another worker goes on with the next item:
 * results that were there stay, and no item that has ended is run again.
 *
 * Which function goes with which input:
 *
 *     mproc_pool_map, _starmap     values that are there already; the results come together
 *     ... _map_async, ...          likewise, but the caller does not wait: the results are a future's
 *     mproc_pool_imap, _unordered  values that a callback makes one by one, perhaps without end; so do results
 *     mproc_pool_map_array         plain C arrays, nothing is encoded
 *     mproc_pool_for               a range of indices, for work on shared arrays in place
 *
 * All may be called in the pool's own workers, too: who waits there runs what nobody has begun yet.
 */
#ifndef MPROC_POOL_MAP_H
#define MPROC_POOL_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/array.h"
#include "mproc/export.h"
#include "mproc/future.h"
#include "mproc/pool.h"
#include "mproc/timeout.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/** What is special about a map; zero: nothing. */
typedef struct mproc_map_options {
    /**
     * How many items make a task; 0: as Python has it, so many that each worker gets four tasks; of arrays that
     * are copied, about 1 MiB at most; of the imap functions one. At most 16,777,215. With an item_timeout or
     * a retry_delay a task is one item. Python: chunksize
     */
    size_t chunk_size;
    const char *name; /**< in messages, traces and progress bars; copied, its first 63 bytes */
    int priority;     /**< as in mproc_task_options */
    /**
     * How long one item may take: then its worker is killed, and the item reports MPROC_ETIMEDOUT, or is
     * run again if it has retries. Nanoseconds; 0: as long as it takes.
     */
    mproc_timeout item_timeout;
    int retries;               /**< how often an item is run again after a death or a time-out */
    bool retry_errors;         /**< and after an error of the function */
    mproc_timeout retry_delay; /**< nanoseconds before it is run again; of values only */
    /**
     * Show a progress bar: 1 on stdout, 2 on stderr, with the name in front; plain lines now and then if that is
     * no terminal. Of the imap functions it shows how many results have been handed out, and of how many once the
     * source has no more; it is drawn in mproc_iterator_next. Not of the async ones. 0: none
     */
    int progress;
    /**
     * Of the imap functions: the most items that are taken from the source and whose results have not been
     * handed out. 0: two chunks a worker, and one more. Others ignore it. Python: buffersize
     */
    size_t window;
    /**
     * Not of the imap functions, nor of the async ones: one status for each item is written here. Then results
     * of the others are there also when one has failed.
     */
    int *statuses;
    /**
     * Of the async functions: called when all items have ended, as in mproc_task_options; the result is the list of
     * all. Others ignore them. Python: callback, error_callback
     */
    void (*callback)(void *arg, const mproc_value *result);
    void (*error_callback)(void *arg, int status, const char *sentence);
    void *callback_arg;
} mproc_map_options;

/* ---- values ---------------------------------------------------------------------------------- */

/**
 * Call a function for each item, and wait for all results.
 *
 * Python: Pool.map(func, iterable, chunksize), concurrent.futures.Executor.map
 *
 * @param fn           has one argument, the item
 * @param items        copied; objects in them stay the caller's. NULL: none
 * @param ret_results  room for as many values, in the order of the items; clear each with
 *                     mproc_value_clear: small ones share their memory, which is free when the last of them
 *                     is cleared. NULL: results are not wanted. Nil on failure; but with options->statuses only
 *                     where an item has failed
 * @param options      NULL: all defaults
 * @param timeout      nanoseconds for all of it, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0; what the first item that failed returned, first in the order of items, after all have ended, and
 *         mproc_last_error() has its sentence: MPROC_EWORKERDIED, MPROC_ETIMEDOUT (see item_timeout),
 *         MPROC_EBUILD, MPROC_EMALFORMED and others; MPROC_ETIMEDOUT (not ready in time: items that were not begun
 *         are not run any more, those that were are, and what they return is dropped); MPROC_ECLOSED (the pool
 *         takes no more tasks); MPROC_EBROKEN (its workers cannot be started); MPROC_EPEER (its owner is gone);
 *         MPROC_ENOMEM, MPROC_ENOSPC, MPROC_ETOOBIG or MPROC_EINVAL
 * @blocking  until all items have ended; also after one has failed
 * @safety any thread of any process that has the pool, its workers too; not in signal handlers
 * @death  of a worker: see above. Killed in it: nothing leaks, items that were begun run to their end
 */
MPROC_API MPROC_NODISCARD int mproc_pool_map(mproc_pool *pool, mproc_task_fn fn,
                                             const mproc_args *items, mproc_value *ret_results,
                                             const mproc_map_options *options,
                                             mproc_timeout timeout);

/**
 * The same of items that are lists, each of which has all arguments of one call. One that is none reports
 * MPROC_ETYPE.
 *
 *     mproc_pool_starmap(pool, power, MPROC_ARGS(MPROC_LIST(2, 5), MPROC_LIST(3, 2)), results, NULL, timeout);
 *
 * Python: Pool.starmap(func, iterable, chunksize)
 */
MPROC_API MPROC_NODISCARD int mproc_pool_starmap(mproc_pool *pool, mproc_task_fn fn,
                                                 const mproc_args *items, mproc_value *ret_results,
                                                 const mproc_map_options *options,
                                                 mproc_timeout timeout);

/**
 * Have a function called for each item, and do not wait.
 *
 *     mproc_future *future;
 *     mproc_value cubes;
 *     mproc_pool_map_async(pool, cube, MPROC_ARGS(1, 2, 3, 4), NULL, &future);
 *     ...
 *     mproc_future_get(future, &cubes, MPROC_FOREVER);    // a list
 *
 * The items are one future, which ends when all of them have: mproc_future_get then gives a list of all results,
 * or the error that mproc_pool_map would return. Cancelling it takes back what has not been begun: 0 if that was
 * anything, and the items report MPROC_ECANCELLED. With kill_running, workers are killed that run items, and those
 * and the ones behind them in their tasks report it, too.
 *
 * Python: Pool.map_async(func, iterable, chunksize, callback, error_callback)
 *
 * @param items       copied before this returns; otherwise as in mproc_pool_map
 * @param options     NULL: all defaults; copied. Not with statuses or progress
 * @param ret_future  close it with mproc_future_close; also before it has ended: all items are run nevertheless.
 *                    NULL: nobody wants to know what comes of it
 * @return 0; as mproc_pool_apply_async, and then items are run only that had been begun before the failure; or
 *         MPROC_ENOTSUP (see options)
 * @blocking  never for the tasks: as long as it takes to copy the items
 * @safety  as mproc_pool_map
 * @death  of a worker: costs the item it was at. Of the caller: nothing leaks, tasks that were begun run to their end
 */
MPROC_API MPROC_NODISCARD int mproc_pool_map_async(mproc_pool *pool, mproc_task_fn fn,
                                                   const mproc_args *items,
                                                   const mproc_map_options *options,
                                                   mproc_future **ret_future);

/** The same of items that are lists of arguments, as in mproc_pool_starmap. Python: Pool.starmap_async */
MPROC_API MPROC_NODISCARD int mproc_pool_starmap_async(mproc_pool *pool, mproc_task_fn fn,
                                                       const mproc_args *items,
                                                       const mproc_map_options *options,
                                                       mproc_future **ret_future);

/* ---- one by one ------------------------------------------------------------------------------ */

/** The results of an imap, as they come: of the process that began it. */
typedef struct mproc_iterator mproc_iterator;

/**
 * Makes the items of an imap. It is called in mproc_pool_imap and mproc_iterator_next, by the thread that is
 * in there.
 *
 * @param ret_item  is nil; what it owns the library frees, what it borrows must be there until the next call
 * @return 1 an item; 0 there are no more; negative: it has failed, and there are no more
 */
typedef int (*mproc_source_fn)(mproc_value *ret_item, void *arg);

/** A source whose items are there already: pass mproc_source_args and the address of one of these. */
typedef struct mproc_args_source {
    const mproc_args *items; /**< stay as they are until the iterator is closed */
    size_t next;             /**< how many have been taken */
} mproc_args_source;

/** The mproc_source_fn of a mproc_args_source. */
MPROC_API int mproc_source_args(mproc_value *ret_item, void *arg);

/**
 * Call a function for each item of a source, and hand the results out in the order of the items.
 *
 *     mproc_pool_imap(pool, fetch, next_url, &urls, NULL, &results);
 *     while ((rc = mproc_iterator_next(results, &page, MPROC_FOREVER)) != 0) {
 *         ...
 *         mproc_value_clear(&page);
 *     }
 *     mproc_iterator_close(results);
 *
 * Items are taken from the source only while there is room in the window (mproc_map_options): a source
 * without end needs constant memory, and nothing runs far ahead of who takes the results.
 *
 * Python: Pool.imap(func, iterable, chunksize, buffersize); Python reads all of it ahead
 *
 * @param fn            has one argument, the item
 * @param source        makes the items
 * @param source_arg    what it is called with
 * @param options       NULL: all defaults
 * @param ret_iterator  hands the results out; close it with mproc_iterator_close
 * @return 0; MPROC_ECLOSED, MPROC_EBROKEN, MPROC_EPEER, MPROC_ENOMEM, MPROC_ENOSPC or MPROC_EINVAL. An error of the
 *         source is mproc_iterator_next's
 * @blocking  never, but for the source
 * @safety any thread of any process that has the pool, its workers too
 * @death  of a worker: costs the item it was at. Of the caller: nothing leaks
 */
MPROC_API MPROC_NODISCARD int mproc_pool_imap(mproc_pool *pool, mproc_task_fn fn,
                                              mproc_source_fn source, void *source_arg,
                                              const mproc_map_options *options,
                                              mproc_iterator **ret_iterator);

/** The same, handing out whichever result comes first. Python: Pool.imap_unordered */
MPROC_API MPROC_NODISCARD int mproc_pool_imap_unordered(mproc_pool *pool, mproc_task_fn fn,
                                                        mproc_source_fn source, void *source_arg,
                                                        const mproc_map_options *options,
                                                        mproc_iterator **ret_iterator);

/**
 * Wait for the next result.
 *
 * Python: next(it), IMapIterator.next(timeout)
 *
 * @param ret_result  owns its data; free it with mproc_value_clear. Untouched unless 1 is returned
 * @param timeout     nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 1 a result; 0 there are no more (Python: StopIteration); an item's error: the next call goes on with
 *         the next item; MPROC_ETIMEDOUT (none is ready in time, or an item has taken longer than its
 *         item_timeout: mproc_iterator_index tells); what the source returned, after the results of all items that
 *         came before it; MPROC_EPEER, MPROC_EBROKEN (the pool is gone), MPROC_ENOMEM, MPROC_ENOSPC: then 0 is next
 * @blocking  until a result is there, and in the source
 * @safety one thread at a time
 * @death  as mproc_pool_imap
 */
MPROC_API MPROC_NODISCARD int mproc_iterator_next(mproc_iterator *iterator, mproc_value *ret_result,
                                                  mproc_timeout timeout);

/**
 * Which item, counted from 0 in the order of the source, the last result or error was of; SIZE_MAX: of none, in
 * particular after MPROC_ETIMEDOUT because nothing was ready, and for NULL.
 */
MPROC_API size_t mproc_iterator_index(const mproc_iterator *iterator);

/**
 * Give an iterator up, also in the midst: items that have not begun are not run any more, those that have run
 * to their end, and their results are dropped. NULL is fine.
 *
 * @blocking  never
 */
MPROC_API void mproc_iterator_close(mproc_iterator *iterator);

/* ---- plain memory ---------------------------------------------------------------------------- */

/**
 * Makes one element of another.
 *
 * @param in    one element of the input
 * @param out   where the result goes; NULL if there is none
 * @param args  what was given to mproc_pool_map_array; NULL if nothing was
 * @return 0 or positive; negative: an error, with the sentence of mproc_last_error()
 */
typedef int (*mproc_element_fn)(const void *in, void *out, const mproc_args *args);

/** An input or output of mproc_pool_map_array: memory of the caller's, or a shared array. Zero: none. */
typedef struct mproc_elements {
    void *data;        /**< of an input it is only read */
    size_t size_bytes; /**< of one element; pointers inside mean nothing to the workers */
    mproc_array *
        array; /**< in place of the other two: worked on where it lies, from its first element on */
} mproc_elements;

/**
 * Call a function for each element of an array. Nothing is encoded: the caller's memory is copied, once each way,
 * and shared arrays are read and written in place.
 *
 *     mproc_elements in = {numbers, sizeof(*numbers), NULL}, out = {roots, sizeof(*roots), NULL};
 *     mproc_pool_map_array(pool, root, in, out, count, NULL, NULL, MPROC_FOREVER);
 *
 * Python: Pool.map over an array.array or numpy array, which encodes each element
 *
 * @param in       `count` elements, not written meanwhile
 * @param out      room for `count` results; may be the input itself, or all zero: there are none. After an
 *                 error, elements whose item has not ended well hold anything
 * @param args     further arguments of each call, copied; NULL: none
 * @param options  NULL: all defaults
 * @return as mproc_pool_map
 * @blocking, @safety, @death  as mproc_pool_map; an item that a worker died in may be half written
 */
MPROC_API MPROC_NODISCARD int mproc_pool_map_array(mproc_pool *pool, mproc_element_fn fn,
                                                   mproc_elements in, mproc_elements out,
                                                   size_t count, const mproc_args *args,
                                                   const mproc_map_options *options,
                                                   mproc_timeout timeout);

/**
 * Does the indices from `begin` to `end` - 1.
 *
 * @param args  what was given to mproc_pool_for; shared arrays are best passed here
 * @return 0 or positive; negative: an error of all these indices
 */
typedef int (*mproc_range_fn)(int64_t begin, int64_t end, const mproc_args *args);

/**
 * Call a function for pieces of a range of indices, which together are all of it, each index once.
 *
 *     static int halve(int64_t begin, int64_t end, const mproc_args *args)
 *     {
 *         mproc_array *array;
 *         int rc = MPROC_UNPACK(args, &array);
 *         double *x = rc == 0 ? mproc_array_data(array) : NULL;
 *         for (int64_t i = begin; rc == 0 && i < end; i++) {
 *             x[i] /= 2;
 *         }
 *         return rc;
 *     }
 *     mproc_pool_for(pool, halve, 0, length, MPROC_ARGS(array), NULL, MPROC_FOREVER);
 *
 * OpenMP: parallel for, schedule(dynamic, chunk_size)
 *
 * @param begin,end  `end` is not part of it; nothing to do if it is not above `begin`
 * @param args       copied, but objects in it are shared; NULL: none
 * @param options    NULL: all defaults. An item is a piece of chunk_size indices here: that is what the time
 *                   limit and the retries are of. statuses is not used
 * @return as mproc_pool_map
 * @blocking, @safety  as mproc_pool_map
 * @death  of a worker: its piece reports MPROC_EWORKERDIED, half done, or is done again from its beginning if there
 *         are retries
 */
MPROC_API MPROC_NODISCARD int mproc_pool_for(mproc_pool *pool, mproc_range_fn fn, int64_t begin,
                                             int64_t end, const mproc_args *args,
                                             const mproc_map_options *options,
                                             mproc_timeout timeout);

MPROC_END_DECLS

#endif
