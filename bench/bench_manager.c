/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_manager.c: a dict that somebody else keeps, used by one client: mproc's managers, Python's, and Redis.
 */
#include "manager/ways.h"
#include "support/bench.h"
#include "support/python.h"
#include "support/system.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <mproc/mproc.h>

char keys[N_KEYS][16];

enum { GET, SET, GET_MANY, N_WORKS };

static const char *const works[N_WORKS] = {"dict: get", "dict: set",
                                           "dict: get, 100 at once, each"};

struct job {
    const way *way;
    int work;
};

static int do_some(const struct job *job, void *client)
{
    int failed = 0;
    for (int i = 0; i < 10 * MANY; i += job->work == GET_MANY ? MANY : 1) {
        int rc = job->work == GET   ? job->way->get(client, i % N_KEYS)
                 : job->work == SET ? job->way->set(client, i % N_KEYS, i)
                                    : job->way->get_many(client, i % N_KEYS);
        failed |= rc < 0;
    }
    return failed;
}

static int run(const void *arg, int64_t slice_ns, double *ret_values)
{
    static double samples[BENCH_MAX_REPEATS];
    const struct job *job = arg;
    void *client = NULL;
    size_t count = 0;
    int rc = job->way->open(&client);
    if (rc) {
        return rc;
    }
    int failed = do_some(job, client); // cold
    int64_t end = bench_now() + slice_ns;
    while (!failed && count < BENCH_MAX_REPEATS && (count < 3 || bench_now() < end)) {
        int64_t before = bench_now();
        failed = do_some(job, client);
        samples[count++] = (double)(bench_now() - before) / (10 * MANY) / 1e3;
    }
    job->way->close(client);
    *ret_values = bench_median(samples, count);
    return failed ? bench_fail("%s: %s failed: %s", job->way->name, works[job->work],
                               mproc_last_error())
                  : 0;
}

static const way *const ways[] = {
    &way_direct, &way_family, &way_local, &way_tcp,
#ifdef BENCH_HAVE_REDIS
    &way_redis,
#endif
};

enum { N_WAYS = sizeof ways / sizeof ways[0] };

static const struct bench_python_probe python[] = {
    {BENCH_SOURCE_DIR "/peers/manager.py", "get", 1},
    {BENCH_SOURCE_DIR "/peers/manager.py", "set", 1},
};

static void close_all(void)
{
    close_mproc();
    bench_close_python();
#ifdef BENCH_HAVE_REDIS
    close_redis();
#endif
}

static void add_targets(bench *b, bench_probe *probes[N_WORKS][N_WAYS], bench_probe *slow)
{
    bench_figure one = {probes[GET][1], 0};
    bench_add_target(b, 0.05, "a proxy's get in the family / Python's", one,
                     (bench_figure){slow, 0});
#ifdef BENCH_HAVE_REDIS
    bench_figure redis = {probes[GET][N_WAYS - 1], 0};
    bench_figure pipelined = {probes[GET_MANY][N_WAYS - 1], 0};
    bench_add_target(b, 0.1, "a proxy's get in the family / Redis", one, redis);
    bench_add_target(b, 0.2, "100 gets at once in the family / Redis, pipelined",
                     (bench_figure){probes[GET_MANY][1], 0}, pipelined);
    bench_add_target(b, 1, "a get over a socket / Redis", (bench_figure){probes[GET][2], 0}, redis);
    bench_add_target(b, 1, "100 gets at once over a socket / Redis, pipelined",
                     (bench_figure){probes[GET_MANY][2], 0}, pipelined);
#endif
}

static void build(bench *b)
{
    static struct job jobs[N_WORKS][N_WAYS];
    bench_probe *probes[N_WORKS][N_WAYS];
    bench_probe *slow = NULL;
    for (int i = 0; i < N_KEYS; i++) {
        apr_snprintf(keys[i], sizeof keys[i], "key %d", i);
    }
    for (int work = 0; work < N_WORKS; work++) {
        bench_case *c = bench_add_case(b, "us", BENCH_LOWER, "%s", works[work]);
        for (int i = 0; i < N_WAYS; i++) {
            jobs[work][i] = (struct job){ways[i], work};
            probes[work][i] = bench_add_probe(b, ways[i]->name, run, &jobs[work][i], 1);
            bench_add_row(c, ways[i]->name, probes[work][i], 0);
        }
        if (work != GET_MANY) {
            bench_probe *probe = bench_add_probe(b, "Python", bench_run_python, &python[work], 1);
            bench_add_reference(c, "Python Manager().dict()", probe, 0);
            slow = work == GET ? probe : slow;
        }
    }
    add_targets(b, probes, slow);
    bench_at_end(b, close_all);
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);
    apr_initialize();
    return bench_main(argc, argv, "manager", build);
}
