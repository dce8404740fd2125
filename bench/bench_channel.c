/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_channel.c: messages from process to process, through queues and pipes.
 *
 * README.md explains cases and subjects; channel/channel.h how they are made.
 */
#include "channel/channel.h"
#include "support/bench.h"
#include "support/jobs.h"
#include "support/mpi.h"
#include "support/python.h"

#include <mproc/main.h>

#include <stdio.h>

#ifndef BENCH_SOURCE_DIR
#define BENCH_SOURCE_DIR "."
#endif

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

const struct bench_pair_way *const bench_pair_lists[] = {channel_mproc_pairs, channel_pipe_pairs,
                                                         channel_many_pairs, channel_system_pairs,
                                                         BOOST(pairs) ZMQ(pairs) NNG(pairs) NULL};

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

/* Python's ways to do it, with their names in peers/channel.py. */
static const struct {
    const char *subject;
    const char *name;
} pythons[] = {
    {"Python Queue", "queue"}, {"Python SimpleQueue", "simplequeue"}, {"Python Pipe", "pipe"}};

enum { N_PYTHONS = 3 };

/* The first `n` of them: several cannot use the last one. */
static void add_pythons(struct bench_jobs *jobs, size_t n, const char *verb, size_t size,
                        size_t number)
{
    for (size_t i = 0; i < n; i++) {
        bench_add_python(jobs, pythons[i].subject, BENCH_SOURCE_DIR "/peers/channel.py",
                         "%s %s %zu %zu", verb, pythons[i].name, size, number);
    }
}

static void add_way(struct bench_jobs *jobs, const char *subject, bench_run_fn run,
                    const struct channel_probe *probe)
{
    bench_add_job(jobs, subject, run, probe, sizeof *probe);
}

/* ---- one thread ---- */

static void add_alone(bench *b, size_t size, const char *what)
{
    struct bench_jobs jobs = {.b = b, .what = what, .n_figures = 1};
    const struct channel_way *way;
    for (size_t i = 0; (way = channel_way(i)) != NULL; i++) {
        if ((way->only_size == 0 || way->only_size == size) && !way->leave) { // not for two only
            add_way(&jobs, way->subject, channel_run_alone, &(struct channel_probe){i, size, 1});
        }
    }
    add_pythons(&jobs, N_PYTHONS, "alone", size, 0);
    bench_add_rows(&jobs, bench_add_case(b, "ns", BENCH_LOWER, "%s, one thread: put and get", what),
                   0, "pipe");
    bench_add_least(&jobs, 0, 100,
                    size == CHANNEL_INT ? "an integer, one thread: Python Queue / queue"
                                        : "64 B, one thread: Python Queue / queue",
                    "Python Queue", size == CHANNEL_INT ? "mproc value" : "mproc");
}

/* ---- streams ---- */

static void add_stream_jobs(struct bench_jobs *jobs, size_t size, size_t n_pairs)
{
    const struct channel_way *way;
    for (size_t i = 0; (way = channel_way(i)) != NULL; i++) {
        if ((way->only_size == 0 || way->only_size == size) &&
            (n_pairs == 1 || size <= way->largest_crowd)) {
            add_way(jobs, way->subject, channel_run_stream,
                    &(struct channel_probe){i, size, n_pairs});
        }
    }
    add_pythons(jobs, n_pairs == 1 ? N_PYTHONS : N_PYTHONS - 1, "stream", size, n_pairs);
    if (n_pairs == 1) { // Open MPI's ranks never sleep, and are two
        bench_add_mpi(jobs, "Open MPI", BENCH_MPI, "stream %zu", size);
    }
    if (size > CHANNEL_SMALL && n_pairs == 1) {
        add_way(jobs, "one copy", channel_run_copy, &(struct channel_probe){0, size, 1});
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

static void add_stream_targets(const struct bench_jobs *jobs, size_t size, size_t n_pairs)
{
    for (size_t i = 0; i < sizeof stream_targets / sizeof stream_targets[0]; i++) {
        const struct stream_target *t = &stream_targets[i];
        if (t->size == size && t->n_pairs == n_pairs) {
            bench_add_least(jobs, CHANNEL_RATE, t->limit, t->text, t->ours, t->theirs);
        }
    }
}

static void add_stream(bench *b, size_t size, const char *size_text, size_t n_pairs)
{
    char what[32];
    snprintf(what, sizeof what, "%s, %zu to %zu", size_text, n_pairs, n_pairs);
    struct bench_jobs jobs = {.b = b, .what = what, .n_figures = CHANNEL_FIGURES};
    add_stream_jobs(&jobs, size, n_pairs);
    if (size >= CHANNEL_LARGE) {
        bench_add_rows(&jobs, bench_add_case(b, "GB/s", BENCH_HIGHER, "%s: volume", what),
                       CHANNEL_VOLUME, "pipe");
    } else {
        bench_add_rows(&jobs, bench_add_case(b, "per ms", BENCH_HIGHER, "%s: messages", what),
                       CHANNEL_RATE, "pipe");
    }
    if (n_pairs > 1) {
        bench_add_rows(&jobs,
                       bench_add_case(b, "ratio", BENCH_HIGHER, "%s: lowest / highest share", what),
                       CHANNEL_SHARE, "");
    }
    add_stream_targets(&jobs, size, n_pairs);
}

/* ---- ping-pong ---- */

static void add_pair_targets(const struct bench_jobs *jobs, enum bench_setting setting)
{
    switch (setting) {
    case BENCH_ONE_PROCESSOR:
        bench_add_most(jobs, BENCH_PASS, 1.2, "ping-pong, one processor: queue / futex", "mproc",
                       "futex");
        break;
    case BENCH_ASLEEP:
        bench_add_most(jobs, BENCH_PASS, 1.2, "ping-pong, asleep: queue / futex", "mproc", "futex");
        break;
    default:
        bench_add_most(jobs, BENCH_PASS, 2, "ping-pong, at once: queue / Open MPI", "mproc",
                       "Open MPI");
        bench_add_least(jobs, BENCH_PASS, 50, "ping-pong, at once: socketpair / queue",
                        "socketpair, stream", "mproc");
    }
}

static void add_pairs(bench *b, enum bench_setting setting)
{
    struct bench_jobs jobs = {
        .b = b, .what = bench_setting_names[setting], .n_figures = BENCH_PAIR_FIGURES};
    bench_add_pairs(&jobs, setting);
    add_pythons(&jobs, N_PYTHONS, "pair", CHANNEL_SMALL, setting);
    if (setting == BENCH_AT_ONCE) {
        bench_add_mpi(&jobs, "Open MPI", BENCH_MPI, "pair %d", CHANNEL_SMALL);
    }
    bench_add_pair_cases(&jobs, setting, "pipe");
    add_pair_targets(&jobs, setting);
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
