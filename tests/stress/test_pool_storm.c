/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pool_storm.c: a pool's workers killed at random instants, in whatever they are doing.
 *
 * Each task counts, in memory that all share, how often it was begun and how often it came to its end. Whoever
 * is killed: each one is done or reported, those that are not to be run again were begun once at most, and those
 * that are were done. Afterwards the process has what it had before.
 */
#include "stress/storm.h"

#include "mproc/future.h"
#include "service/submit.h"

#define N_WORKERS 4
#define WINDOW 64
#define TASKS_FOR_A_KILL 10

static mproc_pool *make_pool(void)
{
    mproc_pool *pool = NULL;
    const mproc_pool_options options = {.processes = N_WORKERS};
    CU_ASSERT_EQUAL_FATAL(mproc_pool_create(&pool, &options), MPROC_OK);
    return pool;
}

/** Kill one of the workers, if the one that chance has chosen is there. */
static bool kill_one_of(mproc_pool *pool)
{
    mproc__client *client;
    mplat_identity who;
    CU_ASSERT_EQUAL_FATAL(mproc__client_of(pool, &client), MPROC_OK);
    const struct mproc__worker_shm *worker =
        &mproc__client_tasks(client)->workers[testlib_random() % N_WORKERS];
    uint64_t member = mproc__load64_acquire(&worker->member);
    bool is_there =
        member != 0 && mproc__member_identity(member, &who) >= 0 && who.pid != 0 && who.birth != 0;
    return is_there && mplat_process_signal(&who, MPLAT_KILL) >= 0;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

/* Of each task in the block. */
#define BEGUN 1u
#define ENDED 0x10000u

/** Be busy for a while, with a note before and after it. */
static int work(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    uint32_t index;
    int64_t busy;
    int rc = MPROC_UNPACK(args, &block, &index, &busy);
    if (rc < 0) {
        return rc;
    }
    uint32_t *note = (uint32_t *)mproc_block_data(block) + index;
    (void)mproc__add32(note, BEGUN);
    for (int64_t end = busy > 0 ? mplat_now() + busy : 0; busy > 0 && mplat_now() < end;) {
    }
    (void)mproc__add32(note, ENDED);
    *result = MPROC_VALUE(index);
    return MPROC_OK;
}

struct storm {
    mproc_pool *pool;
    mproc_block *block;
    mproc_future *window[WINDOW];
    uint32_t n_submitted, n_harvested;
    uint32_t n_reported;
    int64_t most_ns; /* that a task is busy */
};

static bool is_repeated(uint32_t index)
{
    return index % 3 == 0;
}

static void submit_next(struct storm *storm)
{
    const mproc_task_options repeated = {.retries = INT32_MAX};
    uint32_t index = storm->n_submitted++;
    int64_t busy = (int64_t)(testlib_random() % (uint32_t)(storm->most_ns + 1));
    int rc = mproc_pool_apply_async(storm->pool, work, MPROC_ARGS(storm->block, index, busy),
                                    is_repeated(index) ? &repeated : NULL,
                                    &storm->window[index % WINDOW]);
    if (rc < 0) {
        printf("submit: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
}

static void harvest_next(struct storm *storm)
{
    uint32_t index = storm->n_harvested++;
    mproc_value result = {0};
    mproc_future *future = storm->window[index % WINDOW];
    int rc = mproc_future_get(future, &result, LIMIT);
    uint32_t note = ((uint32_t *)mproc_block_data(storm->block))[index];
    if (rc == MPROC_OK) {
        CU_ASSERT(result.type == MPROC_INT && result.as.integer == index);
        CU_ASSERT(note >= ENDED);
        CU_ASSERT(is_repeated(index) || note == BEGUN + ENDED);
    } else {
        if (rc != MPROC_EWORKERDIED || is_repeated(index)) {
            printf("task %u: %s ... ", index, mproc_last_error());
        }
        CU_ASSERT_EQUAL(rc, MPROC_EWORKERDIED);
        CU_ASSERT(!is_repeated(index));
        CU_ASSERT(note % ENDED <= BEGUN && note / ENDED <= 1);
        storm->n_reported++;
    }
    mproc_future_close(future);
}

static struct storm make_storm(uint32_t n_tasks, int64_t most_ns)
{
    struct storm storm = {.pool = make_pool(), .most_ns = most_ns};
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&storm.block, n_tasks * sizeof(uint32_t)), MPROC_OK);
    memset(mproc_block_data(storm.block), 0, n_tasks * sizeof(uint32_t));
    return storm;
}

/** One more task, and the outcome of another one. */
static void step(struct storm *storm)
{
    if (storm->n_submitted - storm->n_harvested == WINDOW) {
        harvest_next(storm);
    }
    submit_next(storm);
}

static void end_storm(struct storm *storm)
{
    while (storm->n_harvested < storm->n_submitted) {
        harvest_next(storm);
    }
    mproc_pool_close(storm->pool);
    mproc_block_close(storm->block);
}

/** What a process keeps once it has had a pool: stacks of threads, room in its ledger. */
static belongings take_stock_after_one(void)
{
    struct storm storm = make_storm(4 * WINDOW, 1000);
    for (int i = 0; i < 4 * WINDOW; i++) {
        step(&storm);
    }
    (void)kill_one_of(storm.pool);
    end_storm(&storm);
    return take_stock();
}

static void check_stock(const belongings *before)
{
    belongings after = take_stock();
    // The C library keeps stacks and heaps of threads, a varying number of them.
    if (after.n_maps < before->n_maps + (HAS_SANITIZER ? 90 : 9)) {
        after.n_maps = before->n_maps;
    }
    check_belongings(before, &after);
}

/* ---- cases ----------------------------------------------------------------------------------- */

/** Each task ends once, whoever is killed, and nothing is left. */
static void test_storm__each_task_ends_once(void)
{
    belongings before = take_stock_after_one();
    uint32_t n_kills = (uint32_t)testlib_count(EVERYDAY_KILLS, WHOLE_KILLS);
    struct storm storm = make_storm(n_kills * TASKS_FOR_A_KILL, 200000);
    uint32_t n_killed = 0;
    for (uint32_t i = 0; i < n_kills; i++) {
        for (int k = 0; k < TASKS_FOR_A_KILL; k++) {
            step(&storm);
        }
        pass_time(300000);
        n_killed += kill_one_of(storm.pool) ? 1 : 0;
    }
    end_storm(&storm);
    printf("%u tasks, %u kills, %u reported ... ", storm.n_submitted, n_killed, storm.n_reported);
    CU_ASSERT(n_killed > n_kills / 2);
    check_stock(&before);
}

/** Tasks of random length, mostly short ones, and a death every 50 ms: memory is flat. */
static void test_storm__soak(void)
{
    belongings before = take_stock_after_one();
    uint32_t n_tasks = (uint32_t)testlib_count(20000, 10000000);
    struct storm storm = make_storm(n_tasks, 4000);
    mproc_arena_stats early = {0};
    mproc_arena_stats late = {0};
    int64_t next_kill = mplat_now();
    uint32_t n_killed = 0;
    for (uint32_t i = 0; i < n_tasks; i++) {
        storm.most_ns = i % 1000 == 0 ? 1000000 : 4000;
        step(&storm);
        if (i % 16 == 0 && mplat_now() >= next_kill) {
            next_kill += mproc_milliseconds(50);
            n_killed += kill_one_of(storm.pool) ? 1 : 0;
        }
        if (i == n_tasks / 10) {
            CU_ASSERT_EQUAL(mproc_arena_get_stats(&early), MPROC_OK);
        }
    }
    CU_ASSERT_EQUAL(mproc_arena_get_stats(&late), MPROC_OK);
    CU_ASSERT(late.live_bytes <
              early.live_bytes + ((size_t)2 << 20)); // ledgers of members, and parcels
    end_storm(&storm);
    printf("%u tasks, %u kills, %u reported ... ", n_tasks, n_killed, storm.n_reported);
    CU_ASSERT(n_killed > 0);
    check_stock(&before);
}

static const testlib_case cases[] = {
    {"each_task_ends_once", test_storm__each_task_ends_once},
    {"soak", test_storm__soak},
};
PROCESS_TEST_MAIN("stress.pool_storm", cases)
