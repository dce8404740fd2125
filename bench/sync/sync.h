/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync.h: what bench_sync compares, and how it measures.
 *
 * ways_mproc.c and ways_apr.c are for every system; ways_posix.c and ways_win32.c are twins: what the
 * system itself offers. The processes of a run are a crew (crew.h): all of them are children, so that
 * nobody has the benchmark's own process, warm or busy, for an advantage.
 */
#ifndef MPROC_BENCH_SYNC_H
#define MPROC_BENCH_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mproc/value.h>

#include "../support/pairs.h"

/* ---- ways to exclude each other ---- */

struct sync_lock_way {
    const char *subject;
    bool is_private; /* works within one process only */
    bool is_shared;  /* many can have it at once: they only read */
    bool is_object;  /* what open() gives is a handle of mproc, which any child can be given */
    int option;      /* as the way pleases */

    /* Make a lock, which the children of this process can use; 0, BENCH_SKIPPED or BENCH_FAILED. */
    int (*open)(const struct sync_lock_way *way, void **ret_lock);
    void (*close)(void *lock);
    /* Get ready in a child; NULL: nothing to do. Not 0: it failed. */
    int (*enter)(void **lock);

    /* See loops.h. Not 0: a call failed. */
    int (*repeat)(void *lock, size_t n);
    int (*contend)(void *lock, struct bench_shared *shared, struct bench_result *result);
};

/* All ways of a file, up to one without subject. */
extern const struct sync_lock_way sync_mproc_locks[];
extern const struct sync_lock_way sync_system_locks[];
extern const struct sync_lock_way sync_apr_locks[];

/* By a number that is the same in all processes of this program; NULL: no more. */
const struct sync_lock_way *sync_lock_way(size_t number);

/* ---- ways to tell each other something ---- */

extern const struct bench_pair_way sync_mproc_pairs[];
extern const struct bench_pair_way sync_system_pairs[];

/* ---- ways to meet ---- */

struct sync_barrier_way {
    const char *subject;
    bool is_object;

    int (*open)(const struct sync_barrier_way *way, unsigned parties, void **ret_barrier);
    void (*close)(void *barrier);
    int (*wait)(void *barrier);
};

extern const struct sync_barrier_way sync_mproc_barriers[];
extern const struct sync_barrier_way sync_system_barriers[];

const struct sync_barrier_way *sync_barrier_way(size_t number);

/* ---- what the processes of a crew do ---- */

enum sync_role { SYNC_PAIR = BENCH_ROLE_PAIR, SYNC_CONTEND, SYNC_MEET, SYNC_IDLE };

int sync_contend(const struct bench_task *task, size_t index, struct bench_shared *shared);
int sync_meet(const struct bench_task *task, size_t index, struct bench_shared *shared);
int sync_idle(const struct bench_task *task, size_t index, struct bench_shared *shared);

/* ---- probes: each a bench_run_fn ---- */

struct sync_lock_probe {
    size_t way;
    size_t n_processes;
};

/* One process, nobody else wants the lock: nanoseconds of an acquire and a release. */
int sync_run_uncontended(const void *arg, int64_t slice_ns, double *ret_values);

enum sync_contended_figure {
    SYNC_RATE,    /* acquisitions of all in a millisecond */
    SYNC_SHARE,   /* the lowest number of a process / the highest */
    SYNC_LONGEST, /* microseconds of the longest acquire */
    SYNC_CONTENDED_FIGURES
};

/* Several processes acquire, count up four words unless they only read, and release, as fast as they can. */
int sync_run_contended(const void *arg, int64_t slice_ns, double *ret_values);

struct sync_barrier_probe {
    size_t way;
    size_t n_processes;
};

/* Microseconds of a round. */
int sync_run_barrier(const void *arg, int64_t slice_ns, double *ret_values);

/* Thousand threads wait for an event: processor time of all of them, in percent of one processor. */
int sync_run_idle(const void *arg, int64_t slice_ns, double *ret_values);

#endif
