/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_memory.c: the arena: reserved whole, committed bit by bit, shared with children.
 */
#include "platform/child.h"

#define PIECE ((uint64_t)256 << 10)

enum { CHECK_AND_WRITE, COMMIT_MORE };

static void fill(uint64_t at, uint64_t size, char byte)
{
    memset(child_arena.base + at, byte, (size_t)size);
}

static bool is_all(uint64_t at, uint64_t size, char byte)
{
    bool same = true;
    for (uint64_t i = 0; i < size && same; i++) {
        same = child_arena.base[at + i] == byte;
    }
    return same;
}

/* ---- roles ----------------------------------------------------------------------------------- */

static int check_and_write(unsigned me)
{
    (void)me;
    CHILD_CHECK(child_boot.arena_size == CHILD_ARENA_BYTES);
    CHILD_CHECK(child_arena.size == CHILD_ARENA_BYTES);
    CHILD_CHECK(is_all(CHILD_FREE_BYTES, PIECE, 'p'));
    fill(CHILD_FREE_BYTES, PIECE, 'c');
    // Committed by the parent after this process had mapped the arena.
    child_say_ready();
    CHILD_CHECK(child_wait_for(&shm->go, 1));
    CHILD_CHECK(is_all(2 * CHILD_FREE_BYTES, PIECE, 'q'));
    return 0;
}

static int commit_more(unsigned me)
{
    (void)me;
    CHILD_CHECK(mplat_arena_commit(&child_arena, 3 * CHILD_FREE_BYTES, PIECE) == 0);
    CHILD_CHECK(is_all(3 * CHILD_FREE_BYTES, PIECE, 0));
    fill(3 * CHILD_FREE_BYTES, PIECE, 'm');
    return 0;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void test_memory__arena_is_whole_and_zero(void)
{
    uint64_t page = mplat_get_facts()->page_bytes;
    mplat_arena arena;
    CU_ASSERT_EQUAL_FATAL(mplat_arena_create(CHILD_ARENA_BYTES, page, &arena), 0);
    CU_ASSERT_EQUAL(arena.size, CHILD_ARENA_BYTES);
    CU_ASSERT_EQUAL((uintptr_t)arena.base % page, 0);
    CU_ASSERT_EQUAL_FATAL(mplat_arena_commit(&arena, CHILD_ARENA_BYTES - page, page), 0);
    for (uint64_t i = CHILD_ARENA_BYTES - page; i < CHILD_ARENA_BYTES; i++) {
        CU_ASSERT_EQUAL_FATAL(arena.base[i], 0);
    }
    mplat_arena_detach(&arena);
    CU_ASSERT_PTR_NULL(arena.base);
}

static void test_memory__recommended_size_can_be_reserved(void)
{
    uint64_t size = mplat_get_facts()->reserve_bytes;
    mplat_arena arena;
    CU_ASSERT_EQUAL(size & (size - 1), 0);
    CU_ASSERT_EQUAL_FATAL(mplat_arena_create(size, size / 1024, &arena), 0);
    CU_ASSERT(arena.size >= size / 1024 && arena.size <= size);
    mplat_arena_detach(&arena);
}

static void test_memory__too_large_fails(void)
{
    const uint64_t giant = (uint64_t)1 << 60;
    mplat_arena arena;
    CU_ASSERT_EQUAL(mplat_arena_create(giant, giant, &arena), MPROC_ENOMEM);
    CU_ASSERT(strlen(mproc_last_error()) > 0);
}

static void test_memory__too_large_becomes_smaller(void)
{
#ifdef _WIN32
    if (testlib_count(0, 1) == 0) {
        testlib_skip("to map the greatest possible arena takes ten seconds under Wine");
        return;
    }
#endif
    const uint64_t giant = (uint64_t)1 << 60;
    mplat_arena arena;
    CU_ASSERT_EQUAL_FATAL(mplat_arena_create(giant, CHILD_ARENA_BYTES, &arena), 0);
    CU_ASSERT(arena.size >= CHILD_ARENA_BYTES && arena.size < giant);
    CU_ASSERT_EQUAL(arena.size & (arena.size - 1), 0);
    mplat_arena_detach(&arena);
}

static void test_memory__commit_is_idempotent(void)
{
    child_found();
    CU_ASSERT_EQUAL(mplat_arena_commit(&child_arena, CHILD_FREE_BYTES, PIECE), 0);
    fill(CHILD_FREE_BYTES, PIECE, 'x');
    CU_ASSERT_EQUAL(mplat_arena_commit(&child_arena, CHILD_FREE_BYTES, 2 * PIECE), 0);
    CU_ASSERT(is_all(CHILD_FREE_BYTES, PIECE, 'x'));
    CU_ASSERT(is_all(CHILD_FREE_BYTES + PIECE, PIECE, 0));
    child_end();
}

static void test_memory__discarded_comes_back_zero(void)
{
    child_found();
    CU_ASSERT_EQUAL(mplat_arena_commit(&child_arena, CHILD_FREE_BYTES, 3 * PIECE), 0);
    fill(CHILD_FREE_BYTES, 3 * PIECE, 'x');
    mplat_arena_discard(&child_arena, CHILD_FREE_BYTES + PIECE, PIECE);
    CU_ASSERT_EQUAL(mplat_arena_commit(&child_arena, CHILD_FREE_BYTES + PIECE, PIECE), 0);
    CU_ASSERT(is_all(CHILD_FREE_BYTES, PIECE, 'x'));
    CU_ASSERT(is_all(CHILD_FREE_BYTES + PIECE, PIECE, 0));
    CU_ASSERT(is_all(CHILD_FREE_BYTES + 2 * PIECE, PIECE, 'x'));
    fill(CHILD_FREE_BYTES + PIECE, PIECE, 'y');
    CU_ASSERT(is_all(CHILD_FREE_BYTES + PIECE, PIECE, 'y'));
    child_end();
}

static void test_memory__child_shares_it(void)
{
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(mplat_arena_commit(&child_arena, CHILD_FREE_BYTES, PIECE), 0);
    fill(CHILD_FREE_BYTES, PIECE, 'p');
    CU_ASSERT_EQUAL_FATAL(child_start(CHECK_AND_WRITE, 1, &child), 0);
    CU_ASSERT(child_wait_for(&shm->ready, 1));
    CU_ASSERT(is_all(CHILD_FREE_BYTES, PIECE, 'c'));
    CU_ASSERT_EQUAL(mplat_arena_commit(&child_arena, 2 * CHILD_FREE_BYTES, PIECE), 0);
    fill(2 * CHILD_FREE_BYTES, PIECE, 'q');
    child_set(&shm->go, 1);
    CU_ASSERT_EQUAL(child_join(&child), 0);
    child_end();
}

static void test_memory__what_a_child_commits_is_everybodys(void)
{
    child_found();
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(COMMIT_MORE, 1, &child), 0);
    CU_ASSERT_EQUAL(child_join(&child), 0);
    CU_ASSERT(is_all(3 * CHILD_FREE_BYTES, PIECE, 'm'));
    fill(3 * CHILD_FREE_BYTES, PIECE, 'n');
    child_end();
}

static void child_fn(int argc, char **argv)
{
    static const child_role roles[] = {check_and_write, commit_more};
    child_run(argc, argv, roles, sizeof(roles) / sizeof(roles[0]));
}

static const testlib_case cases[] = {
    {"arena_is_whole_and_zero", test_memory__arena_is_whole_and_zero},
    {"recommended_size_can_be_reserved", test_memory__recommended_size_can_be_reserved},
    {"too_large_fails", test_memory__too_large_fails},
    {"too_large_becomes_smaller", test_memory__too_large_becomes_smaller},
    {"commit_is_idempotent", test_memory__commit_is_idempotent},
    {"discarded_comes_back_zero", test_memory__discarded_comes_back_zero},
    {"child_shares_it", test_memory__child_shares_it},
    {"what_a_child_commits_is_everybodys", test_memory__what_a_child_commits_is_everybodys},
};
TESTLIB_MAIN_CHILD("platform.memory", cases, child_fn)
