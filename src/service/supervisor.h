/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor.h: what keeps a pool's workers going, in the process that created it.
 */
#ifndef MPROC_SERVICE_SUPERVISOR_H
#define MPROC_SERVICE_SUPERVISOR_H

#include "service/executor.h"
#include "service/tasks.h"

typedef struct mproc__supervisor mproc__supervisor;

/** Whether the options make sense for workers of this context. */
int mproc__supervisor_check(const mproc_pool_options *options, const mproc_context *context);

/**
 * Start a pool's workers and the thread that looks after them.
 *
 * @param pool  the creator's handle, which stays open until mproc__supervisor_end has returned
 */
int mproc__supervisor_begin(mproc_pool *pool, const mproc_pool_options *options,
                            const mproc_context *context, mproc__supervisor **ret_supervisor);

/** Whether it is this process that has it, and not one that this is a copy of. */
bool mproc__supervisor_is_mine(const mproc__supervisor *supervisor);

/** Terminate the pool, wait until its workers are gone, and free the supervisor. */
void mproc__supervisor_end(mproc__supervisor *supervisor);

#endif
