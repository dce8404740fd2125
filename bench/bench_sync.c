/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_sync.c: locks, rwlocks, semaphores, events, conditions and barriers between processes.
 *
 * README.md explains cases and subjects; sync/sync.h how they are made.
 */
#include "support/bench.h"
#include "support/python.h"
#include "support/system.h"
#include "sync/sync.h"

#include <mproc/main.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BENCH_SOURCE_DIR
#define BENCH_SOURCE_DIR "."
#endif

enum { MAX_JOBS = 110 };

const bench_role_fn bench_roles[] = {
    [SYNC_PAIR] = bench_pair,
    [SYNC_CONTEND] = sync_contend,
    [SYNC_MEET] = sync_meet,
    [SYNC_IDLE] = sync_idle,
};

const struct bench_pair_way *bench_pair_way(size_t number)
{
    const struct bench_pair_way *const lists[] = {sync_mproc_pairs, sync_system_pairs};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct bench_pair_way *way = lists[i]; way->subject; way++) {
            if (number-- == 0) {
                return way;
            }
        }
    }
    return NULL;
}

/* A probe with its argument and its name, which must stay where they are. */
struct job {
    char name[64];
    union {
        struct sync_lock_probe lock;
        struct bench_pair_probe pair;
        struct sync_barrier_probe barrier;
        struct bench_python_probe python;
    } arg;
    char request[32];
    const char *subject;
    bench_probe *probe;
};

static struct job jobs[MAX_JOBS];
static size_t n_jobs;

static struct job *add_job(const char *subject, const char *what)
{
    if (n_jobs == MAX_JOBS) {
        fprintf(stderr, "bench_sync: more than %d jobs: raise MAX_JOBS\n", MAX_JOBS);
        exit(2);
    }
    struct job *job = &jobs[n_jobs++];
    job->subject = subject;
    snprintf(job->name, sizeof job->name, "%s, %s", subject, what);
    return job;
}

static void add_python(bench *b, const char *subject, const char *kind, int number,
                       size_t n_figures)
{
    struct job *job = add_job(subject, kind);
    snprintf(job->request, sizeof job->request, "%s %d", kind, number);
    job->arg.python =
        (struct bench_python_probe){BENCH_SOURCE_DIR "/peers/sync.py", job->request, n_figures};
    job->probe = bench_add_probe(b, job->name, bench_run_python, &job->arg.python, n_figures);
    bench_set_slow(job->probe);
}

/* The figure that targets are about, of the job among those from `first` on with this subject. */
static bench_figure figure_of(size_t first, const char *subject, size_t figure)
{
    for (size_t i = first; i < n_jobs; i++) {
        if (strcmp(jobs[i].subject, subject) == 0) {
            return (bench_figure){jobs[i].probe, figure};
        }
    }
    return (bench_figure){NULL, 0};
}

static void add_target(bench *b, double limit, const char *text, bench_figure above,
                       bench_figure below)
{
    if (above.probe && below.probe) {
        bench_add_target(b, limit, text, above, below);
    }
}

/* A row for each job from `first` on; ratios are to `reference`. */
static void add_rows(bench_case *c, size_t first, size_t figure, const char *reference)
{
    for (size_t i = first; i < n_jobs; i++) {
        bool is_reference = strcmp(jobs[i].subject, reference) == 0;
        (is_reference ? bench_add_reference : bench_add_row)(c, jobs[i].subject, jobs[i].probe,
                                                             figure);
    }
}

/* ---- locks ---- */

static void add_uncontended(bench *b)
{
    static const char shared[] = "shared pthread mutex";
    size_t first = n_jobs;
    const struct sync_lock_way *way;
    for (size_t i = 0; (way = sync_lock_way(i)) != NULL; i++) {
        struct job *job = add_job(way->subject, "uncontended");
        job->arg.lock = (struct sync_lock_probe){i, 1};
        job->probe = bench_add_probe(b, job->name, sync_run_uncontended, &job->arg.lock, 1);
    }
    add_python(b, "Python Lock", "alone", 1, 1);
    add_rows(bench_add_case(b, "ns", BENCH_LOWER, "uncontended: acquire and release"), first, 0,
             shared);
    bench_figure theirs = figure_of(first, shared, 0);
    add_target(b, 1.0, "uncontended: lock / process-shared pthread mutex",
               figure_of(first, "mproc lock", 0), theirs);
    add_target(b, 1.3, "uncontended: rlock / process-shared pthread mutex",
               figure_of(first, "mproc rlock", 0), theirs);
    add_target(b, 1.0, "uncontended: rwlock, read / process-shared pthread rwlock",
               figure_of(first, "mproc rwlock, read", 0),
               figure_of(first, "pthread rwlock, read", 0));
    add_target(b, 2.5, "uncontended: rwlock, write / process-shared pthread rwlock",
               figure_of(first, "mproc rwlock, write", 0),
               figure_of(first, "pthread rwlock, write", 0));
}

static void add_contended_targets(bench *b, size_t first)
{
    bench_figure ours = figure_of(first, "mproc lock", SYNC_RATE);
    bench_figure theirs = figure_of(first, "robust pthread mutex", SYNC_RATE);
    bench_figure share = figure_of(first, "mproc lock", SYNC_SHARE);
    if (theirs.probe) {
        bench_add_least_target(b, 1.0, "2 processes: throughput of lock / robust pthread mutex",
                               ours, theirs);
    }
    bench_add_least_target(b, 0.7, "2 processes: lowest / highest share of lock", share,
                           (bench_figure){NULL, 0});
}

static void add_contended(bench *b, size_t n)
{
    static const char robust[] = "robust pthread mutex";
    size_t first = n_jobs;
    char what[32];
    snprintf(what, sizeof what, "%zu processes", n);
    const struct sync_lock_way *way;
    for (size_t i = 0; (way = sync_lock_way(i)) != NULL; i++) {
        if (!way->is_private && !way->is_shared) {
            struct job *job = add_job(way->subject, what);
            job->arg.lock = (struct sync_lock_probe){i, n};
            job->probe = bench_add_probe(b, job->name, sync_run_contended, &job->arg.lock,
                                         SYNC_CONTENDED_FIGURES);
        }
    }
    add_python(b, "Python Lock", "contend", (int)n, SYNC_CONTENDED_FIGURES);
    add_rows(bench_add_case(b, "per ms", BENCH_HIGHER, "%s: acquisitions", what), first, SYNC_RATE,
             robust);
    add_rows(bench_add_case(b, "ratio", BENCH_HIGHER, "%s: lowest / highest share", what), first,
             SYNC_SHARE, robust);
    add_rows(bench_add_case(b, "us", BENCH_LOWER, "%s: longest acquire", what), first, SYNC_LONGEST,
             robust);
    if (n == 2) {
        add_contended_targets(b, first);
    }
}

static void add_readers(bench *b, size_t n)
{
    static const char theirs[] = "pthread rwlock, read";
    size_t first = n_jobs;
    char what[32];
    snprintf(what, sizeof what, "%zu readers", n);
    const struct sync_lock_way *way;
    for (size_t i = 0; (way = sync_lock_way(i)) != NULL; i++) {
        if (way->is_shared) {
            struct job *job = add_job(way->subject, what);
            job->arg.lock = (struct sync_lock_probe){i, n};
            job->probe = bench_add_probe(b, job->name, sync_run_contended, &job->arg.lock,
                                         SYNC_CONTENDED_FIGURES);
        }
    }
    add_rows(bench_add_case(b, "per ms", BENCH_HIGHER, "%s: acquisitions", what), first, SYNC_RATE,
             theirs);
    bench_figure peer = figure_of(first, theirs, SYNC_RATE);
    if (peer.probe) {
        bench_add_least_target(b, 1.0, "2 readers: throughput of rwlock / pthread rwlock",
                               figure_of(first, "mproc rwlock, read", SYNC_RATE), peer);
    }
}

/* ---- pairs ---- */

static const char *const settings[BENCH_SETTINGS] = {"one processor", "asleep, two processors",
                                                     "at once, two processors"};

static void add_pair_targets(bench *b, size_t first, enum bench_setting setting)
{
    static const char *const texts[BENCH_SETTINGS][2] = {
        {"ping-pong, one processor: event / futex", "ping-pong, one processor: condition / futex"},
        {"ping-pong, asleep: event / futex", "ping-pong, asleep: condition / futex"},
        {"ping-pong, at once: futex / event", "ping-pong, at once: futex / condition"},
    };
    static const char *const subjects[2] = {"mproc event", "mproc condition"};
    bench_figure futex = figure_of(first, "futex", BENCH_PASS);
    for (int i = 0; i < 2; i++) {
        bench_figure ours = figure_of(first, subjects[i], BENCH_PASS);
        if (setting != BENCH_AT_ONCE) {
            add_target(b, 1.2, texts[setting][i], ours, futex);
        } else if (ours.probe && futex.probe) {
            bench_add_least_target(b, 20, texts[setting][i], futex, ours);
        }
    }
}

static void add_pairs(bench *b, enum bench_setting setting)
{
    size_t first = n_jobs;
    const struct bench_pair_way *way;
    for (size_t i = 0; (way = bench_pair_way(i)) != NULL; i++) {
        struct job *job = add_job(way->subject, settings[setting]);
        job->arg.pair = (struct bench_pair_probe){i, setting};
        job->probe =
            bench_add_probe(b, job->name, bench_run_pair, &job->arg.pair, BENCH_PAIR_FIGURES);
    }
    add_python(b, "Python Event", "event", setting, BENCH_PAIR_FIGURES);
    add_python(b, "Python Condition", "condition", setting, BENCH_PAIR_FIGURES);
    add_rows(bench_add_case(b, "us", BENCH_LOWER, "ping-pong, %s: a pass", settings[setting]),
             first, BENCH_PASS, "futex");
    if (bench_sleeps() >= 0) {
        add_rows(bench_add_case(b, "sleeps", BENCH_LOWER, "ping-pong, %s: sleeps in a wait",
                                settings[setting]),
                 first, BENCH_SLEPT, "");
    }
    add_pair_targets(b, first, setting);
}

/* ---- barriers and sleepers ---- */

static void add_barriers(bench *b, size_t n)
{
    size_t first = n_jobs;
    char what[32];
    snprintf(what, sizeof what, "barrier of %zu", n);
    const struct sync_barrier_way *way;
    for (size_t i = 0; (way = sync_barrier_way(i)) != NULL; i++) {
        struct job *job = add_job(way->subject, what);
        job->arg.barrier = (struct sync_barrier_probe){i, n};
        job->probe = bench_add_probe(b, job->name, sync_run_barrier, &job->arg.barrier, 1);
    }
    if (n_jobs > first) {
        add_rows(bench_add_case(b, "us", BENCH_LOWER, "barrier, %zu processes: a round", n), first,
                 0, "pthread barrier");
    }
}

static void add_idle(bench *b)
{
    bench_probe *probe = bench_add_probe(b, "mproc event, idle", sync_run_idle, NULL, 1);
    bench_set_slow(probe);
    bench_case *c =
        bench_add_case(b, "% of a processor", BENCH_LOWER, "1,000 waiters: processor time");
    bench_add_row(c, "mproc event", probe, 0);
    bench_add_target(b, 1.0, "1,000 idle waiters: processor time in percent of a processor",
                     (bench_figure){probe, 0}, (bench_figure){NULL, 0});
}

static void build(bench *b)
{
    add_uncontended(b);
    add_contended(b, 2);
    add_contended(b, 8);
    add_readers(b, 2);
    for (int setting = 0; setting < BENCH_SETTINGS; setting++) {
        add_pairs(b, (enum bench_setting)setting);
    }
    for (size_t n = 2; n <= 8; n *= 2) {
        add_barriers(b, n);
    }
    add_idle(b);
    bench_at_end(b, bench_close_python);
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);
    return bench_main(argc, argv, "sync", build);
}
