/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/future.h: tasks for a pool, and what comes of them.
 *
 *     mproc_future *future;
 *     mproc_value result;
 *     mproc_pool_apply_async(pool, cube, MPROC_ARGS(3), NULL, &future);
 *     ...
 *     if (mproc_future_get(future, &result, MPROC_FOREVER) < 0) {
 *         mproc_perror("cube");
 *     }
 *     mproc_future_close(future);
 *
 * A task is a function of this program, or of a library that it has loaded, and its arguments. They are
 * copied to one of the pool's workers, which runs the function; its result is copied back. Shared objects
 * among them are passed by reference.
 *
 * Each task that was given to a pool ends exactly once: with a result, with the error that its function
 * returned, or with one that says what became of it. A worker that dies takes along the task that it was
 * running and no other; that one reports MPROC_EWORKERDIED, or is run again if its options say so.
 */
#ifndef MPROC_FUTURE_H
#define MPROC_FUTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/pool.h"
#include "mproc/timeout.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/**
 * A task that was given to a pool, as the process knows it that gave it; or all tasks of a map, see
 * mproc_pool_map_async. Not for other processes.
 */
typedef struct mproc_future mproc_future;

/**
 * What a worker runs.
 *
 * @param args    valid until the function returns, with everything that was unpacked from it
 * @param result  nil; what is put here is the result. It may point to `args` and to static data; what it
 *                owns is freed when it has been copied
 * @return 0 or positive: success; negative: the error that whoever waits for the task gets, with the
 *         sentence of this thread's mproc_last_error()
 */
typedef int (*mproc_task_fn)(const mproc_args *args, mproc_value *result);

#define MPROC_PRIORITY_MAX 3
#define MPROC_PRIORITY_MIN (-3)

/** What is special about a task; zero: nothing. */
typedef struct mproc_task_options {
    const char *name; /**< in messages and traces; copied, its first 63 bytes. Default: none */
    /**
     * Tasks of a higher priority are begun before others; -3 to 3. Those of the lowest one that are
     * waiting get every eighth turn, so that they are done, too.
     */
    int priority;
    /**
     * How long the task may take once it was begun, in nanoseconds; 0: as long as it takes. Then its worker
     * is killed and replaced, and the task reports MPROC_ETIMEDOUT or is run again. Of workers that are
     * threads: MPROC_ENOTSUP. A task that runs inside of another one, which waits for it, has all the time it
     * likes.
     */
    mproc_timeout timeout;
    int retries;       /**< how often it is run again when its worker dies or its time is up */
    bool retry_errors; /**< and when its function returns an error */
    mproc_timeout retry_delay; /**< nanoseconds before it is run again */
    /**
     * Called once when the task has ended, with its result, which is valid until it returns; or with its
     * error. In a thread of the library's, the same for all tasks of the process, one after the other.
     * They may call anything of mproc's, but not wait for other callbacks. Python: callback, error_callback
     */
    void (*callback)(void *arg, const mproc_value *result);
    void (*error_callback)(void *arg, int status, const char *sentence);
    void *callback_arg;
} mproc_task_options;

/**
 * Run a task in a worker, and wait for its result.
 *
 * Python: Pool.apply(func, args)
 *
 * @param args        MPROC_ARGS(...), or NULL for none
 * @param ret_result  the result; free it with mproc_value_clear. NULL: it is dropped
 * @param timeout     how long to wait; then the task goes on, and its result is dropped
 * @return as mproc_pool_apply_async, then as mproc_future_get
 * @blocking until the task has ended, or the timeout
 */
MPROC_API int mproc_pool_apply(mproc_pool *pool, mproc_task_fn function, const mproc_args *args,
                               mproc_value *ret_result, mproc_timeout timeout);

/**
 * Give a task to a pool.
 *
 * Python: Pool.apply_async(func, args, callback=, error_callback=), Executor.submit(func, *args)
 *
 * @param args        MPROC_ARGS(...), or NULL for none; copied
 * @param options     NULL: all defaults; copied
 * @param ret_future  close it with mproc_future_close. NULL: nobody wants to know what comes of it
 * @return 0; MPROC_ECLOSED (the pool was shut down or terminated), MPROC_EBROKEN (its workers die, see
 *         mproc_pool_create), MPROC_EPEER (the process that owns it is gone), MPROC_ENOTSUP, MPROC_EINVAL,
 *         MPROC_ETYPE, MPROC_ETOOBIG, MPROC_ENOMEM or MPROC_ENOSPC
 * @blocking never; a pool takes some 16 million tasks that have not ended or whose results wait
 * @safety any thread of any member process that has the pool
 * @death  a process killed inside this call has given the task or not; in both cases it is dropped if
 *         nobody has begun it
 */
MPROC_API MPROC_NODISCARD int mproc_pool_apply_async(mproc_pool *pool, mproc_task_fn function,
                                                     const mproc_args *args,
                                                     const mproc_task_options *options,
                                                     mproc_future **ret_future);

/**
 * Wait for a task's result.
 *
 * A worker that waits for a task of its own pool runs tasks that nobody has begun meanwhile: at first
 * this one.
 *
 * Python: AsyncResult.get(timeout), Future.result(timeout)
 *
 * @param ret_result  the result; free it with mproc_value_clear. The first call gets it, later ones get a
 *                    copy. NULL: only the status is wanted
 * @return 0 or what the function returned; MPROC_EWORKERDIED (mproc_last_error says how), MPROC_ETIMEDOUT
 *         (also when it was the task's own time that was up: mproc_future_ready tells), MPROC_ECANCELLED,
 *         MPROC_EBROKEN, MPROC_EBUILD (the worker has another build of the program), MPROC_EPEER (the
 *         process that owns the pool is gone), MPROC_ENOMEM
 * @blocking until the task has ended, or the timeout
 * @safety any thread of the process; several may wait
 */
MPROC_API int mproc_future_get(mproc_future *future, mproc_value *ret_result,
                               mproc_timeout timeout);

/** Wait until a task has ended, however. Python: AsyncResult.wait. 0, MPROC_ETIMEDOUT or MPROC_EPEER. */
MPROC_API int mproc_future_wait(mproc_future *future, mproc_timeout timeout);

/** Whether it has ended. Python: AsyncResult.ready, Future.done */
MPROC_API bool mproc_future_ready(mproc_future *future);

/** 1: with a result; 0: with an error; MPROC_ESTATE: it has not ended. Python: AsyncResult.successful */
MPROC_API int mproc_future_successful(mproc_future *future);

/**
 * Take a task back. What has not been begun is not, and reports MPROC_ECANCELLED.
 *
 * Python: Future.cancel(), which cannot end what runs
 *
 * @param kill_running  if it runs, have its worker killed for it. It is replaced
 * @return 0: it reports MPROC_ECANCELLED, soon; MPROC_ESTATE: it runs and is not to be killed, or has
 *         ended; MPROC_ENOTSUP: it runs in a thread, or inside of another task
 * @blocking never
 */
MPROC_API int mproc_future_cancel(mproc_future *future, bool kill_running);

/**
 * Give a future up. A task that has not ended is run all the same, and its result dropped.
 *
 * @param future  NULL is fine
 */
MPROC_API void mproc_future_close(mproc_future *future);

/** What mproc_futures_wait waits for. */
enum mproc_until {
    MPROC_ALL_COMPLETED = 0,
    MPROC_FIRST_COMPLETED,
    MPROC_FIRST_ERROR /**< or all of them */
};

/**
 * Wait for many tasks, of one pool or several.
 *
 * Python: concurrent.futures.wait(fs, timeout, return_when)
 *
 * @param until      enum mproc_until
 * @param ret_ready  `count` flags: which ones have ended; NULL: not wanted
 * @return how many have ended; MPROC_ETIMEDOUT, with ret_ready as it is then; MPROC_EPEER; MPROC_EINVAL
 */
MPROC_API int mproc_futures_wait(mproc_future *const *futures, size_t count, int until,
                                 bool *ret_ready, mproc_timeout timeout);

/** A walk over tasks in the order in which they end. */
typedef struct mproc_completions mproc_completions;

/**
 * Begin one. The futures stay the caller's, and open until the walk is closed.
 *
 * Python: concurrent.futures.as_completed(fs)
 *
 * @return 0, MPROC_EINVAL or MPROC_ENOMEM
 */
MPROC_API MPROC_NODISCARD int mproc_completions_create(mproc_completions **ret_completions,
                                                       mproc_future *const *futures, size_t count);

/**
 * The next one that has ended.
 *
 * @param ret_index  its place among the futures
 * @return 1; 0: there are no more; MPROC_ETIMEDOUT; MPROC_EPEER
 */
MPROC_API int mproc_completions_next(mproc_completions *completions, size_t *ret_index,
                                     mproc_timeout timeout);

/** End it; NULL is fine. */
MPROC_API void mproc_completions_close(mproc_completions *completions);

MPROC_END_DECLS

#endif
