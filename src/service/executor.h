/* SPDX-License-Identifier: Apache-2.0 */
/*
 * executor.h: what runs a pool's workers.
 *
 * Why      Workers are processes of any start method, or threads, and in time the ranks of an MPI job. What the
 *          supervisor needs of them is no more than this.
 * Threads  The supervisor's, but for the first workers, which are started before there is one.
 */
#ifndef MPROC_SERVICE_EXECUTOR_H
#define MPROC_SERVICE_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "family/member.h"
#include "mproc/process.h"

/** How a worker ended. */
typedef struct mproc__ending {
    int64_t pid;
    int32_t code;        /**< Python's convention: N, or -signal */
    bool is_oom;         /**< killed by the system for want of memory */
    uint64_t peak_bytes; /**< of its resident memory; 0: unknown */
    char story[192];     /**< why it has not come to its function; or "" */
} mproc__ending;

/** A worker to be started. */
typedef struct mproc__worker_plan {
    const mproc_context *context;
    const char *name;
    const mproc_args *args; /**< of mproc__worker_run */
    const int *cpus;        /**< n_cpus of them; NULL: any */
    size_t n_cpus;
    bool is_replacement; /**< it is started beside threads of the library and of the application */
} mproc__worker_plan;

/** The operations; what they return as a worker is theirs alone. */
typedef struct mproc__executor {
    bool is_local; /**< workers are threads of this process: they cannot be killed */

    int (*start)(const mproc__worker_plan *plan, void **ret_worker);

    /** Fires when it is gone, with all its threads. */
    mplat_handle (*sentinel)(const void *worker);

    /** Who it is. Threads are this process. */
    mproc__member_id (*member)(const void *worker);

    /** Its pid. */
    int64_t (*pid)(const void *worker);

    /** Kill it; also when it is gone already. Not of local ones. */
    void (*kill)(void *worker);

    /** Its sentinel has fired: how it ended. It is freed. */
    void (*collect)(void *worker, mproc__ending *ret_ending);
} mproc__executor;

/** The executor for a context; NULL, and a story, if it has no workers. */
const mproc__executor *mproc__executor_of(const mproc_context *context);

#endif
