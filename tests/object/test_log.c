/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_log.c: the log of several processes: who inherits what, what the library says, whose lines are whole.
 */
#include "object/report_test.h"

#define N_WRITERS 4
#define N_LINES 100

static int say_hello(const mproc_args *args)
{
    (void)args;
    mproc_log(MPROC_LOG_WARNING, "hello");
    mproc_log(MPROC_LOG_SUBDEBUG, "nobody wants to know");
    return 3;
}

/** Logs to stderr itself, and starts another one, whose level it does not choose. */
static int log_and_start(const mproc_args *args)
{
    int level;
    CHILD_CHECK(MPROC_UNPACK(args, &level) == 0);
    CHILD_CHECK(mproc_log_to_stderr(level) == 0);
    const mproc_process_options options = {.name = "Grandchild"};
    mproc_process *child = NULL;
    CHILD_CHECK(mproc_process_start(&child, say_hello, NULL, &options) == 0);
    CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
    CHILD_CHECK(mproc_process_close(child) == 0);
    return 0;
}

static void run_with(const report *told, mproc_process_fn function, const mproc_args *args,
                     const char *const *env)
{
    const mproc_process_options options = {.name = "Child", .stderr_path = told->path, .env = env};
    (void)end_of(start_with(function, args, &options));
}

static void test_log__children_inherit_the_level(void)
{
    report told = make_report("level");
    run_with(&told, log_and_start, MPROC_ARGS((int)MPROC_LOG_INFO), NULL);
    CU_ASSERT_EQUAL(count_in_report(&told, "[INFO/Grandchild] child process calling self.run()\n"),
                    1);
    CU_ASSERT_EQUAL(count_in_report(&told, "[WARNING/Grandchild] hello\n"), 1);
    CU_ASSERT_EQUAL(count_in_report(&told, "[INFO/Grandchild] process exiting with exitcode 3\n"),
                    1);
    CU_ASSERT_EQUAL(count_in_report(&told, "[INFO/Child] Grandchild ended with exit code 3\n"), 1);
    CU_ASSERT_EQUAL(count_in_report(&told, "[INFO/Child] process exiting with exitcode 0\n"), 1);
    CU_ASSERT_EQUAL(count_in_report(&told, "DEBUG"), 0);
    close_report(&told);

    told = make_report("debug");
    run_with(&told, log_and_start, MPROC_ARGS((int)MPROC_LOG_DEBUG), NULL);
    CU_ASSERT_EQUAL(count_in_report(&told, "[DEBUG/Child] started Grandchild (pid "), 1);
    CU_ASSERT_EQUAL(count_in_report(&told, "[DEBUG/Child] started a fork server (pid "), 0);
    close_report(&told);

    told = make_report("warning");
    run_with(&told, log_and_start, MPROC_ARGS((int)MPROC_LOG_WARNING), NULL);
    CU_ASSERT_STRING_EQUAL(read_report(&told), "[WARNING/Grandchild] hello\n");
    close_report(&told);
}

static void test_log__nothing_unasked(void)
{
    report told = make_report("off");
    run_with(&told, say_hello, NULL, NULL);
    run_with(&told, log_and_start, MPROC_ARGS((int)MPROC_LOG_OFF), NULL);
    CU_ASSERT_STRING_EQUAL(read_report(&told), "");
    close_report(&told);
}

static void test_log__environment(void)
{
    static const char *const env[] = {"MPROC_LOG=warning", NULL};
    report told = make_report("env");
    run_with(&told, say_hello, NULL, env);
    CU_ASSERT_STRING_EQUAL(read_report(&told), "[WARNING/Child] hello\n");
    close_report(&told);
}

/** The program's own handler: a file is kept, and there is no telling what it calls. */
static uint32_t n_calls;

static void call_back(int level, const char *line, void *arg)
{
    mproc_lock *lock = NULL;
    (void)level;
    (void)line;
    (void)arg;
    // What the library holds while it logs cannot be had here.
    CHILD_CHECK(mproc_lock_create(&lock, NULL) == 0);
    CHILD_CHECK(mproc_lock_acquire(lock, MPROC_FOREVER) == 0);
    CHILD_CHECK(mproc_lock_release(lock) == 0);
    mproc_lock_close(lock);
    (void)mproc_active_children(NULL, 0);
    (void)mproc__add32(&n_calls, 1);
    if (mproc__load32(&n_calls) == 1) {
        const mproc_process_options options = {.name = "OfHandler", .fork_with_threads = true};
        mproc_process *child = NULL;
        CHILD_CHECK(mproc_process_start(&child, say_hello, NULL, &options) == 0);
        CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
        CHILD_CHECK(mproc_process_close(child) == 0);
    }
}

static int start_with_handler(const mproc_args *args)
{
    CHILD_CHECK(mproc_log_set_handler(call_back, NULL) == 0);
    CHILD_CHECK(mproc_log_set_level(MPROC_LOG_SUBDEBUG) == 0);
    // A copy has the handler; what is made afresh has none, and says nothing.
    mproc_process *child = NULL;
    CHILD_CHECK(mproc_process_start(&child, say_hello, args, NULL) == 0);
    CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
    CHILD_CHECK(mproc_process_close(child) == 0);
    // Started; that it has ended, too, unless the handler's own join has found that: then the line was dropped.
    uint32_t n_before = mproc__load32(&n_calls);
    CHILD_CHECK(n_before >= 1);
    mproc_listener *listener = NULL;
    CHILD_CHECK(mproc_listener_create(&listener, NULL) == 0);
    mproc_listener_close(listener);
    CHILD_CHECK(mproc__load32(&n_calls) > n_before);
    return 0;
}

static void test_log__handlers_may_call_mproc(void)
{
    report told = make_report("handler");
    const mproc_process_options options = {.stderr_path = told.path};
    CU_ASSERT_EQUAL(end_of(start_with(start_with_handler, NULL, &options)), 0);
    CU_ASSERT_STRING_EQUAL(read_report(&told), "");
    close_report(&told);
}

static int write_lines(const mproc_args *args)
{
    mproc_barrier *barrier;
    int me;
    CHILD_CHECK(MPROC_UNPACK(args, &barrier, &me) == 0);
    CHILD_CHECK(mproc_barrier_wait(barrier, LIMIT) >= 0);
    for (int i = 0; i < N_LINES; i++) {
        mproc_log(MPROC_LOG_INFO, "line %d of %d %.*s.", i, me, me * 9,
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxx");
    }
    return 0;
}

/** Their standard error is this process's. */
static int start_writers(const mproc_args *args)
{
    mproc_barrier *barrier;
    mproc_process *children[N_WRITERS];
    (void)args;
    CHILD_CHECK(mproc_barrier_create(&barrier, N_WRITERS, NULL) == 0);
    CHILD_CHECK(mproc_log_to_stderr(MPROC_LOG_INFO) == 0);
    for (int i = 0; i < N_WRITERS; i++) {
        CHILD_CHECK(mproc_process_start(&children[i], write_lines, MPROC_ARGS(barrier, i), NULL) ==
                    0);
    }
    for (int i = 0; i < N_WRITERS; i++) {
        CHILD_CHECK(mproc_process_join(children[i], LIMIT) == 0);
        CHILD_CHECK(mproc_process_close(children[i]) == 0);
    }
    mproc_barrier_close(barrier);
    return 0;
}

static void test_log__lines_do_not_mix(void)
{
    static bool has[N_WRITERS][N_LINES];
    size_t n_whole = 0;
    memset(has, 0, sizeof(has));
    report told = make_report("mix");
    run_with(&told, start_writers, NULL, NULL);
    FILE *file = fopen(told.path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (char line[256]; fgets(line, sizeof(line), file) != NULL;) {
        char expected[256];
        int number;
        int of;
        const char *at = strstr(line, "] line ");
        if (at == NULL || sscanf(at, "] line %d of %d ", &number, &of) != 2) {
            continue;
        }
        CU_ASSERT_FATAL(number >= 0 && number < N_LINES && of >= 0 && of < N_WRITERS);
        (void)snprintf(expected, sizeof(expected), "] line %d of %d %.*s.\n", number, of, of * 9,
                       "xxxxxxxxxxxxxxxxxxxxxxxxxxx");
        CU_ASSERT_STRING_EQUAL(at, expected);
        CU_ASSERT_EQUAL(strncmp(line, "[INFO/Process-", 14), 0);
        n_whole += has[of][number] ? 0 : 1;
        has[of][number] = true;
    }
    (void)fclose(file);
    CU_ASSERT_EQUAL(n_whole, N_WRITERS * N_LINES);
    close_report(&told);
}

static int log_thread(const mproc_args *args)
{
    (void)args;
    mproc_log(MPROC_LOG_INFO, "in a thread");
    return 0;
}

/** What runs in a thread as a process has a name of its own there. */
static char last_lines[8][128];
static uint32_t n_last;

static void keep_last(int level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    uint32_t place = mproc__add32(&n_last, 1);
    if (place < 8) {
        (void)snprintf(last_lines[place], sizeof(last_lines[place]), "%s", line);
    }
}

static void test_log__threads_have_names(void)
{
    n_last = 0;
    memset(last_lines, 0, sizeof(last_lines));
    const mproc_process_options options = {.name = "Threadlike",
                                           .context = mproc_get_context("thread")};
    CU_ASSERT_EQUAL(mproc_log_set_handler(keep_last, NULL), 0);
    CU_ASSERT_EQUAL(mproc_log_set_level(MPROC_LOG_INFO), 0);
    CU_ASSERT_EQUAL(end_of(start_with(log_thread, NULL, &options)), 0);
    CU_ASSERT_EQUAL(mproc_log_to_stderr(MPROC_LOG_OFF), 0);
    CU_ASSERT_STRING_EQUAL(last_lines[0], "[INFO/Threadlike] in a thread");
    CU_ASSERT_STRING_EQUAL(last_lines[1], "[INFO/MainProcess] Threadlike ended with exit code 0");
    CU_ASSERT_EQUAL(n_last, 2);
}

/** With a wrong key, then with the right one. */
static int knock_twice(const mproc_args *args)
{
    const char *address;
    mproc_connection *connection = NULL;
    CHILD_CHECK(MPROC_UNPACK(args, &address) == 0);
    mproc_client_options options = {.authkey = "wrong", .authkey_size = 5};
    CHILD_CHECK(mproc_client_connect(&connection, address, &options, LIMIT) < 0);
    options.authkey = "right";
    CHILD_CHECK(mproc_client_connect(&connection, address, &options, LIMIT) == 0);
    mproc_connection_close(connection);
    return 0;
}

static bool has_line(const char *begin, const char *end)
{
    bool found = false;
    for (uint32_t i = 0; i < 8; i++) {
        const char *line = last_lines[i];
        found |= strncmp(line, begin, strlen(begin)) == 0 && strstr(line, end) != NULL;
    }
    return found;
}

static void test_log__listeners(void)
{
    mproc_listener *listener = NULL;
    mproc_connection *connection = NULL;
    const mproc_listener_options options = {.authkey = "right", .authkey_size = 5};
    const mproc_process_options thread = {.context = mproc_get_context("thread")};
    n_last = 0;
    memset(last_lines, 0, sizeof(last_lines));
    CU_ASSERT_EQUAL(mproc_log_set_handler(keep_last, NULL), 0);
    CU_ASSERT_EQUAL(mproc_log_set_level(MPROC_LOG_DEBUG), 0);
    CU_ASSERT_EQUAL_FATAL(mproc_listener_create(&listener, &options), 0);
    const char *address = mproc_listener_address(listener);
    mproc_process *child = start_with(knock_twice, MPROC_ARGS(address), &thread);
    CU_ASSERT_EQUAL(mproc_listener_accept(listener, &connection, LIMIT), 0);
    CU_ASSERT_EQUAL(end_of(child), 0);
    mproc_connection_close(connection);
    CU_ASSERT_EQUAL(mproc_log_to_stderr(MPROC_LOG_OFF), 0);
    CU_ASSERT(has_line("[DEBUG/MainProcess] listener created with address=", address));
    CU_ASSERT(has_line("[DEBUG/MainProcess] ", ": refused a connection: "));
    CU_ASSERT(has_line("[DEBUG/MainProcess] ", ": accepted a connection"));
    mproc_listener_close(listener);
}

static const testlib_case cases[] = {
    {"children_inherit_the_level", test_log__children_inherit_the_level},
    {"nothing_unasked", test_log__nothing_unasked},
    {"environment", test_log__environment},
    {"handlers_may_call_mproc", test_log__handlers_may_call_mproc},
    {"lines_do_not_mix", test_log__lines_do_not_mix},
    {"threads_have_names", test_log__threads_have_names},
    {"listeners", test_log__listeners},
};
PROCESS_TEST_MAIN("object.log", cases)
