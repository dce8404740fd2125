/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/pool.h: a pool of workers.
 *
 *     static int cube(const mproc_args *args, mproc_value *result)
 *     {
 *         int64_t x;
 *         int rc = MPROC_UNPACK(args, &x);
 *         *result = MPROC_VALUE(x * x * x);
 *         return rc;
 *     }
 *     ...
 *     mproc_pool *pool;
 *     mproc_value result;
 *     mproc_pool_create(&pool, NULL);
 *     mproc_pool_apply(pool, cube, MPROC_ARGS(3), &result, MPROC_FOREVER);
 *     printf("%lld\n", (long long)result.as.integer);
 *     mproc_pool_close(pool);
 *
 * The workers are processes, one for each processor if nothing else is said, that live until the pool is
 * closed and run one task at a time. How tasks are given to them is in mproc/future.h.
 *
 * A worker that crashes, is killed or calls exit() costs the task that it was running, which reports
 * MPROC_EWORKERDIED, or is run again if that was asked for. Another worker takes its place, and all other
 * tasks go on. Nobody waits for the dead: a call on the pool returns whatever dies.
 *
 * A pool belongs to the process that has created it, and ends with that process. It can be passed to any
 * other one of the family, its own workers among them, as an argument or in any other value; all may give it
 * tasks. A task that waits for other tasks of its own pool runs those of them that nobody has begun, so
 * that tasks that need tasks do not run out of workers.
 */
#ifndef MPROC_POOL_H
#define MPROC_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/main.h"
#include "mproc/timeout.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/** A pool: this process's handle of it. */
typedef struct mproc_pool mproc_pool;

/** How many workers a pool can have. */
#define MPROC_POOL_MAX_WORKERS 4096

/**
 * What a worker runs before its first task.
 *
 * @param args  the options' initargs; valid as long as the worker lives
 * @return 0; negative: the worker is good for nothing, and ends
 */
typedef int (*mproc_initializer_fn)(const mproc_args *args);

/** What a worker runs after its last task, unless it is killed. */
typedef void (*mproc_finalizer_fn)(void);

/** What is special about a pool; zero: nothing. */
typedef struct mproc_pool_options {
    int processes; /**< how many workers; 0: mproc_cpu_count(). Python: processes, max_workers */
    /** start method of the workers; NULL: the default. "thread": they are threads of this process */
    const mproc_context *context;
    const char *name; /**< of the workers, "-1", "-2" ... behind it; default: "PoolWorker" */

    mproc_initializer_fn initializer; /**< NULL: none */
    const mproc_args *initargs;       /**< its arguments; copied. NULL: none */
    mproc_finalizer_fn finalizer;     /**< NULL: none */

    /** a worker that has run so many tasks makes way for another one; 0: none. Python: maxtasksperchild */
    uint64_t max_tasks_per_child;
    /** one that is found to have so many bytes of resident memory after a task does so; 0: none */
    uint64_t max_memory_per_child;

    bool pin;        /**< each worker has one processor of its own, as long as there are enough */
    const int *cpus; /**< which ones, or without `pin` all of them for every worker; NULL: any */
    size_t n_cpus;

    /**
     * Catch the first Ctrl-C: the pool is terminated, and calls on it return MPROC_EINTERRUPTED, so that the
     * program can end as it likes. The next one does what it would have done without the pool. Workers never heed it:
     * they end with the pool's process.
     */
    bool catch_interrupt;

    /**
     * A file that tells what each task did and when, for ui.perfetto.dev: Chrome's trace format. Begun anew by
     * the first process of the program, and added to by all others; NULL: what the environment has as
     * MPROC_TRACE, or none. It costs a microsecond or two for each task.
     */
    const char *trace_path;
} mproc_pool_options;

/**
 * Create a pool, and start its workers.
 *
 * Python: multiprocessing.Pool(processes, initializer, initargs, maxtasksperchild, context),
 * concurrent.futures.ProcessPoolExecutor(max_workers, ...)
 *
 * Returns without waiting for the workers to be up. With "fork" they are copies of this process as it is
 * now; if other threads than the library's own run then, it is MPROC_ETHREADS. The library has a thread of
 * its own for each pool, in which no signal is handled: it replaces workers that have ended.
 *
 * @param ret_pool  the new pool; close it with mproc_pool_close
 * @param options   NULL: all defaults; read during the call only
 * @return 0; MPROC_EINVAL; MPROC_ENOTSUP ("inline" has no workers; processors cannot be chosen here);
 *         as mproc_process_start when no worker can be started
 * @owner  the caller, until mproc_pool_close
 * @safety any thread of any member process
 * @death  when the process that has created a pool is gone, however it went, the workers are killed by the
 *         system, and calls of others on the pool return MPROC_EPEER
 */
MPROC_API MPROC_NODISCARD int mproc_pool_create(mproc_pool **ret_pool,
                                                const mproc_pool_options *options);

/**
 * The same with workers that are threads of this process, whatever context the options name.
 *
 * Python: multiprocessing.pool.ThreadPool, concurrent.futures.ThreadPoolExecutor
 *
 * Arguments and results are copied as for processes. A thread cannot be killed: tasks with a timeout,
 * and cancelling one that runs, are MPROC_ENOTSUP, and a task that crashes takes the process with it.
 */
MPROC_API MPROC_NODISCARD int mproc_thread_pool_create(mproc_pool **ret_pool,
                                                       const mproc_pool_options *options);

/**
 * Take no more tasks: who gives the pool one gets MPROC_ECLOSED. What it has is done, and then the workers
 * end.
 *
 * Python: Pool.close(), Executor.shutdown(wait=False)
 *
 * @return 0, also when it was called before; MPROC_EPEER; MPROC_EINVAL
 * @blocking never
 * @safety any thread of any member process
 */
MPROC_API int mproc_pool_shutdown(mproc_pool *pool);

/**
 * End it now: workers are killed, and tasks that are not done report MPROC_ECANCELLED. Workers that are
 * threads end after the task that they are running.
 *
 * Python: Pool.terminate(), but that tells nobody who waits for a result
 *
 * @return as mproc_pool_shutdown
 * @blocking never; mproc_pool_join waits for the end
 */
MPROC_API int mproc_pool_terminate(mproc_pool *pool);

/**
 * Wait until a pool that was shut down or terminated has no workers any more.
 *
 * Python: Pool.join()
 *
 * @return 0; MPROC_ETIMEDOUT; MPROC_ESTATE (it was neither shut down nor terminated, or the caller is one
 *         of its workers); MPROC_EPEER
 * @blocking until then or the timeout
 * @safety any thread of any member process
 */
MPROC_API int mproc_pool_join(mproc_pool *pool, mproc_timeout timeout);

/** How many workers a pool has; those are among them that are being replaced. 0 for NULL. */
MPROC_API int mproc_pool_size(const mproc_pool *pool);

/** What a pool has done so far. */
typedef struct mproc_pool_stats {
    size_t n_workers; /**< as mproc_pool_size */
    size_t n_busy;    /**< of these, that run tasks just now */
    uint64_t
        n_waiting; /**< tasks that nobody has begun, about; those that were cancelled count until then */
    uint64_t n_tasks;    /**< that have ended in a worker; a task of a map is a chunk */
    uint64_t n_restarts; /**< workers that have taken the place of others */
    int64_t busy_ns;     /**< time spent at tasks, of all workers together */
    int64_t wait_ns;     /**< time spent waiting for some */
} mproc_pool_stats;

/** What the workers at one place of a pool have done so far. */
typedef struct mproc_worker_stats {
    int64_t pid;      /**< 0: it is being replaced */
    uint64_t n_tasks; /**< as of the pool, this and all that follow */
    uint64_t n_restarts;
    int64_t busy_ns;
    int64_t wait_ns;
    uint64_t
        peak_bytes; /**< the most resident memory that a worker had when it ended; 0: none has */
    bool is_busy;   /**< it runs a task just now */
} mproc_worker_stats;

/**
 * Look at what a pool does. Costs next to nothing, the workers nothing at all; the numbers are of about the same
 * moment.
 *
 * @param ret_stats    the pool's
 * @param ret_workers  `count` workers' own; NULL for 0
 * @return 0 or MPROC_EINVAL
 * @blocking never
 * @safety any thread of any member process
 */
MPROC_API int mproc_pool_get_stats(const mproc_pool *pool, mproc_pool_stats *ret_stats,
                                   mproc_worker_stats *ret_workers, size_t count);

/**
 * In a worker, in its tasks, initializer and finalizer: its place among the pool's workers, from 0. Who
 * takes the place of another one has its place. -1 elsewhere.
 */
MPROC_API int mproc_worker_index(void);

/**
 * In a worker: a pointer of the application's for it, e.g. to what its initializer has opened; NULL until
 * it is set. Elsewhere NULL.
 */
MPROC_API void *mproc_worker_state(void);

/** Set it. 0, or MPROC_ESTATE when the caller is no worker. */
MPROC_API int mproc_worker_set_state(void *state);

/** Take one more hold on a pool, as mproc_block_attach does on a block; it is as good as one passed. */
MPROC_API MPROC_NODISCARD int mproc_pool_attach(mproc_pool **ret_pool, const mproc_pool *pool);

/**
 * Give up this process's hold on the pool. By mproc_pool_create's own handle: terminate it, and join it.
 *
 * Python: the end of `with Pool() as pool:`
 *
 * @param pool  NULL is fine
 * @blocking  the creator's: until the workers are gone; threads finish the tasks that they are running
 */
MPROC_API void mproc_pool_close(mproc_pool *pool);

MPROC_END_DECLS

#endif
