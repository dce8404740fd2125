/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_storm.c: processes that share the arena are killed at random instants, again and again.
 *
 * Each worker makes, fills, shares, gives and releases blocks, and looks whether what it has written is
 * still there. The test kills one after the other, buries it, walks over the family, and starts another.
 * In the end everything must be back where it was.
 */
#include "base/atomic.h"
#include "family/block.h"
#include "family/check.h"
#include "family/family.h"
#include "family/member.h"
#include "family/victim.h"

#include <string.h>

#define N_WORKERS 4
#define N_COMMON 8
#define N_OWN 40

struct storm_shm {
    uint32_t stop;
    uint32_t n_operations;     /* all workers'; the test waits on it */
    uint64_t longest_ns;       /* the longest operation of a survivor */
    uint64_t common[N_COMMON]; /* blocks that the test holds */
};

/* ---- a worker --------------------------------------------------------------------------------- */

/* A block that a worker holds, and what it has filled it with. */
typedef struct own {
    mproc__hold hold;
    unsigned char pattern; /* 0: none, it is a common one */
} own;

static own owns[N_OWN];
static uint32_t seed;

static uint64_t random_size(void)
{
    return testlib_next(&seed) % ((uint64_t)1 << (6 + testlib_next(&seed) % 13)) + 1;
}

static void drop(own *o)
{
    const unsigned char *data = mproc__block_at(o->hold.offset);
    uint64_t size = mproc__block_size(o->hold.offset);
    for (uint64_t i = 0; o->pattern != 0 && i < size; i += 1 + size / 64) {
        CHILD_CHECK(data[i] == o->pattern);
    }
    mproc__block_release(o->hold);
    *o = (own){0};
}

static void make(own *o, const struct storm_shm *shm)
{
    uint64_t size = random_size();
    uint32_t n_references = testlib_next(&seed) % 4;
    bool is_zeroed = testlib_next(&seed) % 2 == 0;
    CHILD_CHECK(mproc__block_create(MPROC__KIND_TEST, size, n_references, is_zeroed, &o->hold) ==
                0);
    unsigned char *data = mproc__block_at(o->hold.offset);
    for (uint64_t i = 0; is_zeroed && i < size; i++) {
        CHILD_CHECK(data[i] == 0);
    }
    o->pattern = (unsigned char)(testlib_next(&seed) | 1);
    memset(data, o->pattern, (size_t)size);
    for (uint32_t i = 0; i < n_references; i++) {
        const own *other = &owns[testlib_next(&seed) % N_OWN];
        uint64_t what = other->hold.offset != 0 && other->hold.offset != o->hold.offset && other < o
                            ? other->hold.offset
                            : shm->common[testlib_next(&seed) % N_COMMON];
        CHILD_CHECK(mproc__block_embed(o->hold.offset, what) == 0);
    }
}

/* A member that never comes to life: given something, buried, and freed. */
static void give(own *o)
{
    mproc__member_id id;
    CHILD_CHECK(mproc__member_new(mproc__self_id(), "storm", &id) == 0);
    CHILD_CHECK(mproc__block_give(o->hold, id) == 0);
    mproc__member_bury(id);
    mproc__member_free(id);
    *o = (own){0};
}

static void operate(const struct storm_shm *shm)
{
    own *o = &owns[testlib_next(&seed) % N_OWN];
    if (o->hold.offset == 0) {
        if (testlib_next(&seed) % 3 == 0) {
            CHILD_CHECK(
                mproc__block_attach(shm->common[testlib_next(&seed) % N_COMMON], &o->hold) == 0);
        } else {
            make(o, shm);
        }
    } else if (testlib_next(&seed) % 8 == 0) {
        give(o);
    } else {
        drop(o);
    }
}

static void note_time(uint64_t *longest, uint64_t took)
{
    uint64_t seen = mproc__load64_relaxed(longest);
    while (seen < took && !mproc__cas64(longest, &seen, took)) {
    }
}

static int work(const mproc_args *args)
{
    uint64_t shared;
    CHILD_CHECK(mproc__family_enter() == 0 && MPROC_UNPACK(args, &shared, &seed) == 0);
    struct storm_shm *shm = mproc__block_at(shared);
    while (mproc__load32_acquire(&shm->stop) == 0) {
        int64_t begin = mplat_now();
        operate(shm);
        note_time(&shm->longest_ns, (uint64_t)(mplat_now() - begin));
        (void)mproc__add32(&shm->n_operations, 1);
        (void)mplat_wake(&shm->n_operations, INT32_MAX);
    }
    for (int i = 0; i < N_OWN; i++) {
        if (owns[i].hold.offset != 0) {
            drop(&owns[i]);
        }
    }
    return 0;
}

/* ---- the test --------------------------------------------------------------------------------- */

static mproc_process *start_worker(uint64_t shared)
{
    return victim_start(work, MPROC_ARGS(shared, testlib_random() | 1));
}

/* Wait until so many more operations have been done. */
static void let_work(struct storm_shm *shm, uint32_t count)
{
    int64_t limit = testlib_now() + (int64_t)60 * 1000000000;
    uint32_t first = mproc__load32_acquire(&shm->n_operations);
    for (;;) {
        uint32_t seen = mproc__load32_acquire(&shm->n_operations);
        if (seen - first >= count) {
            return;
        }
        CU_ASSERT_FATAL(testlib_now() < limit);
        (void)mplat_wait(&shm->n_operations, seen, mplat_now() + 50000000, NULL, NULL);
    }
}

/** How many kills it were. */
static long storm(uint64_t shared, long n_kills)
{
    struct storm_shm *shm = mproc__block_at(shared);
    mproc_process *workers[N_WORKERS];
    for (int i = 0; i < N_WORKERS; i++) {
        workers[i] = start_worker(shared);
    }
    long n_killed = 0;
    for (; testlib_goes_on(n_killed, n_kills); n_killed++) {
        uint32_t which = testlib_random() % N_WORKERS;
        let_work(shm, testlib_random() % 60);
        CU_ASSERT_EQUAL(mproc_process_kill(workers[which]), 0);
        int code = victim_join(workers[which]);
        CU_ASSERT(code == -9 || code == -15); // SIGKILL; TerminateProcess
        const char *wrong = check_family();
        if (wrong != NULL) {
            printf("kill %ld: %s ... ", n_killed, wrong);
            CU_FAIL_FATAL("a family that is not whole");
        }
        workers[which] = start_worker(shared);
    }
    mproc__store32_release(&shm->stop, 1);
    for (int i = 0; i < N_WORKERS; i++) {
        CU_ASSERT_EQUAL(victim_join(workers[i]), 0);
    }
    return n_killed;
}

static void test_storm__random_kills(void)
{
    mproc__hold shared;
    check_widen(300);
    CU_ASSERT_EQUAL_FATAL(
        mproc__block_create(MPROC__KIND_TEST, sizeof(struct storm_shm), 0, true, &shared), 0);
    struct storm_shm *shm = mproc__block_at(shared.offset);
    for (int i = 0; i < N_COMMON; i++) {
        mproc__hold common;
        CU_ASSERT_EQUAL_FATAL(mproc__block_create(MPROC__KIND_TEST, 1000, 0, true, &common), 0);
        shm->common[i] = common.offset;
    }
    const check_figures before = check_read();
    long n_kills = testlib_count(100, 10000);
    n_kills = storm(shared.offset, n_kills);
    printf("%ld kills, %u operations, the longest %.1f ms ... ", n_kills, shm->n_operations,
           (double)shm->longest_ns / 1e6);
    mproc__member_sweep();
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void child(int argc, char **argv)
{
    if (mproc_main(argc, argv) < 0) {
        exit(EXIT_FAILURE);
    }
}

static const testlib_case cases[] = {
    {"random_kills", test_storm__random_kills},
};

TESTLIB_MAIN_CHILD("stress.storm", cases, child)
