/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_journal.c: transactions, and what is left of them after a death; in words of the test's own.
 */
#include "base/check.h"
#include "family/block.h"
#include "family/family.h"
#include "family/journal.h"
#include "family/layout.h"
#include "support/testlib.h"

#include <setjmp.h>
#include <string.h>

struct words_shm {
    struct mproc__journal_shm journal;
    uint64_t word[MPROC__JOURNAL_ENTRIES];
};

static struct words_shm *words;

static void clear(void)
{
    memset(words, 0, sizeof(*words));
}

static void test_journal__all_or_nothing(void)
{
    clear();
    mproc__txn txn = mproc__txn_begin(&words->journal);
    for (uint64_t i = 0; i < MPROC__JOURNAL_ENTRIES; i++) {
        mproc__txn_set(&txn, &words->word[i], i + 1);
    }
    for (uint64_t i = 0; i < MPROC__JOURNAL_ENTRIES; i++) {
        CU_ASSERT_EQUAL(words->word[i], 0);
        CU_ASSERT_EQUAL(mproc__txn_get(&txn, &words->word[i]), i + 1);
    }
    mproc__txn_commit(&txn);
    for (uint64_t i = 0; i < MPROC__JOURNAL_ENTRIES; i++) {
        CU_ASSERT_EQUAL(words->word[i], i + 1);
    }
    CU_ASSERT_EQUAL(words->journal.count, 0);
    CU_ASSERT_EQUAL(txn.count, 0);
}

static void test_journal__the_last_store_counts(void)
{
    clear();
    words->word[1] = 7;
    mproc__txn txn = mproc__txn_begin(&words->journal);
    for (uint64_t i = 0; i < 1000; i++) { // more often than there are entries
        mproc__txn_set(&txn, &words->word[0], i);
    }
    CU_ASSERT_EQUAL(mproc__txn_get(&txn, &words->word[0]), 999);
    CU_ASSERT_EQUAL(mproc__txn_get(&txn, &words->word[1]), 7);
    mproc__txn_commit(&txn);
    CU_ASSERT_EQUAL(words->word[0], 999);
    CU_ASSERT_EQUAL(words->word[1], 7);
}

static void test_journal__can_be_used_again(void)
{
    clear();
    mproc__txn txn = mproc__txn_begin(&words->journal);
    mproc__txn_set(&txn, &words->word[0], 1);
    mproc__txn_commit(&txn);
    mproc__txn_set(&txn, &words->word[1], 2);
    mproc__txn_commit(&txn);
    CU_ASSERT_EQUAL(words->word[0], 1);
    CU_ASSERT_EQUAL(words->word[1], 2);
}

#ifdef MPROC_KILLPOINTS

static jmp_buf out;
static int hits_left;

static void leap(const char *name)
{
    (void)name;
    if (--hits_left == 0) {
        longjmp(out, 1);
    }
}

/* Leave a transaction of three stores at its n-th point; false: there are not so many. */
static bool die_at(int nth)
{
    clear();
    hits_left = nth;
    mproc__killpoint_fn = leap;
    bool is_dead = setjmp(out) != 0;
    if (!is_dead) {
        mproc__txn txn = mproc__txn_begin(&words->journal);
        mproc__txn_set(&txn, &words->word[0], 1);
        mproc__txn_set(&txn, &words->word[1], 2);
        mproc__txn_set(&txn, &words->word[2], 3);
        mproc__txn_commit(&txn);
    }
    mproc__killpoint_fn = NULL;
    return is_dead;
}

/* Recovery dies at its second store, and is repeated. */
static void recover_twice(void)
{
    hits_left = 2;
    mproc__killpoint_fn = leap;
    if (setjmp(out) == 0) {
        mproc__journal_recover(&words->journal);
    }
    mproc__killpoint_fn = NULL;
    mproc__journal_recover(&words->journal);
}

static void test_journal__recovers(void)
{
    int nth = 1;
    for (; die_at(nth); nth++) {
        recover_twice();
        CU_ASSERT_EQUAL(words->journal.count, 0);
        uint64_t sum = words->word[0] + words->word[1] + words->word[2];
        CU_ASSERT_EQUAL(sum, nth == 1 ? 0 : 6);
    }
    CU_ASSERT_EQUAL(nth, 6); // before, after, and each store
}

#else

static void test_journal__recovers(void)
{
    testlib_skip("the library was built without MPROC_KILLPOINTS");
}

#endif

static void child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    mproc__hold hold;
    if (mproc__family_enter() < 0 ||
        mproc__block_create(MPROC__KIND_TEST, sizeof(*words), 0, true, &hold) < 0) {
        exit(EXIT_FAILURE);
    }
    words = mproc__block_at(hold.offset);
}

static const testlib_case cases[] = {
    {"all_or_nothing", test_journal__all_or_nothing},
    {"the_last_store_counts", test_journal__the_last_store_counts},
    {"can_be_used_again", test_journal__can_be_used_again},
    {"recovers", test_journal__recovers},
};

TESTLIB_MAIN_CHILD("family.journal", cases, child)
