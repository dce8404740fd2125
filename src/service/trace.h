/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h: what tasks did and when, in Chrome's trace format, for ui.perfetto.dev and tools/trace-to-svg.
 *
 * Why       "Which worker did what, and why was it late" is answered by a picture of it.
 * Layout    a JSON array, one event a line, and no end: more may follow, and readers know that. A task is
 *           a submission in its client, an event with a duration in its worker, and its return to the client,
 *           tied together by its number.
 * Who       The client writes, when it has the outcome: so also what a killed worker was at is there.
 *           Several processes may append to one file: each adds whole lines.
 * Death     of a client: what it had not yet written is missing; a full disk ends the trace, not the tasks.
 */
#ifndef MPROC_SERVICE_TRACE_H
#define MPROC_SERVICE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/** A trace that this process adds to; by any thread. */
typedef struct mproc__tracer mproc__tracer;

/** What is known of a task when it has ended. Times are mplat_now's. */
typedef struct mproc__task_trace {
    const char *name;
    uint64_t id;       /**< unlike that of any other task of the family */
    uint64_t n_items;  /**< of a chunk; 0: it is none */
    int64_t submitted; /**< by the client */
    int64_t started;   /**< by the worker; 0: never */
    int64_t ended;     /**< by the worker, or when it was found dead */
    int64_t returned;  /**< to the client */
    int64_t client_pid, worker_pid;
    uint32_t client_thread, worker_thread;
    int status; /**< below 0: it failed */
} mproc__task_trace;

/**
 * Open a trace.
 *
 * @param path    UTF-8
 * @param is_new  begin it anew; else go on with what is there
 * @return 0, MPROC_ENOENT, MPROC_EACCES, MPROC_ENOMEM, MPROC_ESYSTEM
 */
int mproc__tracer_open(const char *path, bool is_new, mproc__tracer **ret_tracer);

/** Say how a process, or a thread of it, is called; NULL as tracer is fine here and below. */
void mproc__tracer_name(mproc__tracer *tracer, int64_t pid, uint32_t thread, const char *name);

/** Add a task. */
void mproc__tracer_task(mproc__tracer *tracer, const mproc__task_trace *task);

/** Have everything in the file. */
void mproc__tracer_flush(mproc__tracer *tracer);

/** Flush and close. */
void mproc__tracer_close(mproc__tracer *tracer);

#endif
