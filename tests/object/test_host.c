/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_host.c: the application that contains mproc keeps its signals, its children and its
 * descriptors for itself, whatever it does with them.
 *
 * Linux only, as the promises are about signals and descriptors.
 */
#include "object/process_test.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_SIGNALS 65

/* ---- children ---------------------------------------------------------------------------------- */

static int return_code(const mproc_args *args)
{
    int code;
    CHILD_CHECK(MPROC_UNPACK(args, &code) == 0);
    return code;
}

static int kill_self(const mproc_args *args)
{
    (void)args;
    (void)raise(SIGKILL);
    return 0;
}

/** Whether mask and dispositions are what a fresh process has. */
static int check_signals(const mproc_args *args)
{
    bool is_copy;
    sigset_t mask;
    CHILD_CHECK(MPROC_UNPACK(args, &is_copy) == 0);
    CHILD_CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
    for (int i = 1; i < N_SIGNALS; i++) {
        CHILD_CHECK(sigismember(&mask, i) != 1);
        struct sigaction action;
        if (!is_copy && i != SIGKILL && i != SIGSTOP && sigaction(i, NULL, &action) == 0) {
            // A sanitizer's own handlers are none of ours.
            CHILD_CHECK(action.sa_handler != SIG_IGN || i == SIGPIPE);
            CHILD_CHECK(i != SIGUSR1 || action.sa_handler == SIG_DFL);
            CHILD_CHECK(i != SIGCHLD || action.sa_handler == SIG_DFL);
        }
    }
    return 0;
}

/** Nothing is open but the streams and what is the library's: its sockets, the arena. */
static int check_descriptors(const mproc_args *args)
{
    CHILD_CHECK(args->count == 0);
    DIR *directory = opendir("/proc/self/fd");
    CHILD_CHECK(directory != NULL);
    int n_more = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[300];
        char target[300];
        int fd = (int)strtol(entry->d_name, NULL, 10);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (entry->d_name[0] == '.' || fd < 3 || fd == dirfd(directory)) {
            continue;
        }
        target[n > 0 ? n : 0] = '\0';
        bool is_ours =
            strncmp(target, "socket:", 7) == 0 || strncmp(target, "/memfd:mproc", 12) == 0;
        if (!is_ours || (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0) {
            fprintf(stderr, "child: descriptor %d is %s\n", fd, target);
            return TESTLIB_CHILD_FAILED;
        }
        n_more++;
    }
    (void)closedir(directory);
    CHILD_CHECK(n_more <= 5);
    return 0;
}

/** As daemons do: close all there is; then go on, or become another program. */
static int close_everything(const mproc_args *args)
{
    bool executes;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &executes, &block) == 0);
    for (int fd = 3; fd < 1024; fd++) {
        (void)close(fd);
    }
    add_word(words_of(block));
    CHILD_CHECK(await_word(&words_of(block)[1], 1));
    if (executes) {
        (void)execl("/bin/sh", "sh", "-c", "exit 5", (char *)NULL);
    }
    return 5;
}

/* ---- signals ----------------------------------------------------------------------------------- */

static volatile sig_atomic_t n_handled;

static void handle(int number)
{
    (void)number;
    n_handled++;
}

static void set_handler(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_flags = flags};
    action.sa_handler = handler;
    CU_ASSERT_EQUAL(sigaction(number, &action, NULL), 0);
}

static void snapshot(struct sigaction *actions, sigset_t *mask)
{
    memset(actions, 0, N_SIGNALS * sizeof(*actions));
    for (int i = 1; i < N_SIGNALS; i++) {
        (void)sigaction(i, NULL, &actions[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, NULL, mask);
}

static void test_host__signals_stay_as_they_are(void)
{
    static struct sigaction before[N_SIGNALS];
    static struct sigaction after[N_SIGNALS];
    sigset_t mask_before;
    sigset_t mask_after;
    sigset_t more;
    set_handler(SIGUSR1, handle, 0);
    set_handler(SIGHUP, SIG_IGN, 0);
    (void)sigemptyset(&more);
    (void)sigaddset(&more, SIGUSR2);
    (void)sigaddset(&more, SIGTERM);
    CU_ASSERT_EQUAL(pthread_sigmask(SIG_BLOCK, &more, NULL), 0);
    snapshot(before, &mask_before);
    bool is_copy = method_is("fork");
    CU_ASSERT_EQUAL(end_of(start(check_signals, MPROC_ARGS(is_copy))), 0);
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    snapshot(after, &mask_after);
    for (int i = 1; i < N_SIGNALS; i++) {
        CU_ASSERT(before[i].sa_handler == after[i].sa_handler);
        CU_ASSERT_EQUAL(before[i].sa_flags, after[i].sa_flags);
        CU_ASSERT_EQUAL(sigismember(&mask_before, i), sigismember(&mask_after, i));
    }
    CU_ASSERT_EQUAL(pthread_sigmask(SIG_UNBLOCK, &more, NULL), 0);
    set_handler(SIGUSR1, SIG_DFL, 0);
    set_handler(SIGHUP, SIG_DFL, 0);
}

/* ---- the status of children -------------------------------------------------------------------- */

/** An own child of the application. */
static pid_t fork_own(int code)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(code);
    }
    CU_ASSERT(pid > 0);
    return pid;
}

/** Start and join; the code must be right or unknown. Whether it was known. */
static bool run_once(mproc_process_fn function, int code, int expected)
{
    mproc_process *child = start_with(function, MPROC_ARGS(code), &with_threads);
    int got = INT32_MIN;
    CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT), MPROC_OK);
    int rc = mproc_process_exit_code(child, &got);
    CU_ASSERT(rc == MPROC_OK || rc == MPROC_EUNKNOWN);
    CU_ASSERT(rc < 0 || got == expected);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
    return rc == MPROC_OK;
}

static void run_many(void)
{
    const int count = (int)testlib_count(10, 1000);
    for (int i = 0; i < count; i++) {
        int code = i % 200;
        CU_ASSERT(run_once(return_code, code, code)); // it has left word
        (void)run_once(kill_self, 0, -SIGKILL);
    }
}

static void test_host__handler_for_sigchld(void)
{
    set_handler(SIGCHLD, handle, SA_RESTART);
    pid_t own = fork_own(3);
    run_many();
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(own, &status, 0), own);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    set_handler(SIGCHLD, SIG_DFL, 0);
    CU_ASSERT(run_once(kill_self, 0, -SIGKILL));
}

static void test_host__sigchld_ignored(void)
{
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    set_handler(SIGCHLD, SIG_IGN, 0);
    run_many();
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    set_handler(SIGCHLD, SIG_DFL, 0);
    pid_t own = fork_own(3);
    CU_ASSERT(run_once(return_code, 1, 1));
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(own, &status, 0), own);
}

typedef struct thief {
    uint32_t is_done;
    uint32_t n_stolen;
} thief;

/** What ends, this thread collects first if it can. */
static void *APR_THREAD_FUNC collect_all(apr_thread_t *thread, void *arg)
{
    static const pid_t anybody = -1;
    thief *self = arg;
    (void)thread;
    while (mproc__load32_acquire(&self->is_done) == 0) {
        if (waitpid(anybody, NULL, 0) > 0) {
            self->n_stolen++;
        } else {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void test_host__thread_that_collects_everything(void)
{
    thief taker = {0};
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t unused;
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, collect_all, &taker, pool), APR_SUCCESS);
    run_many();
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    mproc__store32_release(&taker.is_done, 1);
    CU_ASSERT_EQUAL(apr_thread_join(&unused, thread), APR_SUCCESS);
    apr_pool_destroy(pool);
    apr_terminate();
    CU_ASSERT(run_once(kill_self, 0, -SIGKILL));
}

/* ---- descriptors ------------------------------------------------------------------------------- */

static void test_host__children_inherit_no_descriptor(void)
{
    if (method_is("fork")) {
        testlib_skip("a copy has what the original has");
        return;
    }
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK); // a server inherits none either
    static const int places[] = {3, 4, 5, 6, 7, 8, 9, 20, 100, 1000};
    int pipe_fds[2];
    CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
    int leaked[MPROC__COUNT(places)];
    for (size_t i = 0; i < MPROC__COUNT(places); i++) {
        leaked[i] = fcntl(pipe_fds[0], F_DUPFD, places[i]);
        CU_ASSERT(leaked[i] >= places[i]);
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(end_of(start(check_descriptors, NULL)), 0);
    }
    for (size_t i = 0; i < MPROC__COUNT(places); i++) {
        (void)close(leaked[i]);
    }
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

static void test_host__participant_closes_all_descriptors(void)
{
    for (int executes = 0; executes < 2; executes++) {
        mproc_block *block = make_words(2);
        bool is_to_execute = executes != 0;
        mproc_arena_stats stats;
        mproc_process *child = start(close_everything, MPROC_ARGS(is_to_execute, block));
        CU_ASSERT(await_word(words_of(block), 1));
        // It lives, and is seen to: nothing it held is taken from it.
        CU_ASSERT_EQUAL(mproc_process_is_alive(child), 1);
        CU_ASSERT_EQUAL(mproc_process_join(child, mproc_milliseconds(120)), MPROC_ETIMEDOUT);
        CU_ASSERT_EQUAL(mproc_arena_get_stats(&stats), MPROC_OK);
        CU_ASSERT(stats.members >= 2);
        set_word(&words_of(block)[1], 1);
        CU_ASSERT_EQUAL(end_of(child), 5);
        mproc_block_close(block);
    }
}

static const testlib_case cases[] = {
    {"signals_stay_as_they_are", test_host__signals_stay_as_they_are},
    {"handler_for_sigchld", test_host__handler_for_sigchld},
    {"sigchld_ignored", test_host__sigchld_ignored},
    {"thread_that_collects_everything", test_host__thread_that_collects_everything},
    {"children_inherit_no_descriptor", test_host__children_inherit_no_descriptor},
    {"participant_closes_all_descriptors", test_host__participant_closes_all_descriptors},
};

PROCESS_TEST_MAIN("object.host", cases)
