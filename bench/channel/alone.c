/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alone.c: what a message costs without anybody else: one thread puts it and takes it out; and bare copies.
 */
#include "channel.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <stdlib.h>
#include <string.h>

enum { REPEATS = 200 };

/* At least: past the caches of a processor of its own, so that a copy is one between processors' memory. */
#define COPY_SPAN ((size_t)16 << 20)

static int put_and_get(const struct channel_way *way, void *const objects[2], unsigned char *data,
                       size_t size)
{
    int rc = way->put(objects, BENCH_FIRST, data, size, way->batch);
    size_t left = way->batch;
    while (rc == 0 && left > 0) {
        size_t count = 0;
        rc = way->get(objects, BENCH_FIRST, data, size, &count);
        left -= count;
    }
    return rc;
}

static int repeat(const struct channel_way *way, void *const objects[2], size_t size)
{
    static unsigned char data[CHANNEL_BATCH * CHANNEL_SMALL];
    int rc = 0;
    for (int i = 0; rc == 0 && i < REPEATS; i++) {
        rc = put_and_get(way, objects, data, size);
    }
    return rc;
}

int channel_run_alone(const void *arg, int64_t slice_ns, double *ret_values)
{
    static double samples[BENCH_MAX_REPEATS];
    const struct channel_probe *probe = arg;
    const struct channel_way *way = channel_way(probe->way);
    size_t count = 0;
    void *objects[2];
    int rc = way->open(way, probe->size, objects);
    if (rc != 0) {
        return rc;
    }
    int failed = repeat(way, objects, probe->size); // cold
    int64_t end = bench_now() + slice_ns;
    while (failed == 0 && count < BENCH_MAX_REPEATS && (count < 3 || bench_now() < end)) {
        int64_t before = bench_now();
        failed = repeat(way, objects, probe->size);
        samples[count++] = (double)(bench_now() - before) / REPEATS / (double)way->batch;
    }
    way->close(objects);
    ret_values[0] = bench_median(samples, count);
    return failed == 0 ? 0 : bench_fail("%s: a call failed with %d", way->subject, failed);
}

/* ---- bare copies ---- */

static int copy(unsigned char *to, const unsigned char *from, size_t span, size_t size,
                int64_t slice_ns, double *ret_values)
{
    size_t n = 0;
    size_t at = 0;
    memset(to, 1, span); // pages of its own
    int64_t begin = bench_now();
    int64_t took;
    do {
        for (int i = 0; i < 8; i++) {
            memcpy(to + at, from + at, size);
            at = (at + size) % span;
            n++;
        }
        took = bench_now() - begin;
    } while (took < slice_ns);
    ret_values[CHANNEL_RATE] = (double)n / ((double)took / 1e6);
    ret_values[CHANNEL_VOLUME] = (double)n * (double)size / (double)took;
    ret_values[CHANNEL_SHARE] = 1;
    return to[at] == from[at] ? 0 : bench_fail("memcpy does not copy"); // and must not be left out
}

int channel_run_copy(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct channel_probe *probe = arg;
    size_t span = probe->size > COPY_SPAN ? probe->size : COPY_SPAN;
    unsigned char *from = malloc(span);
    unsigned char *to = malloc(span);
    int rc = bench_skip("there is no memory");
    if (from && to) {
        memset(from, 1, span);
        rc = copy(to, from, span, probe->size, slice_ns, ret_values);
    }
    free(from);
    free(to);
    return rc;
}
