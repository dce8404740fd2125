/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pairs.h: ping-pong: two processes tell each other something, in turn.
 */
#ifndef MPROC_BENCH_PAIRS_H
#define MPROC_BENCH_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crew.h"
#include "jobs.h"

/* The first of bench_roles. */
enum { BENCH_ROLE_PAIR };

int bench_pair(const struct bench_task *task, size_t index, struct bench_shared *shared);

enum bench_side { BENCH_FIRST, BENCH_SECOND };

struct bench_pair_way {
    const char *subject;
    bool is_object;    /* objects[] are handles of mproc */
    bool only_at_once; /* it never sleeps */
    int option;        /* as the way pleases */

    int (*open)(const struct bench_pair_way *way, void *ret_objects[2]);
    void (*close)(void *const objects[2]);
    /* Wait for what `side` has posted, and take it; post it. Not 0: it failed. */
    int (*wait)(void *const objects[2], enum bench_side side);
    int (*post)(void *const objects[2], enum bench_side side);
    /* In a process that has finished: what it has posted must come through. NULL: nothing to do. */
    void (*leave)(void *const objects[2]);
};

/* Of the suite, which defines it: each up to a way without subject; the last one is NULL. */
extern const struct bench_pair_way *const bench_pair_lists[];

enum bench_setting {
    BENCH_ONE_PROCESSOR, /* both on one processor, which neither gives up but by going to sleep */
    BENCH_ASLEEP,  /* each on its own; who is told something works longer than the other spins */
    BENCH_AT_ONCE, /* each on its own, answering at once */
    BENCH_SETTINGS
};

/* As it stands in the cases' names. */
extern const char *const bench_setting_names[BENCH_SETTINGS];

enum bench_pair_figure {
    BENCH_PASS,  /* microseconds from before the post until the other's wait has returned */
    BENCH_SLEPT, /* sleeps for each wait */
    BENCH_PAIR_FIGURES
};

/* A job for each of the suite's ways. */
void bench_add_pairs(struct bench_jobs *jobs, enum bench_setting setting);
/* The cases of these jobs, and of other ones that give the same figures. */
void bench_add_pair_cases(const struct bench_jobs *jobs, enum bench_setting setting,
                          const char *reference);

#endif
