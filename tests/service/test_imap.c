/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_imap.c: results one by one, of items that are made when there is room for them.
 */
#include "service/pool_test.h"

#include "base/status.h"
#include "mproc/mproc.h"

#include <stdlib.h>
#include <string.h>

static int cube(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    if (rc >= 0 && (x == 13 || x == 15)) {
        return mproc__fail(MPROC_ERANGE, "no %d, please", (int)x);
    }
    if (rc >= 0 && x == 17) {
        exit(7);
    }
    *result = MPROC_VALUE(x * x * x);
    return rc;
}

/** Makes 0, 1, 2 ... and notes how far it is ahead. */
struct numbers {
    int64_t next, end; /* end: the first one that is not made */
    int64_t n_out;     /* results that were handed out */
    int64_t most_ahead;
    int status; /* what comes at the end */
};

static int make_number(mproc_value *ret_item, void *arg)
{
    struct numbers *numbers = arg;
    if (numbers->next == numbers->end) {
        return numbers->status < 0 ? mproc__fail(numbers->status, "that was all") : 0;
    }
    int64_t ahead = numbers->next + 1 - numbers->n_out;
    numbers->most_ahead = ahead > numbers->most_ahead ? ahead : numbers->most_ahead;
    *ret_item = MPROC_VALUE(numbers->next++);
    return 1;
}

static int next_of(mproc_iterator *it, struct numbers *numbers, int64_t *ret_result)
{
    mproc_value result = {0};
    int rc = mproc_iterator_next(it, &result, LIMIT);
    numbers->n_out += rc == 1 || mproc_iterator_index(it) != SIZE_MAX ? 1 : 0;
    if (rc == 1) {
        *ret_result = result.as.integer;
        mproc_value_clear(&result);
    }
    return rc;
}

static int status_of(int64_t item)
{
    return item == 13 || item == 15 ? MPROC_ERANGE : item == 17 ? MPROC_EWORKERDIED : 1;
}

/** Whether the last error is that of an item, whatever others are in the same chunk. */
static bool tells_of(int64_t item)
{
    char expected[40];
    (void)snprintf(expected, sizeof(expected), item == 17 ? "exit code 7" : "no %d, please",
                   (int)item);
    return strstr(mproc_last_error(), expected) != NULL;
}

/** All of a source, in order. */
static void check_in_order(mproc_pool *pool, int64_t end, const mproc_map_options *options)
{
    struct numbers numbers = {.end = end};
    mproc_iterator *it = NULL;
    int64_t result;
    size_t n_wrong = 0;
    CU_ASSERT_EQUAL_FATAL(mproc_pool_imap(pool, cube, make_number, &numbers, options, &it), 0);
    for (int64_t i = 0; i < end; i++) {
        int rc = next_of(it, &numbers, &result);
        n_wrong += rc == status_of(i) && (rc < 0 ? tells_of(i) : result == i * i * i) &&
                           mproc_iterator_index(it) == (size_t)i
                       ? 0
                       : 1;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(next_of(it, &numbers, &result), 0);
    CU_ASSERT_EQUAL(next_of(it, &numbers, &result), 0);
    mproc_iterator_close(it);
}

static void test_imap__in_order(void)
{
    static const size_t chunk_sizes[] = {0, 1, 7, 100};
    mproc_pool *pool = make_pool(2);
    for (size_t i = 0; i < MPROC__COUNT(chunk_sizes); i++) {
        const mproc_map_options options = {.chunk_size = chunk_sizes[i]};
        check_in_order(pool, 40, &options);
    }
    check_in_order(pool, 0, NULL);
    mproc_pool_close(pool);
}

static void check_in_any_order(mproc_pool *pool, const mproc_map_options *options)
{
    enum { N = 200 };
    struct numbers numbers = {.end = N};
    mproc_iterator *it = NULL;
    bool have[N] = {false};
    int64_t result = 0;
    int rc;
    size_t n_errors = 0;
    CU_ASSERT_EQUAL_FATAL(
        mproc_pool_imap_unordered(pool, cube, make_number, &numbers, options, &it), 0);
    while ((rc = next_of(it, &numbers, &result)) != 0) {
        size_t i = mproc_iterator_index(it);
        CU_ASSERT_FATAL(i < N && !have[i]);
        have[i] = true;
        n_errors += rc < 0 ? 1 : 0;
        CU_ASSERT_EQUAL(rc, status_of((int64_t)i));
        CU_ASSERT(rc < 0 ? tells_of((int64_t)i) : result == (int64_t)(i * i * i));
    }
    CU_ASSERT_EQUAL(n_errors, 3);
    CU_ASSERT_EQUAL(numbers.n_out, N);
    mproc_iterator_close(it);
}

static void test_imap__in_any_order(void)
{
    mproc_pool *pool = make_pool(2);
    check_in_any_order(pool, NULL);
    check_in_any_order(pool, &(mproc_map_options){.chunk_size = 9});
    check_in_any_order(pool, &(mproc_map_options){.window = 64});
    check_in_any_order(pool, &(mproc_map_options){.window = 1});
    mproc_pool_close(pool);
}

/** A source without end is asked for no more than the window. */
static void test_imap__does_not_run_ahead(void)
{
    mproc_pool *pool = make_pool(2);
    for (size_t window = 1; window < 20; window += 6) {
        const mproc_map_options options = {.window = window, .chunk_size = 3};
        struct numbers numbers = {.next = 100, .end = -1, .n_out = 100};
        mproc_iterator *it = NULL;
        int64_t result;
        CU_ASSERT_EQUAL_FATAL(mproc_pool_imap(pool, cube, make_number, &numbers, &options, &it), 0);
        for (int i = 0; i < 500; i++) {
            CU_ASSERT_EQUAL(next_of(it, &numbers, &result), 1);
        }
        CU_ASSERT(numbers.most_ahead <= (int64_t)window);
        mproc_iterator_close(it);
    }
    mproc_pool_close(pool);
}

static void test_imap__source_fails(void)
{
    mproc_pool *pool = make_pool(2);
    struct numbers numbers = {.end = 5, .status = MPROC_EMALFORMED};
    mproc_iterator *it = NULL;
    int64_t result;
    CU_ASSERT_EQUAL_FATAL(mproc_pool_imap(pool, cube, make_number, &numbers, NULL, &it), 0);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(next_of(it, &numbers, &result), 1);
    }
    CU_ASSERT_EQUAL(next_of(it, &numbers, &result), MPROC_EMALFORMED);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "that was all");
    CU_ASSERT_EQUAL(mproc_iterator_index(it), SIZE_MAX);
    CU_ASSERT_EQUAL(next_of(it, &numbers, &result), 0);
    mproc_iterator_close(it);
    CU_ASSERT_EQUAL(mproc_pool_imap(pool, cube, NULL, NULL, NULL, &it), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_imap(NULL, cube, make_number, &numbers, NULL, &it), MPROC_EINVAL);
    mproc_iterator_close(NULL);
    mproc_pool_close(pool);
}

/** Words: 0 how many wait, 1 whether they may go on. */
static void test_imap__next_in_time(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    mproc_args_source source = {.items = MPROC_ARGS(block, block, block)};
    mproc_iterator *it = NULL;
    mproc_value result;
    CU_ASSERT_EQUAL_FATAL(mproc_pool_imap(pool, task_meet, mproc_source_args, &source, NULL, &it),
                          0);
    CU_ASSERT_EQUAL(mproc_iterator_next(it, &result, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_iterator_index(it), SIZE_MAX);
    mproc__store32_release(words_of(block) + 1, 1);
    (void)mplat_wake(words_of(block) + 1, INT32_MAX);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_iterator_next(it, &result, LIMIT), 1);
    }
    CU_ASSERT_EQUAL(mproc_iterator_next(it, &result, LIMIT), 0);
    mproc_iterator_close(it);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/** Given up in the midst, and after the pool's handle. */
static void test_imap__is_given_up(void)
{
    for (int i = 0; i < 4; i++) {
        mproc_pool *pool = make_pool(2);
        struct numbers numbers = {.next = 100, .end = -1};
        mproc_iterator *it = NULL;
        int64_t result;
        const mproc_map_options options = {.window = 50, .chunk_size = (size_t)(1 + i / 2 * 4)};
        int rc = i % 2 == 0
                     ? mproc_pool_imap(pool, cube, make_number, &numbers, &options, &it)
                     : mproc_pool_imap_unordered(pool, cube, make_number, &numbers, &options, &it);
        CU_ASSERT_EQUAL_FATAL(rc, 0);
        CU_ASSERT_EQUAL(next_of(it, &numbers, &result), 1);
        mproc_pool_close(pool);
        numbers.end = numbers.next;
        while ((rc = next_of(it, &numbers, &result)) != 0) {
            CU_ASSERT(rc == 1 || rc == MPROC_ECANCELLED || rc == MPROC_ECLOSED);
        }
        mproc_iterator_close(it);
    }
}

static const testlib_case cases[] = {
    {"in_order", test_imap__in_order},
    {"in_any_order", test_imap__in_any_order},
    {"does_not_run_ahead", test_imap__does_not_run_ahead},
    {"source_fails", test_imap__source_fails},
    {"next_in_time", test_imap__next_in_time},
    {"is_given_up", test_imap__is_given_up},
};

PROCESS_TEST_MAIN("service.imap", cases)
