/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs.h: the probes of a suite that has many subjects do the same things.
 *
 * The jobs of one list do the same, and stand in the same cases. What is given to these functions is
 * copied, so it need not stay.
 *
 *     struct bench_jobs jobs = {.b = b, .what = "uncontended", .n_figures = 1};
 *     bench_add_job(&jobs, "mproc lock", run, &probe, sizeof probe);
 *     bench_add_python(&jobs, "Python Lock", script, "alone %d", 1);
 *     bench_add_rows(&jobs, bench_add_case(b, "ns", BENCH_LOWER, "uncontended"), 0, "Python Lock");
 *     bench_add_most(&jobs, 0, 0.1, "lock / Python Lock", "mproc lock", "Python Lock");
 */
#ifndef MPROC_BENCH_JOBS_H
#define MPROC_BENCH_JOBS_H

#include "bench.h"

struct bench_job {
    struct bench_job *next;
    const char *subject;
    bench_probe *probe;
    unsigned parts; /* see bench_add_rows_of; all of them, until the suite says which */
};

struct bench_jobs {
    bench *b;
    const char *what; /* a probe's name is "SUBJECT, WHAT" */
    size_t n_figures; /* of each */
    struct bench_job *first, *last;
};

/* A probe with `size` bytes of argument. */
struct bench_job *bench_add_job(struct bench_jobs *jobs, const char *subject, bench_run_fn run,
                                const void *arg, size_t size);

/* A slow one, for which Python's script is asked what is printed. */
BENCH_PRINTF(4, 5)
struct bench_job *bench_add_python(struct bench_jobs *jobs, const char *subject, const char *script,
                                   const char *format, ...);

/* The same with Open MPI's program, see BENCH_MPI. NULL, and no job, where that is NULL. */
BENCH_PRINTF(4, 5)
struct bench_job *bench_add_mpi(struct bench_jobs *jobs, const char *subject, const char *program,
                                const char *format, ...);

/* A row for each job; ratios are to that of `reference`, if there is one. */
void bench_add_rows(const struct bench_jobs *jobs, bench_case *c, size_t figure,
                    const char *reference);
/* For those only that have one of the parts. */
void bench_add_rows_of(const struct bench_jobs *jobs, unsigned parts, bench_case *c, size_t figure,
                       const char *reference);

/*
 * Targets as by bench_add_target and bench_add_least_target, of two subjects' figures; none if one of them
 * is not there. `below` NULL: 1.
 */
void bench_add_most(const struct bench_jobs *jobs, size_t figure, double limit, const char *text,
                    const char *above, const char *below);
void bench_add_least(const struct bench_jobs *jobs, size_t figure, double limit, const char *text,
                     const char *above, const char *below);

#endif
