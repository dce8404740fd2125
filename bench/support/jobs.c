/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs.c: see jobs.h.
 */
#include "jobs.h"

#include "mpi.h"
#include "python.h"

#include <apr_pools.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Until apr_terminate, which is after the run. */
static void *keep(const void *data, size_t size)
{
    static apr_pool_t *pool;
    void *copy =
        pool || apr_pool_create(&pool, NULL) == APR_SUCCESS ? apr_palloc(pool, size) : NULL;
    if (!copy) {
        fprintf(stderr, "bench: no memory\n");
        exit(1);
    }
    return memcpy(copy, data, size);
}

static const char *keep_text(const char *text)
{
    return keep(text, strlen(text) + 1);
}

BENCH_PRINTF(1, 0) static const char *keep_request(const char *format, va_list list)
{
    char text[64];
    vsnprintf(text, sizeof text, format, list);
    return keep_text(text);
}

struct bench_job *bench_add_job(struct bench_jobs *jobs, const char *subject, bench_run_fn run,
                                const void *arg, size_t size)
{
    char name[64];
    snprintf(name, sizeof name, "%s, %s", subject, jobs->what);
    const struct bench_job filled = {
        .subject = keep_text(subject),
        .probe = bench_add_probe(jobs->b, keep_text(name), run, keep(arg, size), jobs->n_figures),
        .parts = ~0U,
    };
    struct bench_job *job = keep(&filled, sizeof filled);
    *(jobs->last ? &jobs->last->next : &jobs->first) = job;
    jobs->last = job;
    return job;
}

struct bench_job *bench_add_python(struct bench_jobs *jobs, const char *subject, const char *script,
                                   const char *format, ...)
{
    va_list list;
    va_start(list, format);
    const struct bench_python_probe probe = {keep_text(script), keep_request(format, list),
                                             jobs->n_figures};
    va_end(list);
    struct bench_job *job = bench_add_job(jobs, subject, bench_run_python, &probe, sizeof probe);
    bench_set_slow(job->probe);
    return job;
}

struct bench_job *bench_add_mpi(struct bench_jobs *jobs, const char *subject, const char *program,
                                const char *format, ...)
{
    if (!program) {
        return NULL;
    }
    va_list list;
    va_start(list, format);
    const struct bench_mpi_probe probe = {keep_text(program), keep_request(format, list),
                                          jobs->n_figures};
    va_end(list);
    struct bench_job *job = bench_add_job(jobs, subject, bench_run_mpi, &probe, sizeof probe);
    bench_set_slow(job->probe);
    return job;
}

void bench_add_rows(const struct bench_jobs *jobs, bench_case *c, size_t figure,
                    const char *reference)
{
    bench_add_rows_of(jobs, ~0U, c, figure, reference);
}

void bench_add_rows_of(const struct bench_jobs *jobs, unsigned parts, bench_case *c, size_t figure,
                       const char *reference)
{
    for (const struct bench_job *job = jobs->first; job; job = job->next) {
        if (job->parts & parts) {
            bool is_reference = strcmp(job->subject, reference) == 0;
            (is_reference ? bench_add_reference : bench_add_row)(c, job->subject, job->probe,
                                                                 figure);
        }
    }
}

static bench_figure figure_of(const struct bench_jobs *jobs, const char *subject, size_t figure)
{
    const struct bench_job *job = jobs->first;
    while (job && strcmp(job->subject, subject) != 0) {
        job = job->next;
    }
    return (bench_figure){job ? job->probe : NULL, figure};
}

/* Of bench_add_target and bench_add_least_target. */
typedef void (*target_fn)(bench *b, double limit, const char *text, bench_figure above,
                          bench_figure below);

struct subjects {
    const char *above, *below;
};

static void add_target(const struct bench_jobs *jobs, target_fn add, size_t figure, double limit,
                       const char *text, struct subjects of)
{
    bench_figure above = figure_of(jobs, of.above, figure);
    bench_figure below = {NULL, 0};
    if (of.below) {
        below = figure_of(jobs, of.below, figure);
    }
    if (above.probe && (below.probe || !of.below)) {
        add(jobs->b, limit, keep_text(text), above, below);
    }
}

void bench_add_most(const struct bench_jobs *jobs, size_t figure, double limit, const char *text,
                    const char *above, const char *below)
{
    add_target(jobs, bench_add_target, figure, limit, text, (struct subjects){above, below});
}

void bench_add_least(const struct bench_jobs *jobs, size_t figure, double limit, const char *text,
                     const char *above, const char *below)
{
    add_target(jobs, bench_add_least_target, figure, limit, text, (struct subjects){above, below});
}
