/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_once.c: mproc_once between processes.
 */
#include "object/sync_test.h"

static mproc_once *make_once(void)
{
    mproc_once *once = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_once_create(&once), MPROC_OK);
    return once;
}

static int count(void *data)
{
    ++*(int *)data;
    return 7;
}

static int fail(void *data)
{
    ++*(int *)data;
    return MPROC_EACCES;
}

static void test_once__runs_until_it_has_succeeded(void)
{
    mproc_once *once = make_once();
    int n = 0;
    CU_ASSERT_FALSE(mproc_once_is_done(once));
    CU_ASSERT_EQUAL(mproc_once_call(once, fail, &n), MPROC_EACCES);
    CU_ASSERT_EQUAL(mproc_once_call_within(once, fail, &n, MPROC_NOWAIT), MPROC_EACCES);
    CU_ASSERT_FALSE(mproc_once_is_done(once));
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_EQUAL(mproc_once_call(once, count, &n), MPROC_OK);
    CU_ASSERT(mproc_once_is_done(once));
    CU_ASSERT_EQUAL(mproc_once_call(once, count, &n), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_once_call(once, fail, &n), MPROC_OK);
    CU_ASSERT_EQUAL(n, 3);
    mproc_once_close(once);
}

static void test_once__refuses_null(void)
{
    mproc_once *once = make_once();
    CU_ASSERT_EQUAL(mproc_once_create(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_once_call(NULL, count, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_once_call(once, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_FALSE(mproc_once_is_done(NULL));
    CU_ASSERT_FALSE(mproc_once_is_done(once));
    mproc_once_close(NULL);
    mproc_once_close(once);
}

static int call_again(void *data)
{
    int n = 0;
    CU_ASSERT_EQUAL(mproc_once_call(data, count, &n), MPROC_ESTATE);
    return n;
}

static void test_once__is_not_called_from_inside(void)
{
    mproc_once *once = make_once();
    CU_ASSERT_EQUAL(mproc_once_call(once, call_again, once), MPROC_OK);
    CU_ASSERT(mproc_once_is_done(once));
    mproc_once_close(once);
}

enum { CALLS, VALUE, ARRIVED, GO, N_WORDS };

static int build(void *data)
{
    uint32_t *words = data;
    words[CALLS]++; // plain: nobody else is in here
    words[VALUE] = 42;
    return 0;
}

static int call_it(const mproc_args *args)
{
    mproc_once *once;
    mproc_block *block;
    int n;
    CHILD_CHECK(MPROC_UNPACK(args, &once, &block, &n) == 0);
    switch_slices_off();
    add_word(&words_of(block)[ARRIVED]);
    CHILD_CHECK(await_word(&words_of(block)[ARRIVED], (uint32_t)n));
    CHILD_CHECK(mproc_once_call(once, build, words_of(block)) == 0);
    CHILD_CHECK(mproc_once_is_done(once));
    CHILD_CHECK(words_of(block)[CALLS] == 1 && words_of(block)[VALUE] == 42);
    return 0;
}

static void test_once__runs_once_for_all(void)
{
    mproc_process *children[4];
    mproc_once *once = make_once();
    mproc_block *block = make_words(N_WORDS);
    for (size_t i = 0; i < 4; i++) {
        children[i] = start(call_it, MPROC_ARGS(once, block, 4));
    }
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    CU_ASSERT_EQUAL(words_of(block)[CALLS], 1);
    mproc_block_close(block);
    mproc_once_close(once);
}

/* ---- death ------------------------------------------------------------------------------------- */

static int build_slowly(void *data)
{
    uint32_t *words = data;
    words[VALUE] = 13;
    add_word(&words[ARRIVED]);
    return await_word(&words[GO], 1) ? 0 : MPROC_ETIMEDOUT;
}

static int call_slowly(const mproc_args *args)
{
    mproc_once *once;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &once, &block) == 0);
    return -mproc_once_call(once, build_slowly, words_of(block));
}

static int call_it_alone(const mproc_args *args)
{
    mproc_once *once;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &once, &block) == 0);
    CHILD_CHECK(mproc_once_call(once, build, words_of(block)) == 0);
    CHILD_CHECK(words_of(block)[CALLS] == 1 && words_of(block)[VALUE] == 42);
    return 0;
}

static int end_inside(void *data)
{
    (void)data;
    exit(3);
}

static int call_and_end(const mproc_args *args)
{
    mproc_once *once;
    CHILD_CHECK(MPROC_UNPACK(args, &once) == 0);
    return -mproc_once_call(once, end_inside, NULL);
}

static void test_once__others_wait_for_it(void)
{
    mproc_once *once = make_once();
    mproc_block *block = make_words(N_WORDS);
    mproc_process *slow = start(call_slowly, MPROC_ARGS(once, block));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    CU_ASSERT_EQUAL(mproc_once_call_within(once, build, words_of(block), MPROC_NOWAIT),
                    MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_once_call_within(once, build, words_of(block), BRIEF), MPROC_ETIMEDOUT);
    set_word(&words_of(block)[GO], 1);
    CU_ASSERT_EQUAL(mproc_once_call_within(once, build, words_of(block), LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(words_of(block)[CALLS], 0);
    CU_ASSERT_EQUAL(end_of(slow), 0);
    mproc_block_close(block);
    mproc_once_close(once);
}

static void test_once__is_run_again_after_a_death(void)
{
    mproc_once *once = make_once();
    mproc_block *block = make_words(N_WORDS);
    mproc_process *victim = start(call_slowly, MPROC_ARGS(once, block));
    CU_ASSERT(await_word(&words_of(block)[ARRIVED], 1));
    mproc_process *heir = start(call_it_alone, MPROC_ARGS(once, block));
    CU_ASSERT(await_asleep(1));
    CU_ASSERT_FALSE(mproc_once_is_done(once));
    CU_ASSERT_EQUAL(mproc_process_kill(victim), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(heir), 0);
    CU_ASSERT_EQUAL(end_of(victim), CODE_KILLED);
    CU_ASSERT(mproc_once_is_done(once));
    mproc_block_close(block);
    mproc_once_close(once);
}

static void test_once__is_run_again_after_an_end(void)
{
    mproc_once *once = make_once();
    int n = 0;
    CU_ASSERT_EQUAL(end_of(start(call_and_end, MPROC_ARGS(once))), 3);
    CU_ASSERT_EQUAL(mproc_once_call_within(once, count, &n, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(n, 1);
    mproc_once_close(once);
}

static int look(const mproc_args *args)
{
    mproc_once *once;
    CHILD_CHECK(MPROC_UNPACK(args, &once) == 0);
    return mproc_once_is_done(once) ? 1 : 0;
}

static void test_once__travels_in_values(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_once *once = make_once();
    mproc_once *same = NULL;
    int n = 0;
    CU_ASSERT_EQUAL(mproc_once_attach(&same, once), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(look, MPROC_ARGS(once))), 0);
    mproc_once_close(once);
    CU_ASSERT_EQUAL(mproc_once_call(same, count, &n), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(look, MPROC_ARGS(same))), 1);
    mproc_once_close(same);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"runs_until_it_has_succeeded", test_once__runs_until_it_has_succeeded},
    {"refuses_null", test_once__refuses_null},
    {"is_not_called_from_inside", test_once__is_not_called_from_inside},
    {"runs_once_for_all", test_once__runs_once_for_all},
    {"others_wait_for_it", test_once__others_wait_for_it},
    {"is_run_again_after_a_death", test_once__is_run_again_after_a_death},
    {"is_run_again_after_an_end", test_once__is_run_again_after_an_end},
    {"travels_in_values", test_once__travels_in_values},
};

PROCESS_TEST_MAIN("object.once", cases)
