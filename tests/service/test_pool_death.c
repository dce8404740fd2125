/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pool_death.c: workers that die, are killed for a task, or never come to one; clients and owners that die.
 */
#include "service/pool_test.h"

#include <stdlib.h>
#include <string.h>

/** Wait until the pool's only worker is another process than `pid`; which one. */
static int64_t await_successor(mproc_pool *pool, int64_t pid)
{
    int64_t now = result_of(submit(pool, task_pid, NULL));
    CU_ASSERT(now != pid);
    return now;
}

/* ---- in a task ------------------------------------------------------------------------------- */

static void test_death__costs_the_task_alone(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    mproc_future *good[20];
    mproc_future *bad[4];
    for (int i = 0; i < 20; i++) {
        if (i % 5 == 0) {
            bad[i / 5] = submit_with(pool, task_exit, MPROC_ARGS(block, 3 + i),
                                     (mproc_task_options){.name = "leaver"});
        }
        good[i] = submit(pool, task_add, MPROC_ARGS(i, 1));
    }
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(result_of(good[i]), i + 1);
    }
    for (int i = 0; i < 4; i++) {
        char code[40];
        (void)snprintf(code, sizeof(code), "%d", 3 + 5 * i);
        CU_ASSERT_EQUAL(mproc_future_get(bad[i], NULL, LIMIT), MPROC_EWORKERDIED);
        CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), code));
        CU_ASSERT_EQUAL(mproc_future_successful(bad[i]), 0);
        mproc_future_close(bad[i]);
    }
    CU_ASSERT_EQUAL(words_of(block)[0], 4);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static int task_crash(const mproc_args *args, mproc_value *result)
{
    (void)args;
    (void)result;
    abort();
}

static void test_death__by_a_crash(void)
{
    mproc_pool *pool = make_pool(1);
    int64_t before = result_of(submit(pool, task_pid, NULL));
    mproc_future *future =
        submit_with(pool, task_crash, NULL, (mproc_task_options){.name = "bang"});
    CU_ASSERT_EQUAL(mproc_future_get(future, NULL, LIMIT), MPROC_EWORKERDIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "bang"));
    mproc_future_close(future);
    (void)await_successor(pool, before);
    mproc_pool_close(pool);
}

/** Kill who runs the test's task. */
static void kill_pid(int64_t pid)
{
    const mplat_identity who = {.pid = pid};
    CU_ASSERT_EQUAL(mplat_process_signal(&who, MPLAT_KILL), MPROC_OK);
}

static int task_tell_and_stay(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int rc = MPROC_UNPACK(args, &block);
    if (rc >= 0) {
        words_of(block)[1] = (uint32_t)mproc_process_pid(NULL);
        add_word(words_of(block));
        (void)await_word(words_of(block) + 2, 1);
        *result = MPROC_VALUE(1);
    }
    return rc;
}

static void test_death__by_a_kill(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(3);
    mproc_future *future = submit(pool, task_tell_and_stay, MPROC_ARGS(block));
    mproc_future *next = submit(pool, task_add, MPROC_ARGS(1, 2));
    CU_ASSERT(await_word(words_of(block), 1));
    kill_pid(words_of(block)[1]);
    CU_ASSERT_EQUAL(outcome_of(future, NULL), MPROC_EWORKERDIED);
    CU_ASSERT_EQUAL(result_of(next), 3);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/** Nobody has begun what waits for a worker that is killed between tasks. */
static void test_death__of_an_idle_worker(void)
{
    mproc_pool *pool = make_pool(1);
    for (int i = 0; i < 3; i++) {
        int64_t pid = result_of(submit(pool, task_pid, NULL));
        kill_pid(pid);
        (void)await_successor(pool, pid);
    }
    mproc_pool_close(pool);
}

/* ---- once more ------------------------------------------------------------------------------- */

/** Exits unless it is the n-th attempt. */
static int task_exit_before(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    uint32_t n;
    int rc = MPROC_UNPACK(args, &block, &n);
    if (rc >= 0) {
        add_word(words_of(block));
        if (words_of(block)[0] < n) {
            exit(1);
        }
        *result = MPROC_VALUE(words_of(block)[0]);
    }
    return rc;
}

static void test_death__is_followed_by_a_retry(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    const mproc_task_options twice = {.retries = 2};
    CU_ASSERT_EQUAL(
        result_of(submit_with(pool, task_exit_before, MPROC_ARGS(block, (uint32_t)3), twice)), 3);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/** A task that kills every worker is given up after its attempts, and costs nobody else. */
static void test_death__poison_is_given_up(void)
{
    mproc_pool *pool = make_pool(2);
    mproc_block *block = make_words(2);
    mproc_future *good[50];
    mproc_future *poison =
        submit_with(pool, task_exit, MPROC_ARGS(block, 9), (mproc_task_options){.retries = 2});
    for (int i = 0; i < 50; i++) {
        good[i] = submit(pool, task_add, MPROC_ARGS(i, i));
    }
    CU_ASSERT_EQUAL(outcome_of(poison, NULL), MPROC_EWORKERDIED);
    CU_ASSERT_EQUAL(words_of(block)[0], 3);
    for (int i = 0; i < 50; i++) {
        CU_ASSERT_EQUAL(result_of(good[i]), 2 * i);
    }
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/** Many of them are no reason to give up the pool: each one is reported. */
static void test_death__any_number_of_tasks(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    mproc_future *futures[15];
    for (int i = 0; i < 15; i++) {
        futures[i] = submit(pool, task_exit, MPROC_ARGS(block, 1));
    }
    for (int i = 0; i < 15; i++) {
        CU_ASSERT_EQUAL(outcome_of(futures[i], NULL), MPROC_EWORKERDIED);
    }
    CU_ASSERT_EQUAL(words_of(block)[0], 15);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_add, MPROC_ARGS(1, 1))), 2);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static int task_fail_before(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    uint32_t n;
    int rc = MPROC_UNPACK(args, &block, &n);
    if (rc >= 0) {
        add_word(words_of(block));
        *result = MPROC_VALUE(1);
        rc = words_of(block)[0] < n ? MPROC_ERANGE : MPROC_OK;
    }
    return rc;
}

static void test_death__errors_are_retried_if_asked(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(2);
    mproc_task_options options = {.retries = 3};
    const mproc_args *args = MPROC_ARGS(block, (uint32_t)3);
    CU_ASSERT_EQUAL(outcome_of(submit_with(pool, task_fail_before, args, options), NULL),
                    MPROC_ERANGE);
    CU_ASSERT_EQUAL(words_of(block)[0], 1);
    options.retry_errors = true;
    CU_ASSERT_EQUAL(result_of(submit_with(pool, task_fail_before, args, options)), 1);
    CU_ASSERT_EQUAL(words_of(block)[0], 3);
    words_of(block)[0] = 0;
    options.retry_delay = mproc_milliseconds(5);
    int64_t begin = mplat_now();
    CU_ASSERT_EQUAL(result_of(submit_with(pool, task_fail_before, args, options)), 1);
    CU_ASSERT_EQUAL(words_of(block)[0], 3);
    CU_ASSERT(mplat_now() - begin >= 2 * options.retry_delay);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/* ---- killed for a task ----------------------------------------------------------------------- */

static void test_death__by_a_timeout(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(3);
    mproc_future *slow = submit_with(pool, task_tell_and_stay, MPROC_ARGS(block),
                                     (mproc_task_options){.timeout = mproc_milliseconds(20)});
    mproc_future *next =
        submit_with(pool, task_add, MPROC_ARGS(1, 2), (mproc_task_options){.timeout = LIMIT});
    CU_ASSERT_EQUAL(outcome_of(slow, NULL), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(words_of(block)[0], 1);
    CU_ASSERT_EQUAL(result_of(next), 3);
    slow = submit_with(pool, task_tell_and_stay, MPROC_ARGS(block),
                       (mproc_task_options){.timeout = mproc_milliseconds(20), .retries = 2});
    CU_ASSERT_EQUAL(outcome_of(slow, NULL), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(words_of(block)[0], 4);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

static void test_death__by_cancel(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(3);
    mproc_future *running = submit(pool, task_tell_and_stay, MPROC_ARGS(block));
    mproc_future *waiting = submit(pool, task_count, MPROC_ARGS(block));
    mproc_future *next = submit(pool, task_add, MPROC_ARGS(1, 2));
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_future_cancel(waiting, false), MPROC_OK);
    CU_ASSERT_EQUAL(outcome_of(waiting, NULL), MPROC_ECANCELLED);
    CU_ASSERT_EQUAL(mproc_future_cancel(running, false), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_future_cancel(running, true), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_future_get(running, NULL, LIMIT), MPROC_ECANCELLED);
    CU_ASSERT_EQUAL(mproc_future_cancel(running, true), MPROC_ESTATE);
    mproc_future_close(running);
    CU_ASSERT_EQUAL(result_of(next), 3);
    CU_ASSERT_EQUAL(words_of(block)[0], 1);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

/* ---- never come to a task -------------------------------------------------------------------- */

static int initialize_badly(const mproc_args *args)
{
    mproc_block *block;
    int how;
    int rc = MPROC_UNPACK(args, &block, &how);
    if (rc < 0) {
        return rc;
    }
    add_word(words_of(block));
    if (how == 1) {
        exit(5);
    }
    if (how == 2) {
        abort();
    }
    return mproc_pool_shutdown(NULL); // MPROC_EINVAL, and a sentence
}

/** Workers that never begin: the pool gives up, and says why. */
static void test_death__in_the_initializer(void)
{
#ifdef _WIN32
    const int n_ways = 1; // a dozen processes each, which take their time there
#else
    const int n_ways = 3;
#endif
    for (int how = 0; how < n_ways; how++) {
        mproc_block *block = make_words(2);
        mproc_pool *pool = make_pool_with((mproc_pool_options){.initializer = initialize_badly,
                                                               .initargs = MPROC_ARGS(block, how)},
                                          2);
        mproc_future *future = NULL;
        int rc = mproc_pool_apply_async(pool, task_add, MPROC_ARGS(1, 2), NULL, &future);
        if (rc >= 0) {
            CU_ASSERT_EQUAL(mproc_future_get(future, NULL, LIMIT), MPROC_EBROKEN);
            mproc_future_close(future);
        }
        CU_ASSERT_EQUAL(mproc_pool_apply(pool, task_add, MPROC_ARGS(1, 2), NULL, LIMIT),
                        MPROC_EBROKEN);
        const char *word = how == 0 ? "NULL" : how == 1 ? "5" : "exit code";
        CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), word));
        CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_OK);
        CU_ASSERT(words_of(block)[0] > 2 && words_of(block)[0] <= 30);
        mproc_pool_close(pool);
        mproc_block_close(block);
    }
}

/** One that recovers is used. */
static int initialize_later(const mproc_args *args)
{
    mproc_block *block;
    int rc = MPROC_UNPACK(args, &block);
    if (rc >= 0) {
        add_word(words_of(block));
        rc = words_of(block)[0] < 5 ? MPROC_ESYSTEM : MPROC_OK;
    }
    return rc;
}

static void test_death__in_the_initializer_now_and_then(void)
{
    mproc_block *block = make_words(2);
    mproc_pool *pool = make_pool_with(
        (mproc_pool_options){.initializer = initialize_later, .initargs = MPROC_ARGS(block)}, 1);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_add, MPROC_ARGS(1, 2))), 3);
    mproc_pool_close(pool);
    mproc_block_close(block);
}

/* ---- of others ------------------------------------------------------------------------------- */

/** Gives tasks, and is killed before they are done. */
static int give_and_stay(const mproc_args *args)
{
    mproc_pool *pool;
    mproc_block *block;
    mproc_block *never;
    mproc_future *future;
    CHILD_CHECK(MPROC_UNPACK(args, &pool, &block, &never) == 0);
    for (int i = 0; i < 10; i++) {
        CHILD_CHECK(mproc_pool_apply_async(pool, task_count, MPROC_ARGS(never), NULL, &future) ==
                    0);
    }
    add_word(words_of(block) + 2);
    return stay();
}

static void test_death__of_a_client(void)
{
    mproc_pool *pool = make_pool(1);
    mproc_block *block = make_words(3);
    mproc_block *never = make_words(2);
    mproc_future *running = submit(pool, task_meet, MPROC_ARGS(block));
    CU_ASSERT(await_word(words_of(block), 1));
    mproc_process *client =
        start_with(give_and_stay, MPROC_ARGS(pool, block, never), &with_threads);
    CU_ASSERT(await_word(words_of(block) + 2, 1));
    CU_ASSERT_EQUAL(mproc_process_kill(client), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(client), CODE_KILLED);
    // Its tasks are withdrawn, or were not: none of them holds up the others.
    set_word(words_of(block) + 1, 1);
    CU_ASSERT(result_of(running) > 0);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_add, MPROC_ARGS(1, 2))), 3);
    mproc_pool_close(pool);
    mproc_block_close(block);
    mproc_block_close(never);
}

/** Makes a pool, hands it to a client by a queue, and is killed. */
static int own(const mproc_args *args)
{
    mproc_queue *queue;
    mproc_pool *pool;
    CHILD_CHECK(MPROC_UNPACK(args, &queue) == 0);
    CHILD_CHECK(mproc_pool_create(&pool, &(mproc_pool_options){.processes = 2}) == 0);
    CHILD_CHECK(mproc_queue_put(queue, mproc_value_pool(pool), LIMIT) == 0);
    return stay();
}

static void test_death__of_the_owner(void)
{
    mproc_queue *queue = NULL;
    mproc_block *block = make_words(3);
    mproc_value value = {0};
    mproc_pool *pool;
    CU_ASSERT_EQUAL_FATAL(mproc_queue_create(&queue, NULL), MPROC_OK);
    mproc_process *owner = start(own, MPROC_ARGS(queue));
    CU_ASSERT_EQUAL_FATAL(mproc_queue_get(queue, &value, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL_FATAL(
        mproc_pool_attach(&pool, MPROC__CONTAINER(value.as.object, mproc_pool, object)), MPROC_OK);
    mproc_value_clear(&value);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_add, MPROC_ARGS(1, 2))), 3);
    mproc_future *running = submit(pool, task_tell_and_stay, MPROC_ARGS(block));
    mproc_future *other = submit(pool, task_tell_and_stay, MPROC_ARGS(block));
    mproc_future *waiting = submit(pool, task_add, MPROC_ARGS(1, 2));
    CU_ASSERT(await_word(words_of(block), 2));
    CU_ASSERT_EQUAL(mproc_process_kill(owner), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_future_wait(running, LIMIT), MPROC_EPEER);
    CU_ASSERT_EQUAL(mproc_future_get(waiting, NULL, LIMIT), MPROC_EPEER);
    CU_ASSERT_EQUAL(mproc_pool_apply(pool, task_add, MPROC_ARGS(1, 2), NULL, LIMIT), MPROC_EPEER);
    CU_ASSERT_EQUAL(mproc_pool_shutdown(pool), MPROC_EPEER);
    CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_EPEER);
    CU_ASSERT_EQUAL(end_of(owner), CODE_KILLED);
    mproc_future_close(running);
    mproc_future_close(other);
    mproc_future_close(waiting);
    mproc_pool_close(pool);
    mproc_queue_close(queue);
    mproc_block_close(block);
}

static const testlib_case cases[] = {
    {"costs_the_task_alone", test_death__costs_the_task_alone},
    {"by_a_crash", test_death__by_a_crash},
    {"by_a_kill", test_death__by_a_kill},
    {"of_an_idle_worker", test_death__of_an_idle_worker},
    {"is_followed_by_a_retry", test_death__is_followed_by_a_retry},
    {"poison_is_given_up", test_death__poison_is_given_up},
    {"any_number_of_tasks", test_death__any_number_of_tasks},
    {"errors_are_retried_if_asked", test_death__errors_are_retried_if_asked},
    {"by_a_timeout", test_death__by_a_timeout},
    {"by_cancel", test_death__by_cancel},
    {"in_the_initializer", test_death__in_the_initializer},
    {"in_the_initializer_now_and_then", test_death__in_the_initializer_now_and_then},
    {"of_a_client", test_death__of_a_client},
    {"of_the_owner", test_death__of_the_owner},
};
PROCESS_TEST_MAIN("service.pool_death", cases)
