/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_map.c: maps over values, plain memory and ranges, in workers that die now and then.
 */
#include "service/pool_test.h"

#include "base/status.h"
#include "mproc/mproc.h"

#include <stdlib.h>
#include <string.h>

enum { N = 1000 };

static int cube(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    *result = MPROC_VALUE(x * x * x);
    return rc;
}

static int shout(const mproc_args *args, mproc_value *result)
{
    static char text[64];
    const char *word;
    int rc = MPROC_UNPACK(args, &word);
    if (rc >= 0) {
        (void)snprintf(text, sizeof(text), "%s!", word);
        *result = MPROC_VALUE(text);
    }
    return rc;
}

/** An error for every seventh, the end of the worker for every hundredth. */
static int stumble(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    if (rc >= 0 && x % 100 == 50) {
        exit(3);
    }
    if (rc >= 0 && x % 7 == 3) {
        return mproc__fail(MPROC_ERANGE, "item %d is refused", (int)x);
    }
    *result = MPROC_VALUE(x);
    return rc;
}

/** What fails the first time, and ends the worker the second time: words say how often it ran. */
static int insist(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int64_t x;
    int rc = MPROC_UNPACK(args, &block, &x);
    if (rc < 0) {
        return rc;
    }
    uint32_t n = mproc__add32(&words_of(block)[x], 1);
    if (n == 0) {
        exit(4);
    }
    *result = MPROC_VALUE(x);
    return n == 1 ? MPROC_ESTATE : MPROC_OK;
}

static mproc_value *make_integers(size_t n)
{
    mproc_value *items = calloc(n, sizeof(*items));
    CU_ASSERT_PTR_NOT_NULL_FATAL(items);
    for (size_t i = 0; i < n; i++) {
        items[i] = MPROC_VALUE((int64_t)i);
    }
    return items;
}

static void check_cubes(mproc_value *results, size_t n)
{
    size_t n_wrong = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t x = (int64_t)i;
        n_wrong += results[i].type == MPROC_INT && results[i].as.integer == x * x * x ? 0 : 1;
        mproc_value_clear(&results[i]);
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
}

static void test_map__has_all_results_in_order(void)
{
    static const size_t chunk_sizes[] = {0, 1, 7, N, 5 * N};
    mproc_pool *pool = make_pool(2);
    mproc_value *items = make_integers(N);
    mproc_value *results = make_integers(N);
    const mproc_args all = {N, items};
    for (size_t i = 0; i < MPROC__COUNT(chunk_sizes); i++) {
        const mproc_map_options options = {.chunk_size = chunk_sizes[i]};
        CU_ASSERT_EQUAL_FATAL(mproc_pool_map(pool, cube, &all, results, &options, LIMIT), 0);
        check_cubes(results, N);
    }
    CU_ASSERT_EQUAL(mproc_pool_map(pool, cube, NULL, NULL, NULL, LIMIT), 0);
    CU_ASSERT_EQUAL(mproc_pool_map(pool, cube, &all, NULL, NULL, LIMIT), 0);
    CU_ASSERT_EQUAL(mproc_pool_map(NULL, cube, &all, NULL, NULL, LIMIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_map(pool, NULL, &all, NULL, NULL, LIMIT), MPROC_EINVAL);
    free(items);
    free(results);
    mproc_pool_close(pool);
}

static void test_map__takes_lists_of_arguments(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_value results[3];
    CU_ASSERT_EQUAL(
        mproc_pool_starmap(pool, task_add,
                           MPROC_ARGS(MPROC_LIST(1, 2), MPROC_LIST(3, 4), MPROC_LIST(5, 6)),
                           results, NULL, LIMIT),
        0);
    CU_ASSERT_EQUAL(results[0].as.integer + results[1].as.integer + results[2].as.integer, 21);
    for (size_t chunk_size = 1; chunk_size < 3; chunk_size++) {
        int statuses[3];
        const mproc_map_options options = {.chunk_size = chunk_size, .statuses = statuses};
        CU_ASSERT_EQUAL(mproc_pool_starmap(pool, task_add,
                                           MPROC_ARGS(MPROC_LIST(1, 2), 3, MPROC_LIST(5, 6)),
                                           results, &options, LIMIT),
                        MPROC_ETYPE);
        CU_ASSERT_EQUAL(statuses[0], 0);
        CU_ASSERT_EQUAL(statuses[1], MPROC_ETYPE);
        CU_ASSERT_EQUAL(statuses[2], 0);
        CU_ASSERT_EQUAL(results[2].as.integer, 11);
    }
    CU_ASSERT_EQUAL(mproc_pool_map(pool, shout, MPROC_ARGS("a", "bc", "def"), results, NULL, LIMIT),
                    0);
    CU_ASSERT_STRING_EQUAL(results[0].as.string.data, "a!");
    CU_ASSERT_STRING_EQUAL(results[2].as.string.data, "def!");
    for (size_t i = 0; i < 3; i++) {
        mproc_value_clear(&results[i]);
    }
    mproc_pool_close(pool);
}

static void check_stumbles(const mproc_value *results, const int *statuses, size_t n)
{
    size_t n_wrong = 0;
    for (size_t i = 0; i < n; i++) {
        int expected = i % 100 == 50 ? MPROC_EWORKERDIED : i % 7 == 3 ? MPROC_ERANGE : MPROC_OK;
        n_wrong += statuses[i] == expected && (expected < 0 || results[i].as.integer == (int64_t)i)
                       ? 0
                       : 1;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
}

/** An error or a death is the item's, whatever else is in its task. */
static void test_map__charges_the_item(void)
{
    static const size_t chunk_sizes[] = {0, 1, 13};
    mproc_pool *pool = make_pool(2);
    mproc_value *items = make_integers(300);
    mproc_value *results = make_integers(300);
    int statuses[300];
    const mproc_args all = {300, items};
    for (size_t i = 0; i < MPROC__COUNT(chunk_sizes); i++) {
        const mproc_map_options options = {.chunk_size = chunk_sizes[i], .statuses = statuses};
        CU_ASSERT_EQUAL(mproc_pool_map(pool, stumble, &all, results, &options, LIMIT),
                        MPROC_ERANGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "item 3"));
        check_stumbles(results, statuses, 300);
    }
    CU_ASSERT_EQUAL(mproc_pool_map(pool, stumble, MPROC_ARGS(1, 50, 2), results, NULL, LIMIT),
                    MPROC_EWORKERDIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "exit code 3"));
    CU_ASSERT_EQUAL(results[0].type, MPROC_NIL);
    CU_ASSERT_EQUAL(results[2].type, MPROC_NIL);
    free(items);
    free(results);
    mproc_pool_close(pool);
}

static void test_map__runs_items_again(void)
{
    static const size_t chunk_sizes[] = {1, 3};
    mproc_pool *pool = make_pool(2);
    for (size_t i = 0; i < MPROC__COUNT(chunk_sizes); i++) {
        mproc_block *block = make_words(3);
        mproc_value results[3];
        const mproc_map_options options = {
            .chunk_size = chunk_sizes[i], .retries = 2, .retry_errors = true};
        int rc = mproc_pool_starmap(
            pool, insist,
            MPROC_ARGS(MPROC_LIST(block, 0), MPROC_LIST(block, 1), MPROC_LIST(block, 2)), results,
            &options, LIMIT);
        CU_ASSERT_EQUAL(rc, 0);
        for (uint32_t x = 0; x < 3; x++) {
            CU_ASSERT_EQUAL(results[x].as.integer, x);
            CU_ASSERT_EQUAL(words_of(block)[x], 3);
        }
        mproc_block_close(block);
    }
    mproc_pool_close(pool);
}

/* ---- time ------------------------------------------------------------------------------------ */

/** The item with a block waits for ever. */
static int wait_or_not(const mproc_args *args, mproc_value *result)
{
    if (args->items[0].type == MPROC_OBJECT) {
        return task_meet(args, result);
    }
    return cube(args, result);
}

static void test_map__has_a_time_for_each_item(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    int statuses[3];
    mproc_value results[3];
    const mproc_map_options options = {.item_timeout = mproc_milliseconds(50),
                                       .statuses = statuses};
    CU_ASSERT_EQUAL(
        mproc_pool_map(pool, wait_or_not, MPROC_ARGS(1, block, 3), results, &options, LIMIT),
        MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(statuses[0], 0);
    CU_ASSERT_EQUAL(statuses[1], MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(statuses[2], 0);
    CU_ASSERT_EQUAL(results[2].as.integer, 27);
    // A map that is given up leaves the pool as it was.
    CU_ASSERT_EQUAL(
        mproc_pool_map(pool, wait_or_not, MPROC_ARGS(block), results, NULL, mproc_milliseconds(20)),
        MPROC_ETIMEDOUT);
    mproc__store32_release(words_of(block) + 1, 1);
    (void)mplat_wake(words_of(block) + 1, INT32_MAX);
    CU_ASSERT_EQUAL(mproc_pool_map(pool, cube, MPROC_ARGS(2), results, NULL, LIMIT), 0);
    CU_ASSERT_EQUAL(results[0].as.integer, 8);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/* ---- plain memory ---------------------------------------------------------------------------- */

static int halve(const void *in, void *out, const mproc_args *args)
{
    (void)args;
    *(double *)out = *(const int *)in / 2.0;
    return *(const int *)in == 333 ? mproc__fail(MPROC_ERANGE, "it is 333") : 0;
}

static void test_map__of_plain_memory(void)
{
    mproc_pool *pool = make_pool(2);
    int in[N];
    double out[N] = {0};
    int statuses[N];
    for (int i = 0; i < N; i++) {
        in[i] = i;
    }
    const mproc_map_options options = {.statuses = statuses, .chunk_size = 10};
    CU_ASSERT_EQUAL(mproc_pool_map_array(pool, halve, (mproc_elements){in, sizeof(*in), NULL},
                                         (mproc_elements){out, sizeof(*out), NULL}, N, NULL,
                                         &options, LIMIT),
                    MPROC_ERANGE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "it is 333");
    size_t n_wrong = 0;
    for (int i = 0; i < N; i++) {
        n_wrong += statuses[i] == (i == 333 ? MPROC_ERANGE : 0) && out[i] == i / 2.0 ? 0 : 1;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(mproc_pool_map_array(pool, halve, (mproc_elements){in, sizeof(*in), NULL},
                                         (mproc_elements){out, sizeof(*out), NULL}, 300, NULL, NULL,
                                         LIMIT),
                    0);
    CU_ASSERT_EQUAL(mproc_pool_map_array(pool, halve, (mproc_elements){in, 0, NULL},
                                         (mproc_elements){out, sizeof(*out), NULL}, 300, NULL, NULL,
                                         LIMIT),
                    MPROC_EINVAL);
    mproc_pool_close(pool);
}

static void test_map__of_shared_arrays(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_array *in = NULL;
    mproc_array *out = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_array_create(&in, 'i', N, NULL, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_array_create(&out, 'd', N, NULL, NULL), 0);
    int *numbers = mproc_array_data(in);
    const double *halves = mproc_array_data(out);
    for (int i = 0; i < N; i++) {
        numbers[i] = i + 1000;
    }
    CU_ASSERT_EQUAL(mproc_pool_map_array(pool, halve, (mproc_elements){.array = in},
                                         (mproc_elements){.array = out}, N, NULL, NULL, LIMIT),
                    0);
    size_t n_wrong = 0;
    for (int i = 0; i < N; i++) {
        n_wrong += halves[i] == (i + 1000) / 2.0 ? 0 : 1;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(mproc_pool_map_array(pool, halve, (mproc_elements){.array = in},
                                         (mproc_elements){.array = out}, N + 1, NULL, NULL, LIMIT),
                    MPROC_ERANGE);
    mproc_array_close(in);
    mproc_array_close(out);
    mproc_pool_close(pool);
}

/** Count each index; a worker that has reached 500 for the first time dies. */
static int visit(int64_t begin, int64_t end, const mproc_args *args)
{
    mproc_array *array;
    int64_t deadly;
    int rc = MPROC_UNPACK(args, &array, &deadly);
    for (int64_t i = begin; rc >= 0 && i < end; i++) {
        ((int *)mproc_array_data(array))[i]++;
        if (i == deadly) {
            exit(5);
        }
    }
    return rc;
}

static void test_map__of_a_range(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_array *array = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_array_create(&array, 'i', N, NULL, NULL), 0);
    const int *counts = mproc_array_data(array);
    CU_ASSERT_EQUAL(mproc_pool_for(pool, visit, 0, N, MPROC_ARGS(array, -1), NULL, LIMIT), 0);
    const mproc_map_options options = {.chunk_size = 10};
    CU_ASSERT_EQUAL(mproc_pool_for(pool, visit, 0, N, MPROC_ARGS(array, 509), &options, LIMIT),
                    MPROC_EWORKERDIED);
    size_t n_wrong = 0;
    for (int i = 0; i < N; i++) {
        n_wrong += counts[i] == 2 ? 0 : 1; // the piece that died had come to its end
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(mproc_pool_for(pool, visit, 7, 7, MPROC_ARGS(array, -1), NULL, LIMIT), 0);
    CU_ASSERT_EQUAL(mproc_pool_for(pool, visit, 7, -7, MPROC_ARGS(array, -1), NULL, LIMIT), 0);
    mproc_array_close(array);
    mproc_pool_close(pool);
}

/* ---- workers that map, threads --------------------------------------------------------------- */

/** A map over the worker's own pool. */
static int map_inside(const mproc_args *args, mproc_value *result)
{
    mproc_pool *pool;
    int64_t x;
    mproc_value results[4];
    int rc = MPROC_UNPACK(args, &pool, &x);
    if (rc >= 0) {
        rc = mproc_pool_map(pool, cube, MPROC_ARGS(x, x + 1, x + 2, x + 3), results, NULL, LIMIT);
    }
    if (rc >= 0) {
        *result = MPROC_VALUE(results[0].as.integer + results[3].as.integer);
    }
    return rc;
}

static void test_map__in_its_own_workers(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_value results[4];
    int rc = mproc_pool_starmap(pool, map_inside,
                                MPROC_ARGS(MPROC_LIST(pool, 0), MPROC_LIST(pool, 1),
                                           MPROC_LIST(pool, 2), MPROC_LIST(pool, 3)),
                                results, NULL, LIMIT);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(results[0].as.integer, 27);
    CU_ASSERT_EQUAL(results[3].as.integer, 27 + 216);
    mproc_pool_close(pool);
}

static void test_map__in_threads(void)
{
    mproc_pool *pool = NULL;
    mproc_value *items = make_integers(N);
    mproc_value *results = make_integers(N);
    const mproc_args all = {N, items};
    CU_ASSERT_EQUAL_FATAL(mproc_thread_pool_create(&pool, &(mproc_pool_options){.processes = 2}),
                          0);
    CU_ASSERT_EQUAL(mproc_pool_map(pool, cube, &all, results, NULL, LIMIT), 0);
    check_cubes(results, N);
    free(items);
    free(results);
    mproc_pool_close(pool);
}

static mproc_arena_stats stats_now(void)
{
    mproc_arena_stats stats;
    CU_ASSERT_EQUAL_FATAL(mproc_arena_get_stats(&stats), MPROC_OK);
    return stats;
}

/** Nothing of a map is left. */
static void test_map__leaves_nothing(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_value *items = make_integers(N);
    mproc_value *results = make_integers(N);
    const mproc_args all = {N, items};
    CU_ASSERT_EQUAL(mproc_pool_map(pool, cube, &all, results, NULL, LIMIT), 0);
    const mproc_arena_stats before = stats_now();
    for (int i = 0; i < 10; i++) {
        const mproc_map_options options = {.chunk_size = (size_t)i};
        CU_ASSERT_EQUAL(mproc_pool_map(pool, cube, &all, results, &options, LIMIT), 0);
    }
    const mproc_arena_stats after = stats_now();
    CU_ASSERT(after.live_blocks <= before.live_blocks + 4); // the pool keeps room for more tasks
    free(items);
    free(results);
    mproc_pool_close(pool);
}

static const testlib_case cases[] = {
    {"has_all_results_in_order", test_map__has_all_results_in_order},
    {"takes_lists_of_arguments", test_map__takes_lists_of_arguments},
    {"charges_the_item", test_map__charges_the_item},
    {"runs_items_again", test_map__runs_items_again},
    {"has_a_time_for_each_item", test_map__has_a_time_for_each_item},
    {"of_plain_memory", test_map__of_plain_memory},
    {"of_shared_arrays", test_map__of_shared_arrays},
    {"of_a_range", test_map__of_a_range},
    {"in_its_own_workers", test_map__in_its_own_workers},
    {"in_threads", test_map__in_threads},
    {"leaves_nothing", test_map__leaves_nothing},
};

PROCESS_TEST_MAIN("service.map", cases)
