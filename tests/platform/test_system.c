/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_system.c: facts, the clock, the names of errors, processors, the end of threads.
 */
#include "platform/child.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#ifndef _WIN32
#include <pthread.h>
#include <signal.h>
#endif

static void test_system__init_is_idempotent(void)
{
    CU_ASSERT_EQUAL(mplat_init(), 0);
    const mplat_facts *facts = mplat_get_facts();
    uint64_t reserve = facts->reserve_bytes;
    CU_ASSERT_EQUAL(mplat_init(), 0);
    CU_ASSERT_PTR_EQUAL(mplat_get_facts(), facts);
    CU_ASSERT_EQUAL(facts->reserve_bytes, reserve);
}

static void test_system__facts_make_sense(void)
{
    const mplat_facts *facts = mplat_get_facts();
    CU_ASSERT(facts->page_bytes >= 4096 && (facts->page_bytes & (facts->page_bytes - 1)) == 0);
    CU_ASSERT(facts->reserve_bytes >= (uint64_t)1 << 26);
    CU_ASSERT_EQUAL(facts->reserve_bytes & (facts->reserve_bytes - 1), 0);
    CU_ASSERT(mplat_cpu_count() >= 1);
}

static void test_system__time_runs_forward(void)
{
    int64_t begin = mplat_now();
    int64_t last = begin;
    CU_ASSERT(begin > 0);
    // Until the clock has moved by a millisecond, whatever its steps are.
    while (last < begin + 1000000) {
        int64_t now = mplat_now();
        CU_ASSERT_FATAL(now >= last);
        last = now;
    }
}

/** What a child reads on its clock, taken before and after, lies between. */
enum { READ_CLOCK };

static int read_clock(unsigned me)
{
    shm->number[me] = (uint64_t)mplat_now();
    return 0;
}

static void test_system__one_clock_for_all(void)
{
    child_found();
    mplat_child child;
    int64_t before = mplat_now();
    CU_ASSERT_EQUAL_FATAL(child_start(READ_CLOCK, 1, &child), 0);
    CU_ASSERT_EQUAL(child_join(&child), 0);
    int64_t after = mplat_now();
    CU_ASSERT((int64_t)shm->number[1] > before && (int64_t)shm->number[1] < after);
    child_end();
}

static void test_system__errors_have_names(void)
{
    enum { NO_SUCH_FILE = 2 }; // ENOENT as well as ERROR_FILE_NOT_FOUND
    char text[256];
    char small[5];
    CU_ASSERT_EQUAL(mplat_error(NO_SUCH_FILE, text, sizeof(text)), MPROC_ENOENT);
    CU_ASSERT(strlen(text) > 5);
    CU_ASSERT(text[strlen(text) - 1] > ' ');
    memset(small, 'x', sizeof(small));
    CU_ASSERT_EQUAL(mplat_error(NO_SUCH_FILE, small, sizeof(small)), MPROC_ENOENT);
    CU_ASSERT(memchr(small, '\0', sizeof(small)) != NULL);
    CU_ASSERT_EQUAL(mplat_error(987654, text, sizeof(text)), MPROC_ESYSTEM);
    CU_ASSERT(strlen(text) > 0);
}

static MPROC__THREAD_LOCAL int of_thread;
static int seen_at_end;
static uint32_t times_called;

static void at_end(void)
{
    (void)mproc__add32(&times_called, 1);
    seen_at_end = of_thread;
}

static void *APR_THREAD_FUNC end_soon(apr_thread_t *thread, void *arg)
{
    of_thread = 42;
    *(int *)arg = mplat_thread_at_exit(at_end);
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_system__hook_runs_at_the_threads_end(void)
{
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t status;
    int rc = -1;
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, end_soon, &rc, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_thread_join(&status, thread), APR_SUCCESS);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(mproc__load32_acquire(&times_called), 1);
    // Thread-local variables are still there when it runs.
    CU_ASSERT_EQUAL(seen_at_end, 42);
    apr_pool_destroy(pool);
    apr_terminate();
}

static void *APR_THREAD_FUNC tell_number(apr_thread_t *thread, void *arg)
{
    *(uint32_t *)arg = mplat_thread_number();
    (void)apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_system__threads_have_numbers(void)
{
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t status;
    uint32_t other = 0;
    uint32_t mine = mplat_thread_number();
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, tell_number, &other, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(apr_thread_join(&status, thread), APR_SUCCESS);
    CU_ASSERT(mine != 0 && other != 0 && mine != other);
    CU_ASSERT_EQUAL(mplat_thread_number(), mine);
    apr_pool_destroy(pool);
    apr_terminate();
}

static void tell_signals(void *arg)
{
    *(bool *)arg = true;
#ifndef _WIN32
    sigset_t mask;
    CU_ASSERT_EQUAL(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    *(bool *)arg = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1;
#endif
}

static void test_system__own_threads_handle_no_signals(void)
{
    mplat_thread *thread = NULL;
    bool is_quiet = false;
    CU_ASSERT_EQUAL_FATAL(mplat_thread_start(tell_signals, &is_quiet, &thread), 0);
    mplat_thread_join(thread);
    CU_ASSERT(is_quiet);
    mplat_thread_join(NULL);
}

static void child_fn(int argc, char **argv)
{
    static const child_role roles[] = {read_clock};
    child_run(argc, argv, roles, sizeof(roles) / sizeof(roles[0]));
}

static const testlib_case cases[] = {
    {"init_is_idempotent", test_system__init_is_idempotent},
    {"facts_make_sense", test_system__facts_make_sense},
    {"time_runs_forward", test_system__time_runs_forward},
    {"one_clock_for_all", test_system__one_clock_for_all},
    {"errors_have_names", test_system__errors_have_names},
    {"hook_runs_at_the_threads_end", test_system__hook_runs_at_the_threads_end},
    {"threads_have_numbers", test_system__threads_have_numbers},
    {"own_threads_handle_no_signals", test_system__own_threads_handle_no_signals},
};
TESTLIB_MAIN_CHILD("platform.system", cases, child_fn)
