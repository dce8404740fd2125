/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_latch.c: mproc_latch between processes.
 */
#include "family/object.h"
#include "object/sync_test.h"

static mproc_latch *make_latch(uint32_t count)
{
    mproc_latch *latch = NULL;
    CU_ASSERT_EQUAL_FATAL(mproc_latch_create(&latch, count), MPROC_OK);
    return latch;
}

static void test_latch__counts_down(void)
{
    mproc_latch *latch = make_latch(5);
    CU_ASSERT_EQUAL(mproc_latch_get_count(latch), 5);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 0), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 2), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 4), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, UINT32_MAX), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_latch_get_count(latch), 3);
    CU_ASSERT_FALSE(mproc_latch_is_open(latch));
    CU_ASSERT_EQUAL(mproc_latch_wait(latch, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_latch_wait(latch, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_latch_arrive_and_wait(latch, 2, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_latch_arrive_and_wait(latch, 2, MPROC_NOWAIT), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_latch_get_count(latch), 1);
    CU_ASSERT_EQUAL(mproc_latch_arrive_and_wait(latch, 1, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT(mproc_latch_is_open(latch));
    CU_ASSERT_EQUAL(mproc_latch_wait(latch, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 1), MPROC_ERANGE);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 0), MPROC_OK);
    mproc_latch_close(latch);
}

static void test_latch__has_limits(void)
{
    mproc_latch *latch = make_latch(0);
    CU_ASSERT(mproc_latch_is_open(latch));
    CU_ASSERT_EQUAL(mproc_latch_wait(latch, MPROC_NOWAIT), MPROC_OK);
    mproc_latch_close(latch);
    latch = make_latch(MPROC_LATCH_MAX);
    CU_ASSERT_EQUAL(mproc_latch_get_count(latch), MPROC_LATCH_MAX);
    CU_ASSERT_EQUAL(mproc_latch_wait(latch, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, MPROC_LATCH_MAX), MPROC_OK);
    CU_ASSERT(mproc_latch_is_open(latch));
    mproc_latch_close(latch);
    CU_ASSERT_EQUAL(mproc_latch_create(&latch, MPROC_LATCH_MAX + 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_latch_create(NULL, 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_latch_count_down(NULL, 1), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_latch_wait(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_latch_arrive_and_wait(NULL, 1, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_latch_get_count(NULL), 0);
    CU_ASSERT_FALSE(mproc_latch_is_open(NULL));
    mproc_latch_close(NULL);
}

enum { COME, GO, N_WORDS };

/** Everybody counts itself before: nobody passes before all have come. */
static int pass_all(const mproc_args *args)
{
    mproc_value latches;
    mproc_block *block;
    int n;
    CHILD_CHECK(MPROC_UNPACK(args, &latches, &block, &n) == 0);
    switch_slices_off();
    for (size_t i = 0; i < latches.as.list.count; i++) {
        mproc_latch *latch =
            MPROC__CONTAINER(latches.as.list.items[i].as.object, mproc_latch, object);
        (void)mproc__add32(&words_of(block)[COME], 1);
        CHILD_CHECK(mproc_latch_arrive_and_wait(latch, 1, MPROC_FOREVER) == 0);
        CHILD_CHECK(mproc__load32_acquire(&words_of(block)[COME]) >= (uint32_t)(n * (int)(i + 1)));
        CHILD_CHECK(mproc_latch_is_open(latch));
    }
    return 0;
}

#define N_LATCHES 200
#define N_PARTIES 4

static void test_latch__lets_all_go_together(void)
{
    mproc_process *children[N_PARTIES];
    mproc_latch *latches[N_LATCHES];
    mproc_value items[N_LATCHES];
    mproc_block *block = make_words(N_WORDS);
    for (size_t i = 0; i < N_LATCHES; i++) {
        latches[i] = make_latch(N_PARTIES);
        items[i] = mproc_value_latch(latches[i]);
    }
    mproc_value list = mproc__value_list(items, N_LATCHES);
    for (size_t i = 0; i < N_PARTIES; i++) {
        children[i] = start(pass_all, MPROC_ARGS(list, block, N_PARTIES));
    }
    for (size_t i = 0; i < N_PARTIES; i++) {
        CU_ASSERT_EQUAL(end_of(children[i]), 0);
    }
    for (size_t i = 0; i < N_LATCHES; i++) {
        CU_ASSERT(mproc_latch_is_open(latches[i]));
        mproc_latch_close(latches[i]);
    }
    mproc_block_close(block);
}

/* ---- death ------------------------------------------------------------------------------------- */

static int wait_for_latch(const mproc_args *args)
{
    mproc_latch *latch;
    CHILD_CHECK(MPROC_UNPACK(args, &latch) == 0);
    return -mproc_latch_wait(latch, LIMIT);
}

static int have_it_and_stay(const mproc_args *args)
{
    mproc_latch *latch;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &latch, &block) == 0);
    add_word(&words_of(block)[COME]);
    return stay();
}

static int have_it_and_end(const mproc_args *args)
{
    mproc_latch *latch;
    CHILD_CHECK(MPROC_UNPACK(args, &latch) == 0);
    return 5;
}

static void test_latch__breaks_when_one_is_killed_that_was_to_count(void)
{
    mproc_latch *latch = make_latch(2);
    mproc_block *block = make_words(N_WORDS);
    mproc_process *waiter = start(wait_for_latch, MPROC_ARGS(latch));
    CU_ASSERT(await_asleep(1));
    mproc_process *late = start(have_it_and_stay, MPROC_ARGS(latch, block));
    CU_ASSERT(await_word(&words_of(block)[COME], 1));
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 1), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_kill(late), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(waiter), -MPROC_EBROKEN);
    CU_ASSERT_EQUAL(end_of(late), CODE_KILLED);
    CU_ASSERT_EQUAL(mproc_latch_wait(latch, LIMIT), MPROC_EBROKEN);
    CU_ASSERT_EQUAL(end_of(start(wait_for_latch, MPROC_ARGS(latch))), -MPROC_EBROKEN);
    CU_ASSERT_FALSE(mproc_latch_is_open(latch));
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 1), MPROC_OK); // in the dead one's place
    CU_ASSERT_EQUAL(mproc_latch_wait(latch, MPROC_NOWAIT), MPROC_OK);
    mproc_block_close(block);
    mproc_latch_close(latch);
}

static void test_latch__does_not_break_otherwise(void)
{
    mproc_latch *latch = make_latch(1);
    mproc_block *block = make_words(N_WORDS);
    mproc_process *waiter = start(wait_for_latch, MPROC_ARGS(latch));
    CU_ASSERT(await_asleep(1));
    CU_ASSERT_EQUAL(end_of(start(have_it_and_end, MPROC_ARGS(latch))), 5);
    CU_ASSERT_EQUAL(mproc_latch_wait(latch, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_latch_count_down(latch, 1), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(waiter), MPROC_OK);
    mproc_process *late = start(have_it_and_stay, MPROC_ARGS(latch, block));
    CU_ASSERT(await_word(&words_of(block)[COME], 1));
    CU_ASSERT_EQUAL(mproc_process_kill(late), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(late), CODE_KILLED);
    CU_ASSERT_EQUAL(mproc_latch_wait(latch, LIMIT), MPROC_OK);
    mproc_block_close(block);
    mproc_latch_close(latch);
}

static void test_latch__leaves_nothing(void)
{
    mproc_arena_stats before = settled_stats();
    mproc_latch *latch = make_latch(1);
    mproc_latch *same = NULL;
    CU_ASSERT_EQUAL(mproc_latch_attach(&same, latch), MPROC_OK);
    mproc_latch_close(latch);
    CU_ASSERT_EQUAL(end_of(start(have_it_and_end, MPROC_ARGS(same))), 5);
    mproc_latch_close(same);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"counts_down", test_latch__counts_down},
    {"has_limits", test_latch__has_limits},
    {"lets_all_go_together", test_latch__lets_all_go_together},
    {"breaks_when_one_is_killed_that_was_to_count",
     test_latch__breaks_when_one_is_killed_that_was_to_count},
    {"does_not_break_otherwise", test_latch__does_not_break_otherwise},
    {"leaves_nothing", test_latch__leaves_nothing},
};

PROCESS_TEST_MAIN("object.latch", cases)
