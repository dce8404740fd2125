/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_context.c: start methods by name, the default, preload, and the number of processors.
 */
#include "object/process_test.h"

#ifndef _WIN32
#include <sched.h>
#endif

static bool has_method(const char *name)
{
    const char *const *methods = mproc_get_all_start_methods();
    while (*methods != NULL && strcmp(*methods, name) != 0) {
        methods++;
    }
    return *methods != NULL;
}

static int return_code(const mproc_args *args)
{
    int code;
    CHILD_CHECK(MPROC_UNPACK(args, &code) == 0);
    return code;
}

static int check_method(const mproc_args *args)
{
    const char *method;
    CHILD_CHECK(MPROC_UNPACK(args, &method) == 0);
    return strcmp(mproc_get_start_method(), method) == 0 ? 0 : 3;
}

static void test_context__all_methods(void)
{
    const char *const *methods = mproc_get_all_start_methods();
#ifdef _WIN32
    CU_ASSERT_STRING_EQUAL(methods[0], "spawn");
    CU_ASSERT_PTR_NULL(methods[1]);
#else
    CU_ASSERT_STRING_EQUAL(methods[0], "forkserver");
    CU_ASSERT(has_method("spawn") && has_method("fork"));
    CU_ASSERT_PTR_NULL(methods[3]);
#endif
    for (size_t i = 0; methods[i] != NULL; i++) {
        const mproc_context *context = mproc_get_context(methods[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(context);
        CU_ASSERT_PTR_EQUAL(context, mproc_get_context(methods[i]));
        CU_ASSERT_STRING_EQUAL(mproc_context_name(context), methods[i]);
    }
    CU_ASSERT_PTR_NULL(mproc_get_context("teleport"));
    CU_ASSERT_PTR_NULL(mproc_get_context(""));
}

static void test_context__default(void)
{
    CU_ASSERT_STRING_EQUAL(mproc_get_start_method(), mproc_get_all_start_methods()[0]);
    CU_ASSERT_PTR_EQUAL(mproc_get_context(NULL), mproc_get_context(mproc_get_start_method()));
    CU_ASSERT_STRING_EQUAL(mproc_context_name(NULL), mproc_get_start_method());
}

static void test_context__set_and_inherit(void)
{
    const char *const *methods = mproc_get_all_start_methods();
    for (size_t i = 0; methods[i] != NULL; i++) {
        CU_ASSERT_EQUAL(mproc_set_start_method(methods[i]), MPROC_OK);
        CU_ASSERT_STRING_EQUAL(mproc_get_start_method(), methods[i]);
        CU_ASSERT_STRING_EQUAL(mproc_context_name(NULL), methods[i]);
        CU_ASSERT_EQUAL(end_of(start(check_method, MPROC_ARGS(methods[i]))), 0);
        // Reading changes nothing, and a failed call neither.
        CU_ASSERT_EQUAL(mproc_set_start_method("teleport"), MPROC_ENOENT);
        CU_ASSERT_STRING_EQUAL(mproc_get_start_method(), methods[i]);
    }
    static const char *const known[] = {"spawn", "fork", "forkserver"};
    for (size_t i = 0; i < 3; i++) {
        if (!has_method(known[i])) {
            CU_ASSERT_EQUAL(mproc_set_start_method(known[i]), MPROC_ENOTSUP);
            CU_ASSERT_PTR_NULL(mproc_get_context(known[i]));
        }
    }
    CU_ASSERT_EQUAL(mproc_set_start_method(NULL), MPROC_OK);
    CU_ASSERT_STRING_EQUAL(mproc_get_start_method(), methods[0]);
}

static void test_context__cpu_count(void)
{
    int count = mproc_cpu_count();
    CU_ASSERT(count >= 1);
#ifndef _WIN32
    cpu_set_t set;
    CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(set), &set), 0);
    CU_ASSERT(count <= CPU_COUNT(&set));
#endif
}

/* ---- preload ----------------------------------------------------------------------------------- */

static int n_preloads;

static int preload(void)
{
    n_preloads++;
    return 0;
}

static int failing_preload(void)
{
    mproc_block *block;
    return mproc_block_create(&block, 0); // leaves a sentence
}

static int count_preloads(const mproc_args *args)
{
    (void)args;
    return 50 + n_preloads++;
}

static void test_context__preload_runs_once(void)
{
    if (!has_method("forkserver")) {
        CU_ASSERT_EQUAL(mproc_set_forkserver_preload(preload), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_set_forkserver_preload(NULL), MPROC_OK);
        testlib_skip("this system has no fork server");
        return;
    }
    const mproc_process_options by_server = {.context = mproc_get_context("forkserver")};
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_set_forkserver_preload(preload), MPROC_OK);
    for (int i = 0; i < 3; i++) {
        // Every child finds it done, and none sees what another one did.
        CU_ASSERT_EQUAL(end_of(start_with(count_preloads, NULL, &by_server)), 51);
    }
    CU_ASSERT_EQUAL(n_preloads, 0);
    CU_ASSERT_EQUAL(mproc_set_forkserver_preload(NULL), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_set_forkserver_preload(NULL), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start_with(count_preloads, NULL, &by_server)), 50);
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
}

static void test_context__preload_failure_is_told(void)
{
    if (!has_method("forkserver")) {
        testlib_skip("this system has no fork server");
        return;
    }
    const mproc_process_options by_server = {.context = mproc_get_context("forkserver")};
    mproc_arena_stats before = settled_stats();
    CU_ASSERT_EQUAL(mproc_set_forkserver_preload(failing_preload), MPROC_OK);
    for (int i = 0; i < 3; i++) {
        mproc_process *child = NULL;
        CU_ASSERT_EQUAL(mproc_process_start(&child, return_code, MPROC_ARGS(0), &by_server),
                        MPROC_ESTART);
        CU_ASSERT_PTR_NOT_NULL(strstr(mproc_last_error(), "preload"));
        CU_ASSERT_PTR_NULL(child);
    }
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_set_forkserver_preload(NULL), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start_with(return_code, MPROC_ARGS(5), &by_server)), 5);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"all_methods", test_context__all_methods},
    {"default", test_context__default},
    {"set_and_inherit", test_context__set_and_inherit},
    {"cpu_count", test_context__cpu_count},
    {"preload_runs_once", test_context__preload_runs_once},
    {"preload_failure_is_told", test_context__preload_failure_is_told},
};

TESTLIB_MAIN_CHILD("object.context", cases, (void)mproc_main)
