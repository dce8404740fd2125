/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fork.c: what copies of a process must not do twice, threads, storms of signals, and whole
 * trees of processes. Linux only.
 */
#include "object/process_test.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

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

static int print_rest(const mproc_args *args)
{
    (void)args;
    printf("from the child\n"); // left in the buffer: the library flushes it
    return 0;
}

static int check_sum(const mproc_args *args)
{
    mproc_bytes bytes;
    int64_t expected;
    CHILD_CHECK(MPROC_UNPACK(args, &bytes, &expected) == 0);
    int64_t sum = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        sum += ((const unsigned char *)bytes.data)[i];
    }
    return sum == expected ? 0 : 2;
}

/* ---- exit handlers and buffers ----------------------------------------------------------------- */

static int exit_pipe[2] = {-1, -1};

static void tell_exit(void)
{
    if (exit_pipe[1] >= 0) {
        (void)!write(exit_pipe[1], "x", 1);
    }
}

static void test_fork__parents_exit_handlers_run_once(void)
{
    // In a process of its own, as handlers cannot be taken back.
    CU_ASSERT_EQUAL_FATAL(pipe(exit_pipe), 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        CHILD_CHECK(atexit(tell_exit) == 0);
        for (int i = 0; i < 2; i++) {
            mproc_process *child;
            int code = 0;
            CHILD_CHECK(mproc_process_start(&child, i == 0 ? return_code : leave_by_exit,
                                            MPROC_ARGS(7 + i), NULL) == 0);
            CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
            CHILD_CHECK(mproc_process_exit_code(child, &code) == 0 && code == 7 + i);
            CHILD_CHECK(mproc_process_close(child) == 0);
        }
        exit(0);
    }
    (void)close(exit_pipe[1]);
    exit_pipe[1] = -1;
    char told[16];
    ssize_t n = 0;
    for (ssize_t got; (got = read(exit_pipe[0], told + n, sizeof(told) - (size_t)n)) > 0;) {
        n += got;
    }
    CU_ASSERT_EQUAL(n, 1);
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    (void)close(exit_pipe[0]);
    exit_pipe[0] = -1;
}

/** The program whose output is looked at: it prints, starts a child that prints, and ends. */
static void print_with_child(int output)
{
    static char buffer[4096];
    CHILD_CHECK(dup2(output, STDOUT_FILENO) == STDOUT_FILENO);
    (void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    mproc_process *child;
    printf("before\n");
    CHILD_CHECK(mproc_process_start(&child, print_rest, NULL, NULL) == 0);
    CHILD_CHECK(mproc_process_join(child, LIMIT) == 0);
    CHILD_CHECK(mproc_process_close(child) == 0);
    printf("after\n");
    exit(0);
}

static void test_fork__buffers_are_written_once(void)
{
    int fds[2];
    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        int output = fds[1];
        fds[0] = fds[1] = -1;
        print_with_child(output);
    }
    (void)close(fds[1]);
    char text[200];
    size_t n = 0;
    for (ssize_t got; (got = read(fds[0], text + n, sizeof(text) - 1 - n)) > 0;) {
        n += (size_t)got;
    }
    text[n] = '\0';
    CU_ASSERT_STRING_EQUAL(text, "before\nfrom the child\nafter\n");
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    (void)close(fds[0]);
}

/* ---- threads ----------------------------------------------------------------------------------- */

static uint32_t thread_goes;

static void *APR_THREAD_FUNC be_a_thread(apr_thread_t *thread, void *arg)
{
    (void)thread;
    (void)arg;
    while (mproc__load32_acquire(&thread_goes) == 0) {
        (void)mplat_wait(&thread_goes, 0, mplat_now() + mproc_milliseconds(50), NULL, NULL);
    }
    return NULL;
}

static void test_fork__threads(void)
{
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t unused;
    mproc_process *child = NULL;
    bool is_fork = method_is("fork");
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    for (int i = 0; i < 100; i++) {
        mproc__store32_release(&thread_goes, 0);
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, be_a_thread, NULL, pool),
                              APR_SUCCESS);
        if (is_fork) {
            CU_ASSERT_EQUAL(mproc_process_start(&child, return_code, MPROC_ARGS(1), NULL),
                            MPROC_ETHREADS);
            CU_ASSERT_PTR_NULL(child);
        }
        if (i == 0) {
            CU_ASSERT_EQUAL(end_of(start_with(return_code, MPROC_ARGS(1), &with_threads)), 1);
        }
        set_word(&thread_goes, 1);
        CU_ASSERT_EQUAL(apr_thread_join(&unused, thread), APR_SUCCESS);
        // The thread has been joined: there is no other one any more.
        CU_ASSERT_EQUAL(end_of(start(return_code, MPROC_ARGS(2))), 2);
    }
    apr_pool_destroy(pool);
    apr_terminate();
}

/* ---- signals that interrupt everything --------------------------------------------------------- */

static volatile sig_atomic_t n_ticks;

static void tick(int number)
{
    (void)number;
    n_ticks++;
}

static void set_storm(bool is_on)
{
    const struct sigaction action = {.sa_handler = tick}; // without SA_RESTART
    const struct itimerval often = {{0, is_on ? 100 : 0}, {0, is_on ? 100 : 0}};
    if (is_on) {
        CU_ASSERT_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    }
    CU_ASSERT_EQUAL(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void test_fork__storm_of_signals(void)
{
    const size_t size = (size_t)16 << 20;
    unsigned char *data = malloc(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    memset(data, 3, size);
    mproc_arena_stats before = settled_stats();
    set_storm(true);
    for (long i = testlib_count(20, 1000); i > 0; i--) {
        CU_ASSERT_EQUAL(end_of(start(return_code, MPROC_ARGS(5))), 5);
    }
    mproc_process *child =
        start(check_sum, MPROC_ARGS(mproc_bytes_of(data, size), (int64_t)size * 3));
    CU_ASSERT_EQUAL(end_of(child), 0);
    CU_ASSERT_EQUAL(mproc_shutdown(LIMIT), MPROC_OK);
    set_storm(false);
    CU_ASSERT(n_ticks > 0);
    mproc_arena_stats after = settled_stats();
    CU_ASSERT(is_same_arena(&before, &after));
    free(data);
}

static int stay_until_parents_end(const mproc_args *args)
{
    (void)args;
    return stay();
}

static void test_fork__timeouts_hold_in_the_storm(void)
{
    mproc_process *child = start(stay_until_parents_end, NULL);
    set_storm(true);
    int64_t begin = mplat_now();
    CU_ASSERT_EQUAL(mproc_process_join(child, mproc_milliseconds(100)), MPROC_ETIMEDOUT);
    CU_ASSERT(mplat_now() - begin >= mproc_milliseconds(100));
    set_storm(false);
    CU_ASSERT_EQUAL(mproc_process_kill(child), MPROC_OK);
    CU_ASSERT_EQUAL(mproc_process_join(child, LIMIT) == MPROC_ETIMEDOUT, false);
    CU_ASSERT_EQUAL(mproc_process_close(child), MPROC_OK);
}

/* ---- trees ------------------------------------------------------------------------------------- */

/** Descend, and leave a process on each level that mproc knows nothing of; all hold the pipe. */
static int grow_tree(const mproc_args *args)
{
    int depth;
    const char *pipe_path;
    mproc_block *block;
    CHILD_CHECK(MPROC_UNPACK(args, &depth, &pipe_path, &block) == 0);
    int fd = open(pipe_path, O_WRONLY | O_CLOEXEC);
    CHILD_CHECK(fd >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        add_word(words_of(block));
        for (;;) {
            (void)pause();
        }
    }
    CHILD_CHECK(pid > 0);
    if (depth > 0) {
        mproc_process *child;
        CHILD_CHECK(mproc_process_start(&child, grow_tree, MPROC_ARGS(depth - 1, pipe_path, block),
                                        NULL) == 0);
    }
    add_word(words_of(block));
    return stay();
}

static void test_fork__kill_tree(void)
{
    char folder[] = "/tmp/mproc-tree-XXXXXX";
    char path[100];
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/pipe", folder);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    mproc_block *block = make_words(1);
    mproc_process *child = start(grow_tree, MPROC_ARGS(2, (const char *)path, block));
    CU_ASSERT(await_word(words_of(block), 6));
    CU_ASSERT_EQUAL(mproc_process_kill_tree(child), MPROC_OK);
    CU_ASSERT_EQUAL(end_of(child), -SIGKILL);
    // The pipe ends when the last of them is gone.
    mplat_handle end = {fd};
    size_t index;
    char unused;
    CU_ASSERT_EQUAL(mplat_sentinel_wait(&end, 1, mplat_now() + mproc_seconds(10), &index),
                    MPROC_OK);
    CU_ASSERT_EQUAL(read(fd, &unused, 1), 0);
    (void)close(fd);
    (void)unlink(path);
    (void)rmdir(folder);
    mproc_block_close(block);
}

static const testlib_case cases[] = {
    {"parents_exit_handlers_run_once", test_fork__parents_exit_handlers_run_once},
    {"buffers_are_written_once", test_fork__buffers_are_written_once},
    {"threads", test_fork__threads},
    {"storm_of_signals", test_fork__storm_of_signals},
    {"timeouts_hold_in_the_storm", test_fork__timeouts_hold_in_the_storm},
    {"kill_tree", test_fork__kill_tree},
};

PROCESS_TEST_MAIN("object.fork", cases)
