/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_pool.c: tasks for two workers, and their results.
 *
 * README.md explains cases and subjects; pool/pool.h how they are made.
 */
#include "pool/pool.h"
#include "support/bench.h"
#include "support/jobs.h"
#include "support/mpi.h"
#include "support/python.h"

#include <mproc/main.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PAUSE_NS ((int64_t)2000000)

/* Libraries that are not there have no ways. */
static const struct pool_way *const lists[] = {
    pool_mproc_ways,
#ifdef BENCH_HAVE_APR_UTIL
    pool_apr_ways,
#endif
#ifdef BENCH_HAVE_GLIB
    pool_glib_ways,
#endif
#ifdef BENCH_HAVE_OPENMP
    pool_openmp_ways,
#endif
#ifdef BENCH_HAVE_TBB
    pool_tbb_ways,
#endif
    NULL,
};

/* What is not here, said once. */
static void tell_missing(void)
{
    static const char *const missing[] = {
#ifndef BENCH_HAVE_APR_UTIL
        "apr_thread_pool",
#endif
#ifndef BENCH_HAVE_GLIB
        "GThreadPool",
#endif
#ifndef BENCH_HAVE_OPENMP
        "OpenMP",
#endif
#ifndef BENCH_HAVE_TBB
        "oneTBB",
#endif
#ifndef BENCH_MPI_PROGRAM
        "Open MPI",
#endif
        NULL,
    };
    for (size_t i = 0; missing[i]; i++) {
        fprintf(stderr, "bench: without %s: it was not there when this was built\n", missing[i]);
    }
}

/* ---- jobs ---- */

/* A job of each way that has one of the parts. */
static void add_ways(struct bench_jobs *jobs, unsigned parts, bench_run_fn run,
                     const struct pool_probe *probe)
{
    for (size_t i = 0; lists[i]; i++) {
        for (const struct pool_way *way = lists[i]; way->subject; way++) {
            if (way->parts & parts) {
                struct pool_probe its = *probe;
                its.way = way;
                bench_add_job(jobs, way->subject, run, &its, sizeof its)->parts = way->parts;
            }
        }
    }
}

/* Python's ways to do it, with their names in peers/pool.py. */
static const struct python_way {
    const char *subject;
    const char *kind;
    unsigned parts;
} pythons[] = {
    {"Python apply_async", "submit", POOL_SUBMIT | POOL_ONE | POOL_ASLEEP},
    {"Python map", "map", POOL_MAP},
    {"Python map, 1 at a time", "map_one", POOL_MAP_ONE | POOL_PAYLOAD},
    {"Python imap_unordered", "unordered", POOL_UNORDERED},
    {"Python Executor.submit", "executor_submit", POOL_SUBMIT | POOL_ONE | POOL_ASLEEP},
    {"Python Executor.map", "executor_map", POOL_MAP_ONE},
};

/* They are asked "VERB KIND NUMBER". */
static void add_pythons(struct bench_jobs *jobs, unsigned parts, const char *verb, int64_t number)
{
    for (size_t i = 0; i < sizeof pythons / sizeof pythons[0]; i++) {
        const struct python_way *way = &pythons[i];
        if (way->parts & parts) {
            bench_add_python(jobs, way->subject, POOL_SCRIPT, "%s %s %" PRId64, verb, way->kind,
                             number)
                ->parts = way->parts;
        }
    }
}

/* Of a master and workers that never sleep, and take tasks in any order. */
static void add_mpi_rate(struct bench_jobs *jobs, const char *subject, size_t size, int n_ahead)
{
    struct bench_job *job = bench_add_mpi(jobs, subject, BENCH_MPI, "tasks %zu %d", size, n_ahead);
    if (job) {
        job->parts = POOL_SUBMIT | POOL_MAP_ONE | POOL_UNORDERED | POOL_PAYLOAD;
    }
}

/* What the project wants to reach, by the jobs' names. */
static const struct pool_target {
    double limit;
    bool is_least;
    const char *what, *above, *below;
} targets[] = {
    {1, true, "empty tasks", "mproc", "GThreadPool"},
    {1, true, "empty tasks", "mproc", "apr_thread_pool"},
    {100, true, "empty tasks", "mproc", "Python apply_async"},
    {2, true, "empty tasks", "mproc map", "OpenMP tasks"},
    {3, true, "empty tasks", "mproc map", "Python map"},
    {6, true, "empty tasks", "mproc map_array", "OpenMP tasks"},
    {6, true, "empty tasks", "mproc for", "OpenMP tasks"},
    {20, true, "empty tasks", "mproc imap_unordered", "Python imap_unordered"},
    {1, false, "at once", "mproc", "Open MPI"},
    {1.2, false, "after a pause", "mproc", "apr_thread_pool"},
    {1.1, false, "files", "mproc", "OpenMP for"},
    {1, false, "files", "mproc", "xargs -P2 -n64"},
    {1, false, "files", "mproc", "Python map"},
};

static void add_targets(const struct bench_jobs *jobs)
{
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        const struct pool_target *t = &targets[i];
        if (strcmp(t->what, jobs->what) == 0) {
            char text[96];
            snprintf(text, sizeof text, "%s: %s / %s", t->what, t->above, t->below);
            (t->is_least ? bench_add_least : bench_add_most)(jobs, 0, t->limit, text, t->above,
                                                             t->below);
        }
    }
}

/* ---- cases ---- */

static void add_rates(bench *b)
{
    static const struct {
        unsigned part;
        const char *name;
    } cases[] = {
        {POOL_SUBMIT, "submit: empty tasks"},
        {POOL_MAP, "map, default chunks: empty tasks"},
        {POOL_MAP_ONE, "map, 1 at a time: empty tasks"},
        {POOL_UNORDERED, "imap_unordered, 1 at a time: empty tasks"},
        {POOL_ARRAY, "arrays and parallel-for: empty tasks"},
    };
    const unsigned parts = POOL_SUBMIT | POOL_MAP | POOL_MAP_ONE | POOL_UNORDERED | POOL_ARRAY;
    struct bench_jobs jobs = {.b = b, .what = "empty tasks", .n_figures = 1};
    add_ways(&jobs, parts, pool_run_rate, &(struct pool_probe){.size = POOL_NUMBER});
    add_mpi_rate(&jobs, "Open MPI, 16 ahead", POOL_NUMBER, 16);
    add_mpi_rate(&jobs, "Open MPI, 1 ahead", POOL_NUMBER, 1);
    add_pythons(&jobs, parts, "tasks", POOL_NUMBER);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench_add_rows_of(&jobs, cases[i].part,
                          bench_add_case(b, "per ms", BENCH_HIGHER, "%s", cases[i].name), 0,
                          "OpenMP tasks");
    }
    add_targets(&jobs);
}

static void add_one(bench *b, unsigned part, const char *what, int64_t pause_ns)
{
    struct bench_jobs jobs = {.b = b, .what = what, .n_figures = POOL_FIGURES};
    add_ways(&jobs, part, pool_run_one,
             &(struct pool_probe){.size = POOL_NUMBER, .pause_ns = pause_ns});
    bench_add_mpi(&jobs, "Open MPI", BENCH_MPI, "one %d %" PRId64, POOL_NUMBER, pause_ns);
    add_pythons(&jobs, part, "one", pause_ns);
    bench_add_rows(&jobs, bench_add_case(b, "us", BENCH_LOWER, "one task, %s: median", what),
                   POOL_MEDIAN, "apr_thread_pool");
    bench_add_rows(&jobs, bench_add_case(b, "us", BENCH_LOWER, "one task, %s: 99 of 100", what),
                   POOL_P99, "apr_thread_pool");
    add_targets(&jobs);
}

static void add_payload(bench *b, size_t size, const char *what)
{
    struct bench_jobs jobs = {.b = b, .what = what, .n_figures = 1};
    add_ways(&jobs, POOL_PAYLOAD, pool_run_rate, &(struct pool_probe){.size = size});
    add_mpi_rate(&jobs, "Open MPI, 1 ahead", size, 1);
    add_pythons(&jobs, POOL_PAYLOAD, "tasks", (int64_t)size);
    bench_add_rows(&jobs, bench_add_case(b, "per ms", BENCH_HIGHER, "%s in and out: tasks", what),
                   0, "OpenMP tasks");
}

static void add_stop(bench *b)
{
    struct bench_jobs jobs = {.b = b, .what = "stop", .n_figures = 1};
    add_ways(&jobs, POOL_STOP, pool_run_stop, &(struct pool_probe){.size = POOL_NUMBER});
    bench_add_python(&jobs, "Python Pool", POOL_SCRIPT, "stop submit");
    bench_add_python(&jobs, "Python Executor", POOL_SCRIPT, "stop executor_submit");
    bench_add_rows(&jobs, bench_add_case(b, "us", BENCH_LOWER, "start, two tasks, stop"), 0,
                   "apr_thread_pool");
}

static void add_files(bench *b)
{
    static const struct {
        const char *subject;
        pool_files_fn run;
    } files[] = {
        {"mproc", pool_files_mproc},          {"mproc imap_unordered", pool_files_mproc_unordered},
        {"one process", pool_files_alone},
#ifdef BENCH_HAVE_OPENMP
        {"OpenMP for", pool_files_openmp},
#endif
#ifdef BENCH_FILES_PROGRAM
        {"xargs -P2 -n64", pool_files_xargs},
#endif
        {"Python map", pool_files_python},
    };
    struct bench_jobs jobs = {.b = b, .what = "files", .n_figures = 1};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const struct pool_files_probe probe = {files[i].run};
        const struct bench_job *job =
            bench_add_job(&jobs, files[i].subject, pool_run_files, &probe, sizeof probe);
        bench_set_slow(job->probe);
    }
    bench_add_rows(&jobs, bench_add_case(b, "ms", BENCH_LOWER, "checksums of files: the whole job"),
                   0, "OpenMP for");
    add_targets(&jobs);
}

static void close_all(void)
{
    pool_close_files();
    bench_close_python();
    bench_close_mpi();
}

static void build(bench *b)
{
    tell_missing();
    add_rates(b);
    add_one(b, POOL_ONE, "at once", 0);
    add_one(b, POOL_ASLEEP, "after a pause", PAUSE_NS);
    add_payload(b, POOL_KIB, "1 KiB");
    add_payload(b, POOL_MIB, "1 MiB");
    add_stop(b);
    add_files(b);
    bench_at_end(b, close_all);
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);
    return bench_main(argc, argv, "pool", build);
}
