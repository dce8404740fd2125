/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_map_async.c: maps that nobody waits for: futures that are made of several tasks.
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

/** The end of the worker for 50; an error for every seventh. */
static int stumble(const mproc_args *args, mproc_value *result)
{
    int64_t x;
    int rc = MPROC_UNPACK(args, &x);
    if (rc >= 0 && x == 50) {
        exit(3);
    }
    if (rc >= 0 && x % 7 == 3) {
        return mproc__fail(MPROC_ERANGE, "item %d is refused", (int)x);
    }
    *result = MPROC_VALUE(x);
    return rc;
}

/** As task_meet for (block, 0), as task_count for (block, 1). */
static int meet_or_count(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int64_t is_count;
    int rc = MPROC_UNPACK(args, &block, &is_count);
    const mproc_args first = {.count = 1, .items = args->items};
    return rc < 0 ? rc : is_count != 0 ? task_count(&first, result) : task_meet(&first, result);
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

static mproc_future *map_with(mproc_pool *pool, mproc_task_fn fn, const mproc_args *items,
                              mproc_map_options options)
{
    mproc_future *future = NULL;
    int rc = mproc_pool_map_async(pool, fn, items, &options, &future);
    if (rc < 0) {
        printf("map_async: %s ... ", mproc_last_error());
    }
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    return future;
}

/** (block, 0), and then (block, 1) n - 1 times: only the first one waits. */
static mproc_future *starmap_gate(mproc_pool *pool, mproc_block *block, size_t n, size_t chunk_size)
{
    mproc_value pairs[20][2];
    mproc_value items[20];
    const mproc_args all = {n, items};
    const mproc_map_options options = {.chunk_size = chunk_size};
    mproc_future *future = NULL;
    for (size_t i = 0; i < n; i++) {
        pairs[i][0] = MPROC_VALUE(block);
        pairs[i][1] = MPROC_VALUE((int64_t)(i > 0));
        items[i] = mproc__value_list(pairs[i], 2);
    }
    CU_ASSERT_EQUAL_FATAL(mproc_pool_starmap_async(pool, meet_or_count, &all, &options, &future),
                          MPROC_OK);
    return future;
}

static bool are_cubes(const mproc_value *list, size_t n)
{
    bool are = list->type == MPROC_LIST && list->as.list.count == n;
    for (size_t i = 0; are && i < n; i++) {
        const mproc_value *item = &list->as.list.items[i];
        are = item->type == MPROC_INT && item->as.integer == (int64_t)(i * i * i) &&
              item->owned == NULL;
    }
    return are;
}

/* ---- results --------------------------------------------------------------------------------- */

static void test_map_async__gives_a_list(void)
{
    static const size_t chunk_sizes[] = {0, 1, 7, N, 5 * N};
    mproc_pool *pool = make_pool(2);
    mproc_value *items = make_integers(N);
    const mproc_args all = {N, items};
    for (size_t i = 0; i < MPROC__COUNT(chunk_sizes); i++) {
        mproc_value first = {0}, second = {0};
        mproc_future *future =
            map_with(pool, cube, &all, (mproc_map_options){.chunk_size = chunk_sizes[i]});
        CU_ASSERT_EQUAL(mproc_future_get(future, &first, LIMIT), MPROC_OK);
        CU_ASSERT(mproc_future_ready(future));
        CU_ASSERT_EQUAL(mproc_future_successful(future), 1);
        CU_ASSERT(are_cubes(&first, N));
        mproc_value_clear(&first);
        CU_ASSERT_EQUAL(mproc_future_get(future, NULL, LIMIT), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_future_get(future, &second, MPROC_NOWAIT), MPROC_OK); // once more
        mproc_future_close(future);
        CU_ASSERT(are_cubes(&second, N)); // and it lasts
        mproc_value_clear(&second);
    }
    free(items);
    mproc_pool_close(pool);
}

/** Whatever the results own is the list's. */
static int repeat(const mproc_args *args, mproc_value *result)
{
    *result = MPROC_LIST(args->items[0], args->items[0]);
    return mproc_value_copy(result, result);
}

static void test_map_async__gives_values_of_all_kinds(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(1);
    for (size_t chunk_size = 1; chunk_size < 8; chunk_size += 3) {
        mproc_value list = {0};
        mproc_future *future = map_with(
            pool, repeat, MPROC_ARGS("one", 2, MPROC_LIST("three", 3.5), block, "five", block, 7),
            (mproc_map_options){.chunk_size = chunk_size});
        CU_ASSERT_EQUAL(mproc_future_get(future, &list, LIMIT), MPROC_OK);
        mproc_future_close(future);
        const mproc_value expected =
            MPROC_LIST(MPROC_LIST("one", "one"), MPROC_LIST(2, 2),
                       MPROC_LIST(MPROC_LIST("three", 3.5), MPROC_LIST("three", 3.5)),
                       MPROC_LIST(block, block), MPROC_LIST("five", "five"),
                       MPROC_LIST(block, block), MPROC_LIST(7, 7));
        CU_ASSERT(mproc_value_equal(&list, &expected));
        mproc_value_clear(&list);
    }
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static void test_map_async__of_nothing(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_future *future = map_with(pool, cube, NULL, (mproc_map_options){0});
    mproc_value list = {0};
    int status = 0;
    CU_ASSERT(mproc_future_ready(future));
    CU_ASSERT_EQUAL(mproc_future_get(future, &list, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT(are_cubes(&list, 0));
    CU_ASSERT_EQUAL(mproc_future_cancel(future, true), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_futures_wait(&future, 1, MPROC_ALL_COMPLETED, NULL, MPROC_NOWAIT), 1);
    mproc_value_clear(&list);
    mproc_future_close(future);
    CU_ASSERT_EQUAL(mproc_pool_map_async(NULL, cube, NULL, NULL, &future), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_map_async(pool, NULL, NULL, NULL, &future), MPROC_EINVAL);
    CU_ASSERT_EQUAL(
        mproc_pool_map_async(pool, cube, NULL, &(mproc_map_options){.progress = 1}, &future),
        MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(
        mproc_pool_map_async(pool, cube, NULL, &(mproc_map_options){.statuses = &status}, &future),
        MPROC_ENOTSUP);
    mproc_pool_close(pool);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void test_map_async__has_the_first_error(void)
{
    static const size_t chunk_sizes[] = {0, 1, 13};
    mproc_pool *pool = make_pool(2);
    mproc_value *items = make_integers(100);
    const mproc_args all = {100, items};
    for (size_t i = 0; i < MPROC__COUNT(chunk_sizes); i++) {
        mproc_map_options options = {.chunk_size = chunk_sizes[i]};
        mproc_value result = MPROC_VALUE(7);
        mproc_future *future = map_with(pool, stumble, &all, options);
        CU_ASSERT_EQUAL(mproc_future_get(future, &result, LIMIT), MPROC_ERANGE);
        CU_ASSERT_STRING_EQUAL(mproc_last_error(), "item 3 is refused");
        CU_ASSERT_EQUAL(result.as.integer, 7);
        CU_ASSERT_EQUAL(mproc_future_successful(future), 0);
        mproc_future_close(future);
        options.name = "stumbler";
        future = map_with(pool, stumble, MPROC_ARGS(1, 50, 3), options);
        CU_ASSERT_EQUAL(mproc_future_get(future, NULL, LIMIT), MPROC_EWORKERDIED);
        CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "stumbler"));
        mproc_future_close(future);
        CU_ASSERT_EQUAL(mproc_pool_starmap_async(pool, task_add,
                                                 MPROC_ARGS(MPROC_LIST(1, 2), 3, MPROC_LIST(4, 5)),
                                                 &options, &future),
                        MPROC_OK);
        CU_ASSERT_EQUAL(mproc_future_get(future, NULL, LIMIT), MPROC_ETYPE);
        mproc_future_close(future);
    }
    free(items);
    mproc_pool_close(pool);
}

/** It is not ready before all items are, whatever has failed. */
static void test_map_async__ends_when_all_have(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    mproc_value result = {0};
    mproc_future *future = starmap_gate(pool, block, 5, 1);
    CU_ASSERT(await_word(words_of(block), 5));
    CU_ASSERT(!mproc_future_ready(future));
    CU_ASSERT_EQUAL(mproc_future_successful(future), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_future_get(future, &result, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_future_wait(future, BRIEF), MPROC_ETIMEDOUT);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_EQUAL(mproc_future_wait(future, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_future_get(future, &result, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(result.as.list.count, 5);
    mproc_value_clear(&result);
    mproc_future_close(future);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/* ---- the end of it --------------------------------------------------------------------------- */

static void test_map_async__is_cancelled(void)
{
    for (int i = 0; i < 4; i++) {
        const size_t chunk_size = i % 2 == 0 ? 1 : 3;
        const bool kill = i >= 2;
        mproc_pool *pool = make_pool(1);
        mproc_block *block = make_words(2);
        mproc_future *future = starmap_gate(pool, block, 9, chunk_size);
        CU_ASSERT(await_word(words_of(block), 1));
        CU_ASSERT_EQUAL(mproc_future_cancel(future, kill), MPROC_OK);
        if (!kill) {
            CU_ASSERT_EQUAL(mproc_future_wait(future, BRIEF), MPROC_ETIMEDOUT); // one runs
            CU_ASSERT_EQUAL(mproc_future_cancel(future, false), MPROC_ESTATE);
            set_word(words_of(block) + 1, 1);
        }
        CU_ASSERT_EQUAL(mproc_future_get(future, NULL, LIMIT), MPROC_ECANCELLED);
        CU_ASSERT_EQUAL(mproc_future_cancel(future, kill), MPROC_ESTATE);
        mproc_future_close(future);
        CU_ASSERT_EQUAL(result_of(submit(pool, task_add, MPROC_ARGS(1, 2))), 3);
        uint32_t n_begun = words_of(block)[0];
        if (n_begun != (kill ? 1 : chunk_size)) {
            printf("%d: %u items were begun ... ", i, n_begun);
        }
        CU_ASSERT_EQUAL(n_begun, kill ? 1 : chunk_size);
        mproc_block_close(block);
        mproc_pool_close(pool);
    }
}

/** The items are run all the same, also those behind one that was running. */
static void test_map_async__is_given_up(void)
{
    mproc_pool *pool = make_pool(1);
    for (size_t chunk_size = 1; chunk_size <= 4; chunk_size += 3) {
        mproc_block *block = make_words(2);
        mproc_future *future = starmap_gate(pool, block, 12, chunk_size);
        CU_ASSERT(await_word(words_of(block), 1));
        mproc_future_close(future);
        set_word(words_of(block) + 1, 1);
        CU_ASSERT(await_word(words_of(block), 12));
        CU_ASSERT_EQUAL(
            mproc_pool_map_async(pool, task_count, MPROC_ARGS(block, block, block), NULL, NULL),
            MPROC_OK);
        CU_ASSERT(await_word(words_of(block), 15));
        mproc_block_close(block);
    }
    mproc_pool_close(pool);
}

static void test_map_async__outlives_the_pool(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    mproc_future *future = starmap_gate(pool, block, 12, 3);
    mproc_future *refused = NULL;
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_pool_terminate(pool), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_future_get(future, NULL, LIMIT), MPROC_ECANCELLED);
    CU_ASSERT_EQUAL(mproc_future_successful(future), 0);
    CU_ASSERT_EQUAL(mproc_pool_map_async(pool, cube, MPROC_ARGS(1, 2), NULL, &refused),
                    MPROC_ECLOSED);
    CU_ASSERT_PTR_NULL(refused);
    mproc_pool_close(pool);
    CU_ASSERT_EQUAL(mproc_future_get(future, NULL, LIMIT), MPROC_ECANCELLED);
    mproc_future_close(future);
    mproc_block_close(block);
}

/** What fails in the midst has submitted nothing. */
static void test_map_async__is_submitted_or_not(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    mproc_future *gate = submit(pool, task_meet, MPROC_ARGS(block));
    mproc_future *future = NULL;
    const mproc_value nobody = {.type = (mproc_type)77};
    CU_ASSERT(await_word(words_of(block), 1));
    for (size_t chunk_size = 1; chunk_size < 4; chunk_size++) {
        const mproc_map_options options = {.chunk_size = chunk_size};
        CU_ASSERT_EQUAL(mproc_pool_map_async(pool, task_count,
                                             MPROC_ARGS(block, block, block, block, nobody),
                                             &options, &future),
                        MPROC_EINVAL);
        CU_ASSERT_PTR_NULL(future);
    }
    set_word(words_of(block) + 1, 1);
    (void)result_of(gate);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_add, MPROC_ARGS(1, 2))), 3);
    CU_ASSERT_EQUAL(words_of(block)[0], 1);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/* ---- among others ---------------------------------------------------------------------------- */

static void test_map_async__is_waited_for_with_others(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    mproc_value *items = make_integers(N);
    const mproc_args all = {N, items};
    mproc_future *futures[4];
    bool ready[4];
    futures[0] = starmap_gate(pool, block, 3, 1);
    CU_ASSERT(await_word(words_of(block), 1));
    futures[1] = map_with(pool, cube, &all, (mproc_map_options){.chunk_size = 10});
    futures[2] = submit(pool, task_add, MPROC_ARGS(1, 2));
    CU_ASSERT(mproc_futures_wait(futures, 3, MPROC_FIRST_COMPLETED, ready, LIMIT) >= 1);
    CU_ASSERT(!ready[0] && (ready[1] || ready[2]));
    CU_ASSERT_EQUAL(mproc_future_wait(futures[1], LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_future_wait(futures[2], LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_futures_wait(futures, 3, MPROC_FIRST_ERROR, ready, BRIEF),
                    MPROC_ETIMEDOUT);
    CU_ASSERT(!ready[0] && ready[1] && ready[2]);
    futures[3] = map_with(pool, stumble, MPROC_ARGS(1, 2, 3, 4), (mproc_map_options){0});
    CU_ASSERT_EQUAL(mproc_futures_wait(futures, 4, MPROC_FIRST_ERROR, ready, LIMIT), 3);
    CU_ASSERT(!ready[0] && ready[3]);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_EQUAL(mproc_futures_wait(futures, 4, MPROC_ALL_COMPLETED, ready, LIMIT), 4);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT(ready[i]);
        mproc_future_close(futures[i]);
    }
    free(items);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static void test_map_async__completes_in_its_turn(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    mproc_completions *completions = NULL;
    mproc_future *futures[3];
    size_t index = 9;
    futures[0] = starmap_gate(pool, block, 4, 2);
    CU_ASSERT(await_word(words_of(block), 1));
    futures[1] =
        map_with(pool, task_count, MPROC_ARGS(block, block, block), (mproc_map_options){0});
    futures[2] = submit(pool, task_count, MPROC_ARGS(block));
    CU_ASSERT_EQUAL_FATAL(mproc_completions_create(&completions, futures, 3), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_completions_next(completions, &index, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_future_cancel(futures[1], false), MPROC_OK); // all of it
    CU_ASSERT_EQUAL(mproc_completions_next(completions, &index, LIMIT), 1);
    CU_ASSERT_EQUAL(index, 1);
    CU_ASSERT_EQUAL(mproc_future_cancel(futures[0], false), MPROC_OK); // but for what runs
    CU_ASSERT_EQUAL(mproc_completions_next(completions, &index, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_EQUAL(mproc_completions_next(completions, &index, LIMIT), 1);
    CU_ASSERT_EQUAL(index, 0);
    CU_ASSERT_EQUAL(mproc_completions_next(completions, &index, LIMIT), 1);
    CU_ASSERT_EQUAL(index, 2);
    CU_ASSERT_EQUAL(mproc_completions_next(completions, &index, LIMIT), 0);
    mproc_completions_close(completions);
    for (int i = 0; i < 3; i++) {
        mproc_future_close(futures[i]);
    }
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static void note_cubes(void *arg, const mproc_value *result)
{
    CU_ASSERT(are_cubes(result, result->as.list.count));
    add_word(arg);
}

static void note_error(void *arg, int status, const char *sentence)
{
    CU_ASSERT_EQUAL(status, MPROC_ERANGE);
    CU_ASSERT_STRING_EQUAL(sentence, "item 3 is refused");
    add_word((uint32_t *)arg + 1);
}

static void test_map_async__calls_back_once(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    for (uint32_t round = 1; round <= 10; round++) {
        const mproc_map_options options = {.chunk_size = round % 3,
                                           .callback = note_cubes,
                                           .error_callback = note_error,
                                           .callback_arg = words_of(block)};
        mproc_future *future = map_with(pool, cube, MPROC_ARGS(0, 1, 2, 3), options);
        mproc_future *failing = map_with(pool, stumble, MPROC_ARGS(1, 2, 3, 10), options);
        CU_ASSERT_EQUAL(mproc_pool_map_async(pool, cube, NULL, &options, NULL), MPROC_OK);
        // Others may wait for the same.
        CU_ASSERT_EQUAL(mproc_futures_wait(&future, 1, MPROC_ALL_COMPLETED, NULL, LIMIT), 1);
        CU_ASSERT_EQUAL(mproc_future_get(failing, NULL, LIMIT), MPROC_ERANGE);
        mproc_future_close(future);
        mproc_future_close(failing);
        CU_ASSERT(await_word(words_of(block), 2 * round));
        CU_ASSERT(await_word(words_of(block) + 1, round));
    }
    mproc_pool_close(pool);
    CU_ASSERT_EQUAL(words_of(block)[0], 20);
    CU_ASSERT_EQUAL(words_of(block)[1], 10);
    mproc_block_close(block);
}

/* ---- deaths of others ------------------------------------------------------------------------ */

/** Gives a map, whose first item stays in the worker, and is killed. */
static int give_and_stay(const mproc_args *args)
{
    mproc_pool *pool;
    mproc_block *block;
    mproc_future *future = NULL;
    CHILD_CHECK(MPROC_UNPACK(args, &pool, &block) == 0);
    CHILD_CHECK(mproc_pool_map_async(pool, task_meet, MPROC_ARGS(block, block, block, block),
                                     &(mproc_map_options){.chunk_size = 2}, &future) == 0);
    return stay();
}

static void test_map_async__its_giver_dies(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    mproc_process *giver = start(give_and_stay, MPROC_ARGS(pool, block));
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_process_kill(giver), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(giver), CODE_KILLED);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT(await_word(words_of(block), 2)); // what was begun runs to its end
    CU_ASSERT_EQUAL(result_of(submit(pool, task_add, MPROC_ARGS(1, 2))), 3);
    CU_ASSERT_EQUAL(mproc_pool_shutdown(pool), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_OK);
    mproc_pool_close(pool);
    mproc_block_close(block);
}

/** Makes a pool for others, and is killed. */
static int own(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_pool *pool;
    CHILD_CHECK(MPROC_UNPACK(args, &queue) == 0);
    CHILD_CHECK(mproc_pool_create(&pool, &(mproc_pool_options){.processes = 1}) == 0);
    CHILD_CHECK(mproc_queue_put(queue, mproc_value_pool(pool), LIMIT) == 0);
    return stay();
}

static void note_orphan(void *arg, int status, const char *sentence)
{
    CU_ASSERT_EQUAL(status, MPROC_EPEER);
    CU_ASSERT_PTR_NOT_NULL(strstr(sentence, "gone"));
    add_word(arg);
}

static void test_map_async__the_owner_dies(void)
{
    mproc_queue *queue = NULL;
    mproc_block *block = make_words(3);
    mproc_value value = {0};
    mproc_pool *pool;
    mproc_future *futures[3];
    const mproc_map_options options = {.error_callback = note_orphan,
                                       .callback_arg = words_of(block) + 2};
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    mproc_process *owner = start(own, MPROC_ARGS(queue));
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &value, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(
        mproc_pool_attach(&pool, MPROC__CONTAINER(value.as.object, mproc_pool, object)), MPROC_OK);
    mproc_value_clear(&value);
    futures[0] = starmap_gate(pool, block, 6, 2);
    CU_ASSERT(await_word(words_of(block), 1));
    futures[1] = map_with(pool, cube, MPROC_ARGS(0, 1, 2), options);
    futures[2] = map_with(pool, cube, MPROC_ARGS(0, 1, 2), options);
    CU_ASSERT_EQUAL(mproc_process_kill(owner), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_future_get(futures[0], NULL, LIMIT), MPROC_EPEER);
    CU_ASSERT_EQUAL(mproc_futures_wait(futures, 3, MPROC_ALL_COMPLETED, NULL, LIMIT), MPROC_EPEER);
    CU_ASSERT(await_word(words_of(block) + 2, 2));
    CU_ASSERT_EQUAL(end_of(owner), CODE_KILLED);
    for (int i = 0; i < 3; i++) {
        mproc_future_close(futures[i]);
    }
    mproc_pool_close(pool);
    mproc_queue_close(queue);
    mproc_block_close(block);
}

/* ---- by workers and threads ------------------------------------------------------------------ */

/** A map over the worker's own pool, waited for in one of three ways. */
static int map_inside(const mproc_args *args, mproc_value *result)
{
    mproc_pool *pool;
    int64_t way;
    mproc_future *future = NULL;
    mproc_completions *walk = NULL;
    mproc_value cubes = {0};
    size_t index;
    int rc = MPROC_UNPACK(args, &pool, &way);
    if (rc >= 0) {
        rc = mproc_pool_map_async(pool, cube, MPROC_ARGS(0, 1, 2, 3),
                                  &(mproc_map_options){.chunk_size = 1}, &future);
    }
    if (rc >= 0 && way == 1) {
        rc = mproc_futures_wait(&future, 1, MPROC_ALL_COMPLETED, NULL, LIMIT);
    } else if (rc >= 0 && way == 2) {
        rc = mproc_completions_create(&walk, &future, 1);
        rc = rc < 0 ? rc : mproc_completions_next(walk, &index, LIMIT);
        mproc_completions_close(walk);
    }
    rc = rc < 0 ? rc : mproc_future_get(future, &cubes, LIMIT);
    *result = MPROC_VALUE((bool)(rc >= 0 && are_cubes(&cubes, 4)));
    mproc_value_clear(&cubes);
    mproc_future_close(future);
    return rc < 0 ? rc : MPROC_OK;
}

static void test_map_async__in_its_own_workers(void)
{
    for (int n_workers = 1; n_workers <= 2; n_workers++) {
        mproc_pool *pool = make_pool(n_workers);
        mproc_value results[6];
        int rc = mproc_pool_starmap(pool, map_inside,
                                    MPROC_ARGS(MPROC_LIST(pool, 0), MPROC_LIST(pool, 1),
                                               MPROC_LIST(pool, 2), MPROC_LIST(pool, 0),
                                               MPROC_LIST(pool, 1), MPROC_LIST(pool, 2)),
                                    results, NULL, LIMIT);
        CU_ASSERT_EQUAL(rc, 0);
        for (int i = 0; i < 6; i++) {
            CU_ASSERT(results[i].type == MPROC_BOOL && results[i].as.boolean);
        }
        mproc_pool_close(pool);
    }
}

struct asker {
    mproc_future *future;
    mplat_thread *thread;
    bool is_right;
};

/** In a thread: all that is asked of a future, until it has ended. */
static void ask(void *arg)
{
    struct asker *asker = arg;
    mproc_value cubes = {0};
    while (!mproc_future_ready(asker->future)) {
        (void)mproc_future_wait(asker->future, mproc_milliseconds(1));
    }
    asker->is_right = mproc_future_successful(asker->future) == 1 &&
                      mproc_future_get(asker->future, &cubes, LIMIT) == MPROC_OK &&
                      are_cubes(&cubes, N);
    mproc_value_clear(&cubes);
}

static void test_map_async__of_several_threads(void)
{
    mproc_pool *pool = NULL;
    mproc_value *items = make_integers(N);
    const mproc_args all = {N, items};
    mproc_block *block = make_words(2);
    CU_ASSERT_EQUAL_FATAL(mproc_thread_pool_create(&pool, &(mproc_pool_options){.processes = 2}),
                          0);
    for (int i = 0; i < 5; i++) {
        mproc_future *future =
            map_with(pool, cube, &all,
                     (mproc_map_options){
                         .chunk_size = 5, .callback = note_cubes, .callback_arg = words_of(block)});
        struct asker askers[2] = {{.future = future}, {.future = future}};
        for (int k = 0; k < 2; k++) {
            CU_ASSERT_EQUAL_FATAL(mplat_thread_start(ask, &askers[k], &askers[k].thread), 0);
        }
        CU_ASSERT_EQUAL(mproc_futures_wait(&future, 1, MPROC_ALL_COMPLETED, NULL, LIMIT), 1);
        for (int k = 0; k < 2; k++) {
            mplat_thread_join(askers[k].thread);
            CU_ASSERT(askers[k].is_right);
        }
        mproc_future_close(future);
    }
    CU_ASSERT(await_word(words_of(block), 5));
    free(items);
    mproc_pool_close(pool);
    mproc_block_close(block);
}

static uint64_t count_blocks(void)
{
    mproc_arena_stats stats;
    CU_ASSERT_EQUAL_FATAL(mproc_arena_get_stats(&stats), MPROC_OK);
    return stats.live_blocks;
}

static void test_map_async__leaves_nothing(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_value *items = make_integers(N);
    const mproc_args all = {N, items};
    mproc_value result;
    uint64_t before = 0;
    for (size_t i = 0; i < 12; i++) {
        before = i == 2 ? count_blocks() : before; // by then the pool has its room
        mproc_future *future =
            map_with(pool, cube, &all, (mproc_map_options){.chunk_size = 1 + i % 2 * 20});
        if (i % 3 == 0) {
            (void)mproc_future_cancel(future, false);
        }
        int rc = mproc_future_get(future, &result, LIMIT);
        CU_ASSERT(rc == MPROC_OK || rc == MPROC_ECANCELLED);
        if (rc >= 0) {
            mproc_value_clear(&result);
        }
        mproc_future_close(future);
    }
    CU_ASSERT(count_blocks() <= before + 4); // the pool keeps room for more tasks
    free(items);
    mproc_pool_close(pool);
}

static const testlib_case cases[] = {
    {"gives_a_list", test_map_async__gives_a_list},
    {"gives_values_of_all_kinds", test_map_async__gives_values_of_all_kinds},
    {"of_nothing", test_map_async__of_nothing},
    {"has_the_first_error", test_map_async__has_the_first_error},
    {"ends_when_all_have", test_map_async__ends_when_all_have},
    {"is_cancelled", test_map_async__is_cancelled},
    {"is_given_up", test_map_async__is_given_up},
    {"outlives_the_pool", test_map_async__outlives_the_pool},
    {"is_submitted_or_not", test_map_async__is_submitted_or_not},
    {"is_waited_for_with_others", test_map_async__is_waited_for_with_others},
    {"completes_in_its_turn", test_map_async__completes_in_its_turn},
    {"calls_back_once", test_map_async__calls_back_once},
    {"its_giver_dies", test_map_async__its_giver_dies},
    {"the_owner_dies", test_map_async__the_owner_dies},
    {"in_its_own_workers", test_map_async__in_its_own_workers},
    {"of_several_threads", test_map_async__of_several_threads},
    {"leaves_nothing", test_map_async__leaves_nothing},
};

PROCESS_TEST_MAIN("service.map_async", cases)
