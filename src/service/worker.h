/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h: a worker's own thread, as the code knows it that waits in it.
 */
#ifndef MPROC_SERVICE_WORKER_H
#define MPROC_SERVICE_WORKER_H

#include "service/tasks.h"

/** Whether the calling thread is the one in which a worker of this pool runs its tasks. */
bool mproc__worker_is_here(const mproc__tasks *tasks);

/**
 * In such a thread: run a task inside of the present one if nobody has begun it.
 *
 * @return whether it was run; if not, somebody else has begun it
 */
bool mproc__worker_help(uint32_t index, uint64_t record);

#endif
