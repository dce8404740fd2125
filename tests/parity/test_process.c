/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_process.c: Process behaves as Python's does. Public headers only; each case names the sentence
 * of Python's documentation, or the test of CPython's suite, that it mirrors.
 *
 * CPython: Lib/test/_test_multiprocessing.py, classes _TestProcess, _TestParentProcess,
 * TestStartMethod. The cases run once for each start method of the system.
 */
#include "support/testlib.h"

#include <mproc/mproc.h>
#include <string.h>

#ifdef _WIN32
#define TERMINATED (-15)
#define KILLED (-15)
#else
#include <signal.h>
#define TERMINATED (-SIGTERM)
#define KILLED (-SIGKILL)
#endif

#define LIMIT mproc_seconds(60)

/* ---- children ---------------------------------------------------------------------------------- */

static int stay(const mproc_args *args)
{
    (void)args;
    (void)mproc_process_join(mproc_parent_process(), MPROC_FOREVER);
    return 0;
}

static int do_nothing(const mproc_args *args)
{
    (void)args;
    return 0;
}

static int return_code(const mproc_args *args)
{
    int code;
    CHILD_CHECK(MPROC_UNPACK(args, &code) == 0);
    return code;
}

static int exit_with(const mproc_args *args)
{
    int code;
    CHILD_CHECK(MPROC_UNPACK(args, &code) == 0);
    exit(code);
}

/** What _TestProcess._test puts into its queue, into a block instead. */
static int tell_who(const mproc_args *args)
{
    mproc_block *block;
    const char *text;
    double number;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &text, &number) == 0);
    CHILD_CHECK(strcmp(text, "hello") == 0 && number == 42.5);
    (void)snprintf(mproc_block_data(block), mproc_block_size(block), "%s %lld",
                   mproc_process_name(mproc_current_process()),
                   (long long)mproc_process_pid(mproc_current_process()));
    return 0;
}

/** _TestParentProcess: the parent of a child is who started it. */
static int check_parent(const mproc_args *args)
{
    int64_t pid;
    const char *name;
    CHILD_CHECK(MPROC_UNPACK(args, &pid, &name) == 0);
    mproc_process *parent = mproc_parent_process();
    CHILD_CHECK(parent != NULL && mproc_process_pid(parent) == pid);
    CHILD_CHECK(strcmp(mproc_process_name(parent), name) == 0);
    CHILD_CHECK(mproc_process_is_alive(parent) == 1);
    return 0;
}

/** _TestProcess._test_recursion: each of a tree says which branch it is. */
static int branch_out(const mproc_args *args)
{
    mproc_block *block;
    int place;
    int depth;
    CHILD_CHECK(MPROC_UNPACK(args, &block, &place, &depth) == 0);
    ((char *)mproc_block_data(block))[place] = 1;
    for (int i = 1; i <= 2 && depth > 0; i++) {
        mproc_process *child;
        CHILD_CHECK(mproc_process_start(&child, branch_out,
                                        MPROC_ARGS(block, place * 2 + i, depth - 1), NULL) == 0);
        CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
        CHILD_CHECK(mproc_process_close(child) == 0);
    }
    return 0;
}

/* ---- cases ------------------------------------------------------------------------------------- */

static mproc_process *start(mproc_process_fn function, const mproc_args *args)
{
    mproc_process *child = NULL;
    int rc = mproc_process_start(&child, function, args, NULL);
    CU_ASSERT_EQUAL_FATAL(rc, MPROC_OK);
    return child;
}

static int end_of(mproc_process *child)
{
    int code = 9999;
    CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_exit_code(child, &code), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    return code;
}

/** _TestProcess.test_current */
static void test_parity_process__current(void)
{
    mproc_process *current = mproc_current_process();
    CU_ASSERT_EQUAL(mproc_process_is_alive(current), 1);
    CU_ASSERT_FALSE(mproc_process_is_daemon(current));
    int code;
    CU_ASSERT_EQUAL(mproc_process_exit_code(current, &code), MPROC_ESTATE); // None
    CU_ASSERT_STRING_EQUAL(mproc_process_name(current), "MainProcess");
}

/** _TestProcess.test_process */
static void test_parity_process__process(void)
{
    mproc_block *block;
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, 200), MPROC_OK);
    mproc_process *child = start(tell_who, MPROC_ARGS(block, "hello", 42.5));
    char expected[200];
    (void)snprintf(expected, sizeof(expected), "%s %lld", mproc_process_name(child),
                   (long long)mproc_process_pid(child));
    CU_ASSERT_EQUAL(end_of(child), 0);
    CU_ASSERT_STRING_EQUAL(mproc_block_data(block), expected);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    mproc_block_close(block);
}

/** _TestProcess.test_daemon_argument */
static void test_parity_process__daemon_argument(void)
{
    for (int is_daemon = 0; is_daemon < 2; is_daemon++) {
        const mproc_process_options options = {.is_daemon = is_daemon != 0};
        mproc_process *child = NULL;
        CU_ASSERT_EQUAL_FATAL(mproc_process_start(&child, do_nothing, NULL, &options), MPROC_OK);
        CU_ASSERT_EQUAL(mproc_process_is_daemon(child), is_daemon != 0);
        CU_ASSERT_EQUAL(end_of(child), 0);
    }
}

static void kill_by(int (*kill_it)(mproc_process *), int expected)
{
    mproc_process *child = start(stay, NULL);
    mproc_process *active = NULL;
    CU_ASSERT_EQUAL(mproc_process_is_alive(child), 1);
    CU_ASSERT_EQUAL(mproc_active_children(&active, 1), 1);
    CU_ASSERT_PTR_EQUAL(active, child);
    CU_ASSERT_EQUAL(mproc_process_join(child, 0), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_join(child, mproc_milliseconds(-1)), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(kill_it(child), MPROC_OK);
    // It may have been asked to end before it was on its way to its function; Python does not tell.
    int rc = mproc_process_join(child, LIMIT);
    CU_ASSERT(rc == MPROC_OK || rc == MPROC_ESTART);
    CU_ASSERT_EQUAL(mproc_process_is_alive(child), 0);
    int code = 0;
    CU_ASSERT_EQUAL(mproc_process_exit_code(child, &code), MPROC_OK);
    CU_ASSERT_EQUAL(code, expected);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
}

/** _TestProcess.test_terminate and test_kill */
static void test_parity_process__terminate_and_kill(void)
{
    kill_by(mproc_process_terminate, TERMINATED);
    kill_by(mproc_process_kill, KILLED);
}

/** _TestProcess.test_cpu_count */
static void test_parity_process__cpu_count(void)
{
    CU_ASSERT(mproc_cpu_count() >= 1);
}

/** _TestProcess.test_active_children */
static void test_parity_process__active_children(void)
{
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    mproc_process *child = start(stay, NULL);
    mproc_process *active = NULL;
    CU_ASSERT_EQUAL(mproc_active_children(&active, 1), 1);
    CU_ASSERT_PTR_EQUAL(active, child);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    (void)mproc_process_join(child, LIMIT);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
}

/** _TestProcess.test_recursion */
static void test_parity_process__recursion(void)
{
    mproc_block *block;
    CU_ASSERT_EQUAL_FATAL(mproc_block_create(&block, 7), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(start(branch_out, MPROC_ARGS(block, 0, 2))), 0);
    CU_ASSERT_EQUAL(memcmp(mproc_block_data(block), "\1\1\1\1\1\1\1", 7), 0);
    mproc_block_close(block);
}

/** _TestProcess.test_sentinel: "A numeric handle of a system object which will become ready when the
 * process ends." And wait() over sentinels. */
static void test_parity_process__sentinel(void)
{
    mproc_process *children[2] = {start(stay, NULL), start(stay, NULL)};
    size_t index = 5;
    CU_ASSERT_NOT_EQUAL(mproc_process_sentinel(children[0]), -1);
    CU_ASSERT_NOT_EQUAL(mproc_process_sentinel(children[0]), mproc_process_sentinel(children[1]));
    CU_ASSERT_EQUAL(mproc_process_wait_any(children, 2, 0, &index), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_kill(children[1]), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_wait_any(children, 2, LIMIT, &index), MPROC_OK);
    CU_ASSERT_EQUAL(index, 1);
    CU_ASSERT_EQUAL(mproc_process_kill(children[0]), MPROC_OK);
    for (int i = 0; i < 2; i++) {
        (void)mproc_process_join(children[i], LIMIT);
        CU_ASSERT_EQUAL(mproc_process_close(children[i]), MPROC_OK);
    }
}

/** _TestProcess.test_close: "ValueError is raised if the underlying process is still running." */
static void test_parity_process__close(void)
{
    mproc_process *child = start(stay, NULL);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_process_is_alive(child), 1);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    (void)mproc_process_join(child, LIMIT);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_close(NULL), MPROC_OK);
}

/** _TestSubclassingProcess.test_sys_exit: sys.exit(N) in a child is exit code N. */
static void test_parity_process__exit(void)
{
    static const int codes[] = {0, 1, 7, 42, 255};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        CU_ASSERT_EQUAL(end_of(start(exit_with, MPROC_ARGS(codes[i]))), codes[i]);
        CU_ASSERT_EQUAL(end_of(start(return_code, MPROC_ARGS(codes[i]))), codes[i]);
    }
}

/** _TestProcess.test_parent_process; "For the main process, parent_process will be None." */
static void test_parity_process__parent_process(void)
{
    CU_ASSERT_PTR_NULL(mproc_parent_process());
    CU_ASSERT_EQUAL(end_of(start(check_parent, MPROC_ARGS(mproc_process_pid(NULL), "MainProcess"))),
                    0);
}

/** "A process can be joined many times." (Process.join) */
static void test_parity_process__join_many_times(void)
{
    mproc_process *child = start(do_nothing, NULL);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_OK);
    }
    CU_ASSERT_EQUAL(end_of(child), 0);
}

/** TestStartMethod.test_set_get, test_get_all_start_methods */
static void test_parity_process__start_methods(void)
{
    const char *now = mproc_get_start_method();
    const char *const *methods = mproc_get_all_start_methods();
    for (size_t i = 0; methods[i] != NULL; i++) {
        CU_ASSERT_EQUAL(mproc_set_start_method(methods[i]), MPROC_OK);
        CU_ASSERT_STRING_EQUAL(mproc_get_start_method(), methods[i]);
        CU_ASSERT_STRING_EQUAL(mproc_context_name(mproc_get_context(methods[i])), methods[i]);
    }
    CU_ASSERT_EQUAL(mproc_set_start_method("no such method"), MPROC_ENOENT);
    CU_ASSERT_PTR_NULL(mproc_get_context("no such method"));
    CU_ASSERT_EQUAL(mproc_set_start_method(now), MPROC_OK);
}

static const testlib_case cases[] = {
    {"current", test_parity_process__current},
    {"process", test_parity_process__process},
    {"daemon_argument", test_parity_process__daemon_argument},
    {"terminate_and_kill", test_parity_process__terminate_and_kill},
    {"cpu_count", test_parity_process__cpu_count},
    {"active_children", test_parity_process__active_children},
    {"recursion", test_parity_process__recursion},
    {"sentinel", test_parity_process__sentinel},
    {"close", test_parity_process__close},
    {"exit", test_parity_process__exit},
    {"parent_process", test_parity_process__parent_process},
    {"join_many_times", test_parity_process__join_many_times},
    {"start_methods", test_parity_process__start_methods},
};

#if defined(__has_feature)
#define HAS_THREAD_SANITIZER __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER 1
#else
#define HAS_THREAD_SANITIZER 0
#endif

static bool has_method(const char *name)
{
    if (HAS_THREAD_SANITIZER && strcmp(name, "fork") == 0) {
        return false; // its background thread makes every process unfit to be copied
    }
    const char *const *methods = mproc_get_all_start_methods();
    while (*methods != NULL && strcmp(*methods, name) != 0) {
        methods++;
    }
    return *methods != NULL;
}

static void be_child(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    const char *method = getenv("MPROC_TEST_METHOD");
    if (method != NULL && !has_method(method)) {
        printf("skipped: no start method %s on this system, or with this sanitizer\n", method);
        exit(TESTLIB_SKIPPED);
    }
    if (method != NULL && mproc_set_start_method(method) < 0) {
        exit(EXIT_FAILURE);
    }
}

TESTLIB_MAIN_CHILD("parity.process", cases, be_child)
