/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_block.c: blocks, who holds them, and the ledgers that say so; block.c and ledger.c.
 */
#include "family/block.h"
#include "family/check.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/ledger.h"
#include "mproc/mproc.h"

#include <string.h>

#define HUGE_BYTES ((uint64_t)40 << 20)

static mproc__hold create(uint64_t size, uint32_t n_references)
{
    mproc__hold hold = {0, 0};
    int rc = mproc__block_create(MPROC__KIND_TEST, size, n_references, false, &hold);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return hold;
}

static mproc__hold attach(uint64_t offset)
{
    mproc__hold hold = {0, 0};
    CU_ASSERT_EQUAL_FATAL(mproc__block_attach(offset, &hold), 0);
    return hold;
}

static uint64_t count_of(uint64_t offset)
{
    const struct mproc__block_shm *head = mproc__at(offset);
    return mproc__load64_relaxed(&head->state) & UINT32_MAX;
}

static void test_block__lives_until_the_last_hold(void)
{
    const check_figures before = check_read();
    mproc__hold first = create(100, 0);
    mproc__hold second = attach(first.offset);
    CU_ASSERT_NOT_EQUAL(first.entry, second.entry);
    CU_ASSERT_EQUAL(count_of(first.offset), 2);
    CU_ASSERT(mproc__block_is(first.offset, MPROC__KIND_TEST));
    CU_ASSERT(mproc__block_is(first.offset, 0));
    CU_ASSERT_FALSE(mproc__block_is(first.offset, MPROC__KIND_BLOCK));
    mproc__block_release(first);
    CU_ASSERT(mproc__block_is(first.offset, MPROC__KIND_TEST));
    mproc__block_release(second);
    CU_ASSERT_FALSE(mproc__block_is(first.offset, 0));
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_block__no_hold_on_what_is_none(void)
{
    mproc__hold hold = create(100, 0);
    mproc__block_release(hold);
    mproc__hold unused;
    CU_ASSERT_EQUAL(mproc__block_attach(hold.offset, &unused), MPROC_ECORRUPT);
    CU_ASSERT_EQUAL(mproc__block_attach(hold.offset + 64, &unused), MPROC_ECORRUPT);
    CU_ASSERT_EQUAL(mproc__block_attach(12345, &unused), MPROC_ECORRUPT);
    mproc__hold container = create(100, 1);
    CU_ASSERT_EQUAL(mproc__block_embed(container.offset, hold.offset + 64), MPROC_ECORRUPT);
    mproc__block_release(container);
    CHECK_FAMILY();
}

static void test_block__holds_others(void)
{
    const check_figures before = check_read();
    mproc__hold container = create(100, 4);
    mproc__hold held = create(100, 0);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(mproc__block_embed(container.offset, held.offset), 0);
    }
    mproc__block_release(held);
    CU_ASSERT_EQUAL(count_of(held.offset), 4);
    CHECK_FAMILY();
    mproc__block_release(container);
    CU_ASSERT_FALSE(mproc__block_is(held.offset, 0));
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

/* A bug once: one reference too many was written into the payload, and later taken for a block. */
static void test_block__a_full_container_says_so(void)
{
    const check_figures before = check_read();
    mproc__hold container = create(100, 3);
    mproc__hold held = create(100, 0);
    memset(mproc__block_at(container.offset), 0x55, 100);
    int n = 0;
    while (n < 100 && mproc__block_embed(container.offset, held.offset) == 0) {
        n++;
    }
    CU_ASSERT(n >= 3 && n <= 8); // up to the next cache line
    CU_ASSERT_EQUAL(mproc__block_embed(container.offset, held.offset), MPROC_ETOOBIG);
    CU_ASSERT_EQUAL(*(unsigned char *)mproc__block_at(container.offset), 0x55);
    mproc__block_release(container);
    mproc__block_release(held);
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_block__long_chains_end(void)
{
    enum { N = 20000 }; // freed in a loop: recursion would need a stack for each
    const check_figures before = check_read();
    mproc__hold last = create(10, 0);
    for (int i = 0; i < N; i++) {
        mproc__hold next = create(10, 1);
        CU_ASSERT_EQUAL(mproc__block_embed(next.offset, last.offset), 0);
        mproc__block_release(last);
        last = next;
    }
    CHECK_FAMILY();
    mproc__block_release(last);
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

/* A bug once: a handle that is not in this process's ledger, as a copy of a process may have, gave a
 * large block's memory back although another one held it. */
static void test_block__a_strangers_handle_does_nothing(void)
{
    mproc__member_id other;
    CU_ASSERT_EQUAL_FATAL(mproc__member_new(mproc__self_id(), "other", &other), 0);
    mproc__hold hold = create(HUGE_BYTES, 0);
    char *data = mproc__block_at(hold.offset);
    memset(data, 0x77, (size_t)HUGE_BYTES);
    CU_ASSERT_EQUAL(mproc__block_give(hold, other), 0);
    mproc__block_release(hold); // not ours any more
    CU_ASSERT_EQUAL(count_of(hold.offset), 1);
    CU_ASSERT_EQUAL(data[HUGE_BYTES - 1], 0x77);
    CU_ASSERT_EQUAL(data[HUGE_BYTES / 2], 0x77);
    mproc__member_bury(other);
    mproc__member_free(other);
    CU_ASSERT_FALSE(mproc__block_is(hold.offset, 0));
    CHECK_FAMILY();
}

static void test_block__give_moves_a_hold(void)
{
    const check_figures before = check_read();
    mproc__member_id other;
    CU_ASSERT_EQUAL_FATAL(mproc__member_new(mproc__self_id(), "other", &other), 0);
    mproc__hold hold = create(100, 0);
    CU_ASSERT_EQUAL(mproc__block_give(hold, other), 0);
    const struct mproc__member_shm *slot = mproc__member_at(other);
    CU_ASSERT_EQUAL(slot->start, hold.offset);
    CU_ASSERT(mproc__ledger_says(slot, (uint32_t)slot->start_entry, hold.offset));
    CU_ASSERT_FALSE(mproc__ledger_says(mproc__self_member(), hold.entry, hold.offset));
    CHECK_FAMILY();
    mproc__member_bury(other);
    CU_ASSERT_FALSE(mproc__block_is(hold.offset, 0));
    hold = create(100, 0);
    CU_ASSERT_EQUAL(mproc__block_give(hold, other), MPROC_EPEER);
    mproc__member_free(other);
    CU_ASSERT_EQUAL(mproc__block_give(hold, other), MPROC_EPEER);
    mproc__block_release(hold);
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_ledger__grows_and_reuses(void)
{
    enum { N = 3000 };
    static mproc__hold holds[N];
    mproc__hold block = create(100, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            holds[i] = attach(block.offset);
        }
        CU_ASSERT_EQUAL(count_of(block.offset), N + 1);
        CHECK_FAMILY();
        for (int i = round; i < N + round; i++) {
            mproc__block_release(holds[i * 7 % N]); // 7 and 3000 have no common factor
        }
        CU_ASSERT_EQUAL(count_of(block.offset), 1);
        CHECK_FAMILY();
    }
    CU_ASSERT(mproc__self_member()->ledger_fresh <= N + 100);
    mproc__block_release(block);
}

static void test_ledger__clone(void)
{
    enum { N = 500 };
    static mproc__hold holds[N];
    const check_figures before = check_read();
    mproc__hold block = create(100, 0);
    for (int i = 0; i < N; i++) {
        holds[i] = attach(block.offset);
    }
    for (int i = 0; i < N; i += 3) {
        mproc__block_release(holds[i]);
        holds[i].offset = 0;
    }
    uint64_t count = count_of(block.offset);
    mproc__member_id copy;
    CU_ASSERT_EQUAL_FATAL(mproc__member_new(mproc__self_id(), "copy", &copy), 0);
    CU_ASSERT_EQUAL(mproc__member_clone(mproc__self_id(), copy), 0);
    CU_ASSERT_EQUAL(count_of(block.offset), 2 * count);
    CHECK_FAMILY();
    uint32_t n_wrong = 0;
    for (int i = 0; i < N; i++) {
        n_wrong += holds[i].offset != 0 &&
                           !mproc__ledger_says(mproc__member_at(copy), holds[i].entry, block.offset)
                       ? 1
                       : 0;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    mproc__member_bury(copy);
    mproc__member_free(copy);
    CU_ASSERT_EQUAL(count_of(block.offset), count);
    for (int i = 0; i < N; i++) {
        if (holds[i].offset != 0) {
            mproc__block_release(holds[i]);
        }
    }
    mproc__block_release(block);
    CHECK_FAMILY();
    CU_ASSERT(check_read().used_members == before.used_members);
}

static void test_ledger__any_entry_may_be_asked_about(void)
{
    mproc__hold block = create(100, 0);
    const struct mproc__member_shm *self = mproc__self_member();
    CU_ASSERT(mproc__ledger_says(self, block.entry, block.offset));
    CU_ASSERT_FALSE(mproc__ledger_says(self, UINT32_MAX, block.offset));
    CU_ASSERT_FALSE(mproc__ledger_says(self, (uint32_t)self->ledger_fresh, block.offset));
    CU_ASSERT_FALSE(mproc__ledger_says(self, block.entry, block.offset + 64));
    mproc__block_release(block);
    CU_ASSERT_FALSE(mproc__ledger_says(self, block.entry, block.offset));
}

static void child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    check_enter(700);
}

static const testlib_case cases[] = {
    {"lives_until_the_last_hold", test_block__lives_until_the_last_hold},
    {"no_hold_on_what_is_none", test_block__no_hold_on_what_is_none},
    {"holds_others", test_block__holds_others},
    {"a_full_container_says_so", test_block__a_full_container_says_so},
    {"long_chains_end", test_block__long_chains_end},
    {"a_strangers_handle_does_nothing", test_block__a_strangers_handle_does_nothing},
    {"give_moves_a_hold", test_block__give_moves_a_hold},
    {"ledger_grows_and_reuses", test_ledger__grows_and_reuses},
    {"ledger_clone", test_ledger__clone},
    {"ledger_any_entry_may_be_asked_about", test_ledger__any_entry_may_be_asked_about},
};

TESTLIB_MAIN_CHILD("family.block", cases, child)
