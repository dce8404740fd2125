/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_sync.c: locks, rwlocks, semaphores, events, conditions and barriers between processes.
 *
 * README.md explains cases and subjects; sync/sync.h how they are made.
 */
#include "support/bench.h"
#include "support/jobs.h"
#include "support/python.h"
#include "sync/sync.h"

#include <mproc/main.h>

#include <stdio.h>

#ifndef BENCH_SOURCE_DIR
#define BENCH_SOURCE_DIR "."
#endif

const bench_role_fn bench_roles[] = {
    [SYNC_PAIR] = bench_pair,
    [SYNC_CONTEND] = sync_contend,
    [SYNC_MEET] = sync_meet,
    [SYNC_IDLE] = sync_idle,
};

const struct bench_pair_way *const bench_pair_lists[] = {sync_mproc_pairs, sync_system_pairs, NULL};

static void add_python(struct bench_jobs *jobs, const char *subject, const char *kind, int number)
{
    bench_add_python(jobs, subject, BENCH_SOURCE_DIR "/peers/sync.py", "%s %d", kind, number);
}

/* ---- locks ---- */

static void add_lock(struct bench_jobs *jobs, const char *subject, bench_run_fn run,
                     const struct sync_lock_probe *probe)
{
    bench_add_job(jobs, subject, run, probe, sizeof *probe);
}

static void add_uncontended(bench *b)
{
    static const char shared[] = "shared pthread mutex";
    struct bench_jobs jobs = {.b = b, .what = "uncontended", .n_figures = 1};
    const struct sync_lock_way *way;
    for (size_t i = 0; (way = sync_lock_way(i)) != NULL; i++) {
        add_lock(&jobs, way->subject, sync_run_uncontended, &(struct sync_lock_probe){i, 1});
    }
    add_python(&jobs, "Python Lock", "alone", 1);
    bench_add_rows(&jobs, bench_add_case(b, "ns", BENCH_LOWER, "uncontended: acquire and release"),
                   0, shared);
    bench_add_most(&jobs, 0, 1.0, "uncontended: lock / process-shared pthread mutex", "mproc lock",
                   shared);
    bench_add_most(&jobs, 0, 1.3, "uncontended: rlock / process-shared pthread mutex",
                   "mproc rlock", shared);
    bench_add_most(&jobs, 0, 1.0, "uncontended: rwlock, read / process-shared pthread rwlock",
                   "mproc rwlock, read", "pthread rwlock, read");
    bench_add_most(&jobs, 0, 2.5, "uncontended: rwlock, write / process-shared pthread rwlock",
                   "mproc rwlock, write", "pthread rwlock, write");
}

static void add_contended(bench *b, size_t n)
{
    static const char robust[] = "robust pthread mutex";
    char what[32];
    snprintf(what, sizeof what, "%zu processes", n);
    struct bench_jobs jobs = {.b = b, .what = what, .n_figures = SYNC_CONTENDED_FIGURES};
    const struct sync_lock_way *way;
    for (size_t i = 0; (way = sync_lock_way(i)) != NULL; i++) {
        if (!way->is_private && !way->is_shared) {
            add_lock(&jobs, way->subject, sync_run_contended, &(struct sync_lock_probe){i, n});
        }
    }
    add_python(&jobs, "Python Lock", "contend", (int)n);
    bench_add_rows(&jobs, bench_add_case(b, "per ms", BENCH_HIGHER, "%s: acquisitions", what),
                   SYNC_RATE, robust);
    bench_add_rows(&jobs,
                   bench_add_case(b, "ratio", BENCH_HIGHER, "%s: lowest / highest share", what),
                   SYNC_SHARE, robust);
    bench_add_rows(&jobs, bench_add_case(b, "us", BENCH_LOWER, "%s: longest acquire", what),
                   SYNC_LONGEST, robust);
    if (n == 2) {
        bench_add_least(&jobs, SYNC_RATE, 1.0,
                        "2 processes: throughput of lock / robust pthread mutex", "mproc lock",
                        robust);
        bench_add_least(&jobs, SYNC_SHARE, 0.7, "2 processes: lowest / highest share of lock",
                        "mproc lock", NULL);
    }
}

static void add_readers(bench *b, size_t n)
{
    static const char theirs[] = "pthread rwlock, read";
    char what[32];
    snprintf(what, sizeof what, "%zu readers", n);
    struct bench_jobs jobs = {.b = b, .what = what, .n_figures = SYNC_CONTENDED_FIGURES};
    const struct sync_lock_way *way;
    for (size_t i = 0; (way = sync_lock_way(i)) != NULL; i++) {
        if (way->is_shared) {
            add_lock(&jobs, way->subject, sync_run_contended, &(struct sync_lock_probe){i, n});
        }
    }
    bench_add_rows(&jobs, bench_add_case(b, "per ms", BENCH_HIGHER, "%s: acquisitions", what),
                   SYNC_RATE, theirs);
    bench_add_least(&jobs, SYNC_RATE, 1.0, "2 readers: throughput of rwlock / pthread rwlock",
                    "mproc rwlock, read", theirs);
}

/* ---- pairs ---- */

static void add_pair_targets(const struct bench_jobs *jobs, enum bench_setting setting)
{
    static const char *const texts[BENCH_SETTINGS][2] = {
        {"ping-pong, one processor: event / futex", "ping-pong, one processor: condition / futex"},
        {"ping-pong, asleep: event / futex", "ping-pong, asleep: condition / futex"},
        {"ping-pong, at once: futex / event", "ping-pong, at once: futex / condition"},
    };
    static const char *const subjects[2] = {"mproc event", "mproc condition"};
    for (int i = 0; i < 2; i++) {
        if (setting != BENCH_AT_ONCE) {
            bench_add_most(jobs, BENCH_PASS, 1.2, texts[setting][i], subjects[i], "futex");
        } else {
            bench_add_least(jobs, BENCH_PASS, 20, texts[setting][i], "futex", subjects[i]);
        }
    }
}

static void add_pairs(bench *b, enum bench_setting setting)
{
    struct bench_jobs jobs = {
        .b = b, .what = bench_setting_names[setting], .n_figures = BENCH_PAIR_FIGURES};
    bench_add_pairs(&jobs, setting);
    add_python(&jobs, "Python Event", "event", setting);
    add_python(&jobs, "Python Condition", "condition", setting);
    bench_add_pair_cases(&jobs, setting, "futex");
    add_pair_targets(&jobs, setting);
}

/* ---- barriers and sleepers ---- */

static void add_barriers(bench *b, size_t n)
{
    char what[32];
    snprintf(what, sizeof what, "barrier of %zu", n);
    struct bench_jobs jobs = {.b = b, .what = what, .n_figures = 1};
    const struct sync_barrier_way *way;
    for (size_t i = 0; (way = sync_barrier_way(i)) != NULL; i++) {
        bench_add_job(&jobs, way->subject, sync_run_barrier, &(struct sync_barrier_probe){i, n},
                      sizeof(struct sync_barrier_probe));
    }
    if (jobs.first) {
        bench_add_rows(&jobs,
                       bench_add_case(b, "us", BENCH_LOWER, "barrier, %zu processes: a round", n),
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
