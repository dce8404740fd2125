/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h: the harness of every benchmark.
 *
 * A *probe* is something to run once a round; it gives one or more *figures* each time. A *case* is
 * a table of figures that may be compared, one row for each *subject*: mproc and its peers. Rounds
 * are interleaved, every probe once a round, so that a slow spell of the machine falls on all of
 * them alike; a row shows median, lowest and highest of its rounds. A figure may be a row of
 * several cases.
 *
 *     static void build(bench *b)
 *     {
 *         bench_probe *ours = bench_add_probe(b, "mproc", run_ours, NULL, 1);
 *         bench_probe *theirs = bench_add_probe(b, "sem_t", run_theirs, NULL, 1);
 *         bench_case *take = bench_add_case(b, "ns", BENCH_LOWER, "uncontended");
 *         bench_add_row(take, "mproc", ours, 0);
 *         bench_add_reference(take, "sem_t", theirs, 0);
 *     }
 *     int main(int argc, char **argv)
 *     {
 *         mproc_main(argc, argv);
 *         return bench_main(argc, argv, "lock", build);
 *     }
 *
 * No figure ever decides the exit status; a probe that fails to work does.
 */
#ifndef MPROC_BENCH_H
#define MPROC_BENCH_H

#include <stddef.h>
#include <stdint.h>

/* Like printf: the compiler checks the arguments. */
#if defined(__MINGW32__)
#define BENCH_PRINTF(text, first) __attribute__((format(gnu_printf, text, first)))
#elif defined(__GNUC__)
#define BENCH_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define BENCH_PRINTF(text, first)
#endif

enum {
    BENCH_MAX_FIGURES = 4,   /* of one probe */
    BENCH_MAX_REPEATS = 4096 /* within one slice */
};

typedef struct bench bench;
typedef struct bench_probe bench_probe;
typedef struct bench_case bench_case;

/* Which values are good. */
typedef enum bench_better { BENCH_LOWER, BENCH_HIGHER } bench_better;

/* A probe's answers beside 0; make them with bench_fail and bench_skip. */
#define BENCH_SKIPPED 1
#define BENCH_FAILED (-1)

/*
 * Run once: repeat what is measured for about slice_ns and give the figures, usually a median.
 *
 * ret_values  as many as the probe has figures, all of them
 * returns 0, BENCH_SKIPPED (it cannot run here) or BENCH_FAILED; neither is asked again
 */
typedef int (*bench_run_fn)(const void *arg, int64_t slice_ns, double *ret_values);

/* Print like printf why the running probe fails or cannot run, and return the answer to give. */
BENCH_PRINTF(1, 2) int bench_fail(const char *format, ...);
BENCH_PRINTF(1, 2) int bench_skip(const char *format, ...);

/* What bench_fail or bench_skip said last. */
const char *bench_reason(void);

/* ---- building a suite; strings are copied, but for probe names and subjects ---- */

bench_probe *bench_add_probe(bench *b, const char *name, bench_run_fn run, const void *arg,
                             size_t n_figures);
BENCH_PRINTF(4, 5)
bench_case *bench_add_case(bench *b, const char *unit, bench_better better, const char *format,
                           ...);
void bench_add_row(bench_case *c, const char *subject, bench_probe *probe, size_t figure);
/* The row that the ratio column divides by; one for each case. */
void bench_add_reference(bench_case *c, const char *subject, bench_probe *probe, size_t figure);
/* One that takes far longer than a slice, however short that is: it is run in every fifth round. */
void bench_set_slow(bench_probe *probe);
/* Have `run` called after the last round, to end what probes have left running. */
void bench_at_end(bench *b, void (*run)(void));

/* One of a probe's figures. */
typedef struct bench_figure {
    bench_probe *probe;
    size_t figure;
} bench_figure;

/*
 * A closing line "TEXT: ratio", for information: the figure `above` divided by the figure `below`,
 * and whether that is within `limit`. limit 0: no limit.
 */
void bench_add_target(bench *b, double limit, const char *text, bench_figure above,
                      bench_figure below);

/* The same for what is to be at least the limit. Without a probe `below` is 1, here and there. */
void bench_add_least_target(bench *b, double limit, const char *text, bench_figure above,
                            bench_figure below);

/* Take the options, run the suite, print it. Returns main's status. */
int bench_main(int argc, char **argv, const char *suite, void (*build)(bench *b));

/* The middle one; sorts the values. 0 for none. */
double bench_median(double *values, size_t count);

#endif
