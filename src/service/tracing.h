/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracing.h: which pools trace what their tasks do, and where to.
 *
 * A traced pool has the path in its block; each process that has something to tell appends to the file. Who gives up
 * a slot whose task is DONE tells of it: as a rule the client, of an abandoned task its worker or the
 * supervisor.
 */
#ifndef MPROC_SERVICE_TRACING_H
#define MPROC_SERVICE_TRACING_H

#include "service/tasks.h"

/**
 * Have a new pool traced, if its options or MPROC_TRACE say where to.
 *
 * @param path  NULL: see the environment; a path there that cannot be written to is not an error
 * @return 0, MPROC_EACCES, MPROC_ENOMEM, MPROC_ENOSPC
 */
int mproc__tracing_begin(uint64_t pool, const char *path);

/** Tell how this process is called, in a worker as soon as it is one. */
void mproc__tracing_name(mproc__tasks *tasks, const char *name);

/** Tell of a task that is DONE, or would be if it were wanted; its slot is the caller's. */
void mproc__tracing_tell(mproc__tasks *tasks, uint32_t index);

/** Have all that was told in the file. */
void mproc__tracing_flush(const mproc__tasks *tasks);

#endif
