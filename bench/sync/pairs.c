/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pairs.c: two processes tell each other something, in turn.
 */
#include "sync.h"

#include "../support/bench.h"
#include "../support/system.h"

/* How long who is told something works before it answers: longer than anybody spins. */
#define WORK_NS ((int64_t)100000)

enum { COLD_PASSES = 20 };

const struct sync_pair_way *sync_pair_way(size_t number)
{
    const struct sync_pair_way *const lists[] = {sync_mproc_pairs, sync_system_pairs};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct sync_pair_way *way = lists[i]; way->subject; way++) {
            if (number-- == 0) {
                return way;
            }
        }
    }
    return NULL;
}

/* ---- in the two processes ---- */

struct player {
    const struct sync_pair_way *way;
    void *const *objects;
    struct sync_shared *shared;
    enum sync_side side;
    bool works;
    size_t passes; /* waits that have returned */
    int64_t begin, sleeps_before;
    double samples[BENCH_MAX_REPEATS]; /* of those who work: each pass */
};

static int post(struct player *p)
{
    if (p->works) {
        p->shared->sent = bench_now();
    }
    return p->way->post(p->objects, p->side == SYNC_FIRST ? SYNC_SECOND : SYNC_FIRST);
}

static void work(void)
{
    int64_t end = bench_now() + WORK_NS;
    while (bench_now() < end) {
    }
}

static int await_post(struct player *p)
{
    int rc = p->way->wait(p->objects, p->side);
    size_t n = p->passes++;
    if (p->works) {
        int64_t now = bench_now();
        if (n >= COLD_PASSES && n - COLD_PASSES < BENCH_MAX_REPEATS) {
            p->samples[n - COLD_PASSES] = (double)(now - p->shared->sent) / 1e3;
        }
        work();
    }
    if (p->passes == COLD_PASSES) {
        p->sleeps_before = sync_sleeps();
        p->begin = bench_now();
    }
    return rc;
}

/* It ends the game with its last post; which one that is, the other reads when that has come. */
static int play_first(struct player *p)
{
    int rc = 0;
    while (rc == 0 && !p->shared->last) {
        p->shared->last = p->shared->stop != 0 && p->passes > COLD_PASSES;
        rc = post(p);
        rc = rc != 0 ? rc : await_post(p);
    }
    return rc;
}

static int play_second(struct player *p)
{
    int rc = 0;
    bool is_last = false;
    while (rc == 0 && !is_last) {
        rc = await_post(p);
        is_last = p->shared->last != 0;
        rc = rc != 0 ? rc : post(p);
    }
    return rc;
}

static void evaluate(struct player *p, struct sync_result *result)
{
    int64_t took = bench_now() - p->begin;
    size_t n = p->passes - COLD_PASSES;
    int64_t sleeps = sync_sleeps();
    // There and back are two passes.
    result->value = (double)took / 1e3 / (double)n / 2;
    if (p->works) {
        result->value = bench_median(p->samples, n < BENCH_MAX_REPEATS ? n : BENCH_MAX_REPEATS);
    }
    result->slept = sleeps < 0 ? -1 : (double)(sleeps - p->sleeps_before) / (double)n;
}

int sync_pair(const struct sync_task *task, size_t index, struct sync_shared *shared)
{
    static struct player player;
    player = (struct player){
        .way = sync_pair_way(task->way),
        .objects = task->objects,
        .shared = shared,
        .side = index == 0 ? SYNC_FIRST : SYNC_SECOND,
        .works = task->option == SYNC_ASLEEP,
    };
    if (task->option == SYNC_ONE_PROCESSOR) {
        sync_run_on();
    }
    sync_await_start(shared);
    int rc = index == 0 ? play_first(&player) : play_second(&player);
    evaluate(&player, &shared->results[index]);
    return rc;
}

/* ---- in the benchmark ---- */

static int set_processors(enum sync_setting setting, int processor[2])
{
    int found[2];
    int n = sync_processors(found);
    bool is_one = setting == SYNC_ONE_PROCESSOR;
    if (n < (is_one ? 1 : 2)) {
        return bench_skip("there are not enough processors, or they are not known");
    }
    processor[0] = found[0];
    processor[1] = found[is_one ? 0 : 1];
    return 0;
}

static int play(const struct sync_pair_probe *probe, struct sync_task *task, int64_t slice_ns,
                double *ret_values)
{
    struct sync_crew crew;
    int rc = set_processors(probe->setting, task->processor);
    rc = rc != 0 ? rc : sync_crew_run(&crew, task, slice_ns);
    if (rc == 0) {
        const struct sync_result *results = crew.shared->results;
        ret_values[SYNC_PASS] = (results[0].value + results[1].value) / 2;
        ret_values[SYNC_SLEPT] = (results[0].slept + results[1].slept) / 2;
    }
    return rc;
}

int sync_run_pair(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct sync_pair_probe *probe = arg;
    const struct sync_pair_way *way = sync_pair_way(probe->way);
    struct sync_task task = {
        .role = SYNC_PAIR,
        .way = probe->way,
        .option = probe->setting,
        .n_processes = 2,
        .is_object = way->is_object,
    };
    int rc = way->open(way, task.objects);
    if (rc != 0) {
        return rc;
    }
    rc = play(probe, &task, slice_ns, ret_values);
    way->close(task.objects);
    return rc;
}
