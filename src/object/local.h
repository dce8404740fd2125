/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local.h: processes of the contexts "thread" and "inline", which run in this one.
 */
#ifndef MPROC_OBJECT_LOCAL_H
#define MPROC_OBJECT_LOCAL_H

#include "object/process.h"

extern const mproc_context mproc__context_thread;
extern const mproc_context mproc__context_inline;

/** Whether the options ask for nothing that only a process of its own can have. */
int mproc__local_check(const mproc_context *context, const mproc_process_options *options);

/** Get ready for context->run, which runs the function; the sentinel is raised when it has returned. */
int mproc__local_prepare(mproc_process *process, const mproc__start_info *info);

/** The sentinel has fired: fill in how it ended. One thread at a time. */
void mproc__local_collect(mproc_process *process);

/** Free what only such processes have; NULL members are fine. */
void mproc__local_free(mproc_process *process);

/** Whose function the calling thread runs; NULL: this process's own. */
mproc_process *mproc__local_here(void);

/** Whether the calling thread runs this one's function, or another's that was called from it. */
bool mproc__local_is_here(const mproc_process *process);

/** In a new process, whose only thread may be a copy of one that ran such a function. */
void mproc__local_forget(void);

#endif
