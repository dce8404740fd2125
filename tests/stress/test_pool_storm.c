/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pool_storm.c: a pool's workers killed at random instants, in whatever they are doing.
 *
 * Each task counts, in memory that all share, how often it was begun and how often it came to its end. Whoever
 * is killed: each one is done or reported, those that are not to be run again were begun once at most, and those
 * that are were done. Afterwards the process has what it had before.
 */
#include "stress/pool_storm.h"

#define TASKS_FOR_A_KILL 10

/** Each task ends once, whoever is killed, and nothing is left. */
static void test_storm__each_task_ends_once(void)
{
    belongings before = take_stock_after_one();
    uint32_t n_kills = (uint32_t)testlib_count(EVERYDAY_KILLS, WHOLE_KILLS);
    struct storm storm = make_storm(200000);
    uint32_t n_killed = 0;
    for (uint32_t i = 0; testlib_goes_on(i, n_kills); i++) {
        for (int k = 0; k < TASKS_FOR_A_KILL; k++) {
            step(&storm);
        }
        pass_time(300000);
        n_killed += kill_one_of(storm.pool) ? 1 : 0;
    }
    end_storm(&storm);
    printf("%u tasks, %u kills, %u reported ... ", storm.n_submitted, n_killed, storm.n_reported);
    CU_ASSERT(n_killed > storm.n_submitted / TASKS_FOR_A_KILL / 2);
    check_stock(&before);
}

/* ---- many who give tasks ---------------------------------------------------------------------- */

#define CLIENTS 2
#define THREADS 2 /* of each client, and of the pool's own process */
#define CROWD_ITEMS 24
#define CHUNK 6

static int work_item(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    uint32_t place;
    int rc = MPROC_UNPACK_LIST(&args->items[0], &block, &place);
    if (rc >= 0) {
        be_busy((uint32_t *)mproc_block_data(block) + place, place % 5 == 0 ? 100000 : 2000);
        *result = MPROC_VALUE(place);
    }
    return rc;
}

static int work_task(const mproc_args *args, mproc_value *result)
{
    const mproc_value list = mproc__value_list(args->items, args->count);
    return work_item(&(mproc_args){1, &list}, result);
}

static int work_range(int64_t begin, int64_t end, const mproc_args *args)
{
    mproc_block *block;
    uint32_t first;
    int rc = MPROC_UNPACK(args, &block, &first);
    for (int64_t i = begin; rc >= 0 && i < end; i++) {
        be_busy((uint32_t *)mproc_block_data(block) + first + i, 2000);
    }
    return rc;
}

/** A thread that gives tasks: its words in the block are CROWD_ITEMS from `first` on. */
struct giver {
    mproc_pool *pool;
    mproc_block *block;
    uint32_t first;
    uint32_t n_rounds;
    uint32_t *progress; /* rounds of all */
    uint32_t n_wrong;
    mplat_thread *thread;
};

static uint32_t *words_of_giver(const struct giver *giver)
{
    return (uint32_t *)mproc_block_data(giver->block) + giver->first;
}

static void begin_round(const struct giver *giver)
{
    memset(words_of_giver(giver), 0, CROWD_ITEMS * sizeof(uint32_t));
}

static void expect(struct giver *giver, bool is_as_expected, const char *what, int rc)
{
    if (!is_as_expected) {
        printf("%s: %d, %s ... ", what, rc, rc < 0 ? mproc_last_error() : "");
        giver->n_wrong++;
    }
}

static void expect_item(struct giver *giver, const char *what, uint32_t i, int status,
                        const mproc_value *result, bool is_repeated)
{
    bool is_as_expected =
        is_right(words_of_giver(giver)[i], status, is_repeated) &&
        (status < 0 || (result->type == MPROC_INT && result->as.integer == giver->first + i));
    expect(giver, is_as_expected, what, status);
}

static void make_items(const struct giver *giver, mproc_value (*parts)[2], mproc_value *items)
{
    for (uint32_t i = 0; i < CROWD_ITEMS; i++) {
        parts[i][0] = mproc_value_block(giver->block);
        parts[i][1] = mproc__value_int(giver->first + i);
        items[i] = mproc__value_list(parts[i], 2);
    }
}

static void round_of_map(struct giver *giver, int retries)
{
    mproc_value parts[CROWD_ITEMS][2];
    mproc_value items[CROWD_ITEMS];
    mproc_value results[CROWD_ITEMS];
    int statuses[CROWD_ITEMS];
    const mproc_args args = {CROWD_ITEMS, items};
    const mproc_map_options options = {
        .chunk_size = CHUNK, .retries = retries, .statuses = statuses};
    begin_round(giver);
    make_items(giver, parts, items);
    int rc = mproc_pool_map(giver->pool, work_item, &args, results, &options, LIMIT);
    expect(giver, rc == 0 || (retries == 0 && rc == MPROC_EWORKERDIED), "map", rc);
    for (uint32_t i = 0; i < CROWD_ITEMS; i++) {
        expect_item(giver, "an item of a map", i, statuses[i], &results[i], retries > 0);
        mproc_value_clear(&results[i]);
    }
}

static void round_of_imap(struct giver *giver, int retries)
{
    mproc_value parts[CROWD_ITEMS][2];
    mproc_value items[CROWD_ITEMS];
    const mproc_args args = {CROWD_ITEMS, items};
    mproc_args_source source = {.items = &args};
    const mproc_map_options options = {.chunk_size = CHUNK / 2, .retries = retries};
    mproc_iterator *it = NULL;
    mproc_value value = {0};
    uint32_t n = 0;
    int rc;
    begin_round(giver);
    make_items(giver, parts, items);
    rc = mproc_pool_imap_unordered(giver->pool, work_item, mproc_source_args, &source, &options,
                                   &it);
    expect(giver, rc == 0, "imap", rc);
    while (rc >= 0 && (rc = mproc_iterator_next(it, &value, LIMIT)) != 0) {
        uint32_t i = (uint32_t)mproc_iterator_index(it);
        if (i >= CROWD_ITEMS) {
            expect(giver, false, "imap's end", rc);
            break;
        }
        expect_item(giver, "an item of an imap", i, rc == 1 ? 0 : rc, &value, retries > 0);
        n++;
        rc = 0;
    }
    expect(giver, n == CROWD_ITEMS, "the items of an imap", (int)n);
    mproc_iterator_close(it);
}

static void round_of_tasks(struct giver *giver, int retries)
{
    mproc_future *futures[CROWD_ITEMS];
    const mproc_task_options options = {.retries = retries};
    begin_round(giver);
    for (uint32_t i = 0; i < CROWD_ITEMS; i++) {
        int rc = mproc_pool_apply_async(giver->pool, work_task,
                                        MPROC_ARGS(giver->block, giver->first + i), &options,
                                        &futures[i]);
        expect(giver, rc == 0, "submit", rc);
        futures[i] = rc < 0 ? NULL : futures[i];
    }
    for (uint32_t i = 0; i < CROWD_ITEMS; i++) {
        mproc_value result = {0};
        int rc = mproc_future_get(futures[i], &result, LIMIT);
        expect_item(giver, "a task", i, rc, &result, retries > 0);
        mproc_future_close(futures[i]);
    }
}

/** A piece is run again from its beginning. */
static void round_of_range(struct giver *giver, int retries)
{
    const mproc_map_options options = {.chunk_size = CHUNK, .retries = retries};
    begin_round(giver);
    int rc = mproc_pool_for(giver->pool, work_range, 0, CROWD_ITEMS,
                            MPROC_ARGS(giver->block, giver->first), &options, LIMIT);
    expect(giver, rc == 0 || (retries == 0 && rc == MPROC_EWORKERDIED), "for", rc);
    for (uint32_t i = 0; i < CROWD_ITEMS; i++) {
        uint32_t note = words_of_giver(giver)[i];
        expect(giver, (rc < 0 || note >= ENDED) && (retries > 0 || note % ENDED <= 1),
               "an index of a for", rc);
    }
}

static void give(void *arg)
{
    static void (*const rounds[])(struct giver *, int) = {round_of_map, round_of_imap,
                                                          round_of_tasks, round_of_range};
    struct giver *giver = arg;
    for (uint32_t i = 0; i < giver->n_rounds; i++) {
        rounds[i % MPROC__COUNT(rounds)](giver, i / MPROC__COUNT(rounds) % 2 == 0 ? 0 : INT32_MAX);
        (void)mproc__add32(giver->progress, 1);
        (void)mplat_wake(giver->progress, INT32_MAX);
    }
}

static void start_givers(struct giver *givers, uint32_t place, mproc_pool *pool, mproc_block *block,
                         mproc_block *progress, uint32_t n_rounds)
{
    for (uint32_t i = 0; i < THREADS; i++) {
        givers[i] = (struct giver){.pool = pool,
                                   .block = block,
                                   .first = (place * THREADS + i) * CROWD_ITEMS,
                                   .n_rounds = n_rounds,
                                   .progress = words_of(progress)};
        CHILD_CHECK(mplat_thread_start(give, &givers[i], &givers[i].thread) >= 0);
    }
}

static uint32_t end_givers(struct giver *givers)
{
    uint32_t n_wrong = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        mplat_thread_join(givers[i].thread);
        n_wrong += givers[i].n_wrong;
    }
    return n_wrong;
}

/** Wait until so many rounds have been done. */
static void let_reach(uint32_t *progress, uint32_t count)
{
    int64_t limit = testlib_now() + LIMIT;
    for (uint32_t seen; (seen = mproc__load32_acquire(progress)) < count;) {
        CU_ASSERT_FATAL(testlib_now() < limit);
        (void)mplat_wait(progress, seen, mplat_now() + mproc_milliseconds(50), NULL, NULL);
    }
}

/** Another process that has the pool. */
static int be_client(const mproc_args *args)
{
    struct giver givers[THREADS];
    mproc_pool *pool;
    mproc_block *block;
    mproc_block *progress;
    uint32_t place;
    uint32_t n_rounds;
    CHILD_CHECK(MPROC_UNPACK(args, &pool, &block, &progress, &place, &n_rounds) == 0);
    start_givers(givers, place, pool, block, progress, n_rounds);
    return end_givers(givers) == 0 ? 0 : 1;
}

/** Threads of several processes give maps, imaps and tasks, and for each round of any a worker is killed. */
static void test_storm__many_give_tasks(void)
{
    belongings before = take_stock_after_one();
    uint32_t n_rounds = (uint32_t)testlib_count(EVERYDAY_KILLS / 5, WHOLE_KILLS / 5);
    const uint32_t n_all = n_rounds * THREADS * (CLIENTS + 1);
    mproc_pool *pool = make_pool();
    mproc_block *block = make_words((CLIENTS + 1) * THREADS * CROWD_ITEMS);
    mproc_block *progress = make_words(1);
    mproc_process *clients[CLIENTS];
    struct giver givers[THREADS];
    uint32_t n_killed = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        clients[i] = start(be_client, MPROC_ARGS(pool, block, progress, i + 1, n_rounds));
    }
    start_givers(givers, 0, pool, block, progress, n_rounds);
    for (uint32_t seen = 0; seen < n_all; seen++) {
        let_reach(words_of(progress), seen + 1);
        n_killed += kill_one_of(pool) ? 1 : 0;
    }
    CU_ASSERT_EQUAL(end_givers(givers), 0);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        CU_ASSERT_EQUAL(end_of(clients[i]), 0);
    }
    printf("%u rounds, %u kills ... ", n_all, n_killed);
    CU_ASSERT(n_killed > n_all / 4);
    mproc_pool_close(pool);
    mproc_block_close(block);
    mproc_block_close(progress);
    check_stock(&before);
}

static const testlib_case cases[] = {
    {"each_task_ends_once", test_storm__each_task_ends_once},
    {"many_give_tasks", test_storm__many_give_tasks},
};
PROCESS_TEST_MAIN("stress.pool_storm", cases)
