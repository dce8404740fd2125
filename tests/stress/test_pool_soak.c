/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pool_soak.c: ten million tasks of random length, mostly short ones, and a worker killed every 50 ms; or as
 * many as there are in the time that it may take (MPROC_STRESS_SECONDS).
 *
 * Each task ends exactly once, as in test_pool_storm.c, and memory is flat: once the pool is in full swing, neither
 * this process nor the arena grows any more.
 */
#include "stress/pool_storm.h"

/* What may come and go: ledgers of members that have ended, parcels, a free list of the C library's. */
#define SLACK ((int64_t)2 << 20)
#define SLACK_BLOCKS 200

struct memory {
    int64_t own; /* 0: unknown */
    mproc_arena_stats arena;
};

static struct memory look_at_memory(void)
{
    struct memory now = {.own = HAS_SANITIZER ? 0 : mplat_memory_now()};
    CU_ASSERT_EQUAL(mproc_arena_get_stats(&now.arena), MPROC_OK);
    return now;
}

static void check_flat(const struct memory *early, const struct memory *late)
{
    printf(
        "memory %lld -> %lld KiB, arena %zu -> %zu KiB in %zu -> %zu blocks, %zu -> %zu taken ... ",
        (long long)early->own >> 10, (long long)late->own >> 10, early->arena.live_bytes >> 10,
        late->arena.live_bytes >> 10, early->arena.live_blocks, late->arena.live_blocks,
        early->arena.committed_bytes >> 10, late->arena.committed_bytes >> 10);
    CU_ASSERT(late->own < early->own + SLACK);
    CU_ASSERT((int64_t)late->arena.live_bytes < (int64_t)early->arena.live_bytes + SLACK);
    CU_ASSERT((int64_t)late->arena.committed_bytes < (int64_t)early->arena.committed_bytes + SLACK);
    CU_ASSERT(late->arena.live_blocks < early->arena.live_blocks + SLACK_BLOCKS);
}

static bool goes_on(uint32_t done, uint32_t wanted)
{
    bool is_timed = getenv("MPROC_STRESS_SECONDS") != NULL;
    return is_timed ? !testlib_time_is_up() : done < wanted;
}

static void test_soak__memory_is_flat(void)
{
    belongings before = take_stock_after_one();
    uint32_t n_tasks = (uint32_t)testlib_count(20000, 10000000);
    struct storm storm = make_storm(4000);
    struct memory early = {0};
    int64_t begin = mplat_now();
    int64_t next_kill = begin;
    uint32_t n_killed = 0;
    // Full swing: a tenth of an everyday run, and all workers have been replaced.
    for (uint32_t i = 0; early.arena.live_blocks == 0 || goes_on(i, n_tasks); i++) {
        storm.most_ns = i % 1000 == 0 ? 1000000 : 4000;
        step(&storm);
        if (i % 16 == 0 && mplat_now() >= next_kill) {
            next_kill += mproc_milliseconds(50);
            n_killed += kill_one_of(storm.pool) ? 1 : 0;
        }
        if (early.arena.live_blocks == 0 && i >= n_tasks / 10 && n_killed > 2) {
            early = look_at_memory();
        }
    }
    struct memory late = look_at_memory();
    end_storm(&storm);
    CU_ASSERT_EQUAL(storm.n_harvested, storm.n_submitted);
    printf("%u tasks in %.0f s, %u kills, %u reported ... ", storm.n_submitted,
           (double)(mplat_now() - begin) / 1e9, n_killed, storm.n_reported);
    check_flat(&early, &late);
    check_stock(&before);
}

static const testlib_case cases[] = {
    {"memory_is_flat", test_soak__memory_is_flat},
};
PROCESS_TEST_MAIN("stress.pool_soak", cases)
