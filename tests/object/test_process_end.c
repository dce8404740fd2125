/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_process_end.c: ending processes, waiting for many of them, and from many threads.
 */
#include "object/process_test.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#include <signal.h>
#ifndef _WIN32
#include <sys/resource.h>
#include <unistd.h>
#endif

#define N_THREADS 8

/* ---- children ---------------------------------------------------------------------------------- */

static int say_and_stay(const mproc_args *args)
{
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    add_word(words_of(block));
    return stay();
}

#ifndef _WIN32
static int refuse_to_end(const mproc_args *args)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    CHILD_CHECK(sigaction(SIGTERM, &ignore, NULL) == 0);
    CHILD_CHECK(sigaction(SIGINT, &ignore, NULL) == 0);
    return say_and_stay(args);
}
#endif

static int return_code(const mproc_args *args)
{
    int code;
    CHILD_CHECK(MPROC_UNPACK(args, &code) == 0);
    return code;
}

/** With a child of its own: kill the tree from here, or from its parent, who is in it too. */
static int kill_from_within(const mproc_args *args)
{
    mproc_block *block;
    bool from_parent;
    mproc_process *child;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &from_parent) == 0);
    CHILD_CHECK(mproc_process_start(&child, say_and_stay, MPROC_ARGS(block), NULL) == 0);
    CHILD_CHECK(await_word(words_of(block), 1));
    CHILD_CHECK(mproc_process_kill_tree(from_parent ? mproc_parent_process()
                                                    : mproc_current_process()) == 0);
    return stay();
}

static int have_a_killer(const mproc_args *args)
{
    mproc_process *child;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    CHILD_CHECK(mproc_process_start(&child, kill_from_within, MPROC_ARGS(block, true), NULL) == 0);
    return stay();
}

/** Wait for word `index` + 1 to be set. */
static int wait_for_my_word(const mproc_args *args)
{
    mproc_block *block;
    size_t index;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &index) == 0);
    CHILD_CHECK(await_word(&words_of(block)[index], 1));
    return 0;
}

/* ---- cases ------------------------------------------------------------------------------------- */

static void check_end(int (*end)(mproc_process *), int expected)
{
    mproc_block *block = make_words(1);
    mproc_process *child = start(say_and_stay, MPROC_ARGS(block));
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(end(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), expected);
    mproc_block_close(block);
}

static void test_process_end__terminate_and_kill(void)
{
    check_end(mproc_process_terminate, CODE_TERMINATED);
    check_end(mproc_process_kill, CODE_KILLED);
    check_end(mproc_process_kill_tree, CODE_KILLED);
}

static void test_process_end__tree_of_ones_own(void)
{
    mproc_block *block = make_words(1);
    mproc_process *child = start(kill_from_within, MPROC_ARGS(block, false));
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    words_of(block)[0] = 0;
    child = start(have_a_killer, MPROC_ARGS(block));
    CU_ASSERT_EQUAL(end_of(child), CODE_KILLED);
    mproc_block_close(block);
}

static void test_process_end__interrupt(void)
{
#ifdef _WIN32
    mproc_process *child = start(return_code, MPROC_ARGS(0));
    mproc_block *block = make_words(1);
    mproc_process *staying = start(say_and_stay, MPROC_ARGS(block));
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_process_interrupt(staying), MPROC_ENOTSUP);
    CU_ASSERT_EQUAL(mproc_process_kill(staying), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(staying), CODE_KILLED);
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc_block_close(block);
#else
    check_end(mproc_process_interrupt, -SIGINT);
#endif
}

static int stop_at_once(mproc_process *child)
{
    return mproc_process_stop(child, LIMIT);
}

static void test_process_end__stop(void)
{
    check_end(stop_at_once, CODE_TERMINATED);
#ifndef _WIN32
    // Who does not heed the request is killed after the grace.
    mproc_block *block = make_words(1);
    mproc_process *child = start(refuse_to_end, MPROC_ARGS(block));
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_process_terminate(child), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_interrupt(child), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_stop(child, mproc_milliseconds(20)), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), -SIGKILL);
    mproc_block_close(block);
#endif
}

static void test_process_end__before_the_function(void)
{
    // Killed at once, it may have reached its function or not; it is never waited for in vain.
    for (int i = 0; i < 20; i++) {
        mproc_process *child = start(return_code, MPROC_ARGS(0));
        CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
        int rc = mproc_process_join(child, LIMIT);
        CU_ASSERT(rc == MPROC_OK || rc == MPROC_ESTART);
        int code = 1;
        CU_ASSERT_EQUAL(mproc_process_exit_code(child, &code), MPROC_OK);
        CU_ASSERT(code == CODE_KILLED || (code == 0 && rc == MPROC_OK));
        CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    }
}

/* ---- threads ----------------------------------------------------------------------------------- */

typedef struct crew {
    mproc_process *child;
    mproc_block *block;
    uint32_t n_right;
} crew;

static void run_threads(apr_thread_start_t function, void *arg)
{
    apr_pool_t *pool;
    apr_thread_t *threads[N_THREADS];
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (int i = 0; i < N_THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, function, arg, pool),
                              APR_SUCCESS);
    }
    for (int i = 0; i < N_THREADS; i++) {
        apr_status_t unused;
        CU_ASSERT_EQUAL(apr_thread_join(&unused, threads[i]), APR_SUCCESS);
    }
    apr_pool_destroy(pool);
    apr_terminate();
}

static void *APR_THREAD_FUNC join_it(apr_thread_t *thread, void *arg)
{
    crew *all = arg;
    int code = -1;
    add_word(&words_of(all->block)[1]);
    if (mproc_process_join(all->child, LIMIT) == MPROC_OK &&
        mproc_process_is_alive(all->child) == 0 &&
        mproc_process_exit_code(all->child, &code) == MPROC_OK && code == 0) {
        (void)mproc__add32(&all->n_right, 1);
    }
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void *APR_THREAD_FUNC release_it(apr_thread_t *thread, void *arg)
{
    crew *all = arg;
    if (await_word(&words_of(all->block)[1], N_THREADS)) {
        set_word(words_of(all->block), 1);
    }
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_process_end__joined_by_many_threads(void)
{
    for (long round = testlib_count(10, 1000); round > 0; round--) {
        crew all = {.block = make_words(2)};
        all.child = start(wait_for_my_word, MPROC_ARGS(all.block, 0));
        apr_pool_t *pool;
        apr_thread_t *thread;
        CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
        CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, release_it, &all, pool),
                              APR_SUCCESS);
        run_threads(join_it, &all);
        apr_status_t unused;
        CU_ASSERT_EQUAL(apr_thread_join(&unused, thread), APR_SUCCESS);
        apr_pool_destroy(pool);
        apr_terminate();
        CU_ASSERT_EQUAL(all.n_right, N_THREADS);
        CU_ASSERT_EQUAL(end_of(all.child), 0);
        mproc_block_close(all.block);
    }
}

static void *APR_THREAD_FUNC start_some(apr_thread_t *thread, void *arg)
{
    crew *all = arg;
    for (int i = 0; i < 5; i++) {
        mproc_process *child;
        int code = -1;
        if (mproc_process_start(&child, return_code, MPROC_ARGS(40 + i), &with_threads) < 0) {
            printf("start: %s ... ", mproc_last_error());
            break;
        }
        if (mproc_process_join(child, LIMIT) == MPROC_OK &&
            mproc_process_exit_code(child, &code) == MPROC_OK && code == 40 + i &&
            mproc_process_close(child) == MPROC_OK) {
            (void)mproc__add32(&all->n_right, 1);
        }
    }
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_process_end__started_by_many_threads(void)
{
    mproc_arena_stats before = settled_stats();
    crew all = {.n_right = 0};
    run_threads(start_some, &all);
    CU_ASSERT_EQUAL(all.n_right, N_THREADS * 5);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- many -------------------------------------------------------------------------------------- */

/** Let them end one by one, last first, and see that wait_any finds the one that did. */
static void end_in_turn(mproc_process **children, size_t count, uint32_t *words)
{
    for (size_t left = count; left > 0; left--) {
        size_t index = count;
        if (left == count) {
            CU_ASSERT_EQUAL(mproc_process_wait_any(children, left, MPROC_NOWAIT, &index),
                            MPROC_ETIMEDOUT);
            CU_ASSERT_EQUAL(mproc_process_wait_any(children, left, mproc_milliseconds(5), &index),
                            MPROC_ETIMEDOUT);
            CU_ASSERT_EQUAL(index, count);
        }
        set_word(&words[left - 1], 1);
        CU_ASSERT_EQUAL(mproc_process_wait_any(children, left, LIMIT, &index), MPROC_OK);
        CU_ASSERT_EQUAL(index, left - 1);
        CU_ASSERT_EQUAL(mproc_process_join(children[left - 1], LIMIT), MPROC_OK);
        // What has been joined is found again.
        CU_ASSERT_EQUAL(mproc_process_wait_any(children, left, MPROC_NOWAIT, &index), MPROC_OK);
        CU_ASSERT_EQUAL(index, left - 1);
    }
}

static void test_process_end__wait_for_any_of_many(void)
{
#ifdef _WIN32
    const size_t count = (size_t)testlib_count(80, 1000);
#else
    const size_t count = (size_t)testlib_count(200, 1000);
#endif
    mproc_arena_stats before = settled_stats();
    mproc_process **children = calloc(count, sizeof(mproc_process *));
    mproc_process **active = calloc(count, sizeof(mproc_process *));
    mproc_block *block = make_words(count);
    CU_ASSERT_FATAL(children != NULL && active != NULL);
    for (size_t i = 0; i < count; i++) {
        children[i] = start(wait_for_my_word, MPROC_ARGS(block, i));
    }
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), count);
    CU_ASSERT_EQUAL(mproc_active_children(active, count / 2), count);
    CU_ASSERT_PTR_NULL(active[count / 2]);
    end_in_turn(children, count, words_of(block));
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    mproc_block_close(block);
    free(children);
    free(active);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

/* ---- the end of the program -------------------------------------------------------------------- */

static void test_process_end__shutdown_ends_daemons_and_joins_others(void)
{
    mproc_block *block = make_words(3);
    const mproc_process_options daemon = {.is_daemon = true};
    mproc_process *servant = start_with(say_and_stay, MPROC_ARGS(block), &daemon);
    mproc_process *worker = start(wait_for_my_word, MPROC_ARGS(block, 1));
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_shutdown(mproc_milliseconds(50)), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_is_alive(servant), 0);
    CU_ASSERT_EQUAL(mproc_process_is_alive(worker), 1);
    set_word(&words_of(block)[1], 1);
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_is_alive(worker), 0);
    CU_ASSERT_EQUAL(end_of(worker), 0);
    CU_ASSERT_EQUAL(end_of(servant), CODE_TERMINATED);
    // It may be called again, and children may be started again.
    CU_ASSERT_EQUAL(mproc_shutdown(MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(return_code, MPROC_ARGS(6))), 6);
    mproc_block_close(block);
}

#ifndef _WIN32
static void test_process_end__stubborn_daemons_are_killed(void)
{
    mproc_block *block = make_words(1);
    const mproc_process_options daemon = {.is_daemon = true};
    mproc_process *servant = start_with(refuse_to_end, MPROC_ARGS(block), &daemon);
    CU_ASSERT(await_word(words_of(block), 1));
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(servant), -SIGKILL);
    mproc_block_close(block);
}
#endif

/** Once an ended child that nobody had collected hid the one behind it. */
static void test_process_end__shutdown_asks_every_daemon(void)
{
    const mproc_process_options daemon = {.is_daemon = true};
    mproc_block *block = make_words(1);
    mproc_process *ended[3];
    mproc_process *staying[2];
    for (int i = 0; i < 2; i++) {
        staying[i] = start_with(say_and_stay, MPROC_ARGS(block), &daemon);
    }
    CU_ASSERT(await_word(words_of(block), 2));
    for (int i = 0; i < 3; i++) {
        ended[i] = start_with(return_code, MPROC_ARGS(i), &daemon);
    }
    for (size_t n = 0, i; n < 3; n++) { // as one that watches sentinels does
        CU_ASSERT_EQUAL(mproc_process_wait_any(&ended[n], 1, LIMIT, &i), MPROC_OK);
    }
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(staying[0]), CODE_TERMINATED);
    CU_ASSERT_EQUAL(end_of(staying[1]), CODE_TERMINATED);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(end_of(ended[i]), i);
    }
    mproc_block_close(block);
}

static const testlib_case cases[] = {
    {"terminate_and_kill", test_process_end__terminate_and_kill},
    {"tree_of_ones_own", test_process_end__tree_of_ones_own},
    {"interrupt", test_process_end__interrupt},
    {"stop", test_process_end__stop},
    {"before_the_function", test_process_end__before_the_function},
    {"joined_by_many_threads", test_process_end__joined_by_many_threads},
    {"started_by_many_threads", test_process_end__started_by_many_threads},
    {"wait_for_any_of_many", test_process_end__wait_for_any_of_many},
    {"shutdown_ends_daemons_and_joins_others",
     test_process_end__shutdown_ends_daemons_and_joins_others},
    {"shutdown_asks_every_daemon", test_process_end__shutdown_asks_every_daemon},
#ifndef _WIN32
    {"stubborn_daemons_are_killed", test_process_end__stubborn_daemons_are_killed},
#endif
};

PROCESS_TEST_MAIN("object.process_end", cases)
