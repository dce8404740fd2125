/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_map_items.c: maps by a pool, in chunks of all sizes, and what an item costs.
 */
#include "service/pool_test.h"

#include "base/status.h"
#include "mproc/pool_map.h"

#include <string.h>

#define N 1000

static mproc_value items[N];
static mproc_value results[N];
static int statuses[N];
static const mproc_args all = {N, items};

static void number_items(void)
{
    for (int i = 0; i < N; i++) {
        items[i] = MPROC_VALUE(i);
    }
}

static int cube(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    if (rc >= 0) {
        *result = MPROC_VALUE(x * x * x);
    }
    return rc;
}

static void check_cubes(void)
{
    for (int64_t i = 0; i < N; i++) {
        CU_ASSERT(results[i].type == MPROC_INT && results[i].as.integer == i * i * i);
    }
}

static void test_map__keeps_the_order(void)
{
    mproc_pool *pool = make_pool(2);
    static const size_t chunks[] = {0, 1, 2, 7, N - 1, N, N + 1};
    number_items();
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        const mproc_map_options options = {.chunk_size = chunks[i]};
        CU_ASSERT(mproc_pool_map(pool, cube, &all, results, &options, LIMIT) == 0);
        check_cubes();
    }
    CU_ASSERT(mproc_pool_map(pool, cube, MPROC_ARGS(1, 2, 3, 4), results, NULL, LIMIT) == 0);
    CU_ASSERT(results[0].as.integer == 1 && results[3].as.integer == 64);
    CU_ASSERT(mproc_pool_map(pool, cube, NULL, results, NULL, LIMIT) == 0);
    CU_ASSERT(mproc_pool_map(pool, cube, &all, NULL, NULL, LIMIT) == 0);
    mproc_pool_close(pool);
}

static int join(const mproc_args *args, mproc_value *result)
{
    const char *a, *b;
    char text[100];
    int rc = MPROC_UNPACK(args, &a, &b);
    if (rc >= 0) {
        (void)snprintf(text, sizeof(text), "%s-%s", a, b);
        const mproc_value value = MPROC_VALUE((const char *)text);
        rc = mproc_value_copy(result, &value);
    }
    return rc;
}

static void test_map__takes_lists_apart(void)
{
    mproc_pool *pool = make_pool(2);
    for (size_t chunk = 0; chunk < 3; chunk++) {
        const mproc_map_options options = {.chunk_size = chunk, .statuses = statuses};
        CU_ASSERT(mproc_pool_starmap(pool, join,
                                     MPROC_ARGS(MPROC_LIST("a", "b"), MPROC_LIST("c", "d"), 7,
                                                MPROC_LIST("e", "f"), MPROC_LIST("g")),
                                     results, &options, LIMIT) == MPROC_ETYPE);
        CU_ASSERT_STRING_EQUAL(results[0].as.string.data, "a-b");
        CU_ASSERT_STRING_EQUAL(results[1].as.string.data, "c-d");
        CU_ASSERT_STRING_EQUAL(results[3].as.string.data, "e-f");
        CU_ASSERT(statuses[2] == MPROC_ETYPE && statuses[3] == 0 && statuses[4] == MPROC_ECOUNT);
        for (int i = 0; i < 5; i++) {
            mproc_value_clear(&results[i]);
        }
    }
    mproc_pool_close(pool);
}

static int fail_some(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    if (rc >= 0 && x % 100 == 99) {
        return mproc__fail(MPROC_ERANGE, "%d is too odd", (int)x);
    }
    *result = MPROC_VALUE(x);
    return rc;
}

static void test_map__reports_the_first_error(void)
{
    mproc_pool *pool = make_pool(2);
    number_items();
    for (size_t chunk = 0; chunk < 3; chunk++) {
        mproc_map_options options = {.chunk_size = chunk};
        CU_ASSERT(mproc_pool_map(pool, fail_some, &all, results, &options, LIMIT) == MPROC_ERANGE);
        CU_ASSERT_STRING_EQUAL(mproc_last_error(), "99 is too odd");
        CU_ASSERT(results[0].type == MPROC_NIL && results[N - 1].type == MPROC_NIL);
        options.statuses = statuses;
        CU_ASSERT(mproc_pool_map(pool, fail_some, &all, results, &options, LIMIT) == MPROC_ERANGE);
        for (int i = 0; i < N; i++) {
            CU_ASSERT(statuses[i] == (i % 100 == 99 ? MPROC_ERANGE : 0));
            CU_ASSERT(results[i].type == (i % 100 == 99 ? MPROC_NIL : MPROC_INT));
        }
    }
    mproc_pool_close(pool);
}

/* Counts, and dies at some items; the first time, or always. */
static int die_at_some(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int64_t x;
    int always;
    int rc = MPROC_UNPACK(args, &block, &x, &always);
    if (rc >= 0) {
        uint32_t before = *(words_of(block) + x);
        add_word(words_of(block) + x);
        if (x % 50 == 7 && (always || before == 0)) {
            exit(3);
        }
        *result = MPROC_VALUE(x);
    }
    return rc;
}

static void check_deaths(mproc_pool *pool, int retries, int always)
{
    mproc_block *block = make_words(N);
    mproc_value lists[100][3];
    mproc_value stars[100];
    for (int i = 0; i < 100; i++) {
        lists[i][0] = MPROC_VALUE(block);
        lists[i][1] = MPROC_VALUE(i);
        lists[i][2] = MPROC_VALUE(always);
        stars[i] = mproc__value_list(lists[i], 3);
    }
    const mproc_args args = {100, stars};
    const mproc_map_options options = {.statuses = statuses, .retries = retries};
    const bool is_lost = retries == 0 || always;
    int rc = mproc_pool_starmap(pool, die_at_some, &args, results, &options, LIMIT);
    CU_ASSERT(rc == (is_lost ? MPROC_EWORKERDIED : 0));
    for (int i = 0; i < 100; i++) {
        const bool dies = i % 50 == 7;
        CU_ASSERT(statuses[i] == (dies && is_lost ? MPROC_EWORKERDIED : 0));
        CU_ASSERT(*(words_of(block) + i) == (dies ? 1 + (uint32_t)retries : 1));
        CU_ASSERT(statuses[i] < 0 || results[i].as.integer == i);
    }
    mproc_block_close(block);
}

static void test_map__loses_one_item_to_a_death(void)
{
    mproc_pool *pool = make_pool(2);
    check_deaths(pool, 0, 1);
    CU_ASSERT(strstr(mproc_last_error(), "exit code 3") != NULL);
    check_deaths(pool, 1, 0);
    check_deaths(pool, 1, 1);
    mproc_pool_close(pool);
}

static int hang_at_3(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int64_t x;
    int rc = MPROC_UNPACK(args, &block, &x);
    if (rc >= 0 && x == 3) {
        (void)await_word(words_of(block), 1);
    }
    *result = MPROC_VALUE(x);
    return rc;
}

static void test_map__limits_the_time_of_an_item(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(1);
    const mproc_map_options options = {.statuses = statuses,
                                       .item_timeout = mproc_milliseconds(100)};
    int rc = mproc_pool_starmap(pool, hang_at_3,
                                MPROC_ARGS(MPROC_LIST(block, 1), MPROC_LIST(block, 2),
                                           MPROC_LIST(block, 3), MPROC_LIST(block, 4)),
                                results, &options, LIMIT);
    CU_ASSERT(rc == MPROC_ETIMEDOUT);
    CU_ASSERT(statuses[0] == 0 && statuses[1] == 0 && statuses[2] == MPROC_ETIMEDOUT);
    CU_ASSERT(statuses[3] == 0 && results[3].as.integer == 4);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static void test_map__gives_up_in_time(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(1);
    const mproc_map_options options = {.statuses = statuses, .chunk_size = 1};
    int rc =
        mproc_pool_starmap(pool, hang_at_3, MPROC_ARGS(MPROC_LIST(block, 3), MPROC_LIST(block, 4)),
                           results, &options, mproc_milliseconds(50));
    CU_ASSERT(rc == MPROC_ETIMEDOUT);
    CU_ASSERT(statuses[0] == MPROC_ETIMEDOUT && statuses[1] == MPROC_ETIMEDOUT);
    set_word(words_of(block), 1);
    // The pool is as good as before.
    number_items();
    CU_ASSERT(mproc_pool_map(pool, cube, &all, results, NULL, LIMIT) == 0);
    check_cubes();
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/* Maps in a worker: with one worker nobody else could run these. */
static int map_inside(const mproc_args *args, mproc_value *result)
{
    mproc_pool *pool;
    mproc_value cubes[10];
    int64_t x, sum = 0;
    int rc = MPROC_UNPACK(args, &pool, &x);
    mproc_value numbers[10];
    for (int i = 0; i < 10; i++) {
        numbers[i] = MPROC_VALUE(x + i);
    }
    const mproc_args inner = {10, numbers};
    rc = rc < 0 ? rc : mproc_pool_map(pool, cube, &inner, cubes, NULL, LIMIT);
    for (int i = 0; rc >= 0 && i < 10; i++) {
        sum += cubes[i].as.integer;
    }
    *result = MPROC_VALUE(sum);
    return rc;
}

static void test_map__works_in_a_worker(void)
{
    mproc_pool *pool = make_pool(1);
    const mproc_map_options options = {.chunk_size = 2};
    CU_ASSERT(mproc_pool_starmap(
                  pool, map_inside,
                  MPROC_ARGS(MPROC_LIST(pool, 0), MPROC_LIST(pool, 1), MPROC_LIST(pool, 2)),
                  results, &options, LIMIT) == 0);
    CU_ASSERT(results[0].as.integer == 2025 && results[1].as.integer == 3025);
    mproc_pool_close(pool);
}

static void test_map__works_in_threads(void)
{
    mproc_pool *pool = NULL;
    const mproc_pool_options two = {.processes = 2};
    CU_ASSERT_FATAL(mproc_thread_pool_create(&pool, &two) == 0);
    number_items();
    for (size_t chunk = 0; chunk < 3; chunk++) {
        const mproc_map_options options = {.chunk_size = chunk};
        CU_ASSERT(mproc_pool_map(pool, cube, &all, results, &options, LIMIT) == 0);
        check_cubes();
    }
    mproc_pool_close(pool);
}

static void test_map__refuses_what_cannot_be(void)
{
    mproc_pool *pool = make_pool(1);
    const mproc_map_options wrong = {.retries = -1};
    CU_ASSERT(mproc_pool_map(NULL, cube, &all, results, NULL, LIMIT) == MPROC_EINVAL);
    CU_ASSERT(mproc_pool_map(pool, NULL, &all, results, NULL, LIMIT) == MPROC_EINVAL);
    CU_ASSERT(mproc_pool_map(pool, cube, &all, results, &wrong, LIMIT) == MPROC_EINVAL);
    CU_ASSERT(mproc_pool_shutdown(pool) == 0);
    number_items();
    const mproc_map_options options = {.statuses = statuses};
    CU_ASSERT(mproc_pool_map(pool, cube, &all, results, &options, LIMIT) == MPROC_ECLOSED);
    CU_ASSERT(statuses[0] == MPROC_ECLOSED && statuses[N - 1] == MPROC_ECLOSED);
    mproc_pool_close(pool);
}

static const testlib_case cases[] = {
    {"keeps_the_order", test_map__keeps_the_order},
    {"takes_lists_apart", test_map__takes_lists_apart},
    {"reports_the_first_error", test_map__reports_the_first_error},
    {"loses_one_item_to_a_death", test_map__loses_one_item_to_a_death},
    {"limits_the_time_of_an_item", test_map__limits_the_time_of_an_item},
    {"gives_up_in_time", test_map__gives_up_in_time},
    {"works_in_a_worker", test_map__works_in_a_worker},
    {"works_in_threads", test_map__works_in_threads},
    {"refuses_what_cannot_be", test_map__refuses_what_cannot_be},
};
PROCESS_TEST_MAIN("service.map_items", cases)
