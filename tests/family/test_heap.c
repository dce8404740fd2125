/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_heap.c: runs of granules, spans, and the memory behind them; pages.c and heap.c.
 */
#include "family/block.h"
#include "family/check.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/heap.h"
#include "family/layout.h"
#include "family/pages.h"
#include "mproc/error.h"

#include <string.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)

static mproc__hold create(uint64_t size, bool is_zeroed)
{
    mproc__hold hold = {0, 0};
    CU_ASSERT_EQUAL_FATAL(mproc__block_create(MPROC__KIND_TEST, size, 0, is_zeroed, &hold), 0);
    return hold;
}

static uint64_t count_ready(void)
{
    uint64_t count = 0;
    mproc__family_lock();
    for (uint64_t i = 0; i < mproc__shm()->heap.top; i++) {
        count += mproc__page_at(i)->committed == MPROC__MEMORY_READY ? 1 : 0;
    }
    mproc__family_unlock();
    return count;
}

static void test_heap__blocks_of_all_sizes(void)
{
    const check_figures before = check_read();
    static const uint64_t around[] = {64,      128,      192,      512,       1024,
                                      4 * KIB, 32 * KIB, 64 * KIB, 128 * KIB, 1 * MIB};
    mproc__hold holds[10 * 5];
    size_t n = 0;
    for (size_t i = 0; i < 10; i++) {
        for (uint64_t d = 0; d < 5; d++) {
            uint64_t size = around[i] - 64 + d * 32 - (d == 4 ? 65 : 0);
            holds[n] = create(size, false);
            CU_ASSERT_EQUAL((uintptr_t)mproc__block_at(holds[n].offset) % 64, 0);
            CU_ASSERT_EQUAL(mproc__block_size(holds[n].offset), size);
            memset(mproc__block_at(holds[n].offset), (int)n, (size_t)size);
            n++;
        }
        CHECK_FAMILY();
    }
    for (size_t i = 0; i < n; i++) {
        const unsigned char *data = mproc__block_at(holds[i].offset);
        uint64_t size = mproc__block_size(holds[i].offset);
        uint64_t n_wrong = 0;
        for (uint64_t j = 0; j < size; j++) {
            n_wrong += data[j] != (unsigned char)i ? 1 : 0;
        }
        CU_ASSERT_EQUAL(n_wrong, 0);
        mproc__block_release(holds[i]);
    }
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_heap__random_order(void)
{
    enum { N = 300 };
    static mproc__hold holds[N];
    memset(holds, 0, sizeof(holds));
    const check_figures before = check_read();
    long rounds = testlib_count(6000, 200000);
    for (long i = 0; i < rounds; i++) {
        mproc__hold *hold = &holds[testlib_random() % N];
        if (hold->offset == 0) {
            uint32_t shift = testlib_random() % 18;
            *hold =
                create(testlib_random() % ((uint64_t)1 << shift) + 1, testlib_random() % 4 == 0);
        } else {
            mproc__block_release(*hold);
            hold->offset = 0;
        }
        if (i % (rounds / 50) == 0) {
            CHECK_FAMILY();
        }
    }
    for (size_t i = 0; i < N; i++) {
        if (holds[i].offset != 0) {
            mproc__block_release(holds[i]);
        }
    }
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_heap__a_span_fills_and_empties(void)
{
    enum { N = 2000 };
    static mproc__hold holds[N];
    const check_figures before = check_read();
    for (size_t i = 0; i < N; i++) {
        holds[i] = create(100, false);
    }
    CHECK_FAMILY();
    for (size_t i = 0; i < N; i += 2) {
        mproc__block_release(holds[i]);
    }
    CHECK_FAMILY();
    for (size_t i = 1; i < N; i += 2) {
        mproc__block_release(holds[i]);
    }
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_heap__zeroed_is_zero(void)
{
    static const uint64_t sizes[] = {100, 5000, 30000, 60000, 65472, 100000, 3 * MIB, 70 * MIB};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 8; i++) {
            mproc__hold hold = create(sizes[i], true);
            unsigned char *data = mproc__block_at(hold.offset);
            uint64_t n_wrong = 0;
            for (uint64_t j = 0; j < sizes[i]; j++) {
                n_wrong += data[j] != 0 ? 1 : 0;
            }
            CU_ASSERT_EQUAL(n_wrong, 0);
            memset(data, 0xff, (size_t)sizes[i]);
            mproc__block_release(hold);
        }
    }
    CHECK_FAMILY();
}

/* A bug once: `kept` was taken down for memory that had never been added to it, fell below zero, and
 * from then on every large block was given back to the system at once. */
static void test_heap__some_memory_is_kept(void)
{
    mproc__block_release(create(10 * MIB, false));
    uint64_t ready = count_ready();
    CHECK_FAMILY();
    CU_ASSERT(ready >= 160);
    mproc__block_release(create(10 * MIB, false));
    CU_ASSERT_EQUAL(count_ready(), ready);
}

/** How many granules may be kept. */
static uint64_t limit_of_kept(void)
{
    uint64_t part = mproc__shm()->heap.top / 4;
    return part > 512 ? part : 512;
}

static void test_heap__the_rest_is_given_back(void)
{
    mproc__hold hold = create(200 * MIB, false);
    CU_ASSERT(count_ready() >= 3200);
    CU_ASSERT(limit_of_kept() < 3200);
    mproc__block_release(hold);
    CU_ASSERT_EQUAL(mproc__shm()->heap.kept, limit_of_kept());
    CHECK_FAMILY();
}

/* A bug once: all of a block was given back, and taken anew, where a part of it was too much. */
static void test_heap__no_more_than_the_rest(void)
{
    mproc__hold first = create(64 * MIB, false);
    mproc__hold second = create(64 * MIB, false);
    mproc__block_release(first);
    mproc__block_release(second);
    CU_ASSERT_EQUAL(mproc__shm()->heap.kept, limit_of_kept());
    uint64_t ready = count_ready();
    mproc__block_release(create(8 * MIB, false));
    CU_ASSERT_EQUAL(count_ready(), ready);
    CHECK_FAMILY();
}

/* A bug once: runs added at the top were not joined with their free neighbours. */
static void test_heap__neighbours_join(void)
{
    struct mproc__heap_shm *heap = &mproc__shm()->heap;
    for (uint64_t size = 60 * KIB; size < 32 * MIB; size *= 2) {
        mproc__block_release(create(size, false));
    }
    CHECK_FAMILY();
    mproc__family_lock();
    uint64_t n_pairs = 0;
    for (uint64_t i = 0; i < heap->top;) {
        uint64_t state = mproc__page_at(i)->state;
        uint64_t length = (uint64_t)1 << mproc__page_order(state);
        uint64_t buddy = i ^ length;
        n_pairs += mproc__page_kind(state) == MPROC__RUN_FREE && buddy + length <= heap->top &&
                           mproc__page_at(buddy)->state == state
                       ? 1
                       : 0;
        i += length;
    }
    mproc__family_unlock();
    CU_ASSERT_EQUAL(n_pairs, 0);
}

static void test_heap__too_large_is_an_error(void)
{
    const check_figures before = check_read();
    mproc__hold hold;
    int rc = mproc__block_create(MPROC__KIND_TEST, mproc__shm()->size + 1, 0, false, &hold);
    CU_ASSERT_EQUAL(rc, MPROC_ENOSPC);
    rc = mproc__block_create(MPROC__KIND_TEST, UINT64_MAX, UINT32_MAX, false, &hold);
    CU_ASSERT_EQUAL(rc, MPROC_ENOSPC);
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static bool has_block(uint64_t offset)
{
    return mproc__heap_has_block(offset);
}

/* A bug once: a place in a span that had never been used passed for a block if what its granule held
 * before, another's payload, looked like one. */
static void test_heap__wild_references_are_none(void)
{
    const struct mproc__family_shm *shm = mproc__shm();
    mproc__hold large = create(60 * KIB, false);
    const struct mproc__block_shm *head = mproc__at(large.offset);
    uint64_t *words = mproc__block_at(large.offset);
    for (size_t i = 0; i < 60 * KIB / 8; i += 8) {
        words[i] = head->state; // what a living block's head begins with
    }
    uint64_t granule = mproc__granule_index(large.offset);
    mproc__block_release(large);
    mproc__hold holds[600];
    size_t n = 0;
    bool is_there = false;
    for (; n < 600 && !is_there; n++) {
        holds[n] = create(15000, false); // four to a span: one of them is on the same granule
        is_there = mproc__granule_index(holds[n].offset) == granule;
    }
    CU_ASSERT(is_there);
    uint64_t base = mproc__granule_offset(granule);
    uint64_t n_found = 0;
    for (uint64_t at = 0; at < MPROC__GRANULE; at += 8) {
        n_found += mproc__block_kind(base + at) != 0 ? 1 : 0;
    }
    CU_ASSERT_EQUAL(n_found, 1);
    while (n > 0) {
        mproc__block_release(holds[--n]);
    }
    CU_ASSERT_FALSE(has_block(0));
    CU_ASSERT_FALSE(has_block(64));
    CU_ASSERT_FALSE(has_block(shm->heap_at - 64));
    CU_ASSERT_FALSE(has_block(shm->size));
    CU_ASSERT_FALSE(has_block(shm->size - 64));
    CU_ASSERT_FALSE(has_block(UINT64_MAX));
    CU_ASSERT_FALSE(has_block(UINT64_MAX - 63));
    for (int i = 0; i < 100000; i++) {
        uint64_t wild = (uint64_t)testlib_random() << (testlib_random() % 32);
        uint32_t kind = mproc__block_kind(wild);
        CU_ASSERT(kind == 0 || kind == MPROC__KIND_TEST || kind == MPROC__KIND_LEDGER);
    }
}

static void child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    check_enter(2500);
}

static const testlib_case cases[] = {
    {"neighbours_join", test_heap__neighbours_join},
    {"some_memory_is_kept", test_heap__some_memory_is_kept},
    {"blocks_of_all_sizes", test_heap__blocks_of_all_sizes},
    {"random_order", test_heap__random_order},
    {"a_span_fills_and_empties", test_heap__a_span_fills_and_empties},
    {"zeroed_is_zero", test_heap__zeroed_is_zero},
    {"the_rest_is_given_back", test_heap__the_rest_is_given_back},
    {"no_more_than_the_rest", test_heap__no_more_than_the_rest},
    {"too_large_is_an_error", test_heap__too_large_is_an_error},
    {"wild_references_are_none", test_heap__wild_references_are_none},
};

TESTLIB_MAIN_CHILD("family.heap", cases, child)
