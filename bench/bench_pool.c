/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_pool.c: tasks for two workers, and their results.
 *
 * README.md explains cases and subjects; pool/pool.h how they are made.
 */
#include "pool/pool.h"
#include "support/bench.h"
#include "support/mpi.h"
#include "support/python.h"

#include <mproc/main.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_JOBS = 96 };

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

/* A probe with its argument and its name, which must stay where they are. */
struct job {
    char name[64];
    union {
        struct pool_probe pool;
        struct pool_files_probe files;
        struct bench_python_probe python;
        struct bench_mpi_probe mpi;
    } arg;
    char request[48];
    const char *subject;
    unsigned parts;
    bench_probe *probe;
};

static struct job jobs[MAX_JOBS];
static size_t n_jobs;

static struct job *add_job(const char *subject, const char *what, unsigned parts)
{
    if (n_jobs == MAX_JOBS) {
        fprintf(stderr, "bench_pool: more than %d jobs: raise MAX_JOBS\n", MAX_JOBS);
        exit(2);
    }
    struct job *job = &jobs[n_jobs++];
    job->subject = subject;
    job->parts = parts;
    snprintf(job->name, sizeof job->name, "%s, %s", subject, what);
    return job;
}

/* A job of each way that has one of the parts. */
static void add_ways(bench *b, unsigned parts, const char *what, bench_run_fn run, size_t n_figures,
                     const struct pool_probe *probe)
{
    for (size_t i = 0; lists[i]; i++) {
        for (const struct pool_way *way = lists[i]; way->subject; way++) {
            if (way->parts & parts) {
                struct job *job = add_job(way->subject, what, way->parts & parts);
                job->arg.pool = *probe;
                job->arg.pool.way = way;
                job->probe = bench_add_probe(b, job->name, run, &job->arg.pool, n_figures);
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
    {"Python Pool", "submit", POOL_STOP},
    {"Python Executor", "executor_submit", POOL_STOP},
};

/* What peers are asked: "VERB KIND NUMBER", KIND Python's and NUMBER if it is not negative. */
struct request {
    const char *verb;
    long number;
    size_t n_figures;
};

static void add_pythons(bench *b, unsigned parts, const char *what, const struct request *request)
{
    for (size_t i = 0; i < sizeof pythons / sizeof pythons[0]; i++) {
        const struct python_way *way = &pythons[i];
        if (way->parts & parts) {
            struct job *job = add_job(way->subject, what, way->parts & parts);
            char number[24] = "";
            if (request->number >= 0) {
                snprintf(number, sizeof number, " %ld", request->number);
            }
            snprintf(job->request, sizeof job->request, "%s %s%s", request->verb, way->kind,
                     number);
            job->arg.python =
                (struct bench_python_probe){POOL_SCRIPT, job->request, request->n_figures};
            job->probe = bench_add_probe(b, job->name, bench_run_python, &job->arg.python,
                                         request->n_figures);
            bench_set_slow(job->probe);
        }
    }
}

/* Its ranks never sleep. */
// NOLINTNEXTLINE(readability-function-size): each is a word of the request
static void add_mpi(bench *b, const char *subject, unsigned parts, const char *what,
                    const char *verb, size_t size, long number, size_t n_figures)
{
#ifdef BENCH_MPI_PROGRAM
    struct job *job = add_job(subject, what, parts);
    snprintf(job->request, sizeof job->request, "%s %zu %ld", verb, size, number);
    job->arg.mpi = (struct bench_mpi_probe){BENCH_MPI_PROGRAM, job->request, n_figures};
    job->probe = bench_add_probe(b, job->name, bench_run_mpi, &job->arg.mpi, n_figures);
    bench_set_slow(job->probe);
#else
    (void)b, (void)subject, (void)parts, (void)what, (void)verb, (void)size, (void)number,
        (void)n_figures;
#endif
}

/* ---- cases ---- */

/* A row for each job from `first` on that has the part; ratios are to `reference`. */
static void add_rows(bench_case *c, size_t first, unsigned part, size_t figure,
                     const char *reference)
{
    for (size_t i = first; i < n_jobs; i++) {
        if (jobs[i].parts & part) {
            bool is_reference = strcmp(jobs[i].subject, reference) == 0;
            (is_reference ? bench_add_reference : bench_add_row)(c, jobs[i].subject, jobs[i].probe,
                                                                 figure);
        }
    }
}

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
    const unsigned any_order = POOL_SUBMIT | POOL_MAP_ONE | POOL_UNORDERED;
    size_t first = n_jobs;
    add_ways(b, parts, "empty tasks", pool_run_rate, 1, &(struct pool_probe){.size = POOL_NUMBER});
    add_mpi(b, "Open MPI, 16 ahead", any_order, "empty tasks", "tasks", POOL_NUMBER, 16, 1);
    add_mpi(b, "Open MPI, 1 ahead", any_order, "empty tasks", "tasks", POOL_NUMBER, 1, 1);
    add_pythons(b, parts, "empty tasks", &(struct request){"tasks", POOL_NUMBER, 1});
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        add_rows(bench_add_case(b, "per ms", BENCH_HIGHER, "%s", cases[i].name), first,
                 cases[i].part, 0, "OpenMP tasks");
    }
}

static void add_one(bench *b, unsigned part, const char *what, int64_t pause_ns)
{
    size_t first = n_jobs;
    add_ways(b, part, what, pool_run_one, POOL_FIGURES,
             &(struct pool_probe){.size = POOL_NUMBER, .pause_ns = pause_ns});
    add_mpi(b, "Open MPI", part, what, "one", POOL_NUMBER, (long)pause_ns, POOL_FIGURES);
    add_pythons(b, part, what, &(struct request){"one", (long)pause_ns, POOL_FIGURES});
    add_rows(bench_add_case(b, "us", BENCH_LOWER, "one task, %s: median", what), first, part,
             POOL_MEDIAN, "apr_thread_pool");
    add_rows(bench_add_case(b, "us", BENCH_LOWER, "one task, %s: 99 of 100", what), first, part,
             POOL_P99, "apr_thread_pool");
}

static void add_payload(bench *b, size_t size, const char *what)
{
    size_t first = n_jobs;
    add_ways(b, POOL_PAYLOAD, what, pool_run_rate, 1, &(struct pool_probe){.size = size});
    add_mpi(b, "Open MPI, 1 ahead", POOL_PAYLOAD, what, "tasks", size, 1, 1);
    add_pythons(b, POOL_PAYLOAD, what, &(struct request){"tasks", (long)size, 1});
    add_rows(bench_add_case(b, "per ms", BENCH_HIGHER, "%s in and out: tasks", what), first,
             POOL_PAYLOAD, 0, "OpenMP tasks");
}

static void add_stop(bench *b)
{
    size_t first = n_jobs;
    add_ways(b, POOL_STOP, "stop", pool_run_stop, 1, &(struct pool_probe){.size = POOL_NUMBER});
    add_pythons(b, POOL_STOP, "stop", &(struct request){"stop", -1, 1});
    add_rows(bench_add_case(b, "us", BENCH_LOWER, "start, two tasks, stop"), first, POOL_STOP, 0,
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
    size_t first = n_jobs;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct job *job = add_job(files[i].subject, "files", ~0U);
        job->arg.files = (struct pool_files_probe){files[i].run};
        job->probe = bench_add_probe(b, job->name, pool_run_files, &job->arg.files, 1);
        bench_set_slow(job->probe);
    }
    add_rows(bench_add_case(b, "ms", BENCH_LOWER, "checksums of files: the whole job"), first, ~0U,
             0, "OpenMP for");
}

static bench_figure figure_of(const char *subject, const char *what)
{
    char name[sizeof jobs[0].name];
    snprintf(name, sizeof name, "%s, %s", subject, what);
    for (size_t i = 0; i < n_jobs; i++) {
        if (strcmp(jobs[i].name, name) == 0) {
            return (bench_figure){jobs[i].probe, 0};
        }
    }
    return (bench_figure){0}; // it was not there when this was built
}

static void add_targets(bench *b)
{
    static const struct {
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
    static char texts[sizeof targets / sizeof targets[0]][96]; // they must stay
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        bench_figure above = figure_of(targets[i].above, targets[i].what);
        bench_figure below = figure_of(targets[i].below, targets[i].what);
        snprintf(texts[i], sizeof texts[i], "%s: %s / %s", targets[i].what, targets[i].above,
                 targets[i].below);
        if (above.probe && below.probe) {
            (targets[i].is_least ? bench_add_least_target
                                 : bench_add_target)(b, targets[i].limit, texts[i], above, below);
        }
    }
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
    add_targets(b);
    bench_at_end(b, close_all);
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);
    return bench_main(argc, argv, "pool", build);
}
