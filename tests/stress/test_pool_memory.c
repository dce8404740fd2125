/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pool_memory.c: workers that the kernel kills for want of memory. Linux only, and where
 * this program may make a cgroup with a limit.
 */
#include "stress/storm.h"

#include "mproc/future.h"

#include <fcntl.h>
#include <sys/stat.h>

#define LIMIT_BYTES ((size_t)64 << 20)

static char group[200];

static bool write_file(const char *name, const char *text)
{
    char path[300];
    (void)snprintf(path, sizeof(path), "%s/%s", group, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_written;
}

/** A group of its own with a limit of memory: of the first version of cgroups, or of the second. */
static bool make_group(void)
{
    static const char *const places[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"};
    static const char *const limits[] = {"memory.limit_in_bytes", "memory.max"};
    char bytes[40];
    (void)snprintf(bytes, sizeof(bytes), "%zu", LIMIT_BYTES);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(group, sizeof(group), "%s/mproc-test-%ld", places[i], (long)getpid());
        if (mkdir(group, 0700) == 0) {
            if (write_file(limits[i], bytes)) {
                (void)write_file(i == 0 ? "memory.memsw.limit_in_bytes" : "memory.swap.max",
                                 i == 0 ? bytes : "0");
                return true;
            }
            (void)rmdir(group);
        }
    }
    return false;
}

/** Take more memory than there is. */
static int hoard(const mproc_args *args, mproc_value *result)
{
    (void)args;
    (void)result;
    char *volatile more;
    while ((more = malloc(1 << 20)) != NULL) {
        memset(more, 1, 1 << 20);
    }
    return MPROC_ENOMEM;
}

static int add(const mproc_args *args, mproc_value *result)
{
    int64_t a;
    int rc = MPROC_UNPACK(args, &a);
    *result = MPROC_VALUE(a + 1);
    return rc;
}

static void check_modest(mproc_future *future, int64_t expected)
{
    mproc_value result = {0};
    CHILD_CHECK(mproc_future_get(future, &result, LIMIT) == 0);
    CHILD_CHECK(result.as.integer == expected);
    mproc_future_close(future);
}

/** In the group, as the owner of a pool: each greedy task is reported as what it was, the others are done. */
static int own(const mproc_args *args)
{
    const char *name;
    int n;
    char self[40];
    mproc_pool *pool;
    CHILD_CHECK(MPROC_UNPACK(args, &name, &n) == 0);
    (void)snprintf(group, sizeof(group), "%s", name);
    (void)snprintf(self, sizeof(self), "%ld", (long)getpid());
    CHILD_CHECK(write_file("cgroup.procs", self));
    CHILD_CHECK(mproc_pool_create(&pool, &(mproc_pool_options){.processes = 2}) == 0);
    for (int i = 0; i < n; i++) {
        mproc_future *greedy;
        mproc_future *modest[8];
        CHILD_CHECK(mproc_pool_apply_async(pool, hoard, NULL, NULL, &greedy) == 0);
        for (int k = 0; k < 8; k++) {
            CHILD_CHECK(mproc_pool_apply_async(pool, add, MPROC_ARGS(k), NULL, &modest[k]) == 0);
        }
        CHILD_CHECK(mproc_future_get(greedy, NULL, LIMIT) == MPROC_EWORKERDIED);
        CHILD_CHECK(strstr(mproc_last_error(), "memory") != NULL);
        mproc_future_close(greedy);
        for (int k = 0; k < 8; k++) {
            check_modest(modest[k], k + 1);
        }
    }
    mproc_pool_close(pool);
    return 0;
}

static void test_memory__is_why_a_worker_died(void)
{
    if (!make_group()) {
        testlib_skip("no cgroup with a limit of memory can be made here");
        return;
    }
    int n = (int)testlib_count(3, 100);
    const mproc_process_options options = {.context = mproc_get_context("spawn")};
    CU_ASSERT_EQUAL(end_of(start_with(own, MPROC_ARGS((const char *)group, n), &options)), 0);
    CU_ASSERT_EQUAL(rmdir(group), 0);
}

static const testlib_case cases[] = {
    {"is_why_a_worker_died", test_memory__is_why_a_worker_died},
};
PROCESS_TEST_MAIN("stress.pool_memory", cases)
