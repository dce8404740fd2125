/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kill.c: a process killed at each kill point of each operation: at its n-th hit, for n = 1, 2 ...
 * until the operation ends unharmed. Each time what it held is given back, the family is whole, and
 * nothing is left. stress/test_stepkill.c does the same at every instruction, where the system can.
 */
#include "family/block.h"
#include "family/check.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/member.h"
#include "family/ops.h"
#include "family/thread.h"
#include "family/victim.h"
#include "mproc/mproc.h"

#include <string.h>

#ifdef MPROC_KILLPOINTS

#define TRIM_BYTES ((uint64_t)10 << 20) /* in a run of 256 granules, half of what the heap keeps */
#define FILLER_BYTES ((uint64_t)15 << 20) /* in another one */

/* ---- victims --------------------------------------------------------------------------------- */

static int victim(const mproc_args *args)
{
    uint64_t shared;
    uint64_t place;
    int nth;
    CHILD_CHECK(mproc__family_enter() == 0 && MPROC_UNPACK(args, &shared, &place, &nth) == 0);
    victim_prepare(shared, place);
    victim_die_at(NULL, nth);
    ops_table[place].run(shared);
    victim_live();
    CHILD_CHECK(mproc__thread_enter(NULL) == 0);
    return 0;
}

/* ---- cases ----------------------------------------------------------------------------------- */

/* Let one victim die in an operation; its exit code. */
static int kill_one(uint64_t shared, uint64_t place, int nth)
{
    victim_set set = {.shared = shared, .place = place};
    mproc_process *process = victim_begin(&set, victim, MPROC_ARGS(shared, place, nth));
    int code = victim_join(process);
    victim_end(&set);
    return code;
}

static void test_kill__at_each_point(void)
{
    uint64_t shared = victim_share();
    const check_figures before = check_read();
#ifdef _WIN32 // a start takes ten times as long
    const int step = (int)testlib_count(131, 1);
    const int first = (int)testlib_count(12, 40);
#else
    const int step = (int)testlib_count(11, 1);
    const int first = 130;
#endif
    long kills = 0;
    for (uint64_t place = 0; place < ops_count; place++) {
        long killed = -1;
        int code = 1;
        // Everyday only the first of many are hit one by one.
        for (int nth = 1; code != 0 && nth < 100000; nth += nth < first ? 1 : step) {
            code = kill_one(shared, place, nth);
            killed++;
            CU_ASSERT_FATAL(code == 0 || code == -9 || code == -15); // SIGKILL; TerminateProcess
            const char *wrong = check_family();
            const check_figures now = check_read();
            if (wrong != NULL || memcmp(&now, &before, sizeof(now)) != 0) {
                printf("%s, killed at point %d: %s\n", ops_table[place].name, nth,
                       wrong != NULL ? wrong : "something is left");
                CU_FAIL_FATAL("a family that is not whole");
            }
        }
        CU_ASSERT_EQUAL(code, 0);
        printf("%s: %ld, ", ops_table[place].name, killed);
        kills += killed;
    }
    printf("%ld kills ... ", kills);
    CHECK_BACK_TO(before);
}

/* A bug once: memory whose return was begun counted as returned, and what was in it as zero. */
static int die_in_trim(const mproc_args *args)
{
    uint64_t shared;
    const char *point;
    mproc__hold hold;
    CHILD_CHECK(mproc__family_enter() == 0 && MPROC_UNPACK(args, &shared, &point) == 0);
    CHILD_CHECK(mproc__block_create(MPROC__KIND_TEST, TRIM_BYTES, 0, false, &hold) == 0);
    memset(mproc__block_at(hold.offset), 0xaa, TRIM_BYTES);
    victim_set_word(&victim_shm(shared)->progress, 1);
    victim_wait_for(&victim_shm(shared)->go, 1);
    victim_die_at(point, 1);
    mproc__block_release(hold);
    return 0;
}

static mproc__hold fill(uint64_t size, bool is_zeroed)
{
    mproc__hold hold = {0, 0};
    CU_ASSERT_EQUAL_FATAL(mproc__block_create(MPROC__KIND_TEST, size, 0, is_zeroed, &hold), 0);
    return hold;
}

/* The heap keeps so much that the victim gives its block's memory back, and when the victim is buried so
 * little that its block is kept as it is. */
static void check_zero(uint64_t shared, const char *point)
{
    enum { N = 4 };
    mproc__hold fillers[N];
    const check_figures before = check_read();
    *victim_shm(shared) = (struct victim_shm){0};
    mproc_process *process = victim_start(die_in_trim, MPROC_ARGS(shared, point));
    victim_wait_for(&victim_shm(shared)->progress, 1);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++) {
            fillers[i] = fill(FILLER_BYTES, false);
        }
        if (round == 0) {
            for (int i = 0; i < N; i++) {
                mproc__block_release(fillers[i]);
            }
            CU_ASSERT(mproc__shm()->heap.kept > 256);
            victim_set_word(&victim_shm(shared)->go, 1);
            size_t unused;
            CU_ASSERT_EQUAL(mproc_process_wait_any(&process, 1, mproc_seconds(60), &unused), 0);
        }
    }
    CU_ASSERT(mproc__shm()->heap.kept <= 256);
    CU_ASSERT_NOT_EQUAL(victim_join(process), 0);
    CHECK_FAMILY();
    mproc__hold hold = fill(TRIM_BYTES, true);
    const unsigned char *data = mproc__block_at(hold.offset);
    uint64_t n_wrong = 0;
    for (uint64_t i = 0; i < TRIM_BYTES; i++) {
        n_wrong += data[i] != 0 ? 1 : 0;
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
    mproc__block_release(hold);
    for (int i = 0; i < N; i++) {
        mproc__block_release(fillers[i]);
    }
    CHECK_FAMILY();
    CHECK_BACK_TO(before);
}

static void test_kill__zeroed_means_zero_after_a_kill(void)
{
    uint64_t shared = victim_share();
    check_zero(shared, "pages.unsure");
    check_zero(shared, "pages.discarded");
}

/* A bug once: the hint that there are orphans was cleared first, and lost with who swept. */
static int die_in_sweep(const mproc_args *args)
{
    uint64_t shared;
    int nth;
    CHILD_CHECK(mproc__family_enter() == 0 && MPROC_UNPACK(args, &shared, &nth) == 0);
    victim_wait_for(&victim_shm(shared)->go, 1);
    victim_die_at(NULL, nth);
    mproc__member_sweep();
    victim_live();
    return 0;
}

static void test_kill__a_sweep_is_not_lost(void)
{
    int code = 1;
    uint64_t shared = victim_share();
    for (int nth = 1; code != 0 && nth < 2000; nth++) {
        mproc__member_sweep();
        *victim_shm(shared) = (struct victim_shm){0};
        const check_figures before = check_read();
        mproc__member_id parent;
        mproc__member_id child;
        mproc_process *sweeper = victim_start(die_in_sweep, MPROC_ARGS(shared, nth));
        CU_ASSERT_EQUAL_FATAL(mproc__member_new(mproc__self_id(), "parent", &parent), 0);
        CU_ASSERT_EQUAL_FATAL(mproc__member_new(parent, "orphan", &child), 0);
        mproc__member_bury(parent);
        mproc__member_free(parent);
        victim_set_word(&victim_shm(shared)->go, 1);
        code = victim_join(sweeper);
        mproc__member_sweep();
        CHECK_BACK_TO(before);
        CHECK_FAMILY();
    }
    CU_ASSERT_EQUAL(code, 0);
}

#else

static void skip(void)
{
    testlib_skip("the library was built without MPROC_KILLPOINTS");
}
#define test_kill__at_each_point skip
#define test_kill__zeroed_means_zero_after_a_kill skip
#define test_kill__a_sweep_is_not_lost skip

#endif

static void child(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
}

static const testlib_case cases[] = {
    {"at_each_point", test_kill__at_each_point},
    {"zeroed_means_zero_after_a_kill", test_kill__zeroed_means_zero_after_a_kill},
    {"a_sweep_is_not_lost", test_kill__a_sweep_is_not_lost},
};

TESTLIB_MAIN_CHILD("family.kill", cases, child)
