/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c: producers put as fast as they can, consumers take out.
 *
 * Each message begins with a number. What consumers took must have the same sum as what producers put.
 */
#include "channel.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <mproc/main.h>
#include <stdlib.h>
#include <string.h>

/* The number of a message after which there is nothing more for one of the consumers. */
#define LAST UINT64_MAX

/* ---- in the processes ---- */

struct member {
    const struct channel_way *way;
    void *const *objects;
    struct bench_shared *shared;
    unsigned char *data; /* of a call */
    size_t size;
    uint64_t n, n_in_time;
    uint64_t sum;
};

static int put_last(const struct member *m)
{
    const uint64_t last = LAST;
    memcpy(m->data, &last, sizeof last);
    return m->way->put(m->objects, BENCH_FIRST, m->data, m->size, 1);
}

static int produce(struct member *m)
{
    int rc = 0;
    while (rc == 0 && m->shared->stop == 0) {
        for (size_t i = 0; i < m->way->batch; i++) {
            uint64_t number = ++m->n;
            memcpy(m->data + i * m->size, &number, sizeof number);
            m->sum += number;
        }
        rc = m->way->put(m->objects, BENCH_FIRST, m->data, m->size, m->way->batch);
    }
    m->n_in_time = m->n;
    return rc != 0 ? rc : put_last(m);
}

/* A call may bring the last messages of several producers: all but one are for other consumers. */
static int consume(struct member *m)
{
    int rc = 0;
    size_t n_last = 0;
    while (rc == 0 && n_last == 0) {
        size_t count = 0;
        rc = m->way->get(m->objects, BENCH_FIRST, m->data, m->size, &count);
        for (size_t i = 0; i < count; i++) {
            uint64_t number;
            memcpy(&number, m->data + i * m->size, sizeof number);
            n_last += number == LAST;
            m->n += number != LAST;
            m->sum += number != LAST ? number : 0;
        }
        m->n_in_time = m->shared->stop == 0 ? m->n : m->n_in_time;
    }
    for (; rc == 0 && n_last > 1; n_last--) {
        rc = put_last(m);
    }
    return rc;
}

int channel_stream(const struct bench_task *task, size_t index, struct bench_shared *shared)
{
    const struct channel_way *way = channel_way(task->way);
    struct member m = {
        .way = way, .objects = task->objects, .shared = shared, .size = task->option};
    m.data = calloc(way->batch, m.size);
    if (!m.data) {
        return 1;
    }
    bench_await_start(shared);
    int rc = index % 2 == 0 ? produce(&m) : consume(&m);
    free(m.data);
    struct bench_result *result = &shared->results[index];
    result->count = m.n_in_time;
    result->total = m.n;
    result->value = (double)m.sum;
    return rc;
}

/* ---- in the benchmark ---- */

/* Of the members with even numbers, or with odd ones. */
struct sums {
    uint64_t count, total, least, most;
    double numbers;
};

static struct sums add_up(const struct bench_result *results, size_t n, size_t first)
{
    struct sums sums = {.least = UINT64_MAX};
    for (size_t i = first; i < n; i += 2) {
        const struct bench_result *r = &results[i];
        sums.count += r->count;
        sums.total += r->total;
        sums.numbers += r->value;
        sums.least = r->count < sums.least ? r->count : sums.least;
        sums.most = r->count > sums.most ? r->count : sums.most;
    }
    return sums;
}

static double share_of(const struct sums *sums)
{
    return sums->most > 0 ? (double)sums->least / (double)sums->most : 0;
}

static int evaluate(const struct channel_probe *probe, const struct bench_crew *crew,
                    int64_t took_ns, double *ret_values)
{
    const struct bench_result *results = crew->shared->results;
    struct sums put = add_up(results, 2 * probe->n_pairs, 0);
    struct sums got = add_up(results, 2 * probe->n_pairs, 1);
    if (put.total != got.total || put.numbers != got.numbers) {
        return bench_fail("%s: what was taken out is not what was put",
                          channel_way(probe->way)->subject);
    }
    double put_share = share_of(&put);
    double got_share = share_of(&got);
    ret_values[CHANNEL_RATE] = (double)got.count / ((double)took_ns / 1e6);
    ret_values[CHANNEL_VOLUME] = (double)got.count * (double)probe->size / (double)took_ns;
    ret_values[CHANNEL_SHARE] = put_share < got_share ? put_share : got_share;
    return 0;
}

static int stream(const struct channel_probe *probe, struct bench_task *task, int64_t slice_ns,
                  double *ret_values)
{
    struct bench_crew crew;
    // One producer and one consumer are together on one processor or not; more the system places.
    if (probe->n_pairs == 1 && bench_processors(task->processor) < 2) {
        return bench_skip("there are not enough processors, or they are not known");
    }
    int rc = bench_crew_start(&crew, task);
    if (rc != 0) {
        return rc;
    }
    int64_t begin = bench_crew_go(&crew);
    // Shares get even only over many turns of the scheduler; and a huge message takes its time.
    bench_crew_pause((task->option < CHANNEL_HUGE ? 2 : 20) * slice_ns);
    int64_t took = bench_crew_stop(&crew) - begin;
    rc = bench_crew_join(&crew);
    return rc != 0 ? rc : evaluate(probe, &crew, took, ret_values);
}

int channel_run_stream(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct channel_probe *probe = arg;
    const struct channel_way *way = channel_way(probe->way);
    struct bench_task task = {
        .role = CHANNEL_STREAM,
        .way = probe->way,
        .option = probe->size,
        .n_processes = 2 * probe->n_pairs,
        .processor = {-1, -1},
        .is_object = way->is_object,
    };
    if (!way->is_object && !mproc_get_context("fork")) {
        return bench_skip("only copies of this process could use it");
    }
    int rc = way->open(way, probe->size, task.objects);
    if (rc != 0) {
        return rc;
    }
    rc = stream(probe, &task, slice_ns, ret_values);
    way->close(task.objects);
    return rc;
}
