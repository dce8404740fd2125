/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h: what bench.c fills and report.c prints. Suites include bench.h only.
 */
#ifndef MPROC_BENCH_MODEL_H
#define MPROC_BENCH_MODEL_H

#include <stdbool.h>

#include "bench.h"

enum {
    BENCH_MAX_ROUNDS = 99,
    BENCH_MAX_PROBES = 224,
    BENCH_MAX_CASES = 64,
    BENCH_MAX_ROWS = 24,
    BENCH_MAX_TARGETS = 40
};

struct bench_probe {
    const char *name;
    bench_run_fn run;
    const void *arg;
    size_t n_figures;
    bool is_wanted; /* a selected case shows it */
    bool is_slow;
    int state; /* 0, BENCH_SKIPPED or BENCH_FAILED */
    char reason[160];
    size_t rounds; /* that gave values */
    double values[BENCH_MAX_FIGURES][BENCH_MAX_ROUNDS];
};

struct bench_row {
    const char *subject;
    bench_figure is;
};

struct bench_case {
    char name[80];
    const char *unit;
    bench_better better;
    bool is_wanted;
    size_t n_rows;
    int reference; /* index, or -1 */
    struct bench_row rows[BENCH_MAX_ROWS];
};

struct bench_target {
    double limit;
    bool is_least;
    const char *text;
    bench_figure above, below; /* below.probe NULL: 1 */
};

struct bench {
    const char *suite;
    char machine[64]; /* before the run */
    size_t n_probes, n_cases, n_targets;
    bench_probe probes[BENCH_MAX_PROBES];
    bench_case cases[BENCH_MAX_CASES];
    struct bench_target targets[BENCH_MAX_TARGETS];
    void (*at_end)(void);
};

/* A figure's values over the rounds. */
struct bench_summary {
    size_t count;
    double median, min, max;
};

struct bench_summary bench_summarize(bench_figure figure);

/* Print the selected cases and the targets to stdout. */
void bench_print(const bench *b);

/* Write the rows that have values. 0, or -1 after a message. */
int bench_write_json(const bench *b, const char *path);

#endif
