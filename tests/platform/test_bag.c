/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bag.c: kernel objects that are kept for the family. Those of this test are sentinels of its own: raised
 * through one handle, one is seen raised through any other of the same, and of no other.
 */
#include "platform/child.h"

#define COUNT 3

enum { RAISE_ALL, PUT_ONE, START_RAISER };

/* In the arena: what is in the bag, and who is the family's first process. */
struct common {
    mplat_bagged entry[COUNT + 1]; /* the last one is a child's */
    mplat_identity keeper;
};

_Static_assert(sizeof(struct common) <= sizeof(((child_shm *)0)->number), "it lies there");

static struct common *common(void)
{
    return (struct common *)(void *)shm->number;
}

static int put(size_t i, mplat_handle object)
{
    mplat_bagged *entry = &common()->entry[i];
    *entry = (mplat_bagged){.serial = i + 1, .owner = i};
    return mplat_bag_put(&child_arena.bag, entry, &common()->keeper, object.os);
}

static int get(size_t i, mplat_handle *ret_object)
{
    return mplat_bag_get(&child_arena.bag, &common()->entry[i], i % 2 == 0, &ret_object->os);
}

/** Raise what is in the bag; false: it could not be had. */
static bool raise_one(size_t i)
{
    mplat_handle copy = MPLAT_NO_HANDLE;
    bool is_there = get(i, &copy) == 0;
    if (is_there) {
        mplat_signal_raise(copy);
    }
    mplat_handle_close(copy);
    return is_there;
}

static bool is_raised(mplat_handle sentinel)
{
    size_t index;
    return mplat_sentinel_wait(&sentinel, 1, 0, &index) == 0;
}

/* ---- roles ----------------------------------------------------------------------------------- */

static int raise_all(unsigned me)
{
    (void)me;
    for (size_t i = 0; i < COUNT; i++) {
        CHILD_CHECK(raise_one(i));
    }
    return 0;
}

static int put_one(unsigned me)
{
    mplat_handle mine;
    (void)me;
    CHILD_CHECK(mplat_signal_make(&mine) == 0 && put(COUNT, mine) == 0);
    return 0;
}

static int start_raiser(unsigned me)
{
    mplat_child child;
    mplat_exit how;
    size_t index;
    CHILD_CHECK(child_start(RAISE_ALL, me + 1, &child) == 0);
    CHILD_CHECK(mplat_sentinel_wait(&child.sentinel, 1, child_deadline(), &index) == 0);
    CHILD_CHECK(mplat_process_reap(&child, &how) == 0);
    return how.code;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static mplat_handle sentinels[COUNT];

static void begin(void)
{
    child_found();
    common()->keeper = mplat_self();
    for (size_t i = 0; i < COUNT; i++) {
        CU_ASSERT_EQUAL_FATAL(mplat_signal_make(&sentinels[i]), 0);
        CU_ASSERT_EQUAL_FATAL(put(i, sentinels[i]), 0);
    }
}

static void end(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        mplat_handle_close(sentinels[i]);
        (void)mplat_bag_drop(&common()->entry[i]);
    }
    child_end();
}

static void test_bag__gives_copies_of_the_right_one(void)
{
    begin();
    for (size_t i = COUNT; i-- > 0;) {
        CU_ASSERT(!is_raised(sentinels[i]));
        CU_ASSERT(raise_one(i));
        CU_ASSERT(is_raised(sentinels[i]) && raise_one(i));
    }
    end();
}

static int32_t run(unsigned role)
{
    mplat_child child;
    CU_ASSERT_EQUAL_FATAL(child_start(role, 1, &child), 0);
    return child_join(&child);
}

static void test_bag__is_at_hand_in_all_generations(void)
{
    static const unsigned routes[] = {RAISE_ALL, START_RAISER};
    for (size_t i = 0; i < MPROC__COUNT(routes); i++) {
        begin();
        CU_ASSERT_EQUAL(run(routes[i]), 0);
        for (size_t k = 0; k < COUNT; k++) {
            CU_ASSERT(is_raised(sentinels[k]));
        }
        end();
    }
}

static void test_bag__keeps_what_the_dead_have_put(void)
{
    mplat_handle copy = MPLAT_NO_HANDLE;
    begin();
    CU_ASSERT_EQUAL(run(PUT_ONE), 0);
    CU_ASSERT_EQUAL_FATAL(get(COUNT, &copy), 0);
    CU_ASSERT(!is_raised(copy));
    mplat_signal_raise(copy);
    CU_ASSERT(is_raised(copy));
    mplat_handle_close(copy);
    (void)mplat_bag_drop(&common()->entry[COUNT]);
    end();
}

static size_t unwanted;

static bool is_wanted(uint64_t owner, uint64_t serial)
{
    CU_ASSERT_EQUAL(owner + 1, serial);
    return owner != unwanted;
}

/* Whichever it is; and what is left is as it was. */
static void test_bag__lets_go_of_the_unwanted(void)
{
    for (unwanted = 0; unwanted < COUNT; unwanted++) {
        begin();
        mplat_handle copy = MPLAT_NO_HANDLE;
        if (!mplat_bag_drop(&common()->entry[unwanted])) {
            CU_ASSERT_EQUAL(mplat_bag_sweep(&child_arena.bag, 0, is_wanted), 0);
            CU_ASSERT(raise_one(unwanted));
            CU_ASSERT_EQUAL(mplat_bag_sweep(&child_arena.bag, 1, is_wanted), 0);
        }
        (void)mplat_bag_drop(&common()->entry[unwanted]); // once more
        CU_ASSERT_EQUAL(mplat_bag_sweep(&child_arena.bag, UINT64_MAX, is_wanted), 0);
        CU_ASSERT_EQUAL(mplat_bag_mend(&child_arena.bag), 0);
        CU_ASSERT_EQUAL(get(unwanted, &copy), MPROC_ECORRUPT);
        for (size_t i = 0; i < COUNT; i++) {
            CU_ASSERT(i == unwanted || (raise_one(i) && is_raised(sentinels[i])));
        }
        end();
    }
}

static void test_bag__refuses_what_is_none(void)
{
    begin();
    mplat_handle object;
    CU_ASSERT_EQUAL(mplat_signal_make(&object), 0);
    mplat_handle_close(object);
    CU_ASSERT_EQUAL(put(COUNT, object), MPROC_EINVAL);
    end();
}

static void child_fn(int argc, char **argv)
{
    static const child_role roles[] = {raise_all, put_one, start_raiser};
    child_run(argc, argv, roles, sizeof(roles) / sizeof(roles[0]));
}

static const testlib_case cases[] = {
    {"gives_copies_of_the_right_one", test_bag__gives_copies_of_the_right_one},
    {"is_at_hand_in_all_generations", test_bag__is_at_hand_in_all_generations},
    {"keeps_what_the_dead_have_put", test_bag__keeps_what_the_dead_have_put},
    {"lets_go_of_the_unwanted", test_bag__lets_go_of_the_unwanted},
    {"refuses_what_is_none", test_bag__refuses_what_is_none},
};
TESTLIB_MAIN_CHILD("platform.bag", cases, child_fn)
