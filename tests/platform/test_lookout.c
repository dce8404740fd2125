/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lookout.c: waiting for handles, and having them looked after meanwhile.
 */
#include "base/atomic.h"
#include "base/compiler.h"
#include "platform.h"
#include "support/testlib.h"

#include <string.h>
#ifdef _WIN32
#include <windows.h>
#endif

#define MANY 200
#define BRIEF ((int64_t)20000000)

static mplat_handle handles[MANY];
static bool ready[MANY];

static void make_handles(size_t count)
{
    memset(ready, 0, sizeof(ready));
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL_FATAL(mplat_signal_make(&handles[i]), 0);
    }
}

static void close_handles(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mplat_handle_close(handles[i]);
    }
}

/** Every step-th is marked; 0: none. */
static void check_ready(size_t count, size_t step)
{
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(ready[i], step != 0 && i % step == 0);
    }
}

static void wait_for_some(size_t count)
{
    make_handles(count);
    CU_ASSERT_EQUAL(mplat_handles_wait(handles, count, 0, ready), 0);
    CU_ASSERT_EQUAL(mplat_handles_wait(handles, count, mplat_now() + BRIEF, ready), 0);
    check_ready(count, 0);
    for (size_t i = 0; i < count; i += 3) {
        mplat_signal_raise(handles[i]);
    }
    CU_ASSERT_EQUAL(mplat_handles_wait(handles, count, INT64_MAX, ready), (int)(count + 2) / 3);
    check_ready(count, 3);
    close_handles(count);
}

static void test_lookout__all_that_are_ready_are_marked(void)
{
    wait_for_some(1);
    wait_for_some(64);
    wait_for_some(65);
    wait_for_some(MANY);
}

static void test_lookout__refuses_a_closed_handle(void)
{
    make_handles(3);
    mplat_handle_close(handles[1]);
    CU_ASSERT_EQUAL(mplat_handles_wait(handles, 3, 0, ready), MPROC_EINVAL);
    mplat_handle_close(handles[0]);
    mplat_handle_close(handles[2]);
}

static void count_call(void *arg)
{
    uint32_t *calls = arg;
    (void)mproc__add32(calls, 1);
}

/** Wait, without sleeping, until a lookout has called. */
static void await_call(uint32_t *calls)
{
    int64_t limit = mplat_now() + (int64_t)60000000000;
    while (mproc__load32_acquire(calls) == 0 && mplat_now() < limit) {
    }
}

static void look_out_for(size_t count, size_t raised)
{
    uint32_t calls = 0;
    mplat_lookout *lookout = NULL;
    make_handles(count);
    CU_ASSERT_EQUAL_FATAL(mplat_lookout_begin(handles, count, count_call, &calls, &lookout), 0);
    CU_ASSERT_FALSE(mplat_lookout_is_over(lookout));
    mplat_signal_raise(handles[raised]);
    await_call(&calls);
    CU_ASSERT(mplat_lookout_is_over(lookout));
    mplat_lookout_end(lookout, ready);
    CU_ASSERT_EQUAL(calls, 1);
    CU_ASSERT(mplat_handles_wait(handles, count, 0, ready) >= 0);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(ready[i], i == raised);
    }
    close_handles(count);
}

static void test_lookout__calls_once(void)
{
    look_out_for(1, 0);
    look_out_for(64, 63);
    look_out_for(MANY, 101);
}

static void test_lookout__finds_what_was_ready_before(void)
{
    uint32_t calls = 0;
    mplat_lookout *lookout = NULL;
    make_handles(2);
    mplat_signal_raise(handles[1]);
    CU_ASSERT_EQUAL_FATAL(mplat_lookout_begin(handles, 2, count_call, &calls, &lookout), 0);
    await_call(&calls);
    mplat_lookout_end(lookout, ready);
    CU_ASSERT_EQUAL(calls, 1);
    close_handles(2);
}

/** Ended before anything is ready, it never calls, and leaves no thread. */
static void test_lookout__ends_in_vain(void)
{
    uint32_t calls = 0;
    make_handles(MANY);
    for (size_t i = 0; i < 50; i++) {
        mplat_lookout *lookout = NULL;
        CU_ASSERT_EQUAL_FATAL(mplat_lookout_begin(handles, 1 + i * 3, count_call, &calls, &lookout),
                              0);
        mplat_lookout_end(lookout, ready);
    }
    check_ready(MANY, 0);
    CU_ASSERT_EQUAL(calls, 0);
#if !defined(_WIN32) && !defined(__SANITIZE_THREAD__)
    CU_ASSERT_FALSE(mplat_has_threads());
#endif
    close_handles(MANY);
    mplat_lookout_end(NULL, NULL);
}

/** Windows: whoever finds an automatic event set takes that, and says so. */
static void test_lookout__what_is_taken_is_told(void)
{
#ifdef _WIN32
    uint32_t calls = 0;
    mplat_lookout *lookout = NULL;
    memset(ready, 0, sizeof(ready));
    for (size_t i = 0; i < 70; i++) {
        handles[i] = (mplat_handle){(intptr_t)CreateEventW(NULL, FALSE, i % 10 == 0, NULL)};
    }
    CU_ASSERT_EQUAL(mplat_handles_wait(handles, 70, INT64_MAX, ready), 7);
    check_ready(70, 10);
    memset(ready, 0, sizeof(ready));
    CU_ASSERT_EQUAL(mplat_handles_wait(handles, 70, 0, ready), 0);
    CU_ASSERT_EQUAL_FATAL(mplat_lookout_begin(handles, 70, count_call, &calls, &lookout), 0);
    CU_ASSERT(SetEvent((HANDLE)handles[30].os));
    await_call(&calls);
    CU_ASSERT_EQUAL(mplat_handles_wait(handles, 70, 0, ready), 0); // the lookout has it
    mplat_lookout_end(lookout, ready);
    for (size_t i = 0; i < 70; i++) {
        CU_ASSERT_EQUAL(ready[i], i == 30);
    }
    close_handles(70);
#else
    testlib_skip("to look takes nothing on this system");
#endif
}

static const testlib_case cases[] = {
    {"all_that_are_ready_are_marked", test_lookout__all_that_are_ready_are_marked},
    {"refuses_a_closed_handle", test_lookout__refuses_a_closed_handle},
    {"calls_once", test_lookout__calls_once},
    {"finds_what_was_ready_before", test_lookout__finds_what_was_ready_before},
    {"ends_in_vain", test_lookout__ends_in_vain},
    {"what_is_taken_is_told", test_lookout__what_is_taken_is_told},
};
TESTLIB_MAIN("platform.lookout", cases)
