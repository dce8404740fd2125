/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure.c: one slice of starts by one way.
 */
#include "start.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <apr_time.h>

/* Even where one start takes longer than a slice, a median needs a few. */
enum { MIN_REPEATS = 3 };

int start_take_stamp(struct start_child *child, size_t index)
{
    volatile int64_t *stamps = start_stamps();
    if (!stamps) {
        return BENCH_FAILED;
    }
    child->stamp = &stamps[index];
    *child->stamp = 0;
    return 0;
}

static double microseconds(int64_t ns)
{
    return (double)ns / 1e3;
}

/* Join all that were begun, also after an error: nobody must be left behind. */
static int finish_all(const struct start_way *way, struct start_child *children, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count; i++) {
        int one = way->finish(way, &children[i]);
        rc = rc != 0 ? rc : one;
    }
    return rc;
}

static int begin_all(const struct start_way *way, struct start_child *children, size_t count,
                     size_t *ret_begun)
{
    int rc = 0;
    size_t begun = 0;
    while (rc == 0 && begun < count) {
        rc = way->begin(way, &children[begun], begun);
        begun += rc == 0;
    }
    *ret_begun = begun;
    return rc;
}

static int start_once(const struct start_probe *probe, double *ret_values)
{
    struct start_child children[START_BURST] = {{0}};
    size_t begun;
    int64_t before = bench_now();
    int rc = begin_all(probe->way, children, probe->n_children, &begun);
    int64_t called = bench_now();
    int finished = finish_all(probe->way, children, begun);
    int64_t joined = bench_now();
    rc = rc != 0 ? rc : finished;
    if (rc != 0) {
        return rc;
    }
    int64_t first = 0;
    for (size_t i = 0; i < probe->n_children; i++) {
        int64_t stamp = *children[i].stamp;
        if (stamp < before || stamp > joined) {
            return bench_fail("the child left no time");
        }
        first = stamp > first ? stamp : first;
    }
    ret_values[START_FIRST] = microseconds(first - before);
    ret_values[START_JOINED] = microseconds(joined - before) / (double)probe->n_children;
    ret_values[START_CALL] = microseconds(called - before) / (double)probe->n_children;
    return 0;
}

static int repeat(const struct start_probe *probe, int64_t slice_ns, double *ret_values)
{
    static double samples[START_FIGURES][BENCH_MAX_REPEATS];
    double values[START_FIGURES] = {0};
    size_t count = 0;
    // The first one finds cold caches and, with a fork server, no child kept ready.
    int rc = probe->is_first ? 0 : start_once(probe, values);
    int64_t end = bench_now() + slice_ns;
    while (rc == 0 && count < BENCH_MAX_REPEATS) {
        if (probe->pause_us > 0) {
            apr_sleep(probe->pause_us);
        }
        rc = start_once(probe, values);
        for (size_t figure = 0; rc == 0 && figure < START_FIGURES; figure++) {
            samples[figure][count] = values[figure];
        }
        count += rc == 0;
        if (probe->is_first || (count >= MIN_REPEATS && bench_now() >= end)) {
            break;
        }
    }
    for (size_t figure = 0; rc == 0 && figure < START_FIGURES; figure++) {
        ret_values[figure] = bench_median(samples[figure], count);
    }
    return rc;
}

int start_measure(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct start_probe *probe = arg;
    const struct start_way *way = probe->way;
    int rc = way->prepare ? way->prepare(way, probe->payload) : 0;
    if (rc != 0) {
        return rc;
    }
    rc = repeat(probe, slice_ns, ret_values);
    if (way->clean) {
        way->clean(way, probe->payload);
    }
    return rc;
}
