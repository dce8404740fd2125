/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_doorbell.c: ends that are rung, hushed, and left by the last one who had the other.
 */
#include "object/native.h"

#define LIMIT_MS 60000

static void make(mplat_handle *ends)
{
    CU_ASSERT_EQUAL_FATAL(mplat_init(), 0);
    CU_ASSERT_EQUAL_FATAL(mplat_doorbell_make(ends), 0);
}

static bool is_readable(mplat_handle end)
{
    return native_poll(end.os, 0);
}

static bool await_readable(mplat_handle end)
{
    return native_poll(end.os, LIMIT_MS);
}

static void test_doorbell__is_rung_and_hushed(void)
{
    mplat_handle ends[2];
    make(ends);
    CU_ASSERT(!native_is_inherited(ends[0].os) && !native_is_inherited(ends[1].os));
    for (int i = 0; i < 4; i++) {
        mplat_handle here = ends[i % 2];
        mplat_handle there = ends[1 - i % 2];
        CU_ASSERT(!is_readable(here) && !is_readable(there));
        CU_ASSERT_EQUAL(mplat_doorbell_hush(there), 0);
        CU_ASSERT_EQUAL(mplat_doorbell_ring(here), 0);
        CU_ASSERT(await_readable(there) && is_readable(there) && !is_readable(here));
        CU_ASSERT_EQUAL(mplat_doorbell_ring(here), 0);
        CU_ASSERT_EQUAL(mplat_doorbell_hush(there), 0);
    }
    mplat_doorbell_close(ends[0]);
    mplat_doorbell_close(ends[1]);
    mplat_doorbell_close(MPLAT_NO_HANDLE);
}

static void test_doorbell__can_be_rung_without_end(void)
{
    mplat_handle ends[2];
    make(ends);
    for (int i = 0; i < 2000; i++) {
        CU_ASSERT_EQUAL(mplat_doorbell_ring(ends[0]), 0);
    }
    CU_ASSERT(await_readable(ends[1]));
    do {
        CU_ASSERT_EQUAL(mplat_doorbell_hush(ends[1]), 0);
    } while (is_readable(ends[1]));
    CU_ASSERT_EQUAL(mplat_doorbell_ring(ends[0]), 0);
    CU_ASSERT(await_readable(ends[1]));
    mplat_doorbell_close(ends[0]);
    mplat_doorbell_close(ends[1]);
}

static void test_doorbell__tells_when_nobody_has_the_other_end(void)
{
    for (int i = 0; i < 4; i++) {
        mplat_handle ends[2];
        make(ends);
        if (i == 1 || i == 3) { // what was not heard is in nobody's way
            CU_ASSERT_EQUAL(mplat_doorbell_ring(ends[0]), 0);
        }
        if (i >= 2) {
            CU_ASSERT_EQUAL(mplat_doorbell_ring(ends[1]), 0);
            CU_ASSERT(await_readable(ends[0]));
        }
        mplat_doorbell_close(ends[0]);
        CU_ASSERT(await_readable(ends[1]));
        int64_t limit =
            mplat_now() + (int64_t)60 * 1000000000; // the end comes behind the last ring
        while (mplat_doorbell_hush(ends[1]) == 0 && mplat_now() < limit) {
        }
        CU_ASSERT_EQUAL(mplat_doorbell_hush(ends[1]), MPROC_ECLOSED);
        CU_ASSERT_EQUAL(mplat_doorbell_hush(ends[1]), MPROC_ECLOSED);
        CU_ASSERT(is_readable(ends[1]));
        while (mplat_doorbell_ring(ends[1]) == 0 && mplat_now() < limit) {
        }
        CU_ASSERT_EQUAL(mplat_doorbell_ring(ends[1]), MPROC_EPEER);
        mplat_doorbell_close(ends[1]);
    }
}

static const testlib_case cases[] = {
    {"is_rung_and_hushed", test_doorbell__is_rung_and_hushed},
    {"can_be_rung_without_end", test_doorbell__can_be_rung_without_end},
    {"tells_when_nobody_has_the_other_end", test_doorbell__tells_when_nobody_has_the_other_end},
};

TESTLIB_MAIN("platform.doorbell", cases)
