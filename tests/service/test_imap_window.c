/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_imap_window.c: how far the source of an imap is ahead, with chunks and windows of all sizes.
 */
#include "service/pool_test.h"

#include "base/status.h"
#include "mproc/pool_map.h"
#include "service/imap_window.h"

#include <string.h>

/* ---- the window alone ------------------------------------------------------------------------ */

static void test_window__bounds_what_is_under_way(void)
{
    for (size_t size = 1; size < 40; size++) {
        for (size_t chunk = 1; chunk < 50; chunk += 3) {
            mproc__window window;
            size_t real = chunk, n_under_way = 0;
            mproc__window_init(&window, &real, size, 0);
            CU_ASSERT(real == (chunk < size ? chunk : size));
            for (int i = 0; i < 1000; i++) {
                size_t count = mproc__window_room(&window, n_under_way == 0);
                while (count > 0) {
                    mproc__window_took(&window, count, false);
                    n_under_way += count;
                    count = mproc__window_more(&window);
                }
                CU_ASSERT(n_under_way > 0 && n_under_way <= size);
                mproc__window_handed(&window);
                n_under_way--;
            }
            mproc__window_took(&window, 0, true);
            CU_ASSERT(mproc__window_room(&window, true) == 0);
        }
    }
}

/* ---- with a pool ----------------------------------------------------------------------------- */

struct numbers {
    int64_t next, end; /* end < 0: never */
    int64_t fails_at;
    char text[40];
    bool are_texts;
};

static int next_number(mproc_value *ret_item, void *arg)
{
    struct numbers *numbers = arg;
    if (numbers->fails_at == numbers->next) {
        return mproc__fail(MPROC_ENOENT, "the source is dry");
    }
    if (numbers->next == numbers->end) {
        return 0;
    }
    (void)snprintf(numbers->text, sizeof(numbers->text), "number %d", (int)numbers->next);
    *ret_item =
        numbers->are_texts ? MPROC_VALUE((const char *)numbers->text) : MPROC_VALUE(numbers->next);
    numbers->next++;
    return 1;
}

static int square(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    if (rc >= 0 && x == 13) {
        return mproc__fail(MPROC_ERANGE, "thirteen");
    }
    if (rc >= 0 && x == 77) {
        exit(1);
    }
    *result = MPROC_VALUE(x * x);
    return rc;
}

static int echo(const mproc_args *args, mproc_value *result)
{
    *result = args->items[0];
    return 0;
}

typedef int begin_fn(mproc_pool *, mproc_task_fn, mproc_source_fn, void *,
                     const mproc_map_options *, mproc_iterator **);

/* All results of 0 to 99, each once; 13 fails and 77 dies. */
static void check_squares(mproc_pool *pool, begin_fn *begin, const mproc_map_options *options)
{
    struct numbers numbers = {.end = 100, .fails_at = -1};
    mproc_iterator *it = NULL;
    bool seen[100] = {false};
    mproc_value value;
    size_t n = 0;
    int rc;
    CU_ASSERT_FATAL(begin(pool, square, next_number, &numbers, options, &it) == 0);
    CU_ASSERT(mproc_iterator_index(it) == SIZE_MAX);
    while ((rc = mproc_iterator_next(it, &value, LIMIT)) != 0 && n < 200) {
        const size_t i = mproc_iterator_index(it);
        CU_ASSERT_FATAL(i < 100 && !seen[i]);
        CU_ASSERT(begin == mproc_pool_imap_unordered || i == n);
        CU_ASSERT(rc == (i == 13 ? MPROC_ERANGE : i == 77 ? MPROC_EWORKERDIED : 1));
        CU_ASSERT(rc < 0 || value.as.integer == (int64_t)(i * i));
        seen[i] = true;
        n++;
    }
    CU_ASSERT(n == 100 && mproc_iterator_next(it, &value, LIMIT) == 0);
    mproc_iterator_close(it);
}

static void check_all_squares(begin_fn *begin)
{
    mproc_pool *pool = make_pool(2);
    static const size_t chunks[] = {0, 2, 7, 200};
    static const size_t windows[] = {0, 1, 5, 300};
    for (size_t c = 0; c < 4; c++) {
        for (size_t w = 0; w<4; w += c> 1 ? 3 : 1) {
            const mproc_map_options options = {.chunk_size = chunks[c], .window = windows[w]};
            check_squares(pool, begin, &options);
        }
    }
    mproc_pool_close(pool);
}

static void test_imap__keeps_the_order(void)
{
    check_all_squares(mproc_pool_imap);
}

static void test_imap__hands_out_what_is_there(void)
{
    check_all_squares(mproc_pool_imap_unordered);
}

/* A source without end: it is never further ahead than the window, and may borrow its items. */
static void test_imap__holds_the_source_back(void)
{
    mproc_pool *pool = make_pool(2);
    begin_fn *const begins[] = {mproc_pool_imap, mproc_pool_imap_unordered};
    for (size_t i = 0; i < 6; i++) {
        struct numbers numbers = {.end = -1, .fails_at = -1, .are_texts = true};
        const mproc_map_options options = {.window = 8, .chunk_size = 1 + i / 2};
        mproc_iterator *it = NULL;
        CU_ASSERT_FATAL(begins[i % 2](pool, echo, next_number, &numbers, &options, &it) == 0);
        for (int64_t k = 0; k < 300; k++) {
            mproc_value value;
            char text[40];
            CU_ASSERT_FATAL(mproc_iterator_next(it, &value, LIMIT) == 1);
            CU_ASSERT(numbers.next <= k + 8);
            (void)snprintf(text, sizeof(text), "number %zu", mproc_iterator_index(it));
            CU_ASSERT_STRING_EQUAL(value.as.string.data, text);
            mproc_value_clear(&value);
        }
        mproc_iterator_close(it); // in the midst
    }
    mproc_pool_close(pool);
}

static void test_imap__tells_of_a_failed_source_at_the_end(void)
{
    mproc_pool *pool = make_pool(2);
    struct numbers numbers = {.end = 20, .fails_at = 5};
    mproc_iterator *it = NULL;
    mproc_value value;
    CU_ASSERT_FATAL(mproc_pool_imap(pool, echo, next_number, &numbers, NULL, &it) == 0);
    for (int64_t i = 0; i < 5; i++) {
        CU_ASSERT(mproc_iterator_next(it, &value, LIMIT) == 1 && value.as.integer == i);
    }
    CU_ASSERT(mproc_iterator_next(it, &value, LIMIT) == MPROC_ENOENT);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "the source is dry");
    CU_ASSERT(mproc_iterator_index(it) == SIZE_MAX);
    CU_ASSERT(mproc_iterator_next(it, &value, LIMIT) == 0);
    mproc_iterator_close(it);
    mproc_pool_close(pool);
}

static int wait_for_word(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int rc = MPROC_UNPACK(args, &block);
    if (rc >= 0) {
        (void)await_word(words_of(block), 1);
        *result = MPROC_VALUE(1);
    }
    return rc;
}

static void test_imap__times_out_and_goes_on(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(1);
    begin_fn *const begins[] = {mproc_pool_imap, mproc_pool_imap_unordered};
    for (int i = 0; i < 2; i++) {
        mproc_args_source source = {MPROC_ARGS(block, block), 0};
        mproc_iterator *it = NULL;
        mproc_value value;
        set_word(words_of(block), 0);
        CU_ASSERT_FATAL(begins[i](pool, wait_for_word, mproc_source_args, &source, NULL, &it) == 0);
        CU_ASSERT(mproc_iterator_next(it, &value, MPROC_NOWAIT) == MPROC_ETIMEDOUT);
        CU_ASSERT(mproc_iterator_next(it, &value, mproc_milliseconds(10)) == MPROC_ETIMEDOUT);
        set_word(words_of(block), 1);
        CU_ASSERT(mproc_iterator_next(it, &value, LIMIT) == 1);
        CU_ASSERT(mproc_iterator_next(it, &value, LIMIT) == 1);
        CU_ASSERT(mproc_iterator_next(it, &value, LIMIT) == 0);
        mproc_iterator_close(it);
    }
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static const testlib_case cases[] = {
    {"bounds_what_is_under_way", test_window__bounds_what_is_under_way},
    {"keeps_the_order", test_imap__keeps_the_order},
    {"hands_out_what_is_there", test_imap__hands_out_what_is_there},
    {"holds_the_source_back", test_imap__holds_the_source_back},
    {"tells_of_a_failed_source_at_the_end", test_imap__tells_of_a_failed_source_at_the_end},
    {"times_out_and_goes_on", test_imap__times_out_and_goes_on},
};
PROCESS_TEST_MAIN("service.imap_window", cases)
