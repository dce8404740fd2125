/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_process.c: a process's life as its parent sees it: start, end, exit code, report, handle.
 */
#include "object/process_test.h"

#include <signal.h>
#ifndef _WIN32
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

/* ---- children ---------------------------------------------------------------------------------- */

static int return_code(const mproc_args *args)
{
    int code;
    CHILD_CHECK(MPROC_UNPACK(args, &code) == 0);
    return code;
}

static int leave_by_exit(const mproc_args *args)
{
    exit(return_code(args));
}

static int leave_by_abort(const mproc_args *args)
{
    (void)args;
#ifndef _WIN32
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
#endif
    abort();
}

static int write_nowhere(const mproc_args *args)
{
    (void)args;
#ifndef _WIN32
    // A sanitizer's handler would turn the signal into an exit code.
    const struct sigaction fall = {.sa_handler = SIG_DFL};
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)sigaction(SIGSEGV, &fall, NULL);
    (void)raise(SIGSEGV);
#else
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
#endif
    return 0;
}

static int wait_for_word(const mproc_args *args)
{
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &block) == 0);
    uint32_t *words = words_of(block);
    set_word(&words[0], 1);
    CHILD_CHECK(await_word(&words[1], 1));
    return 5;
}

static int burn(const mproc_args *args)
{
    int64_t milliseconds;
    CHILD_CHECK(MPROC_UNPACK(args, &milliseconds) == 0);
    const size_t size = (size_t)32 << 20;
    char *memory = malloc(size);
    CHILD_CHECK(memory != NULL);
    for (size_t i = 0; i < size; i += 1024) {
        ((volatile char *)memory)[i] = 1;
    }
    volatile uint64_t sum = 0;
    int64_t end = mplat_now() + mproc_milliseconds(milliseconds);
    while (mplat_now() < end) {
        for (unsigned i = 0; i < 10000; i++) {
            sum = sum + i;
        }
    }
    free(memory);
    return 0;
}

static int check_who_i_am(const mproc_args *args)
{
    const char *name;
    int64_t parent_pid;
    bool is_daemon;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &name, &parent_pid, &is_daemon, &block) == 0);
    mproc_process *self = mproc_current_process();
    mproc_process *parent = mproc_parent_process();
    CHILD_CHECK(strcmp(mproc_process_name(self), name) == 0);
    CHILD_CHECK(strcmp(mproc_process_name(NULL), name) == 0);
    CHILD_CHECK(mproc_process_is_daemon(self) == is_daemon);
    CHILD_CHECK(mproc_process_is_daemon(NULL) == is_daemon);
    CHILD_CHECK(mproc_process_sentinel(self) == -1);
    CHILD_CHECK(mproc_process_is_alive(self) == 1);
    CHILD_CHECK(mproc_process_join(self, MPROC_NOWAIT) == MPROC_ESTATE);
    CHILD_CHECK(mproc_process_pid(self) == mplat_self().pid);
    CHILD_CHECK(parent != NULL);
    CHILD_CHECK(mproc_process_pid(parent) == parent_pid);
    CHILD_CHECK(strcmp(mproc_process_name(parent), "MainProcess") == 0);
    CHILD_CHECK(mproc_process_is_alive(parent) == 1);
    CHILD_CHECK(mproc_process_join(parent, mproc_milliseconds(1)) == MPROC_ETIMEDOUT);
    CHILD_CHECK(mproc_process_sentinel(parent) != -1);
    CHILD_CHECK(mproc_active_children(NULL, 0) == 0);
    int unused;
    CHILD_CHECK(mproc_process_exit_code(parent, &unused) == MPROC_ESTATE);
    *(int64_t *)mproc_block_data(block) = mproc_process_pid(NULL);
    return 0;
}

/* ---- cases ------------------------------------------------------------------------------------- */

static int run(mproc_process_fn function, int code)
{
    return end_of(start(function, MPROC_ARGS(code)));
}

static void test_process__exit_codes(void)
{
    CU_ASSERT_EQUAL(run(return_code, 0), 0);
    CU_ASSERT_EQUAL(run(return_code, 7), 7);
    CU_ASSERT_EQUAL(run(return_code, 255), 255);
    CU_ASSERT_EQUAL(run(return_code, 256), 255); // and not 0
    CU_ASSERT_EQUAL(run(return_code, -1), 1);
    CU_ASSERT_EQUAL(run(return_code, MPROC_ETIMEDOUT), 1);
    CU_ASSERT_EQUAL(run(leave_by_exit, 0), 0);
    CU_ASSERT_EQUAL(run(leave_by_exit, 9), 9);
}

static void test_process__crashes_are_reported(void)
{
    mproc_process *child = start(leave_by_abort, NULL);
    mproc_exit_report report = {0};
    CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_exit_report(child, &report), MPROC_OK);
#ifdef _WIN32
    CU_ASSERT_EQUAL(report.signal, 0);
    CU_ASSERT_NOT_EQUAL(report.exit_code, 0);
    CU_ASSERT(end_of(child) != 0);
    CU_ASSERT(end_of(start(write_nowhere, NULL)) < 0);
#else
    CU_ASSERT_EQUAL(report.signal, SIGABRT);
    CU_ASSERT_EQUAL(report.exit_code, -SIGABRT);
    CU_ASSERT_FALSE(report.core_dumped);
    CU_ASSERT_FALSE(report.out_of_memory);
    CU_ASSERT_EQUAL(end_of(child), -SIGABRT);
    CU_ASSERT_EQUAL(end_of(start(write_nowhere, NULL)), -SIGSEGV);
#endif
}

static void test_process__report_counts_time_and_memory(void)
{
    mproc_process *child = start(burn, MPROC_ARGS(60));
    mproc_exit_report report = {.exit_code = -1};
    CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_exit_report(child, &report), MPROC_OK);
    CU_ASSERT_EQUAL(report.exit_code, 0);
    CU_ASSERT_EQUAL(report.signal, 0);
    CU_ASSERT(report.user_ns + report.system_ns > 0);
#ifdef _WIN32
    CU_ASSERT(report.max_rss_bytes == 0 || // Wine forgets it when the process ends
              report.max_rss_bytes > (int64_t)20 << 20);
#else
    CU_ASSERT(report.max_rss_bytes > (int64_t)20 << 20);
#endif
    CU_ASSERT_EQUAL(end_of(child), 0);
}

static void test_process__running_child(void)
{
    mproc_block *block = make_words(2);
    mproc_process *child = start(wait_for_word, MPROC_ARGS(block));
    int code = 1234;
    mproc_exit_report report = {.exit_code = 1234};
    CU_ASSERT(await_word(&words_of(block)[0], 1));
    CU_ASSERT_EQUAL(mproc_process_is_alive(child), 1);
    CU_ASSERT_EQUAL(mproc_process_join(child, MPROC_NOWAIT), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_join(child, mproc_milliseconds(20)), MPROC_ETIMEDOUT);
    CU_ASSERT_EQUAL(mproc_process_exit_code(child, &code), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_process_exit_report(child, &report), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_ESTATE);
    CU_ASSERT_EQUAL(code, 1234);
    CU_ASSERT_EQUAL(report.exit_code, 1234);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 1);
    mproc_process *found[2] = {NULL, NULL};
    CU_ASSERT_EQUAL(mproc_active_children(found, 2), 1);
    CU_ASSERT_PTR_EQUAL(found[0], child);
    set_word(&words_of(block)[1], 1);
    CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_join(child, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_join(child, MPROC_FOREVER), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_is_alive(child), 0);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    // What has ended can be asked to end.
    CU_ASSERT_EQUAL(mproc_process_terminate(child), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_kill_tree(child), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_stop(child, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), 5);
    mproc_block_close(block);
}

static void test_process__who_is_who(void)
{
    mproc_block *block = make_words(2);
    for (int is_daemon = 0; is_daemon < 2; is_daemon++) {
        const mproc_process_options options = {.name = "Zoë", .is_daemon = is_daemon != 0};
        mproc_process *child = start_with(
            check_who_i_am, MPROC_ARGS("Zoë", mproc_process_pid(NULL), options.is_daemon, block),
            &options);
        CU_ASSERT_STRING_EQUAL(mproc_process_name(child), "Zoë");
        CU_ASSERT_EQUAL(mproc_process_is_daemon(child), is_daemon != 0);
        int64_t pid = mproc_process_pid(child);
        CU_ASSERT(pid > 0 && pid != mproc_process_pid(NULL));
        CU_ASSERT_EQUAL(end_of(child), 0);
        CU_ASSERT_EQUAL(*(int64_t *)mproc_block_data(block), pid);
    }
    CU_ASSERT_STRING_EQUAL(mproc_process_name(mproc_current_process()), "MainProcess");
    CU_ASSERT_PTR_NULL(mproc_parent_process());
    CU_ASSERT_FALSE(mproc_process_is_daemon(NULL));
    mproc_block_close(block);
}

static void test_process__default_names_count(void)
{
    unsigned numbers[2];
    for (int i = 0; i < 2; i++) {
        mproc_process *child = start(return_code, MPROC_ARGS(0));
        int end = 0;
        int n = sscanf(mproc_process_name(child), "Process-%u%n", &numbers[i], &end);
        CU_ASSERT_EQUAL(n, 1);
        CU_ASSERT_EQUAL(mproc_process_name(child)[end], '\0');
        CU_ASSERT_EQUAL(end_of(child), 0);
    }
    CU_ASSERT(numbers[0] >= 1);
    CU_ASSERT_EQUAL(numbers[1], numbers[0] + 1);
}

static void test_process__long_names_are_cut(void)
{
    char name[1000];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const mproc_process_options options = {.name = name};
    mproc_process *child = start_with(return_code, MPROC_ARGS(3), &options);
    size_t length = strlen(mproc_process_name(child));
    CU_ASSERT(length > 0 && length < sizeof(name));
    CU_ASSERT_EQUAL(strncmp(mproc_process_name(child), name, length), 0);
    CU_ASSERT_EQUAL(end_of(child), 3);
}

static void test_process__sentinel_fires_at_the_end(void)
{
    mproc_block *block = make_words(2);
    mproc_process *child = start(wait_for_word, MPROC_ARGS(block));
    mplat_handle sentinel = {mproc_process_sentinel(child)};
    size_t index = 9;
    CU_ASSERT_NOT_EQUAL(sentinel.os, -1);
    CU_ASSERT(await_word(&words_of(block)[0], 1));
    CU_ASSERT_EQUAL(mplat_sentinel_wait(&sentinel, 1, 0, &index), MPROC_ETIMEDOUT);
    set_word(&words_of(block)[1], 1);
#ifndef _WIN32
    // As an application's own event loop has it.
    struct pollfd poller = {.fd = (int)sentinel.os, .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&poller, 1, 60000), 1);
    CU_ASSERT(poller.revents != 0);
#endif
    CU_ASSERT_EQUAL(mplat_sentinel_wait(&sentinel, 1, mplat_now() + LIMIT, &index), MPROC_OK);
    CU_ASSERT_EQUAL(index, 0);
    CU_ASSERT_EQUAL(mproc_process_join(child, MPROC_NOWAIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_sentinel(child), sentinel.os);
    CU_ASSERT_EQUAL(end_of(child), 5);
    mproc_block_close(block);
}

static void test_process__is_alive_needs_no_join(void)
{
    mproc_process *child = start(return_code, MPROC_ARGS(4));
    int64_t deadline = mplat_now() + LIMIT;
    mplat_handle sentinel = {mproc_process_sentinel(child)};
    size_t index;
    CU_ASSERT_EQUAL(mplat_sentinel_wait(&sentinel, 1, deadline, &index), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_is_alive(child), 0);
    int code = 0;
    CU_ASSERT_EQUAL(mproc_process_exit_code(child, &code), MPROC_OK);
    CU_ASSERT_EQUAL(code, 4);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
}

static void test_process__ourselves(void)
{
    mproc_exit_report report;
    int code;
    CU_ASSERT_EQUAL(mproc_process_join(NULL, MPROC_NOWAIT), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_process_join(mproc_current_process(), MPROC_FOREVER), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_process_is_alive(NULL), 1);
    CU_ASSERT_EQUAL(mproc_process_exit_code(NULL, &code), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_process_exit_report(mproc_current_process(), &report), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mproc_process_pid(NULL), mplat_self().pid);
    CU_ASSERT_EQUAL(mproc_process_sentinel(NULL), -1);
    CU_ASSERT_EQUAL(mproc_process_close(NULL), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_close(mproc_current_process()), MPROC_OK);
    CU_ASSERT_PTR_EQUAL(mproc_current_process(), mproc_current_process());
}

static int local_data;

static void test_process__bad_input(void)
{
    // Where a start has failed and nobody looked, nothing must be ended: not this process, above all.
    CU_ASSERT_EQUAL(mproc_process_interrupt(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_process_terminate(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_process_kill(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_process_kill_tree(NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_process_stop(NULL, MPROC_NOWAIT), MPROC_EINVAL);
    mproc_process *child = (mproc_process *)(void *)&local_data;
    size_t index = 77;
    CU_ASSERT_EQUAL(mproc_process_start(NULL, return_code, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_process_start(&child, NULL, NULL, NULL), MPROC_EINVAL);
    CU_ASSERT(strlen(mproc_last_error()) > 0);
    CU_ASSERT_PTR_EQUAL(child, (mproc_process *)(void *)&local_data);
    CU_ASSERT_EQUAL(mproc_process_wait_any(NULL, 0, MPROC_NOWAIT, &index), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_process_wait_any(&child, 0, MPROC_NOWAIT, &index), MPROC_EINVAL);
    CU_ASSERT_EQUAL(index, 77);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    mproc_process *real = start(return_code, MPROC_ARGS(0));
    CU_ASSERT_EQUAL(mproc_process_wait_any(&real, 1, MPROC_NOWAIT, NULL), MPROC_EINVAL);
    mproc_process *const with_none[2] = {real, NULL};
    CU_ASSERT(mproc_process_wait_any(with_none, 2, MPROC_NOWAIT, &index) < 0);
    CU_ASSERT_EQUAL(mproc_process_join(real, LIMIT), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_exit_code(real, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(mproc_process_exit_report(real, NULL), MPROC_EINVAL);
    CU_ASSERT_EQUAL(end_of(real), 0);
}

static void test_process__data_is_no_function(void)
{
    // A pointer that points into no program or library is refused before anything is started. In a
    // copy of the process it would be as good, or as bad, as here.
    if (method_is("fork")) {
        testlib_skip("fork looks up no function");
        return;
    }
    mproc_process *child = NULL;
    mproc_process_fn function = NULL;
    void *heap = malloc(64);
    memcpy(&function, &heap, sizeof(function));
    CU_ASSERT(mproc_process_start(&child, function, NULL, NULL) < 0);
    CU_ASSERT_PTR_NULL(child);
    CU_ASSERT_EQUAL(mproc_active_children(NULL, 0), 0);
    free(heap);
}

static void test_process__nothing_is_left(void)
{
    mproc_arena_stats before = settled_stats();
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(run(return_code, i), i);
    }
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
}

static const testlib_case cases[] = {
    {"exit_codes", test_process__exit_codes},
    {"crashes_are_reported", test_process__crashes_are_reported},
    {"report_counts_time_and_memory", test_process__report_counts_time_and_memory},
    {"running_child", test_process__running_child},
    {"who_is_who", test_process__who_is_who},
    {"default_names_count", test_process__default_names_count},
    {"long_names_are_cut", test_process__long_names_are_cut},
    {"sentinel_fires_at_the_end", test_process__sentinel_fires_at_the_end},
    {"is_alive_needs_no_join", test_process__is_alive_needs_no_join},
    {"ourselves", test_process__ourselves},
    {"bad_input", test_process__bad_input},
    {"data_is_no_function", test_process__data_is_no_function},
    {"nothing_is_left", test_process__nothing_is_left},
};

PROCESS_TEST_MAIN("object.process", cases)
