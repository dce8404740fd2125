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

#include "crew.h"

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
    int (*contend)(void *lock, struct sync_shared *shared, struct sync_result *result);
};

/* All ways of a file, up to one without subject. */
extern const struct sync_lock_way sync_mproc_locks[];
extern const struct sync_lock_way sync_system_locks[];
extern const struct sync_lock_way sync_apr_locks[];

/* By a number that is the same in all processes of this program; NULL: no more. */
const struct sync_lock_way *sync_lock_way(size_t number);

/* ---- ways to tell each other something ---- */

enum sync_side { SYNC_FIRST, SYNC_SECOND };

struct sync_pair_way {
    const char *subject;
    bool is_object; /* objects[] are handles of mproc */

    int (*open)(const struct sync_pair_way *way, void *ret_objects[2]);
    void (*close)(void *const objects[2]);
    /* Wait for what `side` has posted, and take it; post it. Not 0: it failed. */
    int (*wait)(void *const objects[2], enum sync_side side);
    int (*post)(void *const objects[2], enum sync_side side);
};

extern const struct sync_pair_way sync_mproc_pairs[];
extern const struct sync_pair_way sync_system_pairs[];

const struct sync_pair_way *sync_pair_way(size_t number);

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

/* ---- what only the system knows; the twins ---- */

/* Two processors that this process may run on. How many it found: 0, 1 or 2. */
int sync_processors(int ret_processors[2]);
/* Have this process run on when it wakes another one, as far as the system can be asked for that. */
void sync_run_on(void);
/* How often this process has given up its processor in order to wait; -1: not known. */
int64_t sync_sleeps(void);
/* Processor time used so far by all threads of a process, in nanoseconds; -1: not known. */
int64_t sync_cpu_time(int64_t pid);
extern const char *const sync_python_program;

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

enum sync_setting {
    SYNC_ONE_PROCESSOR, /* both on one processor, which neither gives up but by going to sleep */
    SYNC_ASLEEP,  /* each on its own; who is told something works longer than the other spins */
    SYNC_AT_ONCE, /* each on its own, answering at once */
    SYNC_SETTINGS
};

struct sync_pair_probe {
    size_t way;
    enum sync_setting setting;
};

enum sync_pair_figure {
    SYNC_PASS,  /* microseconds from before the post until the other's wait has returned */
    SYNC_SLEPT, /* sleeps for each wait */
    SYNC_PAIR_FIGURES
};

int sync_run_pair(const void *arg, int64_t slice_ns, double *ret_values);

struct sync_barrier_probe {
    size_t way;
    size_t n_processes;
};

/* Microseconds of a round. */
int sync_run_barrier(const void *arg, int64_t slice_ns, double *ret_values);

/* Thousand threads wait for an event: processor time of all of them, in percent of one processor. */
int sync_run_idle(const void *arg, int64_t slice_ns, double *ret_values);

struct sync_python_probe {
    const char *request; /* KIND NUMBER, see peers/sync.py */
    size_t n_figures;
};

int sync_run_python(const void *arg, int64_t slice_ns, double *ret_values);
void sync_close_python(void);

#endif
