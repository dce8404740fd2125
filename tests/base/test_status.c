/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_status.c: error names, the sentence behind the last error, deadlines.
 */
#include "base/status.h"

#include "base/deadline.h"
#include "support/testlib.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

static void test_status__every_code_has_a_name_of_its_own(void)
{
    for (int a = MPROC_EINTERRUPTED; a <= MPROC_OWNER_DIED; a++) {
        CU_ASSERT(strlen(mproc_strerror(a)) > 0);
        CU_ASSERT_STRING_NOT_EQUAL(mproc_strerror(a), "no such status");
        for (int b = MPROC_EINTERRUPTED; b < a; b++) {
            CU_ASSERT_STRING_NOT_EQUAL(mproc_strerror(a), mproc_strerror(b));
        }
    }
}

static void test_status__numbers_that_are_no_status_are_named_too(void)
{
    CU_ASSERT_STRING_EQUAL(mproc_strerror(MPROC_EINTERRUPTED - 1), "no such status");
    CU_ASSERT_STRING_EQUAL(mproc_strerror(INT_MIN), "no such status");
    CU_ASSERT_STRING_EQUAL(mproc_strerror(INT_MAX), mproc_strerror(0));
}

static void test_status__last_error_is_kept_and_cut_to_fit(void)
{
    char longer[2000];
    CU_ASSERT(mproc__fail(MPROC_EINVAL, "%s has %d legs", "a dog", 4) == MPROC_EINVAL);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "a dog has 4 legs");
    CU_ASSERT(mproc__fail_shortly(MPROC_ETIMEDOUT, "it ran away") == MPROC_ETIMEDOUT);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "it ran away");
    CU_ASSERT(mproc__fail(MPROC_EINVAL, "%s has %d legs", "a dog", 4) == MPROC_EINVAL);
    CU_ASSERT(mproc__fail(MPROC_EINVAL, "it said: %s", mproc_last_error()) == MPROC_EINVAL);
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "it said: a dog has 4 legs");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    (void)mproc__fail(MPROC_EINVAL, "%s", longer);
    CU_ASSERT(strlen(mproc_last_error()) > 100 && strlen(mproc_last_error()) < sizeof(longer));
}

static void test_status__system_errors_carry_the_systems_words(void)
{
    char words[256];
    int os_error = ENOENT; // 2 on every system: no such file
    int status = mplat_error(os_error, words, sizeof(words));
    CU_ASSERT(status == MPROC_ENOENT);
    CU_ASSERT(mproc__fail_os(os_error, "cannot open %s", "it") == status);
    CU_ASSERT(strstr(mproc_last_error(), "cannot open it") != NULL);
    CU_ASSERT(strstr(mproc_last_error(), words) != NULL);
}

static void *APR_THREAD_FUNC look_at_own(apr_thread_t *thread, void *arg)
{
    (void)snprintf(arg, 64, "%s", mproc_last_error());
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void test_status__each_thread_has_its_own(void)
{
    apr_pool_t *pool = NULL;
    apr_thread_t *thread = NULL;
    apr_status_t result = APR_EGENERAL;
    char seen[64] = "unset";
    CU_ASSERT_FATAL(apr_initialize() == APR_SUCCESS && apr_pool_create(&pool, NULL) == APR_SUCCESS);
    (void)mproc__fail(MPROC_EINVAL, "mine");
    CU_ASSERT_FATAL(apr_thread_create(&thread, NULL, look_at_own, seen, pool) == APR_SUCCESS);
    (void)apr_thread_join(&result, thread);
    CU_ASSERT_STRING_EQUAL(seen, "");
    CU_ASSERT_STRING_EQUAL(mproc_last_error(), "mine");
    apr_pool_destroy(pool);
}

static void test_deadline__ends_of_the_scale(void)
{
    CU_ASSERT(mproc__deadline_in(MPROC_FOREVER) == MPROC__NEVER);
    CU_ASSERT(mproc__deadline_in(-5) == MPROC__NEVER);
    CU_ASSERT(mproc__deadline_in(INT64_MAX) == MPROC__NEVER);
    CU_ASSERT(mproc__deadline_passed(mproc__deadline_in(MPROC_NOWAIT)));
    CU_ASSERT(!mproc__deadline_passed(MPROC__NEVER));
    CU_ASSERT(!mproc__deadline_passed(mproc__deadline_in(mproc_seconds(3600))));
}

static void test_timeout__seconds_and_milliseconds(void)
{
    CU_ASSERT(mproc_seconds(1.5) == 1500000000);
    CU_ASSERT(mproc_seconds(0) == MPROC_NOWAIT && mproc_seconds(-1) == MPROC_NOWAIT);
    CU_ASSERT(mproc_seconds(1e300) == MPROC_FOREVER);
    CU_ASSERT(mproc_milliseconds(2) == 2000000 && mproc_milliseconds(-2) == MPROC_NOWAIT);
    CU_ASSERT(mproc_milliseconds(INT64_MAX) == MPROC_FOREVER);
}

static const testlib_case cases[] = {
    {"every_code_has_a_name_of_its_own", test_status__every_code_has_a_name_of_its_own},
    {"numbers_that_are_no_status", test_status__numbers_that_are_no_status_are_named_too},
    {"last_error_is_kept_and_cut_to_fit", test_status__last_error_is_kept_and_cut_to_fit},
    {"system_errors_carry_words", test_status__system_errors_carry_the_systems_words},
    {"each_thread_has_its_own", test_status__each_thread_has_its_own},
    {"deadline_ends_of_the_scale", test_deadline__ends_of_the_scale},
    {"timeout_seconds", test_timeout__seconds_and_milliseconds},
};

TESTLIB_MAIN("base.status", cases)
