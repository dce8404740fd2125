/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start.h: the ways to start a child that bench_start compares.
 *
 * Each way starts a child that stamps the time of its first own instruction into a word that the
 * parent sees, and ends. ways_mproc.c and ways_apr.c are for every system; ways_posix.c and
 * ways_win32.c are twins: what the system itself offers.
 */
#ifndef MPROC_BENCH_START_H
#define MPROC_BENCH_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_thread_proc.h>
#include <mproc/process.h>

enum {
    START_BURST = 8, /* children of a burst; also the number of stamps */
    START_PAYLOAD_BYTES = 64 << 20
};

/* What goes along as argument. */
enum start_payload {
    START_NOTHING,
    START_BY_REFERENCE, /* START_PAYLOAD_BYTES of shared memory */
    START_BY_VALUE      /* START_PAYLOAD_BYTES of the parent's own memory */
};

/* A child on its way; each way uses what it needs. */
struct start_child {
    volatile int64_t *stamp; /* 0 until the child has written its time */
    mproc_process *mproc;
    intptr_t os; /* pid or HANDLE */
    apr_pool_t *pool;
    apr_proc_t process;
    apr_thread_t *thread;
};

struct start_way {
    const char *subject; /* in the tables */
    const char *name;    /* in messages */

    /*
     * Make ready for children with this payload, and undo it. NULL: nothing to do.
     * Not measured. A way that cannot carry a payload is never asked to.
     */
    int (*prepare)(const struct start_way *way, enum start_payload payload);
    void (*clean)(const struct start_way *way, enum start_payload payload);

    /* Start child number `index` (below START_BURST), and wait for its end. Status of bench_run_fn. */
    int (*begin)(const struct start_way *way, struct start_child *child, size_t index);
    int (*finish)(const struct start_way *way, struct start_child *child);
};

/* ---- the ways ---- */

/* mproc's start methods "spawn", "fork" and "forkserver"; NULL: not on this system. */
const struct start_way *start_mproc_way(const char *method);

extern const struct start_way start_apr_process; /* of the same program */
extern const struct start_way start_apr_thread;

/* By the system's own calls; ways_posix.c or ways_win32.c. */
extern const struct start_way *const start_bare_fork;    /* NULL: not on this system */
extern const struct start_way *const start_same_program; /* what spawn is compared with */
extern const struct start_way *const start_vfork;        /* NULL: not on this system */
extern const char *const start_python_program;

/* ---- stamps of the peers' children ---- */

/* START_BURST words shared with the children to come. NULL after bench_fail. */
volatile int64_t *start_stamps(void);

/* Make word `index` the child's, and 0. */
int start_take_stamp(struct start_child *child, size_t index);

/*
 * The arguments that make this program a child that stamps word `index` and ends:
 * PROGRAM START_CHILD_FLAG WHERE INDEX, then NULL. Texts stay valid until the next call.
 */
#define START_CHILD_FLAG "--stamp-and-exit"
enum { START_CHILD_ARGC = 4 };
int start_child_argv(size_t index, char *ret_argv[START_CHILD_ARGC + 1]);

/* In such a child, first thing in main: stamp and end. */
void start_child_main(const char *where, const char *index);

/* ---- measuring ---- */

/* The figures of a probe, in microseconds. */
enum start_figure {
    START_FIRST, /* begin() until the child's first own instruction; of a burst: the last child's */
    START_JOINED, /* begin() until finish() has returned; of a burst: for each child */
    START_CALL,   /* begin() alone: how long the caller is held; of a burst: for each child */
    START_FIGURES
};

struct start_probe {
    const struct start_way *way;
    size_t n_children;
    enum start_payload payload;
    int64_t pause_us; /* idle time between starts */
    bool is_first;    /* the very first start of a process, only once */
};

/* Measure for about slice_ns; a bench_run_fn, arg being a start_probe. */
int start_measure(const void *arg, int64_t slice_ns, double *ret_values);

#endif
