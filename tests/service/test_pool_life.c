/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pool_life.c: workers that make way for others, that have a processor each, that are many; and Ctrl-C.
 */
#include "service/pool_test.h"

#include "mproc/pool_map.h"

#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include "win32/win32.h"
#else
#include <unistd.h>
#endif

/* ---- recycling ------------------------------------------------------------------------------- */

static void test_life__ends_after_so_many_tasks(void)
{
    mproc_pool *pool = make_pool_with((mproc_pool_options){.max_tasks_per_child = 3}, 1);
    int64_t pids[9];
    for (int i = 0; i < 9; i++) {
        pids[i] = result_of(submit(pool, task_pid, NULL));
    }
    for (int i = 0; i < 9; i++) {
        CU_ASSERT_EQUAL(pids[i], pids[i - i % 3]);
        CU_ASSERT(i < 3 || pids[i] != pids[i - 3]);
    }
    mproc_pool_close(pool);
}

static void test_life__one_task_each(void)
{
    mproc_pool *pool = make_pool_with((mproc_pool_options){.max_tasks_per_child = 1}, 2);
    mproc_block *block = make_words(2);
    mproc_future *futures[12];
    for (int i = 0; i < 12; i++) {
        futures[i] = submit(pool, task_count, MPROC_ARGS(block));
    }
    // Whoever takes the place of one that has left is at work, too, after the pool was shut down.
    CU_ASSERT_EQUAL(mproc_pool_shutdown(pool), MPROC_OK);
    for (int i = 0; i < 12; i++) {
        CU_ASSERT(result_of(futures[i]) > 0);
    }
    CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(words_of(block)[0], 12);
    mproc_block_close(block);
    mproc_pool_close(pool);
}

#define HOARD ((size_t)64 << 20)

/** Keep memory, and touch all of it. */
static int task_hoard(const mproc_args *args, mproc_value *result)
{
    static char *volatile hoard;
    (void)args;
    hoard = malloc(HOARD);
    for (size_t i = 0; hoard != NULL && i < HOARD; i += 1024) {
        hoard[i] = 1;
    }
    *result = MPROC_VALUE(mproc_process_pid(NULL));
    return MPROC_OK;
}

static void test_life__ends_with_too_much_memory(void)
{
    if (mplat_memory_now() <= 0) {
        testlib_skip("the system does not tell how much memory a process has");
        return;
    }
    mproc_pool *pool = make_pool_with(
        (mproc_pool_options){.max_memory_per_child = (uint64_t)mplat_memory_now() + HOARD / 2}, 1);
    int64_t modest = result_of(submit(pool, task_pid, NULL));
    CU_ASSERT_EQUAL(result_of(submit(pool, task_pid, NULL)), modest);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_hoard, NULL)), modest);
    CU_ASSERT(result_of(submit(pool, task_pid, NULL)) != modest);
    mproc_pool_close(pool);
}

/* ---- processors ------------------------------------------------------------------------------ */

static int task_count_cpus(const mproc_args *args, mproc_value *result)
{
    int cpu = -1;
    (void)args;
    *result = MPROC_VALUE(mplat_cpu_list(&cpu, 1) == 1 ? cpu : -1);
    return MPROC_OK;
}

static void test_life__has_a_processor_of_its_own(void)
{
    int cpus[64];
    size_t n = mplat_cpu_list(cpus, MPROC__COUNT(cpus));
    if (n == 0 || n > MPROC__COUNT(cpus)) {
        testlib_skip("the system does not tell which processors there are");
        return;
    }
    mproc_pool *pool = make_pool_with((mproc_pool_options){.pin = true}, 1);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_count_cpus, NULL)), cpus[0]);
    mproc_pool_close(pool);
    pool = make_pool_with((mproc_pool_options){.pin = true, .cpus = &cpus[n - 1], .n_cpus = 1}, 1);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_count_cpus, NULL)), cpus[n - 1]);
    mproc_pool_close(pool);
}

/** Wait for another one that does so, too, so that each is a worker's own; which processor it may use alone. */
static int task_meet_on_cpu(const mproc_args *args, mproc_value *result)
{
    mproc_block *block;
    int rc = MPROC_UNPACK(args, &block);
    if (rc >= 0) {
        meet(block, 2);
        rc = task_count_cpus(NULL, result);
    }
    return rc;
}

static void test_life__threads_have_processors_of_their_own(void)
{
    int cpus[64];
    int nowhere = -1;
    mproc_pool *pool = NULL;
    size_t n = mplat_cpu_list(cpus, MPROC__COUNT(cpus));
    if (n == 0 || n > MPROC__COUNT(cpus)) {
        testlib_skip("the system does not tell which processors there are");
        return;
    }
    mproc_pool_options options = {.processes = 2, .pin = true};
    CU_ASSERT_EQUAL_FATAL(mproc_thread_pool_create(&pool, &options), MPROC_OK);
    mproc_block *block = make_words(1);
    mproc_future *futures[2] = {submit(pool, task_meet_on_cpu, MPROC_ARGS(block)),
                                submit(pool, task_meet_on_cpu, MPROC_ARGS(block))};
    int64_t a = result_of(futures[0]);
    int64_t b = result_of(futures[1]);
    CU_ASSERT(n == 1 ? a == cpus[0] && b == cpus[0]
                     : (a == cpus[0] && b == cpus[1]) || (a == cpus[1] && b == cpus[0]));
    mproc_block_close(block);
    mproc_pool_close(pool);
    CU_ASSERT_EQUAL(mplat_cpu_list(cpus, MPROC__COUNT(cpus)), n); // this thread keeps all of them
    options = (mproc_pool_options){.processes = 1, .cpus = &nowhere, .n_cpus = 1};
    CU_ASSERT_EQUAL(mproc_thread_pool_create(&pool, &options), MPROC_EINVAL);
}

/* ---- many ------------------------------------------------------------------------------------ */

/** More than a system call of Windows can wait for, all at work at once. */
static void test_life__of_many_workers(void)
{
#ifdef _WIN32
    int n = (int)testlib_count(4, 200);
    int n_tasks = (int)testlib_count(40, 2000);
#else
    int n = HAS_SANITIZER ? 16 : (int)testlib_count(70, 1000);
    int n_tasks = (int)testlib_count(1000, 100000);
#endif
    mproc_pool_close(make_pool(2)); // this process's ledger keeps the room that it has come to
    mproc_arena_stats before = settled_stats();
    mproc_pool *pool = make_pool(n);
    mproc_block *block = make_words(2);
    mproc_future **futures = calloc((size_t)n_tasks, sizeof(mproc_future *));
    CU_ASSERT_PTR_NOT_NULL_FATAL(futures);
    for (int i = 0; i < n; i++) {
        futures[i] = submit(pool, task_meet, MPROC_ARGS(block));
    }
    CU_ASSERT(await_word(words_of(block), (uint32_t)n));
    set_word(words_of(block) + 1, 1);
    for (int i = n; i < n_tasks; i++) {
        futures[i] = submit(pool, task_count, MPROC_ARGS(block));
    }
    for (int i = 0; i < n_tasks; i++) {
        CU_ASSERT(result_of(futures[i]) > 0);
    }
    CU_ASSERT_EQUAL(words_of(block)[0], (uint32_t)n_tasks);
    CU_ASSERT_EQUAL(mproc_pool_shutdown(pool), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_pool_join(pool, LIMIT), MPROC_OK);
    mproc_pool_close(pool);
    mproc_block_close(block);
    free(futures);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

#ifdef _WIN32
static bool has_console;

/** One that no others have, so that nobody but this process and its workers is interrupted. */
static void have_a_console(void)
{
    HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
    HANDLE err = GetStdHandle(STD_ERROR_HANDLE);
    (void)FreeConsole();
    has_console = AllocConsole();
    (void)SetStdHandle(STD_OUTPUT_HANDLE, out);
    (void)SetStdHandle(STD_ERROR_HANDLE, err);
    (void)SetConsoleCtrlHandler(NULL,
                                FALSE); // a process may have inherited that it does not heed it
}

/** Without consoles, as under Wine without a terminal, what the system would call is called. */
static void interrupt(void)
{
    CHILD_CHECK(has_console ? GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)
                            : mproc__win_interrupted() != 0);
}
#else
static void have_a_console(void)
{
}

static void interrupt(void)
{
    CHILD_CHECK(kill(getpid(), SIGINT) == 0);
}
#endif

/** Has a pool at work when it is interrupted, and ends in order. */
static int be_interrupted(const mproc_args *args)
{
    mproc_block *block;
    mproc_pool *pool;
    mproc_future *running;
    mproc_future *waiting;
    mproc_future *late;
    const mproc_pool_options options = {.processes = 1, .catch_interrupt = true};
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    have_a_console();
    CHILD_CHECK(mproc_pool_create(&pool, &options) == 0);
    CHILD_CHECK(mproc_pool_apply_async(pool, task_meet, MPROC_ARGS(block), NULL, &running) == 0);
    CHILD_CHECK(mproc_pool_apply_async(pool, task_meet, MPROC_ARGS(block), NULL, &waiting) == 0);
    CHILD_CHECK(await_word(words_of(block), 1));
    interrupt();
    CHILD_CHECK(mproc_future_get(running, NULL, LIMIT) == MPROC_EINTERRUPTED);
    CHILD_CHECK(mproc_future_get(waiting, NULL, LIMIT) == MPROC_EINTERRUPTED);
    CHILD_CHECK(mproc_pool_apply_async(pool, task_meet, MPROC_ARGS(block), NULL, &late) ==
                MPROC_EINTERRUPTED);
    CHILD_CHECK(mproc_pool_join(pool, LIMIT) == 0);
    mproc_future_close(running);
    mproc_future_close(waiting);
    mproc_pool_close(pool);
    return 3;
}

static void test_life__is_interrupted(void)
{
    mproc_block *block = make_words(2);
    CU_ASSERT_EQUAL(end_of(start(be_interrupted, MPROC_ARGS(block))), 3);
    mproc_block_close(block);
}

/** When both workers are at an item. */
static void interrupt_later(void *arg)
{
    CHILD_CHECK(await_word(words_of(arg), 2));
    interrupt();
}

/** Waits for the results of maps, one after the other; each is at its second items. */
static int be_interrupted_in_maps(const mproc_args *args)
{
    mproc_block *block;
    const mproc_pool_options options = {.processes = 2, .catch_interrupt = true};
    const mproc_map_options chunks = {.chunk_size = 3};
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    have_a_console();
    for (int i = 0; i < 2; i++) {
        mproc_pool *pool;
        mplat_thread *thread;
        mproc_value items[12];
        mproc_args all = {12, items};
        mproc_args_source source = {.items = &all};
        mproc_iterator *it = NULL;
        mproc_value value;
        words_of(block)[0] = 0;
        for (int k = 0; k < 12; k++) {
            items[k] = mproc_value_block(block);
        }
        CHILD_CHECK(mproc_pool_create(&pool, &options) == 0);
        CHILD_CHECK(mplat_thread_start(interrupt_later, block, &thread) == 0);
        if (i == 0) {
            CHILD_CHECK(mproc_pool_map(pool, task_meet, &all, NULL, &chunks, LIMIT) ==
                        MPROC_EINTERRUPTED);
        } else {
            CHILD_CHECK(
                mproc_pool_imap(pool, task_meet, mproc_source_args, &source, &chunks, &it) == 0);
            CHILD_CHECK(mproc_iterator_next(it, &value, LIMIT) == MPROC_EINTERRUPTED);
            mproc_iterator_close(it);
        }
        mplat_thread_join(thread);
        CHILD_CHECK(mproc_pool_join(pool, LIMIT) == 0);
        CHILD_CHECK(words_of(block)[0] == 2); // no other item was begun
        mproc_pool_close(pool);
    }
    return 3;
}

static void test_life__is_interrupted_in_a_map(void)
{
    mproc_block *block = make_words(2);
    CU_ASSERT_EQUAL(end_of(start_with(be_interrupted_in_maps, MPROC_ARGS(block), NULL)), 3);
    mproc_block_close(block);
}

#ifndef _WIN32
/** The worker is in the same group as who is interrupted, but does not heed that. */
static int task_interrupt(const mproc_args *args, mproc_value *result)
{
    (void)args;
    *result = MPROC_VALUE(raise(SIGINT));
    return MPROC_OK;
}
#endif

static void test_life__workers_do_not_heed_interrupts(void)
{
#ifndef _WIN32
    mproc_pool *pool = make_pool(1);
    int64_t pid = result_of(submit(pool, task_pid, NULL));
    CU_ASSERT_EQUAL(result_of(submit(pool, task_interrupt, NULL)), 0);
    CU_ASSERT_EQUAL(result_of(submit(pool, task_pid, NULL)), pid);
    mproc_pool_close(pool);
#endif
}

static const testlib_case cases[] = {
    {"ends_after_so_many_tasks", test_life__ends_after_so_many_tasks},
    {"one_task_each", test_life__one_task_each},
    {"ends_with_too_much_memory", test_life__ends_with_too_much_memory},
    {"has_a_processor_of_its_own", test_life__has_a_processor_of_its_own},
    {"threads_have_processors_of_their_own", test_life__threads_have_processors_of_their_own},
    {"of_many_workers", test_life__of_many_workers},
    {"is_interrupted", test_life__is_interrupted},
    {"is_interrupted_in_a_map", test_life__is_interrupted_in_a_map},
    {"workers_do_not_heed_interrupts", test_life__workers_do_not_heed_interrupts},
};
PROCESS_TEST_MAIN("service.pool_life", cases)
