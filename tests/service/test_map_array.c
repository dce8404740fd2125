/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_map_array.c: maps over plain memory and shared arrays, and loops over ranges.
 */
#include "service/pool_test.h"

#include "base/status.h"
#include "mproc/array.h"
#include "mproc/pool_map.h"

#include <string.h>

#define N 10000

static int numbers[N];
static double halves[N];
static int statuses[N];

static void number_them(void)
{
    for (int i = 0; i < N; i++) {
        numbers[i] = i;
        halves[i] = -1;
    }
}

/* Divides; 13 is an error, and at 999 its worker dies if there is a second argument. */
static int divide(const void *in, void *out, const mproc_args *args)
{
    double divisor = 2;
    bool dies = false;
    int rc = args != NULL ? MPROC_UNPACK(args, &divisor, MPROC_OPTIONAL(&dies)) : 0;
    const int x = *(const int *)in;
    if (dies && x == 999) {
        exit(5);
    }
    if (dies && x == 13) {
        return mproc__fail(MPROC_ERANGE, "thirteen");
    }
    *(double *)out = x / divisor;
    return rc;
}

static const mproc_elements in = {numbers, sizeof(int), NULL};
static const mproc_elements out = {halves, sizeof(double), NULL};

static void test_map_array__copies_memory(void)
{
    mproc_pool *pool = make_pool(2);
    static const size_t chunks[] = {0, 1, 100, N};
    for (size_t i = 0; i < 4; i++) {
        const mproc_map_options options = {.chunk_size = chunks[i]};
        const size_t n = chunks[i] == 1 ? 100 : N;
        number_them();
        CU_ASSERT(
            mproc_pool_map_array(pool, divide, in, out, n, MPROC_ARGS(4.0), &options, LIMIT) == 0);
        for (size_t k = 0; k < N; k++) {
            CU_ASSERT(halves[k] == (k < n ? (double)k / 4 : -1));
        }
    }
    CU_ASSERT(mproc_pool_map_array(pool, divide, in, out, 0, NULL, NULL, LIMIT) == 0);
    mproc_pool_close(pool);
}

static void test_map_array__charges_elements(void)
{
    mproc_pool *pool = make_pool(2);
    const mproc_map_options options = {.statuses = statuses};
    number_them();
    CU_ASSERT(mproc_pool_map_array(pool, divide, in, out, N, MPROC_ARGS(2.0, true), &options,
                                   LIMIT) == MPROC_ERANGE);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "thirteen");
    for (int i = 0; i < N; i++) {
        CU_ASSERT(statuses[i] == (i == 13 ? MPROC_ERANGE : i == 999 ? MPROC_EWORKERDIED : 0));
        CU_ASSERT(statuses[i] < 0 || halves[i] == i / 2.0);
    }
    mproc_pool_close(pool);
}

static void test_map_array__works_in_place(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_array *ints, *doubles;
    CU_ASSERT_FATAL(mproc_array_create(&ints, 'i', N, NULL, NULL) == 0);
    CU_ASSERT_FATAL(mproc_array_create(&doubles, 'd', N, NULL, NULL) == 0);
    number_them();
    memcpy(mproc_array_data(ints), numbers, sizeof(numbers));
    const mproc_elements from = {.array = ints}, to = {.array = doubles};
    CU_ASSERT(mproc_pool_map_array(pool, divide, from, to, N, NULL, NULL, LIMIT) == 0);
    const double *results = mproc_array_data(doubles);
    for (int i = 0; i < N; i++) {
        CU_ASSERT(results[i] == i / 2.0);
    }
    CU_ASSERT(mproc_pool_map_array(pool, divide, from, to, N + 1, NULL, NULL, LIMIT) ==
              MPROC_ERANGE);
    mproc_array_close(ints);
    mproc_array_close(doubles);
    mproc_pool_close(pool);
}

static int count_indices(int64_t begin, int64_t end, const mproc_args *args)
{
    mproc_array *array;
    int64_t base, deadly = -1;
    int rc = MPROC_UNPACK(args, &array, &base, MPROC_OPTIONAL(&deadly));
    int *counts = rc >= 0 ? mproc_array_data(array) : NULL;
    for (int64_t i = begin; rc >= 0 && i < end; i++) {
        if (++counts[i - base] == 1 && i == deadly) {
            exit(6);
        }
    }
    return rc;
}

static void test_for__does_each_index_once(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_array *array;
    CU_ASSERT_FATAL(mproc_array_create(&array, 'i', N, NULL, NULL) == 0);
    int *counts = mproc_array_data(array);
    static const int64_t begins[] = {0, -5000, INT64_MAX - N, INT64_MIN};
    for (int round = 0; round < 4; round++) {
        const mproc_map_options options = {.chunk_size = (size_t)round * 77};
        const int64_t begin = begins[round];
        CU_ASSERT(mproc_pool_for(pool, count_indices, begin, begin + N, MPROC_ARGS(array, begin),
                                 &options, LIMIT) == 0);
        for (int i = 0; i < N; i++) {
            CU_ASSERT(counts[i] == round + 1);
        }
    }
    CU_ASSERT(mproc_pool_for(pool, count_indices, 5, 5, NULL, NULL, LIMIT) == 0);
    CU_ASSERT(mproc_pool_for(pool, count_indices, 5, 4, NULL, NULL, LIMIT) == 0);
    mproc_array_close(array);
    mproc_pool_close(pool);
}

static void test_for__reports_deaths_and_tries_again(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_array *array;
    CU_ASSERT_FATAL(mproc_array_create(&array, 'i', N, NULL, NULL) == 0);
    int *counts = mproc_array_data(array);
    mproc_map_options options = {.chunk_size = 1000};
    CU_ASSERT(mproc_pool_for(pool, count_indices, 0, N, MPROC_ARGS(array, 0, 1500), &options,
                             LIMIT) == MPROC_EWORKERDIED);
    CU_ASSERT(counts[999] == 1 && counts[1500] == 1 && counts[1501] == 0 && counts[2000] == 1);
    memset(counts, 0, N * sizeof(int));
    options.retries = 1;
    CU_ASSERT(mproc_pool_for(pool, count_indices, 0, N, MPROC_ARGS(array, 0, 1500), &options,
                             LIMIT) == 0);
    CU_ASSERT(counts[999] == 1 && counts[1500] == 2 && counts[1501] == 1 && counts[2000] == 1);
    mproc_array_close(array);
    mproc_pool_close(pool);
}

static const testlib_case cases[] = {
    {"copies_memory", test_map_array__copies_memory},
    {"charges_elements", test_map_array__charges_elements},
    {"works_in_place", test_map_array__works_in_place},
    {"does_each_index_once", test_for__does_each_index_once},
    {"reports_deaths_and_tries_again", test_for__reports_deaths_and_tries_again},
};
PROCESS_TEST_MAIN("service.map_array", cases)
