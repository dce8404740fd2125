/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pool.c: pools: made, used by many, shut down, ended.
 */
#include "family/sleep.h"
#include "service/pool_test.h"

#include <stdlib.h>

static void test_pool__runs_tasks_in_its_workers(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_value result;
    CU_ASSERT_EQUAL(mproc_pool_size(pool), 2);
    CU_ASSERT_EQUAL_FATAL(mproc_pool_apply(pool, task_add, MPROC_ARGS(3, 4), &result, LIMIT),
                          MPROC_OK);
    CU_ASSERT(result.type == MPROC_INT && result.as.integer == 7);
    int64_t pid = result_of(submit(pool, task_pid, NULL));
    CU_ASSERT(pid > 0 && pid != mproc_process_pid(NULL));
    mproc_pool_close(pool);
}

static void test_pool__is_as_large_as_the_machine(void)
{
    mproc_pool *pool = make_pool(0);
    CU_ASSERT_EQUAL(mproc_pool_size(pool), mproc_cpu_count());
    mproc_pool_close(pool);
}

static void test_pool__workers_run_at_the_same_time(void)
{
    mproc_pool *pool = make_pool(3);
    mproc_block *block = make_words(2);
    mproc_future *futures[3];
    int64_t pids[3];
    for (int i = 0; i < 3; i++) {
        futures[i] = submit(pool, task_meet, MPROC_ARGS(block));
    }
    CU_ASSERT(await_word(words_of(block), 3));
    set_word(words_of(block) + 1, 1);
    for (int i = 0; i < 3; i++) {
        pids[i] = result_of(futures[i]);
    }
    CU_ASSERT(pids[0] != pids[1] && pids[1] != pids[2] && pids[0] != pids[2]);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static void test_pool__refuses_nonsense(void)
{
    mproc_pool *pool = NULL;
    CU_ASSERT_EQUAL(mproc_pool_create(NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_create(&pool, &(mproc_pool_options){.processes = -1}), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_create(&pool, &(mproc_pool_options){.processes = 100000}),
                    MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_create(&pool, &(mproc_pool_options){.n_cpus = 1}), MPROC_EINVAL);
    CU_ASSERT_EQUAL(
        mproc_pool_create(&pool, &(mproc_pool_options){.context = mproc_get_context("inline")}),
        MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(mproc_pool_shutdown(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_terminate(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_join(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_pool_size(NULL), 0);
    CU_ASSERT_EQUAL(mproc_worker_index(), -1);
    CU_ASSERT_PTR_NULL(mproc_worker_state());
    CU_ASSERT_EQUAL(mproc_worker_set_state(&pool), MPROC_ESTATE);
    CU_ASSERT_PTR_NULL(pool);
    mproc_pool_close(NULL);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void test_pool__shut_down_does_what_it_has(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    mproc_future *futures[20];
    mproc_future *late = NULL;
    for (int i = 0; i < 20; i++) {
        futures[i] = submit(pool, i < 2 ? task_meet : task_count, MPROC_ARGS(block));
    }
    CU_ASSERT_EQUAL(mproc_pool_join(pool, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_pool_shutdown(pool), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_pool_shutdown(pool), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_pool_apply_async(pool, task_pid, NULL, NULL, &late), MPROC_ECLOSED);
    CU_ASSERT_EQUAL(mproc_pool_join(pool, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(words_of(block)[0], 20);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT(result_of(futures[i]) > 0); // results are there though nobody else is
    }
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static void test_pool__terminate_ends_it_now(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    mproc_future *futures[20];
    for (int i = 0; i < 20; i++) {
        futures[i] = submit(pool, task_meet, MPROC_ARGS(block));
    }
    CU_ASSERT(await_word(words_of(block), 2));
    CU_ASSERT_EQUAL(mproc_pool_terminate(pool), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_OK);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(outcome_of(futures[i], NULL), MPROC_ECANCELLED);
    }
    CU_ASSERT_EQUAL(mproc_pool_apply(pool, task_pid, NULL, NULL, LIMIT), MPROC_ECLOSED);
    CU_ASSERT_EQUAL(words_of(block)[0], 2);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static void test_pool__close_leaves_nothing(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_block *block = make_words(2);
    mproc_pool *pool = make_pool(2);
    mproc_future *futures[10];
    for (int i = 0; i < 10; i++) {
        futures[i] = submit(pool, task_meet, MPROC_ARGS(block));
    }
    CU_ASSERT(await_word(words_of(block), 2));
    mproc_pool_close(pool);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(outcome_of(futures[i], NULL), MPROC_ECANCELLED);
    }
    mproc_block_close(block);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static int leave_pool_open(const mproc_args *args)
{
    mproc_block *block;
    mproc_future *future;
    mproc_pool *pool;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    CHILD_CHECK(mproc_pool_create(&pool, &(mproc_pool_options){.processes = 2}) == 0);
    CHILD_CHECK(mproc_pool_apply_async(pool, task_meet, MPROC_ARGS(block), NULL, &future) == 0);
    CHILD_CHECK(await_word(words_of(block), 1));
    return 7; // its end is the pool's
}

static void test_pool__ends_with_its_process(void)
{
    mproc_block *block = make_words(2);
    CU_ASSERT_EQUAL(end_of(start(leave_pool_open, MPROC_ARGS(block))), 7);
    mproc_block_close(block);
}

/* ---- from elsewhere -------------------------------------------------------------------------- */

static int give_tasks(const mproc_args *args)
{
    mproc_pool *pool;
    mproc_value result;
    CHILD_CHECK(MPROC_UNPACK(args, &pool) == 0);
    for (int i = 0; i < 100; i++) {
        CHILD_CHECK(mproc_pool_apply(pool, task_add, MPROC_ARGS(i, 1), &result, LIMIT) == 0);
        CHILD_CHECK(result.as.integer == i + 1);
    }
    return mproc_pool_size(pool);
}

static void test_pool__is_passed_to_other_processes(void)
{
    mproc_pool *pool = make_pool(2);
    // Beside the supervisor's thread nobody holds a lock that a copy wants.
    mproc_process *clients[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = start_with(give_tasks, MPROC_ARGS(pool), &with_threads);
    }
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(end_of(clients[i]), 2);
    }
    mproc_pool_close(pool);
}

static int shut_down(const mproc_args *args)
{
    mproc_pool *pool;
    CHILD_CHECK(MPROC_UNPACK(args, &pool) == 0);
    CHILD_CHECK(mproc_pool_shutdown(pool) == 0);
    CHILD_CHECK(mproc_pool_join(pool, LIMIT) == 0);
    return 0;
}

static void test_pool__is_shut_down_from_elsewhere(void)
{
    mproc_pool *pool = make_pool(1);
    CU_ASSERT_EQUAL(end_of(start_with(shut_down, MPROC_ARGS(pool), &with_threads)), 0);
    CU_ASSERT_EQUAL(mproc_pool_apply(pool, task_pid, NULL, NULL, LIMIT), MPROC_ECLOSED);
    mproc_pool_close(pool);
}

/** The sum of 1 to n, by tasks of the same pool. */
static int task_sum(const mproc_args *args, mproc_value *result)
{
    mproc_pool *pool;
    int64_t n;
    int rc = MPROC_UNPACK(args, &pool, &n);
    int64_t sum = n;
    mproc_value rest;
    if (rc >= 0 && n > 1) {
        rc = mproc_pool_apply(pool, task_sum, MPROC_ARGS(pool, n - 1), &rest, LIMIT);
        sum += rc >= 0 ? rest.as.integer : 0;
    }
    *result = MPROC_VALUE(sum);
    return rc;
}

static void test_pool__is_used_by_its_own_workers(void)
{
    for (int n = 1; n <= 2; n++) {
        mproc_pool *pool = make_pool(n);
        CU_ASSERT_EQUAL(result_of(submit(pool, task_sum, MPROC_ARGS(pool, 20))), 210);
        mproc_pool_close(pool);
    }
}

static int task_join(const mproc_args *args, mproc_value *result)
{
    mproc_pool *pool;
    int rc = MPROC_UNPACK(args, &pool);
    rc = rc < 0 ? rc : mproc_pool_shutdown(pool);
    *result = MPROC_VALUE(rc < 0 ? rc : mproc_pool_join(pool, LIMIT));
    return MPROC_OK;
}

static void test_pool__worker_does_not_wait_for_itself(void)
{
    mproc_pool *pool = make_pool(1);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_join, MPROC_ARGS(pool))), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_OK);
    mproc_pool_close(pool);
}

/** A pool of its own in a worker. */
static int task_nest(const mproc_args *args, mproc_value *result)
{
    mproc_pool *pool = NULL;
    mproc_value inner = {0};
    int64_t n;
    int rc = MPROC_UNPACK(args, &n);
    rc = rc < 0 ? rc : mproc_pool_create(&pool, &(mproc_pool_options){.processes = 2});
    rc = rc < 0 ? rc : mproc_pool_apply(pool, task_add, MPROC_ARGS(n, n), &inner, LIMIT);
    *result = MPROC_VALUE(inner.as.integer);
    mproc_pool_close(pool);
    return rc;
}

/** A task of the same pool, with a time limit, in a task. */
static int task_wait_for_timed(const mproc_args *args, mproc_value *result)
{
    const mproc_task_options options = {.timeout = LIMIT};
    mproc_pool *pool;
    mproc_future *future = NULL;
    mproc_value inner = {0};
    int rc = MPROC_UNPACK(args, &pool);
    rc = rc < 0 ? rc : mproc_pool_apply_async(pool, task_add, MPROC_ARGS(20, 1), &options, &future);
    rc = rc < 0 ? rc : mproc_future_get(future, &inner, MPROC_FOREVER);
    *result = MPROC_VALUE(2 * inner.as.integer);
    mproc_future_close(future);
    return rc;
}

/** Nobody else could run it. */
static void test_pool__one_worker_waits_for_a_timed_task(void)
{
    mproc_pool *pool = make_pool(1);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_wait_for_timed, MPROC_ARGS(pool))), 42);
    mproc_pool_close(pool);
}

static void test_pool__has_pools_inside(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_future *a = submit(pool, task_nest, MPROC_ARGS(5));
    mproc_future *b = submit(pool, task_nest, MPROC_ARGS(6));
    CU_ASSERT_EQUAL(result_of(a), 10);
    CU_ASSERT_EQUAL(result_of(b), 12);
    mproc_pool_close(pool);
}

/* ---- what workers know ----------------------------------------------------------------------- */

static mproc_block *tally; /* the worker's: word 0 initialized, 1 finalized */

static int initialize(const mproc_args *args)
{
    mproc_block *block;
    int rc = MPROC_UNPACK(args, &block);
    if (rc < 0 || (rc = mproc_block_attach(&tally, block)) < 0) {
        return rc;
    }
    add_word(words_of(tally));
    return mproc_worker_set_state(&tally);
}

static void finalize(void)
{
    add_word(words_of(tally) + 1);
    mproc_block_close(tally);
}

static int task_place(const mproc_args *args, mproc_value *result)
{
    (void)args;
    bool is_right = mproc_worker_state() == &tally && mproc_worker_index() >= 0;
    char expected[40];
    (void)snprintf(expected, sizeof(expected), "Sam-%d", mproc_worker_index() + 1);
    is_right = is_right && strcmp(expected, mproc_process_name(NULL)) == 0;
    *result = MPROC_VALUE(is_right ? mproc_worker_index() : -1);
    return MPROC_OK;
}

static void test_pool__workers_have_state_and_place(void)
{
    mproc_block *block = make_words(2);
    mproc_pool *pool = make_pool_with((mproc_pool_options){.initializer = initialize,
                                                           .initargs = MPROC_ARGS(block),
                                                           .finalizer = finalize,
                                                           .name = "Sam"},
                                      2);
    for (int i = 0; i < 10; i++) {
        int64_t place = result_of(submit(pool, task_place, NULL));
        CU_ASSERT(place >= 0 && place < 2);
    }
    CU_ASSERT(await_word(words_of(block), 2));
    CU_ASSERT_EQUAL(mproc_pool_shutdown(pool), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(words_of(block)[0], 2);
    CU_ASSERT_EQUAL(words_of(block)[1], 2);
    mproc_pool_close(pool);
    mproc_block_close(block);
}

/* ---- threads --------------------------------------------------------------------------------- */

static int task_thread(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int rc = MPROC_UNPACK(args, &block);
    if (rc >= 0) {
        add_word(words_of(block));
        (void)await_word(words_of(block) + 1, 1);
        *result = MPROC_VALUE(mproc_worker_index());
    }
    return rc;
}

static void test_pool__of_threads(void)
{
    mproc_pool *pool = NULL;
    mproc_block *block = make_words(2);
    CU_ASSERT_EQUAL_FATAL(mproc_thread_pool_create(&pool, &(mproc_pool_options){.processes = 2}),
                          MPROC_OK);
    mproc_future *a = submit(pool, task_thread, MPROC_ARGS(block));
    mproc_future *b = submit(pool, task_thread, MPROC_ARGS(block));
    CU_ASSERT(await_word(words_of(block), 2));
    CU_ASSERT_EQUAL(mproc_future_cancel(a, true), MPROC_ENOTSUP);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_EQUAL(result_of(a) + result_of(b), 1);
    CU_ASSERT_EQUAL(mproc_worker_index(), -1);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_pid, NULL)), mproc_process_pid(NULL));
    mproc_future *late = NULL;
    CU_ASSERT_EQUAL(mproc_pool_apply_async(pool, task_pid, NULL,
                                           &(mproc_task_options){.timeout = 1000000}, &late),
                    MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_sum, MPROC_ARGS(pool, 10))), 55);
    CU_ASSERT_EQUAL(mproc_pool_shutdown(pool), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_OK);
    mproc_pool_close(pool);
    mproc_block_close(block);
}

static void test_pool__of_threads_is_terminated(void)
{
    mproc_pool *pool = NULL;
    mproc_block *block = make_words(2);
    CU_ASSERT_EQUAL_FATAL(mproc_thread_pool_create(&pool, &(mproc_pool_options){.processes = 1}),
                          MPROC_OK);
    mproc_future *running = submit(pool, task_thread, MPROC_ARGS(block));
    mproc_future *waiting = submit(pool, task_thread, MPROC_ARGS(block));
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_pool_terminate(pool), MPROC_OK);
    CU_ASSERT_EQUAL(outcome_of(waiting, NULL), MPROC_ECANCELLED);
    set_word(words_of(block) + 1, 1);
    CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_OK);
    int rc = outcome_of(running, NULL);
    CU_ASSERT(rc == MPROC_OK || rc == MPROC_ECANCELLED);
    mproc_pool_close(pool);
    mproc_block_close(block);
}

/* Workers who expect short tasks, which nobody is woken for, find two that wait for each other. */
static void test_pool__of_threads_has_long_tasks_among_short_ones(void)
{
    enum { ROUNDS = 200, SHORT = 40 };
    mproc_future *futures[SHORT];
    mproc_pool *pool = NULL;
    int64_t slice = mproc__slice_ns;
    mproc__slice_ns = INT64_MAX / 4; // nothing rests on slices as long as nobody dies
    CU_ASSERT_EQUAL_FATAL(mproc_thread_pool_create(&pool, &(mproc_pool_options){.processes = 2}),
                          MPROC_OK);
    for (int round = 0; round < ROUNDS; round++) {
        mproc_block *block = make_words(2);
        for (int i = 0; i < SHORT; i++) {
            futures[i] = submit(pool, task_add, MPROC_ARGS(i, round));
        }
        for (int i = 0; i < SHORT && round % 2 == 0; i++) {
            CU_ASSERT(mproc_future_wait(futures[i], LIMIT) == MPROC_OK);
        }
        mproc_future *a = submit(pool, task_thread, MPROC_ARGS(block));
        mproc_future *b = submit(pool, task_thread, MPROC_ARGS(block));
        CU_ASSERT(await_word(words_of(block), 2)); // both run, though we wait for neither
        set_word(words_of(block) + 1, 1);
        for (int i = 0; i < SHORT; i++) {
            CU_ASSERT_EQUAL(result_of(futures[i]), i + round);
        }
        (void)result_of(a);
        (void)result_of(b);
        mproc_block_close(block);
    }
    mproc_pool_close(pool);
    mproc__slice_ns = slice;
}

static const testlib_case cases[] = {
    {"runs_tasks_in_its_workers", test_pool__runs_tasks_in_its_workers},
    {"is_as_large_as_the_machine", test_pool__is_as_large_as_the_machine},
    {"workers_run_at_the_same_time", test_pool__workers_run_at_the_same_time},
    {"refuses_nonsense", test_pool__refuses_nonsense},
    {"shut_down_does_what_it_has", test_pool__shut_down_does_what_it_has},
    {"terminate_ends_it_now", test_pool__terminate_ends_it_now},
    {"close_leaves_nothing", test_pool__close_leaves_nothing},
    {"ends_with_its_process", test_pool__ends_with_its_process},
    {"is_passed_to_other_processes", test_pool__is_passed_to_other_processes},
    {"is_shut_down_from_elsewhere", test_pool__is_shut_down_from_elsewhere},
    {"is_used_by_its_own_workers", test_pool__is_used_by_its_own_workers},
    {"worker_does_not_wait_for_itself", test_pool__worker_does_not_wait_for_itself},
    {"one_worker_waits_for_a_timed_task", test_pool__one_worker_waits_for_a_timed_task},
    {"has_pools_inside", test_pool__has_pools_inside},
    {"workers_have_state_and_place", test_pool__workers_have_state_and_place},
    {"of_threads", test_pool__of_threads},
    {"of_threads_is_terminated", test_pool__of_threads_is_terminated},
    {"of_threads_has_long_tasks_among_short_ones",
     test_pool__of_threads_has_long_tasks_among_short_ones},
};
PROCESS_TEST_MAIN("service.pool", cases)
