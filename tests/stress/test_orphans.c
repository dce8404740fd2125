/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_orphans.c: a family's root is killed at a random instant: all its descendants end within a
 * second, and leave no name behind. Linux only.
 *
 * The root is this program again, with the argument "root". It and its descendants are known by a mark
 * in their environment; so those too are found that have not yet reached their function.
 */
#include "stress/storm.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#define MARK "MPROC_TEST_ORPHANS="

/* Far more than the second they have: a machine may be busy. */
#define GONE_NS ((int64_t)10000000000)

extern char **environ;

/* ---- the root and its family ------------------------------------------------------------------- */

/** Start children by all methods, down to a depth, and stay. */
static int branch(const mproc_args *args)
{
    static const char *const methods[] = {"spawn", "fork", "forkserver"};
    int depth;
    CHILD_CHECK(MPROC_UNPACK(args, &depth) == 0);
    for (size_t i = 0; i < 3 && depth > 0; i++) {
        mproc_process *child;
        const mproc_process_options options = {.context = mproc_get_context(methods[i]),
                                               .is_daemon = i == 1,
                                               .fork_with_threads = true};
        (void)!mproc_process_start(&child, branch, MPROC_ARGS(depth - 1), &options);
    }
    return stay();
}

static void *APR_THREAD_FUNC plant(apr_thread_t *thread, void *arg)
{
    static const char *const methods[] = {"fork", "spawn", "forkserver", "fork"};
    (void)thread;
    (void)arg;
    for (size_t i = 0; i < 4; i++) {
        mproc_process *child;
        const mproc_process_options options = {.context = mproc_get_context(methods[i]),
                                               .fork_with_threads = true};
        (void)!mproc_process_start(&child, branch, MPROC_ARGS((int)(i % 2)), &options);
    }
    return NULL; // the thread's end is not the end of its children
}

/** Start a tree from several threads, then wait to be killed. */
static int be_root(void)
{
    apr_pool_t *pool;
    apr_thread_t *threads[3];
    CHILD_CHECK(apr_initialize() == APR_SUCCESS);
    CHILD_CHECK(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    for (int i = 0; i < 3; i++) {
        CHILD_CHECK(apr_thread_create(&threads[i], NULL, plant, NULL, pool) == APR_SUCCESS);
    }
    for (int i = 0; i < 3; i++) {
        apr_status_t unused;
        (void)apr_thread_join(&unused, threads[i]);
    }
    for (;;) {
        (void)pause();
    }
}

/* ---- who is left ------------------------------------------------------------------------------- */

static bool has_mark(const char *pid, const char *mark, char *text, size_t size)
{
    char path[300];
    (void)snprintf(path, sizeof(path), "/proc/%s/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    return n > 0 && memmem(text, (size_t)n, mark, strlen(mark) + 1) != NULL;
}

/** How many processes bear a mark; a zombie has no environment any more. */
static size_t count_marked(const char *mark)
{
    static char text[1 << 17];
    size_t count = 0;
    DIR *directory = opendir("/proc");
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        long pid = strtol(entry->d_name, NULL, 10);
        count += pid > 0 && pid != getpid() && has_mark(entry->d_name, mark, text, sizeof(text));
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return count;
}

/** Names in the file system of sockets, and of shared memory, that could be ours. */
static size_t count_names(void)
{
    size_t count = 0;
    char line[500];
    FILE *file = fopen("/proc/net/unix", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, "mproc") != NULL;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return count + count_entries("/dev/shm");
}

/* ---- case -------------------------------------------------------------------------------------- */

static pid_t spawn_root(const char *mark)
{
    size_t n = 0;
    while (environ[n] != NULL) {
        n++;
    }
    char **marked = calloc(n + 2, sizeof(*marked));
    CU_ASSERT_PTR_NOT_NULL_FATAL(marked);
    memcpy(marked, environ, n * sizeof(*marked));
    char copy[100];
    (void)snprintf(copy, sizeof(copy), "%s", mark);
    marked[n] = copy;
    char name[] = "test_orphans";
    char role[] = "root";
    char *argv[] = {name, role, NULL};
    pid_t pid = -1;
    CU_ASSERT_EQUAL_FATAL(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, marked), 0);
    free(marked);
    return pid;
}

/** One family; how long its last member outlived the root, in nanoseconds. */
static int64_t orphan_one(unsigned number, size_t *ret_largest)
{
    char mark[100];
    (void)snprintf(mark, sizeof(mark), MARK "%lld-%u", (long long)getpid(), number);
    pid_t root = spawn_root(mark);
    pass_time(60000000);
    size_t alive = count_marked(mark);
    *ret_largest = alive > *ret_largest ? alive : *ret_largest;
    CU_ASSERT_EQUAL(kill(root, SIGKILL), 0);
    int64_t begin = mplat_now();
    int status;
    CU_ASSERT_EQUAL(waitpid(root, &status, 0), root);
    CU_ASSERT(WIFSIGNALED(status));
    size_t left = count_marked(mark);
    while (left > 0 && mplat_now() - begin < GONE_NS) {
        left = count_marked(mark);
    }
    CU_ASSERT_EQUAL(left, 0);
    return mplat_now() - begin;
}

static void test_orphans__end_with_the_root(void)
{
    size_t names = count_names();
    size_t largest = 0;
    int64_t longest = 0;
    long count = testlib_count(10, 1000);
    for (long i = 0; i < count; i++) {
        int64_t taken = orphan_one((unsigned)i, &largest);
        longest = taken > longest ? taken : longest;
    }
    printf("families of up to %zu, gone after %lld ms at most ... ", largest,
           (long long)(longest / 1000000));
    CU_ASSERT(largest > 1);
    CU_ASSERT(count_names() <= names);
}

static const testlib_case cases[] = {
    {"end_with_the_root", test_orphans__end_with_the_root},
};

static void be_child(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    if (argc == 2 && strcmp(argv[1], "root") == 0) {
        exit(be_root());
    }
}

TESTLIB_MAIN_CHILD("stress.orphans", cases, be_child)
