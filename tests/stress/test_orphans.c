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

#define N_THREADS 4

#define MARK "MPROC_TEST_ORPHANS="

/* Far more than the second they have: a machine may be busy. */
#define GONE_NS ((int64_t)10000000000)

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
    const bool *only_forks = arg;
    (void)thread;
    for (size_t i = 0; i < 4; i++) {
        mproc_process *child;
        const mproc_process_options options = {
            .context = mproc_get_context(*only_forks ? "fork" : methods[i]),
            .fork_with_threads = true};
        int depth = *only_forks ? 0 : (int)(i % 2);
        (void)!mproc_process_start(&child, branch, MPROC_ARGS(depth), &options);
    }
    return NULL; // the thread's end is not the end of its children
}

/** Start a tree from several threads, then wait to be killed. */
static int be_root(bool only_forks)
{
    apr_pool_t *pool;
    apr_thread_t *threads[N_THREADS];
    CHILD_CHECK(apr_initialize() == APR_SUCCESS);
    CHILD_CHECK(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    for (int i = 0; i < N_THREADS; i++) {
        CHILD_CHECK(apr_thread_create(&threads[i], NULL, plant, &only_forks, pool) == APR_SUCCESS);
    }
    for (int i = 0; i < N_THREADS; i++) {
        apr_status_t unused;
        (void)apr_thread_join(&unused, threads[i]);
    }
    for (;;) {
        (void)pause();
    }
}

/** In a worker: a pool inside of it, at work until the end. */
static int task_nest(const mproc_args *args, mproc_value *result)
{
    mproc_pool *pool;
    mproc_future *future;
    int depth;
    (void)result;
    int rc = MPROC_UNPACK(args, &depth);
    for (int i = 0; i < 2 && depth > 0 && rc >= 0; i++) {
        const mproc_pool_options options = {.processes = 2};
        rc = mproc_pool_create(&pool, &options);
        rc = rc < 0 ? rc
                    : mproc_pool_apply_async(pool, task_nest, MPROC_ARGS(depth - 1), NULL, &future);
    }
    return stay();
}

/** Have pools of each start method, with pools inside, all at work; wait to be killed. */
static MPROC__NORETURN void be_pool_owner(void)
{
    static const char *const methods[] = {"fork", "spawn", "forkserver"};
    for (size_t i = 0; i < 3; i++) {
        mproc_pool *pool;
        mproc_future *future;
        const mproc_pool_options options = {.processes = 2,
                                            .context = mproc_get_context(methods[i])};
        if (mproc_pool_create(&pool, &options) >= 0) {
            (void)!mproc_pool_apply_async(pool, task_nest, MPROC_ARGS(1), NULL, &future);
        }
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

/** How many processes bear a mark, and get a signal; a zombie has no environment any more. */
static size_t signal_marked(const char *mark, int number)
{
    static char text[1 << 17];
    size_t count = 0;
    DIR *directory = opendir("/proc");
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && pid != getpid() && has_mark(entry->d_name, mark, text, sizeof(text))) {
            count++;
            (void)kill((pid_t)pid, number);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return count;
}

static size_t count_marked(const char *mark)
{
    return signal_marked(mark, 0);
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

static pid_t spawn_root(const char *role, const char *mark)
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
    char role_word[20];
    (void)snprintf(role_word, sizeof(role_word), "%s", role);
    char *argv[] = {name, role_word, NULL};
    pid_t pid = -1;
    CU_ASSERT_EQUAL_FATAL(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, marked), 0);
    free(marked);
    return pid;
}

/**
 * One family; how long its last member outlived the root, in nanoseconds. The root is killed at a
 * random instant, but not before the family has `wanted` members.
 */
static int64_t orphan_one(const char *role, unsigned number, size_t wanted, size_t *ret_largest)
{
    char mark[100];
    (void)snprintf(mark, sizeof(mark), MARK "%lld-%s-%u", (long long)getpid(), role, number);
    pid_t root = spawn_root(role, mark);
    pass_time(60000000);
    size_t alive = count_marked(mark);
    for (int64_t end = mplat_now() + GONE_NS; alive < wanted && mplat_now() < end;) {
        alive = count_marked(mark);
    }
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
    while (left > 0) {
        left = signal_marked(mark, SIGKILL); // a failed test leaves none behind either
    }
    return mplat_now() - begin;
}

static void orphan_many(const char *role)
{
    size_t names = count_names();
    size_t largest = 0;
    int64_t longest = 0;
    long count = testlib_count(10, 1000);
    for (long i = 0; testlib_goes_on(i, count); i++) {
        int64_t taken = orphan_one(role, (unsigned)i, i == 0 ? 3 : 0, &largest);
        longest = taken > longest ? taken : longest;
    }
    printf("families of up to %zu, gone after %lld ms at most ... ", largest,
           (long long)(longest / 1000000));
    CU_ASSERT(largest > 2);
    CU_ASSERT(count_names() <= names);
}

static void test_orphans__end_with_the_root(void)
{
    orphan_many("root");
}

/** Copies made at the same time by several threads must not hold what ties the others to the root. */
static void test_orphans__forked_by_many_threads(void)
{
    orphan_many("forks");
}

/** Pools in pools end with their root, too. */
static void test_orphans__workers_of_pools(void)
{
    orphan_many("pools");
}

static const testlib_case cases[] = {
    {"workers_of_pools", test_orphans__workers_of_pools},
    {"forked_by_many_threads", test_orphans__forked_by_many_threads},
    {"end_with_the_root", test_orphans__end_with_the_root},
};

static void be_child(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    if (argc == 2 && (strcmp(argv[1], "root") == 0 || strcmp(argv[1], "forks") == 0)) {
        exit(be_root(strcmp(argv[1], "forks") == 0));
    }
    if (argc == 2 && strcmp(argv[1], "pools") == 0) {
        be_pool_owner();
    }
}

TESTLIB_MAIN_CHILD("stress.orphans", cases, be_child)
