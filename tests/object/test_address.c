/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_address.c: mproc_atomic_wait and its kin between processes.
 */
#include "object/sync_test.h"

static void test_address__is_looked_at(void)
{
    mproc_block *block = make_words(2);
    uint32_t *words = words_of(block);
    uint32_t private_word = 0;
    const uint32_t *crooked = (const uint32_t *)(const void *)((const char *)words + 1);
    CU_ASSERT_EQUAL(mproc_atomic_wait(words, 0, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_atomic_wait(words, 0, BRIEF), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_atomic_wait(words, 1, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_atomic_notify_one(words), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_atomic_notify_all(words), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_atomic_wait(crooked, 0, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_atomic_wait(&private_word, 0, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_atomic_wait(NULL, 0, MPROC_NOWAIT), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_atomic_notify_one(crooked), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_atomic_notify_all(&private_word), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_atomic_notify_all(NULL), MPROC_EINVAL);
    mproc_block_close(block);
}

static int answer(const mproc_args *args)
{
    mproc_block *block;
    int n;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &n) == 0);
    switch_slices_off();
    uint32_t *words = words_of(block);
    for (uint32_t i = 0; i < (uint32_t)n; i++) {
        CHILD_CHECK(mproc_atomic_wait(&words[0], i, MPROC_FOREVER) == 0);
        CHILD_CHECK(mproc__load32_acquire(&words[0]) == i + 1);
        (void)mproc__add32(&words[1], 1);
        CHILD_CHECK(mproc_atomic_notify_one(&words[1]) == 0);
    }
    return 0;
}

/** With slices off, a wake that is lost hangs the test. */
static void test_address__loses_no_wake(void)
{
    int n = (int)testlib_count(3000, 1000000);
    int64_t slice = mproc__slice_ns;
    mproc_block *block = make_words(2);
    uint32_t *words = words_of(block);
    mproc_process *child = start(answer, MPROC_ARGS(block, n));
    bool is_good = true;
    switch_slices_off();
    for (uint32_t i = 0; i < (uint32_t)n && is_good; i++) {
        (void)mproc__add32(&words[0], 1);
        is_good =
            mproc_atomic_notify_one(&words[0]) == 0 && mproc_atomic_wait(&words[1], i, LIMIT) == 0;
    }
    mproc__slice_ns = slice;
    CU_ASSERT(is_good);
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc_block_close(block);
}

static int wait_for_word(const mproc_args *args)
{
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    return -mproc_atomic_wait(words_of(block), 0, LIMIT);
}

static int change_and_stay(const mproc_args *args)
{
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    mproc__store32_release(words_of(block), 1);
    set_word(&words_of(block)[1], 1);
    return stay();
}

static void test_address__all_are_woken(void)
{
    mproc_process *waiters[3];
    mproc_block *block = make_words(2);
    for (size_t i = 0; i < 3; i++) {
        waiters[i] = start(wait_for_word, MPROC_ARGS(block));
    }
    CU_ASSERT(await_asleep(3));
    CU_ASSERT_EQUAL(mproc_atomic_notify_all(words_of(block)), MPROC_OK); // nothing has changed
    CU_ASSERT(await_asleep(3));
    mproc__store32_release(words_of(block), 1);
    CU_ASSERT_EQUAL(mproc_atomic_notify_all(words_of(block)), MPROC_OK);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(end_of(waiters[i]), 0);
    }
    mproc_block_close(block);
}

/** Who has changed the word is killed before it tells of it. */
static void test_address__the_dead_need_not_tell(void)
{
    mproc_process *waiters[3];
    mproc_block *block = make_words(2);
    for (size_t i = 0; i < 3; i++) {
        waiters[i] = start(wait_for_word, MPROC_ARGS(block));
    }
    CU_ASSERT(await_asleep(3));
    mproc_process *victim = start(change_and_stay, MPROC_ARGS(block));
    CU_ASSERT(await_word(&words_of(block)[1], 1));
    CU_ASSERT_EQUAL(mproc_process_kill(victim), MPROC_OK);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(end_of(waiters[i]), 0);
    }
    CU_ASSERT_EQUAL(end_of(victim), CODE_KILLED);
    mproc_block_close(block);
}

static const testlib_case cases[] = {
    {"is_looked_at", test_address__is_looked_at},
    {"loses_no_wake", test_address__loses_no_wake},
    {"all_are_woken", test_address__all_are_woken},
    {"the_dead_need_not_tell", test_address__the_dead_need_not_tell},
};

PROCESS_TEST_MAIN("object.address", cases)
