/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_channel.c: messages from process to process, through queues and pipes.
 *
 * README.md explains cases and subjects; channel/channel.h how they are made.
 */
#include "channel/channel.h"
#include "support/bench.h"
#include "support/mpi.h"
#include "support/python.h"
#include "support/system.h"

#include <mproc/main.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BENCH_SOURCE_DIR
#define BENCH_SOURCE_DIR "."
#endif

enum { MAX_JOBS = 192 };

const bench_role_fn bench_roles[] = {
    [CHANNEL_PAIRS] = bench_pair,
    [CHANNEL_STREAM] = channel_stream,
};

/* Libraries that are not there have no ways. */
#ifdef BENCH_HAVE_ZMQ
#define ZMQ(kind) channel_zmq_##kind,
#else
#define ZMQ(kind)
#endif
#ifdef BENCH_HAVE_NNG
#define NNG(kind) channel_nng_##kind,
#else
#define NNG(kind)
#endif
#ifdef BENCH_HAVE_BOOST
#define BOOST(kind) channel_boost_##kind,
#else
#define BOOST(kind)
#endif

const struct bench_pair_way *bench_pair_way(size_t number)
{
    const struct bench_pair_way *const lists[] = {channel_mproc_pairs, channel_pipe_pairs,
                                                  channel_many_pairs, channel_system_pairs,
                                                  BOOST(pairs) ZMQ(pairs) NNG(pairs)};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct bench_pair_way *way = lists[i]; way->subject; way++) {
            if (number-- == 0) {
                return way;
            }
        }
    }
    return NULL;
}

const struct channel_way *channel_way(size_t number)
{
    const struct channel_way *const lists[] = {channel_mproc_ways, channel_pipe_ways,
                                               channel_system_ways,
                                               BOOST(ways) ZMQ(ways) NNG(ways)};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct channel_way *way = lists[i]; way->subject; way++) {
            if (number-- == 0) {
                return way;
            }
        }
    }
    return NULL;
}

/* ---- jobs ---- */

/* A probe with its argument and its name, which must stay where they are. */
struct job {
    char name[64];
    union {
        struct channel_probe channel;
        struct bench_pair_probe pair;
        struct bench_python_probe python;
        struct bench_mpi_probe mpi;
    } arg;
    char request[48];
    const char *subject;
    bench_probe *probe;
};

static struct job jobs[MAX_JOBS];
static size_t n_jobs;

static struct job *add_job(const char *subject, const char *what)
{
    if (n_jobs == MAX_JOBS) {
        fprintf(stderr, "bench_channel: more than %d jobs: raise MAX_JOBS\n", MAX_JOBS);
        exit(2);
    }
    struct job *job = &jobs[n_jobs++];
    job->subject = subject;
    snprintf(job->name, sizeof job->name, "%s, %s", subject, what);
    return job;
}

/* Python's ways to do it, with their names in peers/channel.py. */
static const struct {
    const char *subject;
    const char *name;
} pythons[] = {
    {"Python Queue", "queue"}, {"Python SimpleQueue", "simplequeue"}, {"Python Pipe", "pipe"}};

enum { N_PYTHONS = 3 };

/* What is asked of peers/channel.py but for the kind, and how much it answers. */
struct python_request {
    const char *verb;
    size_t size, number, n_figures;
};

/* The first `n` of them: several cannot use the last one. */
static void add_pythons(bench *b, const char *what, size_t n, const struct python_request *request)
{
    for (size_t i = 0; i < n; i++) {
        struct job *job = add_job(pythons[i].subject, what);
        snprintf(job->request, sizeof job->request, "%s %s %zu %zu", request->verb, pythons[i].name,
                 request->size, request->number);
        job->arg.python = (struct bench_python_probe){BENCH_SOURCE_DIR "/peers/channel.py",
                                                      job->request, request->n_figures};
        job->probe =
            bench_add_probe(b, job->name, bench_run_python, &job->arg.python, request->n_figures);
        bench_set_slow(job->probe);
    }
}

/* Its ranks never sleep, and are two. */
static void add_mpi(bench *b, const char *what, const char *verb, size_t size, size_t n_figures)
{
#ifdef BENCH_MPI_PROGRAM
    struct job *job = add_job("Open MPI", what);
    snprintf(job->request, sizeof job->request, "%s %zu", verb, size);
    job->arg.mpi = (struct bench_mpi_probe){BENCH_MPI_PROGRAM, job->request, n_figures};
    job->probe = bench_add_probe(b, job->name, bench_run_mpi, &job->arg.mpi, n_figures);
    bench_set_slow(job->probe);
#else
    (void)b, (void)what, (void)verb, (void)size, (void)n_figures;
#endif
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

static void add_least(bench *b, double limit, const char *text, bench_figure above,
                      bench_figure below)
{
    if (above.probe && below.probe) {
        bench_add_least_target(b, limit, text, above, below);
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

/* ---- one thread ---- */

static void add_alone(bench *b, size_t size, const char *what)
{
    size_t first = n_jobs;
    const struct channel_way *way;
    for (size_t i = 0; (way = channel_way(i)) != NULL; i++) {
        if ((way->only_size == 0 || way->only_size == size) && !way->leave) { // not for two only
            struct job *job = add_job(way->subject, what);
            job->arg.channel = (struct channel_probe){i, size, 1};
            job->probe = bench_add_probe(b, job->name, channel_run_alone, &job->arg.channel, 1);
        }
    }
    add_pythons(b, what, N_PYTHONS, &(struct python_request){"alone", size, 0, 1});
    add_rows(bench_add_case(b, "ns", BENCH_LOWER, "%s, one thread: put and get", what), first, 0,
             "pipe");
    const char *ours = size == CHANNEL_INT ? "mproc value" : "mproc";
    add_least(b, 100,
              size == CHANNEL_INT ? "an integer, one thread: Python Queue / queue"
                                  : "64 B, one thread: Python Queue / queue",
              figure_of(first, "Python Queue", 0), figure_of(first, ours, 0));
}

/* ---- streams ---- */

static void add_stream_jobs(bench *b, size_t size, size_t n_pairs, const char *what)
{
    const struct channel_way *way;
    for (size_t i = 0; (way = channel_way(i)) != NULL; i++) {
        if ((way->only_size == 0 || way->only_size == size) &&
            (n_pairs == 1 || size <= way->largest_crowd)) {
            struct job *job = add_job(way->subject, what);
            job->arg.channel = (struct channel_probe){i, size, n_pairs};
            job->probe = bench_add_probe(b, job->name, channel_run_stream, &job->arg.channel,
                                         CHANNEL_FIGURES);
        }
    }
    add_pythons(b, what, n_pairs == 1 ? N_PYTHONS : N_PYTHONS - 1,
                &(struct python_request){"stream", size, n_pairs, CHANNEL_FIGURES});
    if (n_pairs == 1) {
        add_mpi(b, what, "stream", size, CHANNEL_FIGURES);
    }
    if (size > CHANNEL_SMALL && n_pairs == 1) {
        struct job *job = add_job("one copy", what);
        job->arg.channel = (struct channel_probe){0, size, 1};
        job->probe =
            bench_add_probe(b, job->name, channel_run_copy, &job->arg.channel, CHANNEL_FIGURES);
    }
}

/* What the project wants to reach, for each size and number of pairs. */
static const struct stream_target {
    size_t size, n_pairs;
    const char *text;
    const char *ours, *theirs;
    double limit;
} stream_targets[] = {
    {CHANNEL_SMALL, 1, "64 B, 1 to 1: queue / Open MPI", "mproc", "Open MPI", 1.3},
    {CHANNEL_SMALL, 1, "64 B, 1 to 1: queue / ZeroMQ", "mproc", "ZeroMQ", 1.3},
    {CHANNEL_SMALL, 1, "64 B, 1 to 1: queue / Boost", "mproc", "Boost message_queue", 3},
    {CHANNEL_SMALL, 1, "64 B, 1 to 1: many / Open MPI", "mproc, 64 at a time", "Open MPI", 2},
    {CHANNEL_SMALL, 1, "64 B, 1 to 1: queue / Python Queue", "mproc", "Python Queue", 100},
    {CHANNEL_SMALL, 2, "64 B, 2 to 2: queue / Boost", "mproc", "Boost message_queue", 2},
    {CHANNEL_SMALL, 2, "64 B, 2 to 2: queue / Python Queue", "mproc", "Python Queue", 100},
    {CHANNEL_MIDDLE, 1, "4 KiB, 1 to 1: queue / pipe", "mproc", "pipe", 2},
    {CHANNEL_MIDDLE, 1, "4 KiB, 1 to 1: queue / Boost", "mproc", "Boost message_queue", 2},
    {CHANNEL_MIDDLE, 2, "4 KiB, 2 to 2: queue / pipe", "mproc", "pipe", 2},
    {CHANNEL_MIDDLE, 2, "4 KiB, 2 to 2: queue / Boost", "mproc", "Boost message_queue", 2},
    {CHANNEL_LARGE, 1, "1 MiB, 1 to 1: queue / Open MPI", "mproc", "Open MPI", 1.5},
};

static void add_stream_targets(bench *b, size_t first, size_t size, size_t n_pairs)
{
    for (size_t i = 0; i < sizeof stream_targets / sizeof stream_targets[0]; i++) {
        const struct stream_target *t = &stream_targets[i];
        if (t->size == size && t->n_pairs == n_pairs) {
            add_least(b, t->limit, t->text, figure_of(first, t->ours, CHANNEL_RATE),
                      figure_of(first, t->theirs, CHANNEL_RATE));
        }
    }
}

static void add_stream(bench *b, size_t size, const char *size_text, size_t n_pairs)
{
    size_t first = n_jobs;
    char what[32];
    snprintf(what, sizeof what, "%s, %zu to %zu", size_text, n_pairs, n_pairs);
    add_stream_jobs(b, size, n_pairs, what);
    if (size >= CHANNEL_LARGE) {
        add_rows(bench_add_case(b, "GB/s", BENCH_HIGHER, "%s: volume", what), first, CHANNEL_VOLUME,
                 "pipe");
    } else {
        add_rows(bench_add_case(b, "per ms", BENCH_HIGHER, "%s: messages", what), first,
                 CHANNEL_RATE, "pipe");
    }
    if (n_pairs > 1) {
        add_rows(bench_add_case(b, "ratio", BENCH_HIGHER, "%s: lowest / highest share", what),
                 first, CHANNEL_SHARE, "");
    }
    add_stream_targets(b, first, size, n_pairs);
}

/* ---- ping-pong ---- */

static const char *const settings[BENCH_SETTINGS] = {"one processor", "asleep, two processors",
                                                     "at once, two processors"};

static void add_pair_targets(bench *b, size_t first, enum bench_setting setting)
{
    static const char *const texts[BENCH_SETTINGS] = {
        "ping-pong, one processor: queue / futex",
        "ping-pong, asleep: queue / futex",
        "ping-pong, at once: queue / Open MPI",
    };
    bench_figure ours = figure_of(first, "mproc", BENCH_PASS);
    bool at_once = setting == BENCH_AT_ONCE;
    bench_figure theirs = figure_of(first, at_once ? "Open MPI" : "futex", BENCH_PASS);
    if (ours.probe && theirs.probe) {
        bench_add_target(b, at_once ? 2 : 1.2, texts[setting], ours, theirs);
    }
    if (at_once) {
        add_least(b, 50, "ping-pong, at once: socketpair / queue",
                  figure_of(first, "socketpair, stream", BENCH_PASS), ours);
    }
}

static void add_pairs(bench *b, enum bench_setting setting)
{
    size_t first = n_jobs;
    const struct bench_pair_way *way;
    for (size_t i = 0; (way = bench_pair_way(i)) != NULL; i++) {
        if (!way->only_at_once || setting == BENCH_AT_ONCE) {
            struct job *job = add_job(way->subject, settings[setting]);
            job->arg.pair = (struct bench_pair_probe){i, setting};
            job->probe =
                bench_add_probe(b, job->name, bench_run_pair, &job->arg.pair, BENCH_PAIR_FIGURES);
        }
    }
    add_pythons(b, settings[setting], N_PYTHONS,
                &(struct python_request){"pair", CHANNEL_SMALL, setting, BENCH_PAIR_FIGURES});
    if (setting == BENCH_AT_ONCE) {
        add_mpi(b, settings[setting], "pair", CHANNEL_SMALL, BENCH_PAIR_FIGURES);
    }
    add_rows(bench_add_case(b, "us", BENCH_LOWER, "ping-pong, %s: a pass", settings[setting]),
             first, BENCH_PASS, "pipe");
    if (bench_sleeps() >= 0) {
        add_rows(bench_add_case(b, "sleeps", BENCH_LOWER, "ping-pong, %s: sleeps in a wait",
                                settings[setting]),
                 first, BENCH_SLEPT, "");
    }
    add_pair_targets(b, first, setting);
}

static void close_hosts(void)
{
    bench_close_python();
    bench_close_mpi();
}

static void build(bench *b)
{
    add_alone(b, CHANNEL_SMALL, "64 B");
    add_alone(b, CHANNEL_INT, "an integer");
    for (size_t n_pairs = 1; n_pairs <= 2; n_pairs++) {
        add_stream(b, CHANNEL_SMALL, "64 B", n_pairs);
        add_stream(b, CHANNEL_MIDDLE, "4 KiB", n_pairs);
        add_stream(b, CHANNEL_LARGE, "1 MiB", n_pairs);
    }
    add_stream(b, CHANNEL_SMALL, "64 B", 4);
    add_stream(b, CHANNEL_HUGE, "64 MiB", 1);
    for (int setting = 0; setting < BENCH_SETTINGS; setting++) {
        add_pairs(b, (enum bench_setting)setting);
    }
    bench_at_end(b, close_hosts);
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);
    return bench_main(argc, argv, "channel", build);
}
