/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_future.c: tasks of a pool, and what comes of them.
 */
#include "service/client.h"
#include "service/pool_test.h"

#include <string.h>

/* ---- arguments and results ------------------------------------------------------------------- */

static int task_echo(const mproc_args *args, mproc_value *result)
{
    *result = args->count > 0 ? args->items[0] : mproc__value_nil();
    return MPROC_OK;
}

static void check_echo(mproc_pool *pool, mproc_value value)
{
    mproc_value result = {0};
    const mproc_args args = {.count = 1, .items = &value};
    int rc = mproc_pool_apply(pool, task_echo, &args, &result, LIMIT);
    CU_ASSERT_EQUAL(rc, MPROC_OK);
    CU_ASSERT(mproc_value_equal(&value, &result));
    mproc_value_clear(&result);
}

static void test_future__carries_values_of_all_kinds(void)
{
    static char large[100000];
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(1);
    memset(large, 'x', sizeof(large) - 1);
    check_echo(pool, mproc__value_nil());
    check_echo(pool, MPROC_VALUE(true));
    check_echo(pool, MPROC_VALUE(-7));
    check_echo(pool, MPROC_VALUE(UINT64_MAX));
    check_echo(pool, MPROC_VALUE(2.5));
    check_echo(pool, MPROC_VALUE("short"));
    check_echo(pool,
               MPROC_VALUE("a string that does not fit into one cache line of any kind, does it?"));
    check_echo(pool, MPROC_VALUE((const char *)large));
    check_echo(pool, MPROC_VALUE(mproc_bytes_of(large, 50)));
    check_echo(pool, MPROC_VALUE(mproc_bytes_of(large, sizeof(large))));
    check_echo(pool, MPROC_LIST(1, "two", 3.0));
    check_echo(pool, MPROC_VALUE(block));
    check_echo(pool, MPROC_LIST(block, (const char *)large));
    CU_ASSERT_EQUAL(mproc_pool_apply(pool, task_echo, NULL, NULL, LIMIT), MPROC_OK);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static int task_fail(const mproc_args *args, mproc_value *result)
{
    (void)args;
    (void)result;
    return mproc_pool_shutdown(NULL);
}

static mproc_arena_stats stats_now(void)
{
    mproc_arena_stats stats = {0};
    CU_ASSERT_EQUAL(mproc_arena_get_stats(&stats), MPROC_OK);
    return stats;
}

/* Payloads of all sizes, larger and smaller ones in turn, with objects and errors between them: what a slot has kept of
 * one task is never taken for another one's. */
static void test_future__carries_any_size_after_any_other(void)
{
    static const size_t sizes[] = {0,   1,   15,  16,   17,   63,   64,   65,   255,  256,
                                   257, 511, 513, 1000, 2047, 4095, 4096, 4097, 8192, 70000};
    static char data[70000];
    enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(1);
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (char)(i % 251);
    }
    check_echo(pool, MPROC_LIST(block, mproc_bytes_of(data, 1000)));
    mproc_arena_stats before = stats_now();
    for (size_t i = 0; i < 4 * SIZES; i++) {
        size_t size = sizes[i * 7 % SIZES];
        check_echo(pool, MPROC_VALUE(mproc_bytes_of(data + i % 3, size - (size > 2 ? i % 3 : 0))));
        if (i % 5 == 0) {
            check_echo(pool, MPROC_LIST(block, mproc_bytes_of(data, size)));
        } else if (i % 5 == 1) {
            CU_ASSERT_EQUAL(mproc_pool_apply(pool, task_fail, NULL, NULL, LIMIT), MPROC_EINVAL);
        } else if (i % 5 == 2) {
            check_echo(pool, MPROC_VALUE(7));
        }
    }
    CU_ASSERT(stats_now().live_blocks < before.live_blocks + 16);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/* Many at once leave no more behind than a client may keep, and nothing when the pool is closed. */
static void test_future__keeps_little_room(void)
{
    enum { TASKS = 6000 };
    static mproc_future *futures[TASKS];
    char data[600];
    memset(data, 'y', sizeof(data));
    mproc_pool_close(make_pool(1)); // this process's ledger keeps the room that it has come to
    mproc_arena_stats before = settled_stats();
    mproc_pool *pool = make_pool(1);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < TASKS; i++) {
            futures[i] = submit(pool, task_echo, MPROC_ARGS(mproc_bytes_of(data, sizeof(data))));
        }
        for (int i = 0; i < TASKS; i++) {
            mproc_value result = {0};
            CU_ASSERT_EQUAL(mproc_future_get(futures[i], &result, LIMIT), MPROC_OK);
            CU_ASSERT(result.as.bytes.size == sizeof(data) && result.as.bytes.data != data);
            mproc_value_clear(&result);
            mproc_future_close(futures[i]);
        }
    }
    CU_ASSERT(stats_now().live_blocks <= before.live_blocks + 2 * MPROC__CLIENT_SLOTS / 2 + 100);
    mproc_pool_close(pool);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static void test_future__carries_errors(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_future *future = submit(pool, task_fail, NULL);
    CU_ASSERT_EQUAL(mproc_future_get(future, NULL, LIMIT), MPROC_EINVAL);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "shutdown: the pool is NULL");
    CU_ASSERT_EQUAL(mproc_future_get(future, NULL, LIMIT), MPROC_EINVAL); // as often as one likes
    CU_ASSERT_EQUAL(mproc_future_successful(future), 0);
    mproc_future_close(future);
    mproc_pool_close(pool);
}

static void test_future__is_asked(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    mproc_value result;
    mproc_future *future = submit(pool, task_meet, MPROC_ARGS(block));
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT(!mproc_future_ready(future));
    CU_ASSERT_EQUAL(mproc_future_successful(future), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_future_wait(future, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_future_get(future, &result, BRIEF), MPROC_ETIMEDOUT);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_EQUAL(mproc_future_wait(future, LIMIT), MPROC_OK);
    CU_ASSERT(mproc_future_ready(future));
    CU_ASSERT_EQUAL(mproc_future_successful(future), 1);
    CU_ASSERT(result_of(future) > 0);
    CU_ASSERT_EQUAL(mproc_future_get(NULL, NULL, LIMIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_apply_async(pool, NULL, NULL, NULL, &future), MPROC_EINVAL);
    CU_ASSERT_EQUAL(
        mproc_pool_apply_async(pool, task_pid, NULL, &(mproc_task_options){.priority = 9}, &future),
        MPROC_EINVAL);
    mproc_future_close(NULL);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static void test_future__is_given_up(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    for (int i = 0; i < 100; i++) {
        mproc_future_close(submit(pool, task_count, MPROC_ARGS(block)));
        CU_ASSERT_EQUAL(mproc_pool_apply_async(pool, task_count, MPROC_ARGS(block), NULL, NULL),
                        MPROC_OK);
    }
    CU_ASSERT(await_word(words_of(block), 200)); // they are run all the same
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/* ---- order ------------------------------------------------------------------------------------ */

/** Write down which number it is. */
static int task_queue_up(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int64_t number;
    int rc = MPROC_UNPACK(args, &block, &number);
    if (rc >= 0) {
        uint32_t *words = words_of(block);
        words[2 + words[0]++] = (uint32_t)number;
        *result = MPROC_VALUE(number);
    }
    return rc;
}

static void test_future__of_higher_priority_goes_first(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *gate = make_words(2);
    mproc_block *order = make_words(10);
    mproc_future *futures[6];
    mproc_future *first = submit(pool, task_meet, MPROC_ARGS(gate));
    CU_ASSERT(await_word(words_of(gate), 1));
    for (int i = 0; i < 6; i++) {
        const int priorities[] = {-3, 0, 3, -3, 0, 3};
        futures[i] = submit_with(pool, task_queue_up, MPROC_ARGS(order, i),
                                 (mproc_task_options){.priority = priorities[i]});
    }
    set_word(words_of(gate) + 1, 1);
    (void)result_of(first);
    for (int i = 0; i < 6; i++) {
        (void)result_of(futures[i]);
    }
    const uint32_t expected[] = {2, 5, 1, 4, 0, 3};
    for (int i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(words_of(order)[2 + i], expected[i]);
    }
    mproc_block_close(gate);
    mproc_block_close(order);
    mproc_pool_close(pool);
}

/* ---- many ------------------------------------------------------------------------------------- */

static void test_future__many_are_waited_for(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_pool *other = NULL;
    mproc_block *block = make_words(2);
    mproc_future *futures[3];
    bool ready[3];
    CU_ASSERT_EQUAL_FATAL(mproc_thread_pool_create(&other, &(mproc_pool_options){.processes = 1}),
                          MPROC_OK);
    futures[0] = submit(pool, task_meet, MPROC_ARGS(block));
    futures[1] = submit(other, task_add, MPROC_ARGS(1, 2));
    futures[2] = submit(pool, task_fail, NULL);
    CU_ASSERT(mproc_futures_wait(futures, 3, MPROC_FIRST_COMPLETED, ready, LIMIT) >= 1);
    CU_ASSERT(!ready[0] && (ready[1] || ready[2]));
    CU_ASSERT(mproc_futures_wait(futures, 3, MPROC_FIRST_ERROR, ready, LIMIT) >= 1);
    CU_ASSERT(!ready[0] && ready[2]);
    CU_ASSERT_EQUAL(mproc_futures_wait(futures, 3, MPROC_ALL_COMPLETED, ready, BRIEF),
                    MPROC_ETIMEDOUT);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_EQUAL(mproc_futures_wait(futures, 3, MPROC_ALL_COMPLETED, ready, LIMIT), 3);
    CU_ASSERT(ready[0] && ready[1] && ready[2]);
    CU_ASSERT_EQUAL(mproc_futures_wait(futures, 3, MPROC_ALL_COMPLETED, NULL, MPROC_NOWAIT), 3);
    CU_ASSERT_EQUAL(mproc_futures_wait(NULL, 0, MPROC_ALL_COMPLETED, NULL, MPROC_NOWAIT), 0);
    CU_ASSERT_EQUAL(mproc_futures_wait(futures, 3, 77, NULL, MPROC_NOWAIT), MPROC_EINVAL);
    for (int i = 0; i < 3; i++) {
        mproc_future_close(futures[i]);
    }
    mproc_block_close(block);
    mproc_pool_close(pool);
    mproc_pool_close(other);
}

static void test_future__as_they_complete(void)
{
    enum { N = 300 };
    mproc_pool *pool = make_pool(2);
    mproc_future *futures[N];
    bool seen[N] = {false};
    mproc_completions *completions = NULL;
    size_t index;
    for (int i = 0; i < N; i++) {
        futures[i] = submit(pool, task_add, MPROC_ARGS(i, 0));
    }
    CU_ASSERT_EQUAL_FATAL(mproc_completions_create(&completions, futures, N), MPROC_OK);
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL_FATAL(mproc_completions_next(completions, &index, LIMIT), 1);
        CU_ASSERT(index < N && !seen[index] && mproc_future_ready(futures[index]));
        seen[index] = true;
    }
    CU_ASSERT_EQUAL(mproc_completions_next(completions, &index, LIMIT), 0);
    mproc_completions_close(completions);
    mproc_completions_close(NULL);
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(result_of(futures[i]), i);
    }
    mproc_pool_close(pool);
}

static void test_future__cancelled_ones_complete(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    mproc_completions *completions = NULL;
    mproc_future *futures[2];
    size_t index = 9;
    futures[0] = submit(pool, task_meet, MPROC_ARGS(block));
    futures[1] = submit(pool, task_count, MPROC_ARGS(block));
    CU_ASSERT_EQUAL_FATAL(mproc_completions_create(&completions, futures, 2), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_completions_next(completions, &index, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_future_cancel(futures[1], false), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_completions_next(completions, &index, LIMIT), 1);
    CU_ASSERT_EQUAL(index, 1);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_EQUAL(mproc_completions_next(completions, &index, LIMIT), 1);
    CU_ASSERT_EQUAL(index, 0);
    mproc_completions_close(completions);
    mproc_future_close(futures[0]);
    mproc_future_close(futures[1]);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/** The same task, twice at once and by two walks. */
static void test_future__several_wait_for_one(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    mproc_completions *walks[2] = {NULL};
    mproc_future *one = submit(pool, task_meet, MPROC_ARGS(block));
    mproc_future *futures[3] = {one, submit(pool, task_add, MPROC_ARGS(1, 2)), one};
    size_t index;
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(mproc_completions_create(&walks[i], futures, 3), MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_completions_next(walks[0], &index, BRIEF), MPROC_ETIMEDOUT);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_EQUAL(mproc_futures_wait(futures, 3, MPROC_ALL_COMPLETED, NULL, LIMIT), 3);
    for (int i = 0; i < 2; i++) {
        bool seen[3] = {false};
        for (int k = 0; k < 3; k++) {
            CU_ASSERT_EQUAL_FATAL(mproc_completions_next(walks[i], &index, LIMIT), 1);
            seen[index] = true;
        }
        CU_ASSERT(seen[0] && seen[1] && seen[2]);
        CU_ASSERT_EQUAL(mproc_completions_next(walks[i], &index, LIMIT), 0);
    }
    mproc_completions_close(walks[0]);
    mproc_completions_close(walks[1]);
    mproc_future_close(one);
    mproc_future_close(futures[1]);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/* ---- from workers ------------------------------------------------------------------------------ */

/** Give many tasks to the same pool, and wait for all of them at once. */
static int task_fan_out(const mproc_args *args, mproc_value *result)
{
    mproc_pool *pool;
    mproc_future *futures[20];
    int64_t sum = 0;
    int rc = MPROC_UNPACK(args, &pool);
    int n = 0;
    while (rc >= 0 && n < 20) {
        rc = mproc_pool_apply_async(pool, task_add, MPROC_ARGS(n, 1), NULL, &futures[n]);
        n += rc >= 0 ? 1 : 0;
    }
    rc = rc < 0 ? rc : mproc_futures_wait(futures, (size_t)n, MPROC_ALL_COMPLETED, NULL, LIMIT);
    for (int i = 0; i < n; i++) {
        mproc_value value = {0};
        rc = rc < 0 ? rc : mproc_future_get(futures[i], &value, LIMIT);
        sum += value.as.integer;
        mproc_future_close(futures[i]);
    }
    *result = MPROC_VALUE(sum);
    return rc;
}

static void test_future__workers_wait_for_many(void)
{
    mproc_pool *pool = make_pool(1);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_fan_out, MPROC_ARGS(pool))), 210);
    mproc_pool_close(pool);
}

/* ---- callbacks --------------------------------------------------------------------------------- */

static void note_result(void *arg, const mproc_value *result)
{
    CU_ASSERT(result->type == MPROC_INT && result->as.integer == 3);
    add_word(arg);
}

static void note_error(void *arg, int status, const char *sentence)
{
    CU_ASSERT_EQUAL(status, MPROC_EINVAL);
    CU_ASSERT_STRING_EQUAL(sentence, "shutdown: the pool is NULL");
    add_word((uint32_t *)arg + 1);
}

static void test_future__calls_back(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    const mproc_task_options options = {
        .callback = note_result, .error_callback = note_error, .callback_arg = words_of(block)};
    for (uint32_t round = 1; round <= 3; round++) {
        for (int i = 0; i < 10; i++) {
            mproc_future *future = submit_with(pool, task_add, MPROC_ARGS(1, 2), options);
            mproc_future_close(future); // that is no reason not to call back
            CU_ASSERT_EQUAL(mproc_pool_apply_async(pool, task_fail, NULL, &options, NULL),
                            MPROC_OK);
        }
        CU_ASSERT(await_word(words_of(block), 10 * round));
        CU_ASSERT(await_word(words_of(block) + 1, 10 * round));
    }
    mproc_pool_close(pool);
    mproc_block_close(block);
}

/** Whoever else waits for the same tasks, in whatever way. */
static void test_future__calls_back_who_is_waited_for(void)
{
    enum { COUNT = 200 };
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    mproc_future *futures[COUNT];
    const mproc_task_options options = {
        .callback = note_result, .error_callback = note_error, .callback_arg = words_of(block)};
    for (int i = 0; i < COUNT; i++) {
        futures[i] = submit_with(pool, task_add, MPROC_ARGS(1, 2), options);
    }
    CU_ASSERT_EQUAL(mproc_futures_wait(futures, COUNT, MPROC_ALL_COMPLETED, NULL, LIMIT), COUNT);
    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT_EQUAL(result_of(futures[i]), 3);
    }
    CU_ASSERT(await_word(words_of(block), COUNT));
    mproc_pool_close(pool);
    CU_ASSERT_EQUAL(words_of(block)[0], COUNT);
    mproc_block_close(block);
}

static const testlib_case cases[] = {
    {"carries_values_of_all_kinds", test_future__carries_values_of_all_kinds},
    {"carries_any_size_after_any_other", test_future__carries_any_size_after_any_other},
    {"keeps_little_room", test_future__keeps_little_room},
    {"carries_errors", test_future__carries_errors},
    {"is_asked", test_future__is_asked},
    {"is_given_up", test_future__is_given_up},
    {"of_higher_priority_goes_first", test_future__of_higher_priority_goes_first},
    {"many_are_waited_for", test_future__many_are_waited_for},
    {"as_they_complete", test_future__as_they_complete},
    {"cancelled_ones_complete", test_future__cancelled_ones_complete},
    {"several_wait_for_one", test_future__several_wait_for_one},
    {"workers_wait_for_many", test_future__workers_wait_for_many},
    {"calls_back", test_future__calls_back},
    {"calls_back_who_is_waited_for", test_future__calls_back_who_is_waited_for},
};
PROCESS_TEST_MAIN("service.future", cases)
