/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pairs.c: see pairs.h.
 */
#include "pairs.h"

#include "bench.h"
#include "system.h"

/* How long who is told something works before it answers: longer than anybody spins. */
#define WORK_NS ((int64_t)100000)

enum { COLD_PASSES = 20 };

const char *const bench_setting_names[BENCH_SETTINGS] = {"one processor", "asleep, two processors",
                                                         "at once, two processors"};

/* By a number that is the same in all processes of this program; NULL: no more. */
static const struct bench_pair_way *find_way(size_t number)
{
    for (const struct bench_pair_way *const *list = bench_pair_lists; *list; list++) {
        for (const struct bench_pair_way *way = *list; way->subject; way++) {
            if (number-- == 0) {
                return way;
            }
        }
    }
    return NULL;
}

/* ---- in the two processes ---- */

struct player {
    const struct bench_pair_way *way;
    void *const *objects;
    struct bench_shared *shared;
    enum bench_side side;
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
    return p->way->post(p->objects, p->side == BENCH_FIRST ? BENCH_SECOND : BENCH_FIRST);
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
        p->sleeps_before = bench_sleeps();
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

static void evaluate(struct player *p, struct bench_result *result)
{
    int64_t took = bench_now() - p->begin;
    size_t n = p->passes - COLD_PASSES;
    int64_t sleeps = bench_sleeps();
    // There and back are two passes.
    result->value = (double)took / 1e3 / (double)n / 2;
    if (p->works) {
        result->value = bench_median(p->samples, n < BENCH_MAX_REPEATS ? n : BENCH_MAX_REPEATS);
    }
    result->slept = sleeps < 0 ? -1 : (double)(sleeps - p->sleeps_before) / (double)n;
}

int bench_pair(const struct bench_task *task, size_t index, struct bench_shared *shared)
{
    static struct player player;
    player = (struct player){
        .way = find_way(task->way),
        .objects = task->objects,
        .shared = shared,
        .side = index == 0 ? BENCH_FIRST : BENCH_SECOND,
        .works = task->option == BENCH_ASLEEP,
    };
    if (task->option == BENCH_ONE_PROCESSOR) {
        bench_run_on();
    }
    bench_await_start(shared);
    int rc = index == 0 ? play_first(&player) : play_second(&player);
    evaluate(&player, &shared->results[index]);
    if (player.way->leave) {
        player.way->leave(player.objects);
    }
    return rc;
}

/* ---- in the benchmark ---- */

struct pair_probe {
    size_t way;
    enum bench_setting setting;
};

static int set_processors(enum bench_setting setting, int processor[2])
{
    int found[2];
    int n = bench_processors(found);
    bool is_one = setting == BENCH_ONE_PROCESSOR;
    if (n < (is_one ? 1 : 2)) {
        return bench_skip("there are not enough processors, or they are not known");
    }
    processor[0] = found[0];
    processor[1] = found[is_one ? 0 : 1];
    return 0;
}

static int play(const struct pair_probe *probe, struct bench_task *task, int64_t slice_ns,
                double *ret_values)
{
    struct bench_crew crew;
    int rc = set_processors(probe->setting, task->processor);
    rc = rc != 0 ? rc : bench_crew_run(&crew, task, slice_ns);
    if (rc == 0) {
        const struct bench_result *results = crew.shared->results;
        ret_values[BENCH_PASS] = (results[0].value + results[1].value) / 2;
        ret_values[BENCH_SLEPT] = (results[0].slept + results[1].slept) / 2;
    }
    return rc;
}

static int run_pair(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct pair_probe *probe = arg;
    const struct bench_pair_way *way = find_way(probe->way);
    struct bench_task task = {
        .role = BENCH_ROLE_PAIR,
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

void bench_add_pairs(struct bench_jobs *jobs, enum bench_setting setting)
{
    const struct bench_pair_way *way;
    for (size_t i = 0; (way = find_way(i)) != NULL; i++) {
        if (!way->only_at_once || setting == BENCH_AT_ONCE) {
            bench_add_job(jobs, way->subject, run_pair, &(struct pair_probe){i, setting},
                          sizeof(struct pair_probe));
        }
    }
}

void bench_add_pair_cases(const struct bench_jobs *jobs, enum bench_setting setting,
                          const char *reference)
{
    const char *name = bench_setting_names[setting];
    bench_add_rows(jobs, bench_add_case(jobs->b, "us", BENCH_LOWER, "ping-pong, %s: a pass", name),
                   BENCH_PASS, reference);
    if (bench_sleeps() >= 0) {
        bench_add_rows(
            jobs,
            bench_add_case(jobs->b, "sleeps", BENCH_LOWER, "ping-pong, %s: sleeps in a wait", name),
            BENCH_SLEPT, "");
    }
}
