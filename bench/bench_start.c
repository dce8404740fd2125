/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_start.c: start -> first instruction of the child -> its exit -> joined.
 *
 * A case compares one start method of mproc with what else starts a child; README.md explains each.
 * The program is also the child of its peers (START_CHILD_FLAG) and a host (START_HOST_FLAG).
 */
#include "start/jobs.h"
#include "support/bench.h"
#include "support/system.h"

#include <apr_general.h>
#include <mproc/main.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_JOBS = 90, PACED_PAUSE_US = 2000 };

/* Under what circumstances children are started. */
struct situation {
    const char *name;
    enum start_place place;
    size_t n_children;
    enum start_payload payload;
    int64_t pause_us;
    bool is_first;
};

static const struct situation small = {.name = "small parent", .n_children = 1};
static const struct situation large = {
    .name = "1 GiB parent", .place = START_LARGE, .n_children = 1};
static const struct situation paced = {
    .name = "one every 2 ms", .n_children = 1, .pause_us = PACED_PAUSE_US};
static const struct situation burst = {.name = "burst of 8", .n_children = START_BURST};
static const struct situation by_reference = {
    .name = "64 MiB by reference", .n_children = 1, .payload = START_BY_REFERENCE};
static const struct situation by_value = {
    .name = "64 MiB by value", .n_children = 1, .payload = START_BY_VALUE};
static const struct situation first = {
    .name = "first start", .place = START_FRESH, .n_children = 1, .is_first = true};

static const char python[] = "Python multiprocessing";
static const char *const figure_names[START_FIGURES] = {"to first instruction", "start to joined",
                                                        "the call"};

/* ---- probes: one for each way and situation, however many cases show it ---- */

struct known_job {
    const struct start_way *way;
    const char *python_method;
    const struct situation *situation;
    char name[64];
    struct start_job job;
    bench_probe *probe;
};

static struct known_job jobs[MAX_JOBS];
static size_t n_jobs;

/* Python, copies of a gigabyte's page tables, and copies of 64 MiB take tens of milliseconds. */
static bool is_slow(const struct start_way *way, const struct situation *s)
{
    bool copies_parent =
        way == start_bare_fork || way == start_mproc_way("fork") || way == &start_apr_process;
    return !way || s->payload == START_BY_VALUE || (s->place == START_LARGE && copies_parent);
}

/* Either a way or a method of Python's; the other is NULL. */
static bench_probe *find_or_add(bench *b, const struct start_way *way, const char *python_method,
                                const struct situation *s)
{
    for (size_t i = 0; i < n_jobs; i++) {
        if (jobs[i].way == way && jobs[i].python_method == python_method &&
            jobs[i].situation == s) {
            return jobs[i].probe;
        }
    }
    if (n_jobs == MAX_JOBS) {
        fprintf(stderr, "bench_start: more than %d jobs: raise MAX_JOBS\n", MAX_JOBS);
        exit(2);
    }
    struct known_job *known = &jobs[n_jobs++];
    snprintf(known->name, sizeof known->name, "%s %s, %s", way ? way->name : "Python",
             way ? "" : python_method, s->name);
    known->way = way;
    known->python_method = python_method;
    known->situation = s;
    known->job = (struct start_job){
        .probe = {way, s->n_children, s->payload, s->pause_us, s->is_first},
        .place = s->place,
        .python_method = python_method,
    };
    known->probe = bench_add_probe(b, known->name, start_run_job, &known->job, START_FIGURES);
    if (is_slow(way, s)) {
        bench_set_slow(known->probe);
    }
    return known->probe;
}

static bench_probe *probe_of(bench *b, const struct start_way *way, const struct situation *s)
{
    return find_or_add(b, way, NULL, s);
}

static bench_probe *probe_of_python(bench *b, const char *method, const struct situation *s)
{
    return find_or_add(b, NULL, method, s);
}

/* What passing by value costs at least: a copy in memory that is touched for the first time. */
static int run_memcpy(const void *arg, int64_t slice_ns, double *ret_values)
{
    static double samples[BENCH_MAX_REPEATS];
    size_t count = 0;
    char *from = malloc(START_PAYLOAD_BYTES);
    if (!from) {
        return bench_skip("no memory");
    }
    (void)arg;
    memset(from, 1, START_PAYLOAD_BYTES);
    int64_t end = bench_now() + slice_ns;
    do {
        int64_t before = bench_now();
        char *volatile to = malloc(START_PAYLOAD_BYTES);
        if (to) {
            memcpy(to, from, START_PAYLOAD_BYTES);
        }
        samples[count++] = (double)(bench_now() - before) / 1e3;
        free(to);
    } while (count < BENCH_MAX_REPEATS && (count < 3 || bench_now() < end));
    free(from);
    ret_values[0] = bench_median(samples, count);
    return 0;
}

/* ---- cases ---- */

static bench_case *add_case(bench *b, const char *method, const struct situation *s,
                            enum start_figure figure)
{
    return bench_add_case(b, "us", BENCH_LOWER, "%s, %s: %s%s", method, s->name,
                          figure_names[figure], s->n_children > 1 ? ", per child" : "");
}

/* What a method is measured against. */
static const struct start_way *rival(const char *method)
{
    return strcmp(method, "spawn") == 0 ? start_same_program : start_bare_fork;
}

static void add_way(bench *b, bench_case *c, const struct start_way *way, const struct situation *s,
                    enum start_figure figure)
{
    if (way) {
        bench_add_row(c, way->subject, probe_of(b, way, s), figure);
    }
}

/* The others in one table: first what does the same, then the rest for scale. */
static void add_peers(bench *b, bench_case *c, const char *method, const struct situation *s,
                      enum start_figure figure)
{
    const struct start_way *other = rival(method);
    bool is_server = strcmp(method, "forkserver") == 0;
    if (is_server && s->place == START_LARGE) {
        // That the parent's size does not matter is the point of a server.
        bench_add_reference(c, "fork, small parent", probe_of(b, other, &small), figure);
        add_way(b, c, other, s, figure);
    } else {
        bench_add_reference(c, other->subject, probe_of(b, other, s), figure);
    }
    if (is_server) {
        add_way(b, c, start_same_program, s, figure);
    }
    if (other == start_same_program) {
        add_way(b, c, start_vfork, s, figure);
        add_way(b, c, &start_apr_process, s, figure);
    }
    add_way(b, c, &start_apr_thread, s, figure);
    if (s->pause_us == 0) {
        bench_add_row(c, python, probe_of_python(b, method, s), figure);
    }
}

static void add_comparison(bench *b, const char *method, const struct situation *s,
                           enum start_figure figure)
{
    bench_case *c = add_case(b, method, s, figure);
    add_way(b, c, start_mproc_way(method), s, figure);
    add_peers(b, c, method, s, figure);
}

/* The first start of a process, which may have to prepare something: a fork server, say. */
static void add_first_case(bench *b, const char *method)
{
    const struct start_way *other = rival(method);
    bench_case *c = add_case(b, method, &first, START_JOINED);
    add_way(b, c, start_mproc_way(method), &first, START_JOINED);
    bench_add_reference(c, other->subject, probe_of(b, other, &first), START_JOINED);
    bench_add_row(c, python, probe_of_python(b, method, &first), START_JOINED);
}

/* A fork carries any payload; a fresh program none, so it stands there without. */
static void add_payload_rival(bench *b, bench_case *c, const char *method,
                              const struct situation *s, bool is_reference)
{
    static char without[64];
    const struct start_way *other = rival(method);
    bool carries = other == start_bare_fork;
    snprintf(without, sizeof without, "%s, no payload", start_same_program->subject);
    const char *subject = carries ? other->subject : without;
    bench_probe *probe = probe_of(b, other, carries ? s : &small);
    (is_reference ? bench_add_reference : bench_add_row)(c, subject, probe, START_CALL);
}

/* How long the caller is held by a start with a large argument. */
static void add_payload_cases(bench *b, const char *method, bench_probe *copy)
{
    bench_case *c = add_case(b, method, &by_reference, START_CALL);
    add_way(b, c, start_mproc_way(method), &by_reference, START_CALL);
    add_payload_rival(b, c, method, &by_reference, true);

    c = add_case(b, method, &by_value, START_CALL);
    add_way(b, c, start_mproc_way(method), &by_value, START_CALL);
    bench_add_reference(c, "malloc + memcpy", copy, 0);
    add_payload_rival(b, c, method, &by_value, false);
    bench_add_row(c, python, probe_of_python(b, method, &by_value), START_CALL);
}

static void add_method(bench *b, const char *method, bench_probe *copy)
{
    const struct situation *const parents[] = {&small, &large};
    for (size_t i = 0; i < 2; i++) {
        for (int figure = 0; figure < START_FIGURES; figure++) {
            add_comparison(b, method, parents[i], (enum start_figure)figure);
        }
    }
    add_comparison(b, method, &burst, START_JOINED);
    if (strcmp(method, "forkserver") == 0) {
        // A child that is kept ready needs time to be made ready.
        add_comparison(b, method, &paced, START_FIRST);
        add_comparison(b, method, &paced, START_JOINED);
    }
    add_first_case(b, method);
    add_payload_cases(b, method, copy);
}

/* ---- targets ---- */

static bench_figure ours(bench *b, const char *method, const struct situation *s,
                         enum start_figure figure)
{
    return (bench_figure){probe_of(b, start_mproc_way(method), s), figure};
}

static bench_figure theirs(bench *b, const struct start_way *way, const struct situation *s,
                           enum start_figure figure)
{
    return (bench_figure){probe_of(b, way, s), figure};
}

static void add_spawn_targets(bench *b)
{
    bench_add_target(b, 1.25, "spawn: start to joined / same program by the system's call",
                     ours(b, "spawn", &small, START_JOINED),
                     theirs(b, start_same_program, &small, START_JOINED));
    bench_add_target(b, 0, "spawn: the call with 64 MiB by reference / with nothing",
                     ours(b, "spawn", &by_reference, START_CALL),
                     ours(b, "spawn", &small, START_CALL));
}

static void add_fork_targets(bench *b)
{
    const struct start_way *thread = &start_apr_thread;
    bench_figure fork_joined = theirs(b, start_bare_fork, &small, START_JOINED);
    bench_add_target(b, 1.3, "fork: to first instruction / bare fork",
                     ours(b, "fork", &small, START_FIRST),
                     theirs(b, start_bare_fork, &small, START_FIRST));
    bench_add_target(b, 2.5, "forkserver: start to joined / bare fork",
                     ours(b, "forkserver", &small, START_JOINED), fork_joined);
    bench_add_target(b, 2.5, "forkserver, 1 GiB parent: start to joined / bare fork, small parent",
                     ours(b, "forkserver", &large, START_JOINED), fork_joined);
    bench_add_target(b, 3, "stretch, forkserver: to first instruction / thread",
                     ours(b, "forkserver", &small, START_FIRST),
                     theirs(b, thread, &small, START_FIRST));
    bench_add_target(b, 3, "stretch, forkserver, one every 2 ms: to first instruction / thread",
                     ours(b, "forkserver", &paced, START_FIRST),
                     theirs(b, thread, &paced, START_FIRST));
    bench_add_target(b, 0, "forkserver: the call with 64 MiB by reference / with nothing",
                     ours(b, "forkserver", &by_reference, START_CALL),
                     ours(b, "forkserver", &small, START_CALL));
}

/*
 * The order within a round is that of registration. What is compared stands close together, so that
 * a slow spell meets both or none; Python, which takes longest, comes last.
 */
static void order_probes(bench *b)
{
    const struct situation *const situations[] = {&small,        &paced, &burst,   &large,
                                                  &by_reference, &first, &by_value};
    const struct start_way *const ways[] = {
        start_mproc_way("spawn"),
        start_same_program,
        start_vfork,
        &start_apr_process,
        start_mproc_way("fork"),
        start_bare_fork,
        start_mproc_way("forkserver"),
        &start_apr_thread,
    };
    for (size_t s = 0; s < sizeof situations / sizeof situations[0]; s++) {
        for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
            if (ways[way]) {
                probe_of(b, ways[way], situations[s]);
            }
        }
    }
}

static void build(bench *b)
{
    order_probes(b);
    bench_probe *copy = bench_add_probe(b, "malloc + memcpy", run_memcpy, NULL, 1);
    bench_set_slow(copy);
    const char *const methods[] = {"spawn", "fork", "forkserver"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (start_mproc_way(methods[i])) {
            add_method(b, methods[i], copy);
        }
    }
    if (start_mproc_way("spawn")) {
        add_spawn_targets(b);
    }
    if (start_mproc_way("fork") && start_mproc_way("forkserver")) {
        add_fork_targets(b);
    }
    bench_at_end(b, start_close_hosts);
}

int main(int argc, char **argv)
{
    if (argc == START_CHILD_ARGC && strcmp(argv[1], START_CHILD_FLAG) == 0) {
        start_child_main(argv[2], argv[3]); // does not return
    }
    mproc_main(argc, argv);
    if (argc == 3 && strcmp(argv[1], START_HOST_FLAG) == 0) {
        apr_initialize();
        return start_host_main(argv[2]);
    }
    return bench_main(argc, argv, "start", build);
}
